package history

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Live are the figures of the moment.
type Live struct {
	// Since is when the first call could be recorded.
	Since time.Time `json:"since"`
	// CallsPerMinute and TokensPerMinute are of the last 60 seconds.
	CallsPerMinute  int64 `json:"calls_per_minute"`
	TokensPerMinute int64 `json:"tokens_per_minute"`
	// Today is since midnight UTC.
	Today Counts `json:"today"`
	// Recent is the last hour, Day the last 24.
	Recent Counts `json:"last_hour"`
	Day    Counts `json:"last_day"`
	// Minutes are those of the last hour.
	Minutes Minutes `json:"minutes"`
}

// Minutes are sums of each minute, the last one goes on.
type Minutes struct {
	Requests []int64   `json:"requests"`
	Errors   []int64   `json:"errors"`
	Tokens   []int64   `json:"tokens"`
	Cost     []Dollars `json:"cost"`
}

// Live tells the figures of the moment.
func (h *History) Live(now time.Time) Live {
	hour, day := &Spans[0], &Spans[len(Spans)-1]
	live := Live{Since: h.since.UTC().Truncate(time.Second), Minutes: Minutes{
		make([]int64, hour.Steps), make([]int64, hour.Steps), make([]int64, hour.Steps), make([]Dollars, hour.Steps),
	}}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.seconds {
		if s := &h.seconds[i]; s.slot > now.Unix()-liveSeconds && s.slot <= now.Unix() {
			live.CallsPerMinute += s.requests
			live.TokensPerMinute += s.tokens
		}
	}
	if h.day == dayOf(now) {
		live.Today = h.today
	}
	h.all.each(hour, now, func(i int, b *bucket) {
		live.Recent.add(&b.Counts)
		m := &live.Minutes
		m.Requests[i], m.Errors[i], m.Tokens[i], m.Cost[i] = b.Requests, b.Errors, b.Tokens(), b.Cost
	})
	h.all.each(day, now, func(_ int, b *bucket) { live.Day.add(&b.Counts) })
	return live
}

// Calls are the last ones, newest first.
func (h *History) Calls() []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls.newest()
}

// Uses tells whether anything was recorded of a name and is still there.
func (h *History) Uses(by Dimension, name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.by[by].named[name] != nil
}

// Report is a span of time by one dimension.
type Report struct {
	// Start is when the first step begins.
	Start       time.Time `json:"start"`
	StepSeconds int       `json:"step_seconds"`
	Steps       int       `json:"steps"`
	// All is the sum of everything.
	All Series `json:"all"`
	// Series are by weight, the heaviest first. Those behind maxPlotted have sums only:
	// their steps are together in Rest.
	Series []Series `json:"series"`
	Rest   *Series  `json:"rest,omitempty"`
}

// Series is one line of a report.
type Series struct {
	Name string `json:"name"`
	// Other stands for all names that are not told apart.
	Other bool   `json:"other,omitempty"`
	Sum   Counts `json:"sum"`
	// Latency is that of all steps together.
	Latency Latency `json:"latency"`
	Points  *Points `json:"points,omitempty"`
}

// Latency is in milliseconds, 0 where nothing was measured.
type Latency struct {
	P50     float64 `json:"p50"`
	P95     float64 `json:"p95"`
	TTFTP50 float64 `json:"ttft_p50"`
	TTFTP95 float64 `json:"ttft_p95"`
}

// Points are the steps of a series.
type Points struct {
	Requests []int64   `json:"requests"`
	Errors   []int64   `json:"errors"`
	Input    []int64   `json:"input"`
	Output   []int64   `json:"output"`
	Cost     []Dollars `json:"cost"`
	P50      []float64 `json:"p50"`
	P95      []float64 `json:"p95"`
	TTFTP50  []float64 `json:"ttft_p50"`
	TTFTP95  []float64 `json:"ttft_p95"`
}

// maxPlotted is how many series a reader can tell apart in a plot.
const maxPlotted = 7

// Report looks back.
func (h *History) Report(span Span, by Dimension, now time.Time) Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := span.slot(now) - int64(span.Steps-1)
	report := Report{
		Start: time.Unix(first*int64(span.Step/time.Second), 0).UTC(), StepSeconds: int(span.Step / time.Second), Steps: span.Steps,
		All: viewOf("", &span, now, true, &h.all), Series: []Series{},
	}
	d := &h.by[by]
	for _, name := range slices.Sorted(maps.Keys(d.named)) {
		report.add(viewOf(name, &span, now, false, d.named[name]))
	}
	if d.other != nil {
		other := viewOf("", &span, now, false, d.other)
		other.Other = true
		report.add(other)
	}
	slices.SortStableFunc(report.Series, func(a, b Series) int {
		return cmp.Compare(report.weight(&b.Sum), report.weight(&a.Sum))
	})
	var rest []*series
	for i := range report.Series {
		s := &report.Series[i]
		from := d.named[s.Name]
		if s.Other {
			from = d.other
		}
		if i < maxPlotted {
			*s = viewOf(s.Name, &span, now, true, from)
			s.Other = from == d.other
		} else {
			rest = append(rest, from)
		}
	}
	if len(rest) > 0 {
		together := viewOf("", &span, now, true, rest...)
		report.Rest = &together
	}
	return report
}

// add leaves out what is too old.
func (r *Report) add(s Series) {
	if s.Sum != (Counts{}) {
		r.Series = append(r.Series, s)
	}
}

// weight is the largest share of something: what is dear counts as much as what is frequent.
func (r *Report) weight(c *Counts) float64 {
	share := func(part, whole int64) float64 { return float64(part) / float64(max(1, whole)) }
	all := &r.All.Sum
	return max(share(c.Requests, all.Requests), share(c.Tokens(), all.Tokens()), share(int64(c.Cost), int64(all.Cost)))
}

// viewOf sums up series, step by step if there are to be points.
func viewOf(name string, span *Span, now time.Time, points bool, of ...*series) Series {
	view := Series{Name: name}
	var whole bucket
	var steps []bucket
	if points {
		steps = make([]bucket, span.Steps)
	}
	for _, s := range of {
		s.each(span, now, func(i int, b *bucket) {
			whole.merge(b)
			if points {
				steps[i].merge(b)
			}
		})
	}
	view.Sum, view.Latency = whole.Counts, whole.latency()
	if points {
		view.Points = pointsOf(steps)
	}
	return view
}

func (b *bucket) latency() Latency {
	return Latency{b.duration.quantile(.5), b.duration.quantile(.95), b.firstToken.quantile(.5), b.firstToken.quantile(.95)}
}

func pointsOf(steps []bucket) *Points {
	p := new(Points)
	for i := range steps {
		b, l := &steps[i], steps[i].latency()
		p.Requests = append(p.Requests, b.Requests)
		p.Errors = append(p.Errors, b.Errors)
		p.Input = append(p.Input, b.Input)
		p.Output = append(p.Output, b.Output)
		p.Cost = append(p.Cost, b.Cost)
		p.P50 = append(p.P50, l.P50)
		p.P95 = append(p.P95, l.P95)
		p.TTFTP50 = append(p.TTFTP50, l.TTFTP50)
		p.TTFTP95 = append(p.TTFTP95, l.TTFTP95)
	}
	return p
}
