package llmproxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyllm/llmproxy/cache/answers"
	"github.com/caddyllm/llmproxy/usage"
)

var (
	metricCacheRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "cache_requests_total",
		Help: "Calls by what became of them at the cache: hit, miss, stale, collapsed or bypass.",
	}, []string{"result"})
	metricCacheRejected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: appName, Name: "cache_rejected_total",
		Help: "Answers that were not kept, by why.",
	}, []string{"reason"})
	metricsOfCaches = []prometheus.Collector{
		metricCacheRequests, metricCacheRejected,
		prometheus.NewGaugeFunc(cacheMetric("cache_bytes", "What stored answers take in memory."),
			sumOfCaches(func(s *answers.Stats) int64 { return s.Bytes })),
		prometheus.NewGaugeFunc(cacheMetric("cache_entries", "Stored answers in memory."),
			sumOfCaches(func(s *answers.Stats) int64 { return s.Entries })),
		prometheus.NewCounterFunc(prometheus.CounterOpts(cacheMetric("cache_evicted_total", "Stored answers that gave way to others.")),
			sumOfCaches(func(s *answers.Stats) int64 { return s.Evicted })),
		prometheus.NewCounterFunc(prometheus.CounterOpts(cacheMetric("cache_integrity_errors_total", "Stored answers that were not what had been stored.")),
			sumOfCaches(func(s *answers.Stats) int64 { return s.Altered })),
	}
)

func cacheMetric(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: "caddy", Subsystem: appName, Name: name, Help: help}
}

// countCache counts what became of a call at the cache, if there is one. The words
// are the gateway's own.
func countCache(r *usage.Record) {
	if r.Cache != "" {
		metricCacheRequests.WithLabelValues(r.Cache).Inc()
	}
	if r.CacheReason != "" {
		metricCacheRejected.WithLabelValues(r.CacheReason).Inc()
	}
}

// eachCache calls f with every cache that is in use.
func eachCache(f func(key cacheKey, c *pooledCache)) {
	sharedState.Range(func(key, value any) bool {
		if c, ok := value.(*pooledCache); ok {
			f(key.(cacheKey), c)
		}
		return true
	})
}

// sumOfCaches sums up what is known: nobody knows how much a server holds.
func sumOfCaches(of func(*answers.Stats) int64) func() float64 {
	return func() float64 {
		sum := int64(0)
		eachCache(func(_ cacheKey, c *pooledCache) {
			stats := c.Stats()
			sum += max(0, of(&stats))
		})
		return float64(sum)
	}
}
