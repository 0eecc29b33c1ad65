package transform

import (
	"bytes"
	"errors"
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// Collector gathers the deltas of a stream into the answer that they make: that
// which the provider would have given had it not been asked for a stream. It
// copies what it keeps. The zero value is ready for use.
type Collector struct {
	// Max bounds what is kept, in bytes; 0: nothing does.
	Max int

	answer  Response
	choices []collected
	size    int
}

// ErrCollected is a stream that says more than its [Collector] may keep.
var ErrCollected = errors.New("transform: the stream says more than may be kept")

// collected is what a choice has said so far.
type collected struct {
	Choice
	pieces   []piece
	logprobs []byte // elements of content
	refused  []byte // and of refusal
	logs     int    // how many logprobs came
}

// piece is a part that grows.
type piece struct {
	Part
	number, tool int
	text         []byte // the inside of a literal: its text, or a call's arguments
	citations    []jsonbytes.Value
	ended        bool
}

// pieceSize is about what a part takes beside what it says.
const pieceSize = 512

// Collect is the answer that the deltas make.
func Collect(deltas []Delta) *Response {
	var c Collector
	for i := range deltas {
		_ = c.Add(&deltas[i]) // which has no bound
	}
	return c.Response()
}

// Add takes a delta. The only error is [ErrCollected].
func (c *Collector) Add(d *Delta) error {
	switch d.Kind {
	case DeltaPing, DeltaError:
		return nil
	case DeltaStart:
		c.answer.ID, c.answer.Model, c.answer.Created = d.ID, d.Model, d.Created
		c.answer.Usage = d.Usage
	case DeltaUsage:
		c.answer.Usage = d.Usage
	default:
		c.choice(d.Choice).add(c, d)
	}
	if d.ServiceTier != "" {
		c.answer.ServiceTier = d.ServiceTier
	}
	if c.size += len(d.ID) + len(d.Model); c.Max > 0 && c.size > c.Max {
		return ErrCollected
	}
	return nil
}

func (c *Collector) choice(index int) *collected {
	for i := range c.choices {
		if c.choices[i].Index == index {
			return &c.choices[i]
		}
	}
	c.size += pieceSize
	c.choices = append(c.choices, collected{Choice: Choice{Index: index}})
	return &c.choices[len(c.choices)-1]
}

func (c *collected) add(to *Collector, d *Delta) {
	to.size += len(d.Text) + len(d.Opaque.Data) + len(d.Citation) + len(d.Logprobs)
	switch d.Kind {
	case DeltaText:
		c.say(to, PartText, d)
	case DeltaReasoning:
		c.say(to, PartReasoning, d)
	case DeltaRefusal:
		c.say(to, PartRefusal, d)
	case DeltaOpaque:
		c.vouch(to, d)
	case DeltaToolStart:
		p := c.begin(to, PartToolCall, d)
		p.Call, p.Opaque = d.Call, keepOpaque(d.Opaque)
		p.Call.Arguments = bytes.Clone(d.Call.Arguments)
	case DeltaToolArguments:
		if p := c.call(d.Tool); p != nil && len(d.Text) >= len(`""`) {
			p.text = append(p.text, d.Text[1:len(d.Text)-1]...)
		}
	case DeltaPartEnd:
		for i := range c.pieces {
			c.pieces[i].ended = c.pieces[i].ended || c.pieces[i].number == d.Part
		}
	case DeltaCitation:
		c.cite(to, d)
	case DeltaMedia:
		if d.Media != nil {
			p := c.begin(to, d.Media.Kind, d)
			p.Media, p.Opaque = d.Media.Media, keepOpaque(d.Media.Opaque)
			p.Media.Data = bytes.Clone(p.Media.Data)
			to.size += len(p.Media.Data) + len(p.Media.URL)
		}
	case DeltaLogprobs:
		c.logprob(d.Logprobs)
	case DeltaFinish:
		c.Finish, c.StopSequence = d.Finish, d.StopSequence
	}
}

func (c *collected) begin(to *Collector, kind PartKind, d *Delta) *piece {
	to.size += pieceSize
	c.pieces = append(c.pieces, piece{Part: Part{Kind: kind}, number: d.Part, tool: d.Tool})
	return &c.pieces[len(c.pieces)-1]
}

// say adds text to the part that it belongs to. What was vouched for is whole:
// what comes after it is another part.
func (c *collected) say(to *Collector, kind PartKind, d *Delta) {
	if len(d.Text) <= len(`""`) {
		return
	}
	p := c.part(d.Part)
	if p == nil || p.Kind != kind || p.ended || p.Opaque.Kind != OpaqueNone {
		p = c.begin(to, kind, d)
	}
	p.text = append(p.text, d.Text[1:len(d.Text)-1]...)
}

// part is the last one of that number, nil if there is none.
func (c *collected) part(number int) *piece {
	for i := len(c.pieces) - 1; i >= 0; i-- {
		if c.pieces[i].number == number {
			return &c.pieces[i]
		}
	}
	return nil
}

func (c *collected) call(tool int) *piece {
	for i := len(c.pieces) - 1; i >= 0; i-- {
		if p := &c.pieces[i]; p.Kind == PartToolCall && p.tool == tool {
			return p
		}
	}
	return nil
}

// vouch gives an opaque piece to its part, or makes it one of its own.
func (c *collected) vouch(to *Collector, d *Delta) {
	if d.Opaque.Kind == OpaqueNone {
		return
	}
	p := c.part(d.Part)
	if p == nil || p.Kind != PartToolCall && (p.ended || p.Opaque.Kind != OpaqueNone) {
		p = c.begin(to, PartReasoning, d)
	}
	p.Opaque = keepOpaque(d.Opaque)
}

func keepOpaque(o Opaque) Opaque {
	o.Data = bytes.Clone(o.Data)
	return o
}

// cite adds a citation to its text, or to the last one that there is.
func (c *collected) cite(to *Collector, d *Delta) {
	if len(d.Citation) == 0 {
		return
	}
	p := c.part(d.Part)
	if p == nil || p.Kind != PartText {
		p = nil
		for i := range c.pieces {
			if c.pieces[i].Kind == PartText {
				p = &c.pieces[i]
			}
		}
	}
	if p == nil {
		c.begin(to, PartCitation, d).Citation = bytes.Clone(d.Citation)
		return
	}
	to.size += pieceSize / 8
	p.citations = append(p.citations, bytes.Clone(d.Citation))
}

// logprob adds probabilities, which come as objects with the elements that are new.
func (c *collected) logprob(v jsonbytes.Value) {
	if len(v) == 0 {
		return
	}
	if c.logs++; c.logs == 1 {
		c.Logprobs = bytes.Clone(v)
		return
	}
	if c.logs == 2 {
		c.logprobs = appendElements(c.logprobs, c.Logprobs.Get("content"))
		c.refused = appendElements(c.refused, c.Logprobs.Get("refusal"))
	}
	c.logprobs = appendElements(c.logprobs, v.Get("content"))
	c.refused = appendElements(c.refused, v.Get("refusal"))
}

func appendElements(dst []byte, list jsonbytes.Value) []byte {
	for _, v := range list.Elements() {
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, v...)
	}
	return dst
}

// Response is the answer as far as it has come. It takes over what was kept: the
// collector is of no use after it.
func (c *Collector) Response() *Response {
	slices.SortStableFunc(c.choices, func(a, b collected) int { return a.Index - b.Index })
	for i := range c.choices {
		c.answer.Choices = append(c.answer.Choices, c.choices[i].whole())
	}
	return &c.answer
}

func (c *collected) whole() Choice {
	for i := range c.pieces {
		p := &c.pieces[i]
		switch {
		case p.text == nil:
		case p.Kind == PartToolCall:
			p.Call.Arguments = quoted(p.text).AppendText(p.Call.Arguments)
		default:
			p.Text = quoted(p.text)
		}
		c.Parts = append(c.Parts, p.Part)
		for _, citation := range p.citations {
			c.Parts = append(c.Parts, Part{Kind: PartCitation, Citation: citation})
		}
	}
	if c.logs > 1 {
		c.Logprobs = c.allLogprobs()
	}
	return c.Choice
}

func quoted(inside []byte) Literal {
	return append(append(append(make(Literal, 0, len(inside)+2), '"'), inside...), '"')
}

func (c *collected) allLogprobs() jsonbytes.Value {
	v := append(jsonbytes.Value(`{"content":[`), c.logprobs...)
	v = append(v, `],"refusal":`...)
	if len(c.refused) == 0 {
		return append(v, `null}`...)
	}
	v = append(append(v, '['), c.refused...)
	return append(v, `]}`...)
}
