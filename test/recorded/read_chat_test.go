package recorded_test

import "strings"

// chatReader gathers a chat completion, whole or chunk by chunk.
type chatReader struct {
	text, reasoning strings.Builder
	refusal         strings.Builder
	calls           []*chatCall
	finish          string
	ended           bool
	usage           node
}

type chatCall struct {
	id, name string
	args     strings.Builder
	custom   bool
}

func readChat(body []byte) norm {
	n, err := parse(body)
	if err != nil {
		return failed(0, err.Error())
	}
	if n.get("error").given() {
		return failed(int(n.get("error", "code").count()), errorMessage(n))
	}
	var r chatReader
	choice := n.get("choices", 0)
	r.message(choice.get("message"))
	r.finish, r.ended = choice.get("finish_reason").text(), choice.get("finish_reason").given()
	r.usage = n.get("usage")
	return r.result()
}

func readChatStream(stream []byte) norm {
	var r chatReader
	list, err := datas(stream)
	for _, chunk := range list {
		if chunk.get("error").given() {
			return failed(int(chunk.get("error", "code").count()), errorMessage(chunk))
		}
		for _, usage := range []node{chunk.get("x_groq", "usage"), chunk.get("usage")} {
			if usage.given() {
				r.usage = usage
			}
		}
		for _, choice := range chunk.get("choices").list() {
			if choice.get("index").count() != 0 {
				continue
			}
			if reason := choice.get("finish_reason"); reason.given() {
				r.finish, r.ended = reason.text(), true
			}
			r.message(choice.get("delta"))
		}
	}
	if err != nil {
		return failed(0, err.Error())
	}
	for _, f := range frames(stream) {
		if f.event == "error" { // Groq's
			return failed(0, f.data)
		}
	}
	if !r.ended && !strings.Contains(string(stream), "data: [DONE]") {
		return failed(0, "cut off")
	}
	return r.result()
}

// message takes a message or a piece of one.
func (r *chatReader) message(m node) {
	content := m.get("content")
	r.text.WriteString(content.text())
	thought := ""
	for _, part := range content.list() { // Mistral's
		switch {
		case part.get("type").text() != "thinking":
			r.text.WriteString(part.text() + part.get("text").text())
		default:
			thought += part.get("thinking").text()
			for _, piece := range part.get("thinking").list() {
				thought += piece.text() + piece.get("text").text()
			}
		}
	}
	if said := m.first("reasoning_content", "reasoning").text(); said != "" {
		thought = said
	} else if thought == "" {
		for _, detail := range m.get("reasoning_details").list() {
			thought += detail.first("text", "summary").text()
		}
	}
	r.reasoning.WriteString(thought)
	r.refusal.WriteString(m.get("refusal").text())
	if f := m.get("function_call"); f.given() {
		r.call(0, "legacy", f, "arguments")
	}
	for _, t := range m.get("tool_calls").list() {
		at, told := t.get("index").integer()
		f, input := t.get("function"), "arguments"
		if t.get("custom").given() {
			f, input = t.get("custom"), "input"
		}
		if !told { // a name begins the next call
			at = int64(len(r.calls))
			if f.get("name").text() == "" {
				at--
			}
		}
		r.call(int(at), t.get("id").text(), f, input)
	}
}

func (r *chatReader) call(at int, id string, f node, input string) {
	if at < 0 || at > len(r.calls)+16 {
		return
	}
	for len(r.calls) <= at {
		r.calls = append(r.calls, &chatCall{})
	}
	c := r.calls[at]
	c.custom = c.custom || input == "input"
	if c.id == "" {
		c.id = id
	}
	if c.name == "" {
		c.name = f.get("name").text()
	}
	if arguments := f.get(input); arguments.isText() {
		c.args.WriteString(arguments.text())
	} else if arguments.given() {
		c.args.WriteString(arguments.String())
	}
}

var chatStops = map[string]string{
	"stop": stopEnd, "end": stopEnd, "eos": stopEnd, "length": stopLength, "model_length": stopLength,
	"max_output_tokens": stopLength, "tool_calls": stopTools, "tool_call": stopTools, "function_call": stopTools,
	"content_filter": stopFilter,
}

func (r *chatReader) result() norm {
	n := norm{text: r.text.String(), reasoning: r.reasoning.String(), refusal: r.refusal.String(), usage: chatUsage(r.usage)}
	for _, c := range r.calls {
		if c.custom {
			input := c.args.String()
			n.calls = append(n.calls, toolCall{id: c.id, name: c.name, custom: &input})
			continue
		}
		n.calls = append(n.calls, newCall(c.id, c.name, c.args.String()))
	}
	if r.ended {
		n.stop = orOther(chatStops, r.finish)
	}
	return n
}

func orOther(stops map[string]string, reason string) string {
	if stop, ok := stops[reason]; ok {
		return stop
	}
	return stopOther
}

// chatUsage counts reasoning as output also of vendors that count it beside
// completion_tokens: the total shows it, or that there is more of it.
func chatUsage(u node) *counts {
	if !u.given() {
		return nil
	}
	c := &counts{input: u.get("prompt_tokens").count(), output: u.get("completion_tokens").count()}
	c.cached = u.get("prompt_tokens_details", "cached_tokens").count()
	if c.cached == 0 {
		c.cached = u.first("prompt_cache_hit_tokens", "cached_tokens").count()
	}
	c.reasoning = u.get("completion_tokens_details", "reasoning_tokens").count()
	if c.reasoning == 0 {
		c.reasoning = u.get("reasoning_tokens").count()
	}
	if u.get("total_tokens").count() == c.input+c.output+c.reasoning || c.reasoning > c.output {
		c.output += c.reasoning
	}
	return c
}
