package gemini

import (
	"bytes"
	"strconv"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// The framings. Google's SDKs read nothing but this: no name, no comment, no
// word for the end. An array comes element by element.
const (
	eventBegin = "data: "
	eventEnd   = "\r\n\r\n"

	arrayBegin     = "["
	elementBetween = ",\r\n"
	elementEnd     = "\r\n"
	arrayEnd       = "]"
)

// NewStreamEncoder writes a stream of GenerateContentResponses, each with the
// parts that are new. Finish reasons and usage are in the last one.
func (c Codec) NewStreamEncoder(r *transform.Request) transform.StreamEncoder {
	return &streamEncoder{codec: c, model: orModel("", r)}
}

type streamEncoder struct {
	codec Codec
	model string // that the client asked for

	begun, written, closed bool
	names                  []byte // the end of every event
	tier                   string
	usage                  usage.Tokens
	choices                []choiceEncoder
	held                   int    // bytes of arguments
	scratch                []byte // arguments, unescaped
}

// choiceEncoder is how far one candidate has been written.
type choiceEncoder struct {
	index   int
	finish  transform.Finish
	refused bool
	broken  bool // a call cannot be read

	// thought is the last piece of reasoning, of the part thinking: it waits
	// for the signature that may follow, so that both are in one part. Clients
	// do not keep signatures of parts with nothing to show.
	thought  []byte
	thinking int
	thinks   bool
	// loose is a piece of another vendor without a text: it travels on the part
	// that follows.
	loose transform.Literal

	calls   []callEncoder
	open    int // so many of the calls wait for the rest of their arguments
	settled int // so many of the first do not
	text    ruler
	cited   grounding
}

// Append implements [transform.StreamEncoder].
func (e *streamEncoder) Append(dst []byte, d *transform.Delta) []byte {
	if e.closed {
		return dst
	}
	switch d.Kind {
	case transform.DeltaPing:
		return dst
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
		return dst
	}
	e.begin(nil)
	c := e.choice(d.Choice)
	switch d.Kind {
	case transform.DeltaText:
		return e.say(dst, c, d.Text)
	case transform.DeltaRefusal:
		c.refused = true
		return e.say(dst, c, d.Text)
	case transform.DeltaReasoning:
		return e.think(dst, c, d)
	case transform.DeltaOpaque:
		return e.vouch(dst, c, d)
	case transform.DeltaToolStart:
		return e.toolStart(dst, c, d)
	case transform.DeltaToolArguments:
		return e.toolArguments(dst, c, d)
	case transform.DeltaPartEnd:
		if c.thinks && c.thinking == d.Part {
			return e.settle(dst, c)
		}
		return e.callEnd(dst, c, d.Part)
	case transform.DeltaCitation:
		c.cited.add(d.Citation)
	case transform.DeltaMedia:
		return e.media(dst, c, d.Media)
	case transform.DeltaLogprobs:
		return e.logprobs(dst, c, d)
	case transform.DeltaFinish:
		c.finish = d.Finish
	}
	return dst
}

// begin settles what all events share; d is the start, nil if there was none.
func (e *streamEncoder) begin(d *transform.Delta) {
	if e.begun {
		return
	}
	e.begun = true
	model, id := e.model, ""
	if d != nil {
		id, e.tier = d.ID, d.ServiceTier
		if d.Model != "" {
			model = d.Model
		}
	}
	e.names = appendNames(e.names, model, id)
	if e.codec.Array {
		e.names = append(e.names, elementEnd...)
	} else {
		e.names = append(e.names, eventEnd...)
	}
}

func (e *streamEncoder) choice(index int) *choiceEncoder {
	for i := range e.choices {
		if e.choices[i].index == index {
			return &e.choices[i]
		}
	}
	e.choices = append(e.choices, choiceEncoder{index: index})
	return &e.choices[len(e.choices)-1]
}

// frame begins an event or an element of the array.
func (e *streamEncoder) frame(dst []byte) []byte {
	first := !e.written
	e.written = true
	switch {
	case !e.codec.Array:
		return append(dst, eventBegin...)
	case first:
		return append(dst, arrayBegin...)
	}
	return append(dst, elementBetween...)
}

// parts begins an event up to the inside of a candidate's parts, close ends it.
func (e *streamEncoder) parts(dst []byte) []byte {
	return append(e.frame(dst), `{"candidates":[{"content":{"parts":[`...)
}

func (e *streamEncoder) close(dst []byte, c *choiceEncoder) []byte {
	return e.closeWith(dst, c, nil)
}

func (e *streamEncoder) closeWith(dst []byte, c *choiceEncoder, members []byte) []byte {
	dst = append(dst, `],"role":"model"},"index":`...)
	dst = strconv.AppendInt(dst, int64(c.index), 10)
	dst = append(append(dst, members...), `}]`...)
	return append(dst, e.names...)
}

func (e *streamEncoder) say(dst []byte, c *choiceEncoder, text transform.Literal) []byte {
	if !text.HasText() {
		return dst
	}
	dst = e.settle(dst, c)
	c.text.add(text)
	dst = appendTextPart(e.parts(dst), text, false, c.takeLoose())
	return e.close(dst, c)
}

// settle writes what nothing can be added to any more.
func (e *streamEncoder) settle(dst []byte, c *choiceEncoder) []byte {
	if c.thinks {
		dst = e.thought(dst, c, nil)
	}
	if c.open > 0 {
		dst = e.finishedCalls(dst, c)
	}
	return dst
}

// think keeps a piece of reasoning and writes the one before.
func (e *streamEncoder) think(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	if !d.Text.HasText() {
		return dst
	}
	dst = e.writeLoose(e.settle(dst, c), c)
	c.thought = append(c.thought[:0], d.Text...)
	c.thinks, c.thinking = true, d.Part
	return dst
}

func (e *streamEncoder) thought(dst []byte, c *choiceEncoder, signature transform.Literal) []byte {
	c.thinks = false
	dst = appendTextPart(e.parts(dst), c.thought, true, signature)
	return e.close(dst, c)
}

// vouch places what only its vendor can read: with the reasoning or the call
// that it belongs to. Google's own may be that of nothing in particular.
func (e *streamEncoder) vouch(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	signature := seal(&d.Opaque)
	if signature == nil {
		return dst
	}
	if c.thinks && c.thinking == d.Part && d.Opaque.Kind == transform.OpaqueSignature {
		return e.thought(dst, c, signature)
	}
	if call := c.waitingPart(d.Part); call != nil && call.signature == nil {
		call.signature = bytes.Clone(signature)
		return dst
	}
	dst = e.settle(dst, c)
	if d.Opaque.Vendor == home {
		return e.close(appendTextPart(e.parts(dst), nil, false, signature), c)
	}
	dst = e.writeLoose(dst, c)
	c.loose = bytes.Clone(signature)
	return dst
}

func (e *streamEncoder) media(dst []byte, c *choiceEncoder, p *transform.Part) []byte {
	if p == nil || p.Media.Data == nil && p.Media.URL == "" {
		return dst
	}
	dst = e.writeLoose(e.settle(dst, c), c)
	return e.close(appendMediaPart(e.parts(dst), p), c)
}

func (c *choiceEncoder) takeLoose() transform.Literal {
	piece := c.loose
	c.loose = nil
	return piece
}

func (e *streamEncoder) writeLoose(dst []byte, c *choiceEncoder) []byte {
	if c.loose == nil {
		return dst
	}
	return e.close(appendTextPart(e.parts(dst), nil, true, c.takeLoose()), c)
}

// logprobs writes them beside an empty text: SDKs take an event without parts
// for a spoiled one.
func (e *streamEncoder) logprobs(dst []byte, c *choiceEncoder, d *transform.Delta) []byte {
	members := appendLogprobsResult(nil, d.Logprobs)
	if members == nil {
		return dst
	}
	dst = e.settle(dst, c)
	return e.closeWith(appendTextPart(e.parts(dst), nil, false, nil), c, members)
}

// AppendEnd implements [transform.StreamEncoder]: it writes the event in which
// all candidates end.
func (e *streamEncoder) AppendEnd(dst []byte) []byte {
	if e.closed {
		return dst
	}
	e.begin(nil)
	if len(e.choices) == 0 {
		e.choice(0)
	}
	e.closed = true
	dst = append(e.frame(dst), `{"candidates":[`...)
	for i := range e.choices {
		dst = append(commaAfter(dst), `{"content":{"parts":[`...)
		dst = e.lastParts(dst, &e.choices[i])
	}
	dst = append(dst, `],"usageMetadata":`...)
	dst = appendUsage(dst, e.usage, e.tier)
	dst = append(dst, e.names...)
	if e.codec.Array {
		dst = append(dst, arrayEnd...)
	}
	return dst
}

// lastParts writes what a candidate still has to say, or an empty text, and
// why it ended.
func (e *streamEncoder) lastParts(dst []byte, c *choiceEncoder) []byte {
	before := len(dst)
	if c.thinks {
		dst = appendTextPart(dst, c.thought, true, nil)
	}
	for i := range c.calls {
		if !c.calls[i].written {
			dst = e.call(dst, c, &c.calls[i])
		}
	}
	if c.loose != nil {
		dst = appendTextPart(dst, nil, true, c.takeLoose())
	}
	if len(dst) == before {
		dst = appendTextPart(dst, nil, false, nil)
	}
	dst = append(dst, `],"role":"model"},"finishReason":"`...)
	dst = append(dst, finishWord(c.finish, c.refused, c.broken)...)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendInt(dst, int64(c.index), 10)
	return append(c.cited.append(dst, &c.text, nil), '}')
}

// AppendError implements [transform.StreamEncoder].
func (e *streamEncoder) AppendError(dst []byte, failure *transform.Error, requestID string) []byte {
	if e.closed {
		return dst
	}
	e.closed = true
	if failure == nil {
		failure = &transform.Error{Kind: transform.ErrUpstream, Message: "the provider broke off its answer and did not say why"}
	}
	dst = e.codec.AppendError(e.frame(dst), failure, requestID)
	if e.codec.Array {
		return append(append(dst, elementEnd...), arrayEnd...)
	}
	return append(dst, eventEnd...)
}
