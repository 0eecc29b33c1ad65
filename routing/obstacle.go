package routing

import (
	"time"

	"github.com/caddyllm/llmproxy/providers"
)

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
