package llmproxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyllm/llmproxy/usage"
)

// What is counted of the single requests to providers.
var (
	metricAttempts = counterVec("attempts_total", "Requests to providers.", "model", "provider")
	metricRetries  = counterVec("retries_total",
		"Requests to providers after the first of a call, by what had gone wrong before.", "model", "reason")
	metricFallbacks = counterVec("fallbacks_total", "Calls that went on to a fallback model, by the last that they went on to.",
		"model", "fallback")
	metricFailures = counterVec("failed_attempts_total",
		"Requests to providers that came to nothing, by what went wrong, whether or not another attempt served the call.",
		"model", "provider", "error")

	metricsOfAttempts = []prometheus.Collector{metricAttempts, metricRetries, metricFallbacks, metricFailures}
)

// countAttempts counts the requests that a call took. s is of the provider that was
// asked last.
func countAttempts(r *usage.Record, s *series) {
	sent := 0
	for i := range r.Failures {
		f := &r.Failures[i]
		of := seriesOf(r.Route, f.Provider)
		if f.Sent {
			of.attempts.of(metricAttempts, of, "").Inc()
			if sent++; sent > 1 {
				countRetry(r, i)
			}
		}
		metricFailures.WithLabelValues(r.Route, f.Provider, f.Kind).Inc()
		of.use(&f.Tokens)
	}
	if rest := r.Attempts - sent; rest > 0 {
		s.attempts.of(metricAttempts, s, "").Add(float64(rest))
		if sent > 0 {
			countRetry(r, len(r.Failures))
		}
	}
	if r.Fallback != "" {
		metricFallbacks.WithLabelValues(r.Route, r.Fallback).Inc()
	}
}

// countRetry counts a request to a provider that came after the failure before at.
func countRetry(r *usage.Record, at int) {
	metricRetries.WithLabelValues(r.Route, r.Failures[at-1].Kind).Inc()
}
