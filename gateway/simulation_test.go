package gateway_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

func init() { caddy.RegisterModule(simulated{}) }

// simulated is a transport without a network, so that whole gateways run in
// virtual time.
type simulated struct {
	// Farm is where its providers are.
	Farm int `json:"farm"`
}

func (simulated) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.simulated", New: func() caddy.Module { return new(simulated) }}
}

// farms are the providers of each simulation, by number.
var farms sync.Map

func (s simulated) RoundTrip(r *http.Request) (*http.Response, error) {
	farm, _ := farms.Load(s.Farm)
	return farm.(*simulation).roundTrip(r)
}

// animal is one simulated provider.
type animal struct {
	// first is how long it takes to the first content of a stream, rest how long
	// from there to its end.
	first, rest time.Duration
	// fails tells whether a call fails, after some time; nil: never. It refuses
	// connections or panics instead if told to.
	fails     func(at time.Duration, random *rand.Rand) bool
	failAfter time.Duration
	refuses   bool
	panics    bool
	// status is that of failures; 0: 500. wait is the Retry-After of failures.
	status int
	wait   string

	calls []time.Duration // when it was asked
}

// simulation is a gateway before simulated providers, called p0, p1 …, which
// serve model m together.
type simulation struct {
	t       *testing.T
	animals []*animal
	table   *routing.Table
	gateway *gateway.Gateway
	budget  *routing.RetryBudget
	start   time.Time

	mu      sync.Mutex
	random  *rand.Rand
	records []*usage.Record
}

// simulate runs a simulation in virtual time.
func simulate(t *testing.T, policy routing.Policy, animals []*animal, run func(s *simulation), change ...func(*gateway.Gateway)) {
	t.Helper()
	s := &simulation{t: t, animals: animals, random: rand.New(rand.NewPCG(1, 2)), budget: new(routing.RetryBudget)}
	number := 0
	farms.Range(func(any, any) bool { number++; return true })
	farms.Store(number, s)
	config := setup{aliases: []alias{{name: "m", policy: policy, budget: s.budget}}, change: func(g *gateway.Gateway) {
		g.Backoff = gateway.DefaultBackoff
		for _, change := range change {
			change(g)
		}
	}}
	for i := range animals {
		name := fmt.Sprintf("p%d", i)
		config.upstreams = append(config.upstreams, load(t, name, "openai", "http://"+name+"/v1", fmt.Sprintf(`,"transport":{"protocol":"simulated","farm":%d}`, number)))
		config.aliases[0].to = append(config.aliases[0].to, name+"/m")
	}
	s.gateway = config.gateway(t, s)
	s.table = s.gateway.Routes
	synctest.Test(t, func(*testing.T) {
		s.start = time.Now()
		run(s)
	})
}

func (s *simulation) roundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	var number int
	_, _ = fmt.Sscanf(r.URL.Host, "p%d", &number)
	at := s.animals[number]
	s.mu.Lock()
	now := time.Since(s.start)
	at.calls = append(at.calls, now)
	fails := at.fails != nil && at.fails(now, s.random)
	spread := 0.5 + s.random.Float64() // half to one and a half times its mean
	s.mu.Unlock()
	if fails && at.refuses {
		return nil, syscall.ECONNREFUSED
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if fails {
		return at.failure(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Request: r,
		Body: &simulatedStream{ctx: r.Context(), waits: []time.Duration{
			time.Duration(spread * float64(at.first)), time.Duration(spread * float64(at.rest)),
		}},
	}, nil
}

func (a *animal) failure(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(a.failAfter):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if a.panics {
		panic("a transport that panics")
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if a.wait != "" {
		header.Set("Retry-After", a.wait)
	}
	return &http.Response{
		StatusCode: cmp.Or(a.status, http.StatusInternalServerError), Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"error":{"message":"broken","type":"server_error"}}`)),
	}, nil
}

// simulatedStream is a stream of two events.
type simulatedStream struct {
	ctx   context.Context
	waits []time.Duration
	sent  int
}

var simulatedEvents = []string{
	`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":null}]}` + "\n\n",
	`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}` + "\n\ndata: [DONE]\n\n",
}

func (b *simulatedStream) Read(p []byte) (int, error) {
	if b.sent == len(simulatedEvents) {
		return 0, io.EOF
	}
	select {
	case <-time.After(b.waits[b.sent]):
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
	b.sent++
	return copy(p, simulatedEvents[b.sent-1]), nil
}

func (*simulatedStream) Close() error { return nil }

func (*simulation) Started() {}

func (s *simulation) Settled(_ *http.Request, r *usage.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
}

// ask makes one call, of the conversation with that number.
func (s *simulation) ask(conversation int) *httptest.ResponseRecorder {
	body := testllm.ChatRequest("m", true, fmt.Sprintf("conversation %d", conversation))
	w := httptest.NewRecorder()
	s.gateway.ServeHTTP(w, httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(string(body))))
	return w
}

// load makes so many calls a second, at random, until a time, and waits for them.
func (s *simulation) load(rate float64, until time.Duration) {
	var all sync.WaitGroup
	for time.Since(s.start) < until {
		s.mu.Lock()
		gap, conversation := s.random.ExpFloat64()/rate, s.random.IntN(500)
		s.mu.Unlock()
		time.Sleep(time.Duration(gap * float64(time.Second)))
		all.Go(func() { s.ask(conversation) })
	}
	all.Wait()
}

// target is the state of a provider's model.
func (s *simulation) target(i int) (*routing.State, []providers.Fingerprint) {
	u := s.table.Upstreams()[i]
	return s.table.Health(u).Model("m"), u.Base().Fingerprints()
}

// outcome is what users and providers saw of the calls that began in some time.
type outcome struct {
	calls, failed, attempts int
	// share is what part of all attempts each provider got.
	share    []float64
	p50, p99 time.Duration // to the first content
}

func (s *simulation) outcome(from, to time.Duration) outcome {
	out := outcome{share: make([]float64, len(s.animals))}
	var first []time.Duration
	for _, r := range s.records {
		if at := r.Start.Sub(s.start); at < from || at >= to {
			continue
		}
		out.calls++
		out.attempts += r.Attempts
		if r.Ending != usage.Complete {
			out.failed++
			continue
		}
		first = append(first, r.FirstToken)
	}
	sum := 0
	for i, a := range s.animals {
		for _, at := range a.calls {
			if at >= from && at < to {
				out.share[i]++
				sum++
			}
		}
	}
	for i := range out.share {
		out.share[i] /= float64(max(1, sum))
	}
	if slices.Sort(first); len(first) > 0 {
		out.p50, out.p99 = first[len(first)/2], first[len(first)*99/100]
	}
	return out
}

// settled sees that nothing is left of the calls.
func (s *simulation) settled() {
	for i := range s.animals {
		if state, _ := s.target(i); state.InFlight() != 0 {
			s.t.Errorf("%d attempts are on their way to p%d", state.InFlight(), i)
		}
	}
	wantBudgetFree(s.t, s.budget)
}

// wantBudgetFree sees that a retry budget waits for nothing: long after all
// calls it grants what it always grants.
func wantBudgetFree(t testing.TB, b *routing.RetryBudget) {
	t.Helper()
	later := time.Now().Add(time.Hour)
	for range 3 {
		if !b.Take(later) {
			t.Error("the retry budget has not got back what it had granted")
			return
		}
		b.Done(later, false)
	}
}

// healthy are so many animals without a fault.
func healthy(n int) []*animal {
	animals := make([]*animal, n)
	for i := range animals {
		animals[i] = &animal{first: 300 * time.Millisecond, rest: time.Second}
	}
	return animals
}

// bursts fail half of the calls in ten seconds of each minute.
func bursts(at time.Duration, random *rand.Rand) bool {
	return at%time.Minute >= 20*time.Second && at%time.Minute < 30*time.Second && random.IntN(2) == 0
}

// everyOther fails every other call, from the first on.
func everyOther() func(time.Duration, *rand.Rand) bool {
	n := 0
	return func(time.Duration, *rand.Rand) bool {
		n++
		return n%2 == 1
	}
}

// share fails a part of the calls.
func share(part float64) func(time.Duration, *rand.Rand) bool {
	return func(_ time.Duration, random *rand.Rand) bool { return random.Float64() < part }
}

func always(time.Duration, *rand.Rand) bool { return true }

// upTo fails in a way up to a time.
func upTo(end time.Duration, fails func(time.Duration, *rand.Rand) bool) func(time.Duration, *rand.Rand) bool {
	return func(at time.Duration, random *rand.Rand) bool { return at < end && fails(at, random) }
}

// TestPoliciesUnderStress has ten targets, of which the first is ten times as slow
// as the others and the second fails in bursts.
func TestPoliciesUnderStress(t *testing.T) {
	duration := 4 * time.Minute
	if asksForLong() {
		duration = 20 * time.Minute
	}
	t.Log("policy         calls  users' failures  attempts per call  share of slow, of flapping, of each other   first content: p50, p99")
	for _, test := range []struct {
		name   string
		policy routing.Policy
		// slow is the largest share of the slow one.
		slow float64
	}{
		{"first", routing.First{}, 1},
		{"weighted", routing.Weighted{}, 0.12},
		{"random", routing.Random{}, 0.12},
		{"round_robin", new(routing.RoundRobin), 0.12},
		{"least_conn", routing.LeastConn{}, 0.05},
		{"least_latency", routing.LeastLatency{}, 0.05},
		{"sticky", new(routing.Sticky), 0.12},
	} {
		animals := healthy(10)
		animals[0] = &animal{first: 3 * time.Second, rest: 10 * time.Second}
		animals[1].fails = bursts
		simulate(t, test.policy, animals, func(s *simulation) {
			s.load(20, duration)
			s.settled()
			got := s.outcome(0, duration)
			others := slices.Sorted(slices.Values(got.share[2:]))
			perCall := float64(got.attempts) / float64(got.calls)
			t.Logf("%-14s %5d  %15d  %17.3f  %5.1f %%  %5.1f %%  %4.1f – %4.1f %%  %24v  %v", test.name, got.calls, got.failed, perCall,
				100*got.share[0], 100*got.share[1], 100*others[0], 100*others[len(others)-1], got.p50.Round(time.Millisecond), got.p99.Round(time.Millisecond))
			if got.failed > 0 {
				t.Errorf("%s: users saw %d failures", test.name, got.failed)
			}
			if perCall > 1.05 {
				t.Errorf("%s: %.3f attempts per call", test.name, perCall)
			}
			if got.share[0] > test.slow {
				t.Errorf("%s: the slow target got %.3f of the calls, want at most %.3f", test.name, got.share[0], test.slow)
			}
		})
	}
}
