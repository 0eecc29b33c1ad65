package llmproxy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModelsOfTheCatalogueNeedNothing(t *testing.T) {
	dir := t.TempDir()
	llm(t, dir, nil, "", "models", "--all", "anthropic/claude-sonnet-4.5").has(t,
		`MODEL +WINDOW +MAX OUTPUT +\$/M IN +\$/M OUT +\$/M CACHED +CAN`,
		`anthropic/claude-sonnet-4\.5 +200k +64k +3\+ +15\+ +0\.3\+ +tools,thinking,image`, `\+ another price for long prompts, .*`)
	llm(t, dir, nil, "", "models", "--all", "no-such-model").is(t, "There is no such model.\n")
	var list []struct {
		Provider, Model string
		Window          int64 `json:"context_window"`
		Price           struct{ Input float64 }
	}
	found := llm(t, dir, nil, "", "models", "--all", "--json", "claude-*")
	if err := json.Unmarshal([]byte(found.out), &list); err != nil || len(list) < 20 || list[0].Window == 0 || list[0].Price.Input == 0 {
		t.Errorf("%v: %s", err, found.out)
	}
	for _, m := range list {
		if !strings.HasPrefix(m.Model, "claude-") {
			t.Errorf("%s/%s is no claude-*", m.Provider, m.Model)
		}
	}
}

func TestModelsOfARunningGatewayHaveItsPrices(t *testing.T) {
	port := freePort(t)
	dir := writeConfig(t, "Caddyfile", ":"+port+` {
	llm_proxy {
		provider mock
		provider anthropic {
			api_key {env.KEY}
			models claude-opus-4-5
		}
		model smart anthropic/claude-sonnet-5 mock/echo
		model any-* mock/*
		prices prices.yaml
		auth anonymous
	}
}
`)
	if err := os.WriteFile(filepath.Join(dir, "prices.yaml"), []byte("prices:\n  anthropic/claude-sonnet-5: { input: 1.25 }\n  mock/echo: { input: 0, output: 0.5 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, []string{"KEY=canary-key"}, "--config", "Caddyfile")
	models := llm(t, dir, nil, "", "models", "--address", adminOf(s))
	models.has(t,
		`NAME +TARGET +STATE +WINDOW +MAX OUTPUT +\$/M IN +\$/M OUT +\$/M CACHED +CAN`,
		`smart +anthropic/claude-sonnet-5 +ready +1M +128k +1.25 +10 +0.2 +tools,thinking,image`,
		`smart +mock/echo +ready +- +- +0 +0.5 +- +-`,
		`any-\* +mock/\* +-.*`,
		`anthropic/claude-opus-4-5 +anthropic/claude-opus-4-5 +ready +200k .*`)
	llm(t, dir, nil, "", "models", "sonnet", "--address", adminOf(s)).has(t, "smart .*")
	all := llm(t, dir, nil, "", "models", "--all", "*sonnet-5", "--address", adminOf(s))
	all.has(t, `SERVED AS +MODEL .*`, `smart +anthropic/claude-sonnet-5 +1M +128k +1.25 .*`, `- +bedrock/claude-sonnet-5 .*`)
	llm(t, dir, nil, "", "models", "--all", "echo", "--address", adminOf(s)).has(t, `smart, mock/echo +mock/echo .*`)
}
