package providers

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

func init() {
	for i := range presets {
		caddy.RegisterModule(&OpenAICompatible{preset: &presets[i]})
	}
}

// OpenAICompatible is a provider that speaks OpenAI's Chat Completions. There
// is one module for every vendor of the preset table, and openai_compatible for
// any other server, which needs a base_url.
type OpenAICompatible struct {
	Settings

	preset     *preset
	edits      Edits
	chat       *url.URL
	embeddings *url.URL
}

// openAIForward names header fields that mean something to OpenAI's API.
var openAIForward = []string{"Openai-Beta"}

// CaddyModule returns the Caddy module information.
func (p *OpenAICompatible) CaddyModule() caddy.ModuleInfo {
	preset := p.preset
	return caddy.ModuleInfo{
		ID:  caddy.ModuleID(Namespace + "." + preset.Name),
		New: func() caddy.Module { return &OpenAICompatible{preset: preset} },
	}
}

// Provision resolves the settings.
func (p *OpenAICompatible) Provision(ctx caddy.Context) error {
	if err := p.Resolve(ctx, Defaults{BaseURL: p.preset.BaseURL, Environment: p.preset.Env, Keyless: p.preset.Keyless}); err != nil {
		return err
	}
	p.chat = p.Join("/chat/completions")
	p.embeddings = p.Join("/embeddings")
	p.edits = Edits{Remove: p.preset.Remove, Rename: p.preset.Rename, AskUsage: !p.preset.UsageUnasked}
	return nil
}

// Chat is POST {base_url}/chat/completions.
func (p *OpenAICompatible) Chat(Call) Endpoint {
	return Endpoint{URL: p.chat, Codec: openai.Codec{}, Vendor: p.preset.Vendor, Edits: &p.edits, Forward: openAIForward}
}

// Embeddings is POST {base_url}/embeddings.
func (p *OpenAICompatible) Embeddings(Call) Endpoint {
	return Endpoint{URL: p.embeddings, Codec: openai.Codec{}, Edits: &p.edits, Forward: openAIForward}
}

// Forward is POST {base_url}{path}.
func (p *OpenAICompatible) Forward(path string) Endpoint {
	return Endpoint{URL: p.Join(path), Codec: openai.Codec{}, Forward: openAIForward}
}

// Authorize sends the key as a bearer token.
func (p *OpenAICompatible) Authorize(header http.Header, key string) {
	header["Authorization"] = []string{"Bearer " + key}
}

// Keyless tells whether the server usually needs no key.
func (p *OpenAICompatible) Keyless() bool { return p.preset.Keyless }

// Environment names the variables that usually hold the key.
func (p *OpenAICompatible) Environment() []string { return p.preset.Env }

// hasAddress tells whether the preset's address is known without a base_url.
func (p *OpenAICompatible) hasAddress() bool {
	_, err := caddy.NewReplacer().ReplaceOrErr(p.preset.BaseURL, true, true)
	return err == nil
}

// Interface guards
var (
	_ Provider              = (*OpenAICompatible)(nil)
	_ Embedder              = (*OpenAICompatible)(nil)
	_ Forwarder             = (*OpenAICompatible)(nil)
	_ Keyless               = (*OpenAICompatible)(nil)
	_ Discoverable          = (*OpenAICompatible)(nil)
	_ caddy.Provisioner     = (*OpenAICompatible)(nil)
	_ transform.ClientCodec = openai.Codec{}
)
