package catalog

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"
)

// TestPricesAgreeWithAnotherList compares the catalogue with a list that was
// gathered apart from it, named by LLMPROXY_PRICES: {"providers": {provider:
// {model: {"in", "out", "cr", "ctx"}}}}, in dollars per million tokens. Lists are of
// different days, so some difference is no mistake.
func TestPricesAgreeWithAnotherList(t *testing.T) {
	path := os.Getenv("LLMPROXY_PRICES")
	if path == "" {
		t.Skip("LLMPROXY_PRICES names no list of prices to compare with")
	}
	text, err := os.ReadFile(path) //nolint:gosec // the tester's own
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Providers map[string]map[string]struct {
			In, Out, CR *float64
			Ctx         int64
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"azure": "azure_openai", "vertex-anthropic": "vertex"}
	makers := []string{"openai", "anthropic", "gemini", "vertex", "vertex-anthropic", "xai", "cohere", "groq", "perplexity", "cerebras", "moonshot"}
	for _, provider := range slices.Sorted(maps.Keys(list.Providers)) {
		kind := provider
		if known := kinds[provider]; known != "" {
			kind = known
		}
		models := list.Providers[provider]
		var unknown, compared, differ, windows int
		for _, model := range slices.Sorted(maps.Keys(models)) {
			other := models[model]
			if other.In == nil || other.Out == nil {
				continue
			}
			m := builtin().find(kind, model)
			if m == nil || !m.Price.Input.Known() {
				unknown++
				continue
			}
			compared++
			if m.ContextWindow != 0 && other.Ctx != 0 && m.ContextWindow != other.Ctx {
				windows++
			}
			if in, out := m.Price.Input.Dollars(), m.Price.Output.Dollars(); !near(in, *other.In) || !near(out, *other.Out) {
				differ++
				t.Logf("%s/%s: %v and %v, there %v and %v", provider, model, in, out, *other.In, *other.Out)
			}
		}
		t.Logf("%-16s %3d compared, %3d differ, %3d windows differ, %3d not known", provider, compared, differ, windows, unknown)
		if slices.Contains(makers, provider) && differ*5 > compared {
			t.Errorf("%s: %d of %d prices differ", provider, differ, compared)
		}
	}
}

func near(a, b float64) bool { return a-b <= b/100 && b-a <= b/100 }
