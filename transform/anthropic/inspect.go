package anthropic

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// InspectResponse finds usage and stop reason in a whole message.
func (Codec) InspectResponse(body []byte) (transform.Summary, error) {
	message, err := readMessage(body)
	if err != nil {
		return transform.Summary{}, err
	}
	var summary transform.Summary
	for name, value := range message.Members() {
		switch string(name) {
		case "usage":
			var c counts
			c.update(value)
			summary.Usage = c.tokens(value.Kind() == jsonbytes.Object)
		case "stop_reason":
			summary.Finish = inspectFinish(value)
		case "content":
			summary.Content = inspectContent(value)
		}
	}
	return summary, nil
}

// leastContent is the length of content that needs no look: no empty block is so long.
const leastContent = 256

// inspectContent tells whether the content says anything.
func inspectContent(content jsonbytes.Value) bool {
	if len(content) >= leastContent {
		return true
	}
	for _, block := range content.Elements() {
		if !emptyStart(block) {
			return true
		}
	}
	return false
}

// inspectFinish translates a stop reason by its word alone.
func inspectFinish(reason jsonbytes.Value) transform.Finish {
	return blocks.Finish(reason, reason.Is("tool_use"))
}

// NewStreamInspector watches a stream that is passed on unread.
func (Codec) NewStreamInspector() transform.StreamInspector { return &streamInspector{} }

type streamInspector struct {
	counts counts
	known  bool
	finish transform.Finish
	said   bool
	failed bool
	ended  bool
}

// Inspect looks at one event. Deltas, by far the most, are not read at all.
func (s *streamInspector) Inspect(name, data []byte) (transform.Sign, error) {
	if len(name) == 0 {
		name = nameOf(jsonbytes.Parse(data))
	}
	if isEvent(name) && !enclosed(data) {
		return transform.Sign{}, errBadEvent
	}
	sign := transform.Sign{}
	switch string(name) {
	case "content_block_start":
		sign.Content = !emptyStart(jsonbytes.Parse(data).Get("content_block"))
		s.said = s.said || sign.Content
	case "content_block_stop", "ping":
	case "message_start":
		s.counts.update(jsonbytes.Parse(data).Get("message").Get("usage"))
		s.counts.output = 0 // a placeholder
	case "message_delta":
		sign.Content = true
		s.messageDelta(jsonbytes.Parse(data))
	case "message_stop":
		s.ended = !s.failed
	case "error":
		s.failed = true
		sign.Err = decodeError(0, jsonbytes.Parse(data))
	default:
		sign.Content, s.said = true, true
	}
	return sign, nil
}

func (s *streamInspector) messageDelta(event jsonbytes.Value) {
	for name, value := range event.Members() {
		switch string(name) {
		case "usage":
			s.counts.update(value)
			s.known = s.known || value.Kind() == jsonbytes.Object
		case "delta":
			if reason := value.Get("stop_reason"); !reason.Empty() {
				s.finish = inspectFinish(reason)
			}
		}
	}
}

// emptyStart tells whether a block begins without anything in it.
func emptyStart(block jsonbytes.Value) bool {
	typ := block.Get("type")
	switch {
	case typ.Is("text"):
		return !block.Get("text").HasText()
	case typ.Is("thinking"):
		return !block.Get("thinking").HasText() && !block.Get("signature").HasText()
	}
	return false
}

// enclosed tells whether data looks like an object from outside.
func enclosed(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) >= 2 && data[0] == '{' && data[len(data)-1] == '}'
}

// Summary is what was found so far. Of a stream that was cut before its
// message_delta the input is there, but the usage is not known.
func (s *streamInspector) Summary() transform.Summary {
	return transform.Summary{Usage: s.counts.tokens(s.known), Finish: s.finish, Content: s.said}
}

// Ended tells whether message_stop was seen.
func (s *streamInspector) Ended() bool { return s.ended }
