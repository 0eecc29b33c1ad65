package ratelimit

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

var types = [...]string{"openai", "anthropic", "mistral", "cerebras", "openrouter", "together", "fireworks", "cohere", "huggingface", "unknown"}

// FuzzHeader reads a header of any lines, "Name: value".
func FuzzHeader(f *testing.F) {
	f.Add("X-Ratelimit-Remaining-Requests: 0\nX-Ratelimit-Limit-Requests: 10\nX-Ratelimit-Reset-Requests: 6m0s")
	f.Add("Anthropic-Ratelimit-Tokens-Remaining: 0\nAnthropic-Ratelimit-Tokens-Reset: 2026-01-02T03:04:35Z")
	f.Add("Ratelimit: \"a\\\";r=1\";r=2;t=3, \"b\";r=0\nRatelimit-Policy: \"b\";q=5;qu=\"tokens\"")
	f.Add("Retry-After: Fri, 02 Jan 2026 03:05:05 GMT\nRetry-After-Ms: 1e5")
	f.Fuzz(func(t *testing.T, lines string) {
		header := http.Header{}
		for line := range strings.SplitSeq(lines, "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				header.Add(name, strings.TrimSpace(value))
			}
		}
		if wait := RetryAfter(header, now); wait < 0 || wait > maxWait {
			t.Fatalf("a wait of %v", wait)
		}
		for _, provider := range types {
			h := For(provider).Read(header, now)
			for _, b := range [...]Budget{h.Requests, h.Tokens, h.Input, h.Output} {
				switch {
				case !b.Known && b != Budget{}:
					t.Fatalf("made up: %+v", b)
				case b.Known && !h.Known():
					t.Fatalf("read at no time: %+v", h)
				case b.Remaining < 0, b.Remaining > maxCount, b.Limit < 0, b.Limit > maxCount, b.Reset.After(now.Add(maxReset)):
					t.Fatalf("nonsense: %+v", b)
				}
			}
			if share := h.Share(now); !(share >= 0 && share <= 1) {
				t.Fatalf("a share of %v: %+v", share, h)
			}
			if until, empty := h.Empty(now, 1, 1000); empty != until.After(now) {
				t.Fatalf("empty %v until %v: %+v", empty, until, h)
			}
		}
	})
}

// FuzzReset reads one value of a reset and one message of an error.
func FuzzReset(f *testing.F) {
	for _, seed := range []string{
		"6m0s", "120ms", "23h18m29.144s", "1d2h", "33011.382867", "2026-01-02T03:04:35Z", "2026-01-02T03:04:35.5+02:00",
		"1767323105", "1767323105250", "NaN", "-1", "Please try again in 1m26.4s.", "retry after 55 seconds",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := reset(text, now)
		if !ok && !at.IsZero() || at.After(now.Add(maxReset)) {
			t.Fatalf("%q is %v %v", text, at, ok)
		}
		if want, err := time.Parse(time.RFC3339, text); ok && err == nil && want.Before(now.Add(maxReset)) && now.Sub(want) < absurd && !want.Equal(at) {
			t.Fatalf("%q is %v", text, at)
		}
		if n, ok := number(text); n < 0 || n > maxCount || !ok && n != 0 {
			t.Fatalf("%q is %d %v", text, n, ok)
		}
		if wait := Hint(text); wait < 0 || wait > maxWait {
			t.Fatalf("%q asks to wait %v", text, wait)
		}
	})
}
