package responses

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// say is what an answer says to a user, by which answers are compared.
type say struct {
	text, reasoning, refusal string
	calls                    []string
	citations                []string
	logprobs                 int
	opaque                   []string // data of encrypted reasoning
	finish                   transform.Finish
	usage                    usage.Tokens
	failed                   *transform.Error
}

func (s *say) String() string { return fmt.Sprintf("%+v", *s) }

func (s *say) compare(t *testing.T, what string, got say) {
	t.Helper()
	if s.String() != got.String() {
		t.Errorf("%s differs:\nwant %s\ngot  %s", what, s, &got)
	}
}

// counted leaves out the cost, which no answer to a client has.
func counted(t usage.Tokens) usage.Tokens {
	t.Cost, t.CostKnown = 0, false
	return t
}

func unquote(t testing.TB, v []byte) string {
	t.Helper()
	var s string
	if v != nil {
		if err := json.Unmarshal(v, &s); err != nil {
			t.Fatalf("%v: %s", err, v)
		}
	}
	return s
}

func sayOf(t testing.TB, a *transform.Response) (s say) {
	t.Helper()
	c := a.Choices[0]
	s.finish, s.usage = c.Finish, counted(a.Usage)
	for _, p := range c.Parts {
		switch p.Kind {
		case transform.PartText:
			s.text += unquote(t, p.Text)
		case transform.PartRefusal:
			s.refusal += unquote(t, p.Text)
		case transform.PartReasoning:
			s.reasoning += unquote(t, p.Text)
		case transform.PartToolCall:
			s.calls = append(s.calls, fmt.Sprintf("%s %s %s %v", p.Call.ID, p.Call.Name, p.Call.Arguments, p.Call.Custom))
		case transform.PartCitation:
			s.citations = append(s.citations, string(p.Citation))
		}
		if p.Opaque.Kind != transform.OpaqueNone {
			s.opaque = append(s.opaque, opaqueWord(&p.Opaque))
		}
	}
	s.logprobs = countLogprobs(c.Logprobs)
	return s
}

func opaqueWord(o *transform.Opaque) string {
	return fmt.Sprintf("%s %d %s %s", o.Vendor, o.Kind, o.ID, o.Data)
}

func countLogprobs(v []byte) int {
	var l struct{ Content []json.RawMessage }
	json.Unmarshal(v, &l)
	return len(l.Content)
}

func sayOfDeltas(t testing.TB, deltas []transform.Delta) (s say) {
	t.Helper()
	calls := map[int]int{}
	arguments := []string{}
	for _, d := range deltas {
		switch d.Kind {
		case transform.DeltaText:
			s.text += unquote(t, d.Text)
		case transform.DeltaRefusal:
			s.refusal += unquote(t, d.Text)
		case transform.DeltaReasoning:
			s.reasoning += unquote(t, d.Text)
		case transform.DeltaOpaque:
			s.opaque = append(s.opaque, opaqueWord(&d.Opaque))
		case transform.DeltaToolStart:
			calls[d.Tool] = len(s.calls)
			s.calls = append(s.calls, fmt.Sprintf("%s %s %%s %v", d.Call.ID, d.Call.Name, d.Call.Custom))
			arguments = append(arguments, "")
		case transform.DeltaToolArguments:
			arguments[calls[d.Tool]] += unquote(t, d.Text)
		case transform.DeltaCitation:
			s.citations = append(s.citations, string(d.Citation))
		case transform.DeltaLogprobs:
			s.logprobs += countLogprobs(d.Logprobs)
		case transform.DeltaFinish:
			s.finish = d.Finish
		case transform.DeltaUsage:
			s.usage = counted(d.Usage)
		case transform.DeltaError:
			s.failed = d.Err
		}
	}
	for i := range s.calls {
		s.calls[i] = strings.Replace(s.calls[i], "%s", arguments[i], 1)
	}
	return s
}

// keep copies deltas out of the event that they point into.
func keep(dst, deltas []transform.Delta) []transform.Delta {
	for _, d := range deltas {
		d.Text, d.Citation, d.Logprobs = slices.Clone(d.Text), slices.Clone(d.Citation), slices.Clone(d.Logprobs)
		d.Opaque.Data = slices.Clone(d.Opaque.Data)
		dst = append(dst, d)
	}
	return dst
}

// expect is what a whole response says, read without this package. hosted are
// the names of custom calls that are the provider's own.
func expect(t testing.TB, body []byte) (s say) {
	t.Helper()
	var r struct {
		Status            string
		IncompleteDetails struct{ Reason string } `json:"incomplete_details"`
		Tools             []struct{ Type, Name string }
		Output            []struct {
			Type, ID, Name, Arguments, Input string
			CallID                           string `json:"call_id"`
			EncryptedContent                 string `json:"encrypted_content"`
			Summary                          []struct{ Text string }
			Content                          []struct {
				Type, Text, Refusal string
				Annotations         []struct {
					Type, URL, Title string
					Start            int `json:"start_index"`
					End              int `json:"end_index"`
				}
				Logprobs []json.RawMessage
			}
		}
		Usage *struct {
			Input        int64 `json:"input_tokens"`
			Output       int64 `json:"output_tokens"`
			InputDetails struct {
				Cached  int64 `json:"cached_tokens"`
				Written int64 `json:"cache_write_tokens"`
			} `json:"input_tokens_details"`
			OutputDetails struct {
				Reasoning int64 `json:"reasoning_tokens"`
			} `json:"output_tokens_details"`
		}
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, tool := range r.Tools {
		declared[tool.Name] = true
	}
	for _, item := range r.Output {
		switch item.Type {
		case "message":
			for _, c := range item.Content {
				s.text += c.Text
				s.refusal += c.Refusal
				s.logprobs += len(c.Logprobs)
				for _, a := range c.Annotations {
					title, _ := json.Marshal(a.Title)
					s.citations = append(s.citations, fmt.Sprintf(`{"type":"url_citation","url_citation":{"start_index":%d,"end_index":%d,"url":"%s","title":%s}}`, a.Start, a.End, a.URL, title))
				}
			}
		case "reasoning":
			var texts []string
			for _, c := range item.Summary {
				texts = append(texts, c.Text)
			}
			for _, c := range item.Content {
				texts = append(texts, c.Text)
			}
			s.reasoning += strings.Join(texts, "\n\n")
			if item.EncryptedContent != "" {
				s.opaque = append(s.opaque, fmt.Sprintf("openai %d %s %q", transform.OpaqueRedacted, item.ID, item.EncryptedContent))
			}
		case "function_call":
			s.calls = append(s.calls, fmt.Sprintf("%s %s %s false", item.CallID, item.Name, item.Arguments))
		case "custom_tool_call":
			if declared[item.Name] || len(r.Tools) == 0 {
				s.calls = append(s.calls, fmt.Sprintf("%s %s %s true", item.CallID, item.Name, item.Input))
			}
		}
	}
	switch {
	case r.Status == "incomplete" && r.IncompleteDetails.Reason == "max_output_tokens":
		s.finish = transform.FinishLength
	case r.Status == "incomplete" && r.IncompleteDetails.Reason == "content_filter":
		s.finish = transform.FinishContentFilter
	case r.Status == "queued":
	case len(s.calls) > 0:
		s.finish = transform.FinishToolCalls
	default:
		s.finish = transform.FinishStop
	}
	if u := r.Usage; u != nil {
		s.usage = usage.Tokens{Input: u.Input, Output: u.Output, CacheRead: u.InputDetails.Cached, CacheWrite: u.InputDetails.Written, Reasoning: u.OutputDetails.Reasoning, Known: true}
	}
	return s
}
