package recorded_test

import "strings"

func readResponses(body []byte) norm {
	n, err := parse(body)
	if err != nil {
		return failed(0, err.Error())
	}
	return responsesAnswer(n)
}

func readResponsesStream(stream []byte) norm {
	list, err := datas(stream)
	if err != nil {
		return failed(0, err.Error())
	}
	for _, e := range list {
		switch e.get("type").text() {
		case "error":
			return failed(0, errorMessage(e))
		case "response.completed", "response.incomplete", "response.failed":
			return responsesAnswer(e.get("response"))
		}
	}
	return failed(0, "cut off")
}

func responsesAnswer(r node) norm {
	if r.get("status").text() == "failed" || r.get("error").given() && !r.get("output").given() {
		return failed(0, errorMessage(r))
	}
	var n norm
	var texts, thoughts []string
	for _, item := range r.get("output").list() {
		switch item.get("type").text() {
		case "message":
			text := ""
			for _, part := range item.get("content").list() {
				text += part.get("text").text()
				n.refusal += part.get("refusal").text()
			}
			texts = append(texts, text)
		case "reasoning":
			for _, name := range []string{"summary", "content"} {
				for _, part := range item.get(name).list() {
					thoughts = append(thoughts, part.get("text").text())
				}
			}
		case "function_call":
			n.calls = append(n.calls, newCall(item.get("call_id").text(), item.get("name").text(), item.get("arguments").text()))
		case "custom_tool_call":
			input := item.get("input").text()
			n.calls = append(n.calls, toolCall{id: item.get("call_id").text(), name: item.get("name").text(), custom: &input})
		}
	}
	n.text, n.reasoning = strings.Join(texts, ""), strings.Join(thoughts, "\n\n")
	if len(texts) > 1 {
		n.joined = []string{strings.Join(texts, "\n"), strings.Join(texts, "\n\n")}
	}
	n.stop = responsesStop(r, n.calls)
	if u := r.get("usage"); u.given() {
		n.usage = &counts{
			input: u.get("input_tokens").count(), output: u.get("output_tokens").count(),
			cached:    u.get("input_tokens_details", "cached_tokens").count(),
			reasoning: u.get("output_tokens_details", "reasoning_tokens").count(),
		}
	}
	return n
}

func responsesStop(r node, calls []toolCall) string {
	switch r.get("status").text() {
	case "completed":
		if len(calls) > 0 {
			return stopTools
		}
		return stopEnd
	case "incomplete":
		switch r.get("incomplete_details", "reason").text() {
		case "max_output_tokens":
			return stopLength
		case "content_filter":
			return stopFilter
		}
	}
	return stopOther
}
