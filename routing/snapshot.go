package routing

import (
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/providers/ratelimit"
)

// Snapshot is what is known of a provider at one time. It holds no secret.
type Snapshot struct {
	// Availability is that of the provider itself: what stands against all of its models.
	Availability
	// Keys are in the order of the config.
	Keys []KeySnapshot
	// Models are those that calls have shown something of, by name.
	Models []ModelSnapshot
}

// KeySnapshot is what is known of one key.
type KeySnapshot struct {
	// Fingerprint tells keys apart without showing them.
	Fingerprint string
	// Availability is Keyless or Limited with its end, or Clear.
	Availability
	// Headroom is what the provider said last of each limit of the key, of whatever
	// model it said so.
	Headroom ratelimit.Headroom
}

// ModelSnapshot is what is known of one model of a provider.
type ModelSnapshot struct {
	Model string
	Availability
	// Breaker is that of the target.
	Breaker  Position
	InFlight int64
	// Answer and Stream estimate how long an answer takes, and how long a stream
	// takes to its first content; 0: nothing is known.
	Answer, Stream time.Duration
	// Limited are the keys that the provider wants left alone for this model.
	Limited []KeySnapshot
	// Headroom is what the provider said last of the limits of keys, of those of
	// which it said something.
	Headroom []KeyHeadroom
	// Failed is the latest error.
	Failed LastError
}

// KeyHeadroom is what a provider said last of the limits of one key.
type KeyHeadroom struct {
	// Index is the key's place in the config.
	Index int
	ratelimit.Headroom
}

// Snapshot looks without changing anything. keys are those of the provider's config.
func (h *Health) Snapshot(keys []providers.Fingerprint, now time.Time) Snapshot {
	s := Snapshot{Availability: h.available(keys, now)}
	h.mu.Lock()
	models := maps.Clone(h.models)
	h.mu.Unlock()
	for _, key := range keys {
		shown := snapshotOf(key, h.keyAvailable(key, now))
		shown.Headroom = latestHeadroom(models, key)
		s.Keys = append(s.Keys, shown)
	}
	for _, name := range slices.Sorted(maps.Keys(models)) {
		s.Models = append(s.Models, models[name].snapshot(name, keys, now))
	}
	return s
}

// latestHeadroom is what a provider said last of each limit of a key: most count by
// model, and all that can be said of the key is the latest.
func latestHeadroom(models map[string]*State, key providers.Fingerprint) (latest ratelimit.Headroom) {
	var said []ratelimit.Headroom
	for _, state := range models {
		if headroom := state.headroom(key); headroom.Known() {
			said = append(said, headroom)
		}
	}
	slices.SortFunc(said, func(a, b ratelimit.Headroom) int { return a.At.Compare(b.At) })
	for i := range said {
		latest.Renew(&said[i])
	}
	return latest
}

func (s *State) snapshot(name string, keys []providers.Fingerprint, now time.Time) ModelSnapshot {
	m := ModelSnapshot{Model: name, Availability: s.Available(keys, now), InFlight: s.InFlight()}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Breaker = s.circuit.position(now)
	m.Answer, m.Stream, m.Failed = s.latency[0].known(now), s.latency[1].known(now), s.failed
	for i, key := range keys {
		known := s.keys[key]
		if known == nil {
			continue
		}
		if known.wait.Until.After(now) {
			m.Limited = append(m.Limited, snapshotOf(key, known.wait))
		}
		if known.headroom.Known() {
			m.Headroom = append(m.Headroom, KeyHeadroom{i, known.headroom})
		}
	}
	return m
}

func snapshotOf(key providers.Fingerprint, found Availability) KeySnapshot {
	if key == (providers.Fingerprint{}) {
		return KeySnapshot{Availability: found}
	}
	return KeySnapshot{Fingerprint: hex.EncodeToString(key[:4]), Availability: found}
}

// available is what stands against the provider, whatever the model.
func (h *Health) available(keys []providers.Fingerprint, now time.Time) Availability {
	found := h.blocked()
	for i, key := range keys {
		if found.Obstacle != Clear && found.Obstacle != Keyless {
			break
		}
		next := h.keyAvailable(key, now)
		if next.Obstacle == Clear {
			return next
		}
		if i == 0 || next.Until.Before(found.Until) {
			found = next
		}
	}
	return found
}

func (h *Health) keyAvailable(key providers.Fingerprint, now time.Time) Availability {
	if until := h.keyRefused(key, now); !until.IsZero() {
		return Availability{Keyless, until}
	}
	return Availability{}
}

// lookUp is the state of a model, nil if no call has shown anything of it.
func (h *Health) lookUp(name string) *State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.models[name]
}

// known is the estimate, 0 if nothing was measured.
func (l *movingLatency) known(now time.Time) time.Duration {
	if l.at.IsZero() {
		return 0
	}
	return l.estimate(now)
}

// Named are the models of each provider that the config spells out: targets, fallbacks
// that are addresses, and those that a provider lists.
func (t *Table) Named() map[*providers.Upstream]map[string]bool {
	named := make(map[*providers.Upstream]map[string]bool, len(t.upstreams))
	for _, u := range t.upstreams {
		named[u] = make(map[string]bool)
		for _, model := range u.Base().Models {
			named[u][model] = true
		}
	}
	for _, r := range t.routes {
		for i := range r.Targets {
			named[r.Targets[i].Upstream][r.Targets[i].Model] = true
		}
		for _, name := range r.Fallback {
			if len(t.claiming(name)) > 0 {
				continue
			}
			if u, model, err := t.find(name); err == nil {
				named[u][model] = true
			}
		}
	}
	return named
}
