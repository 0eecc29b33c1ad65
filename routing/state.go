package routing

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/providers"
)

// State is what is known of one target.
type State struct {
	health   *Health
	inFlight atomic.Int64

	mu      sync.Mutex
	circuit circuit
	// wait is until when the provider asked to be left alone, whatever the key.
	wait time.Time
	// keys are what is known of single keys.
	keys map[providers.Fingerprint]*keyState
	// latency is to the first content of streams and to the end of other answers.
	latency [2]movingLatency
	// failed is the latest error.
	failed LastError
}

// Begin takes part in the target's load. It is false if the target is not
// available, unless forced. What began must be ended by End.
func (s *State) Begin(forced bool, now time.Time) (probe, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !forced {
		if s.health.blocked().Obstacle != Clear || s.blocked(now).Obstacle != Clear {
			return false, false
		}
		probe = s.circuit.open()
		s.circuit.probing = s.circuit.probing || probe
	}
	s.inFlight.Add(1)
	return probe, true
}

// LastError is the latest error that a target gave. What came after it may have gone well.
type LastError struct {
	// Class is a word for it, such as rate_limit_exceeded; empty: there was none.
	Class string
	At    time.Time
}

// Report is what an attempt showed.
type Report struct {
	Outcome Outcome
	// Probe is as Begin said, Began when that was.
	Probe bool
	Began time.Time
	// Answered tells that the beginning of the answer has been reported.
	Answered bool
	// Latency is to the first content of a stream, or to the end of another answer;
	// 0: the attempt says nothing of it.
	Latency time.Duration
	Stream  bool
	// Wait is how long the provider asks to be left alone; 0: it does not say.
	Wait time.Duration
	// Key is whose wait that is, for a rate limit: other keys have their own.
	Key providers.Fingerprint
	// Error is the class of the target's error; empty: it gave none.
	Error string
}

// maxWait bounds how long a provider's word for when to come back is taken for
// granted: what it says of tomorrow is asked again earlier.
const maxWait = 300 * time.Second

// Answered reports that an answer has begun, which may take minutes to end: were
// it counted at its end, failures would seem to come in a row.
func (s *State) Answered(b *Breaker, r Report, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Outcome = Succeeded
	s.report(b, &r, now)
}

// End reports what became of an attempt that began.
func (s *State) End(b *Breaker, r Report, now time.Time) {
	s.inFlight.Add(-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report(b, &r, now)
	if r.Error != "" {
		s.failed = LastError{r.Error, now}
	}
	if r.Wait <= 0 {
		return
	}
	until := now.Add(min(r.Wait, maxWait))
	switch r.Outcome {
	case Throttled:
		s.key(r.Key).wait = Availability{Limited, until}
	case Failed:
		s.wait = until
	}
}

func (s *State) report(b *Breaker, r *Report, now time.Time) {
	s.circuit.report(b, r, now)
	latency := &s.latency[0]
	if r.Stream {
		latency = &s.latency[1]
	}
	switch r.Outcome {
	case Succeeded:
		if r.Latency > 0 && !r.Answered {
			latency.add(r.Latency, now)
		}
	case Throttled, Failed, Unreachable:
		latency.add(max(latency.estimate(now), leastPenalty, min(r.Wait, mostPenalty)), now)
	}
}

// InFlight counts the attempts that are on their way.
func (s *State) InFlight() int64 {
	if s == nil {
		return 0
	}
	return s.inFlight.Load()
}

// Latency estimates how long the next answer takes to begin, if it is a stream, or to come.
func (s *State) Latency(stream bool, now time.Time) time.Duration {
	if s == nil {
		return latencyUnknown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream {
		return s.latency[1].estimate(now)
	}
	return s.latency[0].estimate(now)
}

// open tells whether the breaker is open.
func (s *State) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.circuit.open()
}

func (s *State) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.circuit, s.wait, s.keys = circuit{}, time.Time{}, nil
}
