package gemini

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/transform"
)

// ruler measures the text that an answer shows. Gemini places citations by
// bytes, Chat Completions by characters, and the citations come last, when a
// stream's text is long gone; the way back is the same. It keeps only the widths of the characters: one
// run for all of an English text.
type ruler struct {
	runs  []run
	bytes int
}

// run is a number of neighbouring characters of the same width in bytes. Text
// that is ours has none.
type run struct {
	chars int32
	width uint8
}

// add measures a text of the provider's, a checked literal.
func (r *ruler) add(text transform.Literal) {
	inside := text[1 : len(text)-1]
	chars, width := 0, 1
	for at := 0; at < len(inside); chars++ {
		size, length := 1, 1
		switch c := inside[at]; {
		case c == '\\':
			size, length = escape(inside[at:])
		case c < utf8.RuneSelf:
		case c < 0xE0:
			size, length = 2, 2
		case c < 0xF0:
			size, length = 3, 3
		default:
			size, length = 4, 4
		}
		if size != width {
			r.extend(chars, width)
			chars, width = 0, size
		}
		at += length
	}
	r.extend(chars, width)
}

// escape is the width of the character that an escape stands for, and the
// escape's own.
func escape(text []byte) (size, length int) {
	unit := codeUnit(text)
	switch {
	case unit < 0: // \n and the like
		return 1, 2
	case unit < 0x80:
		return 1, 6
	case unit < 0x800:
		return 2, 6
	case utf16.DecodeRune(unit, codeUnit(text[6:])) != utf8.RuneError:
		return 4, 12
	}
	return 3, 6
}

// codeUnit is the value of \uXXXX, or -1.
func codeUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit := rune(0)
	for _, c := range text[2:6] {
		digit := rune(c | 0x20) // lower case
		if digit >= 'a' {
			digit -= 'a' - 10
		} else {
			digit -= '0'
		}
		unit = unit<<4 | digit&15
	}
	return unit
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
	if n := len(r.runs); n > 0 && int(r.runs[n-1].width) == width {
		r.runs[n-1].chars += int32(chars)
		return
	}
	r.runs = append(r.runs, run{int32(chars), uint8(width)})
}

// chars is the number of characters before a byte.
func (r *ruler) chars(offset int) int {
	before := 0
	for _, run := range r.runs {
		chars, width := int(run.chars), int(run.width)
		if width > 0 && offset < chars*width {
			return before + offset/width
		}
		offset -= chars * width
		before += chars
	}
	return before
}

// offset is the byte before which so many characters stand.
func (r *ruler) offset(chars int) int {
	before := 0
	for _, run := range r.runs {
		if chars <= int(run.chars) {
			return before + chars*int(run.width)
		}
		chars -= int(run.chars)
		before += int(run.chars) * int(run.width)
	}
	return before
}
