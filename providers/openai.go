package providers

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
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

	// Which API to ask: auto, chat or responses. Default: auto, which is the
	// client's own if the provider has it, and the Responses API for models
	// that have nothing else.
	API API `json:"api,omitempty"`

	preset *preset
	// what becomes of chats, and of requests for embeddings
	codec, vectors     openai.Codec
	edits, vectorEdits Edits
	chat, responses    *url.URL
	count, embeddings  *url.URL
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
	if err := p.API.validate(); err != nil {
		return err
	}
	p.chat = p.Join("/chat/completions")
	p.responses = p.Join("/responses")
	p.count = p.Join("/responses/input_tokens")
	p.embeddings = p.Join("/embeddings")
	p.edits = Edits{AskUsage: true}
	if profile := p.preset.Profile; profile != nil {
		p.edits = Edits{Remove: profile.Remove, Rename: profile.Rename, AskUsage: !profile.UsageUnasked}
		if profile.Dimensions != "" {
			p.vectors.Profile = &openai.Profile{Dimensions: profile.Dimensions}
			p.vectorEdits.Rename = map[string]string{"dimensions": profile.Dimensions}
		}
	}
	p.codec = openai.Codec{Profile: p.preset.Profile}
	return nil
}

// Chat is POST {base_url}/chat/completions, or {base_url}/responses.
func (p *OpenAICompatible) Chat(call Call) Endpoint {
	e := Endpoint{URL: p.chat, Codec: p.codec, Vendor: p.preset.vendorOf(call.Model), Edits: &p.edits, Forward: openAIForward}
	if p.API.useResponses(call, p.preset.Responses) {
		e.URL, e.Codec, e.Edits = p.responses, responses.Codec{}, nil
	}
	return e
}

// CountTokens is POST {base_url}/responses/input_tokens, which only OpenAI has.
func (p *OpenAICompatible) CountTokens(Call) (Endpoint, bool) {
	if p.preset.Responses != prefersResponses || p.API == APIChat {
		return Endpoint{}, false
	}
	return Endpoint{URL: p.count, Codec: responses.Codec{}, Vendor: transform.VendorOpenAI, Forward: openAIForward}, true
}

// Embeddings is POST {base_url}/embeddings, whose format all these vendors share.
func (p *OpenAICompatible) Embeddings(Call) Endpoint {
	return Endpoint{URL: p.embeddings, Codec: p.vectors, Edits: &p.vectorEdits, Forward: openAIForward}
}

// Forward is POST {base_url}{path}.
func (p *OpenAICompatible) Forward(_ Call, path string) Endpoint {
	return Endpoint{URL: p.Join(path), Codec: openai.Codec{}, Forward: openAIForward}
}

// ModelsURL is {base_url}/models.
func (p *OpenAICompatible) ModelsURL() *url.URL { return p.Join("/models") }

// Authorize sends the key as a bearer token.
func (p *OpenAICompatible) Authorize(header http.Header, key string) {
	header["Authorization"] = []string{"Bearer " + key}
}

// UnmarshalCaddyfile reads the block of a provider. Beside the options of all
// providers:
//
//	api auto|chat|responses
func (p *OpenAICompatible) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return p.ReadBlock(d, Options{"api": func(d *caddyfile.Dispenser) error { return readAPI(d, &p.API) }})
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
	_ TokenCounter          = (*OpenAICompatible)(nil)
	_ Inventory             = (*OpenAICompatible)(nil)
	_ Keyless               = (*OpenAICompatible)(nil)
	_ Discoverable          = (*OpenAICompatible)(nil)
	_ caddy.Provisioner     = (*OpenAICompatible)(nil)
	_ caddyfile.Unmarshaler = (*OpenAICompatible)(nil)
	_ transform.ClientCodec = openai.Codec{}
)
