package glob

import "testing"

func TestMatchEndsAtSegments(t *testing.T) {
	for _, test := range []struct {
		pattern, name, star string
		ok                  bool
	}{
		{"gpt-4", "gpt-4", "", true},
		{"gpt-4", "gpt-4o", "", false},
		{"gpt-*", "gpt-4o", "4o", true},
		{"gpt-*", "gpt-", "", true},
		{"gpt-*", "gpt-4/mini", "", false},
		{"anthropic/*", "anthropic/claude-x", "claude-x", true},
		{"anthropic/*", "anthropicx/claude", "", false},
		{"anthropic/*", "anthropic/", "", false},
		{"openrouter/*", "openrouter/anthropic/claude", "anthropic/claude", true},
		{"*", "a/b/c", "a/b/c", true},
		{"*", "", "", false},
		{"*-mini", "gpt-5-mini", "gpt-5", true},
		{"*-mini", "a/gpt-5-mini", "", false},
		{"*/gpt-*", "openai/gpt-4", "openai", true},
		{"openai/*-mini", "openai/gpt-5-mini", "gpt-5", true},
		{"a*b*c", "aXbYc", "X", true},
		{"a*b*c", "aXbY", "", false},
		{"", "", "", true},
		{"", "x", "", false},
	} {
		star, ok := Match(test.pattern, test.name)
		if ok != test.ok || star != test.star {
			t.Errorf("Match(%q, %q) = %q, %v; want %q, %v", test.pattern, test.name, star, ok, test.star, test.ok)
		}
	}
}

func TestSpecificityPrefersTheLongerPrefix(t *testing.T) {
	order := []string{"*", "gpt-*", "gpt-4*", "gpt-4"}
	for i := 1; i < len(order); i++ {
		if Specificity(order[i-1]) >= Specificity(order[i]) {
			t.Errorf("%q is not more specific than %q", order[i], order[i-1])
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a*b*", "aXbY")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 64 || len(name) > 256 {
			t.Skip()
		}
		if star, ok := Match(pattern, name); ok && IsPattern(pattern) && len(star) > len(name) {
			t.Errorf("star %q is longer than %q", star, name)
		}
	})
}
