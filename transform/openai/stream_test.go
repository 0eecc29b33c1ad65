package openai

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// chunks are the events of a stream, each a delta of choice 0.
func chunks(deltas ...string) []sse.Event {
	var list []sse.Event
	for _, d := range deltas {
		if !strings.HasPrefix(d, `{"choices"`) {
			d = `{"id":"x","model":"m","created":1,"choices":[{"index":0,"delta":` + d + `}]}`
		}
		list = append(list, sse.Event{Data: []byte(d)})
	}
	return list
}

const finished = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`

// trace writes deltas briefly: what, in which part, for which call.
func trace(deltas []transform.Delta) string {
	var out []string
	for _, d := range deltas {
		s := ""
		switch d.Kind {
		case transform.DeltaStart:
			s = "start"
		case transform.DeltaText:
			s = fmt.Sprintf("text%d %s", d.Part, plain(d.Text))
		case transform.DeltaReasoning:
			s = fmt.Sprintf("think%d %s", d.Part, plain(d.Text))
		case transform.DeltaRefusal:
			s = fmt.Sprintf("refuse%d %s", d.Part, plain(d.Text))
		case transform.DeltaOpaque:
			s = fmt.Sprintf("opaque%d %s %s/%d", d.Part, plain(d.Opaque.Data), d.Opaque.Vendor, d.Opaque.Kind)
		case transform.DeltaToolStart:
			s = fmt.Sprintf("call%d #%d %s", d.Part, d.Tool, d.Call.Name)
		case transform.DeltaToolArguments:
			s = fmt.Sprintf("args%d #%d %s", d.Part, d.Tool, plain(d.Text))
		case transform.DeltaCitation:
			s = "cite"
		case transform.DeltaLogprobs:
			s = "logprobs"
		case transform.DeltaFinish:
			s = "finish " + d.Finish.String()
		case transform.DeltaUsage:
			s = fmt.Sprintf("usage %d %d", d.Usage.Input, d.Usage.Output)
		case transform.DeltaError:
			s = "error " + d.Err.Message
		}
		if d.Choice > 0 {
			s = fmt.Sprintf("choice%d %s", d.Choice, s)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestStreamReadsEveryProvidersChunks(t *testing.T) {
	tests := map[string]struct {
		events []sse.Event
		want   string
	}{
		"text": {
			chunks(`{"role":"assistant","content":""}`, `{"content":"a"}`, `{"content":"b"}`, finished, `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`),
			"start, text0 a, text0 b, finish stop, usage 1 2",
		},
		"azure begins with the prompt": {
			chunks(`{"choices":[],"id":"","model":"","prompt_filter_results":[]}`, `{"content":"a"}`, finished),
			"start, text0 a, finish stop",
		},
		"usage with the finish, finish twice": {
			chunks(`{"content":"a"}`, `{"choices":[{"delta":{"content":""},"finish_reason":"stop","index":0}]}`, `{"choices":[{"delta":{"content":""},"finish_reason":"stop","index":0}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`),
			"start, text0 a, finish stop, usage 1 2",
		},
		"moonshot's usage": {
			chunks(`{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":2}}]}`),
			"start, text0 a, finish stop, usage 1 2",
		},
		"reasoning in three spellings": {
			chunks(`{"reasoning_content":"a"}`, `{"reasoning":"b"}`, `{"reasoning":"c","reasoning_content":"c","reasoning_details":[{"type":"reasoning.text","text":"c","index":0}]}`, `{"content":"d"}`, `{"reasoning":"e"}`),
			"start, think0 a, think0 b, think0 c, text1 d, think2 e",
		},
		"signatures": {
			chunks(`{"reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}`, `{"reasoning_details":[{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0}]}`,
				`{"reasoning_details":[{"type":"reasoning.encrypted","data":"r","format":"anthropic-claude-v1","index":1}]}`, `{"reasoning_details":[{"type":"reasoning.text","text":"b","index":2}]}`),
			"start, think0 a, opaque0 s anthropic/1, opaque1 r anthropic/2, think2 b",
		},
		"mistral's parts": {
			chunks(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]}`, `{"content":[{"type":"text","text":"b"}]}`),
			"start, think0 a, text1 b",
		},
		"calls": {
			chunks(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}`,
				`{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"1"}}]}`, `{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}`, finished),
			"start, call0 #0 f, args0 #0 {, call1 #1 g, args1 #1 1, args0 #0 }, finish tool_calls",
		},
		"calls without numbers or ids": {
			chunks(`{"tool_calls":[{"id":"","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"function":{"name":"f","arguments":"2"}}]}`, `{"tool_calls":[{"function":{"arguments":"3"}}]}`),
			"start, call0 #0 f, args0 #0 1, call1 #1 f, args1 #1 2, args1 #1 3",
		},
		"names and ids repeated": {
			chunks(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"2"}}]}`, `{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"3"}}]}`),
			"start, call0 #0 f, args0 #0 1, args0 #0 2, args0 #0 3",
		},
		"all calls numbered 0": {
			chunks(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"2"}}]}`),
			"start, call0 #0 f, args0 #0 1, call1 #1 f, args1 #1 2",
		},
		"name after arguments": {
			chunks(`{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"1"}}]}`, `{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"2"}}]}`),
			"start, call0 #0 f, args0 #0 1, args0 #0 2",
		},
		"arguments as object": {
			chunks(`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"a":"b"}}}]}`),
			`start, call0 #0 f, args0 #0 {"a":"b"}`,
		},
		"old function call": {
			chunks(`{"function_call":{"name":"f","arguments":""}}`, `{"function_call":{"arguments":"1"}}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}`),
			"start, call0 #0 f, args0 #0 1, finish tool_calls",
		},
		"google's signatures": {
			chunks(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"},"extra_content":{"google":{"thought_signature":"s"}}}]}`),
			"start, call0 #0 f, opaque0 s google/1, args0 #0 1",
		},
		"openrouter's signatures of calls": {
			chunks(`{"reasoning_details":[{"type":"reasoning.encrypted","format":"google-gemini-v1","id":"a","data":"s"}]}`, `{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}`),
			"start, call0 #0 f, opaque0 s google/1, args0 #0 1",
		},
		"refusal, citations, logprobs": {
			chunks(`{"refusal":"no"}`, `{"annotations":[{"type":"url_citation"}]}`, `{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[]},"finish_reason":null}]}`),
			"start, refuse0 no, cite, text1 a, logprobs",
		},
		"several choices": {
			chunks(`{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}`, `{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}`),
			"start, choice1 text0 b, text0 a, choice1 finish length",
		},
		"perplexity's sources": {
			chunks(`{"choices":[{"index":0,"delta":{"content":"a"}}],"citations":["https://a.test"]}`, `{"choices":[{"index":0,"delta":{"content":"b"}}],"citations":["https://a.test"]}`),
			"start, text0 a, cite, text0 b",
		},
		"error": {
			chunks(`{"content":"a"}`, `{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"m","code":502}}`),
			"start, text0 a, error m",
		},
		"unknown event": {chunks(`{"choices":null,"ping":1}`), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			deltas, _ := decodeStream(t, test.events)
			if got := trace(deltas); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

func TestStreamEnds(t *testing.T) {
	done := sse.Event{Data: []byte("[DONE]")}
	failure := sse.Event{Name: []byte("error"), Data: []byte(`{"message":"m"}`)}
	one := `{"choices":[{"index":1,"delta":{"content":"b"}}]}`
	tests := map[string]struct {
		events []sse.Event
		want   bool
	}{
		"nothing":         {nil, false},
		"text":            {chunks(`{"content":"a"}`), false},
		"finish":          {chunks(`{"content":"a"}`, finished), true},
		"one of two":      {chunks(`{"content":"a"}`, one, finished), false},
		"done":            {append(chunks(`{"content":"a"}`), done), true},
		"error":           {append(chunks(`{"content":"a"}`), failure), false},
		"error and done":  {append(chunks(`{"content":"a"}`), failure, done), false},
		"usage only":      {chunks(`{"choices":[],"usage":{"prompt_tokens":1}}`), false},
		"another follows": {chunks(`{"content":"a"}`, finished, one), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inspector := Codec{}.NewStreamInspector()
			for _, e := range test.events {
				if _, err := inspector.Inspect(e.Name, e.Data); err != nil {
					t.Fatal(err)
				}
			}
			_, ended := decodeStream(t, test.events)
			if ended != test.want || inspector.Ended() != test.want {
				t.Errorf("decoder %v, inspector %v", ended, inspector.Ended())
			}
		})
	}
}

func TestStreamRefusesWhatIsNoChunk(t *testing.T) {
	for _, data := range []string{`x`, `[]`, `{"choices":[`, "{\"a\":\"\xff\"}", `"x"`} {
		if _, err := (Codec{}).NewStreamDecoder().Decode(nil, nil, []byte(data)); err == nil {
			t.Errorf("decoded %q", data)
		}
		if _, err := (Codec{}).NewStreamInspector().Inspect(nil, []byte(data)); err == nil {
			t.Errorf("inspected %q", data)
		}
	}
	nameless := chunks(`{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"1"}}]}`, finished)
	decoder := Codec{}.NewStreamDecoder()
	decoder.Decode(nil, nil, nameless[0].Data)
	if _, err := decoder.Decode(nil, nil, nameless[1].Data); err == nil {
		t.Error("a call without a name passes")
	}
}

func TestStreamIsBounded(t *testing.T) {
	decoder := Codec{}.NewStreamDecoder()
	var err error
	for i := 0; i <= maxChoices && err == nil; i++ {
		_, err = decoder.Decode(nil, nil, fmt.Appendf(nil, `{"choices":[{"index":%d,"delta":{"content":"a"}}]}`, i))
	}
	if err == nil {
		t.Error("any number of choices")
	}
	decoder, err = Codec{}.NewStreamDecoder(), nil
	for i := 0; i <= maxCalls && err == nil; i++ {
		_, err = decoder.Decode(nil, nil, fmt.Appendf(nil, `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":%d,"id":"%d","function":{"name":"f"}}]}}]}`, i, i))
	}
	if err == nil {
		t.Error("any number of calls")
	}
}

// wholeStream is one of everything, as another format's decoder gives it.
func wholeStream() []transform.Delta {
	call := func(id, name string) transform.ToolCall { return transform.ToolCall{ID: id, Name: name} }
	return []transform.Delta{
		{Kind: transform.DeltaStart, ID: "msg_1", Model: "claude", Created: 7},
		{Kind: transform.DeltaReasoning, Part: 0, Text: quote("t")},
		{Kind: transform.DeltaReasoning, Part: 0, Text: quote("u")},
		{Kind: transform.DeltaOpaque, Part: 0, Opaque: signature(transform.VendorAnthropic, "s")},
		{Kind: transform.DeltaOpaque, Part: 1, Opaque: transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueRedacted, Data: quote("r")}},
		{Kind: transform.DeltaReasoning, Part: 2, Text: quote("v")},
		{Kind: transform.DeltaText, Part: 3, Text: quote("a\n\"b\"")},
		{Kind: transform.DeltaCitation, Part: 3, Citation: jsonbytes.Value(`{"type":"url_citation"}`)},
		{Kind: transform.DeltaRefusal, Part: 4, Text: quote("no")},
		{Kind: transform.DeltaToolStart, Part: 5, Tool: 0, Call: call("c1", "f")},
		{Kind: transform.DeltaOpaque, Part: 5, Tool: 0, Opaque: signature(transform.VendorGoogle, "g")},
		{Kind: transform.DeltaToolArguments, Part: 5, Tool: 0, Text: quote(`{"a":`)},
		{Kind: transform.DeltaToolStart, Part: 6, Tool: 1, Call: transform.ToolCall{ID: "c2", Name: "g", Custom: true}},
		{Kind: transform.DeltaToolArguments, Part: 6, Tool: 1, Text: quote("free")},
		{Kind: transform.DeltaToolArguments, Part: 5, Tool: 0, Text: quote(`1}`)},
		{Kind: transform.DeltaLogprobs, Logprobs: jsonbytes.Value(`{"content":[]}`)},
		{Kind: transform.DeltaFinish, Finish: transform.FinishToolCalls},
		{Kind: transform.DeltaUsage, Usage: usage.Tokens{Input: 1, Output: 2, Known: true}},
	}
}

func TestStreamsSurviveBothWays(t *testing.T) {
	want := wholeStream()
	written := encodeStream(want, &transform.Request{StreamUsage: true})
	checkStream(t, written, true)
	got, ended := decodeStream(t, events(t, written))
	if !ended || trace(got) != trace(want) {
		t.Errorf("%s\nbecame %s", trace(want), trace(got))
	}
	if got[0].ID != "msg_1" || got[0].Model != "claude" || got[0].Created != 7 {
		t.Errorf("%+v", got[0])
	}
	for _, d := range got {
		if d.Kind == transform.DeltaToolStart && (d.Call.Custom != (d.Tool == 1) || d.Call.ID != fmt.Sprint("c", d.Tool+1)) {
			t.Errorf("%+v", d.Call)
		}
	}
}

func TestStreamWritesChunks(t *testing.T) {
	head := `data: {"id":"x","object":"chat.completion.chunk","created":7,"model":"m","choices":[`
	role := head + `{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]`
	start := transform.Delta{Kind: transform.DeltaStart, ID: "x", Model: "m", Created: 7}
	tests := map[string]struct {
		r      *transform.Request
		deltas []transform.Delta
		want   string
	}{
		"text": {
			&transform.Request{},
			[]transform.Delta{start, {Kind: transform.DeltaText, Text: quote("a")}, {Kind: transform.DeltaText, Text: quote("")}, {Kind: transform.DeltaPing}, {Kind: transform.DeltaFinish, Finish: transform.FinishLength}},
			role + "}\n\n" + head + `{"index":0,"delta":{"content":"a"},"finish_reason":null}]}` + "\n\n: ping\n\n" +
				head + `{"index":0,"delta":{},"finish_reason":"length"}]}` + "\n\ndata: [DONE]\n\n",
		},
		"usage on request": {
			&transform.Request{StreamUsage: true},
			[]transform.Delta{start, {Kind: transform.DeltaUsage, Usage: usage.Tokens{Input: 3, Output: 4}}},
			role + `,"usage":null}` + "\n\n" + head + `{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n" +
				head + `],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}` + "\n\ndata: [DONE]\n\n",
		},
		"call without arguments": {
			&transform.Request{},
			[]transform.Delta{start, {Kind: transform.DeltaToolStart, Part: 0, Call: transform.ToolCall{ID: "c", Name: "f"}}, {Kind: transform.DeltaToolArguments, Text: quote("")}, {Kind: transform.DeltaFinish, Finish: transform.FinishStop}},
			role + "}\n\n" + head + `{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}` + "\n\n" +
				head + `{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"finish_reason":null}]}` + "\n\n" +
				head + `{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\ndata: [DONE]\n\n",
		},
		"reasoning": {
			&transform.Request{},
			[]transform.Delta{start, {Kind: transform.DeltaReasoning, Text: quote("t")}, {Kind: transform.DeltaOpaque, Opaque: signature(transform.VendorGoogle, "s")}},
			role + "}\n\n" + head + `{"index":0,"delta":{"reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"t","index":0}]},"finish_reason":null}]}` + "\n\n" +
				head + `{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"s","format":"google-gemini-v1","index":0}]},"finish_reason":null}]}` + "\n\n" +
				head + `{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := encodeStream(test.deltas, test.r)
			if string(got) != test.want {
				t.Errorf("%s\nwant\n%s", got, test.want)
			}
			checkStream(t, got, test.r.StreamUsage)
		})
	}
}

func TestStreamOfNothingIsWhole(t *testing.T) {
	got := encodeStream(nil, &transform.Request{Model: "m", StreamUsage: true})
	checkStream(t, got, true)
	if !strings.Contains(string(got), `"model":"m"`) {
		t.Errorf("%s", got)
	}
}

func TestStreamErrorsEndWithoutDone(t *testing.T) {
	all := wholeStream()
	for n := range len(all) + 1 {
		encoder := Codec{}.NewStreamEncoder(&transform.Request{})
		var out []byte
		for i := range n {
			out = encoder.Append(out, &all[i])
		}
		out = encoder.AppendError(out, &transform.Error{Kind: transform.ErrUpstream, Message: "m"}, "")
		if text := string(out); !strings.HasSuffix(text, `data: {"error":{"message":"m","type":"api_error","param":null,"code":"upstream_error"}}`+"\n\n") || strings.Contains(text, "[DONE]") {
			t.Errorf("after %d: %s", n, text)
		}
		if more := encoder.AppendEnd(encoder.Append(nil, &all[1])); len(more) > 0 {
			t.Errorf("something follows the error: %s", more)
		}
	}
}

func TestStreamAnswersOldClientsInTheirWords(t *testing.T) {
	r, _ := decode(t, ask(`,"functions":[{"name":"f"}]`))
	got := string(encodeStream([]transform.Delta{
		{Kind: transform.DeltaToolStart, Call: transform.ToolCall{ID: "c", Name: "f"}},
		{Kind: transform.DeltaToolArguments, Text: quote("{}")},
	}, r))
	for _, piece := range []string{`"function_call":{"name":"f","arguments":""}`, `"function_call":{"arguments":"{}"}`, `"finish_reason":"function_call"`} {
		if !strings.Contains(got, piece) {
			t.Errorf("no %s in %s", piece, got)
		}
	}
	if strings.Contains(got, "tool_calls") {
		t.Error(got)
	}
}

func TestStreamKeepsChoicesApart(t *testing.T) {
	got := encodeStream([]transform.Delta{
		{Kind: transform.DeltaStart, ID: "x"},
		{Kind: transform.DeltaText, Choice: 1, Text: quote("b")},
		{Kind: transform.DeltaText, Text: quote("a")},
		{Kind: transform.DeltaFinish, Choice: 1, Finish: transform.FinishLength},
		{Kind: transform.DeltaFinish, Finish: transform.FinishStop},
	}, &transform.Request{})
	checkStream(t, got, false)
	deltas, _ := decodeStream(t, events(t, got))
	if want := "start, choice1 text0 b, text0 a, finish stop, choice1 finish length"; trace(deltas) != want {
		t.Error(trace(deltas))
	}
}
