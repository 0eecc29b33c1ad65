package anthropic

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// message is a whole answer with the given content and further members.
func messageOf(content, more string) []byte {
	return []byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":` + content + more + `}`)
}

// describeParts writes parts in a form that is easy to compare.
func describeParts(parts []transform.Part) (list []string) {
	for _, p := range parts {
		s := [...]string{"text", "reasoning", "refusal", "call", "image", "file", "audio", "citation"}[p.Kind]
		if p.Text != nil {
			s += " " + string(p.Text)
		}
		if p.Kind == transform.PartToolCall {
			s += " " + p.Call.ID + " " + p.Call.Name + " " + string(p.Call.Arguments)
		}
		if p.Opaque.Data != nil {
			s += " " + [...]string{"", "signature", "redacted"}[p.Opaque.Kind] + " " + string(p.Opaque.Data)
		}
		list = append(list, s+string(p.Citation))
	}
	return list
}

func wantList(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("%s, from %d:\n got %q\nwant %q", what, i, got[min(i, len(got)):], want[min(i, len(want)):])
			return
		}
	}
}

func TestDecodeResponse(t *testing.T) {
	const call = `{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1.0},"caller":{"type":"direct"}}`
	const answer = `{"type":"tool_use","id":"toolu_2","name":"llm_proxy_answer","input":{"a": "\u00e4\n"}}`
	for _, test := range []struct {
		name          string
		content, more string
		parts         []string
		finish        transform.Finish
	}{
		{"text", `[{"type":"text","text":"hi \"you\""}]`, `,"stop_reason":"end_turn"`, []string{`text "hi \"you\""`}, transform.FinishStop},
		{"nothing", `[]`, `,"stop_reason":"end_turn"`, nil, transform.FinishStop},
		{"not told why", `[]`, `,"stop_reason":null`, nil, transform.FinishUnknown},
		{"tool call", `[{"type":"text","text":""},` + call + `]`, `,"stop_reason":"tool_use"`, []string{`call toolu_1 f {"a":1.0}`}, transform.FinishToolCalls},
		{"tool call of another server", `[` + call + `]`, `,"stop_reason":"end_turn"`, []string{`call toolu_1 f {"a":1.0}`}, transform.FinishToolCalls},
		{"cut tool call", `[` + call + `]`, `,"stop_reason":"max_tokens"`, []string{`call toolu_1 f {"a":1.0}`}, transform.FinishLength},
		{"window is full", `[]`, `,"stop_reason":"model_context_window_exceeded"`, nil, transform.FinishLength},
		{"paused", `[]`, `,"stop_reason":"pause_turn"`, nil, transform.FinishStop},
		{"compacted", `[{"type":"compaction","content":"x"}]`, `,"stop_reason":"compaction"`, nil, transform.FinishStop},
		{"refusal", `[{"type":"text","text":"I"}]`, `,"stop_reason":"refusal","stop_details":{"type":"refusal","category":"bio","explanation":"no"}`,
			[]string{`text "I"`, `refusal "no"`}, transform.FinishContentFilter},
		{"refusal without a word", `[]`, `,"stop_reason":"refusal","stop_details":{"type":"refusal","category":null,"explanation":null}`, nil, transform.FinishContentFilter},
		{"thinking", `[{"type":"thinking","thinking":"T","signature":"S"},{"type":"redacted_thinking","data":"R"},{"type":"thinking","thinking":"","signature":"S2"},{"type":"thinking","thinking":"","signature":""}]`,
			`,"stop_reason":"end_turn"`, []string{`reasoning "T" signature "S"`, `reasoning redacted "R"`, `reasoning signature "S2"`}, transform.FinishStop},
		{"answer", `[{"type":"text","text":"Here:"},` + answer + `]`, `,"stop_reason":"tool_use"`, []string{`text "{\"a\": \"\\u00e4\\n\"}"`}, transform.FinishStop},
		{"answer beside a call", `[` + call + `,` + answer + `]`, `,"stop_reason":"tool_use"`,
			[]string{`call toolu_1 f {"a":1.0}`, `text "{\"a\": \"\\u00e4\\n\"}"`}, transform.FinishToolCalls},
		{"server tools", `[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}},{"type":"web_search_tool_result","content":[{"type":"text","text":"x"}]},` +
			`{"type":"mcp_tool_use"},{"type":"container_upload"},{"type":"fallback"},{"type":"tomorrow","text":"x"},7,null,"x",{"type":"text","text":"hi"}]`,
			`,"stop_reason":"end_turn"`, []string{`text "hi"`}, transform.FinishStop},
		{"citations", `[{"type":"text","text":"é\n\u00e9"},{"type":"text","text":"cited","citations":[` +
			`{"type":"web_search_result_location","url":"https://a","title":"A","cited_text":"c","encrypted_index":"e"},` +
			`{"type":"char_location","document_index":0},{"type":"web_search_result_location","url":"https://b","title":null}]}]`, `,"stop_reason":"end_turn"`,
			[]string{`text "é\n\u00e9"`, `text "cited"`,
				`citation{"type":"url_citation","url_citation":{"url":"https://a","title":"A","start_index":3,"end_index":8}}`,
				`citation{"type":"url_citation","url_citation":{"url":"https://b","title":"","start_index":3,"end_index":8}}`}, transform.FinishStop},
		{"odd types", `[{"type":"text","text":7},{"type":"text","text":null,"citations":{}},{"type":"thinking","thinking":[]},{"type":"tool_use"},{"type":7}]`, `,"stop_reason":[],"stop_sequence":{},"usage":[],"id":5`,
			[]string{`call   `}, transform.FinishToolCalls},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := Codec{}.DecodeResponse(messageOf(test.content, test.more))
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Choices) != 1 || a.Model != "claude-x" {
				t.Fatalf("got %+v", a)
			}
			wantList(t, "parts", describeParts(a.Choices[0].Parts), test.parts)
			if a.Choices[0].Finish != test.finish {
				t.Errorf("finish %v, want %v", a.Choices[0].Finish, test.finish)
			}
		})
	}
}

func TestDecodeResponseReadsWhatIsAroundTheContent(t *testing.T) {
	a, err := Codec{}.DecodeResponse(messageOf(`[]`, `,"stop_reason":"stop_sequence","stop_sequence":"EN\u0044","unheard":{"of":[1]},`+
		`"usage":{"input_tokens":5,"cache_read_input_tokens":20,"cache_creation_input_tokens":300,"output_tokens":7,"output_tokens_details":{"thinking_tokens":4},"service_tier":"standard"}`))
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != "msg_1" || a.ServiceTier != "default" || a.Choices[0].StopSequence != "END" || a.Choices[0].Finish != transform.FinishStop {
		t.Errorf("got %+v", a)
	}
	want := usage.Tokens{Input: 325, CacheRead: 20, CacheWrite: 300, Output: 7, Reasoning: 4, Known: true}
	if a.Usage != want {
		t.Errorf("usage %+v", a.Usage)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		name, usage string
		want        usage.Tokens
	}{
		{"none", `{}`, usage.Tokens{Known: true}},
		{"nulls", `{"input_tokens":3,"cache_read_input_tokens":null,"cache_creation":null,"output_tokens":1,"output_tokens_details":null}`,
			usage.Tokens{Input: 3, Output: 1, Known: true}},
		{"writes by age only", `{"input_tokens":3,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":5}}`,
			usage.Tokens{Input: 12, CacheWrite: 9, CacheWrite1h: 5, Known: true}},
		{"some of what is written stays for an hour", `{"input_tokens":3,"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":2}}`,
			usage.Tokens{Input: 12, CacheWrite: 9, CacheWrite1h: 2, Known: true}},
		{"compaction is paid besides", `{"input_tokens":3,"output_tokens":1,"iterations":[{"type":"compaction","input_tokens":100,"cache_read_input_tokens":10,"output_tokens":20},{"type":"message","input_tokens":3,"output_tokens":1}]}`,
			usage.Tokens{Input: 113, Output: 21, Known: true}},
		{"nonsense", `{"input_tokens":-3,"cache_read_input_tokens":9e99,"output_tokens":"7"}`, usage.Tokens{Known: true}},
		{"overflow", `{"input_tokens":9223372036854775807,"cache_creation_input_tokens":9223372036854775807,"output_tokens":5}`,
			usage.Tokens{Input: 1 << 40, CacheWrite: 1 << 40, Output: 5, Known: true}},
	} {
		a, err := Codec{}.DecodeResponse(messageOf(`[]`, `,"usage":`+test.usage))
		if err != nil {
			t.Fatal(err)
		}
		if a.Usage != test.want {
			t.Errorf("%s: got %+v", test.name, a.Usage)
		}
		summary, err := Codec{}.InspectResponse(messageOf(`[]`, `,"usage":`+test.usage))
		if err != nil || summary.Usage != test.want {
			t.Errorf("%s: inspected %+v, %v", test.name, summary, err)
		}
	}
}

func TestWhatStaysForAnHourIsWritten(t *testing.T) {
	for want, tokens := range map[string]usage.Tokens{
		`"cache_creation":null,`: {Input: 10, CacheWrite: 5},
		`"cache_creation_input_tokens":5,"cache_read_input_tokens":0,"output_tokens":0,"output_tokens_details":null,` +
			`"cache_creation":{"ephemeral_1h_input_tokens":2,"ephemeral_5m_input_tokens":3},`: {Input: 10, CacheWrite: 5, CacheWrite1h: 2},
	} {
		if got := string(appendUsage(nil, tokens, "")); !strings.Contains(got, want) {
			t.Errorf("%+v is written %s", tokens, got)
		}
	}
}

func TestWhatIsNoMessageIsAnError(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `"x"`, `{}`, `{"content":"x"}`, `{"content":[]`, `{"content":[]}}`, `<html>`} {
		if a, err := (Codec{}).DecodeResponse([]byte(body)); err == nil {
			t.Errorf("%s: got %+v", body, a)
		}
		if _, err := (Codec{}).InspectResponse([]byte(body)); err == nil {
			t.Errorf("%s: inspected", body)
		}
	}
}

func TestErrorInsideOfA200(t *testing.T) {
	for _, body := range []string{
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`,
		`{"error":{"type":"overloaded_error","message":"Overloaded"}}`,
	} {
		_, err := Codec{}.DecodeResponse([]byte(body))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != transform.ErrOverloaded || e.Message != "Overloaded" {
			t.Errorf("got %v", err)
		}
	}
}

func TestInspectResponse(t *testing.T) {
	for reason, want := range map[string]transform.Finish{
		"end_turn": transform.FinishStop, "tool_use": transform.FinishToolCalls, "max_tokens": transform.FinishLength, "refusal": transform.FinishContentFilter,
	} {
		summary, err := Codec{}.InspectResponse(messageOf(`[]`, `,"stop_reason":"`+reason+`"`))
		if err != nil || summary.Finish != want || summary.Usage.Known {
			t.Errorf("%s: got %+v, %v", reason, summary, err)
		}
	}
}
