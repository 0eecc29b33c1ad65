package main

import (
	"errors"
	"strings"
)

// literalAfter finds the array or object that follows the text before, has the
// text within, and is a literal of JavaScript, and writes it as JSON.
func literalAfter(source, before, within string) ([]byte, error) {
	for {
		at := strings.Index(source, before)
		if at < 0 {
			return nil, errors.New("the table is not where it was")
		}
		source = source[at+len(before)-1:]
		text, err := toJSON(source)
		if err == nil && strings.Contains(string(text), within) {
			return text, nil
		}
		source = source[1:]
	}
}

// toJSON writes the literal at the beginning of source as JSON: keys get quotes,
// !0 and !1 become words, commas before closing brackets go.
func toJSON(source string) ([]byte, error) {
	var out []byte
	depth := 0
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '"', c == '\'', c == '`':
			text, length := quoted(source[i:])
			if length == 0 {
				return nil, errors.New("a string without an end")
			}
			out = append(out, text...)
			i += length
			continue
		case c == '!' && strings.HasPrefix(source[i:], "!0"):
			out = append(out, "true"...)
			i++
		case c == '!' && strings.HasPrefix(source[i:], "!1"):
			out = append(out, "false"...)
			i++
		case isLetter(c):
			end := i
			for end < len(source) && (isLetter(source[end]) || source[end] >= '0' && source[end] <= '9') {
				end++
			}
			word := source[i:end]
			if end < len(source) && source[end] == ':' {
				word = `"` + word + `"`
			} else if word != "true" && word != "false" && word != "null" {
				return nil, errors.New("a word that is no literal")
			}
			out = append(out, word...)
			i = end
			continue
		case c >= '0' && c <= '9', c == '-', c == '.':
			end := i
			for end < len(source) && strings.IndexByte("0123456789.eE+-", source[end]) >= 0 {
				end++
			}
			if c == '.' {
				out = append(out, '0')
			}
			out = append(out, source[i:end]...)
			i = end
			continue
		case c == ']', c == '}':
			if n := len(out); n > 0 && out[n-1] == ',' {
				out = out[:n-1]
			}
			out = append(out, c)
			if depth--; depth == 0 {
				return out, nil
			}
		case c == '[', c == '{':
			depth++
			out = append(out, c)
		case c == ',', c == ':':
			out = append(out, c)
		case c == ' ', c == '\n', c == '\t', c == '\r':
		default:
			return nil, errors.New("no literal")
		}
		i++
	}
	return nil, errors.New("a literal without an end")
}

// quoted writes the string at the beginning of source as JSON, and says how long
// it was; 0 if it has no end.
func quoted(source string) (text []byte, length int) {
	text = append(text, '"')
	for i := 1; i < len(source); i++ {
		switch c := source[i]; {
		case c == source[0]:
			return append(text, '"'), i + 1
		case c == '\\' && i+1 < len(source):
			i++
			if strings.IndexByte("\"\\/bfnrtu", source[i]) >= 0 {
				text = append(text, '\\')
			}
			text = append(text, source[i])
		case c == '"':
			text = append(text, '\\', '"')
		case c < ' ':
			text = append(text, ' ')
		default:
			text = append(text, c)
		}
	}
	return nil, 0
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
}
