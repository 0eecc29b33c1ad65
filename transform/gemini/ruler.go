package gemini

import (
	"bytes"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/transform"
)

// ruler measures the text that an answer shows. Gemini places citations by
// bytes, Chat Completions by characters, and the citations come last, when a
// stream's text is long gone. It keeps only the widths of the characters: one
// run for all of an English text.
type ruler struct {
	runs  []run
	bytes int
}

// run is a number of neighbouring characters of the same width in bytes. Text
// that is ours has none.
type run struct{ chars, width int }

// add measures a text of the provider's.
func (r *ruler) add(text transform.Literal) {
	inside := text[1 : len(text)-1]
	plain := ascii(inside)
	if plain < len(inside) && bytes.IndexByte(inside[plain:], '\\') >= 0 {
		var space [512]byte
		inside = text.AppendText(space[:0])
	}
	for len(inside) > 0 {
		r.extend(plain, 1)
		if inside = inside[plain:]; len(inside) > 0 {
			_, size := utf8.DecodeRune(inside)
			r.extend(1, size)
			inside = inside[size:]
		}
		plain = ascii(inside)
	}
}

// addOurs measures a text that the provider does not count.
func (r *ruler) addOurs(text transform.Literal) {
	r.extend(utf8.RuneCount(text.AppendText(nil)), 0)
}

func (r *ruler) extend(chars, width int) {
	if chars == 0 {
		return
	}
	r.bytes += chars * width
	if n := len(r.runs); n > 0 && r.runs[n-1].width == width {
		r.runs[n-1].chars += chars
		return
	}
	r.runs = append(r.runs, run{chars, width})
}

// chars is the number of characters before a byte.
func (r *ruler) chars(offset int) int {
	before := 0
	for _, run := range r.runs {
		if size := run.chars * run.width; run.width > 0 && offset < size {
			return before + offset/run.width
		} else {
			offset -= size
		}
		before += run.chars
	}
	return before
}

// ascii is how many characters of one byte a text begins with, those of a
// literal that stand for themselves.
func ascii(text []byte) int {
	for i, c := range text {
		if c >= utf8.RuneSelf || c == '\\' {
			return i
		}
	}
	return len(text)
}
