package gemini

import (
	"encoding/binary"
	"math/bits"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// walker reads a JSON text once, front to back, without building anything: an
// event has its text four levels deep, and looking up level after level would
// go over it as often. It checks only as much as it needs to find its way, so
// whatever is spliced somewhere else must be checked before.
type walker struct {
	text []byte
	at   int
	// bad tells that the text is no JSON; all walks end then.
	bad bool
}

// peek is the next byte that is no white space, 0 at the end.
func (w *walker) peek() byte {
	at := w.at
	for at < len(w.text) && w.text[at] <= ' ' {
		at++
	}
	w.at = at
	if at == len(w.text) {
		return 0
	}
	return w.text[at]
}

// enter steps into the array or object that opens with that bracket. A value of
// another kind is skipped.
func (w *walker) enter(bracket byte) bool {
	if w.peek() == bracket {
		w.at++
		return true
	}
	w.skip()
	return false
}

// next goes to the next element or member and returns its first byte, or goes
// behind the closing bracket and returns 0.
func (w *walker) next(bracket byte) byte {
	text, at := w.text, w.at
	for at < len(text) && (text[at] <= ' ' || text[at] == ',') {
		at++
	}
	if w.at = at; w.bad || at == len(text) {
		w.bad = true
		return 0
	}
	if text[at] == bracket {
		w.at++
		return 0
	}
	return text[at]
}

// element tells whether another element begins here.
func (w *walker) element() bool { return w.next(']') != 0 }

// key reads the name of the next member, false behind the last one.
func (w *walker) key() ([]byte, bool) {
	first := w.next('}')
	if first == 0 {
		return nil, false
	}
	from := w.at
	escaped := first == '"' && w.quoted()
	name := w.text[from:w.at]
	if w.peek() != ':' || len(name) < len(`""`) {
		w.bad = true
		return nil, false
	}
	w.at++
	if escaped {
		return jsonbytes.Value(name).AppendText(nil), true
	}
	return name[1 : len(name)-1], true
}

// value reads the next value whole.
func (w *walker) value() jsonbytes.Value {
	w.peek()
	from := w.at
	w.skip()
	if w.bad {
		return nil
	}
	return jsonbytes.Value(w.text[from:w.at:w.at])
}

// skip goes behind the next value.
func (w *walker) skip() {
	switch w.peek() {
	case '"':
		w.quoted()
	case '{', '[':
		w.brackets()
	default:
		at := w.at
		for at < len(w.text) && bytewise[w.text[at]] == scalar {
			at++
		}
		w.bad = w.bad || at == w.at
		w.at = at
	}
}

// quoted goes behind a string and tells whether it has escapes. It looks at
// eight bytes at once: most strings are short, so that calling anything faster
// for each of them would take longer.
func (w *walker) quoted() (escaped bool) {
	text, at := w.text, w.at+1
	for at < len(text) {
		if len(text)-at >= 8 {
			found := quoteOrSlash(binary.LittleEndian.Uint64(text[at:]))
			if found == 0 {
				at += 8
				continue
			}
			at += bits.TrailingZeros64(found) / 8
		}
		switch text[at] {
		case '"':
			w.at = at + 1
			return escaped
		case '\\':
			escaped = true
			at++
		}
		at++
	}
	w.at, w.bad = len(text), true
	return false
}

// quoteOrSlash flags the quotes and backslashes among eight bytes by their high
// bits. Bytes above one flagged rightly may be flagged too.
func quoteOrSlash(word uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quotes, slashes := word^ones*'"', word^ones*'\\'
	return ((quotes-ones)&^quotes | (slashes-ones)&^slashes) & highs
}

// brackets goes behind an array or object.
func (w *walker) brackets() {
	for depth := 0; w.at < len(w.text); {
		switch bytewise[w.text[w.at]] {
		case quote:
			w.quoted()
			continue
		case opens:
			depth++
		case closes:
			depth--
		}
		w.at++
		if depth == 0 {
			return
		}
	}
	w.bad = true
}

// The kinds of bytes that a walk tells apart.
const (
	other  uint8 = iota
	scalar       // what numbers, true, false and null are made of
	quote
	opens
	closes
)

var bytewise = func() (kinds [256]uint8) {
	for _, c := range []byte("+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		kinds[c] = scalar
	}
	kinds['"'] = quote
	kinds['{'], kinds['['] = opens, opens
	kinds['}'], kinds[']'] = closes, closes
	return kinds
}()
