package sdk_test

import (
	"net/http"
	"strconv"
	"strings"
)

// responses is OpenAI's Responses.
type responses struct{}

func (d responses) idPrefix() string { return "call_Std" }

func (d responses) read(a *asked, _ *http.Request, body node) {
	a.model, a.stream = body.at("model").str(), body.at("stream").yes()
	a.system = body.at("instructions").str()
	if body.at("previous_response_id").ok() {
		a.fault("previous_response_id: nothing is stored here")
	}
	if input := body.at("input"); input.isText() {
		a.say(true, part{kind: "text", text: input.str()})
	}
	stored := !body.at("store").ok() || body.at("store").yes()
	for i, item := range body.at("input").list() {
		if item.at("type").str() == "item_reference" && stored {
			item = d.stored(item.at("id").str())
		}
		d.readItem(a, i, item)
	}
	if open := a.open(); len(open) > 0 {
		a.fault("no tool output found for %v", open)
	}
	for _, t := range body.at("tools").list() {
		if t.at("type").str() != "function" || t.at("name").str() == "" {
			a.fault("a tool is no function with a name: %s", t)
		}
		if t.at("strict").yes() && !t.at("parameters", "additionalProperties").ok() {
			a.fault("a strict tool allows additional properties")
		}
		a.tools = append(a.tools, tool{t.at("name").str(), t.at("description").str(), t.at("parameters").v})
	}
	a.choice = body.at("tool_choice").str()
	if choice := body.at("tool_choice"); choice.at("type").str() == "function" {
		a.choice = choice.at("name").str()
	}
	if format := body.at("text", "format"); format.at("type").str() == "json_schema" {
		a.schema = format.at("schema").v
		if format.at("name").str() == "" {
			a.fault("text.format has no name")
		}
	}
	// Reasoning is shown only in summaries, and those only if asked for.
	a.thinks = body.at("reasoning", "effort").str() != "" && body.at("reasoning", "summary").str() != ""
	a.maxTokens = body.at("max_output_tokens").int()
}

// stored is the item that an answer had under an id.
func (d responses) stored(id string) node {
	if serial, ok := strings.CutPrefix(id, "rs_Std"); ok {
		n, _ := strconv.Atoi(serial)
		return node{d.item("", thoughts(openAISigs.of(n), false)[0], 0)}
	}
	return node{d.item("", part{kind: "text", text: strings.Join(facts.Preamble, "")}, 0)}
}

func (d responses) readItem(a *asked, i int, item node) {
	kind := item.at("type").str()
	if kind == "" && item.at("role").ok() {
		kind = "message"
	}
	if open := a.open(); len(open) > 0 && kind != "function_call_output" && kind != "function_call" {
		a.fault("input.%d (%s) comes before the outputs of %v", i, kind, open)
	}
	switch kind {
	case "message":
		d.readMessage(a, item)
	case "reasoning":
		sig := item.at("encrypted_content").str()
		if id := item.at("id").str(); id != "" && id != reasoningItemID(sig) {
			a.fault("the id of a reasoning item is %q", id)
		}
		if _, ok := item.at("summary").v.(array); !ok {
			a.fault("a reasoning item has no summary")
		}
		var text strings.Builder
		for _, s := range item.at("summary").list() {
			text.WriteString(s.at("text").str())
		}
		a.say(false, part{kind: "reasoning", text: text.String(), sig: sig})
	case "function_call":
		if !item.at("arguments").isText() {
			a.fault("the arguments of a call are no string")
		}
		a.say(false, part{
			kind: "call", id: item.at("call_id").str(), name: item.at("name").str(), args: parsed(item.at("arguments").str()),
		})
	case "function_call_output":
		text := item.at("output").str()
		for _, p := range item.at("output").list() {
			text += p.at("text").str()
		}
		a.result(item.at("call_id").str(), text)
	default:
		a.fault("input.%d is of type %q", i, kind)
	}
}

func (d responses) readMessage(a *asked, item node) {
	role := item.at("role").str()
	if text := item.at("content"); text.isText() {
		d.sayText(a, role, text.str())
		return
	}
	for _, p := range item.at("content").list() {
		switch kind := p.at("type").str(); {
		case kind == "input_image" && role == "user":
			a.image(p.at("image_url").str())
		case kind == "output_text" && role == "assistant", kind == "input_text" && role != "assistant":
			d.sayText(a, role, p.at("text").str())
		default:
			a.fault("a part of role %s is of type %q", role, kind)
		}
	}
}

func (d responses) sayText(a *asked, role, text string) {
	switch role {
	case "system", "developer":
		a.system += text
	case "user", "assistant":
		a.say(role == "user", part{kind: "text", text: text})
	default:
		a.fault("a message has the role %q", role)
	}
}

// reasoningItemID is the id of the item with such encrypted content.
func reasoningItemID(encrypted string) string { return "rs_Std" + encrypted[:min(6, len(encrypted))] }

func (d responses) item(id string, p part, n int) object {
	switch p.kind {
	case "reasoning":
		return object{
			"id": reasoningItemID(p.sig), "type": "reasoning", "encrypted_content": p.sig,
			"summary": array{object{"type": "summary_text", "text": p.text}},
		}
	case "call":
		return object{
			"id": "fc_" + id + strconv.Itoa(n), "type": "function_call", "status": "completed",
			"call_id": p.id, "name": p.name, "arguments": encode(p.args),
		}
	}
	return object{
		"id": "msg_" + id + strconv.Itoa(n), "type": "message", "role": "assistant", "status": "completed",
		"content": array{object{"type": "output_text", "text": p.text, "annotations": array{}, "logprobs": array{}}},
	}
}

func (d responses) response(rp *reply, status string, output array) object {
	return object{
		"id": "resp_" + rp.id, "object": "response", "created_at": 1700000000, "status": status, "model": rp.model, "output": output,
		"error": nil, "incomplete_details": nil, "instructions": nil, "metadata": object{}, "parallel_tool_calls": true,
		"temperature": nil, "top_p": nil, "tool_choice": "auto", "tools": array{}, "usage": nil, "store": false,
	}
}

func (d responses) whole(rp *reply) object {
	output := array{}
	for i, p := range rp.parts {
		output = append(output, d.item(rp.id, p, i))
	}
	o := d.response(rp, "completed", output)
	if rp.stop == "length" {
		o["status"], o["incomplete_details"] = "incomplete", object{"reason": "max_output_tokens"}
	}
	o["usage"] = object{
		"input_tokens": rp.usage.Input, "input_tokens_details": object{"cached_tokens": rp.usage.Cached},
		"output_tokens": rp.usage.Output, "output_tokens_details": object{"reasoning_tokens": rp.usage.Reasoning},
		"total_tokens": rp.usage.Input + rp.usage.Output,
	}
	return o
}

func (d responses) answer(rp *reply) any { return d.whole(rp) }

func (d responses) events(rp *reply) []event {
	var events []event
	say := func(content bool, name string, data object) {
		data["type"], data["sequence_number"] = name, len(events)
		events = append(events, event{name, data, content})
	}
	say(false, "response.created", object{"response": d.response(rp, "in_progress", array{})})
	say(false, "response.in_progress", object{"response": d.response(rp, "in_progress", array{})})
	for i, p := range rp.parts {
		d.streamItem(rp, p, i, say)
	}
	whole := d.whole(rp)
	say(false, "response."+whole["status"].(string), object{"response": whole})
	return events
}

func (d responses) streamItem(rp *reply, p part, i int, say func(bool, string, object)) {
	done, start := d.item(rp.id, p, i), d.item(rp.id, p, i)
	id := done["id"]
	at := func(more object) object {
		more["item_id"], more["output_index"] = id, i
		return more
	}
	switch p.kind {
	case "reasoning":
		start["summary"] = array{}
		start["encrypted_content"] = "unfinished"
		say(false, "response.output_item.added", object{"output_index": i, "item": start})
		empty := object{"type": "summary_text", "text": ""}
		say(false, "response.reasoning_summary_part.added", at(object{"summary_index": 0, "part": empty}))
		for _, piece := range rp.pieces(p) {
			say(true, "response.reasoning_summary_text.delta", at(object{"summary_index": 0, "delta": piece}))
		}
		say(false, "response.reasoning_summary_text.done", at(object{"summary_index": 0, "text": p.text}))
		say(false, "response.reasoning_summary_part.done", at(object{"summary_index": 0, "part": done["summary"].(array)[0]}))
	case "call":
		start["status"], start["arguments"] = "in_progress", ""
		say(true, "response.output_item.added", object{"output_index": i, "item": start})
		for _, piece := range rp.pieces(p) {
			say(true, "response.function_call_arguments.delta", at(object{"delta": piece}))
		}
		say(false, "response.function_call_arguments.done", at(object{"name": p.name, "arguments": done["arguments"]}))
	default:
		start["status"], start["content"] = "in_progress", array{}
		say(false, "response.output_item.added", object{"output_index": i, "item": start})
		empty := object{"type": "output_text", "text": "", "annotations": array{}, "logprobs": array{}}
		say(false, "response.content_part.added", at(object{"content_index": 0, "part": empty}))
		for _, piece := range rp.pieces(p) {
			say(true, "response.output_text.delta", at(object{"content_index": 0, "delta": piece, "logprobs": array{}}))
		}
		say(false, "response.output_text.done", at(object{"content_index": 0, "text": p.text, "logprobs": array{}}))
		say(false, "response.content_part.done", at(object{"content_index": 0, "part": done["content"].(array)[0]}))
	}
	say(false, "response.output_item.done", object{"output_index": i, "item": done})
}

func (d responses) failure(f failure) (int, http.Header, any) { return chat{}.failure(f) }

func (d responses) late(message string, n int) event {
	return event{name: "response.failed", data: object{
		"type": "response.failed", "sequence_number": n,
		"response": object{
			"id": "resp_Std", "object": "response", "created_at": 1700000000, "status": "failed", "output": array{},
			"error": object{"code": "server_error", "message": message},
		},
	}}
}
