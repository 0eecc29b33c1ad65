// Package gemini speaks Google's generateContent format: that of the Gemini API
// (AI Studio) and, with small differences, that of Vertex AI.
//
// Its answers and the events of its streams are one and the same object, so
// there is one reader, [frame], for whole answers, streams and what is passed on.
package gemini

import "github.com/caddyllm/llmproxy/transform"

// Codec is the codec of the Gemini format. Its zero value is that of the Gemini API.
type Codec struct {
	// Vertex writes requests for Vertex AI: it fetches https URLs of media
	// itself, wants no ids in tool calls and takes the service tier from a
	// header; its embeddings are predictions. Answers of both are read alike.
	Vertex bool
}

// Format is the format's name.
func (Codec) Format() transform.Format { return transform.Gemini }

var (
	_ transform.ProviderCodec     = Codec{}
	_ transform.EmbeddingProvider = Codec{}
)
