package catalog

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestEveryRowOfTheDataIsRead(t *testing.T) {
	table, err := parseTable(modelsText)
	if err != nil {
		t.Fatal(err)
	}
	total, priced := 0, 0
	for kind, models := range table {
		for name, m := range models {
			total++
			if m.Price.Known() {
				priced++
			}
			if name != strings.ToLower(name) || name == "" {
				t.Errorf("%s/%s is not in lower case", kind, name)
			}
			if m.MaxOutput > m.ContextWindow && m.ContextWindow > 0 {
				t.Errorf("%s/%s answers with more than its window", kind, name)
			}
			for i, tier := range m.Price.Tiers {
				if tier.Over <= 0 || i > 0 && tier.Over <= m.Price.Tiers[i-1].Over || tier.Rates == (Rates{}) {
					t.Errorf("%s/%s: tiers %+v", kind, name, m.Price.Tiers)
				}
			}
			for _, field := range []string{"in", "out", "cr", "cw", "cw1h", "ain", "aout", "think"} {
				if rate := *m.Price.named(field); rate < Free || rate > dollars(5000) {
					t.Errorf("%s/%s: %s is %v", kind, name, field, rate)
				}
			}
			if m.Price.Input == Free && !strings.Contains(name, "free") {
				t.Errorf("%s/%s costs nothing", kind, name)
			}
		}
	}
	t.Logf("%d names, %d with prices", total, priced)
	if total < 1500 || priced < total*8/10 {
		t.Errorf("only %d names, %d with prices", total, priced)
	}
	for _, kind := range []string{"openai", "azure_openai", "anthropic", "gemini", "vertex", "bedrock", "mistral", "cohere", "groq", "deepseek", "xai", "openrouter"} {
		if len(table[kind]) == 0 {
			t.Errorf("nothing of %s", kind)
		}
	}
}

func TestBadRowsAreRefused(t *testing.T) {
	for _, text := range []string{
		"gpt-6 in=1", "[openai]\ngpt-6 in=x", "[openai]\ngpt-6 in=-1", "[openai]\ngpt-6 colour=1", "[openai]\ngpt-6 ctx=0",
		"[openai]\ngpt-6 ctx=", "[openai]\ngpt-6 over=-1 in=2", "[openai]\ngpt-6 in=1000001",
	} {
		if _, err := parseTable(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestTheDataNamesItsSources(t *testing.T) {
	header, _, _ := strings.Cut(modelsText, "\n\n")
	for _, word := range []string{"DO NOT EDIT", "MIT", "pi-ai", "genai-prices", "tokenlens"} {
		if !strings.Contains(header, word) {
			t.Errorf("%s is not in the header", word)
		}
	}
}

// The budget is ten milliseconds and three megabytes; slow machines get more time.
func TestReadingTheDataIsCheap(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	table, err := parseTable(modelsText)
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	runtime.KeepAlive(table)
	t.Logf("took %v, keeps %d KiB", took, kept>>10)
	if kept > 3<<20 {
		t.Errorf("keeps %d bytes", kept)
	}
	if took > 200*time.Millisecond {
		t.Errorf("takes %v", took)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add("[a]\nb,c ctx=1 in=0.5 over=10 in=1\n#\n")
	f.Add("[\n,, over=1")
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseTable(text) })
}

func BenchmarkParseTable(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseTable(modelsText); err != nil {
			b.Fatal(err)
		}
	}
}
