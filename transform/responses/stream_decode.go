package responses

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// NewStreamDecoder reads the events of one response, as any server of this
// format sends them. The same text may come in up to five events: piece by
// piece, whole, with its part, with its item and with the response. It is taken
// from the first.
func (Codec) NewStreamDecoder() transform.StreamDecoder { return new(streamDecoder) }

var errTooMany = errors.New("responses: too many output items in one stream")

type streamDecoder struct {
	begun, done, broken bool
	tools               clientTools
	items               []openItem
	parts               int // how many began
	calls               int
}

// Ended follows from the event that ends every response.
func (d *streamDecoder) Ended() bool { return d.done && !d.broken }

// event is the members of an event that matter, found in one pass.
type event struct {
	kind              jsonbytes.Value
	output, content   jsonbytes.Value // output_index; content_index or summary_index
	delta, logprobs   jsonbytes.Value
	text              jsonbytes.Value // also refusal, arguments, input
	annotation        jsonbytes.Value
	item, part        jsonbytes.Value
	response, failure jsonbytes.Value
}

func (d *streamDecoder) Decode(dst []transform.Delta, name, data []byte) ([]transform.Delta, error) {
	data = bytes.TrimSpace(data)
	if d.done || d.broken || len(data) == 0 || bytes.Equal(data, doneSentinel) {
		return dst, nil
	}
	if err := jsonbytes.Check(data, 0); err != nil {
		return dst, fmt.Errorf("responses: an event is %w", err)
	}
	root := jsonbytes.Parse(data)
	if root.Kind() != jsonbytes.Object {
		return dst, errNoAnswer
	}
	e := readEvent(root)
	if e.kind.Kind() == jsonbytes.String {
		name = e.kind[1 : len(e.kind)-1] // not every server names its events
	}
	switch string(name) {
	case "response.created", "response.in_progress", "response.queued":
		return d.start(dst, openResponse(e.response)), nil
	case "response.completed", "response.incomplete":
		return d.finish(dst, name, e.response)
	case "response.failed", "response.cancelled", "error":
		return d.fail(dst, &e, root), nil
	case "response.output_item.added":
		return d.itemAdded(dst, &e)
	case "response.output_item.done":
		return d.itemDone(dst, e.index(), e.item)
	}
	if e.kind == nil && e.failure.Kind() == jsonbytes.Object {
		return d.fail(dst, &e, root), nil
	}
	if it := d.at(e.index()); it != nil {
		return d.piece(dst, it, name, &e), nil
	}
	return dst, nil
}

var doneSentinel = []byte("[DONE]")

func readEvent(root jsonbytes.Value) (e event) {
	for key, value := range root.Members() {
		switch string(key) {
		case "type":
			if e.kind == nil { // the first, as the inspector has it
				e.kind = value
			}
		case "output_index":
			e.output = value
		case "content_index", "summary_index":
			e.content = value
		case "delta":
			e.delta = value
		case "text", "refusal", "arguments", "input":
			e.text = value
		case "logprobs":
			e.logprobs = value
		case "annotation":
			e.annotation = value
		case "item":
			e.item = value
		case "part":
			e.part = value
		case "response":
			e.response = value
		case "error":
			e.failure = value
		}
	}
	return e
}

func (e *event) index() int64 {
	n, ok := e.output.Int()
	if !ok {
		return -1
	}
	return n
}

// start begins the answer with what the response says of itself.
func (d *streamDecoder) start(dst []transform.Delta, r response) []transform.Delta {
	if d.begun {
		return dst
	}
	d.begun = true
	d.tools = declaredTools(r.tools)
	start := transform.Delta{Kind: transform.DeltaStart, Created: unixTime(r.created)}
	start.ID, _ = r.id.Text()
	start.Model, _ = r.model.Text()
	start.ServiceTier, _ = r.tier.Text()
	return append(dst, start)
}

// finish ends the answer. What no event has given so far is in the response.
func (d *streamDecoder) finish(dst []transform.Delta, name []byte, v jsonbytes.Value) ([]transform.Delta, error) {
	r := openResponse(v)
	dst = d.start(dst, r)
	if r.failed() {
		return d.fail(dst, &event{response: v}, v), nil
	}
	r.settle(name)
	whole := len(d.items) == 0
	for i, item := range r.output.Elements() {
		if it := d.at(int64(i)); !whole && (it == nil || it.done) {
			continue
		}
		var err error
		if dst, err = d.itemDone(dst, int64(i), item); err != nil {
			return dst, err
		}
	}
	for i := range d.items {
		if !d.items[i].done {
			dst = d.endItem(dst, &d.items[i])
		}
	}
	d.done = true
	dst = append(dst, transform.Delta{Kind: transform.DeltaFinish, Finish: r.finish(d.calls > 0)})
	if counts := openai.ReadUsage(r.usage); counts.Known {
		dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: counts})
	}
	return dst, nil
}

// fail ends the answer with the provider's error. OpenAI says it twice, as
// error and as response.failed.
func (d *streamDecoder) fail(dst []transform.Delta, e *event, root jsonbytes.Value) []transform.Delta {
	d.broken = true
	if counts := openai.ReadUsage(e.response.Get("usage")); counts.Known {
		dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: counts})
	}
	if e.response.Kind() == jsonbytes.Object {
		root = e.response
	}
	return append(dst, transform.Delta{Kind: transform.DeltaError, Err: failureOf(root)})
}
