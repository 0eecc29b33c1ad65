package ollama

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

func TestDecodeResponse(t *testing.T) {
	for _, test := range []struct {
		name, body, want string
		finish           transform.Finish
		usage            usage.Tokens
	}{
		{
			"text", `{"model":"m","created_at":"2026-08-07T06:08:11.017589Z","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":3,"total_duration":1}`,
			"text \"Hi\"\n", transform.FinishStop, usage.Tokens{Input: 5, Output: 3, Known: true},
		}, {
			"thoughts and calls", `{"message":{"content":"","thinking":"hm","tool_calls":[{"id":"call_1","function":{"index":0,"name":"f","arguments":{"a": 2}}},{"id":"2","function":{"name":"g","arguments":"{}"}},{"id":"3","function":{"name":"h"}}]},"done":true,"done_reason":"stop","eval_count":3}`,
			"thought \"hm\"\ncall call_1 f {\"a\":2}\ncall 2 g {}\ncall 3 h \n", transform.FinishToolCalls, usage.Tokens{Output: 3, Known: true},
		},
		{"cut short", `{"message":{"content":"a"},"done":true,"done_reason":"length"}`, "text \"a\"\n", transform.FinishLength, usage.Tokens{}},
		{"loaded", `{"message":{"content":""},"done":true,"done_reason":"load"}`, "", transform.FinishStop, usage.Tokens{}},
		{"tags of thinking are text", `{"message":{"content":"<think>x</think>y"},"done":true}`, "text \"<think>x</think>y\"\n", transform.FinishUnknown, usage.Tokens{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := Codec{}.DecodeResponse([]byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			c := a.Choices[0]
			if got := sketch(c.Parts); got != test.want || c.Finish != test.finish || a.Usage != test.usage {
				t.Errorf("got\n%s%v %+v", got, c.Finish, a.Usage)
			}
			s, err := Codec{}.InspectResponse([]byte(test.body))
			if err != nil || s.Usage != test.usage || s.Finish != test.finish {
				t.Errorf("inspected %+v, %v", s, err)
			}
		})
	}
	a, err := Codec{}.DecodeResponse([]byte(`{"model":"m","created_at":"2026-08-07T06:08:11.017589+02:00","message":{},"done":true}`))
	if err != nil || a.Model != "m" || a.Created != 1786075691 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestCallsGetIDsOfTheirOwn(t *testing.T) {
	const body = `{"message":{"tool_calls":[{"function":{"name":"f"}},{"function":{"name":"f"}},{"id":"x","function":{"name":"f"}},{"id":"x","function":{"name":"f"}}]},"done":true}`
	ids := make(map[string]bool)
	for range 2 { // as two turns of one conversation
		a, err := Codec{}.DecodeResponse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		deltas, err := Codec{}.NewStreamDecoder().Decode(nil, nil, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Choices[0].Parts {
			ids[p.Call.ID] = true
		}
		for _, d := range deltas {
			if d.Kind == transform.DeltaToolStart {
				ids[d.Call.ID] = true
			}
		}
	}
	if len(ids) != 2*2*3+1 || ids[""] || !ids["x"] {
		t.Errorf("%d ids: %v", len(ids), ids)
	}
}

func TestLogprobs(t *testing.T) {
	a, err := Codec{}.DecodeResponse([]byte(`{"message":{},"done":true,"logprobs":[{"token":"é","logprob":-0.25,"bytes":[195,169],"top_logprobs":[{"token":"a","logprob":-1.50},{"token":7}]},{"token":"!","logprob":0}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"content":[{"token":"é","logprob":-0.25,"bytes":[195,169],"top_logprobs":[{"token":"a","logprob":-1.50,"bytes":[97]},{"token":"","logprob":0,"bytes":[]}]},` +
		`{"token":"!","logprob":0,"bytes":[33],"top_logprobs":[]}],"refusal":null}`
	if got := string(a.Choices[0].Logprobs); got != want {
		t.Error(got)
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	for _, test := range []struct {
		body string
		kind transform.ErrorKind // of the provider's error; ErrInternal: it is none
	}{
		{`{"error":"model runner has unexpectedly stopped"}`, transform.ErrUpstream},
		{`{"error":"model 'x' not found"}`, transform.ErrNotFound},
		{`{"error":"registry.ollama.ai/library/x does not support tools"}`, transform.ErrBadRequest},
		{`{"error":"the input length exceeds the context length"}`, transform.ErrContextLength},
		{`{"error":{"message":"server busy, please try again"}}`, transform.ErrOverloaded},
		{`{"message":{"content":"a"},"done":false}`, transform.ErrInternal},
		{`{"message":{"tool_calls":[{"function":{}}]},"done":true}`, transform.ErrInternal},
		{`{"response":"a","done":true}`, transform.ErrInternal},
		{`{}`, transform.ErrInternal},
		{`[]`, transform.ErrInternal},
		{"{}\n{}", transform.ErrInternal},
		{`<html>`, transform.ErrInternal},
	} {
		_, err := Codec{}.DecodeResponse([]byte(test.body))
		var e *transform.Error
		switch {
		case err == nil:
			t.Errorf("%s is an answer", test.body)
		case errors.As(err, &e) != (test.kind != transform.ErrInternal), e != nil && (e.Kind != test.kind || e.Message == ""):
			t.Errorf("%s: %#v", test.body, err)
		}
	}
}

func TestDecodeError(t *testing.T) {
	for _, test := range []struct {
		status        int
		body, message string
		kind          transform.ErrorKind
	}{
		{404, `{"error":"model 'x' not found"}`, "model 'x' not found", transform.ErrNotFound},
		{400, `{"error":"invalid  think\nvalue"}`, "invalid think value", transform.ErrBadRequest},
		{500, `{"error":"prompt is too long for the context"}`, "prompt is too long for the context", transform.ErrContextLength},
		{400, `{"error":"input exceeds maximum context length"}`, "input exceeds maximum context length", transform.ErrContextLength},
		{401, `{"error":"unauthorized"}`, "unauthorized", transform.ErrAuthentication},
		{429, `{"error":{"message":"you have reached your usage limit"}}`, "you have reached your usage limit", transform.ErrRateLimit},
		{503, `{"message":"server busy"}`, "server busy", transform.ErrOverloaded},
		{404, `404 page not found`, "the provider answered with status 404 and no reason", transform.ErrNotFound},
		{502, `<html><body>Bad Gateway</body></html>`, "the provider answered with status 502 and no reason", transform.ErrUpstream},
		{500, `{"error":"dial tcp 10.0.0.7:11434: connect"}`, "dial tcp [redacted]: connect", transform.ErrUpstream},
		{500, ``, "the provider answered with status 500 and no reason", transform.ErrUpstream},
	} {
		e := Codec{}.DecodeError(test.status, []byte(test.body))
		if e.Message != test.message || e.Kind != test.kind || e.Status != test.status {
			t.Errorf("%d %s: %+v", test.status, test.body, e)
		}
	}
	if e := (Codec{}).DecodeError(400, []byte(`{"error":"`+strings.Repeat("é ", 9999)+`"}`)); len(e.Message) > 2<<10 {
		t.Errorf("a message of %d bytes", len(e.Message))
	}
}
