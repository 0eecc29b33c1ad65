package sdk_test

import (
	"net/http"
	"strconv"
)

// gemini is Gemini's generateContent.
type gemini struct {
	// vertex: candidates have no index.
	vertex bool
	// idless: calls have no ids.
	idless bool
	// budget: thinking is set by a budget, not by a level.
	budget bool
}

func (d gemini) idPrefix() string {
	if d.idless {
		return ""
	}
	return "std"
}

func (d gemini) read(a *asked, _ *http.Request, body node) {
	a.only(body, "contents systemInstruction tools toolConfig safetySettings cachedContent labels serviceTier store generationConfig")
	for _, p := range body.at("systemInstruction", "parts").list() {
		a.system += p.at("text").str()
	}
	for i, c := range body.at("contents").list() {
		d.readContent(a, i, c)
	}
	if len(body.at("tools").list()) > 1 {
		a.fault("functionDeclarations stand in several tools")
	}
	for _, t := range body.at("tools", 0, "functionDeclarations").list() {
		schema := t.at("parametersJsonSchema").v
		if parameters := t.at("parameters"); parameters.ok() {
			if schema != nil {
				a.fault("a function has both parameters and parametersJsonSchema")
			}
			schema = parameters.v
		}
		a.tools = append(a.tools, tool{t.at("name").str(), t.at("description").str(), schema})
	}
	calling := body.at("toolConfig", "functionCallingConfig")
	a.choice = map[string]string{"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}[calling.at("mode").str()]
	if names := calling.at("allowedFunctionNames").list(); len(names) == 1 {
		if a.choice != "required" {
			a.fault("allowedFunctionNames want the mode ANY")
		}
		a.choice = names[0].str()
	}
	config := body.at("generationConfig")
	a.schema = config.at("responseJsonSchema").v
	if s := config.at("responseSchema"); s.ok() {
		a.schema = s.v
	}
	if a.schema != nil && config.at("responseMimeType").str() != "application/json" {
		a.fault("a response schema wants responseMimeType application/json")
	}
	a.maxTokens = config.at("maxOutputTokens").int()
	thinking := config.at("thinkingConfig")
	a.thinks = thinking.at("includeThoughts").yes()
	if thinking.at("thinkingBudget").ok() && !d.budget {
		a.fault("this model has thinking levels, no budget")
	}
}

func (d gemini) readContent(a *asked, i int, c node) {
	user := c.at("role").str() != "model"
	if role := c.at("role").str(); role != "user" && role != "model" {
		a.fault("contents.%d has the role %q", i, role)
	}
	if i == 0 && !user {
		a.fault("contents do not begin with the user")
	}
	parts := c.at("parts").list()
	if len(parts) == 0 {
		a.fault("contents.%d has no parts", i)
	}
	results := 0
	for _, p := range parts {
		if p.at("functionResponse").ok() {
			results++
		}
	}
	if before := len(a.turns) - 1; user && before >= 0 && !a.turns[before].user {
		calls := 0
		for _, p := range a.turns[before].parts {
			if p.kind == "call" {
				calls++
			}
		}
		if calls != results {
			a.fault("the number of function response parts (%d) is not that of the function call parts (%d)", results, calls)
		}
	} else if user && results > 0 {
		a.fault("contents.%d: function responses must come right after their calls, in one content", i)
	}
	seen := 0
	for _, p := range parts {
		d.readPart(a, user, p, &seen)
	}
}

func (d gemini) readPart(a *asked, user bool, p node, seen *int) {
	sig := p.at("thoughtSignature").str()
	call, response := p.at("functionCall"), p.at("functionResponse")
	switch {
	case call.ok():
		args := call.at("args").v
		if args == nil {
			args = object{}
		}
		a.say(user, part{kind: "call", id: d.id(call), name: call.at("name").str(), args: args, sig: sig})
	case response.ok():
		a.say(user, part{kind: "result", id: d.id(response), name: response.at("name").str(), text: d.output(response.at("response"))})
		// The order is that of the calls.
		model, at := a.turns[max(len(a.turns)-2, 0)], 0
		for _, c := range model.parts {
			if c.kind != "call" {
				continue
			}
			if at == *seen && c.name != response.at("name").str() {
				a.fault("function response %d is of %s, the call was of %s", at, response.at("name").str(), c.name)
			}
			at++
		}
		*seen++
	case p.at("inlineData").ok():
		a.image("data:" + p.at("inlineData", "mimeType").str() + ";base64," + p.at("inlineData", "data").str())
	case p.at("text").isText():
		kind := "text"
		if p.at("thought").yes() {
			kind = "reasoning"
		}
		d.sayText(a, user, part{kind: kind, text: p.at("text").str(), sig: sig})
	default:
		a.fault("a part has no data: %s", p)
	}
}

// sayText joins what came in pieces: clients keep the parts of a stream as they
// were, empty ones too.
func (d gemini) sayText(a *asked, user bool, p part) {
	if p.sig == "" {
		if p.text == "" {
			return
		}
		if last := len(a.turns) - 1; last >= 0 && a.turns[last].user == user {
			parts := a.turns[last].parts
			if at := len(parts) - 1; at >= 0 && parts[at].kind == p.kind && parts[at].sig == "" {
				parts[at].text += p.text
				return
			}
		}
	}
	a.say(user, p)
}

// id is a call's id where there are any: some models are sent them, but give none.
func (d gemini) id(n node) string {
	if d.idless {
		return ""
	}
	return n.at("id").str()
}

// output is what a function responded: the whole object, or what stands in the
// member that the documentation or an SDK puts a value in.
func (d gemini) output(response node) string {
	for _, name := range []string{"output", "result", "content"} {
		if v := response.at(name); v.ok() {
			if v.isText() {
				return v.str()
			}
			return v.String()
		}
	}
	if _, ok := response.v.(object); !ok {
		return "no object: " + response.String()
	}
	return response.String()
}

func (d gemini) part(p part, text string) object {
	o := object{"text": text}
	switch p.kind {
	case "reasoning":
		o["thought"] = true
	case "call":
		call := object{"name": p.name, "args": p.args}
		if p.id != "" {
			call["id"] = p.id
		}
		o = object{"functionCall": call}
		if p.sig != "" {
			o["thoughtSignature"] = p.sig
		}
	}
	return o
}

func (d gemini) response(rp *reply, parts array, finish any) object {
	candidate := object{"content": object{"role": "model", "parts": parts}}
	if !d.vertex {
		candidate["index"] = 0
	}
	if finish != nil {
		candidate["finishReason"] = finish
	}
	return object{
		"candidates": array{candidate}, "modelVersion": rp.model, "responseId": rp.id,
		"usageMetadata": object{
			"promptTokenCount": rp.usage.Input, "cachedContentTokenCount": rp.usage.Cached,
			"candidatesTokenCount": rp.usage.Output - rp.usage.Reasoning, "thoughtsTokenCount": rp.usage.Reasoning,
			"totalTokenCount": rp.usage.Input + rp.usage.Output,
		},
	}
}

func (d gemini) finish(rp *reply) string {
	return map[string]string{"end": "STOP", "tools": "STOP", "length": "MAX_TOKENS"}[rp.stop]
}

func (d gemini) answer(rp *reply) any {
	var parts array
	for _, p := range rp.parts {
		parts = append(parts, d.part(p, p.text))
	}
	return d.response(rp, parts, d.finish(rp))
}

func (d gemini) events(rp *reply) []event {
	var events []event
	say := func(p object) { events = append(events, event{data: d.response(rp, array{p}, nil), content: true}) }
	for _, p := range rp.parts {
		if p.kind == "call" {
			say(d.part(p, ""))
			continue
		}
		for _, piece := range rp.pieces(p) {
			say(d.part(p, piece))
		}
	}
	last := object{"text": ""}
	if len(rp.calls()) == 0 && rp.text("reasoning") != "" {
		last["thoughtSignature"] = thoughtSignature + rp.id // of texts it may come last, on nothing
	}
	return append(events, event{data: d.response(rp, array{last}, d.finish(rp))})
}

func (d gemini) failure(f failure) (int, http.Header, any) {
	status := map[string]string{
		"invalid": "INVALID_ARGUMENT", "auth": "UNAUTHENTICATED", "rate_limit": "RESOURCE_EXHAUSTED", "overloaded": "UNAVAILABLE",
	}[f.kind]
	e := object{"code": f.status, "message": f.message, "status": status}
	if f.retryAfter > 0 {
		e["details"] = array{object{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": strconv.Itoa(f.retryAfter) + "s"}}
	}
	return f.status, http.Header{}, object{"error": e}
}

func (d gemini) late(message string, n int) event {
	return event{data: object{"error": object{"code": 503, "message": message, "status": "UNAVAILABLE"}}}
}
