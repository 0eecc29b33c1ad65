package anthropic

import (
	"errors"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

var errBadEvent = errors.New("the stream has an event that is not in Anthropic's format")

// NewStreamDecoder reads a stream of message_start, content blocks,
// message_delta and message_stop.
func (Codec) NewStreamDecoder() transform.StreamDecoder { return &streamDecoder{} }

type streamDecoder struct {
	counts counts
	blocks blocks.Stream

	finished, failed, ended bool
}

// Decode reads one event. Those of Bedrock have no name: it is in their data too.
func (d *streamDecoder) Decode(dst []transform.Delta, name, data []byte) ([]transform.Delta, error) {
	event := jsonbytes.Parse(data)
	if len(name) == 0 {
		name = nameOf(event)
	}
	if !isEvent(name) || d.ended || d.failed {
		return dst, nil
	}
	if event.Kind() != jsonbytes.Object {
		return dst, errBadEvent
	}
	switch string(name) {
	case "content_block_delta":
		return d.delta(dst, event)
	case "content_block_start":
		return d.blockStart(dst, number(event.Get("index")), event.Get("content_block"))
	case "content_block_stop":
		return d.blocks.End(dst, number(event.Get("index"))), nil
	case "message_start":
		return d.messageStart(dst, event.Get("message"))
	case "message_delta":
		return d.messageDelta(dst, event)
	case "message_stop":
		d.ended = true
	case "ping":
		dst = append(dst, transform.Delta{Kind: transform.DeltaPing})
	case "error":
		d.failed = true
		dst = append(dst, transform.Delta{Kind: transform.DeltaError, Err: decodeError(0, event)})
	}
	return dst, nil
}

// Ended tells whether message_stop was seen.
func (d *streamDecoder) Ended() bool { return d.ended }

// nameOf is the type that an event calls itself, without quotes.
func nameOf(event jsonbytes.Value) []byte { return nameIn(event.Get("type")) }

// nameIn is what stands between the quotes of a string.
func nameIn(value jsonbytes.Value) []byte {
	if value.Kind() != jsonbytes.String || len(value) < len(`""`) {
		return nil
	}
	return value[1 : len(value)-1]
}

func isEvent(name []byte) bool {
	switch string(name) {
	case "content_block_delta", "content_block_start", "content_block_stop",
		"message_start", "message_delta", "message_stop", "ping", "error":
		return true
	}
	return false
}

// number is a small count, 0 for anything else.
func number(value jsonbytes.Value) int {
	if len(value) == 1 && '0' <= value[0] && value[0] <= '9' {
		return int(value[0] - '0')
	}
	n, _ := value.Int()
	return int(min(max(n, 0), 1<<30))
}

func (d *streamDecoder) messageStart(dst []transform.Delta, message jsonbytes.Value) ([]transform.Delta, error) {
	if message.Kind() != jsonbytes.Object {
		return dst, errBadEvent
	}
	counted := message.Get("usage")
	d.counts.update(counted)
	// The output counted here is a placeholder; the true one is in message_delta.
	d.counts.output = 0
	delta := transform.Delta{Kind: transform.DeltaStart, Usage: d.counts.tokens(false), ServiceTier: serviceTier(counted)}
	delta.ID, _ = message.Get("id").Text()
	delta.Model, _ = message.Get("model").Text()
	dst = append(dst, delta)
	// A message may come with blocks (programmatic tool calls).
	var err error
	for i, block := range message.Get("content").Elements() {
		if dst, err = d.blockStart(dst, i, block); err != nil {
			return dst, err
		}
		dst = d.blocks.End(dst, i)
	}
	return dst, nil
}

func (d *streamDecoder) messageDelta(dst []transform.Delta, event jsonbytes.Value) ([]transform.Delta, error) {
	var delta, counted jsonbytes.Value
	for name, value := range event.Members() {
		switch string(name) {
		case "delta":
			delta = value
		case "usage":
			counted = value
		}
	}
	if reason := delta.Get("stop_reason"); !reason.Empty() && !d.finished {
		d.finished = true
		if text := explanation(delta.Get("stop_details")); text != nil {
			if !text.Spliceable() {
				return dst, errBadEvent
			}
			dst = append(dst, transform.Delta{Kind: transform.DeltaRefusal, Text: text})
		}
		finish := transform.Delta{Kind: transform.DeltaFinish, Finish: blocks.Finish(reason, d.blocks.Calls > 0)}
		finish.StopSequence, _ = delta.Get("stop_sequence").Text()
		dst = append(dst, finish)
	}
	if counted.Kind() == jsonbytes.Object {
		d.counts.update(counted)
		dst = append(dst, transform.Delta{Kind: transform.DeltaUsage, Usage: d.counts.tokens(true)})
	}
	return dst, nil
}
