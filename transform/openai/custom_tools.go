package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxHeld is how many bytes of a call are held at most. It is far beyond what
// any model writes in one: a provider gone mad must not fill the memory.
const maxHeld = 8 << 20

// heldInput is the call to an emulated tool that a stream is in. Only as a whole
// can its arguments be unwrapped. Formats that emulate tools send one call after
// the other, so that one is enough.
type heldInput struct {
	open       bool
	at         int // among the choice's calls
	tool, part int // as the deltas call it
	// literal is what came of the arguments, without the closing quote: pieces
	// are joined before they are read, for one may end in half a surrogate pair.
	literal transform.Literal
}

func (h *heldInput) begin(at int, d *transform.Delta) {
	*h = heldInput{open: true, at: at, tool: d.Tool, part: d.Part, literal: append(h.literal[:0], '"')}
}

// continuedBy tells whether the call may go on after d.
func (h *heldInput) continuedBy(d *transform.Delta) bool {
	switch d.Kind {
	case transform.DeltaToolStart, transform.DeltaToolArguments:
		return d.Tool == h.tool
	case transform.DeltaOpaque:
		return d.Part == h.part
	case transform.DeltaPartEnd:
		return d.Part != h.part
	case transform.DeltaCitation, transform.DeltaLogprobs:
		return true // they belong to no part of their own
	}
	return false
}

// hold keeps a piece of the call's arguments.
func (e *streamEncoder) hold(dst []byte, c *choiceEncoder, text transform.Literal) []byte {
	c.held.literal = append(c.held.literal, text[1:len(text)-1]...)
	if len(c.held.literal) > maxHeld {
		return e.release(dst, c)
	}
	return dst
}

// release writes the text of the call that is held. What comes of it later is
// written as it comes.
func (e *streamEncoder) release(dst []byte, c *choiceEncoder) []byte {
	h := &c.held
	if !h.open {
		return dst
	}
	h.open = false
	text := transform.FreeText(append(h.literal, '"').AppendText(nil))
	if len(text) == 0 {
		return dst // as the call began
	}
	return e.argument(dst, c, h.at, jsonbytes.AppendBytes(nil, text))
}
