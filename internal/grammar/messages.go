package grammar

import "github.com/caddyllm/llmproxy/internal/jsonbytes"

// blockOf is the kind of block that a delta is of.
var blockOf = map[string]string{
	"text_delta": "text", "citations_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use",
}

// message is a stream of Anthropic's Messages as far as it has come.
type message struct {
	fault
	// state is the last event that is no ping.
	state        string
	blocks       int
	open, filled bool
	kind         string // of the last block
	signed       bool
	calls        bool
	failed       bool
}

// Messages checks a stream of Anthropic's Messages.
func Messages(stream []byte) (failed bool, err error) {
	var m message
	for _, e := range m.events(stream, "\n\n") {
		m.need(e.name != "" && e.data.Get("type").Is(e.name), "name and type differ", e.data)
		m.event(e.name, e.data)
	}
	m.need(m.state == "message_stop" || m.state == "error", "the stream has no end", stream)
	return m.failed, m.err
}

func (m *message) event(name string, data jsonbytes.Value) {
	m.need(m.state != "message_stop" && m.state != "error", "after the end", data)
	m.need(m.state != "" || name == "message_start" || name == "error", "before the start", data)
	if name == "ping" {
		return
	}
	m.need(m.state != "message_delta" || name == "message_stop" || name == "error", "after message_delta", data)
	ours := m.open && number(data.Get("index")) == m.blocks-1
	switch name {
	case "message_start":
		start := data.Get("message")
		m.need(m.state == "" && text(start.Get("id")) != "" && start.Get("type").Is("message") && start.Get("role").Is("assistant") && isText(start.Get("model")) &&
			start.Get("content").Kind() == jsonbytes.Array && start.Get("content").Len() == 0 && start.Get("stop_reason").IsNull(), "not a start", data)
		m.tokens(start.Get("usage"))
	case "content_block_start":
		m.need(!m.open && number(data.Get("index")) == m.blocks, "a block out of order", data)
		m.blocks++
		m.begin(data.Get("content_block"))
	case "content_block_delta":
		m.need(ours, "a delta of no open block", data)
		m.delta(data.Get("delta"))
	case "content_block_stop":
		m.need(ours && m.filled, "the end of no open block, or of an empty one", data)
		m.open = false
	case "message_delta":
		reason, sequence := text(data.Get("delta").Get("stop_reason")), data.Get("delta").Get("stop_sequence")
		m.need(!m.open, "a block is open", data)
		m.need(reason != "" && (reason != "tool_use" || m.calls) && (reason != "end_turn" || !m.calls) &&
			sequence != nil && (reason == "stop_sequence") == isText(sequence), "a reason that does not fit", data)
		m.tokens(data.Get("usage"))
	case "message_stop":
		m.need(m.state == "message_delta", "no message_delta", data)
	case "error":
		m.failed = true
		m.need(text(data.Get("error").Get("type")) != "" && text(data.Get("error").Get("message")) != "", "not an error", data)
	default:
		m.need(false, "an unknown event", data)
	}
	m.state = name
}

func (m *message) begin(block jsonbytes.Value) {
	m.open, m.filled, m.signed, m.kind = true, false, false, text(block.Get("type"))
	switch m.kind {
	case "text":
		m.need(block.Get("text").Is(""), "text too early", block)
	case "thinking":
		m.filled = true // only the signature may be known
		m.need(block.Get("thinking").Is("") && block.Get("signature").Is(""), "thinking too early", block)
	case "redacted_thinking":
		m.filled = true
		m.need(isText(block.Get("data")), "no data", block)
	case "tool_use":
		m.calls = true
		m.need(text(block.Get("id")) != "" && isText(block.Get("name")) && string(block.Get("input")) == "{}", "not a call", block)
	default:
		m.need(false, "an unknown block", block)
	}
}

func (m *message) delta(d jsonbytes.Value) {
	kind := text(d.Get("type"))
	m.need(blockOf[kind] == m.kind && m.kind != "", "a delta of another kind of block", d)
	m.need(!m.signed, "a delta after the signature", d)
	piece := d.Get("text")
	switch kind {
	case "thinking_delta":
		piece = d.Get("thinking")
	case "signature_delta":
		piece = d.Get("signature")
		m.signed = len(piece) > 2
	case "input_json_delta":
		piece = d.Get("partial_json")
	case "citations_delta":
		c := d.Get("citation")
		m.need(isText(c.Get("type")) && isText(c.Get("cited_text")), "an unknown citation", d)
		return
	}
	m.need(isText(piece), "a delta of nothing", d)
	m.filled = m.filled || len(piece) > 2
}

func (f *fault) tokens(u jsonbytes.Value) {
	f.counts(u, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
}

// MessagesAnswer checks a whole answer of Anthropic's Messages.
func MessagesAnswer(body []byte) error {
	var f fault
	a := jsonbytes.Value(body)
	if !f.object(a) {
		return f.err
	}
	f.need(text(a.Get("id")) != "" && a.Get("type").Is("message") && a.Get("role").Is("assistant") && isText(a.Get("model")) &&
		a.Get("content").Kind() == jsonbytes.Array && text(a.Get("stop_reason")) != "", "no answer", a)
	f.has(a, "stop_sequence")
	f.tokens(a.Get("usage"))
	for _, block := range a.Get("content").Elements() {
		switch text(block.Get("type")) {
		case "text":
			f.need(isText(block.Get("text")), "no text", block)
		case "thinking":
			f.need(isText(block.Get("thinking")) && isText(block.Get("signature")), "no thinking or signature", block)
		case "redacted_thinking":
			f.need(isText(block.Get("data")), "no data", block)
		case "tool_use":
			f.need(text(block.Get("id")) != "" && isText(block.Get("name")) && block.Get("input").Kind() == jsonbytes.Object, "not a call", block)
		default:
			f.need(false, "an unknown block", block)
		}
	}
	return f.err
}
