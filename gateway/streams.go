package gateway

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/caddyllm/llmproxy/transform"
)

// errStopping ends the streams that outlive the process's patience.
var errStopping = &transform.Error{
	Kind: transform.ErrOverloaded, Code: "gateway_stopping",
	Message: "The gateway is stopping: ask again.",
}

// Streams are the streams that are open, of all configs together, so that they
// can be ended honestly when the process stops.
type Streams struct {
	mu    sync.Mutex
	open  map[*relay]context.CancelCauseFunc
	ended bool
	// forNobody are the calls to which nobody listens, and whether they are
	// read for their cost alone: drains counts those.
	forNobody map[*call]bool
	drains    int
	stopping  bool
}

func (s *Streams) add(r *relay, cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*relay]context.CancelCauseFunc)
	}
	s.open[r] = cancel
	if s.ended {
		cancel(errStopping)
	}
}

func (s *Streams) remove(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, r)
}

// End makes every open stream end with an error event, and every later one.
func (s *Streams) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, cancel := range s.open {
		cancel(errStopping)
	}
}

// unheard notes a call to which nobody listens. It is false if it may not go on.
func (s *Streams) unheard(c *call, drain bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || drain && s.drains >= maxDrains {
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

// EndUnheard ends the calls to which nobody listens, and has none go on for
// nobody any more: a process that stops does not wait for them.
func (s *Streams) EndUnheard() {
	s.mu.Lock()
	s.stopping = true
	calls := slices.Collect(maps.Keys(s.forNobody))
	s.mu.Unlock()
	for _, c := range calls {
		c.abandon()
	}
}
