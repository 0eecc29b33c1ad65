package recorded_test

import "slices"

// messagesDeltas are the deltas that a kind of block may have.
var messagesDeltas = map[string][]string{
	"text":              {"text_delta", "citations_delta"},
	"thinking":          {"thinking_delta", "signature_delta"},
	"tool_use":          {"input_json_delta"},
	"redacted_thinking": {},
}

func messagesGrammar(stream []byte) []string {
	var g grammar
	list := withoutCommentFrames(stream)
	var events []node
	for i, e := range g.events(list) {
		g.need(list[i].event == e.get("type").text(), "event: %s with type %s", list[i].event, e.get("type"))
		if e.get("type").text() != "ping" {
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return append(g.wrong, "no events")
	}
	if last := events[len(events)-1]; last.get("type").text() == "error" {
		g.need(last.get("error", "type").isText(), "error without type")
		return g.wrong
	}
	start, end := events[0], events[len(events)-1]
	g.need(start.get("type").text() == "message_start", "starts with %s", start.get("type"))
	m := start.get("message")
	g.need(m.get("id").text() != "" && m.get("type").text() == "message" && m.get("role").text() == "assistant" &&
		m.get("content").isList() && m.get("model").isText(), "message_start without id, type, role, model or content")
	g.need(m.get("usage", "input_tokens").isInteger() && m.get("usage", "output_tokens").isInteger(), "message_start without usage")
	g.need(end.get("type").text() == "message_stop", "ends with %s", end.get("type"))
	b := messagesBlocks{grammar: &g, open: -1}
	for _, e := range events[1 : len(events)-1] {
		b.take(e)
	}
	b.end()
	return g.wrong
}

// messagesBlocks is how far a message has come.
type messagesBlocks struct {
	*grammar
	open   int // -1: no block is
	kinds  []string
	inputs []string
	ended  bool
	stop   string
}

func (b *messagesBlocks) take(e node) {
	kind, at := e.get("type").text(), int(e.get("index").count())
	b.need(!b.ended || kind == "message_delta", "%s after message_delta", kind)
	switch kind {
	case "content_block_start":
		b.need(b.open < 0, "content_block_start while a block is open")
		b.need(at == len(b.kinds), "block index %d, not %d", at, len(b.kinds))
		block := e.get("content_block")
		b.open = len(b.kinds)
		b.kinds, b.inputs = append(b.kinds, block.get("type").text()), append(b.inputs, "")
		if block.get("type").text() == "tool_use" {
			b.need(block.get("id").text() != "" && block.get("name").text() != "" && block.get("input").isObject(), "tool_use starts without id, name or input")
		}
	case "content_block_delta":
		if b.open < 0 || at != b.open {
			b.need(false, "delta of block %d while %d is open", at, b.open)
			return
		}
		delta := e.get("delta", "type").text()
		if may, known := messagesDeltas[b.kinds[b.open]]; known {
			b.need(slices.Contains(may, delta), "%s in a %s block", delta, b.kinds[b.open])
		}
		if delta == "input_json_delta" {
			b.inputs[b.open] += e.get("delta", "partial_json").text()
		}
	case "content_block_stop":
		b.need(at == b.open, "content_block_stop of %d while %d is open", at, b.open)
		b.open = -1
	case "message_delta":
		b.need(b.open < 0, "message_delta while a block is open")
		b.ended = true
		if reason := e.get("delta", "stop_reason"); reason.given() {
			b.stop = reason.text()
		}
		b.need(e.get("usage", "output_tokens").isInteger(), "message_delta without usage")
	default:
		b.need(false, "%s inside a message", kind)
	}
}

func (b *messagesBlocks) end() {
	b.need(b.open < 0, "a block stays open")
	b.need(b.stop != "", "no stop_reason")
	for i, kind := range b.kinds {
		if kind != "tool_use" {
			continue
		}
		b.need(b.stop != "end_turn", "stop_reason end_turn with tool_use")
		if b.inputs[i] != "" && b.stop != "max_tokens" {
			_, err := parse([]byte(b.inputs[i]))
			b.need(err == nil, "tool input is no JSON: %.80s", b.inputs[i])
		}
	}
}

func messagesShape(n node) []string {
	var g grammar
	g.members(n, "message", "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")
	g.members(n.get("usage"), "usage", "input_tokens", "output_tokens")
	for _, b := range n.get("content").list() {
		if b.get("type").text() == "tool_use" {
			g.members(b, "tool_use", "id", "name", "input")
			g.need(b.get("input").isObject(), "tool_use whose input is no object")
		}
	}
	return g.wrong
}
