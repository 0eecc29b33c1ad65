package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// choiceDecoder is how far one answer of a stream has come.
type choiceDecoder struct {
	index    int
	finished bool
	said     bool // some text

	part   int // the number of the last part that began, -1 before the first
	kind   transform.PartKind
	block  int64 // of a reasoning part, by its number in reasoning_details
	signed bool  // the reasoning part has what vouches for it and is whole

	tags thinkTags

	calls []callDecoder
	early []detail // signatures of calls that have not begun
}

// callDecoder is one tool call. Its id and name may come after its first
// arguments, which are held so long.
type callDecoder struct {
	key   int64 // its index, or keyNone
	id    string
	part  int
	named bool
	held  []byte // the inside of a literal
}

// keyNone is the key of calls whose provider does not number them.
const keyNone = -1

func (c *choiceDecoder) delta(dst []transform.Delta, v jsonbytes.Value) ([]transform.Delta, error) {
	var thought reasoning
	var content, refusal, toolCalls, functionCall, annotations jsonbytes.Value
	for key, value := range v.Members() {
		switch name := jsonbytes.Name(key); name {
		case "content":
			content = value
		case "refusal":
			refusal = value
		case "tool_calls":
			toolCalls = value
		case "function_call":
			functionCall = value
		case "annotations":
			annotations = value
		default:
			thought.take(name, value)
		}
	}
	before := len(dst)
	if dst = c.reasoning(dst, &thought); len(dst) > before {
		dst = c.flushTags(dst) // it comes in members of its own
	}
	dst = c.content(dst, content)
	if refusal.HasText() || toolCalls.Len() > 0 || functionCall.Kind() == jsonbytes.Object {
		dst = c.flushTags(dst)
	}
	if said := refusal.NonEmpty(); said != nil {
		c.begin(transform.PartRefusal)
		dst = append(dst, transform.Delta{Kind: transform.DeltaRefusal, Choice: c.index, Part: c.part, Text: said})
	}
	var err error
	for _, e := range toolCalls.Elements() {
		if dst, err = c.call(dst, e); err != nil {
			return dst, err
		}
	}
	if functionCall.Kind() == jsonbytes.Object {
		dst, err = c.functionCall(dst, functionCall)
	}
	for _, e := range annotations.Elements() {
		if e.Kind() == jsonbytes.Object {
			dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Choice: c.index, Part: max(c.part, 0), Citation: e})
		}
	}
	return dst, err
}

// begin makes the current part one of that kind, a new one if need be.
func (c *choiceDecoder) begin(kind transform.PartKind) {
	if c.part < 0 || c.kind != kind {
		c.part++
		c.kind = kind
		c.block, c.signed = -1, false
	}
}

func (c *choiceDecoder) content(dst []transform.Delta, v jsonbytes.Value) []transform.Delta {
	if said := v.NonEmpty(); said != nil {
		return c.text(dst, said)
	}
	for _, e := range v.Elements() {
		kind, said := contentPart(e)
		switch {
		case said == nil:
		case kind == transform.PartReasoning:
			dst = c.thought(dst, said, -1)
		default:
			dst = c.text(dst, said)
		}
	}
	return dst
}

func (c *choiceDecoder) text(dst []transform.Delta, said transform.Literal) []transform.Delta {
	thought, said := c.tags.take(said)
	if thought != nil {
		dst = c.thought(dst, thought, -1)
	}
	if said == nil {
		return dst
	}
	c.begin(transform.PartText)
	c.said = true
	return append(dst, transform.Delta{Kind: transform.DeltaText, Choice: c.index, Part: c.part, Text: said})
}

// reasoning reads what was thought, once: the details if they say it, else the
// plain members.
func (c *choiceDecoder) reasoning(dst []transform.Delta, r *reasoning) []transform.Delta {
	said := false
	for _, v := range r.details.Elements() {
		d := readDetail(v)
		if d.callID != "" {
			dst = c.signCall(dst, d)
			continue
		}
		if d.text != nil {
			said = true
			dst = c.thought(dst, d.text, d.index)
		}
		if d.opaque.Kind != transform.OpaqueNone {
			dst = c.opaque(dst, &d.opaque, d.index)
		}
	}
	if r.details.Len() == 0 {
		for _, v := range r.blocks.Elements() {
			part, _ := thinkingPart(v)
			if part.Text != nil {
				said = true
				dst = c.thought(dst, part.Text, -1)
			}
			if part.Opaque.Kind != transform.OpaqueNone {
				dst = c.opaque(dst, &part.Opaque, -1)
			}
		}
	}
	if text := r.text(); text != nil && !said {
		dst = c.thought(dst, text, -1)
	}
	return dst
}

// thought adds to the reasoning part of that block, -1 if it is not numbered.
func (c *choiceDecoder) thought(dst []transform.Delta, said transform.Literal, block int64) []transform.Delta {
	c.think(block)
	return append(dst, transform.Delta{Kind: transform.DeltaReasoning, Choice: c.index, Part: c.part, Text: said})
}

// opaque adds what vouches for a reasoning part, or stands in place of one.
func (c *choiceDecoder) opaque(dst []transform.Delta, o *transform.Opaque, block int64) []transform.Delta {
	if o.Kind == transform.OpaqueRedacted && c.kind == transform.PartReasoning {
		c.signed = true // it is a part of its own
	}
	c.think(block)
	c.signed = true
	return append(dst, transform.Delta{Kind: transform.DeltaOpaque, Choice: c.index, Part: c.part, Opaque: *o})
}

func (c *choiceDecoder) think(block int64) {
	other := block >= 0 && c.block >= 0 && block != c.block
	if c.part >= 0 && c.kind == transform.PartReasoning && (c.signed || other) {
		c.part++
		c.block, c.signed = -1, false
	}
	c.begin(transform.PartReasoning)
	c.block = max(c.block, block)
}
