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
	return p.provision(ctx, "https://generativelanguage.googleapis.com", p.Environment(), false)
}

// Chat is POST {base_url}/v1beta/models/{model}:generateContent, or
// :streamGenerateContent as server-sent events.
func (p *Gemini) Chat(model string, stream bool) Endpoint {
	u := p.method(model, "generateContent")
	if stream {
		u = p.method(model, "streamGenerateContent")
		u.RawQuery = "alt=sse" // without it a stream is one JSON array
	}
	return Endpoint{URL: u, Codec: gemini.Codec{}, Vendor: transform.VendorGoogle}
}

// Embeddings is POST {base_url}/v1beta/models/{model}:batchEmbedContents.
func (p *Gemini) Embeddings(model string) Endpoint {
	return Endpoint{URL: p.method(model, "batchEmbedContents"), Codec: gemini.Codec{}}
}

func (p *Gemini) method(model, method string) *url.URL {
	return p.join("/v1beta/models/" + model + ":" + method)
}

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
	_ Discoverable      = (*Gemini)(nil)
	_ caddy.Provisioner = (*Gemini)(nil)
)
