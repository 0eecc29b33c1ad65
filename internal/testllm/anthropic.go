package testllm

import (
	"cmp"
	"encoding/json"
	"fmt"
)

type anthropic struct{}

func (anthropic) jsonType() string        { return "application/json" }
func (anthropic) streamType() string      { return "text/event-stream; charset=utf-8" }
func (anthropic) requestIDHeader() string { return "Request-Id" }

func (anthropic) frame(e event) []byte {
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", e.name, e.data)
}

func (d anthropic) answer(a answer) object {
	content := []object{}
	if len(a.thinking) > 0 {
		content = append(content, object{"type", "thinking", "thinking", a.thought(), "signature", a.signature})
	}
	if len(a.chunks) > 0 {
		content = append(content, object{"type", "text", "text", a.text()})
	}
	for _, tool := range a.tools {
		content = append(content, object{
			"type", "tool_use", "id", tool.ID, "name", tool.Name, "input", json.RawMessage(tool.Arguments),
		})
	}
	return d.message(a, content, d.finish(a), a.usage.Output)
}

func (d anthropic) message(a answer, content []object, finish any, output int) object {
	out := object{
		"id", fmt.Sprintf("msg_%d", a.number),
		"type", "message",
		"role", "assistant",
		"model", a.model,
		"content", content,
		"stop_reason", finish,
		"stop_sequence", nil,
	}
	if a.tellUsage {
		out = append(out, "usage", d.usage(a.usage, output))
	}
	return out
}

func (anthropic) finish(a answer) string {
	return cmp.Or(map[string]string{
		"stop":           "end_turn",
		"length":         "max_tokens",
		"tool_calls":     "tool_use",
		"content_filter": "refusal",
	}[a.finish], a.finish)
}

// usage leaves what was read from and written to the cache out of
// input_tokens.
func (anthropic) usage(u Usage, output int) object {
	return object{
		"input_tokens", u.Input - u.CacheRead - u.CacheWrite,
		"cache_creation_input_tokens", u.CacheWrite,
		"cache_read_input_tokens", u.CacheRead,
		"output_tokens", output,
	}
}

func (d anthropic) stream(a answer) []event {
	s := &anthropicStream{}
	placeholder := min(1, a.usage.Output)
	s.send(0, "message_start", "message", d.message(a, []object{}, nil, placeholder))
	if len(a.thinking) > 0 {
		s.open(object{"type", "thinking", "thinking", "", "signature", ""})
		for _, piece := range a.thinking {
			s.delta(1, "thinking_delta", "thinking", piece)
		}
		s.delta(0, "signature_delta", "signature", a.signature)
		s.shut()
	}
	if len(a.chunks) > 0 {
		s.open(object{"type", "text", "text", ""})
		for _, piece := range a.chunks {
			s.delta(1, "text_delta", "text", piece)
		}
		s.shut()
	}
	for _, tool := range a.tools {
		s.open(object{"type", "tool_use", "id", tool.ID, "name", tool.Name, "input", object{}})
		s.delta(0, "input_json_delta", "partial_json", "")
		for _, piece := range fragments(tool.Arguments) {
			s.delta(1, "input_json_delta", "partial_json", piece)
		}
		s.shut()
	}
	ending := object{"delta", object{"stop_reason", d.finish(a), "stop_sequence", nil}}
	if a.tellUsage {
		ending = append(ending, "usage", d.usage(a.usage, a.usage.Output))
	}
	s.send(0, "message_delta", ending...)
	if a.terminate {
		s.send(0, "message_stop")
	}
	return s.events
}

// anthropicStream numbers the content blocks.
type anthropicStream struct {
	events []event
	block  int
}

func (s *anthropicStream) send(content int, name string, members ...any) {
	data := encode(append(object{"type", name}, members...))
	s.events = append(s.events, event{name: name, data: data, content: content})
}

func (s *anthropicStream) open(block object) {
	s.send(0, "content_block_start", "index", s.block, "content_block", block)
	if s.block == 0 {
		s.send(0, "ping")
	}
}

func (s *anthropicStream) delta(content int, kind, name, value string) {
	s.send(content, "content_block_delta", "index", s.block, "delta", object{"type", kind, name, value})
}

func (s *anthropicStream) shut() {
	s.send(0, "content_block_stop", "index", s.block)
	s.block++
}

// embeddings is never reached: Anthropic has none, so no path asks for them.
func (anthropic) embeddings(answer) object { return object{} }

func (anthropic) models(names []string) object {
	data := []object{}
	for _, name := range names {
		data = append(data, object{
			"type", "model", "id", name, "display_name", name, "created_at", "2026-01-01T00:00:00Z",
		})
	}
	var first, last any
	if len(names) > 0 {
		first, last = names[0], names[len(names)-1]
	}
	return object{"data", data, "has_more", false, "first_id", first, "last_id", last}
}

func (anthropic) problem(p problem) object {
	return object{
		"type", "error",
		"error", object{"type", p.Type, "message", p.Message},
		"request_id", p.requestID,
	}
}

func (d anthropic) errorEvent(p problem) event {
	return event{name: "error", data: encode(d.problem(p))}
}
