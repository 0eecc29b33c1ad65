package providers

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/transform"
)

// API says which of OpenAI's two APIs a provider is asked by: chat or
// responses. auto, or nothing, is the client's own where the provider has it.
type API string

// The values of [API].
const (
	APIAuto      API = "auto"
	APIChat      API = "chat"
	APIResponses API = "responses"
)

func (a API) validate() error {
	switch a {
	case "", APIAuto, APIChat, APIResponses:
		return nil
	}
	return fmt.Errorf("api must be auto, chat or responses, not %q", string(a))
}

// responsesLevel is what a provider has of the Responses API.
type responsesLevel uint8

const (
	noResponses responsesLevel = iota
	// hasResponses: it is there for clients that speak it.
	hasResponses
	// prefersResponses: it is the better one for clients of other formats too,
	// for it shows reasoning and takes it back.
	prefersResponses
)

// OpenAI's models that only one of its APIs serves.
var (
	responsesModels = []string{"gpt-*-pro", "gpt-*-pro-*", "o1-pro*", "o3-pro*", "*-codex*", "codex-*", "*-deep-research*", "computer-use*"}
	chatModels      = []string{"*-search-preview*", "*-audio*", "gpt-3.5*"}
)

// useResponses decides for one call.
func (a API) useResponses(call Call, level responsesLevel) bool {
	switch {
	case a == APIChat:
		return false
	case a == APIResponses:
		return true
	case level == noResponses:
		return false
	case call.Client == transform.Responses, glob.Any(responsesModels, call.Model):
		return true
	}
	return call.Client != transform.OpenAIChat && level == prefersResponses && !glob.Any(chatModels, call.Model)
}

// readAPI reads the option of that name.
func readAPI(d *caddyfile.Dispenser, into *API) error {
	var text string
	if err := directive.One(d, &text); err != nil {
		return err
	}
	*into = API(text)
	if err := into.validate(); err != nil {
		return d.Err(err.Error())
	}
	return nil
}
