// Package gemini speaks Google's generateContent format: that of the Gemini API
// (AI Studio) and, with small differences, that of Vertex AI. It faces providers
// and clients.
//
// Its answers and the events of its streams are one and the same object, so
// there is one reader, [frame], for whole answers, streams and what is passed on.
package gemini

import "github.com/caddyllm/llmproxy/transform"

// home is whose signatures the format's own member for them holds.
const home = transform.VendorGoogle

// Codec is the codec of the Gemini format. Its zero value is that of the Gemini API.
type Codec struct {
	// Vertex writes requests for Vertex AI: it fetches https URLs of media
	// itself, wants no ids in tool calls and takes the service tier from a
	// header; its embeddings are predictions. Answers of both are read alike.
	Vertex bool
	// Array writes streams for clients as one JSON array, which is what they
	// get unless they ask for server-sent events.
	Array bool
}

// Format is the format's name.
func (Codec) Format() transform.Format { return transform.Gemini }

// Heartbeat is nil: clients of this format take no sign of life. Google's SDK for
// Go fails at a comment, that for JavaScript loses events that have a name.
func (Codec) Heartbeat() []byte { return nil }

// Foreign tells whether a request has a piece in it that an answer of another
// vendor left there. Google refuses it, so that such a body must be translated
// even for an endpoint of the same format.
func (Codec) Foreign(body []byte) bool { return transform.HoldsSealed(body) }

// Interface guards
var (
	_ transform.ClientCodec       = Codec{}
	_ transform.CountClient       = Codec{}
	_ transform.ModelClient       = Codec{}
	_ transform.EmbeddingClient   = Codec{}
	_ transform.ProviderCodec     = Codec{}
	_ transform.CountProvider     = Codec{}
	_ transform.EmbeddingProvider = Codec{}
)
