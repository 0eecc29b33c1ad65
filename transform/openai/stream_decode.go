package openai

import (
	"bytes"
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// NewStreamDecoder reads the chunks of one stream, as any provider of this
// format sends them.
func (c Codec) NewStreamDecoder() transform.StreamDecoder {
	return &streamDecoder{tags: c.profile().ThinkTags}
}

// What one stream may hold at most: OpenAI's limits are 128 each, and a
// provider gone mad must not fill the memory.
const (
	maxChoices = 128
	maxCalls   = 1024
)

var (
	errTooMany    = errors.New("openai: too many choices or tool calls in one stream")
	errNameless   = errors.New("openai: a tool call without a name")
	doneSentinel  = []byte("[DONE]")
	nameOfFailure = []byte("error")
)

type streamDecoder struct {
	tags        bool // reasoning may be tagged text
	begun, done bool
	broken      bool // by an error: [DONE] may follow and means nothing
	cited       bool // the sources, which Perplexity repeats with each chunk
	choices     []choiceDecoder
}

// Ended follows from [DONE], which several providers never send, or from every
// choice having a finish_reason.
func (d *streamDecoder) Ended() bool {
	if d.done || d.broken {
		return !d.broken
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
		for i := range d.choices {
			dst = d.choices[i].flushTags(dst)
		}
		return dst, nil
	}
	e, err := openEnvelope(data)
	if err != nil {
		return dst, err
	}
	if failure := e.failed(bytes.Equal(name, nameOfFailure)); failure != nil {
		d.broken = true
		return append(dst, transform.Delta{Kind: transform.DeltaError, Err: failure}), nil
	}
	return d.chunk(dst, &e)
}

func (d *streamDecoder) chunk(dst []transform.Delta, e *envelope) ([]transform.Delta, error) {
	// Azure's first chunk, about the prompt, has neither an id nor choices.
	if !d.begun && (e.id.HasText() || e.choices.Len() > 0) {
		d.begun = true
		start := transform.Delta{Kind: transform.DeltaStart}
		start.ID, _ = e.id.Text()
		start.Model, _ = e.model.Text()
		start.Created, _ = e.created.Int()
		start.ServiceTier, _ = e.tier.Text()
		dst = append(dst, start)
	}
	counts := e.counts()
	for i, v := range e.choices.Elements() {
		var own jsonbytes.Value
		var err error
		dst, own, err = d.choice(dst, i, v, e)
		d.broken = err != nil || len(dst) > 0 && dst[len(dst)-1].Kind == transform.DeltaError
		if d.broken {
			return dst, err
		}
		if own != nil && !counts.Known {
			counts = ReadUsage(own) // Moonshot
		}
	}
	if counts.Known {
		dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: counts})
	}
	return dst, nil
}

// choice reads an element of choices; counts is the usage that it holds.
func (d *streamDecoder) choice(dst []transform.Delta, i int, v jsonbytes.Value, e *envelope) (_ []transform.Delta, counts jsonbytes.Value, err error) {
	index := i
	var delta, logprobs, finish jsonbytes.Value
	for key, value := range v.Members() {
		switch string(key) {
		case "index":
			if n, ok := value.Int(); ok {
				index = int(n)
			}
		case "delta":
			delta = value
		case "logprobs":
			logprobs = value
		case "finish_reason":
			finish = value
		case "usage":
			counts = value
		}
	}
	c := d.choiceAt(index)
	if c == nil {
		return dst, counts, errTooMany
	}
	if dst, err = c.delta(dst, delta); err != nil {
		return dst, counts, err
	}
	dst = d.cite(dst, c, e)
	if logprobs.Kind() == jsonbytes.Object {
		dst = append(dst, transform.Delta{Kind: transform.DeltaLogprobs, Choice: index, Logprobs: logprobs})
	}
	dst, err = c.finish(dst, finish)
	return dst, counts, err
}

// finish reads finish_reason, which some providers repeat.
func (c *choiceDecoder) finish(dst []transform.Delta, finish jsonbytes.Value) ([]transform.Delta, error) {
	if !finish.HasText() || c.finished {
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
	dst = c.flushTags(dst)
	reason = finishOf(reason, called)
	return append(dst, transform.Delta{Kind: transform.DeltaFinish, Choice: c.index, Finish: reason}), nil
}

// cite gives the first choice that says something the sources of the stream.
func (d *streamDecoder) cite(dst []transform.Delta, c *choiceDecoder, e *envelope) []transform.Delta {
	if d.cited || !c.said {
		return dst
	}
	for _, v := range e.sources().Elements() {
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
	if d.tags {
		d.choices[len(d.choices)-1].tags.state = thinkBefore
	}
	return &d.choices[len(d.choices)-1]
}
