package openai

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// thinkTags takes apart an answer that begins with what the model thought,
// between <think> and </think>. It works on the insides of literals, where a
// tag may be spelled with escapes, and holds back no more than the beginning
// of a tag.
type thinkTags struct {
	state thinkState
	held  []byte
}

type thinkState uint8

const (
	thinkOff    thinkState = iota // all that comes is the answer
	thinkBefore                   // nothing was said
	thinkBegun                    // nothing was thought since the beginning
	thinkInside
	thinkAfter // nothing was said since the end
)

var (
	thinkBegin = []byte("<think>")
	thinkEnd   = []byte("</think>")
)

// maxBlank is how much white space may stand before the first tag.
const maxBlank = 64

// take reads a piece of an answer: what was thought, then what was said. Either
// may be nil.
func (s *thinkTags) take(piece transform.Literal) (thought, said transform.Literal) {
	if s.state == thinkOff {
		return nil, piece
	}
	raw := piece[1 : len(piece)-1]
	if len(s.held) > 0 {
		raw = append(s.held, raw...)
		s.held = nil
	}
	if s.state == thinkBefore {
		rest := skipSpace(raw)
		n, found := tagAt(rest, thinkBegin)
		near := len(raw)-len(rest) <= maxBlank
		switch {
		case found && near:
			s.state, raw = thinkBegun, rest[n:]
		case n == len(rest) && near:
			s.held = bytes.Clone(raw)
			return nil, nil
		default:
			s.state = thinkOff
			return nil, quoted(raw)
		}
	}
	if s.state == thinkBegun {
		if raw = skipSpace(raw); len(raw) == 0 {
			return nil, nil
		}
		s.state = thinkInside
	}
	if s.state == thinkInside {
		at, n, found := findTag(raw, thinkEnd)
		thought = quoted(raw[:at])
		if !found {
			s.held = bytes.Clone(raw[at:])
			return thought, nil
		}
		s.state, raw = thinkAfter, raw[at+n:]
	}
	if raw = skipSpace(raw); len(raw) == 0 {
		return thought, nil
	}
	s.state = thinkOff
	return thought, quoted(raw)
}

// flush gives what is held back once nothing more comes.
func (s *thinkTags) flush() (thought, said transform.Literal) {
	held := quoted(s.held)
	inside := s.state == thinkInside
	*s = thinkTags{}
	if inside {
		return held, nil
	}
	return nil, held
}

// findTag finds a tag, or the beginning of one at the end of raw; at is len(raw)
// where there is neither.
func findTag(raw, tag []byte) (at, n int, found bool) {
	for at = 0; at < len(raw); {
		c, width := char(raw[at:])
		if c == tag[0] {
			if n, found = tagAt(raw[at:], tag); found || at+n == len(raw) {
				return at, n, found
			}
		}
		at += width
	}
	return at, 0, false
}

// tagAt compares the beginning of raw with a tag. n is how much of raw agrees
// with it.
func tagAt(raw, tag []byte) (n int, found bool) {
	for i := range tag {
		if n == len(raw) {
			return n, false
		}
		c, width := char(raw[n:])
		if c != tag[i] {
			return -1, false
		}
		n += width
	}
	return n, true
}

// char reads one character of a literal's inside as far as it may be part of a
// tag, and how long its spelling is.
func char(raw []byte) (c byte, width int) {
	switch {
	case raw[0] != '\\':
		return raw[0], 1
	case len(raw) < 2:
		return 0, len(raw)
	case raw[1] == '/':
		return '/', 2
	case raw[1] == 'n' || raw[1] == 'r' || raw[1] == 't':
		return ' ', 2
	case raw[1] != 'u' || len(raw) < 6:
		return 0, 2
	case bytes.EqualFold(raw[2:6], []byte("003c")):
		return '<', 6
	case bytes.EqualFold(raw[2:6], []byte("003e")):
		return '>', 6
	}
	return 0, 6
}

func skipSpace(raw []byte) []byte {
	for len(raw) > 0 {
		c, width := char(raw)
		if c != ' ' {
			break
		}
		raw = raw[width:]
	}
	return raw
}

// quoted makes a literal of its inside, nil of an empty one.
func quoted(raw []byte) transform.Literal {
	if len(raw) == 0 {
		return nil
	}
	literal := make(transform.Literal, 0, len(raw)+2)
	literal = append(append(literal, '"'), raw...)
	return append(literal, '"')
}

// flushTags ends the search for tags: something else than text begins.
func (c *choiceDecoder) flushTags(dst []transform.Delta) []transform.Delta {
	if c.tags.state == thinkOff {
		return dst
	}
	thought, said := c.tags.flush()
	if thought != nil {
		dst = c.thought(dst, thought, -1)
	}
	if said != nil {
		dst = c.text(dst, said)
	}
	return dst
}

// withoutTags takes tags out of the first text of a whole answer.
func withoutTags(parts []transform.Part) []transform.Part {
	if len(parts) == 0 || parts[0].Kind != transform.PartText {
		return parts
	}
	tags := thinkTags{state: thinkBefore}
	thought, said := tags.take(parts[0].Text)
	more, rest := tags.flush()
	thought, said = jsonbytes.Concat(thought, more), jsonbytes.Concat(said, rest)
	var apart []transform.Part
	if thought != nil {
		apart = append(apart, transform.Part{Kind: transform.PartReasoning, Text: thought})
	}
	if said != nil {
		apart = append(apart, transform.Part{Kind: transform.PartText, Text: said})
	}
	return append(apart, parts[1:]...)
}
