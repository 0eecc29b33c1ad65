package gateway_test

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

const windows = `
prices:
  a/small: { input: 2, output: 8, context_window: 1000 }
  b/large: { input: 3, output: 9, context_window: 1000000 }
  c/cheap: { input: 1, output: 1 }
  c/dear:  { input: 1, output: 100 }
`

// known is a gateway of three providers whose models' windows and prices are known.
func known(t *testing.T, aliases ...alias) (g *gate, a, b, c *testllm.Server) {
	t.Helper()
	prices, err := catalog.ParsePrices("prices.yaml", []byte(windows))
	if err != nil {
		t.Fatal(err)
	}
	a, b, c = testllm.New(t), testllm.New(t), testllm.New(t)
	g = setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1"), load(t, "c", "openai", c.URL+"/v1")},
		aliases:   aliases,
		catalog:   catalog.New(prices),
		change:    func(*gateway.Gateway) {},
	}.start(t)
	return g, a, b, c
}

func long(model string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"` + strings.Repeat("word ", 2000) + `"}]}`
}

func TestTargetsWithTooSmallAWindowAreSkipped(t *testing.T) {
	g, a, b, _ := known(t, alias{name: "m", to: []string{"a/small", "b/large"}})
	equal(t, "status", g.chat(t, ask("m")).status, 200)
	wantCalls(t, a, 1)
	equal(t, "status", g.chat(t, long("m")).status, 200)
	wantCalls(t, a, 1)
	wantCalls(t, b, 1)
	// What may be answered takes room as well.
	g.chat(t, `{"model":"m","max_tokens":5000,"messages":[{"role":"user","content":"hi"}]}`)
	wantCalls(t, b, 2)
}

func TestTheProviderDecidesWhereEveryWindowIsTooSmall(t *testing.T) {
	g, a, _, _ := known(t, alias{name: "m", to: []string{"a/small"}, fallback: []string{"b/large"}})
	a.Script(testllm.Reply{Status: 400, Error: testllm.Error{Code: "context_length_exceeded"}})
	wantError(t, g.chat(t, long("m")), 400, "context_length_exceeded")
	wantCalls(t, a, 1)
}

func TestLongPromptsGoToTheFallbackForThem(t *testing.T) {
	to := alias{name: "m", to: []string{"a/small"}, fallback: []string{"b/large"}, on: routing.OnContextLength}
	t.Run("as the catalogue knows", func(t *testing.T) {
		g, a, b, _ := known(t, to)
		equal(t, "status", g.chat(t, long("m")).status, 200)
		wantCalls(t, a, 0)
		wantCalls(t, b, 1)
	})
	t.Run("as the provider says", func(t *testing.T) {
		g, a, b, _ := known(t, to)
		a.Script(testllm.Reply{Status: 400, Error: testllm.Error{Code: "context_length_exceeded"}})
		equal(t, "status", g.chat(t, ask("m")).status, 200)
		wantCalls(t, b, 1)
	})
	t.Run("and nothing else does", func(t *testing.T) {
		g, a, b, _ := known(t, to)
		a.Script(testllm.Reply{Status: 503})
		equal(t, "status", g.chat(t, ask("m")).status, 503)
		wantCalls(t, b, 0)
	})
}

func TestLowestCostPicksByWhatTheCallCosts(t *testing.T) {
	g, a, b, c := known(t, alias{name: "m", to: []string{"c/unknown", "c/dear", "b/large", "a/small", "c/cheap"}, policy: routing.LowestCost{}})
	g.chat(t, ask("m"))
	equal(t, "model", c.Calls()[0].Model, "cheap")
	g.chat(t, `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"`+strings.Repeat("x ", 500)+`"}]}`)
	equal(t, "model of a call of prompt alone", c.Calls()[1].Model, "cheap")
	// The next cheapest is the next to be asked.
	c.Script(testllm.Reply{Status: 503})
	g.chat(t, ask("m"))
	wantCalls(t, a, 1)
	wantCalls(t, b, 0)
}
