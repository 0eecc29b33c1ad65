package vertex

import (
	"strings"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// anthropicVersion is the API version that Vertex takes from the body, where
// Anthropic itself has a header.
var anthropicVersion = []transform.Member{{Name: "anthropic_version", Value: transform.Quote("vertex-2023-10-16")}}

var (
	// A message's model is in the path.
	messageEdits = &providers.Edits{Omit: []string{"model"}, Set: anthropicVersion}
	// That of a request to count is not.
	countEdits = &providers.Edits{Set: anthropicVersion}
	maasEdits  = &providers.Edits{AskUsage: true}
	// The servers behind that endpoint are many: some leave reasoning in the text.
	maasCodec = openai.Codec{Profile: &openai.Profile{ThinkTags: true}}

	anthropicForward = []string{"Anthropic-Beta"}
)

// publisher says whose a model is and how that calls it. Names without a
// publisher are Anthropic's if they are Claude's, else Google's.
func publisher(model string) (of, name string) {
	model = strings.TrimPrefix(model, "publishers/")
	of, name, ok := strings.Cut(model, "/")
	if !ok {
		of, name = "google", model
		if strings.HasPrefix(model, "claude") {
			of = "anthropic"
		}
	}
	return of, strings.TrimPrefix(name, "models/")
}

// Chat is, by the model's publisher, Anthropic's Messages at :rawPredict or
// :streamRawPredict, Gemini's :generateContent, or the OpenAI-like endpoint of
// all others.
func (p *Vertex) Chat(call providers.Call) providers.Endpoint {
	switch of, name := publisher(call.Model); of {
	case "anthropic":
		method := "rawPredict"
		if call.Stream {
			method = "streamRawPredict"
		}
		return p.claude(name+":"+method, messageEdits)
	case "google":
		return p.gemini(call, name)
	}
	return providers.Endpoint{URL: p.join("/endpoints/openapi/chat/completions"), Codec: maasCodec, Edits: maasEdits}
}

func (p *Vertex) claude(call string, edits *providers.Edits) providers.Endpoint {
	return providers.Endpoint{
		URL:   p.join("/publishers/anthropic/models/" + providers.Segment(call)),
		Codec: anthropic.Codec{Cloud: true}, Vendor: transform.VendorAnthropic,
		Edits: edits, Forward: anthropicForward,
	}
}

func (p *Vertex) gemini(call providers.Call, name string) providers.Endpoint {
	e := providers.Endpoint{Codec: gemini.Codec{Vertex: true}, Vendor: transform.VendorGoogle}
	method := "generateContent"
	if call.Stream {
		method = "streamGenerateContent"
	}
	e.URL = p.join("/publishers/google/models/" + providers.Segment(name+":"+method))
	switch {
	case !call.Stream:
	case call.Array && call.Client == transform.Gemini:
		e.Framing = transform.FramingArray
	default:
		e.URL.RawQuery = "alt=sse" // without it a stream is one JSON array
	}
	return e
}

// predictions are embeddings by way of :predict, whose bodies are not those
// that clients of Gemini's format send.
type predictions struct{ gemini.Codec }

// Format is no client's.
func (predictions) Format() transform.Format { return "vertex_predict" }

// Embeddings is POST …/publishers/google/models/{model}:predict.
func (p *Vertex) Embeddings(call providers.Call) providers.Endpoint {
	of, name := publisher(call.Model)
	return providers.Endpoint{
		URL:   p.join("/publishers/" + providers.Segment(of) + "/models/" + providers.Segment(name+":predict")),
		Codec: predictions{gemini.Codec{Vertex: true}},
	}
}

// CountTokens is Anthropic's count-tokens:rawPredict, or Gemini's :countTokens.
// Nobody counts for the other publishers.
func (p *Vertex) CountTokens(call providers.Call) (providers.Endpoint, bool) {
	switch of, name := publisher(call.Model); of {
	case "anthropic":
		return p.claude("count-tokens:rawPredict", countEdits), true
	case "google":
		return providers.Endpoint{
			URL:   p.join("/publishers/google/models/" + providers.Segment(name+":countTokens")),
			Codec: gemini.Codec{Vertex: true}, Vendor: transform.VendorGoogle,
		}, true
	}
	return providers.Endpoint{}, false
}

var (
	_ transform.ProviderCodec     = predictions{}
	_ transform.EmbeddingProvider = predictions{}
)
