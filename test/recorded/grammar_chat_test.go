package recorded_test

import "slices"

var chatFinishes = []string{"stop", "length", "tool_calls", "content_filter", "function_call"}

func chatGrammar(stream []byte) []string {
	var g grammar
	list := withoutCommentFrames(stream)
	g.need(!slices.ContainsFunc(list, func(f frame) bool { return f.hasEvent }), "an event: line")
	done := slices.IndexFunc(list, func(f frame) bool { return f.data == "[DONE]" })
	if done >= 0 {
		g.need(done == len(list)-1, "frames after [DONE]")
		list = list[:done]
	}
	events := g.events(list)
	if len(events) > 0 && events[len(events)-1].get("error").given() {
		return g.wrong // an error may end it as it likes
	}
	g.need(done >= 0, "no [DONE]")
	c := chatChunks{grammar: &g, calls: map[int64]string{}}
	for _, chunk := range events {
		c.take(chunk)
	}
	g.need(c.finish != "", "no finish_reason")
	g.need(len(c.calls) == 0 || c.finish != "stop", "finish_reason stop with tool calls")
	g.need(c.usage.given(), "no usage, though asked for")
	if c.usage.given() {
		g.sum(c.usage, "prompt_tokens", "completion_tokens", "total_tokens")
	}
	return g.wrong
}

// chatChunks is how far a stream of chunks has come.
type chatChunks struct {
	*grammar
	id, finish string
	role       bool
	usage      node
	calls      map[int64]string // ids
}

func (c *chatChunks) take(chunk node) {
	c.need(chunk.get("object").text() == "chat.completion.chunk", "object is %s", chunk.get("object"))
	id := chunk.get("id").text()
	c.need(id != "", "chunk without id")
	c.need(c.id == "" || c.id == id, "id changes")
	c.id = id
	c.need(chunk.get("created").isInteger(), "created is no integer")
	c.need(chunk.get("model").isText(), "model is no string")
	c.need(!chunk.has("error"), "error key in a chunk")
	choices := chunk.get("choices")
	c.need(choices.isList(), "no choices")
	c.need(!c.usage.given(), "chunk after usage")
	if u := chunk.get("usage"); u.given() {
		c.usage = u
		c.need(len(choices.list()) == 0, "usage beside choices")
	}
	for _, choice := range choices.list() {
		c.need(choice.get("index").isInteger(), "choice without index")
		if choice.get("index").count() == 0 {
			c.choice(choice)
		}
	}
}

func (c *chatChunks) choice(choice node) {
	delta := choice.get("delta")
	c.need(delta.isObject(), "choice without delta")
	c.need(choice.has("finish_reason"), "choice without finish_reason")
	c.need(c.role || delta.get("role").text() == "assistant", "first delta without role")
	c.role = true
	if c.finish != "" {
		for _, name := range []string{"content", "reasoning_content", "refusal", "tool_calls"} {
			c.need(!delta.get(name).given() || delta.get(name).v == "", "delta after finish_reason")
		}
	}
	for _, t := range delta.get("tool_calls").list() {
		index, ok := t.get("index").integer()
		c.need(ok, "tool call without index")
		id, begun := c.calls[index]
		if begun {
			c.need(!t.get("id").given() || t.get("id").text() == id, "tool call changes id")
			continue
		}
		c.need(int(index) == len(c.calls), "tool call index %d after %d calls", index, len(c.calls))
		kind := t.get("type").text()
		c.need(t.get("id").text() != "" && (kind == "function" || kind == "custom") && t.get(kind, "name").text() != "",
			"tool call starts without id, type or name: %s", t)
		c.calls[index] = t.get("id").text()
	}
	if reason := choice.get("finish_reason"); reason.given() {
		c.need(c.finish == "", "finish_reason twice")
		c.finish = reason.text()
		c.need(slices.Contains(chatFinishes, c.finish), "finish_reason %s", c.finish)
	}
}

func chatShape(n node) []string {
	var g grammar
	g.members(n, "completion", "id", "object", "created", "model", "choices", "usage")
	choice := n.get("choices", 0)
	g.members(choice, "choice", "index", "message", "finish_reason")
	g.need(slices.Contains(chatFinishes, choice.get("finish_reason").text()), "finish_reason %s", choice.get("finish_reason"))
	message := choice.get("message")
	g.members(message, "message", "role", "content")
	for _, t := range message.get("tool_calls").list() {
		switch t.get("type").text() {
		case "function":
			g.need(t.get("id").text() != "" && t.get("function", "arguments").isText(), "tool call without id or arguments as text: %s", t)
		case "custom":
			g.need(t.get("id").text() != "" && t.get("custom", "input").isText(), "tool call without id or input as text: %s", t)
		default:
			g.need(false, "tool call without type: %s", t)
		}
	}
	if n.get("usage").given() {
		g.sum(n.get("usage"), "prompt_tokens", "completion_tokens", "total_tokens")
	}
	return g.wrong
}
