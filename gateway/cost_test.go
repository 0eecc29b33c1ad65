package gateway_test

import (
	"fmt"
	"testing"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

const costPrices = `
prices:
  fake/priced: { input: 1, output: 10, cache_read: 0.1 }
  fake/free: { input: 0, output: 0 }
`

func TestCallsHaveTheirCost(t *testing.T) {
	prices, err := catalog.ParsePrices("prices.yaml", []byte(costPrices))
	if err != nil {
		t.Fatal(err)
	}
	provider := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "other", "mock", ""), load(t, "fake", "openai", provider.URL+"/v1")},
		aliases:   []alias{{name: "smart", to: []string{"fake/priced"}}},
		change:    func(g *gateway.Gateway) { g.Catalog = catalog.New(prices) },
	}.start(t)
	counted := testllm.Reply{Chunks: []string{"a"}, Usage: testllm.Usage{Input: 1000, CacheRead: 400, Output: 50}}
	const told = `{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":1,"cost":0.25}}`
	for _, test := range []struct {
		name, model string
		reply       testllm.Reply
		want        string // in dollars; empty: unknown
	}{
		{"prices of the operator", "fake/priced", counted, "0.00114"}, // 600×1 + 400×0.1 + 50×10 millionths
		{"behind an alias", "smart", counted, "0.00114"},
		{"of a version", "fake/priced-2027-01-01", counted, "0.00114"},
		{"of the catalogue", "fake/gpt-4o", counted, "0.0025"}, // 600×2.5 + 400×1.25 + 50×10
		{"free", "fake/free", counted, "0"},
		{"unknown", "fake/nobody", counted, ""},
		{"unknown type", "other/echo", testllm.Reply{}, ""},
		{"refused by the provider", "fake/priced", testllm.Reply{Status: 400}, ""},
	} {
		for name, question := range map[string]string{"whole": ask(test.model), "stream": askStream(test.model)} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				provider.Script(test.reply)
				g.chat(t, question)
				record := g.record(t)
				if got := costOf(record); got != test.want {
					t.Errorf("%s, want %s; %+v", got, test.want, record.Tokens)
				}
			})
		}
	}
	for name, test := range map[string]struct {
		reply testllm.Reply
		want  string
	}{
		"told by the provider":  {testllm.Reply{Body: fmt.Appendf(nil, told, 1000)}, "0.25"},
		"told without a prompt": {testllm.Reply{Body: fmt.Appendf(nil, told, 0)}, "0.25"},
	} {
		t.Run(name, func(t *testing.T) {
			provider.Script(test.reply)
			g.chat(t, ask("fake/priced"))
			if got := costOf(g.record(t)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestWhatBreaksOffCostsWhatIsEstimated(t *testing.T) {
	prices, err := catalog.ParsePrices("prices.yaml", []byte(costPrices))
	if err != nil {
		t.Fatal(err)
	}
	g, provider := single(t, func(g *gateway.Gateway) { g.Catalog = catalog.New(prices) })
	provider.Script(testllm.Reply{RawEvents: []string{begun}})
	g.chat(t, askStream("openai/gpt-4o"))
	if record := g.record(t); costOf(record) == "" || record.Tokens.Cost <= 0 || !record.Tokens.Estimated {
		t.Errorf("%+v", record)
	}
}

// What a failed attempt took is part of the call's cost, at its own prices.
func TestFailedAttemptsCostToo(t *testing.T) {
	prices, err := catalog.ParsePrices("prices.yaml", []byte("prices:\n  a/m: { input: 1000, output: 1000 }\n  b/m: { input: 1, output: 1 }\n"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := testllm.New(t), testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", first.URL+"/v1"), load(t, "b", "openai", second.URL+"/v1")},
		aliases:   []alias{{name: "smart", to: []string{"a/m", "b/m"}}},
		change:    func(g *gateway.Gateway) { g.Catalog = catalog.New(prices) },
	}.start(t)
	first.Script(testllm.Reply{Body: []byte(`{"choices":`)})
	second.Script(testllm.Reply{Usage: testllm.Usage{Input: 10, Output: 5}})
	g.chat(t, ask("smart"))
	record := g.record(t)
	if len(record.Failures) != 1 {
		t.Fatalf("%+v", record)
	}
	failed := record.Failures[0].Tokens
	if want := usage.Money(failed.Input * 1_000_000); failed.Cost != want || want == 0 {
		t.Errorf("the failed attempt costs %s for %+v", failed.Cost, failed)
	}
	if cost, known := record.Cost(); !known || cost != failed.Cost+15_000 || record.AnswerTokens().Cost != 15_000 {
		t.Errorf("%s, %v of %+v", cost, known, record)
	}
}

func TestWithoutACatalogueNobodyKnowsTheCost(t *testing.T) {
	g, provider := single(t, nil)
	provider.Script(testllm.Reply{})
	g.chat(t, ask("openai/gpt-4o"))
	if record := g.record(t); costOf(record) != "" || record.Tokens.Cost != 0 {
		t.Errorf("%+v", record)
	}
}

func costOf(r *usage.Record) string {
	if cost, known := r.Cost(); known {
		return cost.String()
	}
	return ""
}
