package llmproxy

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddyllm/llmproxy/usage"
)

// pair is a model as the config names it and a provider.
type pair struct{ model, provider string }

// series are the metrics of a pair. A vector of the library hashes and compares all
// labels at each look; these are looked up once.
type series struct {
	pair
	firstToken, perToken              resolved[prometheus.Observer]
	attempts, cost, unpriced, dropped resolved[prometheus.Counter]
	tokens                            [len(tokenKinds)]resolved[prometheus.Counter]
	// calls are replaced whole, so that they are read without a lock.
	calls atomic.Pointer[[]*callSeries]
}

// resolved is one series, made when it is first needed: what never happens does not show.
type resolved[T any] struct{ found atomic.Pointer[T] }

// vector is a metric with labels.
type vector[T any] interface {
	WithLabelValues(labels ...string) T
}

// of is the series of a vector whose labels are the pair's, and one more unless that is empty.
func (r *resolved[T]) of(v vector[T], s *series, more string) T {
	if found := r.found.Load(); found != nil {
		return *found
	}
	return r.resolve(v, s, more)
}

func (r *resolved[T]) resolve(v vector[T], s *series, more string) T {
	labels := []string{s.model, s.provider}
	if more != "" {
		labels = append(labels, more)
	}
	found := v.WithLabelValues(labels...)
	r.found.Store(&found)
	return found
}

// The pairs that were seen. The map is replaced whole when there is a new one, which
// is rare: configs have few names, and clients cannot make up any.
var (
	knownPairs atomic.Pointer[map[pair]*series]
	pairsMutex sync.Mutex
)

// What is kept resolved at most: of pairs, over all configs that there were, and of
// calls of one pair. What is beyond is looked up each time.
const (
	maxPairs = 10_000
	maxCalls = 64
)

func seriesOf(model, provider string) *series {
	key := pair{model, provider}
	if known := knownPairs.Load(); known != nil {
		if s := (*known)[key]; s != nil {
			return s
		}
	}
	return addPair(key)
}

func addPair(key pair) *series {
	pairsMutex.Lock()
	defer pairsMutex.Unlock()
	next := make(map[pair]*series)
	if known := knownPairs.Load(); known != nil {
		if s := (*known)[key]; s != nil { // another call was faster
			return s
		}
		if len(*known) >= maxPairs {
			return &series{pair: key}
		}
		next = maps.Clone(*known)
	}
	s := &series{pair: key}
	next[key] = s
	knownPairs.Store(&next)
	return s
}

// callKind is what tells calls of one pair apart in metrics.
type callKind struct {
	operation, streamEnding, cache string
	ending                         usage.Ending
	status                         int
	stream                         bool
}

// callSeries are the metrics of such calls. Some may be nil.
type callSeries struct {
	callKind
	requests, streamEndings, cached prometheus.Counter
	duration, overhead              prometheus.Observer
}

// call finds the metrics of a call.
func (s *series) call(r *usage.Record) *callSeries {
	kind := callKind{r.Operation, streamEnding(r), r.Cache, r.Ending, r.Status, r.Stream}
	if known := s.calls.Load(); known != nil {
		for _, c := range *known {
			if c.callKind == kind {
				return c
			}
		}
	}
	return s.addCall(kind)
}

func (s *series) addCall(kind callKind) *callSeries {
	c := &callSeries{
		callKind: kind,
		requests: metricRequests.WithLabelValues(kind.operation, s.model, s.provider, strconv.Itoa(kind.status), string(kind.ending)),
		duration: metricDuration.WithLabelValues(kind.operation, s.model, s.provider, strconv.FormatBool(kind.stream)),
		overhead: metricOverhead.WithLabelValues(kind.operation),
	}
	if kind.streamEnding != "" {
		c.streamEndings = metricStreamEndings.WithLabelValues(s.model, s.provider, kind.streamEnding)
	}
	if kind.cache != "" {
		c.cached = metricCacheRequests.WithLabelValues(kind.cache)
	}
	for {
		var next []*callSeries
		known := s.calls.Load()
		if known != nil {
			next = *known
		}
		if len(next) >= maxCalls {
			return c
		}
		next = append(next[:len(next):len(next)], c) // a copy; a double does no harm
		if s.calls.CompareAndSwap(known, &next) {
			return c
		}
	}
}

func (c *callSeries) count(r *usage.Record) {
	c.requests.Inc()
	c.duration.Observe(r.Duration.Seconds())
	c.overhead.Observe(r.Overhead().Seconds())
	if c.streamEndings != nil {
		c.streamEndings.Inc()
	}
	if c.cached != nil {
		c.cached.Inc()
	}
}
