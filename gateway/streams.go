package gateway

import (
	"context"
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
