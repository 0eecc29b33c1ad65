package recorded_test

import (
	"io"

	"github.com/caddyllm/llmproxy/internal/awsstream"
	"github.com/caddyllm/llmproxy/internal/jsonarray"
	"github.com/caddyllm/llmproxy/internal/ndjson"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/cohere"
	"github.com/caddyllm/llmproxy/transform/converse"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/ollama"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
)

// clientCodecs are the codecs under test by the dialect of the client.
var clientCodecs = map[string]transform.ClientCodec{
	"chat": openai.Codec{}, "responses": responses.Codec{}, "messages": anthropic.Codec{}, "gemini": gemini.Codec{},
}

// providerCodecs are those by the dialect of a wire.
var providerCodecs = map[string]transform.ProviderCodec{
	"chat": openai.Codec{}, "mistral": openai.Codec{}, "responses": responses.Codec{}, "messages": anthropic.Codec{},
	"invoke": anthropic.Codec{Cloud: true}, "gemini": gemini.Codec{}, "vertex": gemini.Codec{Vertex: true},
	"converse": converse.Codec{}, "cohere": cohere.Codec{}, "ollama": ollama.Codec{},
}

// vendors read the opaque pieces of a dialect's requests.
var vendors = map[string]transform.Vendor{
	"responses": transform.VendorOpenAI, "messages": transform.VendorAnthropic, "invoke": transform.VendorAnthropic,
	"converse": transform.VendorAnthropic, "gemini": transform.VendorGoogle, "vertex": transform.VendorGoogle,
}

// events cuts a stream into its events.
type events interface {
	Fill(io.Reader) (int, error)
	Next() (sse.Event, bool)
	Tail() (sse.Event, bool)
}

// framing is that of a recorded stream.
func (r *recording) framing() events {
	switch {
	case r.kind == "json-array":
		return &jsonarray.Buffer{}
	case r.kind == "ndjson":
		return &ndjson.Buffer{}
	case r.kind == "bin":
		return &awsstream.Buffer{Chunks: wires[r.wire].dialect == "invoke"}
	}
	return &sse.Buffer{}
}
