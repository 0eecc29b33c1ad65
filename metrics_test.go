package llmproxy

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/usage"
)

// registered is a registry to which ours are registered, twice.
func registered(t *testing.T) prometheus.Gatherer {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for range 2 {
		if err := registerMetrics(registry); err != nil {
			t.Fatal(err)
		}
	}
	return registry
}

// seriesCounts are how many series each metric has.
func seriesCounts(t *testing.T) map[string]int {
	t.Helper()
	families, err := registered(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := make(map[string]int)
	for _, family := range families {
		series[family.GetName()] = len(family.GetMetric())
	}
	return series
}

// counted sums up a counter, over the series that have a label of the value; empty: all.
func counted(t *testing.T, name, value string) (sum float64) {
	t.Helper()
	families, err := registered(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "caddy_llm_proxy_"+name {
			continue
		}
		for _, metric := range family.GetMetric() {
			has := value == ""
			for _, label := range metric.GetLabel() {
				has = has || label.GetValue() == value
			}
			if has {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// useEveryMetric has every vector show something. Those that show what is live need
// a config.
func useEveryMetric() {
	record := plainRecord(true)
	record.Route, record.Cache, record.CacheReason, record.Fallback = "every", "miss", "off", "spare"
	record.Dropped, record.Limits = []string{"/seed"}, []usage.Limit{{Scope: "key", Kind: "requests"}}
	record.Attempts, record.Tokens.CostKnown = 2, false
	record.Failures = []usage.Failure{{Provider: "other", Kind: "upstream_error", Sent: true}}
	count(record)
}

func TestMetricsAreAsPrometheusWantsThem(t *testing.T) {
	useEveryMetric()
	families, err := registered(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// descriptions are those of all collectors.
func descriptions() (names []string) {
	to := make(chan *prometheus.Desc, 100)
	for _, c := range collectors {
		c.Describe(to)
	}
	close(to)
	for d := range to {
		_, name, _ := strings.Cut(d.String(), `fqName: "`)
		name, _, _ = strings.Cut(name, `"`)
		names = append(names, name)
	}
	return names
}

func TestEveryMetricIsInTheReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := descriptions()
	if len(names) < 30 {
		t.Errorf("there are %d metrics", len(names))
	}
	for i, name := range names {
		short, ours := strings.CutPrefix(name, "caddy_llm_proxy_")
		if !ours || slices.Contains(names[:i], name) || !strings.Contains(string(text), "`"+short+"`") {
			t.Errorf("%s is not in the README, not ours, or there twice", name)
		}
	}
}

// To count a call like one before takes no memory.
func TestCountingAllocatesNothing(t *testing.T) {
	for _, stream := range []bool{false, true} {
		record := plainRecord(stream)
		record.Cache = "miss"
		if n := testing.AllocsPerRun(1000, func() { count(record) }); n != 0 {
			t.Errorf("stream %v: %v allocations", stream, n)
		}
	}
}

func TestWhatIsKeptResolvedIsBounded(t *testing.T) {
	before := knownPairs.Load()
	knownPairs.Store(nil)
	t.Cleanup(func() { knownPairs.Store(before) })
	full := make(map[pair]*series)
	for i := range maxPairs {
		full[pair{"m", fmt.Sprint(i)}] = new(series)
	}
	knownPairs.Store(&full)
	if s := seriesOf("n", "p"); s.pair != (pair{"n", "p"}) || len(*knownPairs.Load()) != maxPairs {
		t.Errorf("of %v, and there are %d", s.pair, len(*knownPairs.Load()))
	}
	s := &series{pair: pair{"bounded", "p"}}
	for status := range 2 * maxCalls {
		s.call(&usage.Record{Operation: "chat", Status: status})
	}
	if n := len(*s.calls.Load()); n != maxCalls {
		t.Errorf("%d kinds of calls are kept", n)
	}
}

func TestStreamEndings(t *testing.T) {
	for _, c := range []struct {
		ending usage.Ending
		err    string
		want   string
	}{
		{usage.Complete, "", "complete"},
		{usage.ClientGone, "client_closed_request", "client_gone"},
		{usage.ClientGone, "client_stalled", "client_stalled"},
		{usage.Broken, "upstream_stream_error", "cut"},
		{usage.Broken, "upstream_timeout", "stalled"},
		{usage.Broken, "event_too_large", "protocol_error"},
		{usage.Broken, "gateway_stopping", "stopping"},
		{usage.Broken, "internal_error", "internal_error"},
		{usage.Broken, "a code that a provider made up", "provider_error"},
		{usage.Failed, "overloaded", "provider_error"},
	} {
		if got := streamEnding(&usage.Record{Stream: true, Status: 200, Ending: c.ending, Error: c.err}); got != c.want {
			t.Errorf("%s %s is %q, want %q", c.ending, c.err, got, c.want)
		}
	}
	for _, none := range []usage.Record{{Status: 200}, {Stream: true, Status: 499, Ending: usage.ClientGone}, {Stream: true, Status: 502, Ending: usage.Failed}} {
		if got := streamEnding(&none); got != "" {
			t.Errorf("%+v is a stream that ended: %s", none, got)
		}
	}
}

func TestUnpricedCalls(t *testing.T) {
	some := usage.Tokens{Input: 1}
	priced := usage.Tokens{Input: 1, CostKnown: true}
	for _, c := range []struct {
		record usage.Record
		want   bool
	}{
		{usage.Record{Attempts: 1, Tokens: some}, true},
		{usage.Record{Attempts: 1, Tokens: priced}, false},
		{usage.Record{Attempts: 1, Ending: usage.Complete, Operation: "images"}, true},
		{usage.Record{Attempts: 1, Ending: usage.Complete, Operation: "count_tokens"}, false},
		{usage.Record{Attempts: 1, Ending: usage.Failed}, false},
		{usage.Record{Tokens: some, Ending: usage.Complete, Cache: "hit"}, false},
	} {
		if got := c.record.Unpriced(); got != c.want {
			t.Errorf("%+v: %v", c.record, got)
		}
	}
}

// built is the generation of a config that is not served. It logs nothing.
func built(t *testing.T, config string) *generation {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	cfg := new(Config)
	if err := decodeStrictly([]byte(config), cfg); err != nil {
		t.Fatal(err)
	}
	g, err := build(ctx, cfg, handlerPlace{}, nil, zap.NewNop(), &observer{log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.release)
	return g
}

// Clients ask for what they like, and make up no series.
func TestNamesOfClientsMakeNoSeries(t *testing.T) {
	if testing.Short() {
		t.Skip("100000 calls")
	}
	g := built(t, `{"auth":{"anonymous":true},"providers":{"mock":{}},"models":{"a":{"to":["mock/echo"]},"g-*":{"to":["mock/*"]}}}`)
	dice := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // to be repeated
	ask := func(model string, more string) {
		body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}]%s}`, model, more)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(body))
		if !g.gateway.ServeHTTP(httptest.NewRecorder(), r) {
			t.Error("a call was passed on")
		}
	}
	some := func(n int) {
		for range n {
			name := fmt.Sprintf("%x", dice.Uint64())
			switch dice.IntN(5) {
			case 0:
				ask(name, "")
			case 1:
				ask("mock/"+name, "")
			case 2:
				ask("g-"+name, "")
			case 3:
				ask("mock/"+name, `,"stream":true`)
			case 4:
				ask("a", `,"user":"`+name+`"`)
			}
		}
	}
	some(100)
	before, pairs := seriesCounts(t), len(*knownPairs.Load())
	some(100_000)
	if after := seriesCounts(t); !maps.Equal(after, before) {
		t.Errorf("there were %v series, and are %v", before, after)
	}
	if n := len(*knownPairs.Load()); n != pairs {
		t.Errorf("%d pairs are kept, of %d before", n, pairs)
	}
	found := newPicture()
	found.takeTable(g.gateway.Routes, time.Now())
	if len(found.targets) > 2 { // mock/echo and other
		t.Errorf("%d targets are shown: %v", len(found.targets), found.targets)
	}
}

func TestCallsThatEndTogetherAreAllCounted(t *testing.T) {
	const calls, workers = 500, 8
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range calls {
				record := plainRecord(i%2 == 0)
				record.Route, record.Provider, record.Status = "together", fmt.Sprint("p", i%5), 200+i%3
				count(record)
			}
		})
	}
	group.Wait()
	if sum := counted(t, "requests_total", "together"); sum != calls*workers {
		t.Errorf("%v calls are counted, of %d", sum, calls*workers)
	}
}

func TestPanicsAreCounted(t *testing.T) {
	g := built(t, `{"auth":{"anonymous":true},"providers":{"mock":{}}}`)
	before := counted(t, "panics_total", "")
	g.gateway.Panicked(&gateway.Panic{What: "a mistake"})
	if after := counted(t, "panics_total", ""); after != before+1 {
		t.Errorf("there were %v panics, and are %v", before, after)
	}
}
