package duration

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"6m0s":          6 * time.Minute,
		"0s":            0,
		"120ms":         120 * time.Millisecond,
		"23h18m29.144s": 23*time.Hour + 18*time.Minute + 29144*time.Millisecond,
		"1d2h":          26 * time.Hour,
		"2m59.56s":      2*time.Minute + 59560*time.Millisecond,
		"48.939935699s": 48939935699,
		"7us":           7 * time.Microsecond,
		"7µs":           7 * time.Microsecond,
		"3ns":           3,
		"0.5d":          12 * time.Hour,
		"1m30s500ms":    90*time.Second + 500*time.Millisecond,
	} {
		if got, ok := Parse(text); !ok || got != want {
			t.Errorf("%s: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "s", "5", "-5s", "+5s", "5 s", "1s2m", "1s1s", "1.s", ".5s", "1..5s", "1e3s", "NaNs", "5y", "5mo",
		"99999999999999999999s", "106752d", "99999d99999h99999999m", "5s ", "5µ", "5u",
	} {
		if got, ok := Parse(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestDecimal(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "0.25": 250 * time.Millisecond, "33011.382867": 33011382867 * time.Microsecond,
		"1.00000000000000000009": time.Second, "007": 7 * time.Second,
	} {
		if got, ok := Decimal(text, time.Second); !ok || got != want {
			t.Errorf("%s: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", ".", "1.", ".1", "-1", "+1", "1e3", "0x1", "NaN", "Inf", "1_0", " 1", "1 ", "1,5", "9999999999", "999999999999999999999999"} {
		if got, ok := Decimal(text, time.Second); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"20s.":                   20 * time.Second,
		"20s":                    20 * time.Second,
		"1m26.4s. Visit us":      86400 * time.Millisecond,
		"6ms":                    6 * time.Millisecond,
		"5.289s. More":           5289 * time.Millisecond,
		"55 seconds.":            55 * time.Second,
		"1 second":               time.Second,
		"86400 seconds":          24 * time.Hour,
		"2 minutes, or":          2 * time.Minute,
		"3 hours":                3 * time.Hour,
		"36000 seconds before x": 10 * time.Hour,
	} {
		if got, ok := Prefix(text); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "a moment", "20", "20 ", "20 secondsx", "20 parsecs", "-20s", "s", "20 s", "20sx", "1s2m", "few seconds"} {
		if got, ok := Prefix(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"6m0s", "1d2h", "120ms", "2m59.56s", "20 seconds", "7", "9223372036854775807ns", "1.5.5s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := Parse(text)
		if d < 0 {
			t.Fatalf("%q is %v", text, d)
		}
		// What Go's own reader takes too must mean the same, but for the last
		// nanosecond of each of its fractions, which it reads as floats.
		if want, err := time.ParseDuration(text); ok && err == nil && (d-want).Abs() > 8 {
			t.Fatalf("%q is %v, want %v", text, d, want)
		}
		if d, _ := Prefix(text); d < 0 {
			t.Fatalf("%q begins with %v", text, d)
		}
		if d, _ := Decimal(text, time.Second); d < 0 {
			t.Fatalf("%q seconds are %v", text, d)
		}
	})
}
