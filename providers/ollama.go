package providers

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/ollama"
)

func init() { caddy.RegisterModule(new(Ollama)) }

var ollamaStream = http.Header{"Accept": {"application/x-ndjson"}}

// Ollama is a server of Ollama, in its own format. Its OpenAI-compatible twin is
// ollama-v1.
type Ollama struct {
	Settings

	chat, embed *url.URL
}

// CaddyModule returns the Caddy module information.
func (*Ollama) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".ollama",
		New: func() caddy.Module { return new(Ollama) },
	}
}

// Provision resolves the settings.
func (p *Ollama) Provision(ctx caddy.Context) error {
	if err := p.Resolve(ctx, Defaults{BaseURL: "http://127.0.0.1:11434", Environment: p.Environment(), Keyless: true}); err != nil {
		return err
	}
	p.chat = p.Join("/api/chat")
	p.embed = p.Join("/api/embed")
	return nil
}

// Chat is POST {base_url}/api/chat, whose streams are a JSON object on each line.
func (p *Ollama) Chat(call Call) Endpoint {
	e := Endpoint{URL: p.chat, Codec: ollama.Codec{}, Framing: transform.FramingNDJSON}
	if call.Stream {
		e.Header = ollamaStream
	}
	return e
}

// Embeddings is POST {base_url}/api/embed.
func (p *Ollama) Embeddings(Call) Endpoint { return Endpoint{URL: p.embed, Codec: ollama.Codec{}} }

// ModelsURL is {base_url}/api/tags.
func (p *Ollama) ModelsURL() *url.URL { return p.Join("/api/tags") }

// Authorize sends the key as a bearer token, as Ollama's cloud wants it.
func (*Ollama) Authorize(header http.Header, key string) {
	header["Authorization"] = []string{"Bearer " + key}
}

// Keyless tells that a server usually needs no key.
func (*Ollama) Keyless() bool { return true }

// Environment names the variable that holds the key of Ollama's cloud.
func (*Ollama) Environment() []string { return []string{"OLLAMA_API_KEY"} }

// Interface guards
var (
	_ Provider          = (*Ollama)(nil)
	_ Embedder          = (*Ollama)(nil)
	_ Keyless           = (*Ollama)(nil)
	_ Discoverable      = (*Ollama)(nil)
	_ Inventory         = (*Ollama)(nil)
	_ caddy.Provisioner = (*Ollama)(nil)
)
