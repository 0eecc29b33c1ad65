// Package decimal reads decimal numbers as whole numbers of a small unit, exactly:
// amounts of money never pass through floating point.
package decimal

import "math"

// Parse reads a number as JSON spells it, times 10 to the power of scale, and
// rounds half up. What is too large becomes the largest whole number; what is
// negative or no number is not ok.
func Parse[T ~string | ~[]byte](text T, scale int) (n int64, ok bool) {
	mantissa, i := int64(0), 0
	digits, exponent := 0, 0
	var dropped byte // the first digit that the mantissa has no room for
	for point := false; i < len(text); i++ {
		c := text[i]
		if c == '.' && !point && digits > 0 {
			point = true
			if i+1 == len(text) || text[i+1] < '0' || text[i+1] > '9' {
				return 0, false
			}
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits++
		switch {
		case mantissa < math.MaxInt64/10-1 && dropped == 0:
			mantissa = mantissa*10 + int64(c-'0')
			if point {
				exponent--
			}
		default:
			if dropped == 0 {
				dropped = c
			}
			if !point {
				exponent++
			}
		}
	}
	if digits == 0 {
		return 0, false
	}
	more, ok := parseExponent(text[i:])
	if !ok {
		return 0, false
	}
	if dropped >= '5' {
		mantissa++
	}
	return shift(mantissa, exponent+more+scale), true
}

// parseExponent reads what follows the digits: nothing, or e and a whole number.
func parseExponent[T ~string | ~[]byte](text T) (int, bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return 0, false
	}
	text = text[1:]
	sign := 1
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	}
	if len(text) == 0 {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), 1<<20)
	}
	return sign * n, true
}

// shift multiplies by a power of ten.
func shift(n int64, power int) int64 {
	if n == 0 {
		return 0
	}
	for ; power > 0; power-- {
		if n > math.MaxInt64/10 {
			return math.MaxInt64
		}
		n *= 10
	}
	for ; power < -1 && n > 0; power++ {
		n /= 10
	}
	if power == -1 {
		return n/10 + (n%10)/5
	}
	return n
}
