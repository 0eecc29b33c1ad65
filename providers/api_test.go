package providers_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
)

func chatCall(model string) providers.Call {
	return providers.Call{Model: model, Client: transform.OpenAIChat}
}

func TestWhichAPIIsAsked(t *testing.T) {
	const chat, responses = "/chat/completions", "/responses"
	const old, newer = `,"api_version":"2024-10-21"`, `,"api_version":"2025-04-01-preview"`
	for _, test := range []struct {
		kind, more string
		client     transform.Format
		model      string
		want       string
	}{
		{"openai", ``, transform.OpenAIChat, "gpt-x", chat},
		{"openai", ``, transform.Responses, "gpt-x", responses},
		{"openai", ``, transform.Anthropic, "gpt-x", responses},
		{"openai", ``, transform.Gemini, "gpt-x", responses},
		{"openai", ``, transform.Anthropic, "gpt-4o-search-preview", chat},
		{"openai", ``, transform.OpenAIChat, "gpt-5-pro", responses},
		{"openai", ``, transform.OpenAIChat, "gpt-5.4-pro-2026-01-01", responses},
		{"openai", ``, transform.OpenAIChat, "gpt-5.1-codex-mini", responses},
		{"openai", ``, transform.OpenAIChat, "o4-mini-deep-research", responses},
		{"openai", ``, transform.OpenAIChat, "computer-use-preview", responses},
		{"openai", ``, transform.OpenAIChat, "gpt-5-prose", chat},
		{"openai", `,"api":"chat"`, transform.Responses, "gpt-5-pro", chat},
		{"openai", `,"api":"responses"`, transform.OpenAIChat, "gpt-x", responses},
		{"openai", `,"api":"auto"`, transform.OpenAIChat, "gpt-x", chat},
		{"xai", ``, transform.Responses, "grok-x", responses},
		{"xai", ``, transform.Anthropic, "grok-x", chat},
		{"xai", ``, transform.OpenAIChat, "grok-x", chat},
		{"groq", ``, transform.Responses, "x", chat},
		{"groq", ``, transform.OpenAIChat, "x-codex", chat},
		{"groq", `,"api":"responses"`, transform.Anthropic, "x", responses},
		{"azure_openai", ``, transform.OpenAIChat, "gpt-x", "/openai/v1" + chat},
		{"azure_openai", ``, transform.Anthropic, "gpt-x", "/openai/v1" + responses},
		{"azure_openai", newer, transform.Responses, "gpt-x", "/openai" + responses + "?api-version=2025-04-01-preview"},
		{"azure_openai", newer, transform.OpenAIChat, "gpt-x", "/openai/deployments/gpt-x" + chat + "?api-version=2025-04-01-preview"},
		{"azure_openai", old, transform.Responses, "gpt-x", "/openai/deployments/gpt-x" + chat + "?api-version=2024-10-21"},
	} {
		p := mustLoad(t, test.kind, `{"api_key":"k","base_url":"http://h"`+test.more+`}`)
		e := p.Chat(providers.Call{Model: test.model, Client: test.client})
		if got := strings.TrimPrefix(e.URL.String(), "http://h"); got != test.want {
			t.Errorf("%s%s: a client of %s with %s is sent to %s, want %s", test.kind, test.more, test.client, test.model, got, test.want)
		}
		if isResponses := e.Codec.Format() == transform.Responses; isResponses != strings.Contains(e.URL.Path, responses) || isResponses && e.Edits != nil && e.Edits.AskUsage {
			t.Errorf("%s: format %s, edits %+v at %s", test.kind, e.Codec.Format(), e.Edits, e.URL)
		}
	}
}

func TestAzuresResponsesAreToldTheDeployment(t *testing.T) {
	p := mustLoad(t, "azure_openai", `{"api_key":"k","base_url":"http://h","deployment":{"gpt-x":"mine"}}`)
	e := p.Chat(providers.Call{Model: "gpt-x", Client: transform.Responses})
	if e.Edits == nil || len(e.Edits.Set) != 1 || string(e.Edits.Set[0].Value) != `"mine"` {
		t.Errorf("edits are %+v", e.Edits)
	}
}

func TestTheAPIIsAWord(t *testing.T) {
	for _, kind := range []string{"openai", "azure_openai"} {
		if _, err := load(t, kind, `{"api_key":"k","base_url":"http://h","api":"chats"}`); err == nil || !strings.Contains(err.Error(), `api must be auto, chat or responses, not "chats"`) {
			t.Errorf("error is %v", err)
		}
	}
	for block, want := range map[string]string{
		"openai {\n api responses\n}":       `{"api":"responses"}`,
		"openai {\n api chats\n}":           "",
		"openai {\n api chat\n api chat\n}": "",
	} {
		var p providers.OpenAICompatible
		err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(block))
		checkBlock(t, &p, err, want, "api")
	}
}
