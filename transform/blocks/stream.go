package blocks

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// MaxOpen is how many blocks of a stream may be open at once.
const MaxOpen = 64

// maxCitations is how many citations of an open block are kept.
const maxCitations = 256

// Stream knows the blocks of a streamed answer that have begun and not ended.
type Stream struct {
	// Calls is how many tool calls have begun, Characters the length of the text so far.
	Calls, Characters int

	open []openBlock
}

type openBlock struct {
	index  int
	kind   openKind
	tool   int
	filled bool // has had some of its arguments
	// start is where its text begins, citations are annotations without their end.
	start     int
	citations [][]byte
}

type openKind uint8

const (
	openText openKind = iota // or reasoning: what is told by its deltas
	openCall
	openAnswer
	openIgnored
)

// Begin opens a block of text or reasoning. It is false if too many are open.
func (s *Stream) Begin(index int) bool { return s.begin(openBlock{index: index}) }

// Ignore opens a block that is not for the client.
func (s *Stream) Ignore(index int) bool { return s.begin(openBlock{index: index, kind: openIgnored}) }

func (s *Stream) begin(b openBlock) bool {
	if len(s.open) == MaxOpen {
		return false
	}
	b.start = s.Characters
	s.open = append(s.open, b)
	return true
}

// BeginCall opens a call.
func (s *Stream) BeginCall(dst []transform.Delta, index int, id, name jsonbytes.Value) ([]transform.Delta, bool) {
	if name.Is(AnswerTool) {
		return dst, s.begin(openBlock{index: index, kind: openAnswer})
	}
	if !s.begin(openBlock{index: index, kind: openCall, tool: s.Calls}) {
		return dst, false
	}
	var call transform.ToolCall
	call.ID, _ = id.Text()
	call.Name, _ = name.Text()
	s.Calls++
	return append(dst, transform.Delta{Kind: transform.DeltaToolStart, Part: index, Tool: s.Calls - 1, Call: call}), true
}

// Text adds to the text.
func (s *Stream) Text(dst []transform.Delta, index int, piece transform.Literal) []transform.Delta {
	s.Characters += piece.Characters()
	return append(dst, transform.Delta{Kind: transform.DeltaText, Part: index, Text: piece})
}

// Arguments adds to those of a call. What the provider's own tools are given is
// not for the client.
func (s *Stream) Arguments(dst []transform.Delta, index int, piece transform.Literal) []transform.Delta {
	if at := s.find(index); at >= 0 {
		return s.open[at].arguments(dst, piece)
	}
	return dst
}

func (b *openBlock) arguments(dst []transform.Delta, piece transform.Literal) []transform.Delta {
	b.filled = true
	switch b.kind {
	case openAnswer:
		return append(dst, transform.Delta{Kind: transform.DeltaText, Part: b.index, Text: piece})
	case openCall:
		return append(dst, transform.Delta{Kind: transform.DeltaToolArguments, Part: b.index, Tool: b.tool, Text: piece})
	}
	return dst
}

// IsOpen tells whether a block has begun and not ended.
func (s *Stream) IsOpen(index int) bool { return s.find(index) >= 0 }

// Cite keeps a citation, whose end is missing, until that of its block is known.
func (s *Stream) Cite(index int, citation []byte) {
	if at := s.find(index); at >= 0 && citation != nil && len(s.open[at].citations) < maxCitations {
		s.open[at].citations = append(s.open[at].citations, citation)
	}
}

var emptyArguments = transform.Literal(`"{}"`)

// End closes a block.
func (s *Stream) End(dst []transform.Delta, index int) []transform.Delta {
	at := s.find(index)
	if at < 0 {
		return dst
	}
	b := &s.open[at]
	if b.kind != openIgnored {
		if !b.filled {
			dst = b.arguments(dst, emptyArguments)
		}
		for _, citation := range b.citations {
			citation = closeCitation(citation, b.start, s.Characters)
			dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Part: index, Citation: citation})
		}
		dst = append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: index, Tool: b.tool})
	}
	s.open = slices.Delete(s.open, at, at+1)
	return dst
}

// find is the place of an open block, -1 if there is none. The one sought is
// nearly always the only one.
func (s *Stream) find(index int) int {
	for at := len(s.open) - 1; at >= 0; at-- {
		if s.open[at].index == index {
			return at
		}
	}
	return -1
}
