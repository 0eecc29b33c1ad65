package gateway_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// vendors is a gateway before one provider of each of three formats, all of them
// the same scriptable server.
func vendors(t testing.TB, change func(*gateway.Gateway)) (*gate, *testllm.Server) {
	t.Helper()
	srv := testllm.New(t)
	return setup{
		upstreams: []*providers.Upstream{
			load(t, "chat", "openai_compatible", srv.URL+"/v1"),
			load(t, "claude", "anthropic", srv.URL),
			load(t, "google", "gemini", srv.URL),
		},
		change: func(g *gateway.Gateway) {
			g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
			if change != nil {
				change(g)
			}
		},
	}.start(t), srv
}

// dialects are a short question in each client format, and where it goes.
var dialects = []struct {
	name string
	// path and body have %s where the model stands; a stream's have theirs.
	path, body             string
	streamPath, streamBody string
	header                 []string
	// ends is what closes a stream that ended well.
	ends string
}{
	{
		"chat", chatPath, `{"model":"%s","messages":[{"role":"user","content":"hi"}]}`,
		chatPath, `{"model":"%s","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		nil, "data: [DONE]\n\n",
	},
	{
		"responses", "/v1/responses", `{"model":"%s","input":"hi"}`,
		"/v1/responses", `{"model":"%s","input":"hi","stream":true}`,
		nil, "event: response.completed\n",
	},
	{
		"messages", "/v1/messages", `{"model":"%s","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}`,
		"/v1/messages?beta=true", `{"model":"%s","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		[]string{"anthropic-version", "2023-06-01"}, "event: message_stop\n",
	},
	{
		"gemini", "/v1beta/models/%s:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		"/v1beta/models/%s:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		nil, `"finishReason":"STOP"`,
	},
}

func forModel(text, model string) string { return strings.ReplaceAll(text, "%s", model) }

func TestEveryFormatReachesEveryProvider(t *testing.T) {
	for _, d := range dialects {
		for _, model := range []string{"chat/m", "claude/claude-opus-4-5", "google/gemini-3-pro"} {
			t.Run(d.name+" to "+model, func(t *testing.T) {
				g, srv := vendors(t, nil)
				srv.Script(testllm.Reply{Text: "A short answer."}, testllm.Reply{Text: "A short answer."})
				got := g.do(t, http.MethodPost, forModel(d.path, model), forModel(d.body, model), d.header...)
				wantText(t, got, "A short answer.")
				if r := g.record(t); r.Ending != usage.Complete || r.Finish != "stop" || r.Tokens.Input != 9 || r.Tokens.Output != 12 || r.RequestedModel != model {
					t.Errorf("record is %+v", r)
				}
				got = g.do(t, http.MethodPost, forModel(d.streamPath, model), forModel(d.streamBody, model), d.header...)
				wantText(t, got, d.ends)
				wantText(t, got, "short")
				if r := g.record(t); r.Ending != usage.Complete || !r.Stream || r.Tokens.Output != 12 {
					t.Errorf("record is %+v", r)
				}
			})
		}
	}
}

func TestErrorsComeInTheClientsFormat(t *testing.T) {
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			g, srv := vendors(t, func(g *gateway.Gateway) { g.Retries = 0 })
			post := func(model string) answer {
				return g.do(t, http.MethodPost, forModel(d.path, model), forModel(d.body, model), d.header...)
			}
			for _, test := range []struct {
				model  string
				reply  testllm.Reply
				status int
			}{
				{"nobody", testllm.Reply{}, 404},
				{"chat/m", testllm.Reply{Status: 429, Error: testllm.Error{Message: "slow down"}, Header: http.Header{"Retry-After": {"7"}}}, 429},
				{"claude/claude-opus-4-5", testllm.Reply{Status: 529, Error: testllm.Error{Type: "overloaded_error"}}, 503},
				{"google/gemini-3-pro", testllm.Reply{Status: 400, Error: testllm.Error{Message: "bad contents"}}, 400},
				{"google/gemini-3-pro", testllm.Reply{Body: []byte(`<html>`), ContentType: "text/html"}, 502},
			} {
				if test.model != "nobody" {
					srv.Script(test.reply)
				}
				got := post(test.model)
				status := test.status
				if status == 503 && d.name == "messages" {
					status = 529
				}
				if got.status != status {
					t.Errorf("%s: status is %d, want %d: %s", test.model, got.status, status, got.body)
				}
				var e struct {
					Type  string
					Error struct {
						Message, Type, Status string
						Code                  any
					}
				}
				if err := json.Unmarshal([]byte(got.body), &e); err != nil || e.Error.Message == "" {
					t.Errorf("error is %s (%v)", got.body, err)
				}
				switch d.name {
				case "messages":
					if e.Type != "error" || e.Error.Type == "" || got.header.Get("Request-Id") == "" {
						t.Errorf("error is %s", got.body)
					}
				case "gemini":
					if e.Error.Code != float64(status) || e.Error.Status == "" {
						t.Errorf("error is %s", got.body)
					}
				}
				if test.status == 429 && got.header.Get("Retry-After") != "7" {
					t.Errorf("retry-after is %q", got.header.Get("Retry-After"))
				}
				g.record(t)
			}
		})
	}
}

func TestBrokenStreamsEndWithTheClientsOwnError(t *testing.T) {
	for _, d := range dialects {
		for _, model := range []string{"chat/m", "claude/claude-opus-4-5", "google/gemini-3-pro"} {
			t.Run(d.name+" to "+model, func(t *testing.T) {
				g, srv := vendors(t, nil)
				srv.Script(testllm.Reply{Text: "one two three four five six", CutAfter: 5, Cut: testllm.FIN})
				got := g.do(t, http.MethodPost, forModel(d.streamPath, model), forModel(d.streamBody, model), d.header...)
				wantText(t, got, "one")
				if strings.Contains(got.body, d.ends) || !strings.Contains(got.body, "rror") {
					t.Errorf("the stream that broke off reads %q", got.body)
				}
				if r := g.record(t); r.Ending != usage.Broken {
					t.Errorf("record is %+v", r)
				}
			})
		}
	}
}

func TestHeartbeatsAreWhatTheClientsFormatTakes(t *testing.T) {
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			g, srv := vendors(t, func(g *gateway.Gateway) { g.Stream.Heartbeat = 20 * time.Millisecond })
			srv.Script(testllm.Reply{Text: "one two three", ChunkDelay: 100 * time.Millisecond})
			got := g.do(t, http.MethodPost, forModel(d.streamPath, "chat/m"), forModel(d.streamBody, "chat/m"), d.header...)
			beat := map[string]string{"chat": ": keep-alive\n\n", "responses": ": keep-alive\n\n", "messages": "event: ping\n"}[d.name]
			if beat != "" {
				wantText(t, got, beat)
			} else if strings.Contains(got.body, "\n:") || strings.Contains(got.body, "ping") {
				t.Errorf("a heartbeat would break this client: %q", got.body)
			}
		})
	}
}

func TestGeminiClientsGetAnArrayUnlessTheyAskForEvents(t *testing.T) {
	for _, model := range []string{"chat/m", "google/gemini-3-pro"} {
		g, srv := vendors(t, nil)
		if model == "google/gemini-3-pro" {
			srv.Script(testllm.Reply{ContentType: "application/json", RawEvents: []string{
				`[{"candidates":[{"content":{"parts":[{"text":"one"}],"role":"model"},"index":0}]}`,
				"\n,\r\n" + `{"candidates":[{"content":{"parts":[{"text":" two"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3}}` + "\n]\n",
			}})
		} else {
			srv.Script(testllm.Reply{Text: "one two"})
		}
		got := g.do(t, http.MethodPost, "/v1beta/models/"+model+":streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
		var frames []map[string]any
		if err := json.Unmarshal([]byte(got.body), &frames); err != nil || len(frames) == 0 || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: the stream is %s %q (%v)", model, got.header, got.body, err)
		}
		if r := g.record(t); r.Ending != usage.Complete || r.Tokens.Output == 0 {
			t.Errorf("%s: record is %+v", model, r)
		}
	}
}

func TestModelsAreListedInTheClientsShape(t *testing.T) {
	mock := load(t, "mock", "mock", "")
	g := setup{upstreams: []*providers.Upstream{mock}, change: func(g *gateway.Gateway) {
		g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
	}}.start(t)
	for _, test := range []struct {
		path   string
		header []string
		want   string
	}{
		{"/v1/models", nil, `"object":"list"`},
		{"/v1/models", []string{"anthropic-version", "2026-10-21"}, `"has_more":false`},
		{"/anthropic/v1/models/mock/echo", nil, `"type":"model"`},
		{"/v1beta/models", nil, `"name":"models/mock/echo"`},
		{"/v1beta/models/mock/echo", nil, `"name":"models/mock/echo"`},
	} {
		wantText(t, g.do(t, http.MethodGet, test.path, "", test.header...), test.want)
	}
	if got := g.do(t, http.MethodGet, "/v1beta/models/nobody", ""); got.status != 404 || !strings.Contains(got.body, "NOT_FOUND") {
		t.Errorf("an unknown model is %d %s", got.status, got.body)
	}
}

func TestTokensAreCountedByTheProviderOrEstimated(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{"application/json"}
		switch {
		case strings.HasSuffix(r.URL.Path, "/v1/messages/count_tokens"):
			_, _ = w.Write([]byte(`{ "input_tokens": 17 }`))
		case strings.HasSuffix(r.URL.Path, ":countTokens"):
			_, _ = w.Write([]byte(`{"totalTokens":18}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer upstream.Close()
	g := setup{
		upstreams: []*providers.Upstream{
			load(t, "chat", "openai_compatible", upstream.URL+"/v1"), load(t, "claude", "anthropic", upstream.URL),
			load(t, "google", "gemini", upstream.URL), load(t, "nowhere", "anthropic", upstream.URL+"/nothing/here/v2"),
		},
		change: func(g *gateway.Gateway) { g.Surface = gateway.Surface{Anthropic: true, Gemini: true, OpenAI: true} },
	}.start(t)
	const messages = `{"model":"%s","messages":[{"role":"user","content":"How many tokens are these words?"}]}`
	const contents = `{"contents":[{"parts":[{"text":"How many tokens are these words?"}]}]}`
	for _, test := range []struct{ path, body, model, want string }{
		{"/v1/messages/count_tokens", messages, "claude/claude-opus-4-5", `{ "input_tokens": 17 }`},
		{"/v1/messages/count_tokens", messages, "google/gemini-3-pro", `{"input_tokens":18}`},
		{"/v1/messages/count_tokens", messages, "chat/m", `{"input_tokens":2`},
		{"/v1beta/models/%s:countTokens", contents, "google/gemini-3-pro", `{"totalTokens":18}`},
		{"/v1beta/models/%s:countTokens", contents, "claude/claude-opus-4-5", `"totalTokens":17`},
		{"/v1beta/models/%s:countTokens", contents, "chat/m", `"totalTokens":1`},
	} {
		wantText(t, g.do(t, http.MethodPost, forModel(test.path, test.model), forModel(test.body, test.model)), test.want)
		if r := g.record(t); r.Operation != "count_tokens" || r.Ending != usage.Complete || r.Tokens.Total() != 0 {
			t.Errorf("%s: record is %+v", test.model, r)
		}
	}
}

func TestOtherPathsOfOpenAIAreForwarded(t *testing.T) {
	var got struct{ path, contentType, body, key string }
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(strings.Builder)
		_, _ = bodyTo(body, r)
		got.path, got.contentType, got.body, got.key = r.URL.Path, r.Header.Get("Content-Type"), body.String(), r.Header.Get("Authorization")
		h := w.Header()
		switch r.URL.Path {
		case "/v1/audio/speech":
			h["Content-Type"] = []string{"audio/mpeg"}
			_, _ = w.Write([]byte("ID3\x00\xff sound"))
		case "/v1/moderations":
			h["Content-Type"] = []string{"text/html"}
			_, _ = w.Write([]byte("<script>"))
		default:
			h["Content-Type"] = []string{"application/json"}
			_, _ = w.Write([]byte("{ \"data\":[ ], \"usage\":{\"input_tokens\":5,\"output_tokens\":7,\"total_tokens\":12} }"))
		}
	}))
	defer upstream.Close()
	g := setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", upstream.URL+"/v1"), load(t, "claude", "anthropic", upstream.URL)}}.start(t)

	answer := g.do(t, http.MethodPost, "/v1/images/generations", `{ "prompt":"a cat",  "model":"openai/gpt-image-1" }`)
	wantText(t, answer, "{ \"data\":[ ], ")
	equal(t, "request", got.body, `{ "prompt":"a cat",  "model":"gpt-image-1" }`)
	equal(t, "key", got.key, "Bearer "+providerKey)
	if r := g.record(t); r.Operation != "images" || r.Tokens.Input != 5 || r.Tokens.Output != 7 {
		t.Errorf("record is %+v", r)
	}

	answer = g.do(t, http.MethodPost, "/v1/audio/speech", `{"model":"openai/tts-1","input":"hello","voice":"alloy"}`)
	wantText(t, answer, "ID3\x00\xff sound")
	equal(t, "content type", answer.header.Get("Content-Type"), "audio/mpeg")
	if r := g.record(t); r.Operation != "audio" || r.Ending != usage.Complete {
		t.Errorf("record is %+v", r)
	}

	const form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nopenai/whisper-1\r\n--b--\r\n"
	answer = g.do(t, http.MethodPost, "/v1/audio/transcriptions", form, "Content-Type", "multipart/form-data; boundary=b")
	equal(t, "status", answer.status, http.StatusOK)
	equal(t, "form", got.body, strings.Replace(form, "openai/whisper-1", "whisper-1", 1))
	equal(t, "content type", got.contentType, "multipart/form-data; boundary=b")

	wantError(t, g.do(t, http.MethodPost, "/v1/moderations", `{"model":"openai/omni","input":"x"}`), http.StatusBadGateway, "upstream_protocol_error")
	wantError(t, g.do(t, http.MethodPost, "/v1/rerank", `{"model":"claude/x","query":"x"}`), http.StatusBadRequest, "unsupported_operation")
	wantError(t, g.do(t, http.MethodPost, "/v1/rerank", `{"query":"x"}`), http.StatusBadRequest, "missing_required_parameter")
}

func TestForwardedAnswerThatBreaksOffIsCut(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{"audio/mpeg"}
		_, _ = w.Write([]byte("sound"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer upstream.Close()
	g := setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", upstream.URL+"/v1")}}.start(t)
	got := g.do(t, http.MethodPost, "/v1/audio/speech", `{"model":"openai/tts-1","input":"hello"}`)
	if got.err == nil || got.body != "sound" {
		t.Errorf("an answer that broke off reads as whole: %q", got.body)
	}
	if r := g.record(t); r.Ending != usage.Broken {
		t.Errorf("record is %+v", r)
	}
}

func TestLossesAreToldInTheClientsWords(t *testing.T) {
	g, srv := vendors(t, nil)
	srv.Script(testllm.Reply{})
	got := g.do(t, http.MethodPost, "/v1beta/models/claude/claude-opus-4-5:generateContent",
		`{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"seed":7,"temperature":0.5},"novel":1}`)
	equal(t, "dropped", got.header.Get("X-Llm-Dropped"), "/novel, /generationConfig/seed")
	got = g.do(t, http.MethodPost, "/v1beta/models/claude/claude-opus-4-5:generateContent",
		`{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"candidateCount":2}}`)
	if got.status != 400 || !strings.Contains(got.body, "/generationConfig/candidateCount") || !strings.Contains(got.body, "INVALID_ARGUMENT") {
		t.Errorf("answer is %d %s", got.status, got.body)
	}
}

func TestLastWordsOfAFailedResponseArePassedOn(t *testing.T) {
	const begin = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"output\":[]}}\n\n"
	const failed = "event: error\ndata: {\"type\":\"error\",\"sequence_number\":1,\"error\":{\"code\":\"server_error\",\"message\":\"sorry\"}}\n\n" +
		"event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":2,\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"sorry\"}}}\n\n"
	const text = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":0,\"delta\":\"hi\"}\n\n"
	for _, events := range [][]string{{begin + failed}, {begin, failed}, {begin, text, failed}, {begin + text + failed}, {begin, failed[:len(failed)-200], failed[len(failed)-200:]}} {
		srv := testllm.New(t)
		g := setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", srv.URL+"/v1")}, change: func(g *gateway.Gateway) { g.Retries = 0 }}.start(t)
		srv.Script(testllm.Reply{RawEvents: events})
		got := g.do(t, http.MethodPost, "/v1/responses", `{"model":"openai/m","input":"hi","stream":true}`)
		equal(t, "stream", got.body, strings.Join(events, ""))
		if r := g.record(t); r.Ending == usage.Complete || r.Error != "server_error" {
			t.Errorf("record is %+v", r)
		}
	}
}

func TestArraysAreClosedHoweverTheyEnd(t *testing.T) {
	const first = `[{"candidates":[{"content":{"parts":[{"text":"one"}],"role":"model"},"index":0}]}`
	const last = ",\r\n" + `{"candidates":[{"content":{"parts":[{"text":" two"}],"role":"model"},"finishReason":"STOP","index":0}]}`
	for name, test := range map[string]struct {
		reply  testllm.Reply
		ending usage.Ending
	}{
		"whole":             {testllm.Reply{RawEvents: []string{first, last, "\r\n]"}}, usage.Complete},
		"without its end":   {testllm.Reply{RawEvents: []string{first, last}}, usage.Complete},
		"broken off":        {testllm.Reply{RawEvents: []string{first}}, usage.Broken},
		"cut in an element": {testllm.Reply{RawEvents: []string{first, last[:30]}}, usage.Broken},
		"with an error":     {testllm.Reply{RawEvents: []string{first, `,{"error":{"code":503,"message":"sorry","status":"UNAVAILABLE"}}`, "]"}}, usage.Broken},
		"error and no end":  {testllm.Reply{RawEvents: []string{first, `,{"error":{"code":503,"message":"sorry","status":"UNAVAILABLE"}}`}}, usage.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := vendors(t, nil)
			test.reply.ContentType, test.reply.StallAfter = "application/json", 1
			srv.Script(test.reply)
			response, err := g.open(t.Context(), http.MethodPost, "/v1beta/models/google/gemini-3-pro:streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body := make([]byte, len(first))
			if _, err := io.ReadFull(response.Body, body); err != nil {
				t.Fatal(err)
			}
			srv.Release()
			rest, err := io.ReadAll(response.Body)
			body = append(body, rest...)
			var frames []struct{ Error *struct{ Message string } }
			if err := errors.Join(err, json.Unmarshal(body, &frames)); err != nil {
				t.Errorf("%q: %v", body, err)
			} else if failed := frames[len(frames)-1].Error != nil; failed != (test.ending == usage.Broken) {
				t.Errorf("the stream is %q", body)
			}
			equal(t, "ending", g.record(t).Ending, test.ending)
		})
	}
}

func TestBlankLinesThatComeInPiecesAreKept(t *testing.T) {
	const event = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}]}\r\n\r\n"
	for _, size := range []int{1, len(event) - 1, len(event) - 2, len(event) - 3} {
		g, srv := vendors(t, nil)
		srv.Script(testllm.Reply{RawEvents: []string{event}, WritesOf: size})
		got := g.do(t, http.MethodPost, "/v1beta/models/google/gemini-3-pro:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
		equal(t, "stream", got.body, event)
	}
}

func TestForwardedRequestsCannotBeReadAsForms(t *testing.T) {
	var contentType string
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		contentType = strings.Join(r.Header["Content-Type"], ", ")
		w.Header()["Content-Type"] = []string{"application/json"}
		_, _ = w.Write([]byte(`{"data":[{"b64_json":"` + strings.Repeat("iVBORw0K", 10_000) + `"}]}`))
	}))
	defer upstream.Close()
	g := setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", upstream.URL+"/v1")}}.start(t)
	// A server that reads it as its content type says would find another model.
	got := g.do(t, http.MethodPost, "/v1/images/generations", `{"model":"openai/allowed","prompt":"&model=secret&x="}`, "Content-Type", "application/x-www-form-urlencoded")
	equal(t, "status", got.status, 200)
	equal(t, "content type", contentType, "application/json")
	// A provider without streams of images answers at once, and is not asked again.
	got = g.do(t, http.MethodPost, "/v1/images/generations", `{"model":"openai/m","prompt":"a cat","stream":true}`)
	wantText(t, got, "b64_json")
	g.record(t)
	if r := g.record(t); r.Ending != usage.Complete || r.Tokens.Input == 0 {
		t.Errorf("record is %+v", r)
	}
}

func TestRequestsWithinRequestsDoNotNameModels(t *testing.T) {
	for _, test := range []struct{ method, body string }{
		{"countTokens", `{"generate_content_request":{"model":"models/secret","contents":[{"parts":[{"text":"hi"}]}]}}`},
		{"countTokens", `{"generateContentRequest":{"model":"models/secret","contents":[{"parts":[{"text":"hi"}]}]}}`},
		{"countTokens", `{"contents":[{"parts":[{"text":"hi"}]}],"generate_content_request":{"model":"models/secret","contents":[{"parts":[{"text":"hi"}]}]}}`},
		{"batchEmbedContents", `{"requests":[{"model":"models/secret","content":{"parts":[{"text":"hi"}]}}]}`},
		{"embedContent", `{"model":"models/secret","content":{"parts":[{"text":"hi"}]}}`},
		{"embedContent", `{"mod\u0065l":"models/secret","content":{"parts":[{"text":"hi"}]}}`},
		{"generateContent", `{"model":"models/secret","contents":[{"parts":[{"text":"hi"}]}]}`},
	} {
		g, srv := vendors(t, nil)
		g.do(t, http.MethodPost, "/v1beta/models/google/allowed:"+test.method, test.body)
		for _, call := range srv.Calls() {
			if strings.Contains(string(call.Body), "secret") || !strings.Contains(call.Path, "allowed") {
				t.Errorf("%s: the provider was asked %s %s", test.body, call.Path, call.Body)
			}
		}
		if len(srv.Calls()) != 1 {
			t.Errorf("%s: %d calls", test.body, len(srv.Calls()))
		}
	}
}
