package recorded_test

import (
	"regexp"
	"strings"
)

func readGemini(body []byte) norm {
	n, err := parse(body)
	if err != nil {
		return failed(0, err.Error())
	}
	return geminiAnswer([]node{n})
}

func readGeminiStream(stream []byte) norm {
	if array, err := parse(stream); err == nil && array.isList() {
		return geminiAnswer(array.list())
	}
	list, err := datas(stream)
	if err != nil {
		return failed(0, err.Error())
	}
	return geminiAnswer(list)
}

var (
	geminiStops = map[string]string{
		"STOP": stopEnd, "1": stopEnd, "MAX_TOKENS": stopLength, "2": stopLength, "CONTINUATION": stopLength,
	}
	geminiFilters = regexp.MustCompile(`SAFETY|RECITATION|BLOCKLIST|PROHIBITED_CONTENT|SPII|MODEL_ARMOR`)
)

// geminiAnswer puts the pieces of an answer together, be it one.
func geminiAnswer(list []node) norm {
	var n norm
	var usage, finish, blocked node
	var most int64
	other := false
	for _, chunk := range list {
		if e := chunk.get("error"); e.given() {
			return failed(int(e.get("code").count()), errorMessage(chunk))
		}
		if reason := chunk.get("promptFeedback", "blockReason"); reason.given() {
			blocked = reason
		}
		if u := chunk.get("usageMetadata"); u.given() {
			usage = u
			most = max(most, u.get("candidatesTokenCount").count())
		}
		candidate := chunk.get("candidates", 0)
		if reason := candidate.get("finishReason"); reason.given() {
			finish = reason
		}
		for _, part := range candidate.get("content", "parts").list() {
			call := part.get("functionCall")
			switch {
			case call.given():
				n.calls = append(n.calls, objectCall(call.get("id").text(), call.get("name").text(), call.get("args")))
			case part.get("thought").v == true:
				n.reasoning += part.get("text").text()
			case part.get("text").text() != "":
				n.pieces = append(n.pieces, part.get("text").text())
			case part.get("executableCode").given(), part.get("codeExecutionResult").given(), part.get("inlineData").given():
				other = true
			}
		}
	}
	n.text = strings.Join(n.pieces, "")
	if !other {
		n.pieces = nil
	} else if n.pieces == nil {
		n.pieces = []string{}
	}
	switch {
	case finish.given():
		reason := strings.Trim(finish.String(), `"`)
		n.stop = orOther(geminiStops, reason)
		if geminiFilters.MatchString(reason) {
			n.stop = stopFilter
		}
		if n.stop == stopEnd && len(n.calls) > 0 {
			n.stop = stopTools
		}
	case blocked.given():
		n.stop = stopFilter
	default:
		return failed(0, "cut off")
	}
	n.usage = geminiUsage(usage, most)
	return n
}

// geminiUsage counts what tools said to the model as input. The most that a
// chunk counted stands where the last lacks it.
func geminiUsage(u node, most int64) *counts {
	if !u.given() {
		return nil
	}
	prompt, tools, thought := u.get("promptTokenCount").count(), u.get("toolUsePromptTokenCount").count(), u.get("thoughtsTokenCount").count()
	c := &counts{
		input: prompt + tools, output: u.get("candidatesTokenCount").count() + thought,
		cached: u.get("cachedContentTokenCount").count(), reasoning: thought,
	}
	if !u.get("candidatesTokenCount").given() && most > 0 {
		c.outputs = []int64{most + thought}
	}
	return c
}
