package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// NewStreamDecoder reads a stream: every event is an answer with what is new.
// There is no event for the end; the candidates' finish reasons are the end.
func (Codec) NewStreamDecoder() transform.StreamDecoder { return new(streamDecoder) }

type streamDecoder struct {
	frame   frame
	started bool
	told    usage.Tokens // the counts that were reported last
	failed  bool         // an error has come
	said    bool         // text or a call has come
	choices []progress
}

// progress is how far a candidate has come.
type progress struct {
	index    int
	part     int // the number of the open part, of the kind
	kind     transform.PartKind
	tools    int
	finished bool
	text     ruler
}

// Decode implements [transform.StreamDecoder].
func (d *streamDecoder) Decode(dst []transform.Delta, _, data []byte) ([]transform.Delta, error) {
	if d.failed {
		return dst, nil
	}
	f := &d.frame
	if err := f.read(data); err != nil {
		return dst, err
	}
	if !f.err.Empty() {
		return d.fail(dst, decodeError(0, f.err)), nil
	}
	dst = d.head(dst)
	if len(f.candidates) == 0 && !f.blocked.Empty() {
		return d.block(dst), nil
	}
	for i := range f.candidates {
		var err error
		if dst, err = d.candidate(dst, &f.candidates[i]); err != nil || d.failed {
			return dst, err
		}
	}
	return dst, nil
}

// block ends what has not ended: the prompt was refused, at once or in the
// middle of the answer.
func (d *streamDecoder) block(dst []transform.Delta) []transform.Delta {
	if len(d.choices) == 0 {
		d.choice(0)
	}
	for i := range d.choices {
		if at := &d.choices[i]; !at.finished {
			at.finished = true
			dst = append(dst, transform.Delta{Kind: transform.DeltaFinish, Choice: at.index, Finish: transform.FinishContentFilter})
		}
	}
	return dst
}

// Ended tells whether every candidate that began has its finish reason.
func (d *streamDecoder) Ended() bool {
	if d.failed {
		return false
	}
	for i := range d.choices {
		if !d.choices[i].finished {
			return false
		}
	}
	return len(d.choices) > 0
}

func (d *streamDecoder) fail(dst []transform.Delta, err *transform.Error) []transform.Delta {
	d.failed = true
	return append(dst, transform.Delta{Kind: transform.DeltaError, Err: err})
}

// head tells of the answer as a whole: its name at first, later what it costs.
func (d *streamDecoder) head(dst []transform.Delta) []transform.Delta {
	tokens := d.frame.usage.tokens()
	if d.started {
		if tokens != d.told {
			d.told = tokens
			dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: tokens})
		}
		return dst
	}
	d.started, d.told = true, tokens
	start := transform.Delta{
		Kind: transform.DeltaStart, Created: unixTime(d.frame.created),
		ServiceTier: d.frame.usage.tier, Usage: tokens,
	}
	start.ID, _ = d.frame.id.Text()
	start.Model, _ = d.frame.model.Text()
	return append(dst, start)
}

// choice finds the progress of a candidate.
func (d *streamDecoder) choice(index int) *progress {
	for i := range d.choices {
		if d.choices[i].index == index {
			return &d.choices[i]
		}
	}
	d.choices = append(d.choices, progress{index: index, part: -1})
	return &d.choices[len(d.choices)-1]
}

func (d *streamDecoder) candidate(dst []transform.Delta, c *candidate) ([]transform.Delta, error) {
	at := d.choice(c.index)
	for i := c.from; i < c.to; i++ {
		var err error
		if dst, err = d.part(dst, at, &d.frame.parts[i]); err != nil {
			return dst, err
		}
	}
	if c.grounding != nil || c.cited != nil {
		citations := citer{text: &at.text, sink: func(v jsonbytes.Value) {
			dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Choice: at.index, Part: max(at.part, 0), Citation: v})
		}}
		citations.cite(c)
	}
	if c.logprobs != nil {
		if logprobs, ok := appendLogprobs(nil, c.logprobs); ok {
			dst = append(dst, transform.Delta{Kind: transform.DeltaLogprobs, Choice: at.index, Part: max(at.part, 0), Logprobs: logprobs})
		}
	}
	name := ""
	if c.finish != nil {
		name = finishName(c.finish)
	}
	if name == "" || at.finished {
		return dst, nil
	}
	at.finished = true
	if err := spoiled(name); err != nil && !d.said {
		return d.fail(dst, err), nil
	}
	return append(dst, transform.Delta{
		Kind: transform.DeltaFinish, Choice: at.index, Finish: finish(name, at.tools > 0),
	}), nil
}

// part reports what a part adds.
func (d *streamDecoder) part(dst []transform.Delta, at *progress, p *part) ([]transform.Delta, error) {
	kind, ok := p.kind()
	var text transform.Literal
	var err error
	switch {
	case !ok:
	case kind == transform.PartToolCall:
		return d.call(dst, at, p)
	case p.inline != nil || p.file != nil:
		text, err = p.mediaText()
		at.text.addOurs(text)
	case p.code != nil || p.result != nil:
		text, err = p.codeText()
		at.text.addOurs(text)
	case len(p.text) > len(`""`):
		if text = p.text; !p.thought {
			at.text.add(text)
		}
	}
	if err != nil {
		return dst, err
	}
	opaque := p.opaque()
	if text == nil {
		// A signature may come alone, with an empty text, at the end of an answer.
		if opaque.Kind != transform.OpaqueNone {
			at.part++
			at.kind = transform.PartReasoning
			dst = append(dst, transform.Delta{Kind: transform.DeltaOpaque, Choice: at.index, Part: at.part, Opaque: opaque})
		}
		return dst, nil
	}
	delta := transform.DeltaReasoning
	if kind != transform.PartReasoning {
		kind, delta, d.said = transform.PartText, transform.DeltaText, true
	}
	if at.part < 0 || at.kind != kind {
		at.part++
		at.kind = kind
	}
	dst = append(dst, transform.Delta{Kind: delta, Choice: at.index, Part: at.part, Text: text})
	if opaque.Kind != transform.OpaqueNone {
		dst = append(dst, transform.Delta{Kind: transform.DeltaOpaque, Choice: at.index, Part: at.part, Opaque: opaque})
	}
	return dst, nil
}

// call reports a tool call, which always comes whole.
func (d *streamDecoder) call(dst []transform.Delta, at *progress, p *part) ([]transform.Delta, error) {
	call, err := p.toolCall()
	if err != nil {
		return dst, err
	}
	d.said = true
	at.part++
	at.kind = transform.PartToolCall
	arguments := jsonbytes.AppendBytes(nil, call.Arguments)
	call.Arguments = nil
	dst = append(dst,
		transform.Delta{
			Kind: transform.DeltaToolStart, Choice: at.index, Part: at.part, Tool: at.tools, Call: call, Opaque: p.opaque(),
		},
		transform.Delta{Kind: transform.DeltaToolArguments, Choice: at.index, Part: at.part, Tool: at.tools, Text: arguments})
	at.tools++
	return dst, nil
}
