package openai

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// say is what the first choice of an answer says, in plain words.
type say struct {
	text, refusal, reasoning string
	calls                    []sayCall
	finish                   string
	input, output, cached    int64
	failed                   bool
}

type sayCall struct{ name, arguments string }

func (want say) compare(t *testing.T, what string, got say) {
	t.Helper()
	if got.text != want.text || got.refusal != want.refusal || got.reasoning != want.reasoning {
		t.Errorf("%s: said\n%q %q %q, want\n%q %q %q", what, got.text, got.refusal, got.reasoning, want.text, want.refusal, want.reasoning)
	}
	if len(got.calls) != len(want.calls) {
		t.Fatalf("%s: calls %q, want %q", what, got.calls, want.calls)
	}
	for i, call := range want.calls {
		if got.calls[i] != call {
			t.Errorf("%s: call %q, want %q", what, got.calls[i], call)
		}
	}
	if want.finish != "" && got.finish != want.finish {
		t.Errorf("%s: finish %q, want %q", what, got.finish, want.finish)
	}
	if got.input != want.input || got.output != want.output || got.cached != want.cached {
		t.Errorf("%s: usage %d %d %d, want %d %d %d", what, got.input, got.output, got.cached, want.input, want.output, want.cached)
	}
}

func plain(l transform.Literal) string {
	text, _ := l.Text()
	return text
}

func sayOf(a *transform.Response) say {
	s := say{finish: a.Choices[0].Finish.String(), input: a.Usage.Input, output: a.Usage.Output, cached: a.Usage.CacheRead}
	for _, p := range a.Choices[0].Parts {
		switch p.Kind {
		case transform.PartText:
			s.text += plain(p.Text)
		case transform.PartRefusal:
			s.refusal += plain(p.Text)
		case transform.PartReasoning:
			s.reasoning += plain(p.Text)
		case transform.PartToolCall:
			s.calls = append(s.calls, sayCall{p.Call.Name, orEmptyObject(string(p.Call.Arguments))})
		}
	}
	return s
}

func orEmptyObject(arguments string) string {
	if arguments == "" {
		return "{}"
	}
	return arguments
}

func sayOfDeltas(deltas []transform.Delta) (s say) {
	for _, d := range deltas {
		if d.Choice != 0 {
			continue
		}
		switch d.Kind {
		case transform.DeltaText:
			s.text += plain(d.Text)
		case transform.DeltaRefusal:
			s.refusal += plain(d.Text)
		case transform.DeltaReasoning:
			s.reasoning += plain(d.Text)
		case transform.DeltaToolStart:
			s.calls = append(s.calls, sayCall{name: d.Call.Name})
		case transform.DeltaToolArguments:
			s.calls[d.Tool].arguments += plain(d.Text)
		case transform.DeltaFinish:
			s.finish = d.Finish.String()
		case transform.DeltaUsage:
			s.input, s.output, s.cached = d.Usage.Input, d.Usage.Output, d.Usage.CacheRead
		case transform.DeltaError:
			s.failed = true
		}
	}
	for i := range s.calls {
		s.calls[i].arguments = orEmptyObject(s.calls[i].arguments)
	}
	return s
}

func decodeStream(t testing.TB, list []sse.Event) ([]transform.Delta, bool) {
	t.Helper()
	decoder := Codec{}.NewStreamDecoder()
	var deltas []transform.Delta
	for _, e := range list {
		var err error
		if deltas, err = decoder.Decode(deltas, e.Name, e.Data); err != nil {
			t.Fatalf("%v: %s", err, e.Data)
		}
	}
	return deltas, decoder.Ended()
}

func encodeStream(deltas []transform.Delta, r *transform.Request) []byte {
	encoder := Codec{}.NewStreamEncoder(r)
	var out []byte
	for i := range deltas {
		out = encoder.Append(out, &deltas[i])
	}
	return encoder.AppendEnd(out)
}

// chunkJSON is a chunk or an answer as an outsider reads it.
type chunkJSON struct {
	Choices []struct {
		Index          int
		Delta, Message *messageJSON
		FinishReason   *string `json:"finish_reason"`
	}
	Usage *struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
		Total      int64 `json:"total_tokens"`
		Hit        int64 `json:"prompt_cache_hit_tokens"`
		Details    struct {
			Cached int64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Completions struct {
			Reasoning int64 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
	Error json.RawMessage
}

type messageJSON struct {
	Content          json.RawMessage
	Refusal          string
	ReasoningContent string `json:"reasoning_content"`
	Reasoning        string
	ToolCalls        []struct {
		Index    *int
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

func (s *say) hear(m *messageJSON) {
	if m == nil {
		return
	}
	var text string
	json.Unmarshal(m.Content, &text)
	s.text += text
	s.refusal += m.Refusal
	if m.ReasoningContent != "" {
		s.reasoning += m.ReasoningContent
	} else {
		s.reasoning += m.Reasoning
	}
	for _, c := range m.ToolCalls {
		at := len(s.calls)
		if c.Index != nil {
			at = *c.Index
		}
		if at == len(s.calls) {
			s.calls = append(s.calls, sayCall{name: c.Function.Name})
		}
		s.calls[at].arguments += c.Function.Arguments
	}
}

func (s *say) count(c *chunkJSON) {
	u := c.Usage
	if u == nil {
		return
	}
	s.input, s.output, s.cached = u.Prompt, u.Completion, max(u.Details.Cached, u.Hit)
	// Reasoning beside the completion: the total shows it, or it is the larger.
	if r := u.Completions.Reasoning; r > 0 && (u.Total-u.Prompt == u.Completion+r || r > u.Completion) {
		s.output += r
	}
}

func (s *say) end(word *string) {
	if word == nil || *word == "" {
		return
	}
	s.finish = *word
	if s.finish == "tool_call" || s.finish == "stop" && len(s.calls) > 0 {
		s.finish = "tool_calls"
	}
}

func expectAnswer(t *testing.T, body []byte) (s say) {
	var a chunkJSON
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Error) > 0 {
		return say{failed: true}
	}
	s.hear(a.Choices[0].Message)
	s.end(a.Choices[0].FinishReason)
	s.count(&a)
	return s
}

func expectStream(t *testing.T, list []sse.Event) (s say) {
	for _, e := range list {
		if len(e.Data) == 0 || bytes.Equal(e.Data, doneSentinel) {
			continue
		}
		var c chunkJSON
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.Fatal(err)
		}
		s.failed = s.failed || len(c.Error) > 0
		for _, choice := range c.Choices {
			if choice.Index == 0 {
				s.hear(choice.Delta)
				s.end(choice.FinishReason)
			}
		}
		s.count(&c)
	}
	return s
}

// compareTurns holds two readings of a conversation against each other, texts
// that were joined included.
func compareTurns(t *testing.T, want, got []transform.Turn) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d turns became %d", len(want), len(got))
	}
	for i := range want {
		w, g := flat(want[i]), flat(got[i])
		if w != g {
			t.Errorf("turn %d:\n%s\nbecame\n%s", i, w, g)
		}
	}
}

func flat(turn transform.Turn) string {
	var out strings.Builder
	join := jsonbytes.AppendString(nil, turn.Name)
	out.Write(join)
	out.WriteString(turn.CallID + " " + turn.ToolName + " ")
	role := turn.Role
	if role == transform.RoleDeveloper {
		role = transform.RoleSystem
	}
	out.WriteByte('0' + byte(role))
	for _, p := range turn.Parts {
		if p.Kind == transform.PartText && len(p.Text) <= 2 || p.Kind == transform.PartCitation {
			continue
		}
		out.WriteString("\n")
		out.WriteByte('a' + byte(p.Kind))
		out.WriteString(plain(p.Text) + p.Call.ID + p.Call.Name + orEmptyObject(string(p.Call.Arguments)))
		out.WriteString(p.Media.Type + string(p.Media.Data) + p.Media.URL + p.Media.FileID + p.Media.Name + p.Media.Detail)
		out.WriteString(plain(p.Opaque.Data) + string(p.Opaque.Vendor))
	}
	return out.String()
}
