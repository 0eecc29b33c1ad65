package llmproxy

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyllm/llmproxy/cache/answers"
)

var (
	metricCacheRequests = counterVec("cache_requests_total", "Calls by what became of them at the cache: hit, miss, stale, collapsed or bypass.", "result")
	metricCacheRejected = counterVec("cache_rejected_total", "Answers that were not kept, by why.", "reason")
	metricsOfCaches     = []prometheus.Collector{
		metricCacheRequests, metricCacheRejected,
		gauge("cache_bytes", "What stored answers take in memory.", sumOfCaches(func(s *answers.Stats) int64 { return s.Bytes })),
		gauge("cache_entries", "Stored answers in memory.", sumOfCaches(func(s *answers.Stats) int64 { return s.Entries })),
		prometheus.NewCounterFunc(prometheus.CounterOpts(named("cache_evicted_total", "Stored answers that gave way to others.")),
			sumOfCaches(func(s *answers.Stats) int64 { return s.Evicted })),
		prometheus.NewCounterFunc(prometheus.CounterOpts(named("cache_integrity_errors_total", "Stored answers that were not what had been stored.")),
			sumOfCaches(func(s *answers.Stats) int64 { return s.Altered })),
	}
)

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
