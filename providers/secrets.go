package providers

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"golang.org/x/net/http/httpguts"

	"github.com/caddyllm/llmproxy/internal/directive"
)

// ResolveSecret resolves a credential that is no api_key, such as the secret
// of an application: placeholders are replaced once, when the config is loaded.
// Text that is empty gives an empty secret. Its errors do not tell it.
func (s *Settings) ResolveSecret(name, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	secret, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("resolving %s: %w", name, err)
	}
	if secret = strings.TrimSpace(secret); secret == "" { // files end in a newline
		return "", fmt.Errorf("%s is empty", name)
	}
	if !httpguts.ValidHeaderFieldValue(secret) {
		return "", fmt.Errorf("%s has characters that a header cannot carry", name)
	}
	s.literal = s.literal || !strings.Contains(text, "{")
	s.secrets = append(s.secrets, secret)
	return secret, nil
}

// ResolveText resolves an option that is no secret.
func ResolveText(name, text string) (string, error) {
	text, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("resolving %s: %w", name, err)
	}
	return strings.TrimSpace(text), nil
}

// ReadSecret reads an option's one argument. Its errors do not quote it.
func ReadSecret(d *caddyfile.Dispenser, into *string) error {
	name := d.Val()
	if !d.AllArgs(into) {
		return d.Errf("%s takes one value", name)
	}
	return directive.NoBlock(d)
}

// Secrets are the credentials that [Settings.ResolveSecret] resolved. They must
// not be changed, and are taken out of everything that a provider says.
func (s *Settings) Secrets() []string { return s.secrets }
