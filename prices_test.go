package llmproxy_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// TestCallsAreWrittenDownWithTheirCost asks a running Caddy whose prices are in a
// file, and reloads it when they change.
func TestCallsAreWrittenDownWithTheirCost(t *testing.T) {
	provider, port, dir := testllm.New(t), freePort(t), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Caddyfile", "http://127.0.0.1:"+port+` {
	log
	log_append paid {http.llm_proxy.cost}
	llm_proxy {
		auth anonymous
		prices prices.yaml
		provider fake openai {
			base_url `+provider.URL+`/v1
			api_key k
		}
		model dear fake/m
	}
}
`)
	write("prices.yaml", "prices:\n  fake/m: { input: 1000, output: 2000 }\n")
	provider.On(func(*testllm.Call) testllm.Reply {
		return testllm.Reply{Chunks: []string{"a"}, Usage: testllm.Usage{Input: 10, Output: 5}}
	})
	s := start(t, dir, nil, "--config", "Caddyfile")
	ask := func(model string, parts ...string) {
		t.Helper()
		mark := s.mark()
		answer := exchange(t, http.DefaultClient, http.MethodPost, "http://127.0.0.1:"+port+"/v1/chat/completions", chatBody(model, "hi", false))
		answer.says(t, 200, "a")
		s.awaitAfter(t, mark, append(parts, "http.handlers.llm_proxy.usage")...)
		s.awaitAfter(t, mark, append(parts, "http.log.access")...)
	}
	ask("dear", `"cost_usd":0.02`)
	s.await(t, `"paid":"0.02"`)
	mark := s.mark()
	ask("fake/nobody", `"model":"nobody"`)
	if line := s.awaitAfter(t, mark, "http.log.access"); strings.Contains(line, "cost_usd") || !strings.Contains(line, `"paid":""`) {
		t.Errorf("what nobody has a price for costs something: %s", line)
	}
	if _, metrics := s.configure(t, http.MethodGet, "/metrics", ""); !strings.Contains(metrics, `caddy_llm_proxy_cost_usd_total{model="dear",provider="fake"} 0.02`) {
		t.Errorf("the metrics are\n%s", metrics)
	}

	write("prices.yaml", "prices:\n  fake/m: { colour: 1 }\n")
	reload := func() (string, error) {
		output, err := command(t, dir, s.cmd.Env, "reload", "--config", "Caddyfile", "--force").CombinedOutput()
		return string(output), err
	}
	if output, err := reload(); err == nil || !strings.Contains(output, `prices.yaml:2:13: unknown member`) {
		t.Errorf("a bad file of prices: %v\n%s", err, output)
	}
	ask("dear", `"cost_usd":0.02`)
	write("prices.yaml", "prices:\n  fake/m: { input: 0, output: 0 }\n")
	if output, err := reload(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	ask("dear", `"cost_usd":0,`)
}
