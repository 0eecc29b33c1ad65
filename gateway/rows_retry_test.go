package gateway_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

// noBackoff makes every backoff so long that a test which meets one does not end.
func noBackoff(g *gateway.Gateway) {
	g.Backoff = gateway.Backoff{Transient: 1000 * time.Hour, Throttled: 1000 * time.Hour, Most: 1000 * time.Hour}
}

// where the first target refuses connections the second answers, without a backoff.
func TestR01RefusedConnection(t *testing.T) {
	for _, request := range []string{ask("m"), askStream("m")} {
		g, a, b := pair(t, noBackoff)
		a.Close()
		b.Script(testllm.Reply{Chunks: []string{foundText}})
		wantText(t, g.chat(t, request), foundText)
		record := g.record(t)
		equal(t, "attempts", record.Attempts, 2)
		equal(t, "possible duplicate", record.PossibleDuplicate, false)
		equal(t, "failures", len(record.Failures), 1)
		equal(t, "tokens of the failure", record.Failures[0].Tokens, usage.Tokens{})
		wantCalls(t, b, 1)
	}
}

// what a 429 asks for is kept where it is short, is the client's where it is
// long, and is ignored where it is garbage. Most is 0.3 s here.
func TestR02RetryAfter(t *testing.T) {
	in90s := time.Now().Add(91 * time.Second).UTC().Format(http.TimeFormat)
	for _, test := range []struct {
		name, field, value string
		status             int
		least              time.Duration // between the attempts
		told, retry        string
	}{
		{"short", "Retry-After", "0.2", 200, 200 * time.Millisecond, "", ""},
		{"short, in milliseconds", "Retry-After-Ms", "150", 200, 150 * time.Millisecond, "", ""},
		{"1", "Retry-After", "1", 429, 0, "1", ""},
		{"30", "Retry-After", "30", 429, 0, "30", ""},
		{"7200", "Retry-After", "7200", 429, 0, "7200", "false"},
		{"date", "Retry-After", in90s, 429, 0, "9", "false"}, // about 90
		{"date of the past", "Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT", 200, 0, "", ""},
		{"-5", "Retry-After", "-5", 200, 0, "", ""},
		{"abc", "Retry-After", "abc", 200, 0, "", ""},
		{"NaN", "Retry-After", "NaN", 200, 0, "", ""},
		{"empty", "Retry-After", "", 200, 0, "", ""},
		{"for ever", "Retry-After", "1e300", 200, 0, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			busy := testllm.Reply{Status: 429, Header: http.Header{test.field: {test.value}}}
			var asked []time.Time
			g, srv := single(t, func(g *gateway.Gateway) { g.Backoff.Most = 300 * time.Millisecond })
			srv.On(func(c *testllm.Call) testllm.Reply {
				asked = append(asked, time.Now())
				if c.Index > 0 {
					return testllm.Reply{}
				}
				return busy
			})
			got := g.chat(t, ask("openai/x"))
			equal(t, "status", got.status, test.status)
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), test.retry)
			if wait := got.header.Get("Retry-After"); !strings.HasPrefix(wait, test.told) || (wait == "") != (test.told == "") {
				t.Errorf("Retry-After is %q, want %q", wait, test.told)
			}
			if test.status == 429 { // the next call does not even ask
				equal(t, "status", g.chat(t, ask("openai/x")).status, 429)
				wantCalls(t, srv, 1)
				return
			}
			wantCalls(t, srv, 2)
			if gap := asked[1].Sub(asked[0]); gap < test.least {
				t.Errorf("the second attempt came after %v, want %v", gap, test.least)
			}

			// Another target is asked at once, whatever the first asks for.
			g, a, b := pair(t, noBackoff)
			a.Script(busy)
			b.Script(testllm.Reply{Chunks: []string{foundText}})
			wantText(t, g.chat(t, ask("m")), foundText)
			wantCalls(t, a, 1)
		})
	}
}

// R-02 with a target that is left alone: other calls do not ask it either.
func TestR02OthersWaitToo(t *testing.T) {
	g, a, b := pair(t, noBackoff)
	a.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"30"}}})
	for range 10 {
		equal(t, "status", g.chat(t, ask("m")).status, 200)
	}
	wantCalls(t, a, 1)
	wantCalls(t, b, 10)
}

// The client is told when the first of all targets is ready again.
func TestClientIsToldTheSoonest(t *testing.T) {
	g, a, b := pair(t, nil)
	a.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"50"}}})
	b.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"20"}}})
	for range 2 { // the second time without asking
		got := g.chat(t, ask("m"))
		equal(t, "status", got.status, 429)
		equal(t, "Retry-After", got.header.Get("Retry-After"), "20")
	}
	wantCalls(t, a, 1)
	wantCalls(t, b, 1)
}

// keysAsked counts the calls by their key.
func keysAsked(srv *testllm.Server) map[string]int {
	asked := make(map[string]int)
	for _, call := range srv.Calls() {
		asked[strings.TrimPrefix(call.Header.Get("Authorization"), "Bearer ")]++
	}
	return asked
}

// refuseKey answers calls with one key so, and all others well.
func refuseKey(srv *testllm.Server, key string, reply testllm.Reply) {
	srv.On(func(c *testllm.Call) testllm.Reply {
		if c.Header.Get("Authorization") == "Bearer "+key {
			return reply
		}
		return testllm.Reply{}
	})
}

// a key without money is left alone, also by the next config; its target is kept.
func TestR03KeyWithoutQuota(t *testing.T) {
	for name, reply := range map[string]testllm.Reply{
		"quota":   {Status: 429, Error: testllm.Error{Code: "insufficient_quota"}},
		"payment": {Status: 402},
		"refused": {Status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			known := new(shared)
			srv := testllm.New(t)
			refuseKey(srv, "key-1", reply)
			start := func() *gate {
				return setup{
					upstreams: []*providers.Upstream{loadKeys(t, "a", srv.URL+"/v1", `["key-1","key-2","key-3"]`)},
					aliases:   []alias{{name: "m", to: []string{"a/x"}}}, health: known.of, change: noBackoff,
				}.start(t)
			}
			g := start()
			for range 20 {
				equal(t, "status", g.chat(t, ask("m")).status, 200)
			}
			g = start() // a reload
			for range 20 {
				equal(t, "status", g.chat(t, ask("m")).status, 200)
			}
			asked := keysAsked(srv)
			if asked["key-1"] != 1 || asked["key-2"] < 18 || asked["key-3"] < 18 {
				t.Errorf("the keys were used %v times", asked)
			}
		})
	}
}

// Keys that are known to be blocked are not tried one after another.
func TestBlockedKeysCostNoAttempts(t *testing.T) {
	known := new(shared)
	a, b := testllm.New(t), testllm.New(t)
	first := loadKeys(t, "a", a.URL+"/v1", `["key-1","key-2","key-3"]`)
	prints := first.Base().Fingerprints()
	g := setup{
		upstreams: []*providers.Upstream{first, load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}}}, health: known.of, change: noBackoff,
	}.start(t)
	known.models["a"].RefuseKey(prints[0], time.Now().Add(time.Hour))
	known.models["a"].Model("x").RefuseKey(prints[2], time.Now().Add(time.Hour))
	a.Script(testllm.Reply{Status: 429})
	for range 5 {
		equal(t, "status", g.chat(t, ask("m")).status, 200)
		equal(t, "attempts", g.record(t).Attempts, 2)
	}
	if asked := keysAsked(a); asked["key-2"] != 5 || len(asked) != 1 {
		t.Errorf("the keys were used %v times", asked)
	}
}

// pairOfKeys is a pair whose first provider has two keys.
func pairOfKeys(t *testing.T, change ...func(*gateway.Gateway)) (g *gate, a, b *testllm.Server) {
	t.Helper()
	a, b = testllm.New(t), testllm.New(t)
	return setup{
		upstreams: []*providers.Upstream{loadKeys(t, "a", a.URL+"/v1", `["key-1","key-2"]`), load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}}},
		change: func(g *gateway.Gateway) {
			for _, change := range change {
				change(g)
			}
		},
	}.start(t), a, b
}

// A breaker that opens between two keys of one target leads to the next target.
func TestOtherKeyOfATargetThatOpened(t *testing.T) {
	g, a, b := pairOfKeys(t, noBackoff, func(g *gateway.Gateway) { g.Breaker.Samples = 1 })
	a.Script(testllm.Reply{Status: 429})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	response, err := g.open(ctx, http.MethodPost, chatPath, ask("m"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	equal(t, "status", response.StatusCode, 200)
	wantCalls(t, a, 1)
	wantCalls(t, b, 1)
}

// errors that the request deserves are not retried; our own credential's are
// not shown as the client's.
func TestR04DeterministicErrors(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 413, 422} {
		for _, request := range []string{ask("openai/x"), askStream("openai/x")} {
			g, srv := single(t, noBackoff)
			srv.Script(testllm.Reply{Status: status})
			got := g.chat(t, request)
			if status == 401 || status == 403 {
				wantError(t, got, 502, "upstream_auth_error")
			} else {
				equal(t, "status", got.status, status)
			}
			wantCalls(t, srv, 1)
			equal(t, "attempts", g.record(t).Attempts, 1)
		}
	}
}

// a right that a key lacks keeps nobody from asking again.
func TestR04ForbiddenIsAskedAgain(t *testing.T) {
	g, srv := single(t, noBackoff)
	srv.Script(testllm.Reply{Status: 403}, testllm.Reply{})
	wantError(t, g.chat(t, ask("openai/x")), 502, "upstream_auth_error")
	equal(t, "status", g.chat(t, ask("openai/x")).status, 200)
}

// a connection that breaks after the request is sent once more, elsewhere.
func TestR05ResetAfterTheBody(t *testing.T) {
	for _, request := range []string{ask("m"), askStream("m")} {
		g, servers := chain(t, 3, noBackoff)
		servers[0].Script(testllm.Reply{ResetConnection: true})
		equal(t, "status", g.chat(t, request).status, 200)
		record := g.record(t)
		equal(t, "possible duplicate", record.PossibleDuplicate, true)
		equal(t, "failures", len(record.Failures), 1)

		g, servers = chain(t, 3, noBackoff)
		for _, srv := range servers {
			srv.Script(testllm.Reply{ResetConnection: true})
		}
		got := g.chat(t, request)
		wantError(t, got, 502, "upstream_error")
		equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
		for i, want := range []int{1, 1, 0} {
			wantCalls(t, servers[i], want)
		}
	}
}

// what was never sent again is no duplicate.
func TestR05OnlyWhatWasSentIsADuplicate(t *testing.T) {
	g, servers := chain(t, 2, noBackoff)
	servers[0].Script(testllm.Reply{ResetConnection: true})
	servers[1].Close()
	got := g.chat(t, ask("m"))
	equal(t, "status", got.status, 502)
	equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
	equal(t, "possible duplicate", g.record(t).PossibleDuplicate, false)
}

// the deadline bounds all attempts together.
func TestR11Deadline(t *testing.T) {
	animals := healthy(3)
	animals[0].fails, animals[0].failAfter = always, 2900*time.Millisecond
	animals[1].first = time.Minute
	simulate(t, nil, animals, func(s *simulation) {
		got := s.ask(0)
		record := s.records[0]
		equal(t, "status", got.Code, http.StatusInternalServerError) // the first error says more
		equal(t, "duration", record.Duration, 3*time.Second)
		equal(t, "attempts", record.Attempts, 2)
		s.settled()
	}, func(g *gateway.Gateway) { g.Limits.Total = 3 * time.Second })

	animals = healthy(1)
	animals[0].first = time.Minute
	simulate(t, nil, animals, func(s *simulation) {
		equal(t, "status", s.ask(0).Code, http.StatusGatewayTimeout)
		equal(t, "duration", s.records[0].Duration, 3*time.Second)
	}, func(g *gateway.Gateway) { g.Limits.Total = 3 * time.Second })
}

// R-11 over sockets.
func TestR11Live(t *testing.T) {
	g, a, b := pair(t, func(g *gateway.Gateway) { g.Limits.Total = 200 * time.Millisecond })
	a.Script(testllm.Reply{Status: 500, Delay: 100 * time.Millisecond})
	b.Script(testllm.Reply{Hold: true})
	equal(t, "status", g.chat(t, ask("m")).status, 500)
	record := g.record(t)
	if record.Duration < 200*time.Millisecond || record.Duration > 2*time.Second {
		t.Errorf("it took %v", record.Duration)
	}
	g, srv := single(t, func(g *gateway.Gateway) { g.Limits.Total = 50 * time.Millisecond })
	srv.Script(testllm.Reply{Hold: true})
	wantError(t, g.chat(t, ask("openai/x")), 504, "upstream_timeout")
}

// A slow answer that nothing could replace is not given up for its silence.
func TestSilenceOfTheLastChance(t *testing.T) {
	animals := healthy(3)
	animals[0].first, animals[1].first = time.Hour, 3*time.Minute
	simulate(t, nil, animals, func(s *simulation) {
		equal(t, "status", s.ask(0).Code, http.StatusOK)
		record := s.records[0]
		equal(t, "provider", record.Provider, "p1") // what p0 may have answered is sent once more
		equal(t, "possible duplicate", record.PossibleDuplicate, true)
	})
}

// openaiPython is how the official SDK for Python retries (its _base_client.py).
type openaiPython struct {
	g     *gate
	sleep func(time.Duration)
}

func (c openaiPython) call(t *testing.T, body string) (status, tries int) {
	for tries = 1; ; tries++ {
		response, err := c.g.open(t.Context(), http.MethodPost, chatPath, body)
		header := http.Header{}
		status = 0
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			status, header = response.StatusCode, response.Header
		}
		if status == http.StatusOK || tries > 2 || err == nil && !retries(status, header) {
			return status, tries
		}
		// Up to a minute it keeps to what it is told, else half a second that doubles.
		wait, _ := strconv.ParseFloat(header.Get("Retry-After"), 64)
		if wait <= 0 || wait > 60 {
			wait = min(0.5*float64(int(1)<<(tries-1)), 8) * (1 - 0.25*rand.Float64())
		}
		c.sleep(time.Duration(wait * float64(time.Second)))
	}
}

func retries(status int, header http.Header) bool {
	switch header.Get("X-Should-Retry") {
	case "true":
		return true
	case "false":
		return false
	}
	return status == 408 || status == 409 || status == 429 || status >= 500
}

// an SDK that retries in front of the gateway does not multiply an outage.
func TestR12SDKInFront(t *testing.T) {
	for _, test := range []struct {
		name  string
		reply testllm.Reply
		most  int
	}{
		{"internal error", testllm.Reply{Status: 500}, 3},
		{"bad gateway", testllm.Reply{Status: 502}, 3},
		{"unavailable", testllm.Reply{Status: 503}, 3},
		{"gateway timeout", testllm.Reply{Status: 504}, 3},
		{"overloaded", testllm.Reply{Status: 529}, 3},
		{"request timeout", testllm.Reply{Status: 408}, 3},
		{"conflict", testllm.Reply{Status: 409}, 3},
		{"rate limit", testllm.Reply{Status: 429}, 3},
		{"rate limit for long", testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"600"}}}, 3},
		{"unavailable for a while", testllm.Reply{Status: 503, Header: http.Header{"Retry-After": {"20"}}}, 3},
		{"quota", testllm.Reply{Status: 429, Error: testllm.Error{Code: "insufficient_quota"}}, 3},
		{"credential", testllm.Reply{Status: 401}, 3},
		{"bad request", testllm.Reply{Status: 400}, 1},
		{"reset", testllm.Reply{ResetConnection: true}, 3},
		{"cut", testllm.Reply{CutAfter: testllm.AtOnce}, 3},
		{"garbage", testllm.Reply{Body: []byte("{")}, 3},
	} {
		for n := 1; n <= 3; n++ {
			for _, request := range []string{ask("m"), askStream("m")} {
				g, servers := chain(t, n, nil)
				for _, srv := range servers {
					srv.Script(test.reply)
				}
				client := openaiPython{g, func(time.Duration) {}} // it comes back at once, which is the worst
				status, tries := client.call(t, request)
				asked := 0
				for _, srv := range servers {
					asked += len(srv.Calls())
				}
				if asked > test.most || status == http.StatusOK {
					t.Errorf("%s, %d targets: %d requests to providers in %d tries, the last with status %d", test.name, n, asked, tries, status)
				}
			}
		}
	}
}

// R-12 where providers say when to come again: the gateway waits, and after it the
// SDK does, as both are told. What that sums up to is bounded by both together.
func TestR12SDKThatWaits(t *testing.T) {
	for _, test := range []struct {
		status int
		wait   string
		most   int // requests to providers for one call of the user
	}{{500, "", 3}, {503, "", 3}, {429, "", 3}, {503, "5", 9}, {429, "5", 9}, {429, "45", 3}, {429, "90", 1}} {
		animals := healthy(1)
		animals[0].fails, animals[0].status, animals[0].wait = always, test.status, test.wait
		simulate(t, nil, animals, func(s *simulation) {
			tries := 0
			for ; tries < 3; tries++ {
				got := s.ask(0)
				if !retries(got.Code, got.Header()) {
					tries++
					break
				}
				wait, _ := strconv.ParseFloat(got.Header().Get("Retry-After"), 64)
				time.Sleep(time.Duration(max(wait, 0.5) * float64(time.Second)))
			}
			asked := len(animals[0].calls)
			t.Logf("%d with Retry-After %q: %d requests to the provider in %d tries and %v", test.status, test.wait, asked, tries, time.Since(s.start))
			if asked > test.most {
				t.Errorf("%d with Retry-After %q: %d requests to the provider, want at most %d", test.status, test.wait, asked, test.most)
			}
			s.settled()
		})
	}
}

// R-12 with dead ports: nothing comes to a provider, and once the breakers are
// open nothing is tried.
func TestR12DeadPorts(t *testing.T) {
	g, servers := chain(t, 3, nil)
	for _, srv := range servers {
		srv.Close()
	}
	for range 10 {
		client := openaiPython{g, func(time.Duration) {}}
		client.call(t, ask("m"))
	}
	attempts := 0
	for _, record := range g.settled {
		attempts += record.Attempts
	}
	if attempts > 15 {
		t.Errorf("%d attempts", attempts)
	}
}

// a fallback that the caller may not use is not asked; the error is the primary's.
func TestR13ForbiddenFallback(t *testing.T) {
	a, b := testllm.New(t), testllm.New(t)
	a.Script(testllm.Reply{Status: 500, Error: testllm.Error{Message: "of the primary"}})
	config := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x"}, fallback: []string{"n"}}, {name: "n", to: []string{"b/x"}}},
		keys: []auth.Key{
			{ID: "bound", Digests: []auth.Digest{auth.DigestOf("bound-key")}, Rights: auth.Rights{Models: []string{"m"}}},
			{ID: "free", Digests: []auth.Digest{auth.DigestOf("free-key")}},
		},
	}
	g := config.start(t)
	got := g.chat(t, ask("m"), "Authorization", "Bearer bound-key")
	equal(t, "status", got.status, 500)
	if !strings.Contains(got.body, "of the primary") {
		t.Errorf("answer is %s", got.body)
	}
	wantCalls(t, b, 0)
	equal(t, "status", g.chat(t, ask("m"), "Authorization", "Bearer free-key").status, 200)
	wantCalls(t, b, 1)
}

// nor is it where the primary cannot be asked at all.
func TestR13ForbiddenFallbackOfAnObstructedModel(t *testing.T) {
	a, b := testllm.New(t), testllm.New(t)
	a.Close()
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x"}, fallback: []string{"n"}}, {name: "n", to: []string{"b/x"}}},
		keys:      []auth.Key{{ID: "bound", Digests: []auth.Digest{auth.DigestOf("bound-key")}, Rights: auth.Rights{Models: []string{"m"}}}},
	}.start(t)
	for range 10 {
		got := g.chat(t, ask("m"), "Authorization", "Bearer bound-key")
		if got.status != 502 && got.status != 503 {
			t.Errorf("answer is %d %s", got.status, got.body)
		}
	}
	wantCalls(t, b, 0)
}

// a fallback that goes round is refused by the config.
func TestR14FallbackCycle(t *testing.T) {
	upstreams := []*providers.Upstream{load(t, "a", "mock", "")}
	for _, chain := range []string{"m m", "m n m", "m n o n", "m n o m"} {
		names := strings.Fields(chain)
		var routes []*routing.Route
		for i, name := range names[:len(names)-1] {
			target, err := routing.ParseTarget(upstreams, "a/echo")
			if err != nil {
				t.Fatal(err)
			}
			routes = append(routes, &routing.Route{Name: name, Policy: routing.First{}, Targets: []routing.Target{target}, Fallback: names[i+1 : i+2]})
		}
		_, err := routing.NewTable(upstreams, routes, nil)
		if err == nil || !strings.Contains(err.Error(), "goes round in a circle") {
			t.Errorf("%s: %v", chain, err)
		}
	}
}

// A client that leaves while the gateway waits gets back what the budget had granted.
func TestClientLeavesDuringABackoff(t *testing.T) {
	budget := new(routing.RetryBudget)
	srv := testllm.New(t)
	srv.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"30"}}})
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x"}, budget: budget}},
		change:    func(g *gateway.Gateway) { g.Backoff.Most = time.Minute },
	}.start(t)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		if response, err := g.open(ctx, http.MethodPost, chatPath, ask("m")); err == nil {
			response.Body.Close()
		}
	}()
	srv.WaitFinished(t, 1)
	cancel()
	<-left
	record := g.record(t)
	equal(t, "ending", record.Ending, usage.ClientGone)
	equal(t, "attempts", record.Attempts, 1)
	now := time.Now()
	for i := range 4 { // none was spent, and none is on its way
		if !budget.Take(now) {
			t.Fatalf("only %d retries are left", i)
		}
	}
}

// A panic gives back everything that the attempt held.
func TestA11PanicOfAnAttemptGivesBackWhatItHeld(t *testing.T) {
	animals := healthy(1)
	animals[0].fails = always
	simulate(t, nil, animals, func(s *simulation) {
		for range 5 { // the breaker opens
			s.ask(0)
		}
		state, keys := s.target(0)
		time.Sleep(time.Until(state.Available(keys, time.Now()).Until))
		animals[0].panics = true
		for range 3 { // the probe panics, each time
			equal(t, "status", s.ask(0).Code, http.StatusInternalServerError)
			equal(t, "obstacle", state.Available(keys, time.Now()).Obstacle, routing.Clear) // for another probe
		}
		animals[0].panics, animals[0].fails = false, nil
		equal(t, "status", s.ask(0).Code, http.StatusOK)
		s.settled()
	})
	animals = healthy(2)
	animals[0].fails = always
	animals[1].fails, animals[1].panics = always, true
	simulate(t, nil, animals, func(s *simulation) { // in a retry, which the budget had granted
		for range 4 {
			s.ask(0)
		}
		s.settled()
	})
}

// What the gateway answers by itself says nothing of the provider.
func TestOwnAnswersAreNoSuccess(t *testing.T) {
	known := new(shared)
	srv := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai_compatible", srv.URL+"/v1")}, health: known.of,
		change: func(g *gateway.Gateway) { g.Surface.Anthropic, g.Retries = true, 0 },
	}.start(t)
	srv.Script(testllm.Reply{Status: 500})
	for i := range 8 {
		g.chat(t, ask("a/x"))
		equal(t, "status of a count", g.do(t, http.MethodPost, "/v1/messages/count_tokens", string(testllm.ChatRequest("a/x", false, "hi"))).status, 200)
		found := known.models["a"].Model("x").Available(make([]providers.Fingerprint, 1), time.Now())
		if (i >= 4) != (found.Obstacle == routing.Open) {
			t.Errorf("after %d failures the obstacle is %d", i+1, found.Obstacle)
		}
	}
}
