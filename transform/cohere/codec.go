// Package cohere speaks Cohere's own format, version 2: chat and embeddings.
// Providers speak it, clients do not.
package cohere

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Codec is the codec of Cohere's v2 API. Its zero value is ready; it has no state.
type Codec struct{}

// Format returns [transform.Cohere].
func (Codec) Format() transform.Format { return transform.Cohere }

// InspectResponse implements [transform.ProviderCodec]. It knows the answers of
// /v2/rerank too, which has the same body for clients of other formats.
func (c Codec) InspectResponse(body []byte) (transform.Summary, error) {
	text, err := open(body)
	if err != nil {
		return transform.Summary{}, err
	}
	if text.Get("results").Kind() == jsonbytes.Array {
		return transform.Summary{Usage: billedUsage(text.Get("meta"))}, nil
	}
	a, err := c.DecodeResponse(body)
	if err != nil {
		return transform.Summary{}, err
	}
	return a.Summary(), nil
}

// NewStreamInspector implements [transform.ProviderCodec].
func (c Codec) NewStreamInspector() transform.StreamInspector {
	return transform.InspectDecoding(c.NewStreamDecoder())
}

// Interface guards
var (
	_ transform.ProviderCodec     = Codec{}
	_ transform.EmbeddingProvider = Codec{}
)
