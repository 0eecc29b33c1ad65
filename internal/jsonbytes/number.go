package jsonbytes

import (
	"math"
	"math/bits"
	"strconv"
)

func isDigit(c byte) bool { return c-'0' <= 9 }

func skipDigits(text []byte, at int) int {
	for at < len(text) && isDigit(text[at]) {
		at++
	}
	return at
}

// skipNumber returns the offset behind the number at at, or that of the byte which breaks it.
func skipNumber(text []byte, at int) (end int, ok bool) {
	if at < len(text) && text[at] == '-' {
		at++
	}
	whole := at
	if at = skipDigits(text, at); at == whole {
		return at, false
	}
	if text[whole] == '0' && at > whole+1 {
		return whole + 1, false
	}
	if at < len(text) && text[at] == '.' {
		fraction := at + 1
		if at = skipDigits(text, fraction); at == fraction {
			return at, false
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		exponent := at
		if at = skipDigits(text, at); at == exponent {
			return at, false
		}
	}
	return at, true
}

func (v Value) isNumber() bool {
	end, ok := skipNumber(v, 0)
	return ok && end == len(v)
}

// Float returns the number nearest to v, or false if v is no number or too large for a float64.
func (v Value) Float() (float64, bool) {
	if !v.isNumber() {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return 0, false
	}
	return f, true
}

// Int returns v if it is an integral number that fits, however it is written: 10, 10.0 and 1e1 are
// the same. It is false for fractions, numbers beyond an int64 and anything else.
func (v Value) Int() (int64, bool) {
	if !v.isNumber() {
		return 0, false
	}
	text, negative := []byte(v), v[0] == '-'
	if negative {
		text = text[1:]
	}
	whole := text[:skipDigits(text, 0)]
	text = text[len(whole):]
	var fraction []byte
	if len(text) > 0 && text[0] == '.' {
		fraction = text[1:skipDigits(text, 1)]
		text = text[1+len(fraction):]
	}
	magnitude, ok := integral(whole, fraction, exponent(text))
	switch {
	case !ok:
		return 0, false
	case negative && magnitude <= -math.MinInt64:
		return -int64(magnitude), true
	case !negative && magnitude <= math.MaxInt64:
		return int64(magnitude), true
	}
	return 0, false
}

// farExponent is more than any number of digits in a text can make up for.
const farExponent = math.MaxInt / 16

// exponent reads "e+12"; empty text is 0.
func exponent(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	text = text[1:]
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	n := 0
	for _, c := range text {
		n = min(n*10+int(c-'0'), farExponent)
	}
	if negative {
		return -n
	}
	return n
}

// integral returns whole.fraction * 10^shift if that is an integer which fits.
func integral(whole, fraction []byte, shift int) (uint64, bool) {
	zeros, n := 0, uint64(0)
	for _, part := range [2][]byte{whole, fraction} {
		for _, c := range part {
			if c == '0' {
				// Zeros count only once another digit follows.
				zeros++
				continue
			}
			var ok bool
			if n, ok = timesTen(n, zeros+1); !ok {
				return 0, false
			}
			if n += uint64(c - '0'); n < uint64(c-'0') {
				return 0, false
			}
			zeros = 0
		}
	}
	if n == 0 {
		return 0, true
	}
	shift += zeros - len(fraction)
	if shift < 0 {
		return 0, false
	}
	return timesTen(n, shift)
}

// timesTen returns n * 10^times, or false if that does not fit.
func timesTen(n uint64, times int) (uint64, bool) {
	for ; times > 0 && n != 0; times-- {
		high, low := bits.Mul64(n, 10)
		if high != 0 {
			return 0, false
		}
		n = low
	}
	return n, true
}
