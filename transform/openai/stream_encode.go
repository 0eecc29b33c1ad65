package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// NewStreamEncoder writes chat.completion.chunk events. Usage comes as an event
// of its own, and only if r asks for it.
func (Codec) NewStreamEncoder(r *transform.Request) transform.StreamEncoder {
	e := &streamEncoder{r: r, legacy: wantsFunctionCall(r)}
	if r != nil {
		e.model, e.wantsUsage = r.Model, r.StreamUsage
	}
	return e
}

// streamEncoder holds every finish_reason back until the end: only then is it
// known whether there were calls, and nothing may follow it.
type streamEncoder struct {
	r          *transform.Request // may be nil
	model      string
	wantsUsage bool
	legacy     bool

	begun, closed bool
	head, tail    []byte // of every chunk, around its choices
	choices       []choiceEncoder
	usage         usage.Tokens
}

// choiceEncoder is how far one answer has been written.
type choiceEncoder struct {
	index  int
	calls  []callEncoder
	held   heldInput
	finish transform.Finish

	// The reasoning part that is being written: its number in
	// reasoning_details, and what the deltas call it.
	block, blockPart int
	blockOpen        bool
}

type callEncoder struct {
	tool, part int // as the deltas call it
	custom     bool
	arguments  bool // some were written
}

func (e *streamEncoder) Append(dst []byte, d *transform.Delta) []byte {
	if e.closed {
		return dst
	}
	switch d.Kind {
	case transform.DeltaPing:
		return append(dst, ": ping\n\n"...)
	case transform.DeltaError:
		return e.AppendError(dst, d.Err, "")
	case transform.DeltaUsage:
		e.usage = d.Usage
		return dst
	case transform.DeltaStart:
		if d.Usage.Known {
			e.usage = d.Usage
		}
		e.begin(d)
		_, dst = e.choice(dst, 0)
		return dst
	}
	e.begin(nil)
	c, dst := e.choice(dst, d.Choice)
	if c.held.open && !c.held.continuedBy(d) {
		dst = e.release(dst, c)
	}
	switch d.Kind {
	case transform.DeltaText:
		return e.text(dst, c, `"content":`, d.Text)
	case transform.DeltaRefusal:
		return e.text(dst, c, `"refusal":`, d.Text)
	case transform.DeltaReasoning:
		return e.reasoning(dst, c, d)
	case transform.DeltaOpaque:
		return e.opaque(dst, c, d)
	case transform.DeltaToolStart:
		return e.toolStart(dst, c, d)
	case transform.DeltaToolArguments:
		return e.toolArguments(dst, c, d)
	case transform.DeltaPartEnd:
		return e.partEnd(dst, c, d.Part)
	case transform.DeltaCitation:
		if len(d.Citation) > 0 {
			dst = e.open(dst, c)
			dst = append(dst, `"annotations":[`...)
			dst = jsonbytes.AppendCompact(dst, d.Citation)
			dst = e.close(append(dst, ']'))
		}
	case transform.DeltaMedia:
		if d.Media != nil && hasImage(d.Media) {
			dst = e.open(dst, c)
			dst = append(dst, `"images":[`...)
			dst = appendImage(dst, &d.Media.Media)
			dst = e.close(append(dst, ']'))
		}
	case transform.DeltaLogprobs:
		if len(d.Logprobs) > 0 {
			dst = e.open(dst, c)
			dst = append(dst, `},"logprobs":`...)
			dst = jsonbytes.AppendCompact(dst, d.Logprobs)
			dst = append(dst, `,"finish_reason":null}`...)
			dst = append(dst, e.tail...)
		}
	case transform.DeltaFinish:
		c.finish = d.Finish
	}
	return dst
}

// begin settles what all chunks share; d is the start, nil if there was none.
func (e *streamEncoder) begin(d *transform.Delta) {
	if e.begun {
		return
	}
	e.begun = true
	if d == nil {
		d = new(transform.Delta)
	}
	model := d.Model
	if model == "" {
		model = e.model
	}
	e.head = append(e.head, `data: {"id":`...)
	e.head = jsonbytes.AppendString(e.head, orID(d.ID))
	e.head = append(e.head, `,"object":"chat.completion.chunk","created":`...)
	e.head = appendInt(e.head, orNow(d.Created))
	e.head = append(e.head, `,"model":`...)
	e.head = jsonbytes.AppendString(e.head, model)
	if d.ServiceTier != "" {
		e.head = append(e.head, `,"service_tier":`...)
		e.head = jsonbytes.AppendString(e.head, d.ServiceTier)
	}
	e.head = append(e.head, `,"choices":[`...)
	e.tail = append(e.tail, `]`...)
	if e.wantsUsage {
		e.tail = append(e.tail, `,"usage":null`...)
	}
	e.tail = append(e.tail, "}\n\n"...)
}

// choice finds an answer, or begins it with the chunk that says who speaks.
func (e *streamEncoder) choice(dst []byte, index int) (*choiceEncoder, []byte) {
	for i := range e.choices {
		if e.choices[i].index == index {
			return &e.choices[i], dst
		}
	}
	e.choices = append(e.choices, choiceEncoder{index: index, block: -1})
	c := &e.choices[len(e.choices)-1]
	dst = e.open(dst, c)
	dst = append(dst, `"role":"assistant","content":"","refusal":null`...)
	return c, e.close(dst)
}

// open writes a chunk up to the inside of its delta, close from there on.
func (e *streamEncoder) open(dst []byte, c *choiceEncoder) []byte {
	dst = append(dst, e.head...)
	dst = append(dst, `{"index":`...)
	dst = appendInt(dst, int64(c.index))
	return append(dst, `,"delta":{`...)
}

func (e *streamEncoder) close(dst []byte) []byte {
	dst = append(dst, `},"finish_reason":null}`...)
	return append(dst, e.tail...)
}

func (e *streamEncoder) text(dst []byte, c *choiceEncoder, key string, text transform.Literal) []byte {
	if len(text) <= len(`""`) {
		return dst
	}
	dst = e.open(dst, c)
	dst = append(dst, key...)
	dst = append(dst, text...)
	return e.close(dst)
}

// reasoning writes text in both forms: for clients that show it, and for those
// that return it with its signature.
func (e *streamEncoder) reasoning(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	if len(d.Text) <= len(`""`) {
		return dst
	}
	c.think(d.Part)
	dst = e.open(dst, c)
	dst = append(dst, `"reasoning_content":`...)
	dst = append(dst, d.Text...)
	dst = append(dst, `,"reasoning_details":[`...)
	dst = appendDetail(dst, d.Text, &transform.Opaque{}, c.block)
	return e.close(append(dst, ']'))
}

// think makes the current block that of the part.
func (c *choiceEncoder) think(part int) {
	if !c.blockOpen || c.blockPart != part {
		c.block++
		c.blockOpen, c.blockPart = true, part
	}
}

// opaque writes what vouches for a call with the call, anything else as a detail.
func (e *streamEncoder) opaque(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	if d.Opaque.Kind == transform.OpaqueNone || len(d.Opaque.Data) < len(`""`) {
		return dst
	}
	at := c.callOfPart(d.Part)
	if at >= 0 && d.Opaque.Vendor == transform.VendorGoogle && !e.isFunctionCall(at) {
		// Strict clients want the call's own member in every piece of it.
		dst = e.openPiece(dst, c, at)
		dst = append(dst, `""}`...)
		dst = appendThoughtSignature(dst, d.Opaque.Data)
		return e.close(append(dst, `}]`...))
	}
	if d.Opaque.Kind == transform.OpaqueRedacted {
		c.blockOpen = false // it is a block of its own
	}
	c.think(d.Part)
	c.blockOpen = false
	dst = e.open(dst, c)
	dst = append(dst, `"reasoning_details":[`...)
	dst = appendDetail(dst, nil, &d.Opaque, c.block)
	return e.close(append(dst, ']'))
}

// AppendEnd closes every answer, then says what it all took.
func (e *streamEncoder) AppendEnd(dst []byte) []byte {
	if e.closed {
		return dst
	}
	e.begin(nil)
	if len(e.choices) == 0 {
		_, dst = e.choice(dst, 0)
	}
	for i := range e.choices {
		c := &e.choices[i]
		dst = e.release(dst, c)
		for at := range c.calls {
			dst = e.emptyArguments(dst, c, at)
		}
		dst = e.open(dst, c)
		dst = append(dst, `},"finish_reason":"`...)
		dst = append(dst, finishWord(finishOf(c.finish, len(c.calls) > 0), e.legacy)...)
		dst = append(dst, `"}`...)
		dst = append(dst, e.tail...)
	}
	if e.wantsUsage {
		dst = append(dst, e.head...)
		dst = append(dst, `],"usage":`...)
		dst = appendUsage(dst, e.usage)
		dst = append(dst, "}\n\n"...)
	}
	e.closed = true
	return append(dst, "data: [DONE]\n\n"...)
}

// AppendError ends the stream without [DONE].
func (e *streamEncoder) AppendError(dst []byte, failure *transform.Error, requestID string) []byte {
	if e.closed {
		return dst
	}
	e.closed = true
	if failure == nil {
		failure = &transform.Error{Kind: transform.ErrUpstream}
	}
	return Codec{}.AppendStreamError(dst, failure, requestID)
}
