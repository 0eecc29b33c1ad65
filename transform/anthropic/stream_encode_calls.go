package anthropic

import (
	"bytes"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Bounds of what a stream may make us remember.
const (
	maxEncodedCalls = 1024
	maxWaiting      = 1024
	maxHeld         = 4 << 20
)

// errInterleaved ends a stream whose tool calls come in pieces too mixed to be
// told one after the other.
var errInterleaved = &transform.Error{
	Kind: transform.ErrUpstream, Code: "upstream_protocol_error",
	Message: "the provider mixed more tool calls than can be put in order: switch parallel tool calls off",
}

// callEncoder is one tool call.
type callEncoder struct {
	tool, part int // as the deltas call it
	id, name   string
	opaque     transform.Opaque
	extent     extent

	// begun: its block is open or closed. said: it has some arguments.
	// whole: no more will come. done: its block is closed.
	begun, said, whole, done bool
}

// waitingBlock is what came for a block that could not be opened yet.
type waitingBlock struct {
	kind   openedKind
	part   int
	call   int // its place among the calls
	text   transform.Literal
	opaque transform.Opaque
}

// busy tells whether a call is open that may get more arguments, so that no
// other block may be opened.
func (e *streamEncoder) busy() bool {
	return e.open == openedCall && !e.calls[e.call].complete()
}

// complete tells whether a call has all its arguments: it was said, or they are
// a whole object.
func (c *callEncoder) complete() bool { return c.whole || c.extent.whole() }

// callOfTool is the place of a call, -1 if there is none. The one sought is
// nearly always the last.
func (e *streamEncoder) callOfTool(tool int) int {
	for at := len(e.calls) - 1; at >= 0; at-- {
		if e.calls[at].tool == tool {
			return at
		}
	}
	return -1
}

func (e *streamEncoder) callOfPart(part int) int {
	for at := len(e.calls) - 1; at >= 0; at-- {
		if e.calls[at].part == part {
			return at
		}
	}
	return -1
}

// toolStart makes a call known. Its block is opened with its first arguments,
// so that a signature which comes before them can stand before it.
func (e *streamEncoder) toolStart(dst []byte, d *transform.Delta) []byte {
	if e.callOfTool(d.Tool) >= 0 {
		return dst // calls begin once
	}
	if len(e.calls) == maxEncodedCalls {
		return e.AppendError(dst, errInterleaved, "")
	}
	at := len(e.calls)
	e.calls = append(e.calls, callEncoder{tool: d.Tool, part: d.Part, id: d.Call.ID, name: d.Call.Name, opaque: keep(&d.Opaque)})
	if e.busy() {
		if len(e.waiting) == maxWaiting {
			return e.AppendError(dst, errInterleaved, "")
		}
		e.waiting = append(e.waiting, waitingBlock{kind: openedCall, call: at})
	} else {
		dst = e.closeBlock(dst)
		e.open, e.call = openedCall, at
	}
	if len(d.Call.Arguments) > 0 {
		dst = e.argument(dst, at, jsonbytes.AppendBytes(nil, d.Call.Arguments))
	}
	return dst
}

func (e *streamEncoder) toolArguments(dst []byte, d *transform.Delta) []byte {
	at := e.callOfTool(d.Tool)
	if at < 0 || len(d.Text) <= len(`""`) {
		return dst
	}
	return e.argument(dst, at, d.Text)
}

// argument adds arguments to a call, now or when its turn comes.
func (e *streamEncoder) argument(dst []byte, at int, text transform.Literal) []byte {
	c := &e.calls[at]
	switch {
	case c.done:
		return dst // behind the end of a whole object: nothing that counts
	case e.open == openedCall && e.call == at:
		dst = e.openCall(dst, c)
		c.said = true
		c.extent.read(text)
		dst = e.piece(dst, text)
		return e.goOn(dst)
	}
	for i := range e.waiting {
		if w := &e.waiting[i]; w.kind == openedCall && w.call == at {
			return e.hold(dst, w, text)
		}
	}
	return dst
}

// openCall writes the start of the call whose turn it is.
func (e *streamEncoder) openCall(dst []byte, c *callEncoder) []byte {
	if c.begun {
		return dst
	}
	c.begun = true
	if c.opaque.Kind == transform.OpaqueSignature && len(c.opaque.Data) >= len(`""`) {
		e.open = openedNone
		dst = e.alone(dst, c.part, &c.opaque)
		e.open = openedCall
	}
	e.part = c.part
	e.setHead(`input_json_delta","partial_json":`)
	dst = append(dst, startEvent...)
	dst = strconv.AppendInt(dst, int64(e.index), 10)
	dst = append(dst, `,"content_block":`...)
	dst = appendCallStart(dst, &transform.ToolCall{ID: c.id, Name: c.name})
	return append(dst, "{}}}\n\n"...)
}

var noArguments = transform.Literal(`"{}"`)

// endCall makes the open call one that may be closed: clients parse what the
// pieces of its input come to.
func (e *streamEncoder) endCall(dst []byte) []byte {
	c := &e.calls[e.call]
	dst = e.openCall(dst, c)
	if !c.said {
		dst = e.piece(dst, noArguments)
	}
	c.done = true
	return dst
}

// finishCall notes that a call is whole.
func (e *streamEncoder) finishCall(dst []byte, at int) []byte {
	c := &e.calls[at]
	c.whole = true
	if e.open != openedCall || e.call != at {
		return dst
	}
	dst = e.closeBlock(dst)
	return e.goOn(dst)
}

// signCall gives a call what vouches for it. If its block has begun already
// the piece follows, with the call's id in it.
func (e *streamEncoder) signCall(dst []byte, at int, o *transform.Opaque) []byte {
	c := &e.calls[at]
	if !c.begun {
		c.opaque = keep(o)
		return dst
	}
	piece := withID(o, c.id)
	return e.alone(dst, -1, &piece)
}

// wait keeps text or thinking for a block of its own.
func (e *streamEncoder) wait(dst []byte, kind openedKind, part int, text transform.Literal, o *transform.Opaque) []byte {
	var w *waitingBlock
	if n := len(e.waiting); n > 0 {
		w = &e.waiting[n-1]
	}
	if w == nil || w.kind != kind || w.part != part || w.opaque.Kind != transform.OpaqueNone || o != nil && isRedacted(o) {
		if len(e.waiting) == maxWaiting {
			return e.AppendError(dst, errInterleaved, "")
		}
		e.waiting = append(e.waiting, waitingBlock{kind: kind, part: part})
		w = &e.waiting[len(e.waiting)-1]
	}
	if o != nil {
		w.opaque = keep(o)
		e.held += len(o.Data)
	}
	return e.hold(dst, w, text)
}

// hold adds text to a waiting block, or ends the stream if too much waits.
func (e *streamEncoder) hold(dst []byte, w *waitingBlock, text transform.Literal) []byte {
	e.held += len(text)
	if e.held > maxHeld {
		return e.AppendError(dst, errInterleaved, "")
	}
	switch {
	case len(text) <= len(`""`):
	case w.text == nil:
		w.text = bytes.Clone(text)
	default:
		w.text = append(w.text[:len(w.text)-1], text[1:]...)
	}
	return dst
}

// goOn writes what waits, as far as it may: up to the next call that is not whole.
func (e *streamEncoder) goOn(dst []byte) []byte {
	for len(e.waiting) > 0 && !e.busy() {
		dst = e.closeBlock(dst)
		w := e.waiting[0]
		e.waiting[0] = waitingBlock{}
		e.waiting = e.waiting[1:]
		e.held -= len(w.text) + len(w.opaque.Data)
		switch {
		case w.kind == openedCall:
			dst = e.resume(dst, &w)
		case w.text == nil:
			dst = e.alone(dst, w.part, &w.opaque)
		default:
			dst = e.openBlock(dst, w.kind, w.part)
			dst = e.piece(dst, w.text)
			if w.opaque.Kind != transform.OpaqueNone {
				dst = e.sign(dst, &w.opaque)
			}
		}
	}
	if len(e.waiting) == 0 {
		e.waiting, e.held = nil, 0
	}
	return dst
}

// resume opens a call that waited.
func (e *streamEncoder) resume(dst []byte, w *waitingBlock) []byte {
	c := &e.calls[w.call]
	e.open, e.call = openedCall, w.call
	if w.text == nil {
		return dst
	}
	dst = e.openCall(dst, c)
	c.said = true
	c.extent.read(w.text)
	return e.piece(dst, w.text)
}
