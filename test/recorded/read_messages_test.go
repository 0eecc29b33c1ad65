package recorded_test

import "strings"

func readMessages(body []byte) norm {
	n, err := parse(body)
	if err != nil {
		return failed(0, err.Error())
	}
	return messagesAnswer(n)
}

func messagesAnswer(m node) norm {
	if m.get("type").text() == "error" {
		return failed(0, errorMessage(m))
	}
	var n norm
	for _, block := range m.get("content").list() {
		switch block.get("type").text() {
		case "text":
			n.text += block.get("text").text()
		case "thinking":
			n.reasoning += block.get("thinking").text()
		case "tool_use":
			n.calls = append(n.calls, objectCall(block.get("id").text(), block.get("name").text(), block.get("input")))
		}
	}
	n.stop = messagesStop(m.get("stop_reason"))
	n.usage = messagesUsage(m.get("usage"))
	return n
}

func readMessagesStream(stream []byte) norm {
	list, err := datas(stream)
	if err != nil {
		return failed(0, err.Error())
	}
	return messagesEvents(list)
}

// messagesEvents puts a stream's events together. Of its two reports of usage
// the later one wins, member by member.
func messagesEvents(list []node) norm {
	type block struct {
		kind, id, name string
		text           strings.Builder
	}
	var n norm
	var blocks []*block
	usage := map[string]any{}
	merge := func(u node) {
		m, _ := u.v.(map[string]any)
		for name, value := range m {
			if value != nil {
				usage[name] = value
			}
		}
	}
	ended := false
	for _, e := range list {
		switch e.get("type").text() {
		case "error":
			return failed(0, errorMessage(e))
		case "message_start":
			merge(e.get("message", "usage"))
		case "content_block_start":
			b := e.get("content_block")
			start := &block{kind: b.get("type").text(), id: b.get("id").text(), name: b.get("name").text()}
			start.text.WriteString(b.first("text", "thinking").text())
			blocks = append(blocks, start)
		case "content_block_delta":
			if at := int(e.get("index").count()); at < len(blocks) {
				blocks[at].text.WriteString(e.get("delta").first("text", "thinking", "partial_json").text())
			}
		case "message_delta":
			n.stop = messagesStop(e.get("delta", "stop_reason"))
			merge(e.get("usage"))
		case "message_stop":
			ended = true
		}
	}
	if !ended {
		return failed(0, "cut off")
	}
	for _, b := range blocks {
		switch b.kind {
		case "text":
			n.text += b.text.String()
		case "thinking":
			n.reasoning += b.text.String()
		case "tool_use":
			n.calls = append(n.calls, newCall(b.id, b.name, b.text.String()))
		}
	}
	n.usage = messagesUsage(node{usage})
	return n
}

var messagesStops = map[string]string{
	"end_turn": stopEnd, "pause_turn": stopEnd, "stop_sequence": stopSequence, "max_tokens": stopLength,
	"model_context_window_exceeded": stopLength, "tool_use": stopTools, "refusal": stopFilter,
}

func messagesStop(reason node) string {
	if !reason.given() {
		return ""
	}
	return orOther(messagesStops, reason.text())
}

func messagesUsage(u node) *counts {
	if u.size() == 0 {
		return nil
	}
	c := &counts{cached: u.get("cache_read_input_tokens").count(), output: u.get("output_tokens").count(), reasoning: -1}
	c.input = u.get("input_tokens").count() + c.cached + u.get("cache_creation_input_tokens").count()
	if thought, ok := u.get("output_tokens_details", "thinking_tokens").integer(); ok {
		c.reasoning = thought
	}
	return c
}
