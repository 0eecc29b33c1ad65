package providers

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/gemini"
)

func init() { caddy.RegisterModule(new(Gemini)) }

// Gemini is Google's Gemini API (AI Studio).
type Gemini struct {
	Settings
}

// CaddyModule returns the Caddy module information.
func (*Gemini) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".gemini",
		New: func() caddy.Module { return new(Gemini) },
	}
}

// Provision resolves the settings.
func (p *Gemini) Provision(ctx caddy.Context) error {
	return p.Resolve(ctx, Defaults{BaseURL: "https://generativelanguage.googleapis.com", Environment: p.Environment()})
}

// Chat is POST {base_url}/v1beta/models/{model}:generateContent, or
// :streamGenerateContent as server-sent events.
func (p *Gemini) Chat(call Call) Endpoint {
	e := Endpoint{Codec: gemini.Codec{}, Vendor: transform.VendorGoogle}
	switch {
	case !call.Stream:
		e.URL = p.method(call.Model, "generateContent")
	case call.Array && call.Client == transform.Gemini:
		e.URL = p.method(call.Model, "streamGenerateContent")
		e.Framing = transform.FramingArray
	default:
		e.URL = p.method(call.Model, "streamGenerateContent")
		e.URL.RawQuery = "alt=sse" // without it a stream is one JSON array
	}
	return e
}

// Embeddings is POST {base_url}/v1beta/models/{model}:batchEmbedContents, or
// :embedContent for a client that asks for that.
func (p *Gemini) Embeddings(call Call) Endpoint {
	method := "batchEmbedContents"
	if call.Single && call.Client == transform.Gemini {
		method = "embedContent"
	}
	return Endpoint{URL: p.method(call.Model, method), Codec: gemini.Codec{}}
}

// CountTokens is POST {base_url}/v1beta/models/{model}:countTokens.
func (p *Gemini) CountTokens(call Call) (Endpoint, bool) {
	return Endpoint{URL: p.method(call.Model, "countTokens"), Codec: gemini.Codec{}, Vendor: transform.VendorGoogle}, true
}

func (p *Gemini) method(model, method string) *url.URL {
	return p.Join("/v1beta/models/" + model + ":" + method)
}

// ModelsURL is {base_url}/v1beta/models.
func (p *Gemini) ModelsURL() *url.URL { return p.Join("/v1beta/models") }

// Authorize sends the key as a header: a query would end in logs.
func (p *Gemini) Authorize(header http.Header, key string) {
	header["X-Goog-Api-Key"] = []string{key}
}

// Environment names the variables that usually hold the key.
func (*Gemini) Environment() []string { return []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"} }

// Interface guards
var (
	_ Provider          = (*Gemini)(nil)
	_ Embedder          = (*Gemini)(nil)
	_ TokenCounter      = (*Gemini)(nil)
	_ Discoverable      = (*Gemini)(nil)
	_ Inventory         = (*Gemini)(nil)
	_ caddy.Provisioner = (*Gemini)(nil)
)
