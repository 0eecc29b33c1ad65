package responses

import (
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// NewStreamEncoder writes the events of one response.
func (Codec) NewStreamEncoder(r *transform.Request) transform.StreamEncoder {
	return &streamEncoder{r: r, current: -1}
}

// What one stream may hold. The last event repeats the whole answer, so that it
// must be kept: no answer comes near, but a provider gone mad must not fill the
// memory.
const (
	maxItems  = 4096
	maxAnswer = 64 << 20
	maxNotes  = 1024
)

// streamEncoder opens items in the order in which they come. A message and
// reasoning are written one at a time, calls may be open beside them. How the
// answer ended is held back until the end.
type streamEncoder struct {
	r *transform.Request // may be nil
	envelope
	number int64 // of the next event

	begun, closed bool
	items         []item
	current       int // the message or the reasoning that is open, -1: none
	size          int // of everything kept

	signatures []signature // of calls that were begun before they came
	finish     transform.Finish
	usage      usage.Tokens
}

type signature struct {
	opaque transform.Opaque
	callID string
}

// itemKind is what an output item is.
type itemKind uint8

const (
	itemMessage itemKind = iota
	itemReasoning
	itemCall
	itemImage
)

// item is an output item, as far as it has been written.
type item struct {
	kind itemKind
	id   []byte // a literal
	done bool
	// part and tool are what the deltas call it.
	part, tool int

	// text is the inside of a literal: of the part that is open, the arguments, or
	// the picture.
	text []byte
	// Of the part that is open: what it is, its number, the elements of its lists.
	open        partKind
	index       int
	notes, logs []byte
	noted       int

	parts  []byte // those that are done; in the end the whole item
	opaque transform.Opaque
	call   transform.ToolCall
	// namespace is where the client's tool of that name is.
	namespace string
	held      bool // the arguments, which can only be unwrapped as a whole
}

type partKind uint8

const (
	noPart partKind = iota
	textPart
	refusalPart
	summaryPart
)

func (e *streamEncoder) Append(dst []byte, d *transform.Delta) []byte {
	if e.closed || d.Choice != 0 {
		return dst
	}
	switch d.Kind {
	case transform.DeltaPing:
		return append(dst, heartbeat...)
	case transform.DeltaError:
		return e.AppendError(dst, d.Err, "")
	case transform.DeltaUsage:
		e.usage = d.Usage
		return dst
	case transform.DeltaFinish:
		e.finish = d.Finish
		return dst
	case transform.DeltaStart:
		if d.Usage.Known {
			e.usage = d.Usage
		}
		return e.begin(dst, d)
	}
	dst = e.begin(dst, nil)
	if e.size > maxAnswer || len(e.items) >= maxItems {
		return e.AppendError(dst, &transform.Error{Kind: transform.ErrUpstream, Message: "The provider's answer is too large."}, "")
	}
	switch d.Kind {
	case transform.DeltaText:
		return e.speak(dst, textPart, d)
	case transform.DeltaRefusal:
		return e.speak(dst, refusalPart, d)
	case transform.DeltaReasoning:
		return e.think(dst, d)
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
		if d.Media != nil && d.Media.Kind == transform.PartImage && d.Media.Media.Data != nil {
			return e.image(dst, d.Media.Media.Data)
		}
	case transform.DeltaLogprobs:
		return e.logprobs(dst, d.Logprobs)
	}
	return dst
}

// begin writes the first two events; d is the start, nil if there was none.
func (e *streamEncoder) begin(dst []byte, d *transform.Delta) []byte {
	if e.begun {
		return dst
	}
	e.begun = true
	if d == nil {
		d = new(transform.Delta)
	}
	e.envelope = newEnvelope(d.ID, d.Model, d.ServiceTier, d.Created, e.r)
	dst = e.response(dst, "response.created", ending{status: inProgress}, nil)
	return e.response(dst, "response.in_progress", ending{status: inProgress}, nil)
}

// event writes an event up to its number. Its name is its type.
func (e *streamEncoder) event(dst []byte, name string) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	dst = append(dst, "\ndata: {\"type\":\""...)
	dst = append(dst, name...)
	dst = append(dst, `","sequence_number":`...)
	dst = appendInt(dst, e.number)
	e.number++
	return dst
}

// itemEvent writes an event of an item up to the place of its output.
func (e *streamEncoder) itemEvent(dst []byte, name string, at int) []byte {
	dst = e.event(dst, name)
	dst = append(dst, `,"item_id":`...)
	dst = append(dst, e.items[at].id...)
	dst = append(dst, `,"output_index":`...)
	return appendInt(dst, int64(at))
}

// partEvent writes an event of the part that is open up to its number.
func (e *streamEncoder) partEvent(dst []byte, name string, at int) []byte {
	dst = e.itemEvent(dst, name, at)
	if e.items[at].open == summaryPart {
		dst = append(dst, `,"summary_index":`...)
	} else {
		dst = append(dst, `,"content_index":`...)
	}
	return appendInt(dst, int64(e.items[at].index))
}

var eventEnd = []byte("}\n\n")

// response writes an event about the whole response, with the output so far.
func (e *streamEncoder) response(dst []byte, name string, end ending, counts *usage.Tokens) []byte {
	dst = e.event(dst, name)
	dst = append(dst, `,"response":`...)
	dst = e.envelope.open(dst, end)
	for i := range e.items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, e.items[i].parts...)
	}
	dst = e.envelope.close(dst, counts)
	return append(dst, eventEnd...)
}

// openItem begins an item.
func (e *streamEncoder) openItem(dst []byte, it item, prefix string) []byte {
	at := len(e.items)
	it.id = appendItemID(nil, prefix, e.tail, at)
	e.items = append(e.items, it)
	dst = e.event(dst, "response.output_item.added")
	dst = append(dst, `,"output_index":`...)
	dst = appendInt(dst, int64(at))
	dst = append(dst, `,"item":`...)
	dst = e.appendItem(dst, at, inProgress)
	return append(dst, eventEnd...)
}

// appendItem writes an item as it is so far.
func (e *streamEncoder) appendItem(dst []byte, at int, status string) []byte {
	it := &e.items[at]
	switch it.kind {
	case itemMessage:
		return appendMessage(dst, it.id, status, it.parts)
	case itemReasoning:
		return appendReasoning(dst, it.id, it.parts, &it.opaque)
	case itemImage:
		return appendImage(dst, it.id, status, it.text)
	}
	return appendCall(dst, it.id, status, it.namespace, &it.call, it.text)
}

// closeItem ends an item, and keeps it for the last event.
func (e *streamEncoder) closeItem(dst []byte, at int, status string) []byte {
	it := &e.items[at]
	if it.done {
		return dst
	}
	if it.kind == itemCall {
		dst = e.endArguments(dst, at)
	} else {
		dst = e.closePart(dst, at)
	}
	it.done = true
	if e.current == at {
		e.current = -1
	}
	it.parts = e.appendItem(nil, at, status)
	it.text, it.opaque = nil, transform.Opaque{}
	dst = e.event(dst, "response.output_item.done")
	dst = append(dst, `,"output_index":`...)
	dst = appendInt(dst, int64(at))
	dst = append(dst, `,"item":`...)
	dst = append(dst, it.parts...)
	return append(dst, eventEnd...)
}

// closeCurrent ends the message or the reasoning that is open.
func (e *streamEncoder) closeCurrent(dst []byte) []byte {
	if e.current < 0 {
		return dst
	}
	return e.closeItem(dst, e.current, completed)
}

// partEnd ends what the deltas call part: a part of a message, which may go on
// with another, or an item.
func (e *streamEncoder) partEnd(dst []byte, part int) []byte {
	if e.current >= 0 && e.items[e.current].part == part {
		if e.items[e.current].kind == itemMessage {
			return e.closePart(dst, e.current)
		}
		return e.closeItem(dst, e.current, completed)
	}
	if at := e.callOfPart(part); at >= 0 {
		return e.closeItem(dst, at, completed)
	}
	return dst
}

// image writes a picture, which comes whole.
func (e *streamEncoder) image(dst []byte, data []byte) []byte {
	dst = e.closeCurrent(dst)
	at := len(e.items)
	dst = e.openItem(dst, item{kind: itemImage, part: -1, tool: -1}, prefixImage)
	e.items[at].text = append(e.items[at].text, data...)
	e.size += len(data)
	return e.closeItem(dst, at, completed)
}

// addText ends a delta event, and keeps its text.
func (e *streamEncoder) addText(dst []byte, at int, text transform.Literal) []byte {
	it := &e.items[at]
	it.text = append(it.text, text[1:len(text)-1]...)
	e.size += len(text)
	dst = append(dst, `,"delta":`...)
	dst = append(dst, text...)
	if it.open == textPart {
		dst = append(dst, `,"logprobs":[]`...)
	}
	return append(dst, eventEnd...)
}

// AppendEnd closes what is open, then repeats it all.
func (e *streamEncoder) AppendEnd(dst []byte) []byte {
	if e.closed {
		return dst
	}
	dst = e.begin(dst, nil)
	end := endingOf(e.finish)
	dst = e.closeAll(dst, end.status)
	e.closed = true
	return e.response(dst, "response."+end.status, end, &e.usage)
}

// closeAll ends every item; status is that of the last one.
func (e *streamEncoder) closeAll(dst []byte, status string) []byte {
	last := len(e.items) - 1
	for at := range e.items {
		if at == last {
			dst = e.closeItem(dst, at, status)
		} else {
			dst = e.closeItem(dst, at, completed)
		}
	}
	for _, s := range e.signatures {
		dst = e.sign(dst, s)
	}
	return dst
}

// AppendError ends the stream with an error: alone if nothing was written yet,
// else with the response that failed.
func (e *streamEncoder) AppendError(dst []byte, failure *transform.Error, requestID string) []byte {
	if e.closed {
		return dst
	}
	if failure == nil {
		failure = &transform.Error{Kind: transform.ErrUpstream}
	}
	e.closed = true
	dst = appendErrorEvent(dst, failure, requestID, e.number)
	e.number++
	if !e.begun {
		return dst
	}
	for at := range e.items {
		if it := &e.items[at]; !it.done {
			e.keepPart(at)
			it.parts = e.appendItem(nil, at, incomplete)
		}
	}
	var counts *usage.Tokens
	if e.usage.Known {
		counts = &e.usage
	}
	return e.response(dst, "response.failed", ending{status: failed, err: failure}, counts)
}
