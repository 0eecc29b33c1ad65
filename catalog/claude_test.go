package catalog

import (
	"slices"
	"testing"
)

func TestFindClaudeTakesTheMostSpecificRow(t *testing.T) {
	for _, test := range []struct {
		model     string
		maxOutput int64
		adaptive  bool
		budget    bool
		forced    bool
	}{
		{"claude-sonnet-5-5", 128000, true, false, false},
		{"claude-sonnet-5-5-20261001", 128000, true, false, false},
		{"claude-opus-5-5", 128000, true, false, false},
		{"claude-haiku-5-5", 128000, true, false, true},
		{"claude-fable-5", 128000, true, false, true},
		{"claude-fable-5-1", 128000, true, false, false},
		{"claude-mythos-5-1", 128000, true, false, false},
		{"claude-opus-5", 128000, true, false, true},
		{"claude-sonnet-5", 128000, true, false, true},
		{"claude-sonnet-5-20260630", 128000, true, false, true},
		{"claude-opus-4-8@default", 128000, true, false, true},
		{"claude-opus-4-7", 128000, true, false, true},
		{"claude-opus-4-6", 128000, true, true, true},
		{"us.anthropic.claude-sonnet-4-6-v1", 128000, true, true, true},
		{"claude-opus-4-5-20251101", 64000, false, true, true},
		{"eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 64000, false, true, true},
		{"anthropic/claude-haiku-4.5", 64000, false, true, true},
		{"claude-opus-4-1-20250805", 32000, false, true, true},
		{"claude-opus-4@20250514", 32000, false, true, true},
		{"claude-opus-4-20250514", 32000, false, true, true},
		{"claude-sonnet-4-0", 64000, false, true, true},
		{"databricks-claude-sonnet-4", 64000, false, true, true},
		{"claude-3-7-sonnet-latest", 64000, false, true, true},
		{"anthropic/claude-3.5-sonnet", 8192, false, false, true},
		{"claude-3-haiku-20240307", 4096, false, false, true},
		{"anthropic.claude-v2", 4096, false, false, true},
		{"anthropic.claude-instant-v1", 4096, false, false, true},
		{"Claude-Saga-7", 128000, true, false, true},
	} {
		got, ok := FindClaude(test.model)
		if !ok {
			t.Errorf("%s: not found", test.model)
			continue
		}
		if got.MaxOutput != test.maxOutput || got.Adaptive != test.adaptive ||
			got.Budget != test.budget || got.ForcedTools != test.forced {
			t.Errorf("%s: got %+v", test.model, got)
		}
	}
}

func TestFindClaudeKnowsOnlyClaudes(t *testing.T) {
	for _, model := range []string{"", "gpt-6", "gemini-3-pro", "glm-4.6", "magnum-opus-52", "kimi-k3"} {
		if got, ok := FindClaude(model); ok {
			t.Errorf("%q: got %+v", model, got)
		}
	}
}

func TestClaudeRowsDoNotContradictThemselves(t *testing.T) {
	for _, row := range claudes {
		m := row.model
		switch {
		case m.MaxOutput == 0:
			t.Errorf("%s: no output", row.name)
		case m.Adaptive && len(m.Efforts) == 0:
			t.Errorf("%s: adaptive without efforts", row.name)
		case m.Adaptive && m.Prefill:
			t.Errorf("%s: adaptive thinking and prefill exclude each other", row.name)
		case m.SamplingPair && !m.Sampling:
			t.Errorf("%s: a pair of nothing", row.name)
		case len(m.Efforts) > 0 && !slices.Contains(m.Efforts, "high"):
			t.Errorf("%s: no effort to fall back to", row.name)
		}
	}
}

func TestEveryClaudeRowIsReached(t *testing.T) {
	for _, row := range claudes {
		for _, first := range claudes {
			if names(row.name, first.name) {
				if first.name != row.name {
					t.Errorf("%s is hidden by %s", row.name, first.name)
				}
				break
			}
		}
	}
}

func FuzzFindClaude(f *testing.F) {
	f.Add("claude-opus-4-1")
	f.Add("opus-4-11-opus-4-1")
	f.Fuzz(func(t *testing.T, model string) { FindClaude(model) })
}
