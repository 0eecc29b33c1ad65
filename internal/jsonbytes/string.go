package jsonbytes

import (
	"math/bits"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special flags, by the high bit of each byte, a quote, a backslash, a control character or a byte
// outside ASCII. A borrow can flag a byte too many, but only above one flagged rightly: the lowest
// flag is exact.
//
// Flipping one bit makes the quote the next byte after the control characters, which stay
// themselves among each other: so one comparison does for both.
func special(word uint64) uint64 {
	low := (word ^ ones*flip) - ones*('"'^flip+1)
	slash := (word ^ ones*'\\') - ones
	return (word | low | slash) & highs
}

// flip is the bit in which a quote differs from a space.
const flip = '"' ^ ' '

// plain returns the offset of the first special byte at or after at, or len(text).
func plain[T string | []byte](text T, at int) int {
	if len(text)-at >= 16 { // many strings are short, and so are the pieces between escapes
		if flags := special(word(text[at : at+8])); flags != 0 {
			return at + bits.TrailingZeros64(flags)/8
		}
		if flags := special(word(text[at+8 : at+16])); flags != 0 {
			return at + 8 + bits.TrailingZeros64(flags)/8
		}
		at += 16
	}
	for len(text)-at >= 32 {
		four := text[at : at+32]
		if special(word(four))|special(word(four[8:]))|special(word(four[16:]))|special(word(four[24:])) != 0 {
			break
		}
		at += 32
	}
	for len(text)-at >= 8 {
		if flags := special(word(text[at : at+8])); flags != 0 {
			return at + bits.TrailingZeros64(flags)/8
		}
		at += 8
	}
	for at < len(text) && isPlain(text[at]) {
		at++
	}
	return at
}

// word loads 8 bytes; encoding/binary does so for byte slices only.
func word[T string | []byte](text T) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

func isPlain(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\'
}

// quoted validates a string from behind its opening quote and returns the offset behind the closing one.
func (s *scanner) quoted(at int) int {
	for {
		at = plain(s.text, at)
		if at >= len(s.text) {
			return s.fail(at, "")
		}
		switch c := s.text[at]; {
		case c == '"':
			return at + 1
		case c == '\\':
			at = s.escape(at)
		case c < ' ':
			return s.fail(at, "control character in a string")
		default:
			at = s.beyondASCII(at)
		}
		if at == failed {
			return failed
		}
	}
}

// beyondASCII validates a stretch of characters outside ASCII.
func (s *scanner) beyondASCII(at int) int {
	for at < len(s.text) && s.text[at] >= utf8.RuneSelf {
		r, size := utf8.DecodeRune(s.text[at:])
		if r == utf8.RuneError && size == 1 {
			return s.fail(at, "invalid UTF-8")
		}
		at += size
	}
	return at
}

func (s *scanner) escape(at int) int {
	at++
	if at >= len(s.text) {
		return s.fail(at, "")
	}
	switch s.text[at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return at + 1
	case 'u':
		for i := at + 1; i <= at+4; i++ {
			if i >= len(s.text) || hexValue(s.text[i]) < 0 {
				return s.fail(i, "malformed escape")
			}
		}
		return at + 5
	}
	return s.fail(at, "malformed escape")
}

// hexValue returns the value of a hexadecimal digit, or -1.
func hexValue(c byte) rune {
	switch {
	case isDigit(c):
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
