package cohere

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// decode reads the events of a stream, a line each, by a decoder and an inspector.
func decode(t testing.TB, events string) (got string, ended bool, err error) {
	t.Helper()
	d, in := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
	var all []transform.Delta
	for line := range strings.SplitSeq(events, "\n") {
		before := len(all)
		all, err = d.Decode(all, nil, []byte(line))
		sign, err2 := in.Inspect(nil, []byte(line))
		content := false
		for i := range all[before:] {
			delta := &all[before+i]
			content = content || delta.Content()
			if delta.Kind == transform.DeltaError && sign.Err == nil {
				t.Errorf("the inspector missed an error: %s", line)
			}
		}
		if (err == nil) != (err2 == nil) || content != sign.Content || d.Ended() != in.Ended() {
			t.Errorf("inspected %+v, %v, decoded %v, %v: %s", sign, err2, content, err, line)
		}
		if err != nil {
			break
		}
	}
	return script(all), d.Ended(), err
}

func TestStreams(t *testing.T) {
	for _, test := range []struct {
		name, events, want string
		ended              bool
	}{
		{
			name: "text",
			events: `{"id":"x","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}
{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}
{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}
{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" there"}}},"logprobs":{"text":" there","token_ids":[1],"logprobs":[-2]}}
{"type":"content-end","index":0}
{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":1,"output_tokens":1},"tokens":{"input_tokens":5,"output_tokens":6},"cached_tokens":4}}}
[DONE]`,
			want: `start x
0 text "Hi"
0 text " there"
logprobs {"content":[{"token":" there","logprob":-2,"bytes":[32,116,104,101,114,101],"top_logprobs":[]}],"refusal":null}
0 end
usage 5 4 6 0
finish stop
`,
			ended: true,
		}, {
			name: "thoughts, a plan and calls",
			events: `{"id":"x","type":"message-start"}
{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"a"}}}}
{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"b"}}}}
{"type":"content-end","index":0}
{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}
{"type":"tool-plan-delta","delta":{"message":{"tool_plan":" look."}}}
{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"1","type":"function","function":{"name":"f","arguments":""}}}}}
{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a"}}}}}
{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"\":1}"}}}}}
{"type":"tool-call-end","index":0}
{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":[{"id":"2","function":{"name":"g","arguments":{"b":2}}}]}}}
{"type":"tool-call-end","index":1}
{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}`,
			want: `start x
0 thought "a"
0 thought "b"
0 end
1 thought "I will"
1 thought " look."
2 call 0 1 f
2 arguments 0 "{\"a"
2 arguments 0 "\":1}"
2 end
3 call 1 2 g
3 arguments 1 "{\"b\":2}"
3 end
finish tool_calls
`,
			ended: true,
		}, {
			name: "thoughts, then text with citations",
			events: `{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"a"}}}}
{"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"b"}}}}
{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":1,"sources":[{"document":{"url":"https://x"}}]}}}}
{"type":"citation-end","index":0}
{"type":"debug","prompt":"…"}
{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS"}}
{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS"}}`,
			want: `0 thought "a"
1 text "b"
1 citation {"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"https://x","title":"https://x"}}
finish length
`,
			ended: true,
		}, {
			name: "no end", events: `{"type":"message-start","id":"x"}
{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"b"}}}}
[DONE]`,
			want: "start x\n0 text \"b\"\n",
		}, {
			name: "an error in the end", events: `{"type":"message-end","delta":{"finish_reason":"ERROR","error":"too  much of it","usage":{"tokens":{"input_tokens":5,"output_tokens":1}}}}`,
			want: "usage 5 0 1 0\nerror 13 too much of it\n",
		}, {
			name: "an error with another reason", events: `{"type":"message-end","delta":{"finish_reason":"COMPLETE","error":"oops"}}`,
			want: "error 13 oops\n",
		}, {
			name: "too long", events: `{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}`,
			want: "error 11 the provider took too long and broke off its answer; try again\n",
		}, {
			name: "an error instead of an event", events: `{"id":"x","message":"internal server error"}`,
			want: "error 13 internal server error\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ended, err := decode(t, test.events)
			if err != nil || got != test.want || ended != test.ended {
				t.Errorf("ended %v, %v, got\n%s", ended, err, got)
			}
		})
	}
}

func TestEventsMayHaveTheirTypeAsName(t *testing.T) {
	deltas, err := Codec{}.NewStreamDecoder().Decode(nil, []byte("content-delta"), []byte(`{"index":0,"delta":{"message":{"content":{"text":"b"}}}}`))
	if err != nil || script(deltas) != "0 text \"b\"\n" {
		t.Error(script(deltas), err)
	}
}

func TestEventsOfAnotherFormat(t *testing.T) {
	for _, event := range []string{
		`{`, `[]`, `<html>`, `{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"1"}}}}`,
		`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}`,
	} {
		if got, ended, err := decode(t, event); err == nil || ended || got != "" {
			t.Errorf("%s: %q, %v", event, got, err)
		}
	}
}

func TestCallsAndCitationsAreBounded(t *testing.T) {
	call := []byte(`{"type":"tool-call-start","delta":{"message":{"tool_calls":{"id":"1","function":{"name":"f"}}}}}`)
	cite := []byte(`{"type":"citation-start","delta":{"message":{"citations":{"sources":[{"document":{"url":"https://x"}}]}}}}`)
	d := Codec{}.NewStreamDecoder()
	var err error
	var cited []transform.Delta
	for range 2 * maxCitations {
		if _, e := d.Decode(nil, nil, call); e != nil {
			err = e
		}
		cited, _ = d.Decode(cited, nil, cite)
	}
	if err == nil || len(cited) != maxCitations {
		t.Errorf("%v, %d citations", err, len(cited))
	}
}
