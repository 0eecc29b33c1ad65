package grammar

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// choice is one of a stream of chunks, as far as it has come.
type choice struct {
	role, finished bool
	calls          int
}

// Chat checks a stream of Chat Completions; usage tells that it was asked for.
func Chat(stream []byte, usage bool) (failed bool, err error) {
	var f fault
	list := f.events(stream, "\n\n")
	if !f.need(len(list) > 0, "no events", stream) {
		return false, f.err
	}
	last := list[len(list)-1].data
	failed = last.Get("error") != nil
	if failed {
		f.need(isText(last.Get("error").Get("message")) && isText(last.Get("error").Get("type")), "an error without message or type", last)
	} else {
		f.need(string(last) == "[DONE]", "does not end with [DONE]", last)
	}
	id, counted, choices := "", false, map[int]*choice{}
	for i, e := range list[:len(list)-1] {
		c := e.data
		if i == 0 {
			id = text(c.Get("id"))
		}
		f.need(e.name == "" && id != "" && text(c.Get("id")) == id, "a name, or another id", c)
		f.need(c.Get("object").Is("chat.completion.chunk") && number(c.Get("created")) >= 0 && isText(c.Get("model")) &&
			c.Get("choices").Kind() == jsonbytes.Array && c.Get("error") == nil, "no chunk", c)
		f.need(!counted, "a chunk after usage", c)
		f.need((c.Get("usage") != nil) == usage, "usage, or none, unasked", c)
		if counted = !c.Get("usage").Empty(); counted {
			f.need(c.Get("choices").Len() == 0, "usage beside choices", c)
			f.chatUsage(c.Get("usage"))
		}
		for _, part := range c.Get("choices").Elements() {
			at := number(part.Get("index"))
			if choices[at] == nil {
				choices[at] = &choice{}
			}
			f.chatChoice(choices[at], part)
		}
	}
	if failed {
		return true, f.err
	}
	for _, c := range choices {
		f.need(c.finished, "a choice does not finish", stream)
	}
	f.need(len(choices) > 0 && counted == usage, "no choice or no usage", stream)
	return false, f.err
}

func (f *fault) chatChoice(c *choice, part jsonbytes.Value) {
	delta, finish := part.Get("delta"), part.Get("finish_reason")
	f.need(number(part.Get("index")) >= 0 && delta.Kind() == jsonbytes.Object && finish != nil, "no index, delta or finish_reason", part)
	f.need(c.role || delta.Get("role").Is("assistant"), "no role first", part)
	f.need(!c.finished, "after the finish", part)
	c.role, c.finished = true, !finish.IsNull()
	for _, p := range delta.Get("tool_calls").Elements() {
		function, custom := p.Get("function"), p.Get("custom")
		f.need((function == nil) != (custom == nil), "a call of no kind, or of two", p)
		f.need(function == nil || isText(function.Get("arguments")), "no arguments", p)
		f.need(custom == nil || isText(custom.Get("input")), "no input", p)
		switch at := number(p.Get("index")); {
		case at == c.calls:
			c.calls++
			kind, name := "function", function.Get("name")
			if custom != nil {
				kind, name = "custom", custom.Get("name")
			}
			f.need(text(p.Get("id")) != "" && p.Get("type").Is(kind) && isText(name), "a call begins without id, type or name", p)
		default:
			f.need(at >= 0 && at < c.calls && p.Get("id") == nil, "a call out of order, or with a second id", p)
		}
	}
	if c.finished {
		words := []string{"stop", "length", "tool_calls", "content_filter", "function_call"}
		f.need(slices.Contains(words, text(finish)) && (c.calls == 0 || !finish.Is("stop")), "a reason that does not fit", part)
	}
}

func (f *fault) chatUsage(u jsonbytes.Value) {
	sum := f.counts(u, "prompt_tokens", "completion_tokens")
	f.need(f.counts(u, "total_tokens") == sum, "usage does not add up", u)
}

// ChatAnswer checks a whole answer of Chat Completions.
func ChatAnswer(body []byte) error {
	var f fault
	a := jsonbytes.Value(body)
	if !f.object(a) {
		return f.err
	}
	f.need(text(a.Get("id")) != "" && a.Get("object").Is("chat.completion") && number(a.Get("created")) >= 0 && isText(a.Get("model")), "no answer", a)
	f.need(a.Get("choices").Len() > 0, "no choices", a)
	f.chatUsage(a.Get("usage"))
	for _, c := range a.Get("choices").Elements() {
		m := c.Get("message")
		f.has(c, "logprobs")
		f.has(m, "content", "refusal")
		f.need(number(c.Get("index")) >= 0 && text(c.Get("finish_reason")) != "" && m.Get("role").Is("assistant"), "a choice lacks something", c)
		for _, call := range m.Get("tool_calls").Elements() {
			function, custom := call.Get("function"), call.Get("custom")
			f.need(text(call.Get("id")) != "", "a call without id", call)
			f.need(call.Get("type").Is("function") && isText(function.Get("name")) && isText(function.Get("arguments")) ||
				call.Get("type").Is("custom") && isText(custom.Get("name")) && isText(custom.Get("input")), "a call lacks something", call)
		}
	}
	return f.err
}
