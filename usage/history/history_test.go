package history

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/caddyllm/llmproxy/usage"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// call is a complete call that ends at a time.
func call(at time.Time) usage.Record {
	return usage.Record{
		Start: at.Add(-time.Second), Duration: time.Second, RequestID: "req_1", Principal: "app", Operation: "chat",
		RequestedModel: "smart", Route: "smart", Provider: "east", Model: "m", Status: 200, Attempts: 1, Ending: usage.Complete,
		Tokens: usage.Tokens{Input: 10, Output: 5, Cost: usage.USD / 100, CostKnown: true},
	}
}

func record(h *History, at time.Time, change func(*usage.Record)) {
	r := call(at)
	if change != nil {
		change(&r)
	}
	h.Record(&r)
}

func span(t *testing.T, name string) Span {
	t.Helper()
	s, ok := SpanOf(name)
	if !ok {
		t.Fatalf("there is no span %s", name)
	}
	return s
}

func TestCallsAreInEverySpanUntilTheyAreTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(time.Now())
		record(h, time.Now(), nil)
		for _, step := range []struct {
			sleep time.Duration
			in    []string
		}{
			{0, []string{"1h", "6h", "24h"}},
			{59 * time.Minute, []string{"1h", "6h", "24h"}},
			{2 * time.Minute, []string{"6h", "24h"}},
			{5 * time.Hour, []string{"24h"}},
			{17*time.Hour + 40*time.Minute, []string{"24h"}},
			{time.Hour, nil},
		} {
			time.Sleep(step.sleep)
			for _, s := range Spans {
				report := h.Report(s, Model, time.Now())
				want := int64(0)
				if slices.Contains(step.in, s.Name) {
					want = 1
				}
				if got := report.All.Sum.Requests; got != want || len(report.Series) != int(want) {
					t.Errorf("after %v %s has %d calls and %d series, want %d", step.sleep, s.Name, got, len(report.Series), want)
				}
			}
		}
	})
}

func TestStepsAreWhereCallsWere(t *testing.T) {
	h := New(noon)
	for i := range 3 {
		record(h, noon.Add(-time.Duration(i)*10*time.Minute), nil)
	}
	report := h.Report(span(t, "1h"), Key, noon.Add(30*time.Second))
	if !report.Start.Equal(noon.Add(-59*time.Minute)) || report.Steps != 60 || report.StepSeconds != 60 {
		t.Errorf("the report begins %v with %d steps of %d s", report.Start, report.Steps, report.StepSeconds)
	}
	for i, n := range report.Series[0].Points.Requests {
		if want := int64(0); n != want && i != 59 && i != 49 && i != 39 {
			t.Errorf("step %d has %d calls", i, n)
		}
	}
	p := report.Series[0].Points
	if p.Requests[59] != 1 || p.Input[49] != 10 || p.Output[39] != 5 || p.Cost[59] != Dollars(usage.USD/100) || p.P50[59] == 0 {
		t.Errorf("the points are %+v", p)
	}
}

func TestFailedAttemptsBelongToTheirProviders(t *testing.T) {
	h := New(noon)
	record(h, noon, func(r *usage.Record) {
		r.Attempts = 2
		r.Failures = []usage.Failure{{Provider: "west", Model: "m", Kind: "overloaded", Tokens: usage.Tokens{Input: 4, Cost: usage.USD / 1000, CostKnown: true}}}
		r.Tokens = r.Tokens.Plus(r.Failures[0].Tokens)
	})
	want := map[string]Counts{
		"east": {Requests: 1, Input: 10, Output: 5, Cost: Dollars(usage.USD / 100)},
		"west": {FailedAttempts: 1, Input: 4, Cost: Dollars(usage.USD / 1000)},
	}
	for _, s := range h.Report(span(t, "1h"), Provider, noon).Series {
		if s.Sum != want[s.Name] {
			t.Errorf("%s has %+v, want %+v", s.Name, s.Sum, want[s.Name])
		}
	}
	whole := Counts{Requests: 1, FailedAttempts: 1, Input: 14, Output: 5, Cost: Dollars(11 * usage.USD / 1000)}
	for _, by := range []Dimension{Model, Key} {
		if got := h.Report(span(t, "1h"), by, noon).Series[0].Sum; got != whole {
			t.Errorf("all that was consumed is %+v, want %+v", got, whole)
		}
	}
}

func TestWhatCountsAsWhat(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*usage.Record)
		want   Counts
	}{
		"complete":    {nil, Counts{Requests: 1, Input: 10, Output: 5, Cost: Dollars(usage.USD / 100)}},
		"client gone": {func(r *usage.Record) { r.Ending, r.Tokens = usage.ClientGone, usage.Tokens{} }, Counts{Requests: 1}},
		"refused":     {func(r *usage.Record) { r.Ending, r.Tokens = usage.Refused, usage.Tokens{} }, Counts{Requests: 1, Errors: 1}},
		"broken":      {func(r *usage.Record) { r.Ending = usage.Broken }, Counts{Requests: 1, Errors: 1, Input: 10, Output: 5, Cost: Dollars(usage.USD / 100)}},
		"unpriced":    {func(r *usage.Record) { r.Tokens = usage.Tokens{Input: 3} }, Counts{Requests: 1, Input: 3, Unpriced: 1}},
		"hit":         {func(r *usage.Record) { r.Cache = "hit" }, Counts{Requests: 1, CacheAsked: 1, CacheHits: 1}},
		"miss": {func(r *usage.Record) { r.Cache = "miss" },
			Counts{Requests: 1, Input: 10, Output: 5, Cost: Dollars(usage.USD / 100), CacheAsked: 1}},
		"bypass": {func(r *usage.Record) { r.Cache = "bypass" }, Counts{Requests: 1, Input: 10, Output: 5, Cost: Dollars(usage.USD / 100)}},
	} {
		h := New(noon)
		record(h, noon, test.change)
		live := h.Live(noon)
		if live.Today != test.want || live.Recent != test.want || live.Day != test.want {
			t.Errorf("%s: it is counted as %+v, want %+v", name, live.Today, test.want)
		}
	}
}

func TestRatesAreOfTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(time.Now())
		for range 10 {
			record(h, time.Now(), nil)
			time.Sleep(time.Second)
		}
		if live := h.Live(time.Now()); live.CallsPerMinute != 10 || live.TokensPerMinute != 150 {
			t.Errorf("10 calls with 15 tokens are %+v", live)
		}
		time.Sleep(52 * time.Second)
		if live := h.Live(time.Now()); live.CallsPerMinute != 7 {
			t.Errorf("%d calls are left of the last 60 seconds, want 7", live.CallsPerMinute)
		}
		time.Sleep(time.Minute)
		if live := h.Live(time.Now()); live.CallsPerMinute != 0 || live.Recent.Requests != 10 {
			t.Errorf("a quiet minute is %+v", live)
		}
	})
}

func TestTodayBeginsAtMidnightUTC(t *testing.T) {
	midnight := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
	h := New(noon)
	record(h, midnight.Add(-time.Second), nil)
	if live := h.Live(midnight.Add(-time.Second)); live.Today.Requests != 1 {
		t.Errorf("before midnight today is %+v", live.Today)
	}
	if live := h.Live(midnight); live.Today != (Counts{}) || live.Recent.Requests != 1 {
		t.Errorf("at midnight today is %+v", live.Today)
	}
	record(h, midnight, nil)
	if live := h.Live(midnight); live.Today.Requests != 1 || live.Day.Requests != 2 {
		t.Errorf("after midnight today is %+v", live.Today)
	}
}

func TestQuantilesAreCloseToTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, typical := range []float64{1, 40, 900, 20_000} {
		var l latencies
		var all []float64
		for range 5000 {
			ms := typical * math.Exp(random.NormFloat64())
			all = append(all, ms)
			l.observe(time.Duration(ms * float64(time.Millisecond)))
		}
		slices.Sort(all)
		for _, q := range []float64{.5, .95} {
			truth, got := all[int(q*float64(len(all)))], l.quantile(q)
			if got < truth*.8 || got > truth*1.2 {
				t.Errorf("the %v quantile is %v ms, in truth %v", q, got, truth)
			}
		}
	}
}

func TestBucketsOfLatencyAreInOrder(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, time.Nanosecond, 255 * time.Microsecond, 256 * time.Microsecond, 362 * time.Microsecond,
		363 * time.Microsecond, time.Millisecond, time.Second, time.Hour, math.MaxInt64} {
		i := latencyBucket(d)
		ms := float64(max(0, d).Microseconds()) / 1000
		if i > 0 && ms < latencyBound(i-1)-.001 || i < latencyBuckets-1 && ms > latencyBound(i)+.001 {
			t.Errorf("%v is in bucket %d, up to %v ms", d, i, latencyBound(i))
		}
	}
	if q := new(latencies).quantile(.5); q != 0 {
		t.Errorf("the median of nothing is %v", q)
	}
}

func TestOnlySoManyNamesAreToldApart(t *testing.T) {
	h := New(noon)
	for i := range MaxSeries + 36 {
		record(h, noon, func(r *usage.Record) { r.Principal = fmt.Sprintf("key-%03d", i) })
	}
	report := h.Report(span(t, "1h"), Key, noon)
	if len(report.Series) != MaxSeries+1 {
		t.Fatalf("%d series are told apart", len(report.Series))
	}
	sum := int64(0)
	for _, s := range report.Series {
		sum += s.Sum.Requests
	}
	if other := report.Series[0]; !other.Other || other.Sum.Requests != 36 || sum != MaxSeries+36 {
		t.Errorf("the first of all that are %d calls is %+v", sum, other.Sum)
	}
	plotted := int64(0)
	for _, s := range append(report.Series[:maxPlotted:maxPlotted], *report.Rest) {
		for _, n := range s.Points.Requests {
			plotted += n
		}
	}
	if plotted != MaxSeries+36 {
		t.Errorf("%d calls are plotted", plotted)
	}
	// A day later the old ones give way.
	later := noon.Add(25 * time.Hour)
	record(h, later, func(r *usage.Record) { r.Principal = "new" })
	if series := h.Report(span(t, "1h"), Key, later).Series; len(series) != 1 || series[0].Name != "new" {
		t.Errorf("a day later there are %+v", series)
	}
	if !h.Uses(Key, "new") || h.Uses(Key, "nobody") {
		t.Error("Uses does not know whom it has seen")
	}
}

func TestTheHeaviestComeFirst(t *testing.T) {
	h := New(noon)
	for i := range 20 {
		record(h, noon, func(r *usage.Record) { r.Route, r.Tokens = fmt.Sprint("cheap-", i), usage.Tokens{CostKnown: true} })
	}
	record(h, noon, func(r *usage.Record) { r.Route = "dear" })
	if first := h.Report(span(t, "1h"), Model, noon).Series[0]; first.Name != "dear" || first.Points == nil {
		t.Errorf("the first is %q", first.Name)
	}
}

func TestLastCallsAreKept(t *testing.T) {
	h := New(noon)
	if calls := h.Calls(); calls == nil || len(calls) != 0 {
		t.Errorf("without any there are %v", calls)
	}
	for i := range MaxCalls + 50 {
		record(h, noon, func(r *usage.Record) { r.RequestID = fmt.Sprint(i) })
	}
	calls := h.Calls()
	if len(calls) != MaxCalls || calls[0].RequestID != "249" || calls[MaxCalls-1].RequestID != "50" {
		t.Errorf("%d calls are kept, from %s to %s", len(calls), calls[0].RequestID, calls[len(calls)-1].RequestID)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	h := New(noon)
	record(h, noon, func(r *usage.Record) {
		r.RequestedModel = strings.Repeat("ä", 10_000)
		r.Principal = strings.Repeat("k", 10_000)
		r.Failures = make([]usage.Failure, 50)
		r.Cause, r.UpstreamRequestID = "dial tcp 10.0.0.1", "secret"
	})
	c := h.Calls()[0]
	if len(c.RequestedModel) > maxName || !strings.HasSuffix(c.RequestedModel, "ä…") || len(c.Key) > maxName || len(c.Failures) != maxFailures {
		t.Errorf("the call is %+v", c)
	}
	text, err := json.Marshal(c)
	if err != nil || strings.Contains(string(text), "10.0.0.1") || strings.Contains(string(text), "secret") {
		t.Errorf("the call shows what is nobody's business: %s %v", text, err)
	}
}

// worst fills everything that can be filled, with the longest texts.
func worst() *History {
	h := New(noon)
	long := strings.Repeat("x", 2*maxName)
	for minute := range 24 * 60 / 5 {
		at := noon.Add(time.Duration(minute) * 5 * time.Minute)
		for i := range MaxSeries + 10 {
			name := fmt.Sprintf("%03d%s", i, long)
			record(h, at, func(r *usage.Record) {
				r.Route, r.Principal, r.Provider, r.Stream, r.FirstToken = name, name, name, true, time.Millisecond
				r.RequestID, r.RequestedModel, r.Model, r.Operation, r.Error, r.Cache = long, long, long, long, long, long
				r.Failures = slices.Repeat([]usage.Failure{{Provider: name, Model: long, Kind: long}}, 10)
			})
		}
	}
	return h
}

func TestMemoryIsBounded(t *testing.T) {
	series := 3*(MaxSeries+1) + 1
	if size := series * int(unsafe.Sizeof(series0)); size > MaxMemory-MaxCalls<<12 {
		t.Errorf("%d series take %d bytes", series, size)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h := worst()
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("the fullest history takes %.1f MB", float64(used)/1e6)
	if used > MaxMemory || used < MaxMemory/2 {
		t.Errorf("the fullest history takes %d bytes, the bound is %d", used, MaxMemory)
	}
	runtime.KeepAlive(h)
}

var series0 series

func TestRecordingOfKnownNamesAllocatesNoMoreThanTheCall(t *testing.T) {
	h, r := New(noon), call(noon)
	h.Record(&r)
	if n := testing.AllocsPerRun(100, func() { h.Record(&r) }); n > 9 {
		t.Errorf("a record makes %v allocations", n)
	}
}

func TestReadersAndWritersTogether(t *testing.T) {
	h := New(noon)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 200 {
				record(h, noon.Add(time.Duration(n)*time.Second), func(r *usage.Record) { r.Principal = fmt.Sprint(i) })
				h.Report(Spans[n%3], Dimension(n%3), noon)
				h.Live(noon)
				h.Calls()
			}
		})
	}
	all.Wait()
	if n := h.Report(span(t, "24h"), Model, noon.Add(time.Hour)).All.Sum.Requests; n != 800 {
		t.Errorf("of 800 calls %d are there", n)
	}
}

func TestClocksThatAreSetBackDoNoHarm(t *testing.T) {
	h := New(noon)
	record(h, noon, nil)
	past := noon.Add(-48 * time.Hour)
	record(h, past, nil)
	if n := h.Report(span(t, "24h"), Model, past).All.Sum.Requests; n != 1 {
		t.Errorf("%d calls are there after the clock was set back", n)
	}
}

func TestNamesOfDimensions(t *testing.T) {
	for name, want := range map[string]Dimension{"model": Model, "key": Key, "provider": Provider} {
		if got, ok := DimensionOf(name); !ok || got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	if _, ok := DimensionOf("colour"); ok {
		t.Error("colour is a dimension")
	}
	if _, ok := SpanOf("7h"); ok {
		t.Error("7h is a span")
	}
}

func TestJSONHasMoneyAsDollars(t *testing.T) {
	text, err := json.Marshal(Counts{Cost: Dollars(usage.USD / 8)})
	var back map[string]float64
	if err != nil || json.Unmarshal(text, &back) != nil || back["cost"] != 0.125 {
		t.Errorf("the counts are %s, %v", text, err)
	}
	if len(back) != reflect.TypeFor[Counts]().NumField() {
		t.Errorf("not all counts are in %s", text)
	}
}

func BenchmarkRecord(b *testing.B) {
	h, r := New(noon), call(noon)
	b.ReportAllocs()
	for b.Loop() {
		h.Record(&r)
	}
}

func BenchmarkReportOfTheFullest(b *testing.B) {
	h := worst()
	at := noon.Add(24*time.Hour - 5*time.Minute)
	for b.Loop() {
		h.Report(Spans[2], Key, at)
	}
}
