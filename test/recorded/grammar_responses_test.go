package recorded_test

import (
	"fmt"
	"strings"
)

func responsesGrammar(stream []byte) []string {
	var g grammar
	list := withoutCommentFrames(stream)
	events := g.events(list)
	seq := int64(-1)
	for i, e := range events {
		g.need(list[i].event == e.get("type").text(), "event: %s with type %s", list[i].event, e.get("type"))
		n, ok := e.get("sequence_number").integer()
		g.need(ok && n > seq, "sequence_number %s after %d", e.get("sequence_number"), seq)
		seq = n
	}
	if len(events) == 0 {
		return append(g.wrong, "no events")
	}
	first, last := events[0].get("type").text(), events[len(events)-1].get("type").text()
	if first == "error" || last == "error" {
		return g.wrong
	}
	g.need(first == "response.created", "starts with %s", first)
	switch last {
	case "response.failed":
		return g.wrong
	case "response.completed", "response.incomplete":
	default:
		g.need(false, "ends with %s", last)
		return g.wrong
	}
	o := outputItems{grammar: &g, parts: map[string]*string{}}
	for _, e := range events[1 : len(events)-1] {
		o.take(e)
	}
	o.end(events[0].get("response"), events[len(events)-1].get("response"))
	return g.wrong
}

// outputItem is one as far as it has come.
type outputItem struct {
	id, kind string
	args     string
	open     bool
	final    node
}

type outputItems struct {
	*grammar
	items []*outputItem
	parts map[string]*string // the texts of parts by place
}

func (o *outputItems) take(e node) {
	kind := e.get("type").text()
	at, placed := e.get("output_index").integer()
	if kind == "response.output_item.added" {
		o.need(int(at) == len(o.items), "output_index %d after %d items", at, len(o.items))
		item := e.get("item")
		o.items = append(o.items, &outputItem{id: item.get("id").text(), kind: item.get("type").text(), open: true})
		return
	}
	if !placed {
		return
	}
	if int(at) >= len(o.items) {
		o.need(false, "%s of output %d, which is not there", kind, at)
		return
	}
	item := o.items[at]
	if id := e.get("item_id"); id.given() {
		o.need(id.text() == item.id, "%s with item_id %s, not %s", kind, id, item.id)
	}
	name, verb := strings.TrimPrefix(kind, "response."), ""
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name, verb = name[:dot], name[dot+1:]
	}
	place := fmt.Sprint(item.id, e.get("content_index"), e.get("summary_index"))
	switch name {
	case "output_item":
		o.need(item.open, "output_item.done twice")
		o.need(e.get("item", "id").text() == item.id && e.get("item", "type").text() == item.kind, "output_item.done of another item")
		item.open, item.final = false, e.get("item")
	case "content_part", "reasoning_summary_part":
		if verb == "added" {
			o.parts[place] = new(string)
		} else {
			o.need(o.parts[place] != nil, "%s without .added", kind)
		}
	case "output_text", "refusal", "reasoning_text", "reasoning_summary_text":
		o.partText(e, kind, verb, o.parts[place])
	case "function_call_arguments", "custom_tool_call_input":
		if verb == "delta" {
			item.args += e.get("delta").text()
		} else {
			o.need(e.first("arguments", "input").text() == item.args, "%s is not the sum of its deltas", kind)
		}
	}
}

func (o *outputItems) partText(e node, kind, verb string, text *string) {
	switch {
	case text == nil:
		o.need(verb == "annotation" || strings.HasSuffix(kind, "annotation.added"), "%s without a part", kind)
	case verb == "delta":
		*text += e.get("delta").text()
	case verb == "done":
		o.need(e.first("text", "refusal").text() == *text, "%s is not the sum of its deltas", kind)
	}
}

// end compares the items with those of the last event's response.
func (o *outputItems) end(first, last node) {
	o.need(last.isObject(), "the last event has no response")
	o.need(last.get("id").text() == first.get("id").text(), "the last response has another id")
	var told, final []string
	for i, item := range o.items {
		told = append(told, item.kind+":"+item.id)
		switch item.kind { // OpenAI itself leaves some of its own tools' items open
		case "message", "reasoning", "function_call", "custom_tool_call":
			o.need(!item.open, "output item %d is never done", i)
		}
		if item.final.given() && (item.kind == "function_call" || item.kind == "custom_tool_call") {
			o.need(item.final.first("arguments", "input").text() == item.args, "a %s item is not the sum of its deltas", item.kind)
			o.need(item.final.get("call_id").text() != "", "a %s item without call_id", item.kind)
		}
	}
	for _, item := range last.get("output").list() {
		final = append(final, item.get("type").text()+":"+item.get("id").text())
	}
	o.need(strings.Join(told, " ") == strings.Join(final, " "), "final output is %v, items were %v", final, told)
	o.sum(last.get("usage"), "input_tokens", "output_tokens", "total_tokens")
}

func responsesShape(n node) []string {
	var g grammar
	g.members(n, "response", "id", "object", "created_at", "status", "model", "output", "parallel_tool_calls", "tool_choice", "tools", "usage")
	for _, item := range n.get("output").list() {
		kind := item.get("type").text()
		g.members(item, kind, "id")
		switch kind {
		case "function_call":
			g.members(item, kind, "call_id", "name", "arguments")
		case "message":
			g.members(item, kind, "role", "status", "content")
			for _, part := range item.get("content").list() {
				if part.get("type").text() == "output_text" {
					g.members(part, "output_text", "text", "annotations")
				}
			}
		}
	}
	if n.get("usage").given() {
		g.sum(n.get("usage"), "input_tokens", "output_tokens", "total_tokens")
	}
	return g.wrong
}
