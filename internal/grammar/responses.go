package grammar

import (
	"bytes"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// output is the items of a stream of Responses as far as they have come.
type output struct {
	fault
	items []*item
}

type item struct {
	kind, id  string
	done      bool
	parts     []*part
	arguments pieces
	whole     bool // the arguments are
	final     jsonbytes.Value
}

type part struct {
	kind                  string
	text                  pieces
	whole, done           bool
	annotations, logprobs int
}

// Responses checks a stream of OpenAI's Responses.
func Responses(stream []byte) (failed bool, err error) {
	var o output
	list := o.events(stream, "\n\n")
	if !o.need(len(list) > 0, "no events", stream) {
		return false, o.err
	}
	id := ""
	for i, e := range list {
		o.need(e.name != "" && e.data.Get("type").Is(e.name) && number(e.data.Get("sequence_number")) == i, "another type or number", e.data)
		last := i == len(list)-1
		switch {
		case e.name == "error":
			o.need(!failed && isText(e.data.Get("error").Get("message")) && (last || i > 0 && i == len(list)-2), "an error in the wrong place, or empty", e.data)
			failed = true
			continue
		case failed:
			o.need(last && e.name == "response.failed", "after an error", e.data)
		case i < 2:
			o.need(e.name == []string{"response.created", "response.in_progress"}[i], "not the beginning", e.data)
		case last:
			o.need(e.name == "response.completed" || e.name == "response.incomplete", "not the end", e.data)
		}
		r := e.data.Get("response")
		o.need((r != nil) == (i < 2 || last), "a response out of place, or none", e.data)
		if r == nil {
			o.event(e.name, e.data)
			continue
		}
		if i == 0 {
			id = text(r.Get("id"))
		}
		status := strings.TrimPrefix(e.name, "response.")
		if status == "created" {
			status = "in_progress"
		}
		o.need(text(r.Get("id")) == id && r.Get("status").Is(status), "another response or status", e.data)
		o.response(r)
		if last && !failed {
			o.repeats(r)
		}
	}
	o.need(failed || len(list) > 2, "the stream has no end", stream)
	return failed, o.err
}

func (o *output) event(name string, data jsonbytes.Value) {
	if name == "response.output_item.added" || name == "response.output_item.done" {
		o.item(strings.HasSuffix(name, "added"), data)
		return
	}
	at := number(data.Get("output_index"))
	if !o.need(at >= 0 && at < len(o.items) && !o.items[at].done && data.Get("item_id").Is(o.items[at].id), "no such item, or it is done", data) {
		return
	}
	it := o.items[at]
	cut := strings.LastIndexByte(name, '.')
	group, verb := strings.TrimPrefix(name[:cut], "response."), name[cut+1:]
	switch group {
	case "function_call_arguments", "custom_tool_call_input":
		o.arguments(it, group, verb, data)
		return
	}
	index, owner := data.Get("content_index"), "message"
	if strings.HasPrefix(group, "reasoning_summary") {
		index, owner = data.Get("summary_index"), "reasoning"
	}
	n := number(index)
	if verb == "added" && strings.HasSuffix(group, "_part") {
		open := len(it.parts) > 0 && !it.parts[len(it.parts)-1].done
		o.need(it.kind == owner && n == len(it.parts) && !open && text(data.Get("part").Get("type")) != "", "a part out of order", data)
		it.parts = append(it.parts, &part{kind: text(data.Get("part").Get("type"))})
		return
	}
	if o.need(n >= 0 && n == len(it.parts)-1 && !it.parts[n].done, "no such part, or it is done", data) {
		o.part(it.parts[n], group, verb, data)
	}
}

func (o *output) item(added bool, data jsonbytes.Value) {
	v, at := data.Get("item"), number(data.Get("output_index"))
	kind, id, status := text(v.Get("type")), text(v.Get("id")), text(v.Get("status"))
	o.outputItem(v)
	if added {
		o.need(at == len(o.items) && (status == "" || status == "in_progress"), "an item out of order", data)
		o.need(!slices.ContainsFunc(o.items, func(it *item) bool { return it.id == id }), "an id that another item has", data)
		o.items = append(o.items, &item{kind: kind, id: id})
		return
	}
	if !o.need(at >= 0 && at < len(o.items), "no such item", data) {
		return
	}
	it := o.items[at]
	o.need(!it.done && it.id == id && it.kind == kind && (status == "" || status == "completed" || status == "incomplete"), "another item, or done before", data)
	for _, p := range it.parts {
		o.need(p.done, "a part is open", data)
	}
	switch kind {
	case "function_call":
		o.need(it.whole && text(v.Get("arguments")) == it.arguments.said() && len(it.arguments) > 0, "arguments that are not the sum of their deltas", data)
	case "custom_tool_call":
		o.need(it.whole && text(v.Get("input")) == it.arguments.said(), "input that is not the sum of its deltas", data)
	case "message":
		o.need(v.Get("content").Len() == len(it.parts) && len(it.parts) > 0, "other parts", data)
	case "reasoning":
		o.need(v.Get("summary").Len() == len(it.parts), "other parts", data)
	}
	it.done, it.final = true, v
}

func (o *output) arguments(it *item, group, verb string, data jsonbytes.Value) {
	kind, whole := "function_call", data.Get("arguments")
	if group == "custom_tool_call_input" {
		kind, whole = "custom_tool_call", data.Get("input")
	}
	o.need(it.kind == kind && !it.whole, "arguments of no call, or after their end", data)
	if verb == "delta" {
		o.need(isText(data.Get("delta")), "no delta", data)
		it.arguments.add(data.Get("delta"))
		return
	}
	o.need(verb == "done" && isText(whole) && text(whole) == it.arguments.said() && (kind != "function_call" || isText(data.Get("name"))), "arguments that are not the sum of their deltas", data)
	it.whole = true
}

// partOf is the kind of part that a group of events is of.
var partOf = map[string]string{
	"output_text": "output_text", "output_text.annotation": "output_text", "refusal": "refusal", "reasoning_summary_text": "summary_text",
}

func (o *output) part(p *part, group, verb string, data jsonbytes.Value) {
	switch group {
	case "output_text", "refusal", "reasoning_summary_text":
		probabilities := data.Get("logprobs")
		o.need(partOf[group] == p.kind && !p.whole, "text of another kind of part, or after its end", data)
		o.need((probabilities.Kind() == jsonbytes.Array) == (group == "output_text"), "logprobs", data)
		if verb == "delta" {
			o.need(isText(data.Get("delta")), "no delta", data)
			p.text.add(data.Get("delta"))
			p.logprobs += probabilities.Len()
			return
		}
		whole := data.Get("text")
		if group == "refusal" {
			whole = data.Get("refusal")
		}
		o.need(verb == "done" && isText(whole) && text(whole) == p.text.said() && probabilities.Len() == p.logprobs, "text that is not the sum of its deltas", data)
		p.whole = true
	case "output_text.annotation":
		o.need(partOf[group] == p.kind && !p.whole && verb == "added" && number(data.Get("annotation_index")) == p.annotations && data.Get("annotation") != nil, "an annotation out of order", data)
		p.annotations++
	case "content_part", "reasoning_summary_part":
		v := data.Get("part")
		whole := v.Get("text")
		if p.kind == "refusal" {
			whole = v.Get("refusal")
		}
		o.need(verb == "done" && p.whole && v.Get("type").Is(p.kind) && isText(whole) && text(whole) == p.text.said(), "a part that is not the sum of its events", data)
		o.need(p.kind != "output_text" || v.Get("annotations").Len() == p.annotations && v.Get("logprobs").Len() == p.logprobs, "other annotations or logprobs", data)
		p.done = true
	default:
		o.need(false, "an unknown event", data)
	}
}

// repeats needs the last response to have the items that came.
func (o *output) repeats(r jsonbytes.Value) {
	list := r.Get("output")
	o.need(list.Len() == len(o.items), "other items", r)
	for i, v := range list.Elements() {
		o.need(i < len(o.items) && o.items[i].done && bytes.Equal(o.items[i].final, v), "an item that is not done, or differs", v)
	}
}

// outputItem checks an item, whole or not.
func (f *fault) outputItem(v jsonbytes.Value) {
	f.need(text(v.Get("id")) != "", "an item without id", v)
	switch text(v.Get("type")) {
	case "message":
		f.need(v.Get("content").Kind() == jsonbytes.Array && v.Get("role").Is("assistant"), "no content or role", v)
		for _, c := range v.Get("content").Elements() {
			f.need(c.Get("type").Is("refusal") && isText(c.Get("refusal")) || c.Get("type").Is("output_text") && isText(c.Get("text")) &&
				c.Get("annotations").Kind() == jsonbytes.Array && c.Get("logprobs").Kind() == jsonbytes.Array, "a part that lacks something", v)
		}
	case "reasoning":
		f.need(v.Get("summary").Kind() == jsonbytes.Array, "no summary", v)
	case "function_call":
		f.need(text(v.Get("call_id")) != "" && isText(v.Get("name")) && isText(v.Get("arguments")), "no call", v)
	case "custom_tool_call":
		f.need(text(v.Get("call_id")) != "" && isText(v.Get("name")) && isText(v.Get("input")), "no call", v)
	default:
		f.need(text(v.Get("type")) != "", "an item without type", v)
	}
}

// response checks what SDKs require of one.
func (f *fault) response(r jsonbytes.Value) {
	f.has(r, "id", "object", "created_at", "status", "error", "incomplete_details", "instructions", "metadata", "model", "output",
		"parallel_tool_calls", "temperature", "tool_choice", "tools", "top_p", "usage", "text", "reasoning", "store")
	status := text(r.Get("status"))
	f.need(text(r.Get("id")) != "" && r.Get("object").Is("response") && (status == "incomplete") != r.Get("incomplete_details").IsNull() &&
		(status == "failed") != r.Get("error").IsNull(), "a response in contradiction", r)
	if u := r.Get("usage"); status == "completed" || status == "incomplete" {
		f.need(f.counts(u, "input_tokens", "output_tokens") == f.counts(u, "total_tokens"), "usage does not add up", u)
		f.counts(u.Get("input_tokens_details"), "cached_tokens")
		f.counts(u.Get("output_tokens_details"), "reasoning_tokens")
	}
	ids := map[string]bool{}
	for _, v := range r.Get("output").Elements() {
		f.outputItem(v)
		f.need(!ids[text(v.Get("id"))], "an id that another item has", r)
		ids[text(v.Get("id"))] = true
	}
}

// ResponsesAnswer checks a whole answer of OpenAI's Responses.
func ResponsesAnswer(body []byte) error {
	var f fault
	r := jsonbytes.Value(body)
	if f.object(r) {
		f.response(r)
		status := text(r.Get("status"))
		f.need(status == "completed" || status == "incomplete" || status == "failed", "an answer without end", r)
	}
	return f.err
}
