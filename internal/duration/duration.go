// Package duration reads spans of time as APIs write them, strictly and without
// allocating.
package duration

import (
	"math/bits"
	"strings"
	"time"
)

// Parse reads a span made of numbers with units, the larger unit first: 6m0s,
// 120ms, 23h18m29.144s, 1d2h. It is [time.ParseDuration] with days, without signs.
func Parse(s string) (time.Duration, bool) {
	var sum time.Duration
	last := time.Duration(1<<63 - 1)
	for s != "" {
		number := numberLen(s)
		unit, length := unitOf(s[number:])
		if unit == 0 || unit >= last {
			return 0, false
		}
		d, ok := Decimal(s[:number], unit)
		if !ok || sum+d < sum {
			return 0, false
		}
		sum, last, s = sum+d, unit, s[number+length:]
	}
	return sum, last != 1<<63-1
}

// Prefix reads a span that a text begins with: one of [Parse], or a number with
// the unit as a word, as in "20 seconds". What follows must be no part of it.
func Prefix(s string) (time.Duration, bool) {
	end := strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && r != '.' && r != 'µ'
	})
	if end < 0 {
		end = len(s)
	}
	first := strings.TrimRight(s[:end], ".")
	if d, ok := Parse(first); ok {
		return d, true
	}
	word, found := strings.CutPrefix(s[len(first):], " ")
	if !found {
		return 0, false
	}
	for _, w := range words {
		if rest, ok := strings.CutPrefix(word, w.name); ok {
			if rest = strings.TrimPrefix(rest, "s"); rest == "" || strings.ContainsRune(" .,;:)!\n", rune(rest[0])) {
				return Decimal(first, w.unit)
			}
		}
	}
	return 0, false
}

var words = [...]struct {
	name string
	unit time.Duration
}{
	{"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}, {"millisecond", time.Millisecond},
}

// Decimal reads a number of units, such as 7 or 0.25: no sign, no exponent.
// What is beyond a [time.Duration] is not read.
func Decimal(s string, unit time.Duration) (time.Duration, bool) {
	whole, fraction, scale := uint64(0), uint64(0), uint64(1)
	i := 0
	for ; i < len(s) && s[i] != '.'; i++ {
		if whole >= 1<<59 || s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		whole = whole*10 + uint64(s[i]-'0')
	}
	if i == 0 || i == len(s)-1 {
		return 0, false
	}
	for i++; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if scale < 1e12 { // finer than a nanosecond
			fraction, scale = fraction*10+uint64(s[i]-'0'), scale*10
		}
	}
	high, n := bits.Mul64(whole, uint64(unit))
	if high != 0 || n >= 1<<62 {
		return 0, false
	}
	high, low := bits.Mul64(fraction, uint64(unit))
	part, _ := bits.Div64(high, low, scale)
	return time.Duration(n + part), true
}

func numberLen(s string) int {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	return i
}

// unitOf finds the unit that a text begins with; 0: none.
func unitOf(s string) (unit time.Duration, length int) {
	if s == "" {
		return 0, 0
	}
	switch s[0] {
	case 'd':
		return 24 * time.Hour, 1
	case 'h':
		return time.Hour, 1
	case 'm':
		if len(s) > 1 && s[1] == 's' {
			return time.Millisecond, 2
		}
		return time.Minute, 1
	case 's':
		return time.Second, 1
	case 'u':
		if strings.HasPrefix(s, "us") {
			return time.Microsecond, 2
		}
	case 'n':
		if strings.HasPrefix(s, "ns") {
			return time.Nanosecond, 2
		}
	}
	if strings.HasPrefix(s, "µs") {
		return time.Microsecond, len("µs")
	}
	return 0, 0
}
