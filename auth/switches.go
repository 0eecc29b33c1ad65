package auth

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Switches are the callers that the operator has switched off for now, by their ids.
// They outlive the configs that know the callers. A nil one has none.
type Switches struct {
	any atomic.Bool
	mu  sync.Mutex
	off map[string]struct{}
}

// maxSwitched bounds the ids: those that others vouch for are as many as they like.
const maxSwitched = 100_000

var errTooManySwitched = errors.New("too many keys are switched off by the admin API: disable them in the config")

// Off tells whether a caller is switched off.
func (s *Switches) Off(id string) bool {
	if s == nil || !s.any.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, off := s.off[id]
	return off
}

// Set switches a caller off, or on again.
func (s *Switches) Set(id string, off bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !off {
		delete(s.off, id)
		s.any.Store(len(s.off) > 0)
		return nil
	}
	if len(s.off) >= maxSwitched {
		return errTooManySwitched
	}
	if s.off == nil {
		s.off = make(map[string]struct{})
	}
	s.off[id] = struct{}{}
	s.any.Store(true)
	return nil
}

// Destruct lets a pool hold the switches; memory is all there is to them.
func (*Switches) Destruct() error { return nil }
