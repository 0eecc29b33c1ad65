package jsonbytes

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Only what JSON requires is escaped: quotes, backslashes
// and control characters. Invalid UTF-8 becomes \ufffd.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// AppendBytes is [AppendString] for bytes.
func AppendBytes(dst []byte, s []byte) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped appends s as it stands between the quotes of a JSON string.
func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	from := 0
	for at := plain(s, 0); at < len(s); at = plain(s, at) {
		c := s[at]
		if c >= utf8.RuneSelf {
			// A piece this short is converted without allocating.
			r, size := utf8.DecodeRuneInString(string(s[at:min(at+utf8.UTFMax, len(s))]))
			if r != utf8.RuneError || size > 1 {
				at += size
				continue
			}
		}
		dst = append(dst, s[from:at]...)
		dst = appendEscape(dst, c)
		at++
		from = at
	}
	return append(dst, s[from:]...)
}

// appendEscape appends the escape of a byte that cannot stand for itself.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if c >= utf8.RuneSelf {
		return append(dst, `\ufffd`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendCompact appends v without insignificant white space, otherwise byte for byte.
func AppendCompact(dst []byte, v Value) []byte {
	from := 0
	for at := 0; at < len(v); {
		switch c := v[at]; {
		case c == '"':
			if at = skipString(v, at); at < 0 {
				return append(dst, v[from:]...)
			}
		case isSpace(c):
			dst = append(dst, v[from:at]...)
			at = skipSpace(v, at)
			from = at
		default:
			at++
		}
	}
	return append(dst, v[from:]...)
}
