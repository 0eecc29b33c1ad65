package testllm

import (
	"cmp"
	"encoding/json"
	"fmt"
)

type gemini struct{}

func (gemini) jsonType() string        { return "application/json; charset=UTF-8" }
func (gemini) streamType() string      { return "text/event-stream" }
func (gemini) requestIDHeader() string { return "X-Goog-Request-Id" }
func (gemini) frame(e event) []byte    { return fmt.Appendf(nil, "data: %s\r\n\r\n", e.data) }

func (d gemini) answer(a answer) object {
	var parts []object
	if len(a.thinking) > 0 {
		parts = append(parts, object{"text", a.thought(), "thought", true})
	}
	if len(a.chunks) > 0 {
		parts = append(parts, object{"text", a.text()})
	}
	for i := range a.tools {
		parts = append(parts, d.functionCall(a, i))
	}
	return d.response(a, parts, true, a.usage.Output-a.usage.Reasoning)
}

// stream puts the finish reason on the chunk with the last content.
func (d gemini) stream(a answer) []event {
	var parts []object
	for _, piece := range a.thinking {
		parts = append(parts, object{"text", piece, "thought", true})
	}
	for _, piece := range a.chunks {
		parts = append(parts, object{"text", piece})
	}
	for i := range a.tools {
		parts = append(parts, d.functionCall(a, i))
	}
	content := 1
	if len(parts) == 0 {
		parts, content = []object{{"text", ""}}, 0
	}
	var events []event
	visible := len(parts) - len(a.thinking)
	for i, part := range parts {
		last := i == len(parts)-1
		candidates := a.usage.Output - a.usage.Reasoning
		if !last {
			candidates = share(candidates, max(0, i+1-len(a.thinking)), max(1, visible))
		}
		response := d.response(a, []object{part}, last && a.terminate, candidates)
		events = append(events, event{data: encode(response), content: content})
	}
	return events
}

func (gemini) functionCall(a answer, index int) object {
	tool := a.tools[index]
	call := object{"name", tool.Name, "args", json.RawMessage(tool.Arguments)}
	if tool.ID != "" {
		call = append(object{"id", tool.ID}, call...)
	}
	part := object{"functionCall", call}
	if index == 0 {
		part = append(part, "thoughtSignature", a.signature)
	}
	return part
}

func (d gemini) response(a answer, parts []object, finished bool, candidates int) object {
	content := object{"role", "model"}
	if len(parts) > 0 {
		content = append(object{"parts", parts}, content...)
	}
	candidate := object{"content", content}
	if finished {
		candidate = append(candidate, "finishReason", d.finish(a))
	}
	out := object{"candidates", []object{append(candidate, "index", 0)}}
	if a.tellUsage {
		out = append(out, "usageMetadata", d.usage(a.usage, candidates))
	}
	return append(out, "modelVersion", a.model, "responseId", fmt.Sprintf("response-%d", a.number))
}

// finish knows no reason for tool calls: they stop like any answer.
func (gemini) finish(a answer) string {
	return cmp.Or(map[string]string{
		"stop":           "STOP",
		"length":         "MAX_TOKENS",
		"tool_calls":     "STOP",
		"content_filter": "SAFETY",
	}[a.finish], a.finish)
}

// usage counts what was cached into the prompt, but thoughts apart from the
// candidates. Counts of nothing are left out.
func (gemini) usage(u Usage, candidates int) object {
	out := object{"promptTokenCount", u.Input}
	if candidates > 0 {
		out = append(out, "candidatesTokenCount", candidates)
	}
	out = append(out, "totalTokenCount", u.Input+candidates+u.Reasoning)
	if u.CacheRead > 0 {
		out = append(out, "cachedContentTokenCount", u.CacheRead)
	}
	out = append(out, "promptTokensDetails", []object{{"modality", "TEXT", "tokenCount", u.Input}})
	if u.Reasoning > 0 {
		out = append(out, "thoughtsTokenCount", u.Reasoning)
	}
	return out
}

func (gemini) embeddings(a answer) object {
	list := []object{}
	for _, vector := range a.vectors {
		list = append(list, object{"values", vector})
	}
	out := object{"embeddings", list}
	if !a.batch {
		out = object{"embedding", list[0]}
	}
	if a.tellUsage {
		out = append(out, "usageMetadata", object{"promptTokenCount", a.usage.Input})
	}
	return out
}

func (gemini) models(names []string) object {
	list := []object{}
	for _, name := range names {
		list = append(list, object{
			"name", "models/" + name,
			"version", "001",
			"displayName", name,
			"inputTokenLimit", 1048576,
			"outputTokenLimit", 65536,
			"supportedGenerationMethods", []string{"generateContent", "countTokens"},
		})
	}
	return object{"models", list}
}

func (gemini) problem(p problem) object {
	return object{"error", object{"code", p.status, "message", p.Message, "status", p.Type}}
}

func (d gemini) errorEvent(p problem) event { return event{data: encode(d.problem(p))} }
