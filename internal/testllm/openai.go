package testllm

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
)

type openAI struct{}

func (openAI) jsonType() string        { return "application/json" }
func (openAI) streamType() string      { return "text/event-stream; charset=utf-8" }
func (openAI) requestIDHeader() string { return "X-Request-Id" }
func (openAI) frame(e event) []byte    { return fmt.Appendf(nil, "data: %s\n\n", e.data) }

func (d openAI) answer(a answer) object {
	message := object{"role", "assistant", "content", nil, "refusal", nil}
	if len(a.chunks) > 0 || len(a.tools) == 0 {
		message[3] = a.text()
	}
	if len(a.thinking) > 0 {
		message = append(message, "reasoning_content", a.thought())
	}
	if len(a.tools) > 0 {
		var calls []object
		for _, tool := range a.tools {
			calls = append(calls, object{
				"id", tool.ID, "type", "function",
				"function", object{"name", tool.Name, "arguments", tool.Arguments},
			})
		}
		message = append(message, "tool_calls", calls)
	}
	out := object{
		"id", fmt.Sprintf("chatcmpl-%d", a.number),
		"object", "chat.completion",
		"created", created,
		"model", a.model,
		"choices", []object{{
			"index", 0, "message", message, "logprobs", nil, "finish_reason", a.finish,
		}},
	}
	if a.tellUsage {
		out = append(out, "usage", d.usage(a.usage))
	}
	return append(out, "service_tier", "default", "system_fingerprint", "fp_test")
}

func (d openAI) stream(a answer) []event {
	var events []event
	send := func(content int, delta object, finish any) {
		choice := object{"index", 0, "delta", delta, "logprobs", nil, "finish_reason", finish}
		events = append(events, event{data: encode(d.chunk(a, nil, choice)), content: content})
	}
	first := object{"role", "assistant", "content", "", "refusal", nil}
	if len(a.chunks) == 0 && len(a.tools) > 0 {
		first[3] = nil
	}
	send(0, first, nil)
	for _, piece := range a.thinking {
		send(1, object{"reasoning_content", piece}, nil)
	}
	for _, piece := range a.chunks {
		send(1, object{"content", piece}, nil)
	}
	for i, tool := range a.tools {
		send(0, toolDelta(object{
			"index", i, "id", tool.ID, "type", "function",
			"function", object{"name", tool.Name, "arguments", ""},
		}), nil)
		for _, piece := range fragments(tool.Arguments) {
			send(1, toolDelta(object{"index", i, "function", object{"arguments", piece}}), nil)
		}
	}
	send(0, object{}, a.finish)
	if a.includeUsage {
		events = append(events, event{data: encode(d.chunk(a, d.usage(a.usage)))})
	}
	if a.terminate {
		events = append(events, event{data: []byte("[DONE]")})
	}
	return events
}

func toolDelta(call object) object { return object{"tool_calls", []object{call}} }

// chunk spells out choices even when there are none, and "usage":null whenever
// a usage chunk is to come.
func (openAI) chunk(a answer, usage any, choices ...object) object {
	if choices == nil {
		choices = []object{}
	}
	out := object{
		"id", fmt.Sprintf("chatcmpl-%d", a.number),
		"object", "chat.completion.chunk",
		"created", created,
		"model", a.model,
		"service_tier", "default",
		"system_fingerprint", "fp_test",
		"choices", choices,
	}
	if a.includeUsage {
		out = append(out, "usage", usage)
	}
	return out
}

func (openAI) usage(u Usage) object {
	return object{
		"prompt_tokens", u.Input,
		"completion_tokens", u.Output,
		"total_tokens", u.Input + u.Output,
		"prompt_tokens_details", object{"cached_tokens", u.CacheRead, "audio_tokens", 0},
		"completion_tokens_details", object{
			"reasoning_tokens", u.Reasoning,
			"audio_tokens", 0,
			"accepted_prediction_tokens", 0,
			"rejected_prediction_tokens", 0,
		},
	}
}

func (openAI) embeddings(a answer) object {
	data := []object{}
	for i, vector := range a.vectors {
		var value any = vector
		if a.base64 {
			value = packed(vector)
		}
		data = append(data, object{"object", "embedding", "index", i, "embedding", value})
	}
	out := object{"object", "list", "data", data, "model", a.model}
	if a.tellUsage {
		out = append(out, "usage", object{"prompt_tokens", a.usage.Input, "total_tokens", a.usage.Input})
	}
	return out
}

// packed is the base64 of the vector as little-endian float32.
func packed(vector []float32) string {
	var raw []byte
	for _, value := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(value))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func (openAI) models(names []string) object {
	data := []object{}
	for _, name := range names {
		data = append(data, object{"id", name, "object", "model", "created", created, "owned_by", "testllm"})
	}
	return object{"object", "list", "data", data}
}

func (openAI) problem(p problem) object {
	var code any
	if p.Code != "" {
		code = p.Code
	}
	return object{"error", object{"message", p.Message, "type", p.Type, "param", nil, "code", code}}
}

func (d openAI) errorEvent(p problem) event { return event{data: encode(d.problem(p))} }
