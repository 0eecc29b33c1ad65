package recorded_test

import (
	"encoding/json"
	"strings"
)

// Readers of formats that only providers speak.

var converseStops = map[string]string{
	"end_turn": stopEnd, "stop_sequence": stopSequence, "max_tokens": stopLength, "model_context_window_exceeded": stopLength,
	"tool_use": stopTools, "content_filtered": stopFilter, "guardrail_intervened": stopFilter,
}

func readConverse(body []byte) norm {
	r, err := parse(body)
	if err != nil {
		return failed(0, err.Error())
	}
	var n norm
	for _, block := range r.get("output", "message", "content").list() {
		n.text += block.get("text").text()
		for _, piece := range block.get("citationsContent", "content").list() {
			n.text += piece.get("text").text()
		}
		n.reasoning += block.get("reasoningContent", "reasoningText", "text").text()
		if use := block.get("toolUse"); use.given() && use.get("type").text() != "server_tool_use" {
			n.calls = append(n.calls, objectCall(use.get("toolUseId").text(), use.get("name").text(), use.get("input")))
		}
	}
	n.stop = orOther(converseStops, r.get("stopReason").text())
	n.usage = converseUsage(r.get("usage"))
	return n
}

func readConverseStream(stream []byte) norm {
	list, err := messages(stream)
	if err != nil {
		return failed(0, err.Error())
	}
	var n norm
	type open struct {
		use   node
		input strings.Builder
	}
	uses := map[int64]*open{}
	var order []*open
	for _, m := range list {
		e, err := parse(m.payload)
		if err != nil {
			return failed(0, err.Error())
		}
		if m.headers[":message-type"] != "event" {
			return failed(0, e.get("message").text())
		}
		at := e.get("contentBlockIndex").count()
		switch m.headers[":event-type"] {
		case "contentBlockStart":
			if use := e.get("start", "toolUse"); use.given() {
				uses[at] = &open{use: use}
				order = append(order, uses[at])
			}
		case "contentBlockDelta":
			d := e.get("delta")
			n.text += d.get("text").text()
			n.reasoning += d.get("reasoningContent", "text").text()
			if use := uses[at]; use != nil {
				use.input.WriteString(d.get("toolUse", "input").text())
			}
		case "messageStop":
			n.stop = orOther(converseStops, e.get("stopReason").text())
		case "metadata":
			n.usage = converseUsage(e.get("usage"))
		}
	}
	for _, o := range order {
		if o.use.get("type").text() != "server_tool_use" {
			n.calls = append(n.calls, newCall(o.use.get("toolUseId").text(), o.use.get("name").text(), o.input.String()))
		}
	}
	return n
}

func converseUsage(u node) *counts {
	if !u.given() {
		return nil
	}
	c := &counts{cached: u.get("cacheReadInputTokens").count(), output: u.get("outputTokens").count(), reasoning: -1}
	c.input = u.get("inputTokens").count() + c.cached + u.get("cacheWriteInputTokens").count()
	return c
}

func readInvokeStream(stream []byte) norm {
	list, err := chunks(stream)
	if err != nil {
		return failed(0, err.Error())
	}
	return messagesEvents(list)
}

var cohereStops = map[string]string{
	"COMPLETE": stopEnd, "STOP_SEQUENCE": stopSequence, "MAX_TOKENS": stopLength, "TOOL_CALL": stopTools,
}

func readCohere(body []byte) norm {
	r, err := parse(body)
	if err != nil {
		return failed(0, err.Error())
	}
	var n norm
	m := r.get("message")
	n.text = m.get("content").text()
	for _, part := range m.get("content").list() {
		n.text += part.get("text").text()
		n.reasoning += part.get("thinking").text()
	}
	n.plan = m.get("tool_plan").text()
	for _, t := range m.get("tool_calls").list() {
		n.calls = append(n.calls, newCall(t.get("id").text(), t.get("function", "name").text(), t.get("function", "arguments").text()))
	}
	n.stop = orOther(cohereStops, r.get("finish_reason").text())
	n.usage = cohereUsage(r.get("usage"))
	return n
}

func readCohereStream(stream []byte) norm {
	list, err := datas(stream)
	if err != nil {
		return failed(0, err.Error())
	}
	var n norm
	type open struct {
		id, name string
		args     strings.Builder
	}
	var calls []*open
	for _, e := range list {
		m := e.get("delta", "message")
		switch e.get("type").text() {
		case "content-start", "content-delta":
			n.text += m.get("content", "text").text()
			n.reasoning += m.get("content", "thinking").text()
		case "tool-plan-delta":
			n.plan += m.get("tool_plan").text()
		case "tool-call-start":
			t := m.get("tool_calls")
			calls = append(calls, &open{id: t.get("id").text(), name: t.get("function", "name").text()})
			calls[len(calls)-1].args.WriteString(t.get("function", "arguments").text())
		case "tool-call-delta":
			calls[len(calls)-1].args.WriteString(m.get("tool_calls", "function", "arguments").text())
		case "message-end":
			n.stop = orOther(cohereStops, e.get("delta", "finish_reason").text())
			n.usage = cohereUsage(e.get("delta", "usage"))
		}
	}
	for _, c := range calls {
		n.calls = append(n.calls, newCall(c.id, c.name, c.args.String()))
	}
	return n
}

func cohereUsage(u node) *counts {
	if !u.get("tokens").given() {
		return nil
	}
	return &counts{
		input: u.get("tokens", "input_tokens").count(), output: u.get("tokens", "output_tokens").count(),
		cached: u.get("cached_tokens").count(), reasoning: -1,
	}
}

func readOllama(body []byte) norm {
	list, err := jsonLines(body)
	if err != nil {
		// A whole answer may be spread over lines.
		var compact json.RawMessage
		if json.Unmarshal(body, &compact) != nil {
			return failed(0, err.Error())
		}
		n, _ := parse(body)
		list = []node{n}
	}
	n := norm{}
	ended := false
	for _, p := range list {
		if e := p.get("error"); e.given() {
			return failed(0, e.text())
		}
		n.text += p.get("message", "content").text()
		n.reasoning += p.get("message", "thinking").text()
		for _, t := range p.get("message", "tool_calls").list() {
			n.calls = append(n.calls, objectCall(t.get("id").text(), t.get("function", "name").text(), t.get("function", "arguments")))
		}
		if p.get("done").v == true {
			ended = true
			n.stop = orOther(map[string]string{"stop": stopEnd, "length": stopLength}, p.get("done_reason").text())
			n.usage = &counts{input: p.get("prompt_eval_count").count(), output: p.get("eval_count").count(), reasoning: -1}
		}
	}
	if !ended {
		return failed(0, "cut off")
	}
	return n
}
