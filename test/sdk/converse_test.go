package sdk_test

import (
	"net/http"
	"strings"
)

// converse is Bedrock's Converse.
type converse struct{}

func (d converse) idPrefix() string { return "tooluse_Std-" }

func (d converse) read(a *asked, _ *http.Request, body node) {
	a.only(body, "messages system inferenceConfig toolConfig additionalModelRequestFields additionalModelResponseFieldPaths "+
		"guardrailConfig outputConfig performanceConfig promptVariables requestMetadata serviceTier")
	for _, s := range body.at("system").list() {
		a.system += s.at("text").str()
	}
	user := true
	for i, m := range body.at("messages").list() {
		if got := m.at("role").str() == "user"; got != user {
			a.fault("messages.%d: roles must alternate between user and assistant", i)
		}
		d.readMessage(a, i, user, m)
		user = !user
	}
	for _, t := range body.at("toolConfig", "tools").list() {
		spec := t.at("toolSpec")
		if spec.at("inputSchema", "json", "type").str() != "object" {
			a.fault("the inputSchema of %s is of no object", spec.at("name").str())
		}
		a.tools = append(a.tools, tool{spec.at("name").str(), spec.at("description").str(), spec.at("inputSchema", "json").v})
	}
	choice := body.at("toolConfig", "toolChoice")
	switch {
	case choice.at("auto").ok():
		a.choice = "auto"
	case choice.at("any").ok():
		a.choice = "required"
	case choice.at("tool").ok():
		a.choice = choice.at("tool", "name").str()
	}
	more := body.at("additionalModelRequestFields")
	a.schema = parsed(body.at("outputConfig", "textFormat", "structure", "jsonSchema", "schema").str())
	if s := more.at("output_config", "format", "schema"); s.ok() {
		a.schema = s.v
	}
	for _, name := range []string{"thinking", "reasoning_effort", "reasoningConfig", "reasoning", "reasoning_config"} {
		a.thinks = a.thinks || more.at(name).ok()
	}
	a.maxTokens = body.at("inferenceConfig", "maxTokens").int()
}

func (d converse) readMessage(a *asked, i int, user bool, m node) {
	open := a.open()
	if len(m.at("content").list()) == 0 {
		a.fault("messages.%d has no content", i)
	}
	for _, b := range m.at("content").list() {
		switch {
		case b.at("text").isText():
			if strings.TrimSpace(b.at("text").str()) == "" {
				a.fault("the text field in a ContentBlock is blank")
			}
			a.say(user, part{kind: "text", text: b.at("text").str()})
		case b.at("image").ok():
			image := b.at("image")
			a.image("data:image/" + image.at("format").str() + ";base64," + image.at("source", "bytes").str())
		case b.at("toolUse").ok():
			use := b.at("toolUse")
			a.say(user, part{kind: "call", id: use.at("toolUseId").str(), name: use.at("name").str(), args: use.at("input").v})
		case b.at("toolResult").ok():
			d.readResult(a, b.at("toolResult"))
		case b.at("reasoningContent").ok():
			r := b.at("reasoningContent")
			if redacted := r.at("redactedContent"); redacted.ok() {
				a.say(user, part{kind: "redacted", sig: redacted.str()})
				continue
			}
			text := r.at("reasoningText")
			a.say(user, part{kind: "reasoning", text: text.at("text").str(), sig: text.at("signature").str()})
		default:
			a.fault("a content block is of no type: %s", b)
		}
	}
	if left := a.open(); user && len(open) > 0 && len(left) > 0 {
		a.fault("messages.%d: expected toolResult blocks for the ids %v", i, left)
	}
}

func (d converse) readResult(a *asked, result node) {
	text := ""
	for _, c := range result.at("content").list() {
		if c.at("json").ok() {
			text += c.at("json").String()
		}
		text += c.at("text").str()
	}
	a.result(result.at("toolUseId").str(), text)
}

func (d converse) stop(rp *reply) string {
	return map[string]string{"end": "end_turn", "tools": "tool_use", "length": "max_tokens"}[rp.stop]
}

func (d converse) usage(c counts) object {
	return object{
		"inputTokens": c.Input - c.Cached, "cacheReadInputTokens": c.Cached, "cacheWriteInputTokens": 0,
		"outputTokens": c.Output, "totalTokens": c.Input + c.Output,
	}
}

func (d converse) answer(rp *reply) any {
	var content array
	for _, p := range rp.parts {
		switch p.kind {
		case "reasoning":
			content = append(content, object{"reasoningContent": object{"reasoningText": object{"text": p.text, "signature": p.sig}}})
		case "redacted":
			content = append(content, object{"reasoningContent": object{"redactedContent": p.sig}})
		case "call":
			content = append(content, object{"toolUse": object{"toolUseId": p.id, "name": p.name, "input": p.args}})
		default:
			content = append(content, object{"text": p.text})
		}
	}
	return object{
		"output":     object{"message": object{"role": "assistant", "content": content}},
		"stopReason": d.stop(rp), "usage": d.usage(rp.usage), "metrics": object{"latencyMs": 12},
	}
}

// events have a padding of random length, as AWS's have.
func (d converse) events(rp *reply) []event {
	var events []event
	say := func(content bool, name string, data object) {
		data["p"] = "abcdefghijklmnop"[:1+len(events)%16]
		events = append(events, event{name, data, content})
	}
	say(false, "messageStart", object{"role": "assistant"})
	for i, p := range rp.parts {
		delta := func(delta object) {
			say(true, "contentBlockDelta", object{"contentBlockIndex": i, "delta": delta})
		}
		switch p.kind {
		case "reasoning":
			for _, piece := range rp.pieces(p) {
				delta(object{"reasoningContent": object{"text": piece}})
			}
			delta(object{"reasoningContent": object{"signature": p.sig}})
		case "redacted":
			delta(object{"reasoningContent": object{"redactedContent": p.sig}})
		case "call":
			start := object{"toolUse": object{"toolUseId": p.id, "name": p.name}}
			say(true, "contentBlockStart", object{"contentBlockIndex": i, "start": start})
			for _, piece := range rp.pieces(p) {
				delta(object{"toolUse": object{"input": piece}})
			}
		default: // texts have no start
			for _, piece := range rp.pieces(p) {
				delta(object{"text": piece})
			}
		}
		say(false, "contentBlockStop", object{"contentBlockIndex": i})
	}
	say(false, "messageStop", object{"stopReason": d.stop(rp)})
	say(false, "metadata", object{"usage": d.usage(rp.usage), "metrics": object{"latencyMs": 12}})
	return events
}

func (d converse) failure(f failure) (int, http.Header, any) { return awsFailure(f) }

// awsFailure says what is wrong in a header.
func awsFailure(f failure) (int, http.Header, any) {
	kind := map[string]string{
		"invalid": "ValidationException", "auth": "UnrecognizedClientException",
		"rate_limit": "ThrottlingException", "overloaded": "ServiceUnavailableException",
	}[f.kind]
	if f.kind == "auth" {
		f.status = http.StatusForbidden
	}
	h := f.header()
	h.Set("X-Amzn-Errortype", kind+":http://internal.amazon.com/coral/com.amazon.bedrock/")
	return f.status, h, object{"message": f.message}
}

func (d converse) late(message string, n int) event {
	return event{name: "!modelStreamErrorException", data: object{"message": message}}
}

// invoke is Bedrock's InvokeModel for Claude: Anthropic's Messages, whose
// stream comes wrapped in AWS's frames.
type invoke struct{ messages }

func (d invoke) read(a *asked, r *http.Request, body node) {
	if body.at("stream").ok() {
		a.fault("stream: extra inputs are not permitted")
	}
	d.messages.read(a, r, body)
}

func (d invoke) failure(f failure) (int, http.Header, any) { return awsFailure(f) }

func (d invoke) late(message string, n int) event { return converse{}.late(message, n) }
