package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/usage"
)

func mustParse(t *testing.T, name, text string) *Prices {
	t.Helper()
	p, err := ParsePrices(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// priceOf is the cost of so many tokens of prompt and answer, in dollars.
func priceOf(m *Model, input, output int64) string {
	cost, ok := m.Estimate(input, output)
	if !ok {
		return "unknown"
	}
	return cost.String()
}

const ownPrices = `
# per million tokens
prices:
  openai/gpt-5:
    input: 1
    output: 8
    context_window: 300000
    tiers:
      - { over: 100000, input: 2, output: 16 }
      - { over: 200000, input: 3 }
  team/gpt-5: { input: 0.5, output: 4 }
  Local/*: { input: 0, output: 0, context_window: 131072, max_output: 8192 }
  "*/qwen*": { input: 7, output: 7 }
  house-model: { input: 2.5e-1, output: 1, cache_read: 0.01, cache_write: 0.3, cache_write_1h: 0.5, audio_input: 9, audio_output: 8, reasoning: 3, max_input: 5 }
  anthropic/claude-opus-4-5: { cache_read: 0.4 }
  anthropic/claude-sonnet-4-5: { max_output: 1000 }
`

func TestOwnPricesAreAboveTheCatalogue(t *testing.T) {
	c := New(mustParse(t, "prices.yaml", ownPrices))
	for _, test := range []struct{ provider, kind, model, want string }{
		{"mine", "openai", "gpt-5", "9"}, {"openai", "openai_compatible", "gpt-5", "9"}, {"mine", "openai", "GPT-5-2025-08-07", "9"},
		{"team", "openai", "gpt-5", "4.5"}, {"Team", "openai", "gpt-5", "4.5"},
		{"local", "vllm", "llama-4", "0"}, {"LOCAL", "vllm", "org/Llama-4", "0"}, {"other", "vllm", "llama-4", "unknown"}, {"other", "vllm", "qwen3", "14"}, {"local", "vllm", "qwen3", "0"},
		{"x", "vllm", "house-model", "1.25"}, {"x", "vllm", "org/house-model", "1.25"}, {"x", "vllm", "my-house-model", "unknown"},
		{"x", "anthropic", "claude-opus-4-5", "30"}, {"x", "anthropic", "claude-opus-4-5-20251101", "30"}, {"x", "openrouter", "anthropic/claude-opus-4-5", "30"},
	} {
		m := c.Find(test.provider, test.kind, test.model)
		base := "unknown"
		if m != nil {
			m = &Model{Price: Price{Rates: m.Price.Rates}} // without tiers
			base = priceOf(m, 1_000_000, 1_000_000)
		}
		if base != test.want {
			t.Errorf("%s (%s) %s: %s, want %s", test.provider, test.kind, test.model, base, test.want)
		}
	}
}

func TestOwnPricesSayOnlyAPart(t *testing.T) {
	c := New(mustParse(t, "prices.yaml", ownPrices))
	known := New(nil)
	gpt := c.Find("mine", "openai", "gpt-5")
	if gpt.ContextWindow != 300_000 || gpt.MaxOutput != known.Find("mine", "openai", "gpt-5").MaxOutput || gpt.MaxOutput == 0 || !gpt.Can.Has(Tools) {
		t.Errorf("%+v", gpt)
	}
	for input, want := range map[int64]string{100_000: "0.1", 100_001: "0.200002", 200_000: "0.4", 200_001: "0.600003"} {
		if got := priceOf(gpt, input, 0); got != want {
			t.Errorf("%d tokens cost %s, want %s", input, got, want)
		}
	}
	if got := priceOf(gpt, 200_001, 1_000_000); got != "8.600003" {
		t.Errorf("a tier without a price for answers: %s", got)
	}
	opus := c.Find("mine", "anthropic", "claude-opus-4-5")
	if cost, _ := opus.Cost(usage.Tokens{Input: 1_000_000, CacheRead: 1_000_000}); cost.String() != "0.4" || opus.ContextWindow == 0 {
		t.Errorf("%s, %+v", cost, opus)
	}
	sonnet, was := c.Find("mine", "anthropic", "claude-sonnet-4-5"), known.Find("mine", "anthropic", "claude-sonnet-4-5")
	if sonnet.MaxOutput != 1000 || len(sonnet.Price.Tiers) != len(was.Price.Tiers) || sonnet.Price.Rates != was.Price.Rates {
		t.Errorf("%+v", sonnet)
	}
	house := c.Find("mine", "vllm", "house-model")
	want := Rates{Input: dollars(.25), Output: dollars(1), CacheRead: dollars(.01), CacheWrite: dollars(.3), CacheWrite1h: dollars(.5), AudioInput: dollars(9), AudioOutput: dollars(8), Reasoning: dollars(3)}
	if house.Price.Rates != want || house.MaxInput != 5 {
		t.Errorf("%+v", house)
	}
	if got := c.Find("local", "vllm", "x"); got.ContextWindow != 131072 || got.MaxOutput != 8192 || got.Price.Input != Free {
		t.Errorf("%+v", got)
	}
}

// A price without tiers of its own holds for prompts of every length.
func TestOwnPriceEndsTheTiersOfTheCatalogue(t *testing.T) {
	c := New(mustParse(t, "prices.json", `{"prices":{"gemini/gemini-2.5-pro":{"input":1}}}`))
	if m := c.Find("g", "gemini", "gemini-2.5-pro"); len(m.Price.Tiers) != 0 || priceOf(m, 1_000_000, 0) != "1" {
		t.Errorf("%+v", m)
	}
}

const modelsDevPrices = `{
  "openai": {"id": "openai", "env": ["OPENAI_API_KEY"], "models": {
    "gpt-9": {"id": "gpt-9", "reasoning": true, "cost": {"input": 4, "output": 16, "cache_read": 0.4, "reasoning": 20, "input_audio": 30, "output_audio": 60}, "limit": {"context": 500000, "input": 400000, "output": 100000}},
    "gpt-9-open": {"id": "gpt-9-open", "limit": {"context": 100, "output": 0}}}},
  "google": {"id": "google", "models": {
    "gemini-9": {"cost": {"input": 2, "output": 10, "cache_write": 1, "context_over_200k": {"input": 4, "output": 15}}, "limit": {"context": 1000000, "output": 65536}}}},
  "google-vertex-anthropic": {"models": {"claude-9@20270101": {"cost": {"input": 3, "output": 15}}}},
  "amazon-bedrock": {"models": {"anthropic.claude-9-v1:0": {"cost": {"input": 3, "output": 15,
     "tiers": [{"input": 9, "output": 9, "tier": {"type": "context", "size": 500000}}, {"input": 6, "output": 6, "cache_read": 1, "tier": {"type": "context", "size": 272000}}, {"input": 1, "tier": {"type": "batch", "size": 5}}],
     "context_over_200k": {"input": 99, "output": 99}}}}},
  "newcomer": {"models": {"org/model": {"cost": {"input": 0, "output": 0}}}}
}`

func TestModelsDevIsRead(t *testing.T) {
	c := New(mustParse(t, "api.json", modelsDevPrices))
	for _, test := range []struct {
		provider, kind, model string
		input, output         int64
		want                  string
	}{
		{"o", "openai", "gpt-9", 1_000_000, 1_000_000, "20"}, {"o", "openai", "gpt-9-2027-02-03", 1_000_000, 0, "4"}, {"o", "openai", "gpt-9-open", 1, 1, "unknown"},
		{"g", "gemini", "models/gemini-9", 200_000, 0, "0.4"}, {"g", "gemini", "gemini-9", 200_001, 1_000_000, "15.800004"},
		{"v", "vertex", "claude-9@20270101", 1_000_000, 0, "3"},
		{"b", "bedrock", "eu.anthropic.claude-9-v1:0", 272_000, 0, "0.816"}, {"b", "bedrock", "anthropic.claude-9-v1:0", 272_001, 0, "1.632006"}, {"b", "bedrock", "anthropic.claude-9-v1:0", 500_001, 0, "4.500009"},
		{"newcomer", "openai_compatible", "org/model", 1000, 1000, "0"}, {"x", "openai_compatible", "org/model", 1000, 1000, "unknown"},
	} {
		if got := priceOf(c.Find(test.provider, test.kind, test.model), test.input, test.output); got != test.want {
			t.Errorf("%s/%s: %s, want %s", test.kind, test.model, got, test.want)
		}
	}
	m := c.Find("o", "openai", "gpt-9")
	want := Model{ContextWindow: 500_000, MaxInput: 400_000, MaxOutput: 100_000, Price: Price{Rates: Rates{
		Input: dollars(4), Output: dollars(16), CacheRead: dollars(.4), Reasoning: dollars(20), AudioInput: dollars(30), AudioOutput: dollars(60)}}}
	if m.ContextWindow != want.ContextWindow || m.MaxInput != want.MaxInput || m.MaxOutput != want.MaxOutput || m.Price.Rates != want.Price.Rates {
		t.Errorf("%+v", m)
	}
}

const liteLLMPrices = `{
  "sample_spec": {"litellm_provider": "one of many", "max_input_tokens": "max input tokens, if the provider specifies it", "input_cost_per_token": 0.0},
  "gpt-9": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 4e-06, "output_cost_per_token": 1.6e-05, "cache_read_input_token_cost": 4e-07,
    "input_cost_per_audio_token": 3e-05, "output_cost_per_audio_token": 6e-05, "output_cost_per_reasoning_token": 2e-05,
    "input_cost_per_token_priority": 1, "input_cost_per_token_batches": 1, "input_cost_per_token_above_272k_tokens": 8e-06, "input_cost_per_token_above_272k_tokens_priority": 1,
    "max_input_tokens": 400000, "max_output_tokens": 100000, "max_tokens": 100000, "supports_vision": true},
  "azure/gpt-9": {"litellm_provider": "azure", "input_cost_per_token": "5e-06", "output_cost_per_token": null},
  "gemini/gemini-9": {"litellm_provider": "gemini", "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05},
  "vertex_ai/claude-9@20270101": {"litellm_provider": "vertex_ai-anthropic_models", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
    "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
    "input_cost_per_token_above_200k_tokens": 6e-06, "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06, "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05},
  "anthropic.claude-9-v1:0": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05},
  "bedrock/us-gov-west-1/anthropic.claude-9-v1:0": {"litellm_provider": "bedrock", "input_cost_per_token": 1, "output_cost_per_token": 1},
  "openrouter/openai/gpt-9": {"litellm_provider": "openrouter", "input_cost_per_token": 4e-06, "output_cost_per_token": 1.6e-05},
  "together_ai/org/Model": {"litellm_provider": "together_ai", "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06},
  "dashscope/qwen9": {"litellm_provider": "dashscope", "tiered_pricing": [
    {"range": [0, 32000], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}, {"range": [32000, 128000], "input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06}]},
  "1024-x-1024/dall-e-2": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_pixel": 1.9e-08}
}`

func TestLiteLLMIsRead(t *testing.T) {
	own := mustParse(t, "model_prices_and_context_window.json", liteLLMPrices)
	if own.Len() != 8 {
		t.Errorf("%d entries", own.Len())
	}
	c := New(own)
	for _, test := range []struct {
		kind, model   string
		input, output int64
		want          string
	}{
		{"openai", "gpt-9", 1000, 1000, "0.02"}, {"openai", "gpt-9", 272_001, 0, "2.176008"}, {"openai", "dall-e-2", 1, 1, "unknown"},
		{"azure_openai", "gpt-9", 1000, 0, "0.005"}, {"azure_openai", "gpt-9", 1000, 1, "unknown"}, {"gemini", "gemini-9", 1_000_000, 0, "2"},
		{"vertex", "claude-9@20270101", 1000, 0, "0.003"}, {"vertex", "claude-9@20270101", 200_001, 0, "1.200006"},
		{"bedrock", "us.anthropic.claude-9-v1:0", 1000, 0, "0.003"}, {"openrouter", "openai/gpt-9", 1000, 0, "0.004"}, {"together", "org/model", 1000, 0, "0.001"},
		{"dashscope", "qwen9", 32_000, 0, "0.032"}, {"dashscope", "qwen9", 32_001, 1000, "0.100003"},
	} {
		if got := priceOf(c.Find("x", test.kind, test.model), test.input, test.output); got != test.want {
			t.Errorf("%s/%s: %s, want %s", test.kind, test.model, got, test.want)
		}
	}
	claude := c.Find("x", "vertex", "claude-9@20270101").Price
	if claude.CacheWrite1h != dollars(6) || len(claude.Tiers) != 1 || claude.Tiers[0].Rates != (Rates{Input: dollars(6), CacheWrite: dollars(7.5), CacheWrite1h: dollars(12)}) {
		t.Errorf("%+v", claude)
	}
	if m := c.Find("x", "openai", "gpt-9"); m.MaxInput != 400_000 || m.MaxOutput != 100_000 || m.Price.Reasoning != dollars(20) || len(m.Price.Tiers) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestBadPricesSayWhatAndWhere(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"p.yaml", "", "p.yaml: the file is empty"},
		{"p.yaml", "prices: [", "p.yaml: yaml: line 1"},
		{"p.yaml", "- a", "p.yaml: is no file of prices"},
		{"p.yaml", "openai/gpt-5: { input: 1 }", "p.yaml: is no file of prices: write prices by <provider>/<model> below"},
		{"p.yaml", "prices: {}", "p.yaml:1:1: must name models"},
		{"p.yaml", "prices:\n  gpt: 5", "p.yaml:2:3: must say something"},
		{"p.yaml", "prices:\n  gpt: {}", "p.yaml:2:3: must say something"},
		{"p.yaml", "prices:\n  gpt:\n    inputs: 5", `p.yaml:3:5: unknown member "inputs": there are input, output`},
		{"p.yaml", "prices:\n  gpt: { input: -1 }", "p.yaml:2:10: must be a number of dollars, not negative"},
		{"p.yaml", "prices:\n  gpt: { input: \"1\" }", "p.yaml:2:10: must be a number of dollars per million tokens"},
		{"p.yaml", "prices:\n  gpt: { input: 1e9 }", "p.yaml:2:10: must be a number"},
		{"p.yaml", "prices:\n  gpt: { input: null }", "p.yaml:2:10: must be a number"},
		{"p.yaml", "prices:\n  gpt: { max_output: 1.5 }", "p.yaml:2:10: must be a whole number of tokens"},
		{"p.yaml", "prices:\n  gpt: { tiers: 5 }", "p.yaml:2:10: must be a list"},
		{"p.yaml", "prices:\n  gpt:\n    tiers:\n      - { input: 5 }", "p.yaml:4:9: must say for prompts of how many tokens"},
		{"p.yaml", "prices:\n  gpt:\n    tiers:\n      - { over: 5 }", "p.yaml:4:9: has no price"},
		{"p.yaml", "prices:\n  gpt:\n    tiers:\n      - { over: 5, input: 1 }\n      - { over: 5, input: 2 }", "p.yaml:5:9: must be for longer prompts"},
		{"p.yaml", "prices:\n  gpt:\n    tiers:\n      - { over: 5, colour: 1 }", `p.yaml:4:20: unknown member "colour"`},
		{"p.yaml", "prices:\n  gpt: { input: 1 }\n  GPT: { input: 2 }", `"GPT" is there twice`},
		{"p.yaml", "prices:\n  \"a b\": { input: 1 }", `p.yaml:2:3: "a b" is neither`},
		{"p.yaml", "prices:\n  openai/: { input: 1 }", `p.yaml:2:3: "openai/" is neither`},
		{"p.yaml", "prices:\n  gpt: { input: 1 }\nmodels: {}", `p.yaml:3:1: unknown member "models"`},
		{"p.json", `{"prices":{"gpt":{"input":true}}}`, "p.json: /prices/gpt/input: must be a number"},
		{"p.json", `{"prices":{"a/b":{"input":1},"a/b":{"input":2}}}`, "is there twice"},
		{"p.json", `{"openai":{"models":{"gpt-9":{"cost":{"input":-4}}}}}`, "p.json: /openai/models/gpt-9/cost/input: must be a number"},
		{"p.json", `{"openai":{"models":{"gpt-9":{"limit":{"context":"big"}}}}}`, "p.json: /openai/models/gpt-9/limit/context: must be a whole number"},
		{"p.json", `{"a/gpt":{"litellm_provider":"openai","input_cost_per_token":"cheap"}}`, "p.json: /a~1gpt/input_cost_per_token: must be a number"},
		{"p.json", `{"openai":{}}`, "p.json: is no file of prices"},
		{"p.json", `{"a":`, "p.json: yaml"},
	} {
		_, err := ParsePrices(test.name, []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\ngives %v\nwant  %s", test.text, err, test.want)
		}
	}
}

func TestPricesAreReadFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.yaml")
	if _, err := ReadPrices(path); err == nil || !strings.Contains(err.Error(), "reading the prices") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("\xef\xbb\xbf"+ownPrices), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := ReadPrices(path)
	if err != nil || p.Len() != 7 {
		t.Errorf("%v", err)
	}
}

func FuzzParsePrices(f *testing.F) {
	for _, seed := range []string{ownPrices, modelsDevPrices, liteLLMPrices, `{"prices":{"*":{"tiers":[{"over":1,"input":1}]}}}`, "prices: &a { x: *a }", `{"a":{"litellm_provider":"b","input_cost_per_token_above_1k_tokens":1}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePrices("f", text)
		if (p == nil) == (err == nil) {
			t.Fatal("neither prices nor an error")
		}
		if p == nil {
			return
		}
		all := make([]*Model, 0, p.Len())
		for _, m := range p.exact {
			all = append(all, m)
		}
		for _, g := range p.globs {
			all = append(all, g.model)
		}
		for _, m := range all {
			for i, tier := range m.Price.Tiers {
				if tier.Over <= 0 || i > 0 && tier.Over < m.Price.Tiers[i-1].Over {
					t.Fatalf("tiers %+v", m.Price.Tiers)
				}
			}
			if cost, ok := m.Estimate(300_000, 10); cost < 0 || !ok && cost != 0 {
				t.Fatalf("%+v costs %d", m, cost)
			}
		}
		p.find(question{"p", "openai", "gpt-9"})
	})
}
