// Package ollama speaks Ollama's own format, /api/chat and /api/embed, whose
// streams are a JSON object on each line. Providers speak it, clients do not.
package ollama

import (
	"github.com/caddyllm/llmproxy/transform"
)

// Codec is the codec of Ollama's API. Its zero value is ready; it has no state.
type Codec struct{}

// Format returns [transform.Ollama].
func (Codec) Format() transform.Format { return transform.Ollama }

// InspectResponse implements [transform.ProviderCodec].
func (c Codec) InspectResponse(body []byte) (transform.Summary, error) {
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
