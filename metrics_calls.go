package llmproxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyllm/llmproxy/usage"
)

// What is counted of a call as a whole.
var (
	metricRequests = counterVec("requests_total", "Calls by model as configured, provider, HTTP status and ending.",
		"operation", "model", "provider", "status", "ending")
	metricDuration = histogramVec("request_duration_seconds", "Time from a call's arrival to its end.",
		[]float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}, "operation", "model", "provider", "stream")
	metricFirstToken = histogramVec("time_to_first_token_seconds", "Time from a call's arrival to the first content of a streamed answer.",
		[]float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}, "model", "provider")
	metricPerToken = histogramVec("time_per_output_token_seconds", "Time for each token after the first of streams that were complete.",
		[]float64{.001, .0025, .005, .01, .015, .02, .03, .04, .05, .075, .1, .15, .25, .5, 1}, "model", "provider")
	metricOverhead = histogramVec("gateway_overhead_seconds",
		"Time from a call's arrival to the beginning of its answer, without what it waited for providers and for room.",
		[]float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}, "operation")
	metricStreamEndings = counterVec("stream_endings_total",
		"Streams that had begun, by how they ended: complete, client_gone, client_stalled, provider_error, cut, stalled, protocol_error, stopping or internal_error.",
		"model", "provider", "ending")
	metricTokens = counterVec("tokens_total",
		"Tokens by kind: input is the whole prompt, of which cache_read and cache_write are parts; output is the whole answer, of which reasoning is a part.",
		"model", "provider", "kind")
	metricCost = counterVec("cost_usd_total", "What calls and failed attempts cost, in US dollars, where the provider or the catalogue says.",
		"model", "provider")
	metricUnpriced = counterVec("unpriced_calls_total", "Calls that a provider answered and of which nobody knows what they cost.", "model", "provider")
	metricDropped  = counterVec("dropped_members_total",
		"Members of requests that the provider's API could not carry. The usage record names them.", "model", "provider")

	metricsOfCalls = []prometheus.Collector{
		metricRequests, metricDuration, metricFirstToken, metricPerToken, metricOverhead, metricStreamEndings,
		metricTokens, metricCost, metricUnpriced, metricDropped,
	}
)

// count counts a call that is over. It runs at the end of every call, and finds the
// series of a call like one before without making anything.
func count(r *usage.Record) {
	s := seriesOf(r.Route, r.Provider)
	s.call(r).count(r)
	if r.FirstToken > 0 && r.Stream {
		s.firstToken.of(metricFirstToken, s, "").Observe(r.FirstToken.Seconds())
	}
	if n := len(r.Dropped); n > 0 {
		s.dropped.of(metricDropped, s, "").Add(float64(n))
	}
	for _, limit := range r.Limits {
		metricLimited.WithLabelValues(limit.Scope, limit.Kind).Inc()
	}
	if r.CacheReason != "" {
		metricCacheRejected.WithLabelValues(r.CacheReason).Inc()
	}
	if r.Unpriced() {
		s.unpriced.of(metricUnpriced, s, "").Inc()
	}
	countAttempts(r, s)
	if r.Cached() { // no provider made the tokens of a stored answer
		return
	}
	answer := &r.Tokens
	if len(r.Failures) > 0 {
		rest := r.AnswerTokens()
		answer = &rest
	}
	s.use(answer)
	if r.Stream && r.Ending == usage.Complete && r.FirstToken > 0 && answer.Output > 1 {
		s.perToken.of(metricPerToken, s, "").Observe((r.Duration - r.FirstToken).Seconds() / float64(answer.Output-1))
	}
}

// tokenKinds are the labels of the parts of what was consumed.
var tokenKinds = [...]string{"input", "output", "cache_read", "cache_write", "reasoning"}

// use counts what an answer or a failed attempt consumed.
func (s *series) use(t *usage.Tokens) {
	for i, n := range [len(tokenKinds)]int64{t.Input, t.Output, t.CacheRead, t.CacheWrite, t.Reasoning} {
		if n > 0 {
			s.tokens[i].of(metricTokens, s, tokenKinds[i]).Add(float64(n))
		}
	}
	if t.Cost > 0 {
		s.cost.of(metricCost, s, "").Add(t.Cost.Dollars())
	}
}

// streamEnding is how a stream that had begun ended, in few words; empty: none had.
func streamEnding(r *usage.Record) string {
	if !r.Stream || r.Status != 200 {
		return ""
	}
	switch r.Ending {
	case usage.Complete:
		return "complete"
	case usage.ClientGone:
		if r.Error == "client_stalled" {
			return "client_stalled"
		}
		return "client_gone"
	}
	switch r.Error {
	case "upstream_stream_error":
		return "cut"
	case "upstream_timeout":
		return "stalled"
	case "upstream_protocol_error", "event_too_large":
		return "protocol_error"
	case "gateway_stopping":
		return "stopping"
	case "internal_error":
		return "internal_error"
	}
	return "provider_error" // whose codes are its own
}
