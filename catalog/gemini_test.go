package catalog

import (
	"slices"
	"testing"
)

func TestLookupGemini(t *testing.T) {
	for _, test := range []struct {
		name       string
		generation int
		thinking   GeminiThinking
		least      string // the least level
		most       int64
		disables   bool
	}{
		{"gemini-1.5-pro", 1, GeminiThinkingFixed, "", 0, false},
		{"gemini-2.0-flash", 2, GeminiThinkingFixed, "", 0, false},
		{"gemini-2.5-flash", 2, GeminiThinkingBudget, "", 24576, true},
		{"gemini-2.5-flash-lite-preview-09-2025", 2, GeminiThinkingBudget, "", 24576, true},
		{"gemini-2.5-flash-image", 2, GeminiThinkingFixed, "", 0, false},
		{"models/gemini-2.5-pro", 2, GeminiThinkingBudget, "", 32768, false},
		{"publishers/google/models/gemini-2.5-pro", 2, GeminiThinkingBudget, "", 32768, false},
		{"gemini-3-pro-preview", 3, GeminiThinkingLevel, "LOW", 0, false},
		{"gemini-3-pro-image-preview", 3, GeminiThinkingFixed, "", 0, false},
		{"gemini-3-flash-preview", 3, GeminiThinkingLevel, "MINIMAL", 0, false},
		{"gemini-3.1-pro-preview", 3, GeminiThinkingLevel, "LOW", 0, false},
		{"gemini-3.1-flash-lite", 3, GeminiThinkingLevel, "MINIMAL", 0, false},
		{"gemini-3.7-flash", 3, GeminiThinkingLevel, "LOW", 0, false},
		{"gemini-3.9-flash-preview-tts", 3, GeminiThinkingFixed, "", 0, false},
		{"gemini-4-argon", 4, GeminiThinkingLevel, "LOW", 0, false},
		{"Gemini-Flash-Latest", 3, GeminiThinkingLevel, "LOW", 0, false},
		{"gemini-999999999999999999999-x", 99, GeminiThinkingLevel, "LOW", 0, false},
		{"gemma-3-27b-it", 0, GeminiThinkingFixed, "", 0, false},
		{"tunedModels/mine", 0, GeminiThinkingFixed, "", 0, false},
		{"", 0, GeminiThinkingFixed, "", 0, false},
	} {
		got := LookupGemini(test.name)
		least := ""
		if len(got.Levels) > 0 {
			least = got.Levels[0]
		}
		if got.Generation != test.generation || got.Thinking != test.thinking || least != test.least ||
			got.MostBudget != test.most || got.Disables != test.disables {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestEveryGeminiLevelListEndsHigh(t *testing.T) {
	for _, m := range geminiModels {
		if m.model.Thinking == GeminiThinkingLevel && !slices.Contains(m.model.Levels, "HIGH") {
			t.Errorf("%s takes no high level", m.prefix)
		}
	}
}
