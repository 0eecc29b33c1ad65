package terminal

import (
	"strings"
	"unicode"
)

// Text is text of several lines without what a terminal takes for a command, and
// without what turns the direction of writing around. Tabs and line feeds stay.
func Text(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, text)
}
