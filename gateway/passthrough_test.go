package gateway_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// oddRequest is a request whose spelling no encoder would reproduce.
const oddRequest = "\n{ \"unknown_field\" : {\"b\":1,\"a\":[ ]},\t\"temperature\":1.0e2,\r\n" +
	`"model" : "openai/gpt-6","top_p":0.10, "messages":[{"content":"caf\u00e9 \ud83d\ude00 <&>","role":"user"}],"max_tokens":1E1 }` + "\n"

func TestRequestArrivesByteForByteButForTheModel(t *testing.T) {
	g, srv := single(t, nil)
	g.chat(t, oddRequest)
	got := string(srv.Calls()[0].Body)
	equal(t, "request", got, strings.Replace(oddRequest, "openai/gpt-6", "gpt-6", 1))

	// A name that the provider shares leaves nothing to edit.
	bare := strings.Replace(oddRequest, "openai/gpt-6", `gpt\u002d6`, 1)
	g.chat(t, bare)
	equal(t, "request", string(srv.Calls()[1].Body), bare)
}

func TestStreamAsksForUsageAndChangesNothingElse(t *testing.T) {
	const option = `{"include_usage":true}`
	for _, test := range []struct{ name, options, want string }{
		{"none", ``, `,"stream_options":` + option},
		{"null", `,"stream_options": null`, `,"stream_options": ` + option},
		{"empty", `,"stream_options":{}`, `,"stream_options":` + option},
		{"off", `,"stream_options":{ "include_usage" : false , "x":[1.0]}`, `,"stream_options":{ "include_usage" : true , "x":[1.0]}`},
		{"another option", `,"stream_options":{"x":1e1}`, `,"stream_options":{"x":1e1,"include_usage":true}`},
		{"on", `,"stream_options":{ "include_usage":true }`, `,"stream_options":{ "include_usage":true }`},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, srv := single(t, nil)
			const request = `{ "model":"gpt-6", "stream":true, "messages":[{"role":"user","content":"hi"}]`
			g.chat(t, request+test.options+"}")
			equal(t, "request", string(srv.Calls()[0].Body), request+test.want+"}")
		})
	}
}

func TestAnswersReachTheClientByteForByte(t *testing.T) {
	const odd = "{ \"id\":\"x\",\"choices\" : [{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"h\\u0069\"},\"finish_reason\":\"stop\"}],\n\t" +
		`"usage":{"prompt_tokens":3,"completion_tokens":2.0},"cost":1.0e-5,"novel":{"b":null,"a":0}}` + "\n"
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{Body: []byte(odd), ContentType: "application/json; charset=utf-8"})
	got := g.chat(t, ask("gpt-6"))
	equal(t, "answer", got.body, odd)
	equal(t, "content type", got.header.Get("Content-Type"), "application/json; charset=utf-8")
}

// The events of an odd but honest stream: comments, names, several data lines,
// CRLF, members that nobody knows.
var oddEvents = []string{
	": first\n\n",
	`data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}` + "\n\n",
	"event: chunk\r\nid: 7\r\ndata:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\\u0069\"},\"finish_reason\":null}],\"n\":1.0e2}\r\n\r\n",
	"data: {\"choices\":[{\"index\":0,\n" + `data: "delta":{"content":" you"},"finish_reason":null}]}` + "\n\n",
	`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n",
}

const (
	usageChunk = `data: {"id":"x","choices":[],"usage":{"prompt_tokens":30,"completion_tokens":20,"total_tokens":50}}` + "\n\n"
	doneEvent  = "data: [DONE]\n\n"
)

func TestStreamsReachTheClientByteForByte(t *testing.T) {
	events := append(append([]string{}, oddEvents...), usageChunk, doneEvent)
	for _, test := range []struct{ name, request, want string }{
		{"usage not asked for", askStream("gpt-6"), strings.Join(oddEvents, "") + doneEvent},
		{"usage asked for", strings.Replace(askStream("gpt-6"), "{", `{"stream_options":{"include_usage":true},`, 1), strings.Join(events, "")},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, srv := single(t, nil)
			srv.Script(testllm.Reply{RawEvents: events})
			got := g.chat(t, test.request)
			equal(t, "stream", got.body, test.want)
			equal(t, "content type", got.header.Get("Content-Type"), "text/event-stream")
			equal(t, "caching", got.header.Get("Cache-Control"), "no-cache, no-transform")
			equal(t, "buffering", got.header.Get("X-Accel-Buffering"), "no")
			record := g.record(t)
			equal(t, "input", record.Tokens.Input, 30)
			equal(t, "output", record.Tokens.Output, 20)
			equal(t, "finish", record.Finish, "stop")
		})
	}
}

func TestUsageBesideContentIsNotHidden(t *testing.T) {
	// Some providers put the usage on the last chunk with content: hiding it
	// would lose text.
	const last = `data: {"choices":[{"index":0,"delta":{"content":"all"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}` + "\n\n"
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{RawEvents: []string{last, doneEvent}})
	equal(t, "stream", g.chat(t, askStream("gpt-6")).body, last+doneEvent)
	equal(t, "input", g.record(t).Tokens.Input, 1)
}

func TestPresetEditsAreAppliedAndRemovalsReported(t *testing.T) {
	srv := testllm.New(t)
	g := setup{upstreams: []*providers.Upstream{
		load(t, "groq", "groq", srv.URL), load(t, "ollama", "ollama-v1", srv.URL), load(t, "plain", "openai", srv.URL),
	}, aliases: []alias{{name: "m", to: []string{"groq/x", "plain/x"}}}}.start(t)
	const messages = `"messages":[{"role":"user","content":"hi"}]`
	for _, test := range []struct {
		name, request, want, dropped string
		replies                      []testllm.Reply
	}{
		{"remove", `{"model":"groq/x","logprobs":true, ` + messages + `,"logit_bias":{"1":2}}`, `{"model":"x", ` + messages + `}`, "/logprobs, /logit_bias", nil},
		{"remove an escaped name", `{"model":"groq/x", ` + messages + `,"logpr\u006fbs":true}`, `{"model":"x", ` + messages + `}`, "/logprobs", nil},
		{"rename", `{"model":"ollama/x","max_completion_tokens" : 5,` + messages + `}`, `{"model":"x","max_tokens" : 5,` + messages + `}`, "", nil},
		{"rename over another", `{"max_tokens":9,"model":"ollama/x","max_completion_tokens":5,` + messages + `}`, `{"model":"x","max_tokens":5,` + messages + `}`, "", nil},
		{"nothing to edit", `{"model":"plain/x","logprobs":true,` + messages + `}`, `{"model":"x","logprobs":true,` + messages + `}`, "", nil},
		{"the report is of the target that answered", `{"model":"m","logprobs":true,` + messages + `}`, `{"model":"x","logprobs":true,` + messages + `}`, "",
			[]testllm.Reply{{Status: 429}, {}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv.Script(test.replies...)
			got := g.chat(t, test.request)
			calls := srv.Calls()
			equal(t, "request", string(calls[len(calls)-1].Body), test.want)
			equal(t, "X-Llm-Dropped", got.header.Get("X-Llm-Dropped"), test.dropped)
			equal(t, "dropped in the record", strings.Join(g.record(t).Dropped, ", "), test.dropped)
		})
	}
}

func TestA07UpstreamHeaderIsAnAllowList(t *testing.T) {
	const canary = "canary-of-the-client-77"
	g, srv := single(t, nil)
	for _, body := range []string{ask("gpt-6"), askStream("gpt-6")} {
		g.do(t, http.MethodPost, chatPath+"?api-version="+canary+"&x="+canary, body,
			"Authorization", "Bearer "+canary, "X-Api-Key", canary, "Api-Key", canary, "X-Goog-Api-Key", canary,
			"Cookie", "session="+canary, "Idempotency-Key", canary, "X-Idempotency-Key", canary, "X-Stainless-Lang", canary,
			"X-Portkey-Custom-Host", canary, "X-Forwarded-For", canary, "Forwarded", "for="+canary, "Referer", "https://"+canary,
			"Origin-Agent", canary, "User-Agent", canary, "Openai-Organization", canary, "Accept", canary, "Accept-Encoding", "gzip",
			"Proxy-Authorization", canary, "Te", "trailers", "Connection", "x-hop", "X-Hop", canary, canary, "x",
			"Openai-Beta", "assistants=v2")
	}
	for _, call := range srv.Calls() {
		if call.Has(canary) {
			t.Errorf("the provider got the canary: %+v", call)
		}
		equal(t, "Authorization", call.Header.Get("Authorization"), "Bearer "+providerKey)
		equal(t, "Accept-Encoding", strings.Join(call.Header["Accept-Encoding"], ","), "identity")
		equal(t, "Content-Type", call.Header.Get("Content-Type"), "application/json")
		equal(t, "Openai-Beta", call.Header.Get("Openai-Beta"), "assistants=v2")
		equal(t, "header fields", len(call.Header), len([]string{
			"Authorization", "Accept", "Accept-Encoding", "Content-Length", "Content-Type", "Openai-Beta", "User-Agent",
		}))
	}
	wantCalls(t, srv, 2)
}

func TestA16NothingOfAProvidersHeaderLeaks(t *testing.T) {
	header := http.Header{
		"Set-Cookie": {"s=" + providerKey}, "X-Echo": {providerKey}, "Server": {"secret-host"}, "X-Request-Id": {"req-up-1"},
		"Openai-Organization": {"org-secret"}, "Strict-Transport-Security": {"max-age=1"}, "Alt-Svc": {"h3=x"},
	}
	g, srv := single(t, nil)
	for _, status := range []int{200, 400, 429, 500} {
		srv.Script(testllm.Reply{Status: status, Header: header})
		for _, body := range []string{ask("gpt-6"), askStream("gpt-6")} {
			got := g.chat(t, body)
			for name, values := range got.header {
				if text := name + strings.Join(values, ""); strings.Contains(text, providerKey) || strings.Contains(text, "secret") || header[name] != nil && name != "X-Request-Id" {
					t.Errorf("%d: the client got %s: %s", status, name, values)
				}
			}
			equal(t, "upstream id", got.header.Get("X-Upstream-Request-Id"), "req-up-1")
			if id := got.header.Get("X-Request-Id"); !strings.HasPrefix(id, "req_") || len(id) != 36 {
				t.Errorf("request id is %q", id)
			}
		}
	}
}

func TestOperatorsHeaderGoesToTheProviderOnly(t *testing.T) {
	const secret, token = "operators own secret", "and this one too"
	srv := testllm.New(t)
	g := setup{upstreams: []*providers.Upstream{
		load(t, "a", "openai", srv.URL, `,"header":{"X-Team":"`+secret+`","authorization":"Bearer `+token+`","User-Agent":"mine","X-V":"2"}`),
	}}.start(t)
	srv.Script(testllm.Reply{}, testllm.Reply{Status: 400, Error: testllm.Error{Message: "you sent " + secret + " " + token + " of version 2"}})
	g.chat(t, ask("a/x"), "X-Team", "of the client")
	got := g.chat(t, ask("a/x"))
	for name, want := range map[string]string{"X-Team": secret, "Authorization": "Bearer " + token, "User-Agent": "mine", "X-V": "2"} {
		equal(t, name, strings.Join(srv.Calls()[0].Header[name], ","), want)
	}
	equal(t, "error", got.body, `{"error":{"message":"you sent [redacted] [redacted] of version 2","type":"invalid_request_error","param":null,"code":null}}`)
}

func TestLargeBodiesPassBothWays(t *testing.T) {
	const size = 5 << 18 // more than a pool keeps
	g, srv := single(t, nil)
	request := string(testllm.Body("gpt-6", size))
	for _, chunked := range []bool{false, true} {
		reply := testllm.Reply{Text: strings.Repeat("a long answer ", size/14)}
		if chunked {
			reply.Header = http.Header{"Content-Length": nil}
		}
		srv.Script(reply)
		got := g.chat(t, request)
		wantText(t, got, reply.Text)
		equal(t, "length", got.header.Get("Content-Length"), strconv.Itoa(len(got.body)))
		calls := srv.Calls()
		equal(t, "request", string(calls[len(calls)-1].Body) == request, true)
	}
}

func TestMockProviderIsServedLikeAnyOther(t *testing.T) {
	g := setup{upstreams: []*providers.Upstream{load(t, "mock", "mock", "")}}.start(t)
	wantText(t, g.chat(t, ask("mock/echo")), `"content":"hi"`)
	stream := listen(t, g.chat(t, string(testllm.ChatRequest("mock/echo", true, "one two three"))))
	equal(t, "text", stream.text, "one two three")
	equal(t, "ended", stream.ended, true)
	wantError(t, g.chat(t, ask("mock/fail-429")), 429, "rate_limit_exceeded")
	long := string(testllm.ChatRequest("mock/die-mid-stream", true, "one two three four"))
	equal(t, "broken end", strings.HasSuffix(g.chat(t, long).body, brokenOff), true)
	for range 3 {
		g.record(t)
	}
	equal(t, "ending", g.record(t).Ending, usage.Broken)
}
