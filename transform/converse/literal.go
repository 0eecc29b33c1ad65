package converse

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
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

// characters counts the characters of a text.
func characters(text transform.Literal) int {
	if len(text) < len(`""`) {
		return 0
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return utf8.RuneCount(text[1 : len(text)-1])
	}
	return utf8.RuneCount(text.AppendText(nil))
}

// hasText tells whether value is a string with something in it.
func hasText(value jsonbytes.Value) bool {
	return value.Kind() == jsonbytes.String && len(value) > len(`""`)
}

// isLiteral tells whether value is a string that may be spliced as it is.
func isLiteral(value jsonbytes.Value) bool {
	return value.Kind() == jsonbytes.String && jsonbytes.Check(value, 1) == nil
}
