package routing

import (
	"slices"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/providers/ratelimit"
)

// Need is what a call takes of the limits of a provider.
type Need struct {
	Requests, Tokens int64
}

// Observe keeps what a provider said of a key's limits.
func (s *State) Observe(key providers.Fingerprint, headroom ratelimit.Headroom) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key(key).headroom = headroom
}

// headroom is what a provider said last of a key's limits.
func (s *State) headroom(key providers.Fingerprint) ratelimit.Headroom {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.keys[key]; known != nil {
		return known.headroom
	}
	return ratelimit.Headroom{}
}

// observed tells whether a provider has said anything of its limits.
func (s *State) observed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.keys {
		if known.headroom.Known() {
			return true
		}
	}
	return false
}

// Empty tells until when no key has room for a need, as far as the provider said.
func (s *State) Empty(keys []providers.Fingerprint, need Need, now time.Time) (until time.Time, empty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if s.keyBlocked(key, now).Obstacle != Clear {
			continue
		}
		end, empty := s.keyEmpty(key, need, now)
		if !empty {
			return time.Time{}, false
		}
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until, !until.IsZero()
}

func (s *State) keyEmpty(key providers.Fingerprint, need Need, now time.Time) (until time.Time, empty bool) {
	if known := s.keys[key]; known != nil && known.headroom.Known() {
		return known.headroom.Empty(now, need.Requests, need.Tokens)
	}
	return time.Time{}, false
}

// preferRoom puts targets behind the others whose limits have no room for the
// call: they would very likely refuse it.
func (p *planner) preferRoom(targets []Target) {
	known := false
	for i := range targets {
		known = known || targets[i].State.observed()
	}
	if !known {
		return
	}
	need := p.need()
	for i := range targets {
		targets[i].emptyUntil, _ = targets[i].State.Empty(targets[i].Upstream.Base().Fingerprints(), need, p.now)
	}
	slices.SortStableFunc(targets, func(a, b Target) int { return a.empty() - b.empty() })
}

func (t *Target) empty() int {
	if t.emptyUntil.IsZero() {
		return 0
	}
	return 1
}

func (p *planner) need() Need { return NeedOf(p.call) }

// NeedOf is what a call takes of the limits of a provider: most count what may be
// answered as soon as they are asked.
func NeedOf(call Call) Need { return Need{1, call.InputTokens() + call.OutputTokens()} }

// Scarce tells until when no target has room, as far as providers said of their
// limits; false if one has, or if something else stands in the way.
func (p *Plan) Scarce() (until time.Time, scarce bool) {
	sooner := func(t time.Time) {
		if until.IsZero() || t.Before(until) {
			until = t
		}
	}
	for i := range p.Targets {
		if p.Targets[i].emptyUntil.IsZero() {
			return time.Time{}, false
		}
		sooner(p.Targets[i].emptyUntil)
	}
	for i := range p.Obstructed {
		switch p.Obstructed[i].Obstacle {
		case Limited, Busy:
			sooner(p.Obstructed[i].Until)
		}
	}
	return until, !until.IsZero()
}
