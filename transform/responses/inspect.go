package responses

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// InspectResponse finds usage and finish of a whole response, of a compacted
// conversation or of a count.
func (Codec) InspectResponse(body []byte) (transform.Summary, error) {
	r, err := readResponse(body)
	if err != nil {
		return transform.Summary{}, err
	}
	return r.summary(), nil
}

func (r *response) summary() transform.Summary {
	tools, called := declaredTools(r.tools), false
	said := r.status.Is("queued") || r.status.Is("in_progress") // it will be fetched later
	for _, v := range r.output.Elements() {
		said = said || !emptyItem(v, false)
		switch kind := v.Get("type"); {
		case kind.Is("function_call"):
			called = true
		case kind.Is("custom_tool_call"):
			name, _ := v.Get("name").Text()
			called = called || tools.run(name)
		}
	}
	return transform.Summary{Usage: openai.ReadUsage(r.usage), Finish: r.finish(called), Content: said}
}

// NewStreamInspector watches a stream that is passed on unread.
func (Codec) NewStreamInspector() transform.StreamInspector { return new(streamInspector) }

type streamInspector struct {
	found        transform.Summary
	done, broken bool
}

func (s *streamInspector) Summary() transform.Summary { return s.found }

func (s *streamInspector) Ended() bool { return s.done && !s.broken }

// deltaSuffix ends the names of by far the most events.
var deltaSuffix = []byte(".delta")

// Inspect goes by the event's name. Deltas are not read at all.
func (s *streamInspector) Inspect(name, data []byte) (transform.Sign, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || bytes.Equal(data, doneSentinel) {
		return transform.Sign{}, nil
	}
	if data[0] != '{' || data[len(data)-1] != '}' {
		return transform.Sign{}, errNoAnswer
	}
	if len(name) == 0 {
		name = typeOf(data)
	}
	if bytes.HasSuffix(name, deltaSuffix) {
		return s.content(true), nil
	}
	switch string(name) {
	case "response.created", "response.in_progress", "response.queued",
		"response.content_part.added", "response.reasoning_summary_part.added", "ping", "keepalive":
		return transform.Sign{}, nil
	case "response.output_item.added":
		return s.content(!emptyItem(jsonbytes.Parse(data).Get("item"), true)), nil
	case "response.output_item.done":
		return s.content(!emptyItem(jsonbytes.Parse(data).Get("item"), false)), nil
	case "response.completed", "response.incomplete":
		return s.end(name, data)
	case "response.failed", "response.cancelled", "error":
		return s.fail(data), nil
	case "":
		if jsonbytes.Parse(data).Get("error").Kind() == jsonbytes.Object {
			return s.fail(data), nil
		}
	}
	return s.content(true), nil // of unknown kinds too
}

func (s *streamInspector) content(there bool) transform.Sign {
	s.found.Content = s.found.Content || there
	return transform.Sign{Content: there}
}

// typeOf finds an event's type where it has no name. Most begin with it.
func typeOf(data []byte) []byte {
	const usual = `{"type":"`
	if len(data) > len(usual) && string(data[:len(usual)]) == usual {
		if end := bytes.IndexByte(data[len(usual):], '"'); end >= 0 {
			return data[len(usual) : len(usual)+end]
		}
	}
	kind := jsonbytes.Parse(data).Get("type")
	if kind.Kind() != jsonbytes.String {
		return nil
	}
	return kind.AppendText(nil)
}

// end reads the last event.
func (s *streamInspector) end(name, data []byte) (transform.Sign, error) {
	if jsonbytes.Check(data, 0) != nil {
		return transform.Sign{}, errNoAnswer
	}
	r := openResponse(jsonbytes.Parse(data).Get("response"))
	if r.failed() {
		return s.fail(data), nil
	}
	r.settle(name)
	said := s.found.Content
	s.found, s.done = r.summary(), true
	s.found.Content = s.found.Content || said
	return transform.Sign{Content: true}, nil
}

// fail reads an error, once: OpenAI says it as error and as response.failed.
func (s *streamInspector) fail(data []byte) transform.Sign {
	root := jsonbytes.Parse(data)
	response := root.Get("response")
	if counts := openai.ReadUsage(response.Get("usage")); counts.Known {
		s.found.Usage = counts
	}
	s.broken = true
	if response.Kind() == jsonbytes.Object {
		root = response
	}
	return transform.Sign{Err: failureOf(root)}
}

// leastContent is the length of content that needs no look: none that is empty is so long.
const leastContent = 512

// emptyMessage tells whether the content of a message is nothing but empty texts.
func emptyMessage(content jsonbytes.Value) bool {
	if len(content) >= leastContent {
		return false
	}
	for _, v := range content.Elements() {
		if !v.Get("type").Is("output_text") || v.Get("text").HasText() {
			return false
		}
	}
	return true
}

// emptyItem tells whether an item is only the skeleton of what will be in it.
// Encrypted content counts once the item is done: before, it is not whole.
func emptyItem(v jsonbytes.Value, begun bool) bool {
	switch kind := v.Get("type"); {
	case kind.Is("message"):
		return emptyMessage(v.Get("content"))
	case kind.Is("reasoning"):
		return v.Get("summary").Len() == 0 && v.Get("content").Len() == 0 && (begun || !v.Get("encrypted_content").HasText())
	}
	return false
}
