package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
)

// capped is a gateway whose model m is served by a and then by b, each with its limits.
type capped struct {
	*gate
	a, b    *testllm.Server
	limiter *limits.Limiter
	quotas  map[string]*gateway.UpstreamQuotas
}

func capProviders(t testing.TB, a, b *limits.Rules, change func(*gateway.Gateway)) *capped {
	t.Helper()
	c := &capped{limiter: newLimiter(t), quotas: map[string]*gateway.UpstreamQuotas{}}
	c.gate, c.a, c.b = pair(t, func(g *gateway.Gateway) {
		prices := priced(t)
		g.Catalog = prices
		g.Routes.Consult(prices)
		g.Quotas = &gateway.Quotas{
			Limiter:   func(context.Context) *limits.Limiter { return c.limiter },
			Upstreams: map[*providers.Upstream]*gateway.UpstreamQuotas{},
		}
		for i, r := range []*limits.Rules{a, b} {
			if u := g.Routes.Upstreams()[i]; r != nil {
				q := &gateway.UpstreamQuotas{All: r.Quota(limits.ScopeProvider, "", u.Name), Wait: r.Wait, Length: r.Length}
				g.Quotas.Upstreams[u], c.quotas[u.Name] = q, q
			}
		}
		if change != nil {
			change(g)
		}
	})
	return c
}

func (c *capped) used(t testing.TB, provider string, kind limits.Kind) int64 {
	t.Helper()
	return usedOf(t, c.limiter, c.quotas[provider].All, kind)
}

func TestTargetsThatAreFullArePassedOver(t *testing.T) {
	c := capProviders(t, rules(oneCall), nil, nil)
	for range 3 {
		equal(t, "status", c.chat(t, ask("m")).status, 200)
	}
	wantCalls(t, c.a, 1)
	wantCalls(t, c.b, 2)
	c.record(t)
	record := c.record(t)
	if len(record.Limits) != 1 || record.Limits[0].Scope != "provider" || record.Provider != "b" {
		t.Errorf("%+v", record)
	}
}

func TestWhereEveryTargetIsFullTheClientIsToldWhen(t *testing.T) {
	c := capProviders(t, rules(oneCall), rules(oneCall), nil)
	c.chat(t, ask("m"))
	c.chat(t, ask("m"))
	got := c.chat(t, ask("m"))
	wantError(t, got, 429, "rate_limit_exceeded")
	if got.header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	wantCalls(t, c.a, 1)
	wantCalls(t, c.b, 1)
}

func TestTargetsAreSettledAtTheirOwnCounts(t *testing.T) {
	c := capProviders(t, rules(manyTokens, oneAtATime), rules(manyTokens, oneAtATime), nil)
	c.a.Script(testllm.Reply{Body: []byte(`{"choices":`)}) // accepted, and unreadable
	c.b.Script(testllm.Reply{Usage: testllm.Usage{Input: 700, Output: 30}})
	equal(t, "status", c.chat(t, ask("m")).status, 200)
	record := c.record(t)
	equal(t, "tokens of b", c.used(t, "b", limits.Tokens), 730)
	equal(t, "tokens of a", c.used(t, "a", limits.Tokens), record.Failures[0].Tokens.Total())
	if record.Failures[0].Tokens.Total() == 0 {
		t.Error("an accepted call is free")
	}
	equal(t, "calls at a", c.used(t, "a", limits.Concurrency), 0)
	equal(t, "calls at b", c.used(t, "b", limits.Concurrency), 0)
}

func TestWhatATargetRefusedIsGivenBack(t *testing.T) {
	for name, test := range map[string]struct {
		reply testllm.Reply
		want  int64
	}{"refused": {testllm.Reply{Status: 429}, 1}, "failed": {testllm.Reply{Status: 503}, 1}} {
		t.Run(name, func(t *testing.T) {
			c := capProviders(t, rules(manyTokens, limits.Limit{Name: "rpm", Kind: limits.Requests, Amount: 5, Window: limits.PerMinute}), nil, nil)
			c.a.Script(test.reply)
			equal(t, "status", c.chat(t, ask("m")).status, 200)
			c.record(t)
			equal(t, "tokens", c.used(t, "a", limits.Tokens), 0)
			equal(t, "requests", c.used(t, "a", limits.Requests), test.want)
		})
	}
	t.Run("not sent", func(t *testing.T) {
		c := capProviders(t, rules(manyTokens, oneCall), nil, nil)
		c.a.Close()
		equal(t, "status", c.chat(t, ask("m")).status, 200)
		c.record(t)
		equal(t, "tokens", c.used(t, "a", limits.Tokens), 0)
		equal(t, "requests", c.used(t, "a", limits.Requests), 0)
	})
}

func TestAProvidersBudgetLeavesItOut(t *testing.T) {
	for name, test := range map[string]struct {
		limit limits.Limit
		model string
	}{"is used up": {noMoney, "model-a"}, "and no price": {tenDollars, "model-a"}} {
		t.Run(name, func(t *testing.T) {
			c := capProviders(t, rules(test.limit), nil, nil)
			equal(t, "status", c.chat(t, ask("m")).status, 200)
			wantCalls(t, c.a, 0)
			wantCalls(t, c.b, 1)
		})
	}
}

func TestKeysWithRoomAreTaken(t *testing.T) {
	srv, limiter := testllm.New(t), newLimiter(t)
	g := setup{upstreams: []*providers.Upstream{loadKeys(t, "a", srv.URL+"/v1", `["one","two","three"]`)}, change: func(g *gateway.Gateway) {
		g.Quotas = &gateway.Quotas{Limiter: func(context.Context) *limits.Limiter { return limiter }}
		q := new(gateway.UpstreamQuotas)
		for _, key := range []string{"one", "two", "three"} {
			q.Keys = append(q.Keys, rules(limits.Limit{Name: "rpm", Kind: limits.Requests, Amount: 2, Window: limits.PerMinute}).Quota(limits.ScopeProviderKey, "", key))
		}
		g.Quotas.Upstreams = map[*providers.Upstream]*gateway.UpstreamQuotas{g.Routes.Upstreams()[0]: q}
	}}.start(t)
	for range 6 {
		equal(t, "status", g.chat(t, ask("a/x")).status, 200)
	}
	wantError(t, g.chat(t, ask("a/x")), 429, "rate_limit_exceeded")
	times := map[string]int{}
	for _, call := range srv.Calls() {
		times[call.Header.Get("Authorization")]++
	}
	if len(times) != 3 || times["Bearer one"] != 2 || times["Bearer two"] != 2 {
		t.Errorf("%v", times)
	}
}

func TestCallsWaitForAFullProvider(t *testing.T) {
	waiting := rules(oneAtATime)
	waiting.Wait, waiting.Length = patience, 10
	for name, c := range map[string]*capped{
		"by its own queue": capProviders(t, waiting, rules(oneAtATime), nil),
		"by the handler's": capProviders(t, rules(oneAtATime), rules(oneAtATime), queueing(patience, 10)),
	} {
		t.Run(name, func(t *testing.T) {
			c.a.Script(testllm.Reply{Hold: true}, testllm.Reply{})
			c.b.Script(testllm.Reply{Hold: true}, testllm.Reply{})
			done := make(chan answer, 3)
			go func() { done <- c.chat(t, ask("m")) }()
			c.a.WaitCalls(t, 1)
			go func() { done <- c.chat(t, ask("m")) }()
			c.b.WaitCalls(t, 1)
			go func() { done <- c.chat(t, ask("m")) }()
			for deadline := time.Now().Add(patience); c.limiter.Waiting() == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("nobody waits")
				}
			}
			c.a.Release()
			equal(t, "status", (<-done).status, 200)
			equal(t, "status", (<-done).status, 200)
			c.b.Release()
			equal(t, "status", (<-done).status, 200)
			wantCalls(t, c.a, 2)
			wantCalls(t, c.b, 1)
		})
	}
}

func TestExplainSaysWhatWouldBeReserved(t *testing.T) {
	var gw *gateway.Gateway
	l := limit(t, rules(aCent, oneCall), after(func(g *gateway.Gateway) {
		gw = g
		u := g.Routes.Upstreams()[0]
		g.Quotas.Upstreams = map[*providers.Upstream]*gateway.UpstreamQuotas{u: {All: rules(manyTokens).Quota(limits.ScopeProvider, "", u.Name)}}
	}))
	explain := func(body string) *gateway.Explanation {
		r := httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(body))
		x, err := gw.Explain(r, "app")
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := explain(`{"model":"fake/priced","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`)
	text, _ := json.Marshal(x)
	if len(x.Limits) != 2 || x.Limits[0].Scope != "key" || x.Limits[0].Max != "0.01" || x.Limits[0].Refuses || x.Limits[1].Reserve != "1" ||
		len(x.Targets) != 1 || len(x.Targets[0].Limits) != 1 || x.Targets[0].Limits[0].Scope != "provider" || x.Error != nil {
		t.Errorf("%s", text)
	}
	x = explain(`{"model":"fake/priced","max_tokens":64000,"messages":[{"role":"user","content":"hi"}]}`)
	if x.Error == nil || x.Error.Code != "insufficient_quota" || !x.Limits[0].Refuses {
		t.Errorf("%+v", x.Error)
	}
	if x = explain(ask("fake/nobody")); x.Error == nil || x.Error.Code != "model_unpriced" {
		t.Errorf("%+v", x.Error)
	}
	equal(t, "requests", l.used(t, limits.Requests), 0)
	wantCalls(t, l.Server, 0)
}

// Who comes back to a stream is charged a request and nothing else.
func TestComingBackToAStreamTakesARequest(t *testing.T) {
	l := limit(t, rules(noMoneyLeft, limits.Limit{Name: "rpd", Kind: limits.Requests, Amount: 3, Window: limits.PerDay}), after(func(g *gateway.Gateway) {
		g.Kept = gateway.NewKeptStreams()
		t.Cleanup(func() { _ = g.Kept.Destruct() })
		g.Stream.Resumable = time.Minute
	}))
	first := l.ask(t, askStream("fake/priced"))
	id := first.header.Get("X-Llm-Stream-Id")
	l.record(t)
	spend(t, l)
	again := l.ask(t, "{}", "X-Llm-Stream-Id", id)
	equal(t, "status", again.status, 200)
	equal(t, "requests", l.used(t, limits.Requests), 3)
	wantError(t, l.ask(t, "{}", "X-Llm-Stream-Id", id), 429, "rate_limit_exceeded")
	wantCalls(t, l.Server, 1)
}

// noMoneyLeft is enough for one call.
var noMoneyLeft = limits.Limit{Name: "budget per day", Kind: limits.Money, Amount: limits.Dollar / 10, Window: limits.PerDay}
