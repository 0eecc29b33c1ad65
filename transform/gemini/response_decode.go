package gemini

import (
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeResponse reads a whole answer. Code that the model ran, and its output,
// become text; parts of server-side tools and of unknown kinds are left out.
func (Codec) DecodeResponse(body []byte) (*transform.Response, error) {
	text := jsonbytes.Parse(body)
	if err := jsonbytes.Check(text, 0); err != nil {
		return nil, errNoAnswer
	}
	var f frame
	if err := f.read(text); err != nil {
		return nil, err
	}
	if !f.err.Empty() {
		return nil, decodeError(0, f.err)
	}
	a := &transform.Response{Created: unixTime(f.created), Usage: f.usage.tokens(), ServiceTier: f.usage.tier}
	a.ID, _ = f.id.Text()
	a.Model, _ = f.model.Text()
	if len(f.candidates) == 0 {
		if f.blocked.Empty() {
			return nil, errNoAnswer
		}
		// A blocked prompt is answered with nothing but the reason.
		a.Choices = []transform.Choice{{Finish: transform.FinishContentFilter}}
		return a, nil
	}
	var failure *transform.Error
	said := false
	for i := range f.candidates {
		choice, err := f.choice(&f.candidates[i])
		if err != nil {
			return nil, err
		}
		for j := range choice.Parts {
			said = said || choice.Parts[j].Kind != transform.PartReasoning
		}
		if e := spoiled(finishName(f.candidates[i].finish)); e != nil {
			failure = e
		}
		a.Choices = append(a.Choices, choice)
	}
	if failure != nil && !said {
		return nil, failure
	}
	return a, nil
}

// choice turns a candidate into a choice.
func (f *frame) choice(c *candidate) (transform.Choice, error) {
	choice := transform.Choice{Index: c.index}
	var text ruler
	var starts []int
	calls := false
	for i := c.from; i < c.to; i++ {
		p := &f.parts[i]
		starts = append(starts, text.bytes)
		out, ok, err := p.decode(&text)
		if err != nil {
			return choice, err
		}
		if ok {
			calls = calls || out.Kind == transform.PartToolCall
			choice.Parts = append(choice.Parts, out)
		}
	}
	citations := citer{text: &text, starts: starts, sink: func(v jsonbytes.Value) {
		choice.Parts = append(choice.Parts, transform.Part{Kind: transform.PartCitation, Citation: v})
	}}
	citations.cite(c)
	if c.logprobs != nil {
		if logprobs, ok := appendLogprobs(nil, c.logprobs); ok {
			choice.Logprobs = logprobs
		}
	}
	choice.Finish = finish(finishName(c.finish), calls)
	return choice, nil
}

// decode turns a part into a neutral one, false if it says nothing. Text that
// shows is measured.
func (p *part) decode(text *ruler) (out transform.Part, ok bool, err error) {
	out.Kind, ok = p.kind()
	out.Opaque = p.opaque()
	signed := out.Opaque.Kind != transform.OpaqueNone
	switch {
	case !ok:
	case out.Kind == transform.PartToolCall:
		out.Call, err = p.toolCall()
		return out, true, err
	case p.inline != nil || p.file != nil:
		out.Media, err = p.media()
		return out, true, err
	case p.code != nil || p.result != nil:
		out.Text, err = p.codeText()
		if err == nil {
			text.addOurs(out.Text)
		}
		return out, true, err
	case len(p.text) > len(`""`):
		out.Text = p.text
		if !p.thought {
			text.add(p.text)
		}
		return out, true, nil
	}
	// A signature may come alone, with an empty text, at the end of an answer.
	out.Kind = transform.PartReasoning
	return out, signed, nil
}

// unixTime reads Vertex's createTime, 0 if there is none.
func unixTime(v jsonbytes.Value) int64 {
	text, ok := v.Text()
	if !ok {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Unix() < 0 {
		return 0
	}
	return t.Unix()
}
