package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// heard is what a client makes of a stream.
type heard struct {
	id, model string
	blocks    []heardBlock
	reason    string
	sequence  string
	usage     map[string]json.RawMessage
	failure   string // the type of the error that ended it
}

type heardBlock struct {
	typ, text, signature, data string
	id, name, input            string
	citations                  []string
}

func (b heardBlock) String() string {
	s := b.typ
	for _, part := range append([]string{b.id, b.name, b.text, b.input, b.signature, b.data}, b.citations...) {
		if part != "" {
			s += " " + part
		}
	}
	return s
}

func (h *heard) list() []string {
	var list []string
	for _, b := range h.blocks {
		list = append(list, b.String())
	}
	return list
}

// listen reads a stream as strictly as the format is described, and fails the
// test where it departs from it.
func listen(t *testing.T, stream []byte) *heard {
	t.Helper()
	h := &heard{}
	l := listener{t: t, heard: h, open: -1}
	text := string(stream)
	if strings.Contains(text, "\r") {
		t.Fatalf("carriage returns: %q", text)
	}
	for text != "" {
		event, rest, ok := strings.Cut(text, "\n\n")
		lines := strings.Split(event, "\n")
		if !ok || len(lines) != 2 {
			t.Fatalf("not an event of two lines: %q", event)
		}
		name, named := strings.CutPrefix(lines[0], "event: ")
		data, filled := strings.CutPrefix(lines[1], "data: ")
		if !named || !filled || jsonbytes.Check([]byte(data), 0) != nil || jsonbytes.Value(data).Unique("") != nil {
			t.Fatalf("not an event: %q", event)
		}
		l.event(name, data)
		text = rest
	}
	if l.state != "message_stop" && l.state != "error" {
		t.Fatalf("the stream ends after %q", l.state)
	}
	return h
}

type listener struct {
	t     *testing.T
	heard *heard
	// state is the last event that is no ping, open the block that is open.
	state string
	open  int
	pings int
}

func (l *listener) fail(what, data string) {
	l.t.Helper()
	l.t.Fatalf("%s: %s", what, data)
}

func (l *listener) event(name, data string) {
	l.t.Helper()
	var e struct {
		Type    string
		Index   *int
		Message *struct {
			ID, Type, Role, Model string
			Content               []any
			StopReason            *string `json:"stop_reason"`
			Usage                 map[string]json.RawMessage
		}
		Block map[string]json.RawMessage `json:"content_block"`
		Delta map[string]json.RawMessage
		Usage map[string]json.RawMessage
		Error *struct{ Type, Message string }
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Type != name {
		l.fail("name and type differ", data)
	}
	if l.state == "message_stop" || l.state == "error" {
		l.fail("after the end", data)
	}
	if name == "ping" {
		if l.state == "" {
			l.fail("ping before the start", data)
		}
		l.pings++
		return
	}
	if name != "message_start" && name != "error" && l.state == "" {
		l.fail("before the start", data)
	}
	if l.state == "message_delta" && name != "message_stop" && name != "error" {
		l.fail("after message_delta", data)
	}
	if l.state == "message_start" && name != "error" && l.pings == 0 {
		l.fail("no ping after the start", data)
	}
	h := l.heard
	switch name {
	case "message_start":
		m := e.Message
		if l.state != "" || m == nil || m.ID == "" || m.Type != "message" || m.Role != "assistant" || m.Content == nil || len(m.Content) > 0 || m.StopReason != nil {
			l.fail("not a start", data)
		}
		l.counts(m.Usage, data)
		h.id, h.model = m.ID, m.Model
	case "content_block_start":
		if l.open >= 0 || e.Index == nil || *e.Index != len(h.blocks) {
			l.fail("a block out of order", data)
		}
		l.open = *e.Index
		h.blocks = append(h.blocks, l.block(e.Block, data))
	case "content_block_delta":
		if e.Index == nil || l.open < 0 || *e.Index != l.open {
			l.fail("a delta of no open block", data)
		}
		l.delta(&h.blocks[l.open], e.Delta, data)
	case "content_block_stop":
		if e.Index == nil || l.open < 0 || *e.Index != l.open {
			l.fail("the end of no open block", data)
		}
		b := &h.blocks[l.open]
		if b.typ == "tool_use" && b.input == "" || b.typ == "text" && b.text == "" {
			l.fail("an empty block", data)
		}
		l.open = -1
	case "message_delta":
		if l.open >= 0 {
			l.fail("a block is open", data)
		}
		json.Unmarshal(e.Delta["stop_reason"], &h.reason)
		json.Unmarshal(e.Delta["stop_sequence"], &h.sequence)
		l.counts(e.Usage, data)
		h.usage = e.Usage
		calls := false
		for _, b := range h.blocks {
			calls = calls || b.typ == "tool_use"
		}
		if h.reason == "" || h.reason == "tool_use" && !calls || h.reason == "end_turn" && calls || (h.reason == "stop_sequence") != (h.sequence != "") {
			l.fail("a reason that does not fit", data)
		}
	case "message_stop":
		if l.state != "message_delta" {
			l.fail("no message_delta", data)
		}
	case "error":
		if e.Error == nil || e.Error.Type == "" || e.Error.Message == "" {
			l.fail("not an error", data)
		}
		h.failure = e.Error.Type
	default:
		l.fail("an unknown event", data)
	}
	l.state = name
}

func (l *listener) counts(usage map[string]json.RawMessage, data string) {
	l.t.Helper()
	for _, name := range []string{"input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"} {
		var n int64
		if json.Unmarshal(usage[name], &n) != nil || n < 0 {
			l.fail("no "+name, data)
		}
	}
}

func (l *listener) text(members map[string]json.RawMessage, name, data string) (s string) {
	l.t.Helper()
	if json.Unmarshal(members[name], &s) != nil || string(members[name]) == "null" {
		l.fail("no "+name, data)
	}
	return s
}

func (l *listener) block(members map[string]json.RawMessage, data string) heardBlock {
	l.t.Helper()
	b := heardBlock{typ: l.text(members, "type", data)}
	switch b.typ {
	case "text":
		if l.text(members, "text", data) != "" {
			l.fail("text too early", data)
		}
	case "thinking":
		if l.text(members, "thinking", data) != "" || l.text(members, "signature", data) != "" {
			l.fail("thinking too early", data)
		}
	case "redacted_thinking":
		b.data = l.text(members, "data", data)
	case "tool_use":
		b.id, b.name = l.text(members, "id", data), l.text(members, "name", data)
		if string(members["input"]) != "{}" || b.id == "" {
			l.fail("not a call", data)
		}
	default:
		l.fail("an unknown block", data)
	}
	return b
}

func (l *listener) delta(b *heardBlock, members map[string]json.RawMessage, data string) {
	l.t.Helper()
	typ := l.text(members, "type", data)
	if want := map[string]string{"text_delta": "text", "citations_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use"}[typ]; want != b.typ {
		l.fail("a delta of another kind of block", data)
	}
	if b.signature != "" {
		l.fail("a delta after the signature", data)
	}
	switch typ {
	case "text_delta":
		b.text += l.text(members, "text", data)
	case "thinking_delta":
		b.text += l.text(members, "thinking", data)
	case "signature_delta":
		b.signature = l.text(members, "signature", data)
	case "input_json_delta":
		b.input += l.text(members, "partial_json", data)
	case "citations_delta":
		var c map[string]json.RawMessage
		json.Unmarshal(members["citation"], &c)
		if l.text(c, "type", data) != "web_search_result_location" {
			l.fail("an unknown citation", data)
		}
		l.text(c, "cited_text", data)
		l.text(c, "encrypted_index", data)
		b.citations = append(b.citations, l.text(c, "url", data))
	}
}

// encodeStream encodes a whole stream.
func encodeStream(deltas []transform.Delta, r *transform.Request) []byte {
	e := Codec{}.NewStreamEncoder(r)
	var out []byte
	for i := range deltas {
		out = e.Append(out, &deltas[i])
	}
	return e.AppendEnd(out)
}
