package gateway_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// left is what a provider says of its limit of requests.
func left(n int, reset string) http.Header {
	return http.Header{
		"X-Ratelimit-Limit-Requests": {"9"}, "X-Ratelimit-Remaining-Requests": {strconv.Itoa(n)}, "X-Ratelimit-Reset-Requests": {reset},
	}
}

func TestTargetsWithRoomAreAskedFirst(t *testing.T) {
	g, a, b := pair(t, nil)
	a.Script(testllm.Reply{Header: left(0, "1h")})
	for range 3 {
		equal(t, "status", g.chat(t, ask("m")).status, 200)
	}
	wantCalls(t, a, 1)
	wantCalls(t, b, 2)
	b.Script(testllm.Reply{Header: left(0, "1h")})
	g.chat(t, ask("m"))
	wantCalls(t, b, 3)
	// What providers say may be stale: with no room anywhere they are asked in their order.
	equal(t, "status", g.chat(t, ask("m")).status, 200)
	wantCalls(t, a, 2)
}

func TestTokensThatAreLeftMustDoForTheCall(t *testing.T) {
	g, a, b := pair(t, nil)
	a.Script(testllm.Reply{Header: http.Header{
		"X-Ratelimit-Limit-Tokens": {"5000"}, "X-Ratelimit-Remaining-Tokens": {"1000"}, "X-Ratelimit-Reset-Tokens": {"1h"},
	}})
	g.chat(t, ask("m"))
	g.chat(t, `{"model":"m","max_tokens":2000,"messages":[{"role":"user","content":"hi"}]}`)
	wantCalls(t, b, 1)
	g.chat(t, `{"model":"m","max_tokens":500,"messages":[{"role":"user","content":"hi"}]}`)
	wantCalls(t, a, 2)
}

func TestKeysWithRoomAreUsedFirst(t *testing.T) {
	srv := testllm.New(t)
	srv.On(func(call *testllm.Call) testllm.Reply {
		if call.Header.Get("Authorization") == "Bearer one" {
			return testllm.Reply{Header: left(0, "1h")}
		}
		return testllm.Reply{Header: left(5, "1h")}
	})
	g := setup{upstreams: []*providers.Upstream{loadKeys(t, "a", srv.URL+"/v1", `["one","two"]`)}}.start(t)
	ones := 0
	for range 6 {
		g.chat(t, ask("a/x"))
	}
	for _, call := range srv.Calls() {
		if call.Header.Get("Authorization") == "Bearer one" {
			ones++
		}
	}
	equal(t, "calls with the key that is used up", ones, 1)
}

func queueing(wait time.Duration, length int64) func(*gateway.Gateway) {
	return func(g *gateway.Gateway) { g.Queue = &gateway.Queue{Wait: wait, Length: length} }
}

func TestCallsWaitUntilATargetHasRoom(t *testing.T) {
	t.Run("as its header said", func(t *testing.T) {
		g, srv := single(t, queueing(patience, 10))
		srv.Script(testllm.Reply{Header: left(0, "200ms")})
		g.chat(t, ask("openai/x"))
		equal(t, "queued", g.record(t).Queued, 0)
		equal(t, "status", g.chat(t, ask("openai/x")).status, 200)
		if queued := g.record(t).Queued; queued < 100*time.Millisecond {
			t.Errorf("the call waited for %s", queued)
		}
	})
	t.Run("as its refusal said", func(t *testing.T) {
		g, srv := single(t, func(g *gateway.Gateway) {
			queueing(patience, 10)(g)
			g.Retries = 0
		})
		srv.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After-Ms": {"200"}}}, testllm.Reply{})
		equal(t, "status", g.chat(t, ask("openai/x")).status, 429)
		g.record(t)
		equal(t, "status", g.chat(t, ask("openai/x")).status, 200)
		equal(t, "attempts", g.record(t).Attempts, 1)
	})
}

func TestWaitsThatAreTooLongAreTheClients(t *testing.T) {
	for name, change := range map[string]func(*gateway.Gateway){
		"no queue": nil, "a short one": queueing(time.Second, 10), "a full one": queueing(time.Hour, 0),
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := single(t, change)
			srv.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"50"}}})
			g.chat(t, ask("openai/x"))
			got := g.chat(t, ask("openai/x"))
			wantError(t, got, 429, "rate_limit_exceeded")
			equal(t, "Retry-After", got.header.Get("Retry-After"), "50")
			wantCalls(t, srv, 1)
		})
	}
}

func TestClientsMayLeaveTheQueue(t *testing.T) {
	g, srv := single(t, queueing(time.Hour, 10))
	srv.Script(testllm.Reply{Header: left(0, "30m")})
	g.chat(t, ask("openai/x"))
	g.record(t)
	<-g.began
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if response, err := g.open(ctx, http.MethodPost, chatPath, ask("openai/x")); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-g.began
	leave()
	<-done
	equal(t, "ending", g.record(t).Ending, usage.ClientGone)
	wantCalls(t, srv, 1)
}
