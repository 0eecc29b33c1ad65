package routing

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/providers"
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
