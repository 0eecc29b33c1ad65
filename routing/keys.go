package routing

import (
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/providers/ratelimit"
)

// keyState is what is known of one key of a target.
type keyState struct {
	// wait is until when the key is not used, and why.
	wait Availability
	// headroom is what the provider said last of the key's limits.
	headroom ratelimit.Headroom
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
