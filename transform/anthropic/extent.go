package anthropic

import "github.com/caddyllm/llmproxy/transform"

// extent follows a JSON object through the pieces of its text, to know when it
// is whole: most formats do not say when the arguments of a call end.
type extent struct {
	depth                    int
	begun, quoted, backslash bool
}

func (x *extent) whole() bool { return x.begun && x.depth <= 0 }

// read follows one more piece, a literal whose content is that of the text.
func (x *extent) read(piece transform.Literal) {
	if len(piece) < len(`""`) {
		return
	}
	inside := piece[1 : len(piece)-1]
	for i := 0; i < len(inside); i++ {
		c := inside[i]
		if c == '\\' && i+1 < len(inside) {
			i++
			switch c = inside[i]; c {
			case '"', '\\':
			case 'u':
				c = smallUnit(inside[i+1:])
				i += len("0000")
			default:
				c = ' ' // white space, or a slash
			}
		}
		x.take(c)
	}
}

// take follows one byte of the text itself.
func (x *extent) take(c byte) {
	switch {
	case x.backslash:
		x.backslash = false
	case x.quoted:
		x.backslash, x.quoted = c == '\\', c != '"'
	case c == '"':
		x.quoted = true
	case c == '{', c == '[':
		x.depth++
		x.begun = true
	case c == '}', c == ']':
		x.depth--
	}
}

// smallUnit is the character of four hexadecimal digits if it is one of ASCII,
// else one that means nothing.
func smallUnit(digits []byte) byte {
	if len(digits) < 4 || digits[0] != '0' || digits[1] != '0' {
		return 'x'
	}
	n := 0
	for _, c := range digits[2:4] {
		n <<= 4
		switch {
		case '0' <= c && c <= '9':
			n |= int(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n |= int(c|0x20-'a') + 10
		}
	}
	return byte(n)
}
