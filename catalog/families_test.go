package catalog

import "testing"

func TestFamiliesAreServedByTheirMakers(t *testing.T) {
	for _, test := range []struct {
		provider, model string
		want            bool
	}{
		{"openai", "gpt-6", true}, {"openai", "o3-mini", true}, {"openai", "text-embedding-3-large", true},
		{"anthropic", "claude-sonnet-5", true}, {"gemini", "gemini-3-pro", true}, {"xai", "grok-4", true}, {"mistral", "codestral-latest", true},
		{"gemini", "text-embedding-004", true}, {"openai", "text-embedding-004", false}, // the longer beginning decides
		{"openai", "claude-sonnet-5", false}, {"anthropic", "gpt-6", false}, {"groq", "gpt-6", false},
		{"openai", "GPT-6", false}, {"openai", "my-gpt-6", false}, {"openai", "", false}, {"", "gpt-6", false},
		{"openai_compatible", "gpt-6", false},
		{"bedrock", "eu.anthropic.claude-sonnet-5-v1:0", true}, {"bedrock", "amazon.nova-pro-v1:0", true}, {"bedrock", "openai.gpt-oss-120b-1:0", true},
		{"bedrock", "claude-sonnet-5", false}, {"anthropic", "anthropic.claude-sonnet-5", false}, {"vertex", "claude-sonnet-5", true},
		{"azure_openai", "gpt-6", true}, {"cohere", "command-a-03-2025", true},
	} {
		if got := Serves(test.provider, test.model); got != test.want {
			t.Errorf("%s serves %s: %v, want %v", test.provider, test.model, got, test.want)
		}
	}
}

func TestNoBeginningIsListedTwice(t *testing.T) {
	seen := make(map[string]bool)
	for _, family := range families {
		if len(family.prefixes) == 0 || len(family.types) == 0 {
			t.Errorf("family %+v has nothing to say", family)
		}
		for _, prefix := range family.prefixes {
			if seen[prefix] || prefix == "" {
				t.Errorf("the beginning %q is listed twice, or empty", prefix)
			}
			seen[prefix] = true
		}
	}
}
