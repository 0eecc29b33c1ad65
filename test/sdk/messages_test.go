package sdk_test

import (
	"net/http"
	"strings"
)

// messages is Anthropic's Messages. In clouds the model is in the path and the
// API's version in the body.
type messages struct {
	cloud string // the version; empty: Anthropic itself
}

func (d messages) idPrefix() string { return "toolu_Std0" }

func (d messages) read(a *asked, r *http.Request, body node) {
	d.readModel(a, r, body)
	if system := body.at("system"); system.isText() {
		a.system = system.str()
	} else {
		for _, b := range system.list() {
			a.system += b.at("text").str()
		}
	}
	for i, m := range body.at("messages").list() {
		d.readMessage(a, i, m)
	}
	if open := a.open(); len(open) > 0 {
		a.fault("calls have no result: %v", open)
	}
	for _, t := range body.at("tools").list() {
		a.tools = append(a.tools, tool{t.at("name").str(), t.at("description").str(), t.at("input_schema").v})
		if t.at("input_schema", "type").str() != "object" {
			a.fault("the input_schema of %s is of no object", t.at("name").str())
		}
	}
	choice := body.at("tool_choice")
	a.choice = choice.at("type").str()
	switch a.choice {
	case "any":
		a.choice = "required"
	case "tool":
		a.choice = choice.at("name").str()
	}
	a.schema = body.at("output_config", "format", "schema").v
	a.maxTokens = body.at("max_tokens").int()
	switch thinking := body.at("thinking"); thinking.at("type").str() {
	case "enabled":
		a.thinks = true
	case "adaptive": // shows its thinking only if asked
		a.thinks = thinking.at("display").str() == "summarized"
	}
	for _, name := range []string{"temperature", "top_p", "top_k"} {
		if body.at(name).ok() {
			a.fault("%s is not supported by this model", name)
		}
	}
}

func (d messages) readModel(a *asked, r *http.Request, body node) {
	if d.cloud == "" {
		a.model, a.stream = body.at("model").str(), body.at("stream").yes()
		if v := r.Header.Get("Anthropic-Version"); v != "2023-06-01" && v != "2026-10-21" {
			a.fault("the header anthropic-version is %q", v)
		}
		return
	}
	if body.at("model").ok() {
		a.fault("model: extra inputs are not permitted")
	}
	if got := body.at("anthropic_version").str(); got != d.cloud {
		a.fault("anthropic_version is %q", got)
	}
}

func (d messages) readMessage(a *asked, i int, m node) {
	user := m.at("role").str() == "user"
	if !user && m.at("role").str() != "assistant" {
		a.fault("messages.%d has the role %q", i, m.at("role").str())
	}
	if text := m.at("content"); text.isText() {
		a.say(user, part{kind: "text", text: text.str()})
		if open := a.open(); user && len(open) > 0 {
			a.fault("messages.%d: tool_use ids were found without tool_result blocks: %v", i, open)
		}
		return
	}
	open := a.open()
	said := false
	for _, b := range m.at("content").list() {
		kind := b.at("type").str()
		if kind == "tool_result" && said {
			a.fault("messages.%d: tool_result blocks must come first", i)
		}
		said = said || kind != "tool_result"
		d.readBlock(a, user, b)
	}
	if left := a.open(); user && len(open) > 0 && len(left) > 0 {
		a.fault("messages.%d: tool_use ids were found without tool_result blocks: %v", i, left)
	}
}

func (d messages) readBlock(a *asked, user bool, b node) {
	switch kind := b.at("type").str(); kind {
	case "text":
		if strings.TrimSpace(b.at("text").str()) == "" {
			a.fault("text content blocks must be non-empty")
		}
		a.say(user, part{kind: "text", text: b.at("text").str()})
	case "image":
		source := b.at("source")
		a.image("data:" + source.at("media_type").str() + ";" + source.at("type").str() + "," + source.at("data").str())
	case "thinking":
		a.say(user, part{kind: "reasoning", text: b.at("thinking").str(), sig: b.at("signature").str()})
	case "redacted_thinking":
		a.say(user, part{kind: "redacted", sig: b.at("data").str()})
	case "tool_use":
		if _, ok := b.at("input").v.(object); !ok {
			a.fault("a tool_use's input is no object")
		}
		a.say(user, part{kind: "call", id: b.at("id").str(), name: b.at("name").str(), args: b.at("input").v})
	case "tool_result":
		text := b.at("content").str()
		for _, c := range b.at("content").list() {
			text += c.at("text").str()
		}
		a.result(b.at("tool_use_id").str(), text)
	default:
		a.fault("a content block is of type %q", kind)
	}
}

func (d messages) block(p part) object {
	switch p.kind {
	case "reasoning":
		return object{"type": "thinking", "thinking": p.text, "signature": p.sig}
	case "redacted":
		return object{"type": "redacted_thinking", "data": p.sig}
	case "call":
		return object{"type": "tool_use", "id": p.id, "name": p.name, "input": p.args}
	}
	return object{"type": "text", "text": p.text}
}

func (d messages) stop(rp *reply) string {
	return map[string]string{"end": "end_turn", "tools": "tool_use", "length": "max_tokens"}[rp.stop]
}

func (d messages) message(rp *reply, content array, stop any, output int) object {
	return object{
		"id": "msg_01" + rp.id, "type": "message", "role": "assistant", "model": rp.model, "content": content,
		"stop_reason": stop, "stop_sequence": nil,
		"usage": object{
			"input_tokens": rp.usage.Input - rp.usage.Cached, "cache_read_input_tokens": rp.usage.Cached,
			"cache_creation_input_tokens": 0, "output_tokens": output,
			"output_tokens_details": object{"thinking_tokens": rp.usage.Reasoning},
		},
	}
}

func (d messages) answer(rp *reply) any {
	content := array{}
	for _, p := range rp.parts {
		content = append(content, d.block(p))
	}
	return d.message(rp, content, d.stop(rp), rp.usage.Output)
}

func (d messages) events(rp *reply) []event {
	var events []event
	say := func(content bool, name string, data object) {
		data["type"] = name
		events = append(events, event{name, data, content})
	}
	say(false, "message_start", object{"message": d.message(rp, array{}, nil, 1)})
	for i, p := range rp.parts {
		start := d.block(p)
		for name, empty := range map[string]any{"thinking": "", "signature": "", "text": "", "input": object{}} {
			if _, ok := start[name]; ok {
				start[name] = empty
			}
		}
		say(p.kind == "redacted", "content_block_start", object{"index": i, "content_block": start})
		if i == 0 {
			say(false, "ping", object{})
		}
		delta := func(kind, member, piece string) {
			say(true, "content_block_delta", object{"index": i, "delta": object{"type": kind, member: piece}})
		}
		d.streamBlock(rp, p, delta)
		say(false, "content_block_stop", object{"index": i})
	}
	say(false, "message_delta", object{
		"delta": object{"stop_reason": d.stop(rp), "stop_sequence": nil},
		"usage": object{
			"output_tokens":         rp.usage.Output,
			"output_tokens_details": object{"thinking_tokens": rp.usage.Reasoning},
		},
	})
	say(false, "message_stop", object{})
	return events
}

func (d messages) streamBlock(rp *reply, p part, delta func(kind, member, piece string)) {
	switch p.kind {
	case "text":
		for _, piece := range rp.pieces(p) {
			delta("text_delta", "text", piece)
		}
	case "reasoning":
		for _, piece := range rp.pieces(p) {
			delta("thinking_delta", "thinking", piece)
		}
		delta("signature_delta", "signature", p.sig)
	case "call":
		delta("input_json_delta", "partial_json", "")
		if len(p.args.(object)) == 0 {
			return // a call without arguments has nothing more
		}
		for _, piece := range rp.pieces(p) {
			delta("input_json_delta", "partial_json", piece)
		}
	}
}

func (d messages) failure(f failure) (int, http.Header, any) {
	kind := map[string]string{
		"invalid": "invalid_request_error", "auth": "authentication_error",
		"rate_limit": "rate_limit_error", "overloaded": "overloaded_error",
	}[f.kind]
	if f.kind == "overloaded" {
		f.status = 529
	}
	return f.status, f.header(), object{"type": "error", "error": object{"type": kind, "message": f.message}, "request_id": "req_Std"}
}

func (d messages) late(message string, n int) event {
	return event{name: "error", data: object{
		"type": "error", "error": object{"type": "overloaded_error", "message": message}, "request_id": "req_Std",
	}}
}
