package testllm

import (
	"fmt"
	"slices"
)

// responses is OpenAI's other API.
type responses struct{ openAI }

func (responses) frame(e event) []byte {
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", e.name, e.data)
}

func (d responses) answer(a answer) object {
	var output []object
	for i, item := range d.items(a) {
		output = append(output, item.finished(a, i))
	}
	return d.response(a, d.status(a), output)
}

// item is one element of an answer's output, and the pieces in which it streams.
type item struct {
	kind   string // reasoning, message or function_call
	tool   Tool
	pieces []string
}

func (responses) items(a answer) []item {
	var items []item
	if len(a.thinking) > 0 {
		items = append(items, item{kind: "reasoning", pieces: a.thinking})
	}
	if len(a.chunks) > 0 {
		items = append(items, item{kind: "message", pieces: a.chunks})
	}
	for _, tool := range a.tools {
		items = append(items, item{kind: "function_call", tool: tool, pieces: fragments(tool.Arguments)})
	}
	return items
}

func (i item) id(a answer, index int) string { return fmt.Sprintf("%s_%d_%d", i.kind, a.number, index) }

func (i item) text() string {
	var text string
	for _, piece := range i.pieces {
		text += piece
	}
	return text
}

// begun is the item without what it says.
func (i item) begun(a answer, index int) object {
	out := object{"id", i.id(a, index), "type", i.kind}
	switch i.kind {
	case "reasoning":
		return append(out, "summary", []object{})
	case "message":
		return append(out, "status", "in_progress", "role", "assistant", "content", []object{})
	}
	return append(out, "status", "in_progress", "call_id", i.tool.ID, "name", i.tool.Name, "arguments", "")
}

func (i item) finished(a answer, index int) object {
	out := object{"id", i.id(a, index), "type", i.kind}
	switch i.kind {
	case "reasoning":
		return append(out, "summary", []object{{"type", "summary_text", "text", i.text()}}, "encrypted_content", a.signature)
	case "message":
		return append(out, "status", "completed", "role", "assistant", "content", []object{i.part(i.text())})
	}
	return append(out, "status", "completed", "call_id", i.tool.ID, "name", i.tool.Name, "arguments", i.text())
}

func (i item) part(text string) object {
	if i.kind == "reasoning" {
		return object{"type", "summary_text", "text", text}
	}
	return object{"type", "output_text", "text", text, "annotations", []object{}, "logprobs", []object{}}
}

func (responses) status(a answer) string {
	if a.finish == "length" || a.finish == "content_filter" {
		return "incomplete"
	}
	return "completed"
}

func (d responses) response(a answer, status string, output []object) object {
	var incomplete, usage any
	if status == "incomplete" {
		reason := a.finish
		if reason == "length" {
			reason = "max_output_tokens"
		}
		incomplete = object{"reason", reason}
	}
	if a.tellUsage && status != "in_progress" {
		usage = d.usage(a.usage)
	}
	if output == nil {
		output = []object{}
	}
	return object{
		"id", fmt.Sprintf("resp_%d", a.number),
		"object", "response",
		"created_at", created,
		"status", status,
		"error", nil,
		"incomplete_details", incomplete,
		"instructions", nil,
		"metadata", object{},
		"model", a.model,
		"output", output,
		"parallel_tool_calls", true,
		"tool_choice", "auto",
		"tools", []object{},
		"usage", usage,
	}
}

func (responses) usage(u Usage) object {
	return object{
		"input_tokens", u.Input,
		"input_tokens_details", object{"cached_tokens", u.CacheRead},
		"output_tokens", u.Output,
		"output_tokens_details", object{"reasoning_tokens", u.Reasoning},
		"total_tokens", u.Input + u.Output,
	}
}

func (d responses) stream(a answer) []event {
	s := &responsesStream{}
	s.send(0, "response.created", "response", d.response(a, "in_progress", nil))
	s.send(0, "response.in_progress", "response", d.response(a, "in_progress", nil))
	for index, i := range d.items(a) {
		s.item(a, i, index)
	}
	if a.terminate {
		s.send(0, "response."+d.status(a), "response", d.answer(a))
	}
	return s.events
}

// responsesStream numbers the events.
type responsesStream struct{ events []event }

func (s *responsesStream) send(content int, name string, members ...any) {
	data := encode(append(object{"type", name, "sequence_number", len(s.events)}, members...))
	s.events = append(s.events, event{name: name, data: data, content: content})
}

func (s *responsesStream) item(a answer, i item, index int) {
	at := object{"item_id", i.id(a, index), "output_index", index}
	with := func(more ...any) []any { return append(slices.Clone(at), more...) }
	s.send(0, "response.output_item.added", "output_index", index, "item", i.begun(a, index))
	switch i.kind {
	case "function_call":
		for _, piece := range i.pieces {
			s.send(1, "response.function_call_arguments.delta", with("delta", piece)...)
		}
		s.send(0, "response.function_call_arguments.done", with("name", i.tool.Name, "arguments", i.text())...)
	case "reasoning":
		s.part(i, "response.reasoning_summary_part", "response.reasoning_summary_text", with("summary_index", 0))
	case "message":
		s.part(i, "response.content_part", "response.output_text", with("content_index", 0))
	}
	s.send(0, "response.output_item.done", "output_index", index, "item", i.finished(a, index))
}

// part sends the pieces of a text between the events that open and close it.
func (s *responsesStream) part(i item, part, text string, at []any) {
	with := func(more ...any) []any { return append(slices.Clone(at), more...) }
	s.send(0, part+".added", with("part", i.part(""))...)
	for _, piece := range i.pieces {
		s.send(1, text+".delta", with("delta", piece, "logprobs", []object{})...)
	}
	s.send(0, text+".done", with("text", i.text(), "logprobs", []object{})...)
	s.send(0, part+".done", with("part", i.part(i.text()))...)
}

func (d responses) errorEvent(p problem) event {
	return event{name: "error", data: encode(object{"type", "error", "code", p.Code, "message", p.Message, "param", nil, "sequence_number", 0})}
}
