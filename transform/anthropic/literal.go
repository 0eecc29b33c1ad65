package anthropic

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/transform"
)

// blank tells whether a text has nothing but white space in it.
func blank(text transform.Literal) bool {
	if len(text) <= len(`""`) {
		return true
	}
	// Nearly every text ends the question with its first character.
	if c := text[1]; c != ' ' && c != '\\' && c < utf8.RuneSelf {
		return false
	}
	s, _ := text.Text()
	return strings.TrimSpace(s) == ""
}

// trimRight takes the white space off the end of a text that is not blank.
func trimRight(text transform.Literal) transform.Literal {
	s, _ := text.Text()
	trimmed := strings.TrimRightFunc(s, unicode.IsSpace)
	if len(trimmed) == len(s) {
		return text
	}
	return transform.Quote(trimmed)
}

// appendJoined appends the texts as one literal. The first may be missing, in
// which case the separator is left out too; separator stands as within quotes.
func appendJoined(dst []byte, first transform.Literal, separator string, second transform.Literal) []byte {
	if len(first) <= len(`""`) {
		return append(dst, second...)
	}
	dst = append(dst, first[:len(first)-1]...)
	dst = append(dst, separator...)
	return append(dst, second[1:]...)
}

// characters counts the characters of a text as Unicode code points.
func characters(text transform.Literal) int {
	if len(text) < len(`""`) {
		return 0
	}
	inside := text[1 : len(text)-1]
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

// isLowSurrogate tells whether an escape without its backslash is the second
// half of a character.
func isLowSurrogate(escape []byte) bool {
	return escape[1]|0x20 == 'd' && escape[2]|0x20 >= 'c' && escape[2]|0x20 <= 'f'
}
