package routing

import (
	"math"
	"time"
)

// latencyMemory is how fast old latencies are forgotten. Calls to models are few
// and long: what was true a minute ago says something still.
const latencyMemory = 30 * time.Second

// latencyUnknown stands for what has not been measured yet, so that a new target
// gets its share and not every call at once.
const latencyUnknown = time.Second

// A failure counts as a slow answer, or a fast way to fail would draw all calls.
const (
	leastPenalty = 5 * time.Second
	mostPenalty  = 300 * time.Second
)

// movingLatency is an average that forgets: it sinks while nothing is measured, so
// that a target which was slow once is tried again.
type movingLatency struct {
	value float64 // nanoseconds
	at    time.Time
}

func (l *movingLatency) add(sample time.Duration, now time.Time) {
	if l.at.IsZero() {
		l.value, l.at = float64(sample), now
		return
	}
	old := decay(now.Sub(l.at))
	l.value = l.value*old + float64(sample)*(1-old)
	l.at = now
}

// estimate is what the next answer may take, so far as is known.
func (l *movingLatency) estimate(now time.Time) time.Duration {
	if l.at.IsZero() {
		return latencyUnknown
	}
	return time.Duration(l.value * decay(now.Sub(l.at)))
}

func decay(passed time.Duration) float64 { return math.Exp(-float64(passed) / float64(latencyMemory)) }
