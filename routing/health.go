package routing

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/providers/ratelimit"
)

// Health is what is known of one provider: facts only, so that it can outlive the
// configs that use it. Parameters come with each call.
type Health struct {
	// Budget bounds the retries of calls that address the provider directly.
	Budget RetryBudget

	disabled atomic.Bool
	probes   probing
	nextKey  atomic.Uint32

	mu     sync.Mutex
	models map[string]*State

	// keys guards refused. It is the innermost lock: models are looked through
	// under mu, and each looks at its keys.
	keys sync.Mutex
	// refused tells until when a key is not used, for any model.
	refused map[providers.Fingerprint]time.Time
}

// maxModels bounds the models of one provider that are told apart: with a glob,
// clients make up their names.
const maxModels = 1024

// Model is the state of one model of the provider.
func (h *Health) Model(name string) *State {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.models[name]
	if s != nil {
		return s
	}
	if len(h.models) >= maxModels {
		h.forgetOne()
	}
	if h.models == nil {
		h.models = make(map[string]*State)
	}
	s = &State{health: h}
	h.models[name] = s
	return s
}

// forgetOne makes room: a model that nobody is asking at present, one against
// which nothing is held if there is one.
func (h *Health) forgetOne() {
	idle := ""
	for name, s := range h.models {
		if s.InFlight() > 0 {
			continue
		}
		idle = name
		if !s.open() {
			break
		}
	}
	delete(h.models, idle)
}

// Disable takes the provider out of use, or back into it. It lasts until it is
// undone: configs come and go.
func (h *Health) Disable(off bool) { h.disabled.Store(off) }

// Disabled tells whether the provider is out of use.
func (h *Health) Disabled() bool { return h.disabled.Load() }

// Reset forgets what is held against the provider: open breakers, waits, refused
// keys, and failed probes until the next one.
func (h *Health) Reset() {
	h.probes.reset()
	h.keys.Lock()
	h.refused = nil
	h.keys.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.models {
		s.reset()
	}
}

// RefuseKey leaves a key alone until then: it is unknown to the provider, or has
// no money left.
func (h *Health) RefuseKey(key providers.Fingerprint, until time.Time) {
	h.keys.Lock()
	defer h.keys.Unlock()
	if h.refused == nil {
		h.refused = make(map[providers.Fingerprint]time.Time)
	}
	h.refused[key] = until
}

// UsableKey is the index of the first key that is not refused, 0 if all are.
func (h *Health) UsableKey(keys []providers.Fingerprint, now time.Time) int {
	for i, key := range keys {
		if h.keyRefused(key, now).IsZero() {
			return i
		}
	}
	return 0
}

// keyRefused is the time until which a key is not used, zero if it is.
func (h *Health) keyRefused(key providers.Fingerprint, now time.Time) time.Time {
	h.keys.Lock()
	defer h.keys.Unlock()
	until, ok := h.refused[key]
	if ok && !until.After(now) {
		delete(h.refused, key)
		return time.Time{}
	}
	return until
}

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
}

// keyState is what is known of one key of a target.
type keyState struct {
	// wait is until when the key is not used, and why.
	wait Availability
	// headroom is what the provider said last of the key's limits.
	headroom ratelimit.Headroom
}

// Obstacle is why a target is not asked.
type Obstacle uint8

// The obstacles.
const (
	// Clear: there is none.
	Clear Obstacle = iota
	// Disabled by the operator.
	Disabled
	// Open: the breaker is open.
	Open
	// Refusing: the breaker is open, and the last attempt found no connection.
	Refusing
	// Busy: the provider asked for time.
	Busy
	// Limited: the provider asked for time because of a rate limit, or the operator's own
	// limits are reached.
	Limited
	// Keyless: every key was refused, at least for this model.
	Keyless
	// TooSmall: the model's window does not hold the call.
	TooSmall
	// Down: probes find that the provider is not well.
	Down
	// Unpriced: a budget must be kept, and nobody knows what the model costs.
	Unpriced
)

var obstacleNames = [...]string{
	Disabled: "disabled", Open: "open", Refusing: "refusing", Busy: "busy", Limited: "limited", Keyless: "keyless", TooSmall: "too_small", Down: "down", Unpriced: "unpriced",
}

// String is the name of the obstacle, empty if there is none.
func (o Obstacle) String() string {
	if int(o) < len(obstacleNames) {
		return obstacleNames[o]
	}
	return ""
}

// Availability is whether a target can be asked, and when it can be if not.
type Availability struct {
	Obstacle Obstacle
	Until    time.Time
}

// Available looks without taking anything.
func (s *State) Available(keys []providers.Fingerprint, now time.Time) Availability {
	if found := s.health.blocked(); found.Obstacle != Clear {
		return found
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.blocked(now); found.Obstacle != Clear {
		return found
	}
	return s.keysBlocked(keys, now)
}

// blocked is what stands against the provider, whatever the model and the key.
func (h *Health) blocked() Availability {
	if h.Disabled() {
		return Availability{Obstacle: Disabled}
	}
	if until := h.probes.down(); !until.IsZero() {
		return Availability{Down, until}
	}
	return Availability{}
}

// blocked is what stands against the target, whatever the key.
func (s *State) blocked(now time.Time) Availability {
	switch c := &s.circuit; {
	case c.open() && (c.probing || now.Before(c.until)):
		if c.unreachable {
			return Availability{Refusing, c.until}
		}
		return Availability{Open, c.until}
	case now.Before(s.wait):
		return Availability{Busy, s.wait}
	}
	return Availability{}
}

// keysBlocked is what stands against every key, the soonest to end.
func (s *State) keysBlocked(keys []providers.Fingerprint, now time.Time) Availability {
	var soonest Availability
	for _, key := range keys {
		found := s.keyBlocked(key, now)
		if found.Obstacle == Clear {
			return found
		}
		if soonest.Obstacle == Clear || found.Until.Before(soonest.Until) {
			soonest = found
		}
	}
	return soonest
}

func (s *State) keyBlocked(key providers.Fingerprint, now time.Time) Availability {
	if until := s.health.keyRefused(key, now); !until.IsZero() {
		return Availability{Keyless, until}
	}
	if known := s.keys[key]; known != nil && known.wait.Until.After(now) {
		return known.wait
	}
	return Availability{}
}

// keyFree tells whether a key can be used for a need, or when it can.
func (s *State) keyFree(key providers.Fingerprint, need Need, now time.Time) (until time.Time, free bool) {
	if found := s.keyBlocked(key, now); found.Obstacle != Clear {
		return found.Until, false
	}
	until, empty := s.keyEmpty(key, need, now)
	return until, !empty
}

// Key picks the key for the next request by its index: in turn one of those that
// nothing stands against and whose limits have room for the need, and of those
// rather one that was not tried, which are bits. Where there is none it picks the
// soonest to be free.
func (s *State) Key(keys []providers.Fingerprint, tried uint64, need Need, now time.Time) int {
	if len(keys) == 1 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, others, best := 0, 0, 0
	var soonest time.Time
	for i, key := range keys {
		switch until, free := s.keyFree(key, need, now); {
		case !free:
			if soonest.IsZero() || until.Before(soonest) {
				best, soonest = i, until
			}
		case wasTried(i, tried):
			all++
		default:
			all++
			others++
		}
	}
	if all == 0 {
		return best
	}
	if others == 0 {
		others, tried = all, 0
	}
	turn := s.health.nextKey.Add(1) % uint32(others) //nolint:gosec // as few as there are keys
	for i, key := range keys {
		if _, free := s.keyFree(key, need, now); !free || wasTried(i, tried) {
			continue
		}
		if turn == 0 {
			return i
		}
		turn--
	}
	return best
}

// OtherKey tells whether there is a key that was not tried and that nothing stands against.
func (s *State) OtherKey(keys []providers.Fingerprint, tried uint64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, key := range keys {
		if !wasTried(i, tried) && s.keyBlocked(key, now).Obstacle == Clear {
			return true
		}
	}
	return false
}

// wasTried reads a set of keys. The last bit stands for all that have none of their own.
func wasTried(key int, tried uint64) bool { return tried&KeyBit(key) != 0 }

// KeyBit is a key in a set of those that were tried.
func KeyBit(key int) uint64 { return 1 << min(key, 63) }

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

// RefuseKey leaves a key alone until then, for this target.
func (s *State) RefuseKey(key providers.Fingerprint, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key(key).wait = Availability{Keyless, until}
}

func (s *State) key(key providers.Fingerprint) *keyState {
	known := s.keys[key]
	if known == nil {
		if s.keys == nil {
			s.keys = make(map[providers.Fingerprint]*keyState)
		}
		known = new(keyState)
		s.keys[key] = known
	}
	return known
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
