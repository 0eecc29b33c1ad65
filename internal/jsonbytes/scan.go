package jsonbytes

const (
	defaultDepth = 64
	// deepest keeps the recursion far from the limit of a goroutine's stack.
	deepest = 10_000
)

// Span is the part text[From:To] of a text, in bytes.
type Span struct{ From, To int }

// Of returns the part of text the span stands for.
func (s Span) Of(text []byte) []byte { return text[s.From:s.To:s.To] }

// Member is one member of an object, as offsets in the text.
type Member struct {
	Key   Span // as written between its quotes, escapes and all
	Value Span // without surrounding white space
}

// Raw returns the member's value as a view of text.
func (m Member) Raw(text []byte) Value { return Value(m.Value.Of(text)) }

// Scan validates text as exactly one JSON object and appends its members to dst in order.
//
// The text must follow RFC 8259 to the letter and be valid UTF-8; escapes of lone surrogates pass.
// Arrays and objects may nest maxDepth levels, the object itself being the first; 0 means 64, and
// more than 10,000 means 10,000.
//
// The error is a [SyntaxError], a [DepthError], or, for keys of the object itself, a
// [DuplicateKeyError] or [KeyCaseError]. Then dst comes back with its old length.
func Scan(dst []Member, text []byte, maxDepth int) ([]Member, error) {
	before := len(dst)
	s := scanner{text: text, max: levels(maxDepth), members: dst, record: true}
	at := s.space(0)
	if at < len(text) && text[at] != '{' {
		s.fail(at, "expected an object")
	} else {
		s.document(at)
	}
	if s.err != nil {
		return s.members[:before], s.err
	}
	if err := uniqueKeys(text, s.members[before:], ""); err != nil {
		return s.members[:before], err
	}
	return s.members, nil
}

// Check validates text as exactly one JSON value of any kind, under the rules of [Scan].
// It does not compare keys. The error is a [SyntaxError] or a [DepthError].
func Check(text []byte, maxDepth int) error {
	s := scanner{text: text, max: levels(maxDepth)}
	s.document(s.space(0))
	return s.err
}

func levels(maxDepth int) int {
	if maxDepth <= 0 {
		return defaultDepth
	}
	return min(maxDepth, deepest)
}

// failed is what the scanner's methods return instead of an offset once err is set.
const failed = -1

// scanner validates a text. Its methods take the offset of a part and return the offset behind it.
type scanner struct {
	text    []byte
	max     int
	record  bool // collect the members of the outermost object
	members []Member
	err     error
}

func (s *scanner) fail(at int, reason string) int {
	if at >= len(s.text) {
		reason = "unexpected end"
	}
	s.err = &SyntaxError{Offset: at, Reason: reason}
	return failed
}

func (s *scanner) document(at int) {
	if at = s.value(at, 1); at == failed {
		return
	}
	if at = s.space(at); at < len(s.text) {
		s.fail(at, "unexpected text after the value")
	}
}

func (s *scanner) space(at int) int {
	for at < len(s.text) && isSpace(s.text[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool {
	return c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t')
}

// value validates one value; depth is the level a bracket opened here would have.
func (s *scanner) value(at, depth int) int {
	if at >= len(s.text) {
		return s.fail(at, "")
	}
	switch c := s.text[at]; {
	case c == '"':
		return s.quoted(at + 1)
	case c == '{':
		return s.object(at, depth)
	case c == '[':
		return s.array(at, depth)
	case c == '-' || isDigit(c):
		return s.number(at)
	case c == 't':
		return s.literal(at, "true")
	case c == 'f':
		return s.literal(at, "false")
	case c == 'n':
		return s.literal(at, "null")
	}
	return s.fail(at, "unexpected character")
}

func (s *scanner) literal(at int, word string) int {
	for i := range len(word) {
		if at+i >= len(s.text) || s.text[at+i] != word[i] {
			return s.fail(at+i, "unexpected character")
		}
	}
	return at + len(word)
}

func (s *scanner) number(at int) int {
	end, ok := skipNumber(s.text, at)
	if !ok {
		return s.fail(end, "malformed number")
	}
	return end
}

func (s *scanner) tooDeep(at, depth int) bool {
	if depth > s.max {
		s.err = &DepthError{Offset: at, Max: s.max}
		return true
	}
	return false
}

func (s *scanner) array(at, depth int) int {
	if s.tooDeep(at, depth) {
		return failed
	}
	at = s.space(at + 1)
	if at < len(s.text) && s.text[at] == ']' {
		return at + 1
	}
	for {
		if at = s.value(at, depth+1); at == failed {
			return failed
		}
		at = s.space(at)
		if at >= len(s.text) {
			return s.fail(at, "")
		}
		switch s.text[at] {
		case ',':
			at = s.space(at + 1)
		case ']':
			return at + 1
		default:
			return s.fail(at, "expected a comma or the end of the array")
		}
	}
}

func (s *scanner) object(at, depth int) int {
	if s.tooDeep(at, depth) {
		return failed
	}
	at = s.space(at + 1)
	if at < len(s.text) && s.text[at] == '}' {
		return at + 1
	}
	for {
		if at = s.member(at, depth); at == failed {
			return failed
		}
		at = s.space(at)
		if at >= len(s.text) {
			return s.fail(at, "")
		}
		switch s.text[at] {
		case ',':
			at = s.space(at + 1)
		case '}':
			return at + 1
		default:
			return s.fail(at, "expected a comma or the end of the object")
		}
	}
}

func (s *scanner) member(at, depth int) int {
	if at >= len(s.text) || s.text[at] != '"' {
		return s.fail(at, "expected a key")
	}
	key := at + 1
	keyEnd := s.quoted(key)
	if keyEnd == failed {
		return failed
	}
	at = s.space(keyEnd)
	if at >= len(s.text) || s.text[at] != ':' {
		return s.fail(at, "expected a colon")
	}
	value := s.space(at + 1)
	end := s.value(value, depth+1)
	if end != failed && depth == 1 && s.record {
		s.members = append(s.members, Member{Key: Span{key, keyEnd - 1}, Value: Span{value, end}})
	}
	return end
}
