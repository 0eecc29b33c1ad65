package ratelimit

import (
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/internal/duration"
)

// maxCount is beyond what any limit is.
const maxCount = 1 << 40

// count reads a number of requests or tokens. A fraction is cut off; a header
// field that came twice says nothing.
func count(values []string) (int64, bool) {
	if len(values) != 1 {
		return 0, false
	}
	return number(values[0])
}

// number reads what a field begins with: the draft let policies follow, as in
// "20, 20;w=60".
func number(s string) (n int64, ok bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if n = n*10 + int64(c-'0'); n > maxCount {
				return 0, false
			}
		case i > 0 && (c == ',' || c == ';' || c == '.' && allDigits(s[i+1:])):
			return n, true
		default:
			return 0, false
		}
	}
	return n, s != ""
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

const (
	// maxReset is the furthest reset that is believed: what is further is cut
	// to it, and the next answer will say it again.
	maxReset = 24 * time.Hour
	// absurd resets are none. No provider has a longer window than a month.
	absurd = 31 * 24 * time.Hour
)

// reset reads when a limit is whole again: an RFC 3339 time, a span such as
// 6m0s, seconds from now, or seconds or milliseconds since 1970.
func reset(s string, now time.Time) (time.Time, bool) {
	in, ok := untilReset(s, now)
	if !ok || in > absurd {
		return time.Time{}, false
	}
	return now.Add(min(in, maxReset)), true
}

func untilReset(s string, now time.Time) (time.Duration, bool) {
	if len(s) >= len("2006-01-02T15:04:05Z") && s[4] == '-' {
		at, err := time.Parse(time.RFC3339, s)
		return at.Sub(now), err == nil
	}
	if s == "" || s[len(s)-1] > '9' {
		return duration.Parse(s)
	}
	// Times since 1970 are told from spans by their size: these seconds are from
	// 2001 on, these milliseconds from 1973 on.
	whole, _, _ := strings.Cut(s, ".")
	switch {
	case len(whole) >= 15:
		return 0, false
	case len(whole) >= 12:
		at, ok := duration.Decimal(s, time.Millisecond)
		return at - time.Duration(now.UnixNano()), ok
	case len(whole) >= 10:
		at, ok := duration.Decimal(s, time.Second)
		return at - time.Duration(now.UnixNano()), ok
	}
	return duration.Decimal(s, time.Second)
}
