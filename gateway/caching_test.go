package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/cache/answers"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// cached gives a gateway a cache in memory.
func cached(t testing.TB, edit ...func(*gateway.Cache)) func(*gateway.Gateway) {
	t.Helper()
	store, err := answers.NewMemory(answers.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	cache := &gateway.Cache{
		Store: store, Flights: answers.NewFlights(answers.FlightOptions{}),
		Rules: answers.Rules{TTL: time.Hour},
	}
	for _, e := range edit {
		e(cache)
	}
	return func(g *gateway.Gateway) { g.Cache = cache }
}

// cacheStatus fails unless the answer says so in Cache-Status.
func cacheStatus(t testing.TB, a answer, part string) {
	t.Helper()
	if got := a.header.Get("Cache-Status"); !strings.Contains(got, part) {
		t.Errorf("Cache-Status is %q, want %q (answer %d %.200s)", got, part, a.status, a.body)
	}
}

func TestCacheServesTheSameAnswerAgain(t *testing.T) {
	g, srv := single(t, cached(t))
	srv.On(func(c *testllm.Call) testllm.Reply { return testllm.Reply{Text: "one two three"} })
	first := g.chat(t, `{"model":"openai/m","messages":[{"role":"user","content":"hi"}]}`)
	cacheStatus(t, first, "llm_proxy; fwd=miss")
	equal(t, "record", g.record(t).Cache, "miss")
	again := g.chat(t, `{ "messages":[{"content":"hi","role":"user"}], "model":"openai/m" }`)
	cacheStatus(t, again, "llm_proxy; hit; ttl=")
	equal(t, "body", again.body, first.body)
	equal(t, "age", again.header.Get("Age"), "0")
	equal(t, "length", again.header.Get("Content-Length"), fmt.Sprint(len(first.body)))
	r := g.record(t)
	equal(t, "record", r.Cache, "hit")
	equal(t, "attempts", r.Attempts, 0)
	equal(t, "ending", r.Ending, usage.Complete)
	equal(t, "provider", r.Provider+"/"+r.Model, "openai/m")
	equal(t, "input", r.Tokens.Input > 0, true)
	equal(t, "cost", r.Tokens.Cost, 0)
	equal(t, "finish", r.Finish, "stop")
	wantCalls(t, srv, 1)
	for _, other := range []string{
		`{"model":"openai/m","messages":[{"role":"user","content":"hi"}],"temperature":0.1}`,
		`{"model":"openai/other","messages":[{"role":"user","content":"hi"}]}`,
		`{"model":"openai/m","messages":[{"role":"user","content":"hi"}],"unknown":1}`,
	} {
		cacheStatus(t, g.chat(t, other), "fwd=miss")
	}
	wantCalls(t, srv, 4)
}

// C-06: what was stored in one manner is served in either, in every format.
func TestC06_CacheServesEitherManner(t *testing.T) {
	for _, provider := range []string{"chat", "claude", "google"} {
		for _, d := range dialects {
			for _, streamFirst := range []bool{false, true} {
				t.Run(fmt.Sprint(provider, " ", d.name, " stream first ", streamFirst), func(t *testing.T) {
					g, srv := vendors(t, cached(t))
					srv.On(func(*testllm.Call) testllm.Reply { return testllm.Reply{Text: "one two three"} })
					model := provider + "/m"
					request := func(stream bool) answer {
						path, body := d.path, d.body
						if stream {
							path, body = d.streamPath, d.streamBody
						}
						a := g.do(t, http.MethodPost, forModel(path, model), forModel(body, model), d.header...)
						if a.status != 200 || !strings.Contains(a.body, "three") {
							t.Fatalf("answer %d %s", a.status, a.body)
						}
						if stream && !strings.Contains(a.body, d.ends) {
							t.Errorf("the stream has no end: %s", a.body)
						}
						if !stream && !json.Valid([]byte(a.body)) {
							t.Errorf("no JSON: %s", a.body)
						}
						g.record(t)
						return a
					}
					first := request(streamFirst)
					cacheStatus(t, first, "fwd=miss")
					same := request(streamFirst)
					cacheStatus(t, same, "hit")
					equal(t, "body", same.body, first.body)
					cacheStatus(t, request(!streamFirst), "hit")
					wantCalls(t, srv, 1)
				})
			}
		}
	}
}

// C-01: nobody gets the answer of another key.
func TestC01_CacheKeepsTenantsApart(t *testing.T) {
	srv := testllm.New(t)
	s := setup{
		upstreams: []*providers.Upstream{load(t, "openai", "openai", srv.URL+"/v1")},
		keys:      []auth.Key{{ID: "a", Digests: []auth.Digest{auth.DigestOf("sk-a")}}, {ID: "b", Digests: []auth.Digest{auth.DigestOf("sk-b")}}},
	}
	for scope, want := range map[answers.Scope]int{answers.ScopeKey: 2, answers.ScopeShared: 1} {
		s.change = cached(t, func(c *gateway.Cache) { c.Rules.Scope = scope })
		g := s.start(t)
		before := len(srv.Calls())
		for range 2 {
			for _, key := range []string{"sk-a", "sk-b"} {
				wantText(t, g.chat(t, ask("openai/m"), "Authorization", "Bearer "+key), "")
				g.record(t)
			}
		}
		equal(t, "calls", len(srv.Calls())-before, want)
	}
}

// C-03: what is not whole, or not to be kept, is not.
func TestC03_CacheLeavesOut(t *testing.T) {
	for name, test := range map[string]struct {
		reply  testllm.Reply
		more   string
		reason string
	}{
		"cut by length":  {reply: testllm.Reply{Finish: "length"}, reason: "length"},
		"filtered":       {reply: testllm.Reply{Finish: "content_filter"}, reason: "content_filter"},
		"calls":          {reply: testllm.Reply{Tools: []testllm.Tool{{Name: "f"}}}, reason: "tool_calls"},
		"error":          {reply: testllm.Reply{Status: 400}, reason: ""},
		"broken":         {reply: testllm.Reply{Text: "a b c", CutAfter: 3}, more: `,"stream":true`},
		"stored":         {more: `,"store":true`, reason: "stored_response"},
		"several":        {more: `,"n":2`, reason: "several_choices"},
		"searches":       {more: `,"web_search_options":{}`, reason: "server_tools"},
		"without usage":  {reply: testllm.Reply{NoUsage: true}, reason: "no_usage"},
		"stream, length": {reply: testllm.Reply{Finish: "length"}, more: `,"stream":true`, reason: "length"},
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := single(t, cached(t))
			srv.On(func(*testllm.Call) testllm.Reply { return test.reply })
			body := `{"model":"openai/m","messages":[{"role":"user","content":"hi"}]` + test.more + `}`
			for range 2 {
				g.chat(t, body)
				equal(t, "reason", g.record(t).CacheReason, test.reason)
			}
			wantCalls(t, srv, 2)
		})
	}
}

// C-07: clients rule.
func TestC07_CacheObeysClients(t *testing.T) {
	g, srv := single(t, cached(t))
	control := func(value string) answer {
		a := g.chat(t, ask("openai/m"), "Cache-Control", value)
		g.record(t)
		return a
	}
	a := control("only-if-cached")
	wantError(t, a, http.StatusGatewayTimeout, "not_cached")
	cacheStatus(t, control("no-store"), "fwd=request; detail=no_store")
	cacheStatus(t, control("max-age=60"), "fwd=miss")
	cacheStatus(t, control("max-age=60"), "hit")
	cacheStatus(t, control("only-if-cached"), "hit")
	cacheStatus(t, control("no-cache"), "fwd=request")
	cacheStatus(t, control("no-store"), "fwd=request")
	cacheStatus(t, control("min-fresh=7200"), "fwd=request")
	wantCalls(t, srv, 5)
	g, srv = single(t, cached(t, func(c *gateway.Cache) { c.Rules.IgnoreClient = true }))
	control("no-store")
	cacheStatus(t, control("no-store"), "hit")
	wantCalls(t, srv, 1)
}

func TestCacheOffSaysNothing(t *testing.T) {
	g, srv := single(t, nil)
	for range 2 {
		a := g.chat(t, ask("openai/m"))
		equal(t, "Cache-Status", a.header.Get("Cache-Status"), "")
		equal(t, "record", g.record(t).Cache, "")
	}
	wantCalls(t, srv, 2)
}

// C-04: calls that ask the same at once are one, which its first client does not end.
func TestC04_CacheCollapsesStreams(t *testing.T) {
	followers := 200
	if asksForLong() {
		followers = 1000
	}
	g, srv := single(t, cached(t))
	srv.Script(testllm.Reply{Chunks: []string{"one ", "two ", "three"}, StallAfter: 2})
	ctx, leave := context.WithCancel(t.Context())
	leader, err := g.open(ctx, http.MethodPost, chatPath, askStream("openai/m"))
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Body.Close()
	if _, err := leader.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range followers {
		response, err := g.open(t.Context(), http.MethodPost, chatPath, askStream("openai/m"))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "Cache-Status", response.Header.Get("Cache-Status"), "llm_proxy; fwd=miss; collapsed")
		wait.Go(func() {
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || !strings.Contains(string(body), "three") || !strings.HasSuffix(string(body), "data: [DONE]\n\n") {
				t.Errorf("a follower got %q (%v)", body, err)
			}
		})
	}
	leave()
	time.Sleep(20 * time.Millisecond) // let the gateway see it
	srv.Release()
	wait.Wait()
	wantCalls(t, srv, 1)
	words := make(map[string]int)
	for range followers + 1 {
		r := g.record(t)
		words[r.Cache+" "+string(r.Ending)]++
	}
	equal(t, "collapsed", words["collapsed complete"], followers)
	equal(t, "led", words["miss client_gone"], 1)
	again := g.chat(t, askStream("openai/m"))
	cacheStatus(t, again, "hit")
	wantCalls(t, srv, 1)
}
