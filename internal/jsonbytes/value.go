package jsonbytes

import (
	"bytes"
	"iter"
	"strings"
)

// Value is the raw text of one value without surrounding white space; nil is an absent value.
//
// Values are meant for text that [Scan] or [Check] accepted. On any other text the methods are safe
// but not strict: what cannot be read is absent, invalid or the end of a walk.
type Value []byte

// Kind is what a value is.
type Kind uint8

// The kinds of values. Absent is that of a nil value, Invalid that of text which begins no value.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
	Invalid
)

// Parse returns text as a value, white space around it trimmed. It does not validate.
func Parse(text []byte) Value {
	from, to := skipSpace(text, 0), len(text)
	for to > from && isSpace(text[to-1]) {
		to--
	}
	if from == to {
		return nil
	}
	return Value(text[from:to:to])
}

// Kind looks at the first byte only.
func (v Value) Kind() Kind {
	if len(v) == 0 {
		return Absent
	}
	switch c := v[0]; {
	case c == '"':
		return String
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '-' || isDigit(c):
		return Number
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	}
	return Invalid
}

// Members walks the members of an object in order, and nothing if v is none. Keys come unescaped;
// those without an escape point into the text.
func (v Value) Members() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) { v.eachMember(yield) }
}

func (v Value) eachMember(yield func([]byte, Value) bool) {
	c := enter(v, '{')
	for m, ok := c.member(); ok; m, ok = c.member() {
		key := m.Key.Of(v)
		if bytes.IndexByte(key, '\\') >= 0 {
			key = appendUnescaped(make([]byte, 0, len(key)), key)
		}
		if !yield(key, m.Raw(v)) {
			return
		}
	}
}

// Elements walks the elements of an array with their positions, and nothing if v is none.
func (v Value) Elements() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) { v.eachElement(yield) }
}

func (v Value) eachElement(yield func(int, Value) bool) {
	c, i := enter(v, '['), 0
	for e, ok := c.element(); ok; e, ok = c.element() {
		if !yield(i, Value(e.Of(v))) {
			return
		}
		i++
	}
}

// Get returns the first member of that name, nil if there is none or v is no object.
func (v Value) Get(name string) Value {
	c := enter(v, '{')
	for m, ok := c.member(); ok; m, ok = c.member() {
		if equalUnescaped(m.Key.Of(v), name) {
			return m.Raw(v)
		}
	}
	return nil
}

// Len counts the elements of an array or the members of an object; it is 0 for other values.
func (v Value) Len() int {
	n := 0
	switch v.Kind() {
	case Array:
		c := enter(v, '[')
		for _, ok := c.element(); ok; _, ok = c.element() {
			n++
		}
	case Object:
		c := enter(v, '{')
		for _, ok := c.member(); ok; _, ok = c.member() {
			n++
		}
	}
	return n
}

// inside returns what stands between the quotes of a string, false if v is no string.
func (v Value) inside() ([]byte, bool) {
	if len(v) < 2 || v[0] != '"' || skipString(v, 0) != len(v) {
		return nil, false
	}
	return v[1 : len(v)-1], true
}

// Text returns the unescaped string, false if v is no string. Lone surrogates become U+FFFD.
func (v Value) Text() (string, bool) {
	inside, ok := v.inside()
	if !ok {
		return "", false
	}
	slash := bytes.IndexByte(inside, '\\')
	if slash < 0 {
		return string(inside), true
	}
	var text strings.Builder
	text.Grow(len(inside))
	for ; slash >= 0; slash = bytes.IndexByte(inside, '\\') {
		text.Write(inside[:slash])
		r, size := decode(inside[slash:])
		text.WriteRune(r)
		inside = inside[slash+size:]
	}
	text.Write(inside)
	return text.String(), true
}

// AppendText appends the unescaped string to dst, nothing if v is no string.
func (v Value) AppendText(dst []byte) []byte {
	inside, ok := v.inside()
	if !ok {
		return dst
	}
	return appendUnescaped(dst, inside)
}

// Is says whether v is the string s. It does not allocate.
func (v Value) Is(s string) bool {
	inside, ok := v.inside()
	return ok && equalUnescaped(inside, s)
}

// Bool returns the truth value, ok false if v is neither true nor false.
func (v Value) Bool() (value, ok bool) {
	switch string(v) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// IsNull says whether v is null.
func (v Value) IsNull() bool { return string(v) == "null" }

// Empty says whether v is absent or null.
func (v Value) Empty() bool { return len(v) == 0 || v.IsNull() }

// Unique checks that no two keys of the object are the same or differ in letter case only, objects
// inside it aside. The error is a [DuplicateKeyError] or [KeyCaseError] whose Pointer begins with
// pointer and whose Offset counts from the beginning of v. Other values pass.
func (v Value) Unique(pointer string) error {
	var few [32]Member
	members := few[:0]
	c := enter(v, '{')
	for m, ok := c.member(); ok; m, ok = c.member() {
		members = append(members, m)
	}
	return uniqueKeys(v, members, pointer)
}
