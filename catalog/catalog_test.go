package catalog

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

// small is a table to look names up in.
var small = func() table {
	t, err := parseTable(`
[openai]
gpt-5,gpt-5-2025-08-07 in=1 out=10
gpt-5-pro in=15 out=120
gpt-4o in=2.5 out=10
gpt-4o-2024-05-13 in=5 out=15
ft:gpt-4o-mini in=0.3 out=1.2
gpt-3.5-turbo in=0.5 out=1.5
[azure_openai]
gpt-4o in=2.75 out=11
[anthropic]
claude-opus-4-5 in=5 out=25
claude-3-5-sonnet in=3 out=15
[gemini]
gemini-2.5-pro in=1.25 out=10
gemini-2.0-flash in=0.1 out=0.4
gemini-embedding-001 in=0.15
[vertex]
meta/llama-4-maas in=0.35 out=1.15
[bedrock]
anthropic.claude-opus-4-5-20251101-v1:0 in=5 out=25
eu.anthropic.claude-opus-4-5-20251101-v1:0 in=5.5 out=27.5
amazon.nova-pro-v1:0 in=0.8 out=3.2
amazon.titan-embed-text in=0.1
[openrouter]
openai/gpt-4o in=2.5 out=10
qwen/qwen3-coder in=0.3 out=1.2
qwen/qwen3-coder:free in=0 out=0
[deepseek]
deepseek-chat in=0.27 out=1.1
[together]
qwen/qwen3-coder in=2 out=2
`)
	if err != nil {
		panic(err)
	}
	return t
}()

func TestNamesAreFoundInEverySpelling(t *testing.T) {
	for _, test := range []struct {
		kind, model string
		want        float64 // the price of input; 0: unknown
	}{
		{"openai", "gpt-5", 1}, {"openai", "GPT-5", 1}, {"openai", "gpt-5-2025-08-07", 1}, {"openai", "gpt-5-2027-01-31", 1},
		{"openai", "gpt-5-pro", 15}, {"openai", "gpt-5-pro-2025-10-06", 15}, {"openai", "gpt-5-mini", 0}, {"openai", "gpt-5-", 0}, {"openai", "gpt-50", 0},
		{"openai", "gpt-5-prolonged", 0}, {"openai", "gpt", 0}, {"openai", "", 0}, {"openai", "gpt-4o-latest", 2.5}, {"openai", "gpt-4o-2024-05-13", 5},
		{"openai", "openai/gpt-5", 1}, {"openai", "ft:gpt-4o-mini-2024-07-18:acme::abc123", 0.3}, {"openai", "ft:gpt-4o-2024-08-06:acme::x", 0},
		{"openai", "claude-opus-4-5", 0}, {"openai", "gpt-5-20270131", 1}, {"openai", "gpt-5-99999999", 0}, {"openai", "gpt-5-0613", 0},
		{"azure_openai", "gpt-4o", 2.75}, {"azure_openai", "gpt-5", 1}, {"azure_openai", "gpt-35-turbo", 0.5}, {"azure_openai", "my-deployment", 0},
		{"azure_openai", "claude-opus-4-5", 5},
		{"anthropic", "claude-opus-4-5-20251101", 5}, {"anthropic", "claude-opus-4.5", 5}, {"anthropic", "claude-3-5-sonnet-latest", 3},
		{"anthropic", "anthropic/claude-opus-4-5", 5}, {"anthropic", "claude-opus-4-51", 0}, {"anthropic", "claude-opus-4", 0},
		{"vertex", "claude-opus-4-5@20251101", 5}, {"vertex", "claude-opus-4-5@default", 5}, {"vertex", "gemini-2.5-pro", 1.25}, {"vertex", "publishers/google/models/gemini-2.0-flash-001", 0.1},
		{"vertex", "meta/llama-4-maas", 0.35}, {"vertex", "gpt-5", 0},
		{"gemini", "models/gemini-2.5-pro", 1.25}, {"gemini", "gemini-2.0-flash-001", 0.1}, {"gemini", "gemini-embedding-001", 0.15}, {"gemini", "gemini-2.5-flash", 0},
		{"gemini", "tunedModels/mine", 0}, {"gemini-compat", "gemini-2.5-pro", 1.25},
		{"bedrock", "anthropic.claude-opus-4-5-20251101-v1:0", 5}, {"bedrock", "eu.anthropic.claude-opus-4-5-20251101-v1:0", 5.5},
		{"bedrock", "global.anthropic.claude-opus-4-5-20251101-v1:0", 5}, {"bedrock", "us.amazon.nova-pro-v1:0", 0.8}, {"bedrock", "amazon.titan-embed-text-v2:0", 0.1},
		{"bedrock", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-5-20251101-v1:0", 5.5},
		{"bedrock", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3", 0}, {"bedrock", "amazon.nova-lite-v1:0", 0},
		{"openrouter", "openai/gpt-4o", 2.5}, {"openrouter", "openai/gpt-5-pro", 15}, {"openrouter", "anthropic/claude-opus-4.5", 5}, {"openrouter", "qwen/qwen3-coder:nitro", 0.3},
		{"openrouter", "qwen/qwen3-coder:free", 0}, {"openrouter", "openai/gpt-5:free", 0}, {"openrouter", "google/gemini-2.5-pro", 1.25}, {"openrouter", "nobody/gpt-5", 0},
		{"openrouter", "gpt-5", 0}, {"vercel", "deepseek/deepseek-chat", 0.27},
		{"together", "Qwen/Qwen3-Coder", 2}, {"together", "openai/gpt-5", 0},
		{"deepseek", "deepseek-chat", 0.27}, {"deepseek", "deepseek-v3", 0},
		{"openai_compatible", "gpt-5", 0}, {"mock", "echo", 0}, {"", "", 0},
	} {
		got := 0.0
		if m := small.find(test.kind, test.model); m != nil {
			got = m.Price.Input.Dollars()
		}
		if got != test.want {
			t.Errorf("%s of %s: %v, want %v", test.model, test.kind, got, test.want)
		}
	}
	if m := small.find("openrouter", "qwen/qwen3-coder:free"); m == nil || m.Price.Input != Free {
		t.Error("what is free is not free")
	}
}

func TestTheCatalogueKnowsTheUsualModels(t *testing.T) {
	c := New(nil)
	for _, name := range []string{
		"openai gpt-6-sol", "openai gpt-5-mini", "openai gpt-4o-mini-2024-07-18", "openai text-embedding-3-small", "azure_openai gpt-4o",
		"anthropic claude-sonnet-5", "anthropic claude-opus-4-5-20251101", "anthropic claude-haiku-5-5", "gemini gemini-2.5-flash", "vertex gemini-2.5-pro",
		"vertex claude-sonnet-4-5@20250929", "bedrock eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock amazon.nova-lite-v1:0", "mistral mistral-large-latest",
		"cohere command-a-03-2025", "groq llama-3.3-70b-versatile", "deepseek deepseek-chat", "xai grok-4", "openrouter anthropic/claude-sonnet-5",
		"perplexity sonar", "cerebras gpt-oss-120b", "moonshot kimi-k2-thinking", "zai glm-5.2",
	} {
		kind, model, _ := strings.Cut(name, " ")
		m := c.Find(kind, kind, model)
		if cost, ok := m.Estimate(1000, 0); !ok || cost <= 0 {
			t.Errorf("%s: %s, %v", name, cost, ok)
		}
	}
	if m := c.Find("a", "anthropic", "claude-sonnet-5"); m.ContextWindow < 200_000 || m.MaxOutput < 64_000 || !m.Can.Has(Tools|Thinking|ImageInput) {
		t.Errorf("%+v", m)
	}
}

func TestWhatWasFoundIsFoundAgainWithoutWork(t *testing.T) {
	c := New(nil)
	first := c.Find("mine", "openai", "gpt-5-2027-01-01")
	if first == nil {
		t.Fatal("not found")
	}
	none := testing.AllocsPerRun(100, func() {
		if c.Find("mine", "openai", "gpt-5-2027-01-01") != first || c.Find("mine", "openai", "nobody's") != nil {
			t.Error("another answer")
		}
	})
	if none != 0 {
		t.Errorf("%v allocations", none)
	}
}

func TestClientsCannotFillTheMemory(t *testing.T) {
	c := New(nil)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range maxFound {
				c.Find("p", "openai", strconv.Itoa(worker*maxFound+i))
				c.Find("p", "openai", strings.Repeat("x", maxFoundName)+strconv.Itoa(i))
			}
		})
	}
	all.Wait()
	if n := len(*c.found.Load()); n > maxFound+4 {
		t.Errorf("%d names are remembered", n)
	}
}

func FuzzFind(f *testing.F) {
	f.Add("bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-opus-4-5-20251101-v1:0")
	f.Add("openai", "ft:gpt-4o-mini-2024-07-18:acme::x")
	f.Add("openrouter", "a/b:free-20250101@default-latest-v1:0")
	f.Add("vertex", "-001")
	f.Fuzz(func(t *testing.T, kind, model string) {
		small.find(kind, model)
		n := 0
		eachSpelling(kind, strings.ToLower(model), func(string) bool { n++; return true })
		if n > len(model)+2 {
			t.Fatalf("%q has %d spellings", model, n)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	c := New(nil)
	b.ReportAllocs()
	for b.Loop() {
		if c.Find("claude", "anthropic", "claude-sonnet-4-5-20250929") == nil {
			b.Fatal("not found")
		}
	}
}

func BenchmarkFindUnknown(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		builtin().find("azure_openai", "my-deployment-2025-01-01")
	}
}
