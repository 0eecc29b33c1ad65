package sdk_test

import "net/http"

// ollama is Ollama's own /api/chat.
type ollama struct{}

func (d ollama) idPrefix() string { return "call_Std" }

func (d ollama) read(a *asked, _ *http.Request, body node) {
	a.only(body, "model messages tools format options stream think keep_alive truncate shift logprobs top_logprobs")
	a.model = body.at("model").str()
	if !body.at("stream").ok() {
		a.fault("stream is not said, which means true here")
	}
	a.stream = body.at("stream").yes()
	for i, m := range body.at("messages").list() {
		d.readMessage(a, i, m)
	}
	for _, t := range body.at("tools").list() {
		f := t.at("function")
		a.tools = append(a.tools, tool{f.at("name").str(), f.at("description").str(), f.at("parameters").v})
	}
	if format := body.at("format"); !format.isText() {
		a.schema = format.v
	}
	think := body.at("think")
	a.thinks = think.yes() || think.str() != ""
	a.maxTokens = body.at("options", "num_predict").int()
}

func (d ollama) readMessage(a *asked, i int, m node) {
	role, content := m.at("role").str(), m.at("content")
	if content.ok() && !content.isText() {
		a.fault("messages.%d: content is no string", i)
	}
	user := role == "user"
	switch role {
	case "system":
		a.system += content.str()
	case "tool":
		id := m.at("tool_call_id").str()
		a.result(id, content.str())
		if name := m.at("tool_name").str(); name != a.nameOf(id) {
			a.fault("tool_name is %q", name)
		}
	case "user", "assistant":
		if thinking := m.at("thinking").str(); thinking != "" {
			a.say(user, part{kind: "reasoning", text: thinking})
		}
		if content.str() != "" {
			a.say(user, part{kind: "text", text: content.str()})
		}
		for _, image := range m.at("images").list() {
			a.say(user, part{kind: "image", text: image.str()})
		}
		for _, c := range m.at("tool_calls").list() {
			f := c.at("function")
			if _, ok := f.at("arguments").v.(object); !ok {
				a.fault("the arguments of a call are no object")
			}
			a.say(user, part{kind: "call", id: c.at("id").str(), name: f.at("name").str(), args: f.at("arguments").v})
		}
	default:
		a.fault("messages.%d has the role %q", i, role)
	}
}

func (d ollama) line(rp *reply, message object) object {
	message["role"] = "assistant"
	if message["content"] == nil {
		message["content"] = ""
	}
	return object{"model": rp.model, "created_at": "2026-01-02T03:04:05.678Z", "message": message, "done": false}
}

// finish ends an answer: with stop after calls, too.
func (d ollama) finish(rp *reply, line object) object {
	line["done"], line["done_reason"] = true, "stop"
	if rp.stop == "length" {
		line["done_reason"] = "length"
	}
	line["prompt_eval_count"], line["eval_count"], line["total_duration"] = rp.usage.Input, rp.usage.Output, 12345678
	return line
}

func (d ollama) call(p part, n int) object {
	return object{"id": p.id, "function": object{"index": n, "name": p.name, "arguments": p.args}}
}

func (d ollama) answer(rp *reply) any {
	message := object{"content": rp.text("text")}
	if thinking := rp.text("reasoning"); thinking != "" {
		message["thinking"] = thinking
	}
	var calls array
	for i, c := range rp.calls() {
		calls = append(calls, d.call(c, i))
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	return d.finish(rp, d.line(rp, message))
}

func (d ollama) events(rp *reply) []event {
	var events []event
	say := func(message object) { events = append(events, event{data: d.line(rp, message), content: true}) }
	calls := 0
	for _, p := range rp.parts {
		if p.kind == "call" {
			say(object{"tool_calls": array{d.call(p, calls)}})
			calls++
			continue
		}
		for _, piece := range rp.pieces(p) {
			say(object{map[string]string{"text": "content", "reasoning": "thinking"}[p.kind]: piece})
		}
	}
	return append(events, event{data: d.finish(rp, d.line(rp, object{}))})
}

func (d ollama) failure(f failure) (int, http.Header, any) {
	return f.status, f.header(), object{"error": f.message}
}

func (d ollama) late(message string, n int) event { return event{data: object{"error": message}} }
