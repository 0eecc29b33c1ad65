package recorded_test

import (
	"encoding/json"
	"net/http"
	"strings"
)

// dialects are the formats that clients speak.
var dialects = []string{"chat", "responses", "messages", "gemini"}

// said is what clients say.
const said = "Hello."

// question is a plain request.
type question struct {
	model     string
	stream    bool
	tools     []string
	reasoning bool
}

type object = map[string]any

// body writes a question in a client's format.
func (q question) body(dialect string) []byte {
	schema := object{"type": "object", "properties": object{}}
	var tools []any
	for _, name := range q.tools {
		switch dialect {
		case "chat":
			tools = append(tools, object{"type": "function", "function": object{"name": name, "parameters": schema}})
		case "responses":
			tools = append(tools, object{"type": "function", "name": name, "parameters": schema, "strict": false})
		case "messages":
			tools = append(tools, object{"name": name, "input_schema": schema})
		case "gemini":
			tools = append(tools, object{"name": name, "parametersJsonSchema": schema})
		}
	}
	messages := []any{object{"role": "user", "content": said}}
	out := object{}
	switch dialect {
	case "chat":
		out = object{"model": q.model, "messages": messages}
		if q.reasoning {
			out["reasoning_effort"] = "low"
		}
		if q.stream {
			out["stream"], out["stream_options"] = true, object{"include_usage": true}
		}
	case "responses":
		out = object{"model": q.model, "input": said, "store": false}
		if q.reasoning {
			out["reasoning"] = object{"effort": "low", "summary": "auto"}
		}
		if q.stream {
			out["stream"] = true
		}
	case "messages":
		out = object{"model": q.model, "messages": messages, "max_tokens": 2048}
		if q.reasoning {
			out["thinking"] = object{"type": "enabled", "budget_tokens": 1024}
		}
		if q.stream {
			out["stream"] = true
		}
	case "gemini":
		out = object{"contents": []any{object{"role": "user", "parts": []any{object{"text": said}}}}}
		if q.reasoning {
			out["generationConfig"] = object{"thinkingConfig": object{"includeThoughts": true}}
		}
		if tools != nil {
			tools = []any{object{"functionDeclarations": tools}}
		}
	}
	if tools != nil {
		out["tools"] = tools
	}
	text, _ := json.Marshal(out)
	return text
}

// paths are where a client of a format sends its questions.
func clientPath(dialect, model string, stream bool) string {
	switch dialect {
	case "chat":
		return "/v1/chat/completions"
	case "responses":
		return "/v1/responses"
	case "messages":
		return "/v1/messages"
	}
	if stream {
		return "/v1beta/models/" + model + ":streamGenerateContent?alt=sse"
	}
	return "/v1beta/models/" + model + ":generateContent"
}

func clientHeader(dialect string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	if dialect == "messages" {
		h.Set("Anthropic-Version", "2023-06-01")
	}
	return h
}

// answer is an answer as a client got it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) mediaType() string {
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return strings.TrimSpace(media)
}

// read is what a client of a format reads in it.
func (a answer) read(dialect string) norm {
	switch {
	case a.status != http.StatusOK:
		return readError(dialect, a.status, a.body)
	case a.mediaType() == "text/event-stream":
		return readers[dialect].stream(a.body)
	}
	return readers[dialect].whole(a.body)
}
