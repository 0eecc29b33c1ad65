package ollama

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/ndjson"
	"github.com/caddyllm/llmproxy/transform"
)

// answer is what an answer says, and what it took.
type answer struct {
	text, thoughts, finish string
	calls                  []string // names and arguments
	input, output          int64
}

func (a *answer) same(b *answer) bool {
	return strings.Join(a.calls, "\n") == strings.Join(b.calls, "\n") && a.text == b.text && a.thoughts == b.thoughts &&
		a.finish == b.finish && a.finish != "" && a.input == b.input && a.output == b.output && a.output > 0
}

// read adds an answer, or a line of one, read the plain way.
func (a *answer) read(t *testing.T, line []byte) {
	var raw struct {
		Message struct {
			Content, Thinking string
			Calls             []struct {
				Function struct {
					Name      string
					Arguments json.RawMessage
				}
			} `json:"tool_calls"`
		}
		Done   bool
		Reason string `json:"done_reason"`
		Input  int64  `json:"prompt_eval_count"`
		Output int64  `json:"eval_count"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		t.Fatal(err)
	}
	a.text, a.thoughts = a.text+raw.Message.Content, a.thoughts+raw.Message.Thinking
	for _, c := range raw.Message.Calls {
		a.calls = append(a.calls, c.Function.Name+string(jsonbytes.AppendCompact(nil, jsonbytes.Value(c.Function.Arguments))))
	}
	if raw.Done {
		a.finish, a.input, a.output = raw.Reason, raw.Input, raw.Output
		if raw.Reason == "stop" && len(a.calls) > 0 {
			a.finish = "tool_calls"
		}
	}
}

func plain(l transform.Literal) string { text, _ := l.Text(); return text }

func TestRecordings(t *testing.T) {
	folder := os.Getenv("LLMPROXY_FIXTURES")
	if folder == "" {
		t.Skip("set LLMPROXY_FIXTURES to the folder of recorded provider traffic")
	}
	cases, _ := filepath.Glob(filepath.Join(folder, "ollama", "*"))
	if len(cases) == 0 {
		t.Fatal("no recordings in", folder)
	}
	for _, dir := range cases {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var meta struct {
				Status   int
				BodyKind string `json:"body_kind"`
				Response string `json:"response_file"`
			}
			text, err := os.ReadFile(filepath.Join(dir, "meta.json"))
			if err != nil || json.Unmarshal(text, &meta) != nil {
				t.Fatal(err)
			}
			body, err := os.ReadFile(filepath.Join(dir, meta.Response))
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case meta.Status >= 400:
				if e := (Codec{}).DecodeError(meta.Status, body); e.Status != meta.Status || strings.Contains(e.Message, "no reason") {
					t.Errorf("%+v", e)
				}
			case meta.BodyKind == "json":
				checkAnswer(t, body)
			default:
				checkStream(t, body)
			}
		})
	}
}

func checkAnswer(t *testing.T, body []byte) {
	a, err := Codec{}.DecodeResponse(body)
	if err != nil {
		t.Fatal(err)
	}
	var want answer
	want.read(t, body)
	got := answer{finish: a.Choices[0].Finish.String(), input: a.Usage.Input, output: a.Usage.Output}
	for _, p := range a.Choices[0].Parts {
		switch p.Kind {
		case transform.PartText:
			got.text += plain(p.Text)
		case transform.PartReasoning:
			got.thoughts += plain(p.Text)
		case transform.PartToolCall:
			got.calls = append(got.calls, p.Call.Name+string(p.Call.Arguments))
			if p.Call.ID == "" {
				t.Error("a call without an id")
			}
		}
	}
	if !got.same(&want) || a.Model == "" {
		t.Errorf("model %q, got\n%+v\nwant\n%+v", a.Model, got, want)
	}
	if s, err := (Codec{}).InspectResponse(body); err != nil || s != a.Summary() {
		t.Errorf("%+v, %v", s, err)
	}
}

func checkStream(t *testing.T, stream []byte) {
	var buffer ndjson.Buffer
	d, in := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
	var got, want answer
	from := bytes.NewReader(stream)
	begun := false
	for err := error(nil); err == nil; {
		_, err = buffer.Fill(from)
		for e, ok := buffer.Next(); ok; e, ok = buffer.Next() {
			if d.Ended() {
				t.Error("ended before the last line")
			}
			want.read(t, e.Data)
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
					begun = delta.Model != ""
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
					got.input, got.output = delta.Usage.Input, delta.Usage.Output
				}
			}
		}
	}
	s := in.Summary()
	if !got.same(&want) || !begun || !d.Ended() || s.Usage.Input != got.input || s.Finish.String() != got.finish {
		t.Errorf("ended %v, begun %v, inspected %+v, got\n%+v\nwant\n%+v", d.Ended(), begun, s, got, want)
	}
}
