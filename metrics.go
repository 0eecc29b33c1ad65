package llmproxy

import (
	"errors"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/usage"
)

// The collectors belong to the process, so that counts survive reloads; each
// config's registry gets them anew.
var (
	inFlight       atomic.Int64
	metricInFlight = gauge("requests_in_flight", "Calls being served.", func() float64 { return float64(inFlight.Load()) })
	metricPanics   = prometheus.NewCounter(prometheus.CounterOpts(named("panics_total", "Calls that ended in a panic, which is a mistake in the program.")))

	collectors = slices.Concat(
		[]prometheus.Collector{metricInFlight, metricPanics},
		metricsOfCalls, metricsOfAttempts, metricsOfLimits, metricsOfCaches, metricsOfReloads, []prometheus.Collector{liveState{}},
	)
)

// named are the options of a metric of ours.
func named(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "caddy", Subsystem: appName, Name: name, Help: help}
}

func counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts(named(name, help)), labels)
}

func histogramVec(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: appName, Name: name, Help: help, Buckets: buckets,
	}, labels)
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts(named(name, help)), value)
}

func registerMetrics(registry *prometheus.Registry) error {
	for _, c := range collectors {
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
	if pages := gathering.Load(); pages != nil {
		pages.Record(record)
	}
	setPlaceholders(r, record)
	addLogFields(r, record)
	if c := o.log.Check(level(record), "call"); c != nil {
		c.Write(zap.Inline((*loggedRecord)(record)))
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

// addLogFields puts the call into Caddy's access log, if the server has one.
func addLogFields(r *http.Request, u *usage.Record) {
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Logs == nil {
		return
	}
	extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	extra.Set(zap.Object(appName, (*loggedRecord)(u)))
}
