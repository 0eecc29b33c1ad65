package llmproxy

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/usage"
)

// The collectors belong to the process, so that counts survive reloads; each
// config's registry gets them anew.
var (
	inFlight       atomic.Int64
	metricInFlight = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: appName, Name: "requests_in_flight",
		Help: "Calls being served.",
	}, func() float64 { return float64(inFlight.Load()) })
	metricRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "requests_total",
		Help: "Calls by model as configured, provider, HTTP status and ending.",
	}, []string{"operation", "model", "provider", "status", "ending"})
	metricDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: appName, Name: "request_duration_seconds",
		Help:    "Time from a call's arrival to its end.",
		Buckets: []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
	}, []string{"operation", "model", "provider", "stream"})
	metricFirstToken = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: appName, Name: "time_to_first_token_seconds",
		Help:    "Time from a call's arrival to the first content of a streamed answer.",
		Buckets: []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
	}, []string{"model", "provider"})
	metricTokens = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "tokens_total",
		Help: "Tokens by kind: input is the whole prompt, of which cache_read and cache_write are parts; output is the whole answer, of which reasoning is a part.",
	}, []string{"model", "provider", "kind"})
	metricFailures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "failed_attempts_total",
		Help: "Requests to providers that came to nothing, by what went wrong, whether or not another attempt served the call.",
	}, []string{"model", "provider", "error"})
	metricCost = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "cost_usd_total",
		Help: "What calls and failed attempts cost, in US dollars, where the provider or the catalogue says.",
	}, []string{"model", "provider"})
	metricLimited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "limit_refusals_total",
		Help: "How often a limit stood in the way of a call or of a target: whose it is (key, group, model, handler, provider, provider_key), and what it counts (requests, tokens, concurrency, budget).",
	}, []string{"scope", "limit"})
	metricReserved = limiterGauge("limit_reservations_open", "Reservations of calls that are under way.",
		func(l *limits.Limiter) int64 { return l.Stats().Open })
	metricWaiting  = limiterGauge("limit_calls_waiting", "Calls that wait for their turn at a limit.", (*limits.Limiter).Waiting)
	metricDegraded = limiterGauge("limit_store_degraded", "Stores of limits that cannot be reached, so that each instance keeps to its part.",
		func(l *limits.Limiter) int64 {
			if l.Degraded() {
				return 1
			}
			return 0
		})
	metricDropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "dropped_members_total",
		Help: "Members of requests that the provider's API could not carry. The usage record names them.",
	}, []string{"model", "provider"})
)

// limiterGauge sums over all stores of limits of the process.
func limiterGauge(name, help string, of func(*limits.Limiter) int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "caddy", Subsystem: appName, Name: name, Help: help}, func() float64 {
		var sum int64
		eachCounters(func(l *limits.Limiter) { sum += of(l) })
		return float64(sum)
	})
}

func registerMetrics(registry *prometheus.Registry) error {
	own := []prometheus.Collector{metricInFlight, metricRequests, metricDuration, metricFirstToken, metricTokens, metricCost, metricFailures, metricDropped, metricLimited, metricReserved, metricWaiting, metricDegraded}
	for _, c := range slices.Concat(own, metricsOfCaches) {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// observer writes what a call was to the metrics, to Caddy's placeholders and
// access log, and as a record of its own.
type observer struct {
	log *zap.Logger
}

// Started counts a call that has begun.
func (*observer) Started() { inFlight.Add(1) }

// Settled counts and logs a call that is over.
func (o *observer) Settled(r *http.Request, record *usage.Record) {
	inFlight.Add(-1)
	count(record)
	setPlaceholders(r, record)
	addLogFields(r, record)
	if c := o.log.Check(level(record), "call"); c != nil {
		c.Write(zap.Inline((*loggedRecord)(record)))
	}
}

func count(r *usage.Record) {
	model, provider := r.Route, r.Provider
	metricRequests.WithLabelValues(r.Operation, model, provider, strconv.Itoa(r.Status), string(r.Ending)).Inc()
	metricDuration.WithLabelValues(r.Operation, model, provider, strconv.FormatBool(r.Stream)).Observe(r.Duration.Seconds())
	if r.Stream && r.FirstToken > 0 {
		metricFirstToken.WithLabelValues(model, provider).Observe(r.FirstToken.Seconds())
	}
	if n := len(r.Dropped); n > 0 {
		metricDropped.WithLabelValues(model, provider).Add(float64(n))
	}
	for _, limit := range r.Limits {
		metricLimited.WithLabelValues(limit.Scope, limit.Kind).Inc()
	}
	countCache(r)
	if !r.Cached() { // no provider made the tokens of a stored answer
		countUsage(model, provider, r.AnswerTokens())
	}
	for i := range r.Failures {
		f := &r.Failures[i]
		metricFailures.WithLabelValues(model, f.Provider, f.Kind).Inc()
		countUsage(model, f.Provider, f.Tokens)
	}
}

func countUsage(model, provider string, t usage.Tokens) {
	for _, part := range [...]struct {
		kind string
		n    int64
	}{{"input", t.Input}, {"output", t.Output}, {"cache_read", t.CacheRead}, {"cache_write", t.CacheWrite}, {"reasoning", t.Reasoning}} {
		if part.n > 0 {
			metricTokens.WithLabelValues(model, provider, part.kind).Add(float64(part.n))
		}
	}
	if t.Cost > 0 {
		metricCost.WithLabelValues(model, provider).Add(t.Cost.Dollars())
	}
}

// setPlaceholders sets what other handlers and log formats may use.
func setPlaceholders(r *http.Request, u *usage.Record) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	// One lookup function instead of a dozen Sets: most are never asked for.
	repl.Map(func(key string) (any, bool) { return placeholder(key, u) })
	setUser(repl, u.Principal, u.Metadata)
}

// setUser sets the placeholders that Caddy's authenticators set too.
func setUser(repl *caddy.Replacer, id string, metadata map[string]string) {
	if id != "" {
		repl.Set(userPlaceholder, id)
	}
	for name, value := range metadata {
		repl.Set("http.auth.user."+name, value)
	}
}

// userPlaceholder is the id of whoever calls, as Caddy's authenticators set it.
const userPlaceholder = "http.auth.user.id"

func placeholder(key string, u *usage.Record) (any, bool) {
	const prefix = "http.llm_proxy."
	if len(key) <= len(prefix) || key[:len(prefix)] != prefix {
		return nil, false
	}
	switch key[len(prefix):] {
	case "requested_model":
		return u.RequestedModel, true
	case "model":
		return u.Model, true
	case "provider":
		return u.Provider, true
	case "stream":
		return u.Stream, true
	case "attempts":
		return u.Attempts, true
	case "tokens.input":
		return u.Tokens.Input, true
	case "tokens.output":
		return u.Tokens.Output, true
	case "tokens.cached":
		return u.Tokens.CacheRead, true
	case "tokens.total":
		return u.Tokens.Total(), true
	case "cost": // in dollars, empty if it is not known
		if cost, ok := u.Cost(); ok {
			return cost.String(), true
		}
		return "", true
	case "cache":
		return u.Cache, true
	case "ttft_ms":
		return u.FirstToken.Milliseconds(), true
	case "duration_ms":
		return u.Duration.Milliseconds(), true
	case "finish_reason":
		return u.Finish, true
	case "error":
		return u.Error, true
	}
	return nil, false
}

// addLogFields puts the call into Caddy's access log.
func addLogFields(r *http.Request, u *usage.Record) {
	extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	extra.Set(zap.Object(appName, (*loggedRecord)(u)))
}
