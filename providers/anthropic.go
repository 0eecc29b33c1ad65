package providers

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
)

func init() { caddy.RegisterModule(new(Anthropic)) }

// anthropicVersion is the API version that translated requests are written for.
// It still takes the sampling parameters of older models, which the version of
// 2026-10-21 refuses whenever they are present.
const anthropicVersion = "2023-06-01"

var (
	anthropicHeader = http.Header{"Anthropic-Version": {anthropicVersion}}
	// A client of the same format speaks the version and the betas it says.
	anthropicForward = []string{"Anthropic-Version", "Anthropic-Beta", "Anthropic-Workspace-Id", "Anthropic-User-Profile-Id"}
)

// Anthropic is the Messages API of Anthropic, or of a server that speaks it.
type Anthropic struct {
	Settings

	messages, count *url.URL
}

// CaddyModule returns the Caddy module information.
func (*Anthropic) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".anthropic",
		New: func() caddy.Module { return new(Anthropic) },
	}
}

// Provision resolves the settings.
func (p *Anthropic) Provision(ctx caddy.Context) error {
	if err := p.Resolve(ctx, Defaults{BaseURL: "https://api.anthropic.com", Environment: p.Environment()}); err != nil {
		return err
	}
	p.messages = p.Join("/v1/messages")
	p.count = p.Join("/v1/messages/count_tokens")
	return nil
}

// Chat is POST {base_url}/v1/messages.
func (p *Anthropic) Chat(Call) Endpoint {
	return Endpoint{
		URL: p.messages, Codec: anthropic.Codec{}, Vendor: transform.VendorAnthropic,
		Header: anthropicHeader, Forward: anthropicForward,
	}
}

// CountTokens is POST {base_url}/v1/messages/count_tokens.
func (p *Anthropic) CountTokens(call Call) (Endpoint, bool) {
	e := p.Chat(call)
	e.URL = p.count
	return e, true
}

// ModelsURL is {base_url}/v1/models.
func (p *Anthropic) ModelsURL() *url.URL { return p.Join("/v1/models") }

// Authorize sends the key in the header that every API version accepts.
func (p *Anthropic) Authorize(header http.Header, key string) {
	header["X-Api-Key"] = []string{key}
}

// Environment names the variable that usually holds the key.
func (*Anthropic) Environment() []string { return []string{"ANTHROPIC_API_KEY"} }

// Interface guards
var (
	_ Provider          = (*Anthropic)(nil)
	_ TokenCounter      = (*Anthropic)(nil)
	_ Discoverable      = (*Anthropic)(nil)
	_ Inventory         = (*Anthropic)(nil)
	_ caddy.Provisioner = (*Anthropic)(nil)
)
