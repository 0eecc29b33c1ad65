package cohere

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// recording is one recorded exchange of a real provider.
type recording struct {
	name string
	meta struct {
		Status   int
		BodyKind string `json:"body_kind"`
		Response string `json:"response_file"`
	}
	request, body []byte
}

// recordings reads those of a wire, or skips the test.
func recordings(t *testing.T, wire string) []recording {
	t.Helper()
	folder := os.Getenv("LLMPROXY_FIXTURES")
	if folder == "" {
		t.Skip("set LLMPROXY_FIXTURES to the folder of recorded provider traffic")
	}
	cases, _ := filepath.Glob(filepath.Join(folder, wire, "*"))
	var list []recording
	for _, dir := range cases {
		r := recording{name: filepath.Base(dir)}
		text, err := os.ReadFile(filepath.Join(dir, "meta.json"))
		if err != nil || json.Unmarshal(text, &r.meta) != nil {
			t.Fatal(dir, err)
		}
		if r.body, err = os.ReadFile(filepath.Join(dir, r.meta.Response)); err != nil {
			t.Fatal(err)
		}
		r.request, _ = os.ReadFile(filepath.Join(dir, "request.json"))
		list = append(list, r)
	}
	if len(list) == 0 {
		t.Fatal("no recordings of", wire)
	}
	return list
}

// answer is what an answer says, read the plain way.
type answer struct {
	text, thoughts, finish string
	calls                  []string // names and arguments
	input, output, cached  int64
}

// wire is an answer or the delta of an event.
type wire struct {
	FinishReason string `json:"finish_reason"`
	Usage        struct {
		Tokens struct {
			Input  int64 `json:"input_tokens"`
			Output int64 `json:"output_tokens"`
		}
		Cached int64 `json:"cached_tokens"`
	}
}

type wireCall struct {
	Function struct{ Name, Arguments string }
}

func (a *answer) end(w *wire) {
	a.finish = map[string]string{"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}[w.FinishReason]
	a.input, a.output, a.cached = w.Usage.Tokens.Input, w.Usage.Tokens.Output, w.Usage.Cached
}

func wantOfAnswer(t *testing.T, body []byte) (a answer) {
	var raw struct {
		wire
		Message struct {
			Content  []struct{ Text, Thinking string }
			ToolPlan string     `json:"tool_plan"`
			Calls    []wireCall `json:"tool_calls"`
		}
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		t.Fatal(err)
	}
	for _, c := range raw.Message.Content {
		a.text, a.thoughts = a.text+c.Text, a.thoughts+c.Thinking
	}
	a.thoughts += raw.Message.ToolPlan
	for _, c := range raw.Message.Calls {
		a.calls = append(a.calls, c.Function.Name+c.Function.Arguments)
	}
	a.end(&raw.wire)
	return a
}

func wantOfStream(t *testing.T, events []sse.Event) (a answer) {
	for _, e := range events {
		if string(e.Data) == "[DONE]" {
			continue
		}
		var raw struct {
			Type  string
			Delta struct {
				wire
				Message struct {
					Content  json.RawMessage
					ToolPlan string          `json:"tool_plan"`
					Calls    json.RawMessage `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal(e.Data, &raw); err != nil {
			t.Fatal(err)
		}
		var content struct{ Text, Thinking string }
		var call wireCall
		switch raw.Type {
		case "content-start", "content-delta":
			json.Unmarshal(raw.Delta.Message.Content, &content)
		case "tool-call-start":
			json.Unmarshal(raw.Delta.Message.Calls, &call)
			a.calls = append(a.calls, call.Function.Name+call.Function.Arguments)
		case "tool-call-delta":
			json.Unmarshal(raw.Delta.Message.Calls, &call)
			a.calls[len(a.calls)-1] += call.Function.Arguments
		case "message-end":
			a.end(&raw.Delta.wire)
		}
		a.text, a.thoughts = a.text+content.Text, a.thoughts+content.Thinking+raw.Delta.Message.ToolPlan
	}
	return a
}

func plain(l transform.Literal) string { text, _ := l.Text(); return text }

func TestRecordedAnswers(t *testing.T) {
	for _, r := range recordings(t, "cohere-v2") {
		t.Run(r.name, func(t *testing.T) {
			switch {
			case r.meta.Status >= 400:
				e := Codec{}.DecodeError(r.meta.Status, r.body)
				if e.Status != r.meta.Status || strings.Contains(e.Message, "no reason") {
					t.Errorf("%+v", e)
				}
			case r.meta.BodyKind == "json":
				checkAnswer(t, r.body)
			default:
				checkStream(t, r.body)
			}
		})
	}
}

func checkAnswer(t *testing.T, body []byte) {
	a, err := Codec{}.DecodeResponse(body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{finish: a.Choices[0].Finish.String(), input: a.Usage.Input, output: a.Usage.Output, cached: a.Usage.CacheRead}
	for _, p := range a.Choices[0].Parts {
		switch p.Kind {
		case transform.PartText:
			got.text += plain(p.Text)
		case transform.PartReasoning:
			got.thoughts += plain(p.Text)
		case transform.PartToolCall:
			got.calls = append(got.calls, p.Call.Name+string(p.Call.Arguments))
		}
	}
	if want := wantOfAnswer(t, body); !same(got, want) || a.ID == "" {
		t.Errorf("id %q, got\n%+v\nwant\n%+v", a.ID, got, want)
	}
	if s, err := (Codec{}).InspectResponse(body); err != nil || s != a.Summary() {
		t.Errorf("%+v, %v", s, err)
	}
}

func checkStream(t *testing.T, stream []byte) {
	var list []sse.Event
	var buffer sse.Buffer
	from := bytes.NewReader(stream)
	for err := error(nil); err == nil; {
		_, err = buffer.Fill(from)
		for e, ok := buffer.Next(); ok; e, ok = buffer.Next() {
			list = append(list, sse.Event{Name: bytes.Clone(e.Name), Data: bytes.Clone(e.Data)})
		}
	}
	d, in := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
	var got answer
	open := false
	for i, e := range list {
		if d.Ended() && string(e.Data) != "[DONE]" {
			t.Errorf("ended before event %d of %d", i, len(list))
		}
		deltas, err := d.Decode(nil, e.Name, e.Data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Inspect(e.Name, e.Data); err != nil {
			t.Fatal(err)
		}
		for _, delta := range deltas {
			switch delta.Kind {
			case transform.DeltaStart:
				open = delta.ID != ""
			case transform.DeltaText:
				got.text += plain(delta.Text)
			case transform.DeltaReasoning:
				got.thoughts += plain(delta.Text)
			case transform.DeltaToolStart:
				got.calls = append(got.calls, delta.Call.Name)
			case transform.DeltaToolArguments:
				got.calls[delta.Tool] += plain(delta.Text)
			case transform.DeltaFinish:
				got.finish = delta.Finish.String()
			case transform.DeltaUsage:
				got.input, got.output, got.cached = delta.Usage.Input, delta.Usage.Output, delta.Usage.CacheRead
			}
		}
	}
	if want := wantOfStream(t, list); !same(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	s := in.Summary()
	if !d.Ended() || !open || s.Usage.Input != got.input || s.Finish.String() != got.finish {
		t.Errorf("ended %v, begun %v, inspected %+v", d.Ended(), open, s)
	}
}

func same(a, b answer) bool {
	calls := strings.Join(a.calls, "\n") == strings.Join(b.calls, "\n")
	a.calls, b.calls = nil, nil
	return calls && a.text == b.text && a.thoughts == b.thoughts && a.finish == b.finish && a.finish != "" &&
		a.input == b.input && a.output == b.output && a.cached == b.cached && a.input > 0
}

func TestRecordedEmbeddings(t *testing.T) {
	for _, r := range recordings(t, "cohere-embeddings") {
		t.Run(r.name, func(t *testing.T) {
			if r.meta.Status >= 400 {
				if e := (Codec{}).DecodeError(r.meta.Status, r.body); e.Status != r.meta.Status || strings.Contains(e.Message, "no reason") {
					t.Errorf("%+v", e)
				}
				return
			}
			a, err := Codec{}.DecodeEmbeddingResponse(r.body)
			if err != nil {
				t.Fatal(err)
			}
			if asked := jsonbytes.Parse(r.request).Get("texts").Len(); len(a.Vectors) != asked || !a.Usage.Known || a.Usage.Input == 0 {
				t.Errorf("%d vectors for %d texts, usage %+v", len(a.Vectors), asked, a.Usage)
			}
			for _, v := range a.Vectors {
				if v.Len() != a.Vectors[0].Len() || v.Len() == 0 {
					t.Errorf("a vector of %d numbers", v.Len())
				}
			}
		})
	}
}
