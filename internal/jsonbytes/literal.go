package jsonbytes

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// This file is about strings that are spliced as they are spelled.

// HasText says whether v is a string with something in it.
func (v Value) HasText() bool { return v.Kind() == String && len(v) > len(`""`) }

// NonEmpty returns v if it is a string with something in it, nil otherwise.
func (v Value) NonEmpty() Value {
	if !v.HasText() {
		return nil
	}
	return v
}

// Spliceable says whether v is a string that is valid whatever it came from.
func (v Value) Spliceable() bool { return v.Kind() == String && Check(v, 1) == nil }

// Blank says whether there is nothing but white space in a string.
func (v Value) Blank() bool {
	if len(v) <= len(`""`) {
		return true
	}
	// Nearly every text ends the question with its first character.
	if c := v[1]; c != ' ' && c != '\\' && c < utf8.RuneSelf {
		return false
	}
	s, _ := v.Text()
	return strings.TrimSpace(s) == ""
}

// Characters counts the characters of a string as Unicode code points.
func (v Value) Characters() int {
	if len(v) < len(`""`) {
		return 0
	}
	inside := v[1 : len(v)-1]
	n := utf8.RuneCount(inside)
	for {
		slash := bytes.IndexByte(inside, '\\')
		if slash < 0 || slash+1 == len(inside) {
			return n
		}
		inside = inside[slash+1:]
		if inside[0] != 'u' || len(inside) < len("u0000") {
			n-- // two for one
			inside = inside[1:]
			continue
		}
		n -= len("u0000")
		if isLowSurrogate(inside) {
			n-- // it belongs to the escape before it
		}
		inside = inside[len("u0000"):]
	}
}

// isLowSurrogate says whether an escape without its backslash is the second half of a character.
func isLowSurrogate(escape []byte) bool {
	return escape[1]|0x20 == 'd' && escape[2]|0x20 >= 'c' && escape[2]|0x20 <= 'f'
}

// Concat makes one string of two; either may be nil. It may grow a where that was made by Concat
// before, so that joining many is linear. A string that still lies in a text has no room and is copied.
func Concat(a, b Value) Value {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return append(a[:len(a)-1], b[1:]...)
}

// Join makes one string of those that have text, with glue, which is escaped, between them; nil if
// none has.
func Join(glue string, pieces ...Value) Value {
	var all Value
	for i, p := range pieces {
		switch {
		case !p.HasText():
		case all == nil:
			all = p
			if i < len(pieces)-1 {
				all = append(make(Value, 0, joinedSize(glue, pieces)), p...)
			}
		default:
			all = append(append(all[:len(all)-1], glue...), p[1:]...)
		}
	}
	return all
}

func joinedSize(glue string, pieces []Value) int {
	size := len(`""`)
	for _, p := range pieces {
		size += len(glue) + max(len(p)-len(`""`), 0)
	}
	return size
}
