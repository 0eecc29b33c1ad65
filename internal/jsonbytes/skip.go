package jsonbytes

import "bytes"

// skipSpace returns the offset of the first byte at or after at that is no white space.
func skipSpace(text []byte, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

// skipString returns the offset behind the string whose opening quote is at at, or -1 if it does not end.
func skipString(text []byte, at int) int {
	at++
	for from := at; ; {
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 {
			return -1
		}
		quote += at
		slash := quote
		for slash > from && text[slash-1] == '\\' {
			slash--
		}
		if (quote-slash)%2 == 0 {
			return quote + 1
		}
		at, from = quote+1, quote+1
	}
}

// skipValue returns the offset behind the value at at, or -1 if none begins or ends there.
// It trusts that the text was validated: brackets are counted, not matched.
func skipValue(text []byte, at int) int {
	if at >= len(text) {
		return -1
	}
	switch text[at] {
	case '"':
		return skipString(text, at)
	case '{', '[':
		return skipBrackets(text, at)
	}
	from := at
	for at < len(text) && !endsScalar(text[at]) {
		at++
	}
	if at == from {
		return -1
	}
	return at
}

func endsScalar(c byte) bool {
	return c == ',' || c == ']' || c == '}' || c == ':' || c == '"' || c == '{' || c == '[' || isSpace(c)
}

func skipBrackets(text []byte, at int) int {
	for depth := 0; at < len(text); {
		switch text[at] {
		case '"':
			if at = skipString(text, at); at < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
		}
		at++
	}
	return -1
}

// cursor walks the parts of one array or object.
type cursor struct {
	text []byte
	at   int  // where the next part, or the comma before it, is looked for
	more bool // a part was found before, so a comma must come first
}

// enter returns a cursor into v if it begins with the bracket; otherwise one that finds nothing.
func enter(v Value, bracket byte) cursor {
	if len(v) == 0 || v[0] != bracket {
		return cursor{}
	}
	return cursor{text: v, at: 1}
}

// part moves to the first byte of the next part, false at the end or at anything unexpected.
func (c *cursor) part() bool {
	c.at = skipSpace(c.text, c.at)
	if c.more {
		if c.at >= len(c.text) || c.text[c.at] != ',' {
			return false
		}
		c.at = skipSpace(c.text, c.at+1)
	}
	c.more = true
	return c.at < len(c.text)
}

func (c *cursor) element() (Span, bool) {
	if !c.part() {
		return Span{}, false
	}
	from := c.at
	end := skipValue(c.text, from)
	if end < 0 {
		return Span{}, false
	}
	c.at = end
	return Span{from, end}, true
}

func (c *cursor) member() (Member, bool) {
	if !c.part() || c.text[c.at] != '"' {
		return Member{}, false
	}
	from := c.at + 1
	end := skipString(c.text, c.at)
	if end < 0 {
		return Member{}, false
	}
	colon := skipSpace(c.text, end)
	if colon >= len(c.text) || c.text[colon] != ':' {
		return Member{}, false
	}
	value := skipSpace(c.text, colon+1)
	if c.at = skipValue(c.text, value); c.at < 0 {
		// The walk is over; stay in range for a caller that asks again.
		c.at = len(c.text)
		return Member{}, false
	}
	return Member{Key: Span{from, end - 1}, Value: Span{value, c.at}}, true
}
