package jsonbytes

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// SyntaxError says that the text is not JSON. It never holds a part of the text.
type SyntaxError struct {
	Offset int    // bytes before the one that cannot stand there
	Reason string // a fixed phrase
}

func (e *SyntaxError) Error() string {
	return "invalid JSON at byte " + strconv.Itoa(e.Offset) + ": " + e.Reason
}

// DuplicateKeyError says that an object has the same key twice, compared after unescaping.
type DuplicateKeyError struct {
	Pointer string // JSON pointer of the member; very long keys are cut
	Offset  int    // where the later key begins
}

func (e *DuplicateKeyError) Error() string {
	return "duplicate key at byte " + strconv.Itoa(e.Offset) + ": " + e.Pointer
}

// KeyCaseError says that an object has two keys which differ in letter case only.
// Lenient decoders take one for the other, so two readers may see different requests.
type KeyCaseError struct {
	Pointer string // JSON pointer of the later member; very long keys are cut
	Offset  int    // where the later key begins
}

func (e *KeyCaseError) Error() string {
	return "key differs from another in letter case only at byte " + strconv.Itoa(e.Offset) + ": " + e.Pointer
}

// DepthError says that arrays and objects are nested too deeply.
type DepthError struct {
	Offset int // where the first bracket too many stands
	Max    int // levels allowed
}

func (e *DepthError) Error() string {
	return "JSON nested deeper than " + strconv.Itoa(e.Max) + " levels at byte " + strconv.Itoa(e.Offset)
}

// maxPointerKey bounds what a hostile key can put into a log line.
const maxPointerKey = 128

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointerTo appends the key, given as written between its quotes, to a JSON pointer.
func pointerTo(parent string, key []byte) string {
	cut := len(key) > maxPointerKey
	if cut {
		key = key[:maxPointerKey]
		for len(key) > 0 && !utf8.Valid(key) {
			key = key[:len(key)-1]
		}
	}
	name := pointerEscapes.Replace(string(appendUnescaped(nil, key)))
	if cut {
		name += "…"
	}
	return parent + "/" + name
}
