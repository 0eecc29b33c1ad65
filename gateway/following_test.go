package gateway_test

import (
	"context"
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
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// following waits until so many calls follow others.
func following(t testing.TB, flights *answers.Flights, n int64) {
	t.Helper()
	for deadline := time.Now().Add(patience); flights.Stats().Followed < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d calls follow, want %d", flights.Stats().Followed, n)
		}
	}
}

// flightsOf has a cache whose flights can be counted.
func flightsOf(t testing.TB, edit ...func(*gateway.Cache)) (func(*gateway.Gateway), *answers.Flights) {
	t.Helper()
	change := cached(t, edit...)
	var probe gateway.Gateway
	change(&probe)
	return change, probe.Cache.Flights
}

// together asks n times at once, with the provider held until all but one follow.
func together(t *testing.T, g *gate, srv *testllm.Server, flights *answers.Flights, n int, body string) []answer {
	t.Helper()
	list := make([]answer, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { list[i] = g.chat(t, body) })
	}
	srv.WaitCalls(t, 1)
	following(t, flights, int64(n-1))
	srv.Release()
	wait.Wait()
	return list
}

func TestCacheCollapsesWholeAnswers(t *testing.T) {
	change, flights := flightsOf(t)
	g, srv := single(t, change)
	srv.Script(testllm.Reply{Text: "one two", Hold: true})
	for _, a := range together(t, g, srv, flights, 20, ask("openai/m")) {
		wantText(t, a, "one two")
	}
	wantCalls(t, srv, 1)
	words := make(map[string]int)
	for range 20 {
		r := g.record(t)
		words[r.Cache]++
		if r.Cache == "collapsed" && (r.Tokens.Cost != 0 || r.Attempts != 0 || r.Finish != "stop" || r.Ending != usage.Complete) {
			t.Errorf("record is %+v", r)
		}
	}
	equal(t, "collapsed", words["collapsed"], 19)
}

// A whole answer is made of the stream that another call asked for, and the other way round.
func TestCacheFollowersInAnotherManner(t *testing.T) {
	for _, stream := range []bool{true, false} {
		change, flights := flightsOf(t)
		g, srv := single(t, change)
		srv.Script(testllm.Reply{Text: "one two", Hold: true})
		message := `"messages":[{"role":"user","content":"hi"}]}`
		bodies := []string{`{"model":"openai/m",` + message, `{"model":"openai/m","stream":true,` + message, `{"model":"openai/m","stream":true,"stream_options":{"include_usage":true},` + message}
		if stream {
			bodies[0], bodies[2] = bodies[2], bodies[0]
		}
		var wait sync.WaitGroup
		list := make([]answer, len(bodies))
		for i, body := range bodies {
			wait.Go(func() { list[i] = g.chat(t, body) })
			if i == 0 {
				srv.WaitCalls(t, 1)
			}
		}
		following(t, flights, 2)
		srv.Release()
		wait.Wait()
		for i, a := range list {
			wantText(t, a, "two")
			equal(t, "usage", strings.Contains(a.body, "prompt_tokens"), !strings.Contains(bodies[i], "stream") || strings.Contains(bodies[i], "include"))
		}
		wantCalls(t, srv, 1)
	}
}

func TestCacheSharesWhatEveryCallWouldMeet(t *testing.T) {
	change, flights := flightsOf(t)
	g, srv := single(t, change)
	srv.On(func(*testllm.Call) testllm.Reply {
		return testllm.Reply{Hold: true, Status: 400, Error: testllm.Error{Message: "no such thing"}}
	})
	for _, a := range together(t, g, srv, flights, 10, ask("openai/m")) {
		equal(t, "status", a.status, 400)
		wantText(t, answer{status: 200, body: a.body}, "no such thing")
	}
	wantCalls(t, srv, 1)
}

// Other errors send those who wait their own ways.
func TestCacheFollowersGoAloneAfterAFailure(t *testing.T) {
	change, flights := flightsOf(t)
	g, srv := single(t, func(g *gateway.Gateway) { change(g); g.Retries = 0 })
	srv.Script(testllm.Reply{Hold: true, Status: 500}, testllm.Reply{Text: "fine"}, testllm.Reply{Text: "fine"})
	statuses := make(map[int]int)
	for _, a := range together(t, g, srv, flights, 3, ask("openai/m")) {
		statuses[a.status]++
	}
	equal(t, "good answers", statuses[200], 2)
	wantCalls(t, srv, 3)
}

func TestCacheFollowersOfABrokenStreamAreTold(t *testing.T) {
	change, _ := flightsOf(t)
	g, srv := single(t, change)
	srv.Script(testllm.Reply{Chunks: []string{"one ", "two ", "three"}, StallAfter: 3, CutAfter: 4})
	list := make([]*http.Response, 3)
	for i := range list {
		var err error
		if list[i], err = g.open(t.Context(), http.MethodPost, chatPath, askStream("openai/m")); err != nil {
			t.Fatal(err)
		}
		defer list[i].Body.Close()
	}
	srv.Release()
	for _, r := range list {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Count(string(body), `"error"`) != 1 || strings.Contains(string(body), "[DONE]") {
			t.Errorf("the stream is %q (%v)", body, err)
		}
	}
	for range list {
		equal(t, "ending", g.record(t).Ending, usage.Broken)
	}
	wantCalls(t, srv, 1)
	srv.Script(testllm.Reply{})
	equal(t, "stored", g.chat(t, askStream("openai/m")).header.Get("Cache-Status"), "llm_proxy; fwd=miss")
}

// When the last one has left the provider's work ends.
func TestCacheLastListenerEndsTheCall(t *testing.T) {
	change, _ := flightsOf(t)
	g, srv := single(t, change)
	srv.Script(testllm.Reply{Chunks: []string{"one ", "two ", "three"}, StallAfter: 3})
	ctx, leave := context.WithCancel(t.Context())
	for range 3 {
		r, err := g.open(ctx, http.MethodPost, chatPath, askStream("openai/m"))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
	}
	leave()
	srv.WaitCancelled(t, 1)
	for range 3 {
		equal(t, "ending", g.record(t).Ending, usage.ClientGone)
	}
	wantCalls(t, srv, 1)
}

// The end of the process is told to those who follow.
func TestCacheFollowersAreToldOfTheEnd(t *testing.T) {
	change, flights := flightsOf(t)
	var streams *gateway.Streams
	g, srv := single(t, func(g *gateway.Gateway) { change(g); streams = g.Streams })
	srv.Script(testllm.Reply{Hold: true})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			a := g.chat(t, ask("openai/m"))
			if a.status != 503 || !strings.Contains(a.body, "gateway_stopping") {
				t.Errorf("answer is %d %s", a.status, a.body)
			}
		})
	}
	following(t, flights, 1)
	streams.End()
	wait.Wait()
}

func TestCacheServesStaleAnswersInNeed(t *testing.T) {
	for _, body := range []string{ask("openai/m"), askStream("openai/m")} {
		change := cached(t, func(c *gateway.Cache) { c.Rules.TTL, c.Rules.StaleIfError = 20*time.Millisecond, time.Hour })
		g, srv := single(t, func(g *gateway.Gateway) { change(g); g.Retries = 0 })
		srv.Script(testllm.Reply{Text: "one two"}, testllm.Reply{Status: 500})
		first := g.chat(t, body)
		g.record(t)
		time.Sleep(30 * time.Millisecond)
		stale := g.chat(t, body)
		equal(t, "body", stale.body, first.body)
		cacheStatus(t, stale, "hit; ttl=-")
		r := g.record(t)
		equal(t, "record", r.Cache, "stale")
		equal(t, "ending", r.Ending, usage.Complete)
		equal(t, "attempts", r.Attempts, 1)
		strict := g.chat(t, body, "Cache-Control", "stale-if-error=0")
		equal(t, "status", strict.status, 500)
		g.record(t)
		wantCalls(t, srv, 3)
	}
}

func TestCacheAndResumableStreams(t *testing.T) {
	change := cached(t)
	g, srv := single(t, func(g *gateway.Gateway) { change(g); keeping(g) })
	first := g.chat(t, askStream("openai/m"))
	again := g.chat(t, askStream("openai/m"))
	cacheStatus(t, again, "hit")
	equal(t, "body", again.body, first.body)
	equal(t, "ids", strings.Count(again.body, "id: 1\n"), 1)
	if again.header.Get(streamID) == first.header.Get(streamID) {
		t.Error("both streams have one name")
	}
	rest := g.resume(t, chatPath, again.header.Get(streamID), 1)
	equal(t, "rest", rest.body, strings.Join(events(again.body)[1:], ""))
	wantCalls(t, srv, 1)
}

func TestCacheOfEmbeddingsAndCompletions(t *testing.T) {
	g, srv := single(t, cached(t))
	for path, body := range map[string]string{
		"/v1/embeddings":  `{"model":"openai/m","input":"hi"}`,
		"/v1/completions": `{"model":"openai/m","prompt":"hi"}`,
	} {
		if strings.HasSuffix(path, "completions") {
			srv.On(func(*testllm.Call) testllm.Reply {
				return testllm.Reply{Body: []byte(`{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"hello","finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)}
			})
		}
		before := len(srv.Calls())
		first := g.do(t, http.MethodPost, path, body)
		equal(t, "reason", g.record(t).CacheReason, "")
		again := g.do(t, http.MethodPost, path, body)
		cacheStatus(t, again, "hit")
		equal(t, "body", again.body, first.body)
		equal(t, "calls", len(srv.Calls())-before, 1)
		srv.On(nil)
	}
	cacheStatus(t, g.do(t, http.MethodPost, "/v1/moderations", `{"model":"openai/m","input":"hi"}`), "fwd=bypass; detail=operation")
}

// No answer reaches another key, whoever asks what at the same time.
func TestC01_CacheKeepsManyTenantsApart(t *testing.T) {
	tenants, calls := 64, 100
	if asksForLong() {
		calls = 10_000
	}
	srv := testllm.New(t)
	srv.On(func(c *testllm.Call) testllm.Reply { return testllm.Reply{Text: "from " + string(c.Body)} })
	s := setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", srv.URL+"/v1")}}
	for i := range tenants {
		s.keys = append(s.keys, auth.Key{ID: fmt.Sprint("k", i), Digests: []auth.Digest{auth.DigestOf(fmt.Sprint("secret-", i))}})
	}
	// Each tenant's own words stand in a member that does not count, as some
	// clients send: the answer tells whose call it was.
	body := `{"model":"openai/m","stream":%v,"user":"canary-%d-","messages":[{"role":"user","content":"q%d"}]}`
	s.change = cached(t)
	g := s.start(t)
	var wait sync.WaitGroup
	for i := range tenants {
		wait.Go(func() {
			for n := range calls {
				stream := n%2 == 0
				a := g.chat(t, fmt.Sprintf(body, stream, i, n/3%8), "Authorization", fmt.Sprint("Bearer secret-", i))
				<-g.began
				<-g.arrived
				if a.status != 200 || strings.Count(a.body, "canary-") != 1 || !strings.Contains(a.body, fmt.Sprintf("canary-%d-", i)) {
					t.Errorf("tenant %d got %d %s", i, a.status, a.body)
					return
				}
			}
		})
	}
	wait.Wait()
	if n := len(srv.Calls()); n < tenants*8 || n > tenants*16 {
		t.Errorf("the provider was asked %d times", n)
	}
}

// What another call has paid for counts as a request, and takes no tokens.
func TestCacheAndLimits(t *testing.T) {
	few := limits.Limit{Name: "rpm", Kind: limits.Requests, Amount: 3, Window: limits.PerMinute}
	change, flights := flightsOf(t)
	l := limit(t, rules(few, manyTokens), after(change))
	l.Script(testllm.Reply{Text: "one two", Hold: true})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { wantText(t, l.ask(t, ask("fake/priced")), "one two") })
	}
	l.WaitCalls(t, 1)
	following(t, flights, 1)
	l.Release()
	wait.Wait()
	l.record(t)
	l.record(t)
	used := l.used(t, limits.Tokens)
	equal(t, "tokens are used", used > 0 && used < 100, true)
	equal(t, "requests", l.used(t, limits.Requests), 2)
	cacheStatus(t, l.ask(t, ask("fake/priced")), "hit")
	l.record(t)
	equal(t, "tokens", l.used(t, limits.Tokens), used)
	equal(t, "requests", l.used(t, limits.Requests), 3)
	wantError(t, l.ask(t, ask("fake/priced")), 429, "rate_limit_exceeded")
	wantCalls(t, l.Server, 1)
}
