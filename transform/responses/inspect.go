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
	tools, called := clientTools{}, false
	if r.status.Is("completed") || r.status == nil {
		tools = declaredTools(r.tools)
		for _, v := range r.output.Elements() {
			switch kind := v.Get("type"); {
			case kind.Is("function_call"):
				called = true
			case kind.Is("custom_tool_call"):
				name, _ := v.Get("name").Text()
				called = called || tools.run(name)
			}
		}
	}
	return transform.Summary{Usage: openai.ReadUsage(r.usage), Finish: r.finish(called)}
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
		return transform.Sign{Content: true}, nil
	}
	switch string(name) {
	case "response.created", "response.in_progress", "response.queued",
		"response.content_part.added", "response.reasoning_summary_part.added", "ping", "keepalive":
		return transform.Sign{}, nil
	case "response.output_item.added":
		return transform.Sign{Content: !emptyItem(jsonbytes.Parse(data).Get("item"), true)}, nil
	case "response.output_item.done":
		return transform.Sign{Content: !emptyItem(jsonbytes.Parse(data).Get("item"), false)}, nil
	case "response.completed", "response.incomplete":
		return s.end(name, data)
	case "response.failed", "response.cancelled", "error":
		return s.fail(data), nil
	case "":
		if jsonbytes.Parse(data).Get("error").Kind() == jsonbytes.Object {
			return s.fail(data), nil
		}
	}
	return transform.Sign{Content: true}, nil // of unknown kinds too
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
	s.found, s.done = r.summary(), true
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

// emptyItem tells whether an item is only the skeleton of what will be in it.
// Encrypted content counts once the item is done: before, it is not whole.
func emptyItem(v jsonbytes.Value, begun bool) bool {
	switch kind := v.Get("type"); {
	case kind.Is("message"):
		return v.Get("content").Len() == 0
	case kind.Is("reasoning"):
		return v.Get("summary").Len() == 0 && v.Get("content").Len() == 0 && (begun || !v.Get("encrypted_content").HasText())
	}
	return false
}
