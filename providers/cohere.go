package providers

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform/cohere"
)

func init() { caddy.RegisterModule(new(Cohere)) }

// Cohere is Cohere's own API, version 2.
type Cohere struct {
	Settings

	chat, embed, rerank *url.URL
}

// CaddyModule returns the Caddy module information.
func (*Cohere) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".cohere",
		New: func() caddy.Module { return new(Cohere) },
	}
}

// Provision resolves the settings.
func (p *Cohere) Provision(ctx caddy.Context) error {
	if err := p.Resolve(ctx, Defaults{BaseURL: "https://api.cohere.com", Environment: p.Environment()}); err != nil {
		return err
	}
	p.chat = p.Join("/v2/chat")
	p.embed = p.Join("/v2/embed")
	p.rerank = p.Join("/v2/rerank")
	return nil
}

// Chat is POST {base_url}/v2/chat.
func (p *Cohere) Chat(Call) Endpoint { return Endpoint{URL: p.chat, Codec: cohere.Codec{}} }

// Embeddings is POST {base_url}/v2/embed.
func (p *Cohere) Embeddings(Call) Endpoint { return Endpoint{URL: p.embed, Codec: cohere.Codec{}} }

// Forward is POST {base_url}/v2/rerank, whose body is the one that others took
// over. Cohere has no other path of OpenAI's.
func (p *Cohere) Forward(_ Call, path string) Endpoint {
	if path != "/rerank" {
		return Endpoint{}
	}
	return Endpoint{URL: p.rerank, Codec: cohere.Codec{}}
}

// ModelsURL is {base_url}/v1/models.
func (p *Cohere) ModelsURL() *url.URL { return p.Join("/v1/models") }

// Authorize sends the key as a bearer token.
func (*Cohere) Authorize(header http.Header, key string) {
	header["Authorization"] = []string{"Bearer " + key}
}

// Environment names the variables that usually hold the key: the second is the
// one that Cohere's own SDKs read.
func (*Cohere) Environment() []string { return []string{"COHERE_API_KEY", "CO_API_KEY"} }

// Interface guards
var (
	_ Provider          = (*Cohere)(nil)
	_ Embedder          = (*Cohere)(nil)
	_ Forwarder         = (*Cohere)(nil)
	_ Discoverable      = (*Cohere)(nil)
	_ Inventory         = (*Cohere)(nil)
	_ caddy.Provisioner = (*Cohere)(nil)
)
