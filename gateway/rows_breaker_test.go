package gateway_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// asked counts the requests that came to providers from a time on.
func (s *simulation) asked(from time.Duration) (n int) {
	for _, a := range s.animals {
		for _, at := range a.calls {
			if at >= from {
				n++
			}
		}
	}
	return n
}

// outage sends load to targets that are all down and returns the answers, with the
// time at which every breaker had opened.
func (s *simulation) outage(rate, seconds int) (answers []*httptest.ResponseRecorder, opened time.Duration) {
	for range rate * seconds {
		answers = append(answers, s.ask(0))
		open := 0
		for i := range s.animals {
			if state, keys := s.target(i); state.Available(keys, time.Now()).Obstacle != routing.Clear {
				open++
			}
		}
		if opened == 0 && open == len(s.animals) {
			opened = time.Since(s.start) + 1
		}
		time.Sleep(time.Second / time.Duration(rate))
	}
	return answers, opened
}

// when every target refuses connections there are few attempts before the
// breakers open, and probes after that; answers come at once and say when to come again.
func TestR06AllTargetsDown(t *testing.T) {
	rate, seconds := 200, 20
	if asksForLong() {
		rate, seconds = 1000, 60
	}
	animals := healthy(3)
	for _, a := range animals {
		a.fails, a.refuses = always, true
	}
	simulate(t, routing.Random{}, animals, func(s *simulation) {
		answers, opened := s.outage(rate, seconds)
		before := 0
		for _, r := range s.records {
			if r.Start.Sub(s.start) < opened {
				before++
			}
		}
		early, late := s.asked(0)-s.asked(opened), s.asked(opened)
		t.Logf("%d calls: %d attempts for %d calls up to %v, then %d probes", len(answers), early, before, opened, late)
		if float64(early) > 1.2*float64(before)+15 { // five for each breaker
			t.Errorf("%d attempts for %d calls before the breakers opened", early, before)
		}
		if most := 3 * 3; late > most { // after 5 and 15 s, and 35 in the long form
			if !asksForLong() || late > 3*4 {
				t.Errorf("%d attempts after the breakers had opened, want at most %d", late, most)
			}
		}
		var took []time.Duration
		for i, answer := range answers {
			record := s.records[i]
			if record.Start.Sub(s.start) < opened || record.Attempts > 0 {
				continue
			}
			took = append(took, record.Duration)
			wait, err := strconv.Atoi(answer.Header().Get("Retry-After"))
			if answer.Code != http.StatusServiceUnavailable || err != nil || wait < 1 || wait > 300 {
				t.Fatalf("answer is %d with Retry-After %q", answer.Code, answer.Header().Get("Retry-After"))
			}
		}
		if slices.Sort(took); took[len(took)-1] > 0 { // virtual time: nothing waits for anything
			t.Errorf("answers took up to %v", took[len(took)-1])
		}
		s.settled()
	})
}

// R-06 where targets answer, with errors: one attempt for each call, which may
// find them recovered, and no retries in vain beyond the budget.
func TestR06AllTargetsFailing(t *testing.T) {
	rate, seconds := 200, 20
	if asksForLong() {
		rate, seconds = 1000, 60
	}
	animals := healthy(3)
	for _, a := range animals {
		a.fails = always
	}
	simulate(t, routing.Random{}, animals, func(s *simulation) {
		answers, opened := s.outage(rate, seconds)
		attempts := s.asked(0)
		t.Logf("%d calls, %d attempts, breakers open after %v", len(answers), attempts, opened)
		if float64(attempts) > 1.2*float64(len(answers))+15 {
			t.Errorf("%d attempts for %d calls", attempts, len(answers))
		}
		if late := s.asked(opened); late > len(answers) {
			t.Errorf("%d attempts after the breakers had opened", late)
		}
		s.settled()
	})
}

// R-06 over sockets: calls at dead ports.
func TestR06DeadPorts(t *testing.T) {
	calls := 400
	g, servers := chain(t, 3, nil)
	for _, srv := range servers {
		srv.Close()
	}
	attempts, fast := 0, 0
	for range calls {
		got := g.chat(t, ask("m"))
		record := g.record(t)
		attempts += record.Attempts
		if record.Attempts > 0 {
			wantError(t, got, 502, "upstream_error")
			continue
		}
		fast++
		wantError(t, got, 503, "no_healthy_upstream")
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || wait < 1 || wait > 5 {
			t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
		}
	}
	if attempts > 15 || fast < calls-15 {
		t.Errorf("%d attempts, %d of %d answers without one", attempts, fast, calls)
	}
}

// of three targets one fails every other call. Its breaker opens within ten
// seconds, it gets less than 2 % after that, and two probes at most bring it back.
func TestR07HalfFailingTarget(t *testing.T) {
	rates, healed := []float64{30}, 3*time.Minute
	if asksForLong() {
		rates, healed = []float64{30, 100}, 10*time.Minute
	}
	for _, rate := range rates {
		for _, policy := range []routing.Policy{new(routing.RoundRobin), routing.Random{}, routing.LeastConn{}, routing.LeastLatency{}, new(routing.Sticky)} {
			animals := healthy(3)
			animals[0].fails = upTo(healed, everyOther())
			simulate(t, policy, animals, func(s *simulation) {
				s.load(rate, 10*time.Second)
				early := s.outcome(0, 10*time.Second)
				// Half is not less than half: it takes some calls until more have failed than not.
				if state, _ := s.target(0); !s.open(state) && len(animals[0].calls) > 20 {
					t.Errorf("after %d calls in ten seconds its breaker has not opened", len(animals[0].calls))
				}
				s.load(rate, healed)
				later := s.outcome(10*time.Second, healed)
				probes := s.recover(0)
				t.Logf("%T at %v/s: in 10 s %.1f %%, after that %.2f %%; users' failures %d of %d, attempts per call %.3f; %d probes to recover", policy, rate,
					100*early.share[0], 100*later.share[0], early.failed+later.failed, early.calls+later.calls, float64(later.attempts)/float64(later.calls), probes)
				if later.share[0] >= 0.02 {
					t.Errorf("it got %.4f of the calls after ten seconds", later.share[0])
				}
				if failed := early.failed + later.failed; failed > 0 {
					t.Errorf("users saw %d failures", failed)
				}
				if probes > 2 {
					t.Errorf("it took %d probes to recover", probes)
				}
				s.settled()
			})
		}
	}
}

// recover lets a target's pause pass and counts how often it is asked until two
// calls can be on their way to it at once: then its breaker is closed.
func (s *simulation) recover(i int) (probes int) {
	state, keys := s.target(i)
	time.Sleep(time.Until(state.Available(keys, time.Now()).Until))
	before := len(s.animals[i].calls)
	for n := 0; s.open(state); n++ {
		if n == 10_000 {
			s.t.Fatalf("p%d is not asked any more", i)
		}
		s.ask(n)
	}
	return len(s.animals[i].calls) - before
}

// open tells whether a breaker is open, or waits for its probe: then no two calls
// can be on their way at once.
func (s *simulation) open(state *routing.State) bool {
	begun := 0
	for range 2 {
		if probe, ok := state.Begin(false, time.Now()); ok {
			begun++
			defer state.End(&s.gateway.Breaker, routing.Report{Probe: probe, Began: time.Now()}, time.Now())
		}
	}
	return begun < 2
}

// a target that always fails is asked once each time its pause is over.
func TestR07OneProbeForEachPause(t *testing.T) {
	animals := healthy(3)
	animals[0].fails = always
	simulate(t, new(routing.RoundRobin), animals, func(s *simulation) {
		s.load(20, 20*time.Minute)
		calls := animals[0].calls
		const first = 5
		for i, pause := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
			gap := calls[first+i] - calls[first+i-1]
			if gap < pause*time.Second || gap > pause*time.Second+time.Second {
				t.Errorf("probe %d came %v after the one before, want %v s", i+1, gap, int(pause))
			}
		}
		if got := s.outcome(0, 20*time.Minute); got.failed > 0 || got.attempts != got.calls+len(calls) {
			t.Errorf("%d attempts at %d calls, %d failed", got.attempts, got.calls, got.failed)
		}
		s.settled()
	})
}

// R-07 over sockets.
func TestR07Live(t *testing.T) {
	g, servers := chainBy(t, 3, new(routing.RoundRobin), nil)
	servers[0].On(func(c *testllm.Call) testllm.Reply { return testllm.Reply{Status: 500 * (1 - c.Index%2)} })
	for range 300 {
		equal(t, "status", g.chat(t, ask("m")).status, 200)
		g.record(t)
	}
	wantCalls(t, servers[0], 11) // six failures are more than half of them
}

// of three targets one is ten times as slow: it gets less than 15 % within
// thirty seconds.
func TestR08SlowTarget(t *testing.T) {
	rates := []float64{1, 3, 30}
	if asksForLong() {
		rates = []float64{0.3, 1, 3, 30, 300}
	}
	for _, rate := range rates {
		animals := healthy(3)
		animals[0].first, animals[0].rest = 3*time.Second, 10*time.Second
		simulate(t, routing.LeastLatency{}, animals, func(s *simulation) {
			s.load(rate, 30*time.Second)
			s.load(rate, 5*time.Minute)
			early, later := s.outcome(0, 30*time.Second), s.outcome(30*time.Second, 5*time.Minute)
			t.Logf("%v/s: it got %.1f %% in 30 s, %.1f %% after that; first content p50 %v, p99 %v", rate,
				100*early.share[0], 100*later.share[0], later.p50.Round(time.Millisecond), later.p99.Round(time.Millisecond))
			if later.share[0] >= 0.15 {
				t.Errorf("at %v/s it got %.3f of the calls", rate, later.share[0])
			}
			s.settled()
		})
	}
}

// the breaker of the only target. Where it answers with errors, each call is
// one attempt; where it refuses connections, it is probed. It is never given up.
func TestR09OnlyTarget(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		healed := 10 * time.Minute
		animals := healthy(1)
		animals[0].fails, animals[0].refuses = upTo(healed, always), refuses
		simulate(t, nil, animals, func(s *simulation) {
			for time.Since(s.start) < healed-time.Second {
				s.ask(0)
				time.Sleep(time.Second)
			}
			calls, attempts := len(s.records), len(animals[0].calls)
			if refuses && (attempts < 8 || attempts > 16) || !refuses && (attempts < calls || attempts > calls+10) {
				t.Errorf("%d attempts at %d calls (refusing connections: %v)", attempts, calls, refuses)
			}
			state, keys := s.target(0)
			if found := state.Available(keys, time.Now()); refuses {
				time.Sleep(time.Until(found.Until)) // at most MaxOpen
			} else {
				time.Sleep(2 * time.Second)
			}
			if got := s.ask(0); got.Code != http.StatusOK {
				t.Errorf("after it had recovered the answer is %d", got.Code)
			}
			if found := state.Available(keys, time.Now()); found.Obstacle != routing.Clear {
				t.Errorf("the breaker is still open: %+v", found)
			}
			s.settled()
		})
	}
}

// R-09 over sockets.
func TestR09Live(t *testing.T) {
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{Status: 500})
	for i := range 30 {
		equal(t, "status", g.chat(t, ask("openai/x")).status, 500)
		if record := g.record(t); record.Attempts != 1 && i >= 5 {
			t.Errorf("call %d made %d attempts", i, record.Attempts)
		}
	}
	srv.Script(testllm.Reply{})
	wantText(t, g.chat(t, ask("openai/x")), "")
	equal(t, "attempts", g.record(t).Attempts, 1)
}

// errors that are the client's fault do not open the breaker.
func TestR10ClientsErrorsDoNotOpenTheBreaker(t *testing.T) {
	for _, reply := range []testllm.Reply{
		{Status: 400}, {Status: 404}, {Status: 405}, {Status: 413}, {Status: 422}, {Status: 403},
		{Status: 400, Error: testllm.Error{Code: "context_length_exceeded"}}, {Status: 500, Error: testllm.Error{Code: "content_policy_violation"}},
	} {
		known := new(shared)
		srv := testllm.New(t)
		g := setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", srv.URL+"/v1")}, health: known.of}.start(t)
		srv.Script(reply)
		for range 50 {
			g.chat(t, ask("openai/x"))
			g.record(t)
		}
		wantCalls(t, srv, 50)
		srv.Script(testllm.Reply{})
		wantText(t, g.chat(t, ask("openai/x")), "")
		equal(t, "attempts", g.record(t).Attempts, 1)
		found := known.models["openai"].Model("x").Available(make([]providers.Fingerprint, 1), time.Now())
		equal(t, "obstacle", found.Obstacle, routing.Clear)
	}
}

// shared is the health of providers, by name, which outlives configs.
type shared struct{ models map[string]*routing.Health }

func (s *shared) of(u *providers.Upstream) *routing.Health {
	if s.models == nil {
		s.models = make(map[string]*routing.Health)
	}
	s.models[u.Name] = cmp.Or(s.models[u.Name], new(routing.Health))
	return s.models[u.Name]
}

// chainBy is a chain with a policy.
func chainBy(t *testing.T, n int, policy routing.Policy, change func(*gateway.Gateway)) (*gate, []*testllm.Server) {
	t.Helper()
	s, servers := chainOf(t, n)
	s.aliases[0].policy, s.change = policy, change
	return s.start(t), servers
}

// Answers that take minutes neither make a few failures seem to come in a row nor
// use up the retry budget: a target that fails now and then keeps its share.
func TestLongAnswers(t *testing.T) {
	animals := healthy(3)
	for _, a := range animals {
		a.rest = time.Minute
	}
	animals[0].fails = share(0.15)
	simulate(t, routing.Random{}, animals, func(s *simulation) {
		s.load(20, time.Minute)
		got := s.outcome(0, time.Minute)
		t.Logf("%d of %d calls failed, %d attempts, the failing one got %.1f %%", got.failed, got.calls, got.attempts, 100*got.share[0])
		if got.failed > 0 || got.share[0] < 0.25 {
			t.Errorf("%d of %d calls failed, and the one that fails now and then got %.3f of them", got.failed, got.calls, got.share[0])
		}
		s.settled()
	})
}
