// Package openai is the Chat Completions format, as OpenAI and the many
// providers that resemble it speak it, and the embeddings that go with it.
package openai

import (
	"math/rand/v2"
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

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// newID makes an id for what a provider left without one. It identifies, it
// does not protect: no request ever carries one that we made.
func newID(prefix string) string {
	id := make([]byte, 0, len(prefix)+24)
	id = append(id, prefix...)
	for range 24 {
		id = append(id, idLetters[rand.IntN(len(idLetters))])
	}
	return string(id)
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }

// Interface guards
var (
	_ transform.ClientCodec       = Codec{}
	_ transform.ProviderCodec     = Codec{}
	_ transform.EmbeddingClient   = Codec{}
	_ transform.EmbeddingProvider = Codec{}
)
