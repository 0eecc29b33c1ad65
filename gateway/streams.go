package gateway

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/caddyllm/llmproxy/transform"
)

// errStopping answers the calls that come when the process stops, and ends those
// that outlive its patience.
var errStopping = &transform.Error{
	Kind: transform.ErrOverloaded, Code: "gateway_stopping", RetryAfter: time.Second,
	Message: "The gateway is stopping: ask again.",
}

// Streams are the calls that are under way, of all configs together, so that they
// can be ended honestly when the process stops. Most of their time is streams.
type Streams struct {
	mu sync.Mutex
	// calls are those under way, linked by underWay.
	calls *call
	// forNobody are the calls to which nobody listens, and whether they are
	// read for their cost alone: drains counts those.
	forNobody map[*call]bool
	drains    int
	// refusing: no call begins, and none goes on for nobody. ended: none goes on.
	refusing, ended bool
	idle            chan struct{} // closed once no call is left, if somebody waits for that
}

// underWay is a call's place among those that are under way. It is of Streams.
type underWay struct {
	next, previous *call
	// end ends the attempt that is under way; nil between two.
	end canceler
}

// enter begins a call; false if none may begin.
func (s *Streams) enter(c *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.next = s.calls; c.next != nil {
		c.next.previous = c
	}
	s.calls = c
	return !s.refusing
}

// leave ends a call, once it is settled.
func (s *Streams) leave(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.next != nil {
		c.next.previous = c.previous
	}
	if c.previous != nil {
		c.previous.next = c.next
	} else {
		s.calls = c.next
	}
	c.next, c.previous = nil, nil
	if s.calls == nil && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// attach says how to end what a call does now; nil: nothing that takes long.
func (s *Streams) attach(c *call, end canceler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.end = end
	if s.ended && end != nil {
		end.cancel(errStopping)
	}
}

// Refuse has every later call answered with an error that says to ask again.
// Those that are under way go on, but for those to which nobody listens: a process
// that stops does not wait for them.
func (s *Streams) Refuse() {
	s.mu.Lock()
	s.refusing = true
	unheard := slices.Collect(maps.Keys(s.forNobody))
	s.mu.Unlock()
	for _, c := range unheard {
		c.abandon()
	}
}

// Refusing tells whether no call may begin any more.
func (s *Streams) Refusing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusing
}

// End makes every call end that is under way: a stream with an error event, an
// answer that has not begun with an error. None begins after it.
func (s *Streams) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing, s.ended = true, true
	for c := s.calls; c != nil; c = c.next {
		if c.end != nil {
			c.end.cancel(errStopping)
		}
	}
}

// Wait returns once no call is under way and all are settled, or when the time is up.
func (s *Streams) Wait(most time.Duration) {
	s.mu.Lock()
	if s.calls == nil {
		s.mu.Unlock()
		return
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// unheard notes a call to which nobody listens. It is false if it may not go on.
func (s *Streams) unheard(c *call, drain bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusing || drain && s.drains >= maxDrains {
		return false
	}
	if s.forNobody == nil {
		s.forNobody = make(map[*call]bool)
	}
	s.forNobody[c] = drain
	if drain {
		s.drains++
	}
	return true
}

// heard notes that somebody listens again, or that the call is over.
func (s *Streams) heard(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forNobody[c] {
		s.drains--
	}
	delete(s.forNobody, c)
}
