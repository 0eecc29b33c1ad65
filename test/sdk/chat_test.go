package sdk_test

import (
	"net/http"
	"strconv"
)

// chat is OpenAI's Chat Completions, and what resembles it.
type chat struct {
	// newer tells that the model takes max_completion_tokens, not max_tokens.
	newer bool
	// reasons tells that the model always thinks and shows it, in
	// reasoning_content: a server of unknown make is not asked for it.
	reasons bool
	// mistral: reasoning is in parts, members that it does not have are refused.
	mistral bool
}

const mistralMembers = "model messages temperature top_p max_tokens stream stop random_seed response_format tools tool_choice " +
	"presence_penalty frequency_penalty n prediction parallel_tool_calls prompt_mode safe_prompt metadata reasoning_effort " +
	"prompt_cache_key service_tier"

func (d chat) idPrefix() string {
	if d.mistral {
		return "S0" // ids have nine letters and digits
	}
	return "call_Std"
}

func (d chat) read(a *asked, _ *http.Request, body node) {
	a.model, a.stream = body.at("model").str(), body.at("stream").yes()
	if d.mistral {
		a.only(body, mistralMembers)
	}
	for i, m := range body.at("messages").list() {
		d.readMessage(a, i, m)
	}
	for _, t := range body.at("tools").list() {
		f := t.at("function")
		if t.at("type").str() != "function" {
			a.fault("a tool's type is %q", t.at("type"))
		}
		a.tools = append(a.tools, tool{f.at("name").str(), f.at("description").str(), f.at("parameters").v})
	}
	if a.choice = body.at("tool_choice").str(); a.choice == "any" && d.mistral {
		a.choice = "required"
	}
	if name := body.at("tool_choice", "function", "name").str(); name != "" {
		a.choice = name
	}
	if format := body.at("response_format"); format.at("type").str() == "json_schema" {
		a.schema = format.at("json_schema", "schema").v
		if format.at("json_schema", "name").str() == "" {
			a.fault("response_format.json_schema has no name")
		}
	}
	a.thinks = body.at("reasoning_effort").str() != "" || d.reasons
	a.maxTokens = max(body.at("max_tokens").int(), body.at("max_completion_tokens").int())
	if d.newer && body.at("max_tokens").ok() {
		a.fault("max_tokens is not supported with this model: max_completion_tokens is")
	}
	if a.stream && !d.mistral && !body.at("stream_options", "include_usage").yes() {
		a.fault("the stream's usage is not asked for")
	}
}

func (d chat) readMessage(a *asked, i int, m node) {
	role, content := m.at("role").str(), m.at("content")
	if open := a.open(); role != "tool" && len(open) > 0 {
		a.fault("message %d (%s) comes before the results of %v", i, role, open)
	}
	switch role {
	case "system", "developer":
		if role == "developer" && d.mistral {
			a.fault("unknown role developer")
		}
		if len(a.turns) > 0 {
			a.fault("a %s message is not at the beginning", role)
		}
		a.system += d.text(a, content)
	case "user":
		if content.isText() {
			a.say(true, part{kind: "text", text: content.str()})
		}
		for _, p := range content.list() {
			switch p.at("type").str() {
			case "text":
				a.say(true, part{kind: "text", text: p.at("text").str()})
			case "image_url":
				url := p.at("image_url", "url").str()
				if d.mistral && url == "" {
					url = p.at("image_url").str()
				}
				a.image(url)
			default:
				a.fault("a user's part is of type %q", p.at("type").str())
			}
		}
	case "assistant":
		d.readAssistant(a, m)
	case "tool":
		a.result(m.at("tool_call_id").str(), d.text(a, content))
	default:
		a.fault("message %d has the role %q", i, role)
	}
}

func (d chat) readAssistant(a *asked, m node) {
	content := m.at("content")
	if reasoning := m.at("reasoning_content").str(); reasoning != "" {
		a.say(false, part{kind: "reasoning", text: reasoning})
	}
	for _, p := range content.list() {
		if p.at("type").str() == "thinking" {
			a.say(false, part{kind: "reasoning", text: d.text(a, p.at("thinking"))})
		}
	}
	if text := d.text(a, content); text != "" {
		a.say(false, part{kind: "text", text: text})
	}
	for _, c := range m.at("tool_calls").list() {
		args := c.at("function", "arguments")
		if !args.isText() {
			a.fault("the arguments of a call are no string")
		}
		a.say(false, part{kind: "call", id: c.at("id").str(), name: c.at("function", "name").str(), args: parsed(args.str())})
	}
}

// text joins a content's texts.
func (d chat) text(a *asked, content node) string {
	text := content.str()
	for _, p := range content.list() {
		switch kind := p.at("type").str(); {
		case kind == "text":
			text += p.at("text").str()
		case kind == "thinking" && d.mistral:
		default:
			a.fault("a part of type %q stands where there is only text", kind)
		}
	}
	return text
}

func (d chat) finish(rp *reply) string {
	return map[string]string{"end": "stop", "tools": "tool_calls", "length": "length"}[rp.stop]
}

func (d chat) usage(c counts) object {
	u := object{
		"prompt_tokens": c.Input, "completion_tokens": c.Output, "total_tokens": c.Input + c.Output,
		"prompt_tokens_details": object{"cached_tokens": c.Cached},
	}
	if !d.mistral {
		u["completion_tokens_details"] = object{"reasoning_tokens": c.Reasoning}
	}
	return u
}

func (d chat) toolCall(p part, args string) object {
	return object{"id": p.id, "type": "function", "function": object{"name": p.name, "arguments": args}}
}

func (d chat) answer(rp *reply) any {
	message := object{"role": "assistant", "content": nil, "refusal": nil}
	if text := rp.text("text"); text != "" {
		message["content"] = text
	}
	if d.reasons && rp.text("reasoning") != "" {
		message["reasoning_content"] = rp.text("reasoning")
	}
	if d.mistral && rp.text("reasoning") != "" {
		message["content"] = array{
			object{"type": "thinking", "thinking": array{object{"type": "text", "text": rp.text("reasoning")}}},
			object{"type": "text", "text": rp.text("text")},
		}
	}
	var calls array
	for _, c := range rp.calls() {
		calls = append(calls, d.toolCall(c, encode(c.args)))
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	return object{
		"id": "chatcmpl-" + rp.id, "object": "chat.completion", "created": 1700000000, "model": rp.model,
		"choices": array{object{"index": 0, "message": message, "logprobs": nil, "finish_reason": d.finish(rp)}},
		"usage":   d.usage(rp.usage),
	}
}

func (d chat) chunk(rp *reply, delta object, finish any) object {
	return object{
		"id": "chatcmpl-" + rp.id, "object": "chat.completion.chunk", "created": 1700000000, "model": rp.model, "usage": nil,
		"choices": array{object{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}},
	}
}

func (d chat) events(rp *reply) []event {
	events := []event{{data: d.chunk(rp, object{"role": "assistant", "content": ""}, nil)}}
	say := func(delta object) { events = append(events, event{data: d.chunk(rp, delta, nil), content: true}) }
	call := -1
	for _, p := range rp.parts {
		if p.kind == "call" {
			call++
			d.streamCall(rp, p, call, say)
			continue
		}
		for _, piece := range rp.pieces(p) {
			switch {
			case p.kind == "text":
				say(object{"content": piece})
			case d.reasons:
				say(object{"reasoning_content": piece})
			case d.mistral:
				say(object{"content": array{object{"type": "thinking", "thinking": array{object{"type": "text", "text": piece}}}}})
			}
		}
	}
	last := d.chunk(rp, object{}, d.finish(rp))
	if d.mistral {
		last["usage"] = d.usage(rp.usage)
		return append(events, event{data: last}, event{data: raw("[DONE]")})
	}
	usage := d.chunk(rp, nil, nil)
	usage["choices"], usage["usage"] = array{}, d.usage(rp.usage)
	return append(events, event{data: last}, event{data: usage}, event{data: raw("[DONE]")})
}

// streamCall sends a call in pieces; Mistral sends it whole.
func (d chat) streamCall(rp *reply, p part, index int, say func(object)) {
	start := ""
	if d.mistral {
		start = encode(p.args)
	}
	call := d.toolCall(p, start)
	call["index"] = index
	say(object{"tool_calls": array{call}})
	if d.mistral {
		return
	}
	for _, piece := range rp.pieces(p) {
		say(object{"tool_calls": array{object{"index": index, "function": object{"arguments": piece}}}})
	}
}

// raw is written as it is.
type raw string

func (d chat) failure(f failure) (int, http.Header, any) {
	kind, code := map[string][2]string{
		"invalid":    {"invalid_request_error", ""},
		"auth":       {"invalid_request_error", "invalid_api_key"},
		"rate_limit": {"requests", "rate_limit_exceeded"},
		"overloaded": {"server_error", ""},
	}[f.kind][0], any(nil)
	if c := (map[string]string{"auth": "invalid_api_key", "rate_limit": "rate_limit_exceeded"})[f.kind]; c != "" {
		code = c
	}
	if d.mistral {
		return f.status, f.header(), object{"object": "error", "message": f.message, "type": kind, "param": nil, "code": "3000"}
	}
	return f.status, f.header(), object{"error": object{"message": f.message, "type": kind, "param": nil, "code": code}}
}

// header tells how long to wait.
func (f failure) header() http.Header {
	h := http.Header{}
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	return h
}

func (d chat) late(message string, n int) event {
	return event{data: object{"error": object{"message": message, "type": "server_error", "param": nil, "code": nil}}}
}
