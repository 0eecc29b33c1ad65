package llmproxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyllm/llmproxy/limits"
)

var (
	metricLimited = counterVec("limit_refusals_total",
		"How often a limit stood in the way of a call or of a target: whose it is (key, group, model, handler, provider, provider_key), and what it counts (requests, tokens, concurrency, budget).",
		"scope", "limit")
	metricsOfLimits = []prometheus.Collector{
		metricLimited,
		gauge("limit_reservations_open", "Reservations of calls that are under way.",
			sumOfLimiters(func(l *limits.Limiter) int64 { return l.Stats().Open })),
		gauge("limit_calls_waiting", "Calls that wait for their turn at a limit.", sumOfLimiters((*limits.Limiter).Waiting)),
		gauge("limit_store_degraded", "Stores of limits that cannot be reached, so that each instance keeps to its part.",
			sumOfLimiters(func(l *limits.Limiter) int64 {
				if l.Degraded() {
					return 1
				}
				return 0
			})),
	}
)

// sumOfLimiters sums over all stores of limits of the process.
func sumOfLimiters(of func(*limits.Limiter) int64) func() float64 {
	return func() float64 {
		var sum int64
		eachCounters(func(l *limits.Limiter) { sum += of(l) })
		return float64(sum)
	}
}
