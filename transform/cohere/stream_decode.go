package cohere

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxCalls is how many calls one stream may hold: a provider gone mad must not
// fill the memory.
const maxCalls = 1024

var errCalls = errors.New("cohere: too many tool calls, or a piece of one that has not begun")

// NewStreamDecoder reads the events of one stream of /v2/chat.
func (Codec) NewStreamDecoder() transform.StreamDecoder { return &streamDecoder{part: -1} }

type streamDecoder struct {
	begun, finished, broken bool

	part  int // the number of the last part that began, -1 before the first
	kind  transform.PartKind
	block int64 // the number that the provider gave the part
	whole bool  // the last part has ended

	calls     []call
	citations citer
}

// call is a tool call by the number that the provider gave it.
type call struct {
	index int64
	part  int
}

// blockPlan is the number of the plan, which has none.
const blockPlan = -1

// Ended implements [transform.StreamDecoder]. A stream ends with message-end;
// [DONE] may follow.
func (d *streamDecoder) Ended() bool { return d.finished && !d.broken }

// event is the members of an event.
type event struct {
	kind, id, index, delta, logprobs jsonbytes.Value
}

func (d *streamDecoder) Decode(dst []transform.Delta, name, data []byte) ([]transform.Delta, error) {
	if len(data) == 0 || string(data) == "[DONE]" {
		return dst, nil
	}
	text, err := open(data)
	if err != nil {
		return dst, err
	}
	var e event
	for key, value := range text.Members() {
		switch string(key) {
		case "type":
			e.kind = value
		case "id":
			e.id = value
		case "index":
			e.index = value
		case "delta":
			e.delta = value
		case "logprobs":
			e.logprobs = value
		}
	}
	if kind := e.kind.NonEmpty(); kind != nil {
		name = kind[1 : len(kind)-1]
	} else if isError(text) {
		return d.fail(dst, decodeError(0, text)), nil
	}
	return d.event(dst, name, &e)
}

func (d *streamDecoder) event(dst []transform.Delta, name []byte, e *event) ([]transform.Delta, error) {
	message := e.delta.Get("message")
	switch string(name) {
	case "message-start":
		return d.start(dst, e.id), nil
	case "content-start", "content-delta":
		index, _ := e.index.Int()
		dst = d.content(dst, index, message.Get("content"))
		if logprobs := chatLogprobs(e.logprobs); logprobs != nil {
			dst = append(dst, transform.Delta{Kind: transform.DeltaLogprobs, Logprobs: logprobs})
		}
	case "content-end":
		if index, _ := e.index.Int(); d.kind != transform.PartToolCall && d.block == index {
			dst = d.end(dst, d.part)
		}
	case "tool-plan-delta":
		if text := message.Get("tool_plan").NonEmpty(); text != nil {
			dst = d.say(dst, transform.PartReasoning, blockPlan, text)
		}
	case "tool-call-start":
		return d.beginCall(dst, e.index, first(message.Get("tool_calls")))
	case "tool-call-delta":
		return d.arguments(dst, e.index, first(message.Get("tool_calls")))
	case "tool-call-end":
		if at := d.callAt(e.index); at >= 0 {
			dst = d.end(dst, d.calls[at].part)
		}
	case "citation-start":
		return d.cite(dst, message.Get("citations")), nil
	case "message-end":
		return d.finish(dst, e.delta), nil
	}
	return dst, nil
}

// first is v, or its first element: what is an object today was an array once.
func first(v jsonbytes.Value) jsonbytes.Value {
	for _, e := range v.Elements() {
		return e
	}
	return v
}

func (d *streamDecoder) start(dst []transform.Delta, id jsonbytes.Value) []transform.Delta {
	if d.begun {
		return dst
	}
	d.begun = true
	start := transform.Delta{Kind: transform.DeltaStart}
	start.ID, _ = id.Text()
	return append(dst, start)
}

func (d *streamDecoder) content(dst []transform.Delta, index int64, content jsonbytes.Value) []transform.Delta {
	if kind, text := blockText(content); text != nil {
		return d.say(dst, kind, index, text)
	}
	return dst
}

// say adds to the current part, or begins one if that is of another kind.
func (d *streamDecoder) say(dst []transform.Delta, kind transform.PartKind, block int64, text transform.Literal) []transform.Delta {
	if d.part < 0 || d.whole || d.kind != kind || d.block != block {
		d.begin(kind, block)
	}
	delta := transform.Delta{Kind: transform.DeltaText, Part: d.part, Text: text}
	if kind == transform.PartReasoning {
		delta.Kind = transform.DeltaReasoning
	}
	return append(dst, delta)
}

func (d *streamDecoder) begin(kind transform.PartKind, block int64) {
	d.part++
	d.kind, d.block, d.whole = kind, block, false
}

// end closes a part.
func (d *streamDecoder) end(dst []transform.Delta, part int) []transform.Delta {
	if part < 0 || part == d.part && d.whole {
		return dst
	}
	d.whole = d.whole || part == d.part
	return append(dst, transform.Delta{Kind: transform.DeltaPartEnd, Part: part})
}

func (d *streamDecoder) beginCall(dst []transform.Delta, index, v jsonbytes.Value) ([]transform.Delta, error) {
	c, err := decodeCall(v)
	if err != nil {
		return dst, err
	}
	if len(d.calls) == maxCalls {
		return dst, errCalls
	}
	n, ok := index.Int()
	if !ok {
		n = int64(len(d.calls))
	}
	d.begin(transform.PartToolCall, n)
	d.calls = append(d.calls, call{index: n, part: d.part})
	c.Arguments = nil
	dst = append(dst, transform.Delta{Kind: transform.DeltaToolStart, Part: d.part, Tool: len(d.calls) - 1, Call: c})
	return d.piece(dst, len(d.calls)-1, v), nil
}

// callAt finds a call, the last one if the provider does not say which; -1 if
// it has not begun.
func (d *streamDecoder) callAt(index jsonbytes.Value) int {
	n, ok := index.Int()
	if !ok {
		return len(d.calls) - 1
	}
	for i := len(d.calls) - 1; i >= 0; i-- {
		if d.calls[i].index == n {
			return i
		}
	}
	return -1
}

func (d *streamDecoder) arguments(dst []transform.Delta, index, v jsonbytes.Value) ([]transform.Delta, error) {
	at := d.callAt(index)
	if at < 0 {
		return dst, errCalls
	}
	return d.piece(dst, at, v), nil
}

// piece adds to the arguments of a call.
func (d *streamDecoder) piece(dst []transform.Delta, at int, v jsonbytes.Value) []transform.Delta {
	var text transform.Literal
	switch arguments := v.Get("function").Get("arguments"); arguments.Kind() {
	case jsonbytes.String:
		text = arguments.NonEmpty()
	case jsonbytes.Object:
		text = jsonbytes.AppendBytes(nil, arguments)
	}
	if text == nil {
		return dst
	}
	return append(dst, transform.Delta{Kind: transform.DeltaToolArguments, Part: d.calls[at].part, Tool: at, Text: text})
}

func (d *streamDecoder) cite(dst []transform.Delta, v jsonbytes.Value) []transform.Delta {
	d.citations.cite(first(v), func(annotation jsonbytes.Value) {
		dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Part: max(d.part, 0), Citation: annotation})
	})
	return dst
}

// finish reads {finish_reason, usage, error}.
func (d *streamDecoder) finish(dst []transform.Delta, v jsonbytes.Value) []transform.Delta {
	if counts := readUsage(v.Get("usage")); counts.Known {
		dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: counts})
	}
	reason := v.Get("finish_reason")
	if failure := failedFinish(reason, v.Get("error")); failure != nil {
		return d.fail(dst, failure)
	}
	if d.finished {
		return dst
	}
	d.finished = true
	return append(dst, transform.Delta{Kind: transform.DeltaFinish, Finish: readFinish(reason, len(d.calls) > 0)})
}

func (d *streamDecoder) fail(dst []transform.Delta, e *transform.Error) []transform.Delta {
	d.broken = true
	return append(dst, transform.Delta{Kind: transform.DeltaError, Err: e})
}
