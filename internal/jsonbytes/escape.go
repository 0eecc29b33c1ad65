package jsonbytes

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// decode returns the first character of the inside of a string and the bytes it takes there.
// Lone surrogates become U+FFFD; a malformed escape stands for its backslash. The text must not be empty.
func decode(text []byte) (rune, int) {
	if text[0] != '\\' {
		return utf8.DecodeRune(text)
	}
	if len(text) < 2 {
		return '\\', 1
	}
	switch text[1] {
	case '"', '\\', '/':
		return rune(text[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	r := codeUnit(text)
	if r < 0 {
		return '\\', 1
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if pair := utf16.DecodeRune(r, codeUnit(text[6:])); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// codeUnit returns the value of a leading \uXXXX, or -1.
func codeUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	unit := rune(0)
	for _, c := range text[2:6] {
		digit := hexValue(c)
		if digit < 0 {
			return -1
		}
		unit = unit<<4 | digit
	}
	return unit
}

// appendUnescaped appends what the inside of a string stands for. It is never longer than the inside.
func appendUnescaped(dst, inside []byte) []byte {
	for {
		slash := bytes.IndexByte(inside, '\\')
		if slash < 0 {
			return append(dst, inside...)
		}
		dst = append(dst, inside[:slash]...)
		r, size := decode(inside[slash:])
		dst = utf8.AppendRune(dst, r)
		inside = inside[slash+size:]
	}
}

// equalUnescaped says whether the inside of a string stands for name.
func equalUnescaped(inside []byte, name string) bool {
	if len(inside) < len(name) {
		return false
	}
	for {
		slash := bytes.IndexByte(inside, '\\')
		if slash < 0 {
			return string(inside) == name
		}
		if slash > len(name) || string(inside[:slash]) != name[:slash] {
			return false
		}
		r, size := decode(inside[slash:])
		var space [utf8.UTFMax]byte
		char := utf8.AppendRune(space[:0], r)
		inside, name = inside[slash+size:], name[slash:]
		if len(name) < len(char) || name[:len(char)] != string(char) {
			return false
		}
		name = name[len(char):]
	}
}
