package providers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/providers"
)

func TestProviderBlocks(t *testing.T) {
	for _, test := range []struct{ name, block, want, err string }{
		{"empty", `openai`, `{}`, ""},
		{"all", "openai {\n base_url https://x/v1\n api_key {env.A} {file./b}\n header x-a {env.C}\n header X-B 2\n models gpt-6 o*\n transport http {\n dial_timeout 1s\n }\n}",
			`{"api_key":["{env.A}","{file./b}"],"base_url":"https://x/v1","header":{"X-A":"{env.C}","X-B":"2"},"models":["gpt-6","o*"],"transport":{"dial_timeout":1000000000,"protocol":"http"}}`, ""},
		{"unknown", "openai {\n bse_url x\n}", "", `unrecognized subdirective "bse_url": this provider takes base_url, api_key, header, models`},
		{"twice", "openai {\n base_url x\n base_url y\n}", "", "base_url"},
		{"header twice", "openai {\n header X-A 1\n header x-a 2\n}", "", "header X-A is set twice"},
		{"header without a value", "openai {\n header X-A\n}", "", "header <name> <value>"},
		{"header with too much", "openai {\n header X-A 1 2\n}", "", "header <name> <value>"},
		{"header with a block", "openai {\n header X-A 1 {\n x\n }\n}", "", "no block is expected here"},
		{"base_url without a value", "openai {\n base_url\n}", "", "argument"},
		{"two base_urls", "openai {\n base_url x y\n}", "", "argument"},
		{"no key", "openai {\n api_key\n}", "", "argument"},
		{"no transport", "openai {\n transport\n}", "", "argument"},
		{"trace_context", "openai {\n trace_context\n}", `{"trace_context":true}`, ""},
		{"trace_context twice", "openai {\n trace_context\n trace_context\n}", "", "trace_context stands twice"},
		{"trace_context with a word", "openai {\n trace_context off\n}", "", "argument"},
		{"trace_context with a block", "openai {\n trace_context {\n x\n }\n}", "", "no block is expected here"},
		{"unknown transport", "openai {\n transport nonsense\n}", "", "nonsense"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s providers.Settings
			err := s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.block))
			checkBlock(t, &s, err, test.want, test.err)
		})
	}
}

// checkBlock compares what was read, as JSON with sorted keys, or the error.
func checkBlock(t *testing.T, settings any, err error, want, wantErr string) {
	t.Helper()
	if want == "" {
		if err == nil || !strings.Contains(err.Error(), wantErr) || strings.Contains(err.Error(), canary) {
			t.Errorf("error is %v, want %q", err, wantErr)
		}
		return
	}
	var got any
	text, _ := json.Marshal(settings)
	_ = json.Unmarshal(text, &got)
	if text, _ = json.Marshal(got); err != nil || string(text) != want {
		t.Errorf("settings are %s (%v), want %s", text, err, want)
	}
}
