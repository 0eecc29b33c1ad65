package sdk_test

import "net/http"

// cohere is Cohere's chat, version 2.
type cohere struct{}

func (d cohere) idPrefix() string { return "get_something_std" }

func (d cohere) read(a *asked, _ *http.Request, body node) {
	a.only(body, "model messages tools tool_choice strict_tools response_format stream max_tokens temperature p k seed stop_sequences "+
		"frequency_penalty presence_penalty logprobs thinking documents citation_options safety_mode priority raw_prompting")
	a.model, a.stream = body.at("model").str(), body.at("stream").yes()
	for i, m := range body.at("messages").list() {
		d.readMessage(a, i, m)
	}
	for _, t := range body.at("tools").list() {
		f := t.at("function")
		a.tools = append(a.tools, tool{f.at("name").str(), f.at("description").str(), f.at("parameters").v})
	}
	a.choice = map[string]string{"": "", "REQUIRED": "required", "NONE": "none"}[body.at("tool_choice").str()]
	format := body.at("response_format")
	for _, name := range []string{"json_schema", "schema"} {
		if s := format.at(name); s.ok() {
			a.schema = s.v
		}
	}
	if a.schema != nil && format.at("type").str() != "json_object" {
		a.fault("response_format.type is %q", format.at("type").str())
	}
	a.thinks = body.at("thinking", "type").str() == "enabled"
	a.maxTokens = body.at("max_tokens").int()
}

func (d cohere) readMessage(a *asked, i int, m node) {
	role, content := m.at("role").str(), m.at("content")
	if open := a.open(); role != "tool" && len(open) > 0 {
		a.fault("message %d (%s) comes before the results of %v", i, role, open)
	}
	if role == "tool" {
		text := content.str()
		for _, p := range content.list() {
			text += p.at("text").str()
			if document := p.at("document", "data"); document.ok() {
				text += document.String()
			}
		}
		a.result(m.at("tool_call_id").str(), text)
		return
	}
	user := role == "user"
	if role != "system" && role != "user" && role != "assistant" {
		a.fault("message %d has the role %q", i, role)
	}
	say := func(text string) {
		if role == "system" {
			a.system += text
		} else if text != "" {
			a.say(user, part{kind: "text", text: text})
		}
	}
	say(content.str())
	for _, p := range content.list() {
		switch p.at("type").str() {
		case "text":
			say(p.at("text").str())
		case "thinking":
			a.say(user, part{kind: "reasoning", text: p.at("thinking").str()})
		case "image_url":
			a.image(p.at("image_url", "url").str())
		default:
			a.fault("a part is of type %q", p.at("type").str())
		}
	}
	if plan := m.at("tool_plan").str(); plan != "" {
		a.say(user, part{kind: "text", text: plan})
	}
	for _, c := range m.at("tool_calls").list() {
		a.say(user, part{kind: "call", id: c.at("id").str(), name: c.at("function", "name").str(), args: parsed(c.at("function", "arguments").str())})
	}
}

func (d cohere) finish(rp *reply) string {
	return map[string]string{"end": "COMPLETE", "tools": "TOOL_CALL", "length": "MAX_TOKENS"}[rp.stop]
}

func (d cohere) usage(c counts) object {
	return object{
		"billed_units": object{"input_tokens": 9, "output_tokens": 8},
		"tokens":       object{"input_tokens": c.Input, "output_tokens": c.Output}, "cached_tokens": c.Cached,
	}
}

func (d cohere) call(p part, args string) object {
	return object{"id": p.id, "type": "function", "function": object{"name": p.name, "arguments": args}}
}

func (d cohere) answer(rp *reply) any {
	message := object{"role": "assistant"}
	var content, calls array
	for _, p := range rp.parts {
		switch p.kind {
		case "reasoning":
			content = append(content, object{"type": "thinking", "thinking": p.text})
		case "call":
			calls = append(calls, d.call(p, encode(p.args)))
		case "plan":
			message["tool_plan"] = p.text
		default:
			content = append(content, object{"type": "text", "text": p.text})
		}
	}
	if content != nil {
		message["content"] = content
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	return object{"id": rp.id, "message": message, "finish_reason": d.finish(rp), "usage": d.usage(rp.usage)}
}

func (d cohere) events(rp *reply) []event {
	var events []event
	say := func(content bool, name string, index int, message any) {
		data := object{"type": name}
		if index >= 0 {
			data["index"] = index
		}
		if message != nil {
			data["delta"] = object{"message": message}
		}
		events = append(events, event{name, data, content})
	}
	say(false, "message-start", -1, object{"role": "assistant", "content": array{}, "tool_plan": "", "tool_calls": array{}, "citations": array{}})
	events[0].data.(object)["id"] = rp.id
	texts, calls := 0, 0
	for _, p := range rp.parts {
		if p.kind == "call" {
			say(true, "tool-call-start", calls, object{"tool_calls": d.call(p, "")})
			for _, piece := range rp.pieces(p) {
				say(true, "tool-call-delta", calls, object{"tool_calls": object{"function": object{"arguments": piece}}})
			}
			say(false, "tool-call-end", calls, nil)
			calls++
			continue
		}
		if p.kind == "plan" {
			for _, piece := range rp.pieces(p) {
				say(true, "tool-plan-delta", -1, object{"tool_plan": piece})
			}
			continue
		}
		member := map[string]string{"text": "text", "reasoning": "thinking"}[p.kind]
		say(false, "content-start", texts, object{"content": object{"type": member, member: ""}})
		for _, piece := range rp.pieces(p) {
			say(true, "content-delta", texts, object{"content": object{member: piece}})
		}
		say(false, "content-end", texts, nil)
		texts++
	}
	end := object{"type": "message-end", "id": rp.id, "delta": object{"finish_reason": d.finish(rp), "usage": d.usage(rp.usage)}}
	return append(events, event{name: "message-end", data: end}, event{data: raw("[DONE]")})
}

func (d cohere) failure(f failure) (int, http.Header, any) {
	return f.status, f.header(), object{"id": "std", "message": f.message}
}

func (d cohere) late(message string, n int) event {
	return event{name: "message-end", data: object{
		"type": "message-end", "id": "std", "delta": object{"finish_reason": "ERROR", "error": message},
	}}
}
