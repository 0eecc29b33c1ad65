package jsonbytes

import (
	"bytes"
	"io"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical writes JSON texts in a form that is the same for all texts that mean
// the same: no white space, members in the order of their names at every level,
// strings with no more escapes than JSON requires. Numbers stay as they are
// written. Two texts that mean different things never have one form.
//
// Nothing of the form is built in memory. What is kept of a text is where the
// members of its objects stand, which takes 20 bytes for each. The zero value is
// ready for use, by one goroutine, and the better the more often it is used.
type Canonical struct {
	text    []byte
	objects []canonicalObject
	members []canonicalMember // of all objects, those of each one together
	open    []canonicalMember // of objects that have not ended yet
	names   []byte            // names with escapes, in their canonical form
	// rewrites tells that there are escapes that may be spelled otherwise.
	rewrites bool

	to   io.Writer
	out  []byte // what waits to be written
	next uint32 // the object that is written next
	err  error
}

// canonicalObject is an object of the text. They are numbered as they begin.
type canonicalObject struct {
	first, count uint32 // its members
	next         uint32 // the first object behind it
	end          uint32 // where the text goes on behind it
}

type canonicalMember struct {
	name, nameEnd   uint32 // without quotes; with inNames set, of names
	value, valueEnd uint32
	object          uint32 // the first object that begins in the value or behind
}

const (
	inNames = 1 << 31
	// maxIndex bounds the members, and the objects, of a text.
	maxIndex = 1 << 18
	// keptIndex bounds what stays for the next text.
	keptIndex = 1 << 12
	// outSize gathers small pieces; long ones are not copied.
	outSize   = 4 << 10
	longPiece = 512
)

// Write writes the text's canonical form without the members of the outermost
// object that are to be left out. It is false, and nothing is written, for what is
// not JSON, nested too deeply, or has more than 262,144 members. The text is taken
// for valid where it does not matter for the form: [Scan] validates.
func (c *Canonical) Write(to io.Writer, text []byte, omit []string) (ok bool, err error) {
	if len(text) >= inNames {
		return false, nil
	}
	c.text, c.rewrites = text, false
	defer c.reset()
	at := skipSpace(text, 0)
	end := c.index(at, 1)
	if end < 0 || skipSpace(text, end) != len(text) {
		return false, nil
	}
	c.to, c.next, c.err = to, 0, nil
	if c.out == nil {
		c.out = make([]byte, 0, outSize)
	}
	if text[at] == '{' {
		c.object(omit)
	} else {
		c.value(at)
	}
	c.flush()
	return true, c.err
}

func (c *Canonical) reset() {
	c.text, c.to = nil, nil
	c.objects, c.members, c.open, c.names = c.objects[:0], c.members[:0], c.open[:0], c.names[:0]
	if cap(c.objects) > keptIndex || cap(c.members) > keptIndex || cap(c.names) > keptIndex {
		c.objects, c.members, c.open, c.names = nil, nil, nil, nil
	}
}

// index finds the objects of a value and returns the offset behind it, or -1.
func (c *Canonical) index(at, depth int) int {
	if at >= len(c.text) || depth > deepest {
		return -1
	}
	switch c.text[at] {
	case '{':
		return c.indexObject(at, depth)
	case '[':
		return c.indexArray(at, depth)
	case '"':
		return c.indexString(at)
	}
	return skipValue(c.text, at)
}

// indexString looks for what ends a string, and on the way for escapes. It reads
// words, as texts of conversations have an escape every line or so.
func (c *Canonical) indexString(at int) int {
	text := c.text
	at++
	for {
		for len(text)-at >= 8 {
			w := word(text[at : at+8])
			quote, slash := w^ones*'"', w^ones*'\\'
			// Of the bytes that are flagged the lowest is rightly so.
			flags := ((quote-ones)&^quote | (slash-ones)&^slash) & highs
			if flags == 0 {
				at += 8
				continue
			}
			at += bits.TrailingZeros64(flags) / 8
			break
		}
		switch {
		case at+1 >= len(text) && (at >= len(text) || text[at] != '"'):
			return -1
		case text[at] == '"':
			return at + 1
		case text[at] != '\\':
			at++ // among the last bytes of the text
		default:
			c.rewrites = c.rewrites || text[at+1] == 'u' || text[at+1] == '/'
			at += len(`\n`)
		}
	}
}

func (c *Canonical) indexArray(at, depth int) int {
	text := c.text
	if at = skipSpace(text, at+1); at < len(text) && text[at] == ']' {
		return at + 1
	}
	for {
		if at = c.index(at, depth+1); at < 0 {
			return -1
		}
		if at = skipSpace(text, at); at >= len(text) {
			return -1
		}
		switch text[at] {
		case ']':
			return at + 1
		case ',':
			at = skipSpace(text, at+1)
		default:
			return -1
		}
	}
}

func (c *Canonical) indexObject(at, depth int) int {
	text, self, base := c.text, len(c.objects), len(c.open)
	if self >= maxIndex {
		return -1
	}
	c.objects = append(c.objects, canonicalObject{})
	if at = skipSpace(text, at+1); at < len(text) && text[at] == '}' {
		c.closeObject(self, base, at+1)
		return at + 1
	}
	for {
		if at = c.indexMember(at, depth); at < 0 {
			return -1
		}
		if at = skipSpace(text, at); at >= len(text) {
			return -1
		}
		switch text[at] {
		case '}':
			c.closeObject(self, base, at+1)
			return at + 1
		case ',':
			at = skipSpace(text, at+1)
		default:
			return -1
		}
	}
}

func (c *Canonical) indexMember(at, depth int) int {
	text := c.text
	if at >= len(text) || text[at] != '"' || len(c.members)+len(c.open) >= maxIndex {
		return -1
	}
	end := c.indexString(at)
	if end < 0 {
		return -1
	}
	m := canonicalMember{name: uint32(at + 1), nameEnd: uint32(end - 1), object: uint32(len(c.objects))}
	if name := text[at+1 : end-1]; bytes.IndexByte(name, '\\') >= 0 {
		m.name = uint32(len(c.names)) | inNames
		c.names = appendCanonical(c.names, name)
		m.nameEnd = uint32(len(c.names)) | inNames
	}
	if at = skipSpace(text, end); at >= len(text) || text[at] != ':' {
		return -1
	}
	at = skipSpace(text, at+1)
	m.value = uint32(at)
	if at = c.index(at, depth+1); at < 0 {
		return -1
	}
	m.valueEnd = uint32(at)
	c.open = append(c.open, m)
	return at
}

// closeObject puts the members of an object in order. Those of one name stay as
// they stand: which one counts depends on that.
func (c *Canonical) closeObject(self, base, end int) {
	members := c.open[base:]
	if len(members) <= 16 {
		for i := 1; i < len(members); i++ {
			for j := i; j > 0 && bytes.Compare(c.name(members[j]), c.name(members[j-1])) < 0; j-- {
				members[j], members[j-1] = members[j-1], members[j]
			}
		}
	} else {
		slices.SortStableFunc(members, func(a, b canonicalMember) int { return bytes.Compare(c.name(a), c.name(b)) })
	}
	c.objects[self] = canonicalObject{
		first: uint32(len(c.members)), count: uint32(len(members)), next: uint32(len(c.objects)), end: uint32(end),
	}
	c.members = append(c.members, members...)
	c.open = c.open[:base]
}

func (c *Canonical) name(m canonicalMember) []byte {
	if m.name&inNames != 0 {
		return c.names[m.name&^inNames : m.nameEnd&^inNames]
	}
	return c.text[m.name:m.nameEnd]
}

// value writes a value and returns the offset behind it.
func (c *Canonical) value(at int) int {
	switch c.text[at] {
	case '{':
		return c.object(nil)
	case '[':
		return c.array(at)
	}
	end := skipValue(c.text, at)
	if c.text[at] == '"' {
		c.string(c.text[at:end])
	} else {
		c.write(c.text[at:end])
	}
	return end
}

func (c *Canonical) array(at int) int {
	c.byte('[')
	at = skipSpace(c.text, at+1)
	for c.text[at] != ']' {
		if c.text[at] == ',' {
			c.byte(',')
			at = skipSpace(c.text, at+1)
		}
		at = skipSpace(c.text, c.value(at))
	}
	c.byte(']')
	return at + 1
}

func (c *Canonical) object(omit []string) int {
	o := c.objects[c.next]
	c.byte('{')
	comma := false
	for _, m := range c.members[o.first : o.first+o.count] {
		name := c.name(m)
		if isOneOf(name, omit) {
			continue
		}
		if comma {
			c.byte(',')
		}
		comma = true
		c.byte('"')
		c.write(name)
		c.byte('"')
		c.byte(':')
		c.next = m.object
		switch value := c.text[m.value:m.valueEnd]; value[0] {
		case '{', '[':
			c.value(int(m.value))
		case '"':
			c.string(value)
		default:
			c.write(value)
		}
	}
	c.byte('}')
	c.next = o.next
	return int(o.end)
}

func isOneOf(name []byte, list []string) bool {
	for _, s := range list {
		if string(name) == s {
			return true
		}
	}
	return false
}

// string writes a string, quotes included.
func (c *Canonical) string(quoted []byte) {
	if !c.rewrites {
		c.write(quoted)
		return
	}
	from := 0
	for at := nextRewritten(quoted, 0); at >= 0; at = nextRewritten(quoted, from) {
		c.write(quoted[from:at])
		var size int
		c.room(longestEscape)
		c.out, size = appendCanonicalEscape(c.out, quoted[at:])
		from = at + size
	}
	c.write(quoted[from:])
}

// appendCanonical is string for the inside of a name.
func appendCanonical(dst, inside []byte) []byte {
	from := 0
	for at := nextRewritten(inside, 0); at >= 0; at = nextRewritten(inside, from) {
		dst = append(dst, inside[from:at]...)
		var size int
		dst, size = appendCanonicalEscape(dst, inside[at:])
		from = at + size
	}
	return append(dst, inside[from:]...)
}

// nextRewritten finds the next escape that may have a canonical form other than its own, or -1.
func nextRewritten(text []byte, at int) int {
	for {
		slash := bytes.IndexByte(text[at:], '\\')
		if slash < 0 || at+slash+1 >= len(text) {
			return -1
		}
		at += slash
		if next := text[at+1]; next == 'u' || next == '/' {
			return at
		}
		at += len(`\n`)
	}
}

const longestEscape = len(`\u0000`)

// appendCanonicalEscape writes the canonical form of the escape that text begins
// with and returns how long it was. A lone surrogate stays one: it is no character.
func appendCanonicalEscape(dst, text []byte) ([]byte, int) {
	if text[1] == '/' {
		return append(dst, '/'), len(`\/`)
	}
	r, size := codeUnit(text), longestEscape
	if r < 0 {
		return append(dst, '\\'), 1 // not JSON
	}
	if utf16.IsSurrogate(r) {
		pair := utf16.DecodeRune(r, codeUnit(text[size:]))
		if pair == utf8.RuneError {
			return append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15]), size
		}
		r, size = pair, 2*size
	}
	if r < ' ' || r == '"' || r == '\\' {
		return appendEscape(dst, byte(r)), size
	}
	return utf8.AppendRune(dst, r), size
}

func (c *Canonical) byte(b byte) {
	c.room(1)
	c.out = append(c.out, b)
}

func (c *Canonical) write(p []byte) {
	if len(p) >= longPiece {
		c.flush()
		c.send(p)
		return
	}
	c.room(len(p))
	c.out = append(c.out, p...)
}

func (c *Canonical) room(n int) {
	if len(c.out)+n > cap(c.out) {
		c.flush()
	}
}

func (c *Canonical) flush() {
	if len(c.out) > 0 {
		c.send(c.out)
		c.out = c.out[:0]
	}
}

func (c *Canonical) send(p []byte) {
	if c.err == nil {
		_, c.err = c.to.Write(p)
	}
}
