package openai

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// NewStreamDecoder reads the chunks of one stream, as any provider of this
// format sends them.
func (Codec) NewStreamDecoder() transform.StreamDecoder { return new(streamDecoder) }

// What one stream may hold at most: OpenAI's limits are 128 each, and a
// provider gone mad must not fill the memory.
const (
	maxChoices = 128
	maxCalls   = 1024
)

var (
	errNotChunk   = errors.New("openai: the event is no chunk")
	errTooMany    = errors.New("openai: too many choices or tool calls in one stream")
	errNameless   = errors.New("openai: a tool call without a name")
	doneSentinel  = []byte("[DONE]")
	nameOfFailure = []byte("error")
)

type streamDecoder struct {
	begun, done bool
	choices     []choiceDecoder
	sources     jsonbytes.Value // of this event, until a choice has taken them
	cited       bool
}

// Ended follows from [DONE], which several providers never send, or from every
// choice having a finish_reason.
func (d *streamDecoder) Ended() bool {
	if d.done {
		return true
	}
	for i := range d.choices {
		if !d.choices[i].finished {
			return false
		}
	}
	return len(d.choices) > 0
}

func (d *streamDecoder) Decode(dst []transform.Delta, name, data []byte) ([]transform.Delta, error) {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0:
		return dst, nil
	case bytes.Equal(data, doneSentinel):
		d.done = true
		return dst, nil
	}
	if err := jsonbytes.Check(data, 0); err != nil {
		return dst, fmt.Errorf("openai: the event is %w", err)
	}
	root := jsonbytes.Parse(data)
	if root.Kind() != jsonbytes.Object {
		return dst, errNotChunk
	}
	if failure := errorInside(root, bytes.Equal(name, nameOfFailure)); failure != nil {
		return append(dst, transform.Delta{Kind: transform.DeltaError, Err: failure}), nil
	}
	return d.chunk(dst, root)
}

func (d *streamDecoder) chunk(dst []transform.Delta, root jsonbytes.Value) ([]transform.Delta, error) {
	var choices, id jsonbytes.Value
	d.sources = nil
	for key, value := range root.Members() {
		switch string(key) {
		case "id":
			id = value
		case "choices":
			choices = value
		case "search_results":
			d.sources = value
		case "citations":
			if d.sources == nil {
				d.sources = value
			}
		}
	}
	if choices == nil && isFlatError(root) {
		return append(dst, transform.Delta{Kind: transform.DeltaError, Err: errorInside(root, true)}), nil
	}
	// Azure's first chunk, about the prompt, has neither an id nor choices.
	if !d.begun && (nonEmpty(id) != nil || choices.Len() > 0) {
		d.begun = true
		dst = append(dst, startDelta(root))
	}
	var err error
	for i, v := range choices.Elements() {
		dst, err = d.choice(dst, i, v)
		if failed := len(dst) > 0 && dst[len(dst)-1].Kind == transform.DeltaError; failed || err != nil {
			return dst, err
		}
	}
	if counts := answerUsage(root); counts.Known {
		dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: counts})
	}
	return dst, nil
}

func startDelta(root jsonbytes.Value) transform.Delta {
	start := transform.Delta{Kind: transform.DeltaStart}
	start.ID, _ = root.Get("id").Text()
	start.Model, _ = root.Get("model").Text()
	start.Created, _ = root.Get("created").Int()
	start.ServiceTier, _ = root.Get("service_tier").Text()
	return start
}

// isFlatError tells whether an event without choices is the error of a server
// that wraps it in nothing.
func isFlatError(root jsonbytes.Value) bool {
	return nonEmpty(root.Get("message")) != nil || !root.Get("detail").Empty()
}

func (d *streamDecoder) choice(dst []transform.Delta, i int, v jsonbytes.Value) ([]transform.Delta, error) {
	index := i
	if n, ok := v.Get("index").Int(); ok {
		index = int(n)
	}
	c := d.choiceAt(index)
	if c == nil {
		return dst, errTooMany
	}
	var finish jsonbytes.Value
	var err error
	for key, value := range v.Members() {
		switch string(key) {
		case "delta":
			if dst, err = c.delta(dst, value); err != nil {
				return dst, err
			}
			dst = d.cite(dst, c)
		case "logprobs":
			if value.Kind() == jsonbytes.Object {
				dst = append(dst, transform.Delta{Kind: transform.DeltaLogprobs, Choice: index, Logprobs: value})
			}
		case "finish_reason":
			finish = value
		}
	}
	if nonEmpty(finish) == nil || c.finished {
		return dst, nil
	}
	reason, failed := readFinish(finish)
	if failed {
		return append(dst, transform.Delta{Kind: transform.DeltaError, Err: failedFinish(finish)}), nil
	}
	called := false
	for i := range c.calls {
		called = called || c.calls[i].named
		if !c.calls[i].named && len(c.calls[i].held) > 0 {
			return dst, errNameless
		}
	}
	c.finished = true
	reason = finishOf(reason, called)
	return append(dst, transform.Delta{Kind: transform.DeltaFinish, Choice: index, Finish: reason}), nil
}

// cite gives the first choice that says something the sources of the stream,
// which Perplexity repeats with each chunk.
func (d *streamDecoder) cite(dst []transform.Delta, c *choiceDecoder) []transform.Delta {
	if d.cited || d.sources == nil || !c.said {
		return dst
	}
	for _, v := range d.sources.Elements() {
		if citation := sourceCitation(v); citation != nil {
			d.cited = true
			dst = append(dst, transform.Delta{Kind: transform.DeltaCitation, Choice: c.index, Part: c.part, Citation: citation})
		}
	}
	return dst
}

func (d *streamDecoder) choiceAt(index int) *choiceDecoder {
	for i := range d.choices {
		if d.choices[i].index == index {
			return &d.choices[i]
		}
	}
	if len(d.choices) >= maxChoices {
		return nil
	}
	d.choices = append(d.choices, choiceDecoder{index: index, part: -1})
	return &d.choices[len(d.choices)-1]
}
