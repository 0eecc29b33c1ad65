package ollama

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxCalls is how many calls one stream may hold: a provider gone mad must not
// fill the memory.
const maxCalls = 1024

var errTooMany = errors.New("ollama: too many tool calls in one stream")

// NewStreamDecoder reads the lines of one stream of /api/chat.
func (Codec) NewStreamDecoder() transform.StreamDecoder { return &streamDecoder{part: -1} }

type streamDecoder struct {
	begun, finished, broken bool

	part int // the number of the last part that began, -1 before the first
	kind transform.PartKind
	ids  []string // of the calls
}

// Ended implements [transform.StreamDecoder]. A stream ends with a line that is done.
func (d *streamDecoder) Ended() bool { return d.finished && !d.broken }

func (d *streamDecoder) Decode(dst []transform.Delta, _, data []byte) ([]transform.Delta, error) {
	if len(data) == 0 {
		return dst, nil
	}
	f, err := open(data)
	if err != nil {
		return dst, err
	}
	if f.isError() {
		d.broken = true
		return append(dst, transform.Delta{Kind: transform.DeltaError, Err: decodeError(0, jsonbytes.Parse(data))}), nil
	}
	if !d.begun && f.model != nil {
		d.begun = true
		start := transform.Delta{Kind: transform.DeltaStart, Created: f.createdAt()}
		start.Model, _ = f.model.Text()
		dst = append(dst, start)
	}
	var m message
	m.read(f.message)
	dst = d.say(dst, transform.PartReasoning, transform.DeltaReasoning, m.thinking)
	dst = d.say(dst, transform.PartText, transform.DeltaText, m.content)
	if dst, err = d.calls(dst, m.calls); err != nil {
		return dst, err
	}
	if logprobs := chatLogprobs(f.logprobs); logprobs != nil {
		dst = append(dst, transform.Delta{Kind: transform.DeltaLogprobs, Logprobs: logprobs})
	}
	if done, _ := f.done.Bool(); done {
		dst = d.finish(dst, &f)
	}
	return dst, nil
}

// say adds to the current part, or begins one if that is of another kind.
func (d *streamDecoder) say(dst []transform.Delta, part transform.PartKind, kind transform.DeltaKind, text transform.Literal) []transform.Delta {
	if text == nil {
		return dst
	}
	if d.part < 0 || d.kind != part {
		d.part++
		d.kind = part
	}
	return append(dst, transform.Delta{Kind: kind, Part: d.part, Text: text})
}

// calls reads calls, which always come whole.
func (d *streamDecoder) calls(dst []transform.Delta, list jsonbytes.Value) ([]transform.Delta, error) {
	for _, v := range list.Elements() {
		call, err := decodeCall(v)
		if err != nil {
			return dst, err
		}
		if len(d.ids) == maxCalls {
			return dst, errTooMany
		}
		if call.ID == "" || d.taken(call.ID) {
			call.ID = transform.NewCallID()
		}
		d.part++
		d.kind = transform.PartToolCall
		tool, arguments := len(d.ids), call.Arguments
		d.ids = append(d.ids, call.ID)
		call.Arguments = nil
		dst = append(dst, transform.Delta{Kind: transform.DeltaToolStart, Part: d.part, Tool: tool, Call: call})
		if len(arguments) > 0 {
			dst = append(dst, transform.Delta{
				Kind: transform.DeltaToolArguments, Part: d.part, Tool: tool, Text: jsonbytes.AppendBytes(nil, arguments),
			})
		}
		dst = append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: d.part})
	}
	return dst, nil
}

func (d *streamDecoder) taken(id string) bool {
	for _, other := range d.ids {
		if other == id {
			return true
		}
	}
	return false
}

func (d *streamDecoder) finish(dst []transform.Delta, f *frame) []transform.Delta {
	if d.finished {
		return dst
	}
	d.finished = true
	if f.usage.Known {
		dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: f.usage})
	}
	return append(dst, transform.Delta{Kind: transform.DeltaFinish, Finish: f.finish(len(d.ids) > 0)})
}
