package anthropic

import (
	"bytes"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// NewStreamEncoder writes message_start, content blocks, message_delta and
// message_stop.
func (Codec) NewStreamEncoder(r *transform.Request) transform.StreamEncoder {
	return &streamEncoder{model: modelOf("", r)}
}

// streamEncoder writes blocks one after the other, as the format demands. A
// block is opened by its first content. A tool call stays open until it is
// whole; what comes for other blocks meanwhile waits. The reason to stop is
// held back until the end: usage may come after it, and goes into the same event.
type streamEncoder struct {
	model         string
	begun, closed bool

	// open is the kind of the block that is open, index its number, or that of
	// the next one, and part what the deltas call it.
	open        openedKind
	index, part int
	// head is how every event begins that adds to the open block.
	head   []byte
	signed bool // of thinking: it has its signature
	call   int  // of a call: its place among the calls

	calls   []callEncoder
	waiting []waitingBlock
	held    int // bytes that wait

	finish       transform.Finish
	stopSequence string
	refused      bool
	usage        usage.Tokens
}

type openedKind uint8

const (
	openedNone openedKind = iota
	openedText
	openedThinking
	openedCall
)

const (
	pingEvent  = "event: ping\ndata: {\"type\":\"ping\"}\n\n"
	deltaEvent = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"
	startEvent = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"
	stopEvent  = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"
	closeDelta = "}}\n\n" // of the delta and of its event
)

// Append implements [transform.StreamEncoder].
func (e *streamEncoder) Append(dst []byte, d *transform.Delta) []byte {
	if e.closed || d.Choice != 0 {
		return dst
	}
	switch d.Kind {
	case transform.DeltaPing:
		if e.begun {
			dst = append(dst, pingEvent...)
		}
		return dst
	case transform.DeltaError:
		return e.AppendError(dst, d.Err, "")
	case transform.DeltaUsage:
		e.usage = d.Usage
		return dst
	case transform.DeltaLogprobs:
		return dst
	case transform.DeltaStart:
		return e.begin(dst, d)
	}
	dst = e.begin(dst, nil)
	switch d.Kind {
	case transform.DeltaText:
		return e.say(dst, openedText, d.Part, d.Text)
	case transform.DeltaReasoning:
		return e.say(dst, openedThinking, d.Part, d.Text)
	case transform.DeltaRefusal:
		e.refused = true
		return e.say(dst, openedText, d.Part, d.Text)
	case transform.DeltaOpaque:
		return e.opaque(dst, d)
	case transform.DeltaToolStart:
		return e.toolStart(dst, d)
	case transform.DeltaToolArguments:
		return e.toolArguments(dst, d)
	case transform.DeltaPartEnd:
		return e.partEnd(dst, d.Part)
	case transform.DeltaCitation:
		return e.cite(dst, d.Citation)
	case transform.DeltaMedia:
		if d.Media != nil && d.Media.Kind == transform.PartImage {
			return e.say(dst, openedText, d.Part, imageLink(&d.Media.Media))
		}
	case transform.DeltaFinish:
		e.finish, e.stopSequence = d.Finish, d.StopSequence
	}
	return dst
}

// begin writes the start of the message; d is nil if the provider sent none.
func (e *streamEncoder) begin(dst []byte, d *transform.Delta) []byte {
	if e.begun {
		return dst
	}
	e.begun = true
	id, model, tier := "", e.model, ""
	if d != nil {
		id, tier, e.usage = d.ID, d.ServiceTier, d.Usage
		if d.Model != "" {
			model = d.Model
		}
	}
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"...)
	dst = jsonbytes.AppendString(dst, messageID(id))
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	dst = jsonbytes.AppendString(dst, model)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"container":null,"usage":`...)
	start := e.usage
	start.Output, start.Reasoning = 0, 0 // clients may add what the end says
	dst = appendUsage(dst, start, tier)
	dst = append(dst, closeDelta...)
	return append(dst, pingEvent...)
}

// say adds text or thinking.
func (e *streamEncoder) say(dst []byte, kind openedKind, part int, text transform.Literal) []byte {
	if len(text) <= len(`""`) {
		return dst
	}
	if e.open != kind || e.part != part || e.signed {
		if e.busy() {
			return e.wait(dst, kind, part, text, nil)
		}
		dst = e.closeBlock(dst)
		dst = e.openBlock(dst, kind, part)
	}
	return e.piece(dst, text)
}

// piece adds to the open block.
func (e *streamEncoder) piece(dst []byte, text transform.Literal) []byte {
	dst = append(dst, e.head...)
	dst = append(dst, text...)
	return append(dst, closeDelta...)
}

// openBlock opens a block of text or thinking.
func (e *streamEncoder) openBlock(dst []byte, kind openedKind, part int) []byte {
	e.open, e.part, e.signed = kind, part, false
	if kind == openedThinking {
		e.setHead(`thinking_delta","thinking":`)
		return e.start(dst, `{"type":"thinking","thinking":"","signature":""}`)
	}
	e.setHead(`text_delta","text":`)
	return e.start(dst, `{"type":"text","text":""}`)
}

// start writes the event that opens a block.
func (e *streamEncoder) start(dst []byte, block string) []byte {
	dst = append(dst, startEvent...)
	dst = strconv.AppendInt(dst, int64(e.index), 10)
	dst = append(dst, `,"content_block":`...)
	dst = append(dst, block...)
	return append(dst, "}\n\n"...)
}

// setHead prepares the events that add to the block that is being opened.
func (e *streamEncoder) setHead(kind string) {
	e.head = append(e.head[:0], deltaEvent...)
	e.head = strconv.AppendInt(e.head, int64(e.index), 10)
	e.head = append(e.head, `,"delta":{"type":"`...)
	e.head = append(e.head, kind...)
}

// closeBlock closes the open block, if one is.
func (e *streamEncoder) closeBlock(dst []byte) []byte {
	switch e.open {
	case openedNone:
		return dst
	case openedCall:
		dst = e.endCall(dst)
	}
	e.open, e.signed = openedNone, false
	return e.stop(dst)
}

func (e *streamEncoder) stop(dst []byte) []byte {
	dst = append(dst, stopEvent...)
	dst = strconv.AppendInt(dst, int64(e.index), 10)
	e.index++
	return append(dst, "}\n\n"...)
}

// opaque gives a signature to the thinking or the call that it vouches for, and
// anything else a block of its own.
func (e *streamEncoder) opaque(dst []byte, d *transform.Delta) []byte {
	o := &d.Opaque
	if o.Kind == transform.OpaqueNone || len(o.Data) < len(`""`) {
		return dst
	}
	if e.open == openedThinking && e.part == d.Part && !e.signed && !isRedacted(o) {
		return e.sign(dst, o)
	}
	if at := e.callOfPart(d.Part); at >= 0 && o.Kind == transform.OpaqueSignature {
		return e.signCall(dst, at, o)
	}
	return e.alone(dst, d.Part, o)
}

// isRedacted tells whether a piece is what the format has a block of its own for.
func isRedacted(o *transform.Opaque) bool {
	return o.Kind == transform.OpaqueRedacted && o.Vendor == transform.VendorAnthropic
}

// sign adds a signature to the thinking that is open.
func (e *streamEncoder) sign(dst []byte, o *transform.Opaque) []byte {
	e.signed = true
	dst = append(dst, deltaEvent...)
	dst = strconv.AppendInt(dst, int64(e.index), 10)
	dst = append(dst, `,"delta":{"type":"signature_delta","signature":`...)
	dst = append(dst, o.Seal(transform.VendorAnthropic)...)
	return append(dst, closeDelta...)
}

// alone writes a piece as a block of its own.
func (e *streamEncoder) alone(dst []byte, part int, o *transform.Opaque) []byte {
	if e.busy() {
		return e.wait(dst, openedThinking, part, nil, o)
	}
	dst = e.closeBlock(dst)
	if isRedacted(o) {
		block := append([]byte(`{"type":"redacted_thinking","data":`), o.Data...)
		dst = e.start(dst, string(append(block, '}')))
		return e.stop(dst)
	}
	dst = e.openBlock(dst, openedThinking, part)
	dst = e.sign(dst, o)
	return e.closeBlock(dst)
}

// cite adds a citation to the text that is open; of any other it comes too late.
func (e *streamEncoder) cite(dst []byte, annotation jsonbytes.Value) []byte {
	if e.open != openedText {
		return dst
	}
	before := len(dst)
	dst = append(dst, deltaEvent...)
	dst = strconv.AppendInt(dst, int64(e.index), 10)
	dst = append(dst, `,"delta":{"type":"citations_delta","citation":`...)
	dst, ok := appendCitation(dst, annotation)
	if !ok {
		return dst[:before]
	}
	return append(dst, closeDelta...)
}

// partEnd closes the block of a part.
func (e *streamEncoder) partEnd(dst []byte, part int) []byte {
	if (e.open == openedText || e.open == openedThinking) && e.part == part {
		return e.closeBlock(dst)
	}
	if at := e.callOfPart(part); at >= 0 {
		return e.finishCall(dst, at)
	}
	return dst
}

// AppendEnd closes what is open and says why the answer ended and what it took.
func (e *streamEncoder) AppendEnd(dst []byte) []byte {
	if e.closed {
		return dst
	}
	dst = e.begin(dst, nil)
	for e.open != openedNone || len(e.waiting) > 0 {
		dst = e.closeBlock(dst)
		dst = e.goOn(dst)
	}
	e.closed = true
	reason := stopReason(e.finish, e.stopSequence, len(e.calls) > 0, e.refused)
	dst = append(dst, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\""...)
	dst = append(dst, reason...)
	dst = append(dst, `","stop_sequence":`...)
	dst = appendOrNull(dst, sequenceOf(reason, e.stopSequence))
	dst = append(dst, `,"stop_details":null},"usage":`...)
	dst = appendCounts(dst, e.usage)
	dst = append(dst, closeDelta...)
	return append(dst, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

// AppendError ends the stream where it is.
func (e *streamEncoder) AppendError(dst []byte, failure *transform.Error, requestID string) []byte {
	if e.closed {
		return dst
	}
	e.closed, e.waiting = true, nil
	if failure == nil {
		failure = &transform.Error{Kind: transform.ErrUpstream}
	}
	return Codec{}.AppendStreamError(dst, failure, requestID)
}

// keep is a copy of a piece: what a delta points to is not ours.
func keep(o *transform.Opaque) transform.Opaque {
	piece := *o
	piece.Data = bytes.Clone(o.Data)
	return piece
}
