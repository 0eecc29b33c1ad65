package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// contrary stands before a provider and answers whole what should be a stream,
// and as a stream what should be whole.
func contrary(t testing.TB, srv *testllm.Server) string {
	t.Helper()
	swap := strings.NewReplacer(
		`"stream":true`, `"stream":false`, `"stream":false`, `"stream":true,"stream_options":{"include_usage":true}`,
		"streamGenerateContent", "generateContent", ":generateContent", ":streamGenerateContent",
	)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := string(body)
		if !strings.Contains(text, `"stream"`) {
			text = strings.Replace(text, "{", `{"stream":false,`, 1)
		}
		uri := swap.Replace(r.URL.Path)
		if strings.Contains(uri, "streamG") && r.URL.RawQuery != "array" {
			uri += "?alt=sse"
		}
		request, err := http.NewRequestWithContext(r.Context(), r.Method, srv.URL+uri, strings.NewReader(swap.Replace(text)))
		if err != nil {
			t.Error(err)
			return
		}
		request.Header = r.Header.Clone()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
	}))
	t.Cleanup(func() {
		upstream.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return upstream.URL
}

// contraries is as vendors, of providers that do not do what they are asked.
func contraries(t testing.TB, change func(*gateway.Gateway)) (*gate, *testllm.Server) {
	t.Helper()
	srv := testllm.New(t)
	url := contrary(t, srv)
	return setup{
		upstreams: []*providers.Upstream{
			load(t, "chat", "openai_compatible", url+"/v1"),
			load(t, "claude", "anthropic", url),
			load(t, "google", "gemini", url),
		},
		change: func(g *gateway.Gateway) {
			g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
			if change != nil {
				change(g)
			}
		},
	}.start(t), srv
}

var contraryModels = []string{"chat/m", "claude/claude-opus-4-5", "google/gemini-3-pro"}

func TestS22AnswersOfTheOtherMannerAreWhatWasAskedFor(t *testing.T) {
	for _, d := range dialects {
		for _, model := range contraryModels {
			t.Run(d.name+" to "+model, func(t *testing.T) {
				g, srv := contraries(t, nil)
				reply := testllm.Reply{Text: "A short answer.", Tools: []testllm.Tool{{Name: "look", Arguments: `{"at":"it"}`}}}
				srv.Script(reply, reply)
				got := g.do(t, http.MethodPost, forModel(d.path, model), forModel(d.body, model), d.header...)
				for _, word := range []string{"A short answer.", "look", `at`} {
					wantText(t, got, word)
				}
				equal(t, "content type", got.header.Get("Content-Type"), "application/json")
				whole := g.record(t)
				got = g.do(t, http.MethodPost, forModel(d.streamPath, model), forModel(d.streamBody, model), d.header...)
				wantText(t, got, d.ends)
				for _, word := range []string{"A short answer.", "look", `at`} {
					wantText(t, got, word)
				}
				if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") || got.header.Get("Content-Length") != "" {
					t.Errorf("the stream's header is %v", got.header)
				}
				for _, r := range []*usage.Record{whole, g.record(t)} {
					if r.Ending != usage.Complete || r.Finish != "tool_calls" || r.Tokens.Input != 9 || r.Tokens.Output != 12 || r.Tokens.Estimated {
						t.Errorf("record is %+v", r)
					}
				}
				for _, call := range srv.Calls() {
					equal(t, "completion billed", call.Completion, 12)
				}
			})
		}
	}
}

func TestS22ArraysOfGemini(t *testing.T) {
	const path, body = "/v1beta/models/google/gemini-3-pro:", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	// An object where the array should be.
	g, srv := contraries(t, nil)
	srv.Script(testllm.Reply{Text: "A short answer."})
	got := g.do(t, http.MethodPost, path+"streamGenerateContent", body)
	wantText(t, got, "A short answer.")
	if text := strings.TrimSpace(got.body); text[0] != '[' || text[len(text)-1] != ']' {
		t.Errorf("the stream is no array: %s", text)
	}
	// An array where the object should be.
	array := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, ` [{"candidates":[{"content":{"parts":[{"text":"A short "}]}}]},
			{"candidates":[{"content":{"parts":[{"text":"answer."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4}}]`)
	}))
	defer array.Close()
	g = setup{
		upstreams: []*providers.Upstream{load(t, "google", "gemini", array.URL)},
		change:    func(g *gateway.Gateway) { g.Surface = gateway.Surface{OpenAI: true, Gemini: true} },
	}.start(t)
	wantText(t, g.do(t, http.MethodPost, path+"generateContent", body), "A short answer.")
	wantText(t, g.chat(t, ask("google/gemini-3-pro")), "A short answer.")
	for range 2 {
		equal(t, "output", g.record(t).Tokens.Output, 4)
	}
}

func TestS22OllamaInTheOtherManner(t *testing.T) {
	const whole = `{"model":"m","message":{"role":"assistant","content":"A short answer."},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}`
	const pieces = `{"model":"m","message":{"role":"assistant","content":"A short "},"done":false}` + "\n" +
		`{"model":"m","message":{"role":"assistant","content":"answer."},"done":false}` + "\n" +
		`{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}` + "\n"
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(`"stream":true`)) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = io.WriteString(w, whole)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, pieces)
	}))
	defer upstream.Close()
	g := setup{upstreams: []*providers.Upstream{load(t, "local", "ollama", upstream.URL)}}.start(t)
	for _, request := range []string{ask("local/m"), askStream("local/m")} {
		equal(t, "text", listen(t, g.chat(t, request)).text, "A short answer.")
		if r := g.record(t); r.Ending != usage.Complete || r.Tokens.Input != 3 || r.Tokens.Output != 4 {
			t.Errorf("record is %+v", r)
		}
	}
}

func TestS22SignaturesAndItemsAreRemembered(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream %v", stream), func(t *testing.T) {
			for _, model := range contraryModels[1:] {
				g, srv := contraries(t, nil)
				next := toolLoop(t, g, srv, model, stream, "")
				srv.Script(testllm.Reply{})
				g.chat(t, fmt.Sprintf(loopRequest, model, stream, next))
				equal(t, "signatures sent back", strings.Count(lastBody(srv), signature), 1)
			}
			g, srv := contraries(t, nil)
			srv.Script(testllm.Reply{Text: "I am Claude."}, testllm.Reply{Text: "As I said."})
			first := g.do(t, http.MethodPost, "/v1/responses", fmt.Sprintf(`{"model":"claude/claude-opus-4-5","input":"Who are you?","stream":%v}`, stream))
			wantText(t, g.do(t, http.MethodPost, "/v1/responses", `{"model":"claude/claude-opus-4-5","stream":false,"input":[{"role":"user","content":"Who?"},{"type":"item_reference","id":"`+lastItem(t, first.body)+`"}]}`), "As I said.")
			if body := lastBody(srv); !strings.Contains(body, "I am Claude.") {
				t.Errorf("the provider did not get what it had said: %s", body)
			}
		})
	}
}

// A stream that is gathered for a client that wants one answer: what it took is
// settled even if it breaks off.
func TestS22StreamThatBreaksOffIsPaidFor(t *testing.T) {
	g, srv := contraries(t, nil)
	srv.Script(testllm.Reply{Text: "one two three four five six", CutAfter: 5, Cut: testllm.FIN})
	wantError(t, g.chat(t, strings.Replace(ask("chat/m"), "{", `{"stream":false,`, 1)), http.StatusBadGateway, "upstream_stream_error")
	if r := g.record(t); r.Ending != usage.Failed || r.Tokens.Input == 0 || r.Tokens.Output < 3 || !r.Tokens.Estimated {
		t.Errorf("record is %+v", r)
	}
}

// oneManner is a provider that says what it can.
type oneManner struct {
	providers.Provider
	whole, streamOnly bool
}

func (p oneManner) Chat(call providers.Call) providers.Endpoint {
	e := p.Provider.Chat(call)
	e.Whole, e.StreamOnly = p.whole, p.streamOnly
	return e
}

func TestProvidersOfOneMannerAreAskedInIt(t *testing.T) {
	for _, whole := range []bool{false, true} {
		for _, module := range []string{"openai_compatible", "anthropic", "gemini"} {
			srv := testllm.New(t)
			base := srv.URL
			if module == "openai_compatible" {
				base += "/v1"
			}
			p := load(t, "p", module, base)
			p.Provider = oneManner{p.Provider, whole, !whole}
			g := setup{
				upstreams: []*providers.Upstream{p},
				change: func(g *gateway.Gateway) {
					g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
				},
			}.start(t)
			for _, d := range dialects {
				for _, stream := range []bool{false, true} {
					srv.Script(testllm.Reply{Text: "A short answer."})
					path, body := d.path, d.body
					if stream {
						path, body = d.streamPath, d.streamBody
					}
					got := g.do(t, http.MethodPost, forModel(path, "p/m"), forModel(body, "p/m"), d.header...)
					wantText(t, got, "answer.")
					if stream {
						wantText(t, got, d.ends)
					}
					calls := srv.Calls()
					equal(t, fmt.Sprintf("%s to %s, stream %v: asked for a stream", d.name, module, stream), calls[len(calls)-1].Stream, !whole)
					if r := g.record(t); r.Tokens.Output != 12 || r.Ending != usage.Complete {
						t.Errorf("record is %+v", r)
					}
				}
			}
		}
	}
}
