package testllm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

const (
	openAIPath    = "/v1/chat/completions"
	anthropicPath = "/v1/messages"
	geminiPath    = "/v1beta/models/m:generateContent"
	geminiSSE     = "/v1beta/models/m:streamGenerateContent?alt=sse"
	geminiArray   = "/v1beta/models/m:streamGenerateContent"
)

// target is a way to ask for a stream.
type target struct {
	name, path string
	body       []byte
}

var streams = []target{
	{"openai", openAIPath, testllm.ChatRequest("m", true, "hi")},
	{"anthropic", anthropicPath, testllm.ChatRequest("m", true, "hi")},
	{"gemini", geminiSSE, testllm.GeminiRequest("hi")},
	{"gemini array", geminiArray, testllm.GeminiRequest("hi")},
}

var wholes = []target{
	{"openai", openAIPath, testllm.ChatRequest("m", false, "hi")},
	{"anthropic", anthropicPath, testllm.ChatRequest("m", false, "hi")},
	{"gemini", geminiPath, testllm.GeminiRequest("hi")},
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func open(t *testing.T, srv *testllm.Server, path string, body []byte) *http.Response {
	t.Helper()
	response, err := newClient(t).Post(srv.URL+path, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// post returns the body, and how reading it ended.
func post(t *testing.T, srv *testllm.Server, path string, body []byte) (*http.Response, string, error) {
	t.Helper()
	response := open(t, srv, path, body)
	data, err := io.ReadAll(response.Body)
	return response, string(data), err
}

func mustPost(t *testing.T, srv *testllm.Server, path string, body []byte) string {
	t.Helper()
	_, data, err := post(t, srv, path, body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return data
}

// tree is decoded JSON with forgiving access by path.
type tree struct{ value any }

func parse(t *testing.T, data string) tree {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(data), &value); err != nil {
		t.Fatalf("not json: %v: %q", err, data)
	}
	return tree{value}
}

func (n tree) at(steps ...any) any {
	value := n.value
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			members, _ := value.(map[string]any)
			value = members[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

func (n tree) has(name string) bool {
	members, _ := n.value.(map[string]any)
	_, ok := members[name]
	return ok
}

// dataOf splits a stream into the JSON of its events, checking the framing.
func dataOf(t *testing.T, tg target, stream string) []string {
	t.Helper()
	if tg.path == geminiArray {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(stream), &list); err != nil {
			t.Fatalf("not a json array: %v: %q", err, stream)
		}
		var data []string
		for _, each := range list {
			data = append(data, string(each))
		}
		return data
	}
	end := "\n\n"
	if tg.path == geminiSSE {
		end = "\r\n\r\n"
	}
	stream, found := strings.CutSuffix(stream, end)
	if !found {
		t.Fatalf("stream does not end with a blank line: %q", stream)
	}
	var data []string
	for frame := range strings.SplitSeq(stream, end) {
		name, rest, named := strings.Cut(frame, "\n")
		if tg.path == anthropicPath {
			kind := parse(t, strings.TrimPrefix(rest, "data: ")).at("type")
			if !named || name != "event: "+kind.(string) {
				t.Fatalf("event line does not match: %q", frame)
			}
			frame = rest
		}
		payload, found := strings.CutPrefix(frame, "data: ")
		if !found || strings.ContainsAny(payload, "\r\n") {
			t.Fatalf("bad frame %q", frame)
		}
		data = append(data, payload)
	}
	return data
}

// textOf joins the answer's text, whatever the format.
func textOf(t *testing.T, data []string) string {
	t.Helper()
	var text strings.Builder
	for _, each := range data {
		if each == "[DONE]" {
			continue
		}
		node := parse(t, each)
		for _, value := range []any{
			node.at("choices", 0, "delta", "content"),
			node.at("delta", "text"),
			node.at("candidates", 0, "content", "parts", 0, "text"),
		} {
			if piece, ok := value.(string); ok {
				text.WriteString(piece)
			}
		}
	}
	return text.String()
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v (%T), want %v (%T)", what, got, got, want, want)
	}
}

func isCut(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }
