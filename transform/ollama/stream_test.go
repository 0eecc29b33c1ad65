package ollama

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
			events: `{"model":"m","created_at":"2026-08-07T06:08:11Z","message":{"role":"assistant","content":"Hi"},"done":false}
{"model":"m","created_at":"2026-08-07T06:08:12Z","message":{"role":"assistant","content":" there"},"done":false,"logprobs":[{"token":" there","logprob":-1}]}
{"model":"m","created_at":"2026-08-07T06:08:13Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":3}`,
			want: `start m 1786082891
0 text "Hi"
0 text " there"
logprobs {"content":[{"token":" there","logprob":-1,"bytes":[32,116,104,101,114,101],"top_logprobs":[]}],"refusal":null}
usage 5 3
finish stop
`,
			ended: true,
		}, {
			name: "thoughts, text and calls",
			events: `{"model":"m","message":{"content":"","thinking":"a"},"done":false}
{"model":"m","message":{"content":"","thinking":"b"},"done":false}
{"model":"m","message":{"content":"c"},"done":false}
{"model":"m","message":{"content":"","tool_calls":[{"id":"1","function":{"name":"f","arguments":{"a": "x"}}},{"id":"2","function":{"name":"g"}}]},"done":false}
{"model":"m","message":{"content":"","tool_calls":[{"id":"3","function":{"name":"h","arguments":{}}}]},"done":false}
{"model":"m","message":{"content":"d"},"done":true,"done_reason":"stop","eval_count":3}
{"model":"m","done":true,"done_reason":"stop"}`,
			want: `start m 0
0 thought "a"
0 thought "b"
1 text "c"
2 call 0 1 f
2 arguments 0 "{\"a\":\"x\"}"
2 end
3 call 1 2 g
3 end
4 call 2 3 h
4 arguments 2 "{}"
4 end
5 text "d"
usage 0 3
finish tool_calls
`,
			ended: true,
		},
		{
			name: "cut short", events: `{"model":"m","message":{"content":"a"},"done":true,"done_reason":"length"}`,
			want: "start m 0\n0 text \"a\"\nfinish length\n", ended: true,
		},
		{name: "no end", events: `{"model":"m","message":{"content":"a"},"done":false}`, want: "start m 0\n0 text \"a\"\n"},
		{
			name: "an error in the middle", events: `{"model":"m","message":{"content":"a"},"done":false}
{"error":"an error was encountered while running the model"}`,
			want: "start m 0\n0 text \"a\"\nerror 13 an error was encountered while running the model\n",
		},
		{name: "an error first", events: `{"error":"model 'x' not found"}`, want: "error 7 model 'x' not found\n"},
		{name: "an error after the end", events: `{"message":{},"done":true}` + "\n" + `{"error":"x"}`, want: "finish \nerror 13 x\n"},
		{name: "unknown members", events: `{"status":"pulling"}`, want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ended, err := decode(t, test.events)
			if err != nil || got != test.want || ended != test.ended {
				t.Errorf("ended %v, %v, got\n%s", ended, err, got)
			}
		})
	}
}

func TestLinesOfAnotherFormat(t *testing.T) {
	for _, line := range []string{`{`, `[]`, `data: {}`, `<html>`, `{"message":{"tool_calls":[{"function":{"arguments":{}}}]}}`} {
		if got, ended, err := decode(t, line); err == nil || ended || got != "" {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

func TestCallsAreBounded(t *testing.T) {
	d := Codec{}.NewStreamDecoder()
	var err error
	for range maxCalls + 1 {
		if _, err = d.Decode(nil, nil, []byte(`{"message":{"tool_calls":[{"function":{"name":"f"}}]}}`)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("no bound")
	}
}
