package ratelimit

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", "0.25", 250 * time.Millisecond},
		{"Retry-After", "Fri, 02 Jan 2026 03:05:05 GMT", time.Minute},
		{"Retry-After", "Fri, 02 Jan 2026 03:04:00 GMT", 0},
		{"Retry-After", "-7", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "Inf", 0},
		{"Retry-After", "1e300", 0},
		{"Retry-After", "86400", 24 * time.Hour},
		{"Retry-After", "86401", 0},
		{"Retry-After-Ms", "1500", 1500 * time.Millisecond},
		{"Retry-After-Ms", "12.5", 12500 * time.Microsecond},
		{"Retry-After-Ms", "-1", 0},
		{"X-Ms-Retry-After-Ms", "2500", 2500 * time.Millisecond},
		{"X-Amz-Retry-After", "800", 800 * time.Millisecond},
	} {
		if got := RetryAfter(http.Header{test.name: {test.value}}, now); got != test.want {
			t.Errorf("%s: %s is %v, want %v", test.name, test.value, got, test.want)
		}
	}
	for _, test := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"the finer one", fields("retry-after", "9", "retry-after-ms", "100"), 100 * time.Millisecond},
		{"the other one where the finer is nonsense", fields("retry-after", "9", "retry-after-ms", "-1"), 9 * time.Second},
		{"the other one where the finer is 0", fields("retry-after", "9", "x-ms-retry-after-ms", "0"), 9 * time.Second},
		{"twice the same", fields("retry-after", "9", "retry-after", "9"), 9 * time.Second},
		{"twice, not the same", fields("retry-after", "9", "retry-after", "1"), 0},
	} {
		if got := RetryAfter(test.header, now); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestHint(t *testing.T) {
	for message, want := range map[string]time.Duration{
		"Rate limit reached for m in organization o on requests per min (RPM): Limit 3, Used 3. Please try again in 20s.": 20 * time.Second,
		"Limit 6000, Used 5500. Please try again in 1m26.4s. Visit the site.":                                             86400 * time.Millisecond,
		"Please try again in 6ms.": 6 * time.Millisecond,
		"Your calls have exceeded the limit. Please retry after 55 seconds.": 55 * time.Second,
		"Rate limit is exceeded. Try again in 3 seconds.":                    3 * time.Second,
		"Please wait 36000 seconds before retrying.":                         10 * time.Hour,
		"Please retry in 48.9s.":                                             48900 * time.Millisecond,
		"Please retry shortly.":                                              0,
		"Please wait before trying again.":                                   0,
		"try again in a few minutes":                                         0,
		"try again in -5s":                                                   0,
		"try again in 5":                                                     0,
		"try again in 5 parsecs":                                             0,
		"try again in 99999999999999999999s":                                 0,
		"try again in 900h":                                                  0,
		"":                                                                   0,
		strings.Repeat("x", 1<<20) + "try again in 5s":                       0,
	} {
		if got := Hint(message); got != want {
			t.Errorf("%.60q: %v, want %v", message, got, want)
		}
	}
}
