package cohere

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
			"text", `{"id":"x","message":{"role":"assistant","content":[{"type":"text","text":"Hi"}]},"finish_reason":"COMPLETE",` +
				`"usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":30,"output_tokens":8,"reasoning_tokens":5},"cached_tokens":20}}`,
			"text \"Hi\"\n", transform.FinishStop, usage.Tokens{Input: 30, Output: 8, CacheRead: 20, Reasoning: 5, Known: true},
		}, {
			"a plan, in front of its calls", `{"message":{"tool_plan":"I will look.","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":""}],"tool_calls":[` +
				`{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"2","function":{"name":"g","arguments":{"b":2}}},{"id":"3","function":{"name":"h"}}]},"finish_reason":"TOOL_CALL"}`,
			"thought \"hm\"\nthought \"I will look.\"\ncall 1 f {\"a\":1}\ncall 2 g {\"b\":2}\ncall 3 h \n", transform.FinishToolCalls, usage.Tokens{},
		}, {
			"calls without a word for it", `{"message":{"tool_calls":[{"id":"1","function":{"name":"f"}}]},"finish_reason":"COMPLETE"}`,
			"call 1 f \n", transform.FinishToolCalls, usage.Tokens{},
		}, {
			"calls cut short", `{"message":{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a"}}]},"finish_reason":"MAX_TOKENS"}`,
			"call 1 f {\"a\n", transform.FinishLength, usage.Tokens{},
		}, {
			"only what is billed is known", `{"message":{"content":"plain"},"finish_reason":"STOP_SEQUENCE","usage":{"billed_units":{"input_tokens":3,"output_tokens":4}}}`,
			"text \"plain\"\n", transform.FinishStop, usage.Tokens{Input: 3, Output: 4, Known: true},
		}, {
			"citations with a URL", `{"message":{"content":[{"type":"text","text":"abc"}],"citations":[` +
				`{"start":1,"end":2,"type":"TEXT_CONTENT","sources":[{"type":"document","id":"d","document":{"url":"https://x","title":"T"}},{"type":"tool","tool_output":{"url":"http://y"}},{"document":{"title":"no"}}]},` +
				`{"start":0,"end":1,"type":"PLAN","sources":[{"document":{"url":"https://z"}}]},{"start":-3,"end":-9,"sources":[{"document":{"url":"javascript:x"}},{"document":{"url":"https://w"}}]}]},"finish_reason":"COMPLETE"}`,
			"text \"abc\"\n" +
				`citation {"type":"url_citation","url_citation":{"start_index":1,"end_index":2,"url":"https://x","title":"T"}}` + "\n" +
				`citation {"type":"url_citation","url_citation":{"start_index":1,"end_index":2,"url":"http://y","title":"http://y"}}` + "\n" +
				`citation {"type":"url_citation","url_citation":{"start_index":0,"end_index":0,"url":"https://w","title":"https://w"}}` + "\n",
			transform.FinishStop, usage.Tokens{},
		},
		{"nothing", `{"id":"x","message":{"role":"assistant"}}`, "", transform.FinishUnknown, usage.Tokens{}},
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
}

func TestRankingsAreInspected(t *testing.T) {
	s, err := Codec{}.InspectResponse([]byte(`{"id":"x","results":[{"index":1,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1},"tokens":{"input_tokens":8}}}`))
	if want := (usage.Tokens{Input: 8, Known: true}); err != nil || s.Usage != want {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err = (Codec{}).InspectResponse([]byte(`{"message":"no such model"}`)); err == nil {
		t.Error("an error is a ranking")
	}
}

func TestCallsWithoutIDsGetTheirOwn(t *testing.T) {
	a, err := Codec{}.DecodeResponse([]byte(`{"message":{"tool_calls":[{"function":{"name":"f"}},{"id":"","function":{"name":"f"}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	one, two := a.Choices[0].Parts[0].Call.ID, a.Choices[0].Parts[1].Call.ID
	if one == two || !strings.HasPrefix(one, "call_") {
		t.Error(one, two)
	}
}

func TestLogprobs(t *testing.T) {
	a, err := Codec{}.DecodeResponse([]byte(`{"message":{},"logprobs":[{"text":"Hé","token_ids":[1],"logprobs":[-0.25]},{"text":"!","logprobs":[-1,-0.5]},{"text":"?","logprobs":[]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"content":[{"token":"Hé","logprob":-0.25,"bytes":[72,195,169],"top_logprobs":[]},{"token":"!","logprob":-1.5,"bytes":[33],"top_logprobs":[]}],"refusal":null}`
	if got := string(a.Choices[0].Logprobs); got != want {
		t.Error(got)
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	for _, test := range []struct {
		body string
		kind transform.ErrorKind // of the provider's error; ErrInternal: it is none
	}{
		{`{"id":"x","message":"internal server error"}`, transform.ErrUpstream},
		{`{"message":"too many tokens: the prompt is 200000 tokens long"}`, transform.ErrContextLength},
		{`{"error":{"message":"rate limit exceeded"}}`, transform.ErrRateLimit},
		{`{"message":{"content":[]},"finish_reason":"ERROR"}`, transform.ErrUpstream},
		{`{"message":{"content":[]},"finish_reason":"TIMEOUT"}`, transform.ErrTimeout},
		{`{}`, transform.ErrInternal},
		{`{"message":[]}`, transform.ErrInternal},
		{`{"message":{"tool_calls":[{"id":"1"}]}}`, transform.ErrInternal},
		{`[]`, transform.ErrInternal},
		{`{"message":{}`, transform.ErrInternal},
		{`<html>`, transform.ErrInternal},
		{``, transform.ErrInternal},
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
		{401, `{"id":"1","message":"invalid api token"}`, "invalid api token", transform.ErrAuthentication},
		{400, `{"message":"invalid request:  too many tokens:\ntotal number"}`, "invalid request: too many tokens: total number", transform.ErrContextLength},
		{400, `{"message":"invalid api key"}`, "invalid api key", transform.ErrAuthentication},
		{400, `{"message":"top_p: bad"}`, "top_p: bad", transform.ErrBadRequest},
		{404, `{"message":"model 'x' not found"}`, "model 'x' not found", transform.ErrNotFound},
		{429, `{"message":"You are using a Trial key, which is limited to 40 API calls / minute."}`, "You are using a Trial key, which is limited to 40 API calls / minute.", transform.ErrRateLimit},
		{429, `{"message":"limited to 1000 API calls / month"}`, "limited to 1000 API calls / month", transform.ErrQuota},
		{498, `{"message":"blocked"}`, "blocked", transform.ErrContentPolicy},
		{499, `{}`, "the provider answered with status 499 and no reason", transform.ErrCancelled},
		{500, `{"error":"oops"}`, "oops", transform.ErrUpstream},
		{502, `<html><title>Bad Gateway</title>`, "the provider answered with status 502 and no reason", transform.ErrUpstream},
		{503, ``, "the provider answered with status 503 and no reason", transform.ErrOverloaded},
		{401, `{"message":"key sk-abcdefgh12345678 at https://api.cohere.com/x"}`, "key [redacted] at https://[redacted]/x", transform.ErrAuthentication},
	} {
		e := Codec{}.DecodeError(test.status, []byte(test.body))
		if e.Message != test.message || e.Kind != test.kind || e.Status != test.status {
			t.Errorf("%d %s: %+v", test.status, test.body, e)
		}
	}
	if e := (Codec{}).DecodeError(400, []byte(`{"message":"`+strings.Repeat("é ", 9999)+`"}`)); len(e.Message) > 2<<10 {
		t.Errorf("a message of %d bytes", len(e.Message))
	}
}
