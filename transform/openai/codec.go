// Package openai is the Chat Completions format, as OpenAI and the many
// providers that resemble it speak it, and the embeddings that go with it.
package openai

import (
	"strconv"

	"github.com/caddyllm/llmproxy/transform"
)

// Codec reads and writes Chat Completions, for clients and for providers. Its
// zero value is ready; it has no state.
type Codec struct {
	// Profile is how a provider differs; nil: it does not.
	Profile *Profile
}

// Format returns [transform.OpenAIChat], unless the profile has another.
func (c Codec) Format() transform.Format {
	if c.Profile != nil && c.Profile.Format != "" {
		return c.Profile.Format
	}
	return transform.OpenAIChat
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// Interface guards
var (
	_ transform.ClientCodec       = Codec{}
	_ transform.ProviderCodec     = Codec{}
	_ transform.EmbeddingClient   = Codec{}
	_ transform.EmbeddingProvider = Codec{}
)
