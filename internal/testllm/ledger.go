package testllm

import (
	"sync"
	"testing"
	"time"
)

// patience bounds every wait: far above what a healthy test needs.
const patience = 10 * time.Second

// ledger keeps the calls in order of arrival and announces each change.
type ledger struct {
	mu      sync.Mutex
	calls   []Call
	changed chan struct{} // closed by a change, then replaced
}

func newLedger() *ledger { return &ledger{changed: make(chan struct{})} }

func (l *ledger) add(call Call) Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	call.Index = len(l.calls)
	l.calls = append(l.calls, call)
	l.announce()
	return call.clone()
}

func (l *ledger) update(index int, change func(*Call)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	call := &l.calls[index]
	finished, cancelled := call.Finished, call.Cancelled
	change(call)
	if finished != call.Finished || cancelled != call.Cancelled {
		call.Ended = time.Now()
	}
	l.announce()
}

func (l *ledger) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *ledger) snapshot() ([]Call, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := make([]Call, len(l.calls))
	for i, call := range l.calls {
		calls[i] = call.clone()
	}
	return calls, l.changed
}

// wait blocks until n calls satisfy the condition and returns all calls.
func (l *ledger) wait(t testing.TB, n int, what string, condition func(Call) bool) []Call {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		calls, changed := l.snapshot()
		have := 0
		for _, call := range calls {
			if condition(call) {
				have++
			}
		}
		if have >= n {
			return calls
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("testllm: waited %v for %d %s calls, have %d of %d received", patience, n, what, have, len(calls))
			return calls
		}
	}
}

// Calls returns the ledger so far, in order of arrival. What a client has read
// is already billed in it, and Finished once it has read the end.
func (s *Server) Calls() []Call {
	calls, _ := s.ledger.snapshot()
	return calls
}

// WaitCalls waits until n calls have been received, body included, and returns
// the ledger.
func (s *Server) WaitCalls(t testing.TB, n int) []Call {
	t.Helper()
	return s.ledger.wait(t, n, "received", func(Call) bool { return true })
}

// WaitFinished waits until n calls have been answered to the scripted end.
func (s *Server) WaitFinished(t testing.TB, n int) []Call {
	t.Helper()
	return s.ledger.wait(t, n, "finished", func(c Call) bool { return c.Finished })
}

// WaitCancelled waits until the client has left n calls early.
func (s *Server) WaitCancelled(t testing.TB, n int) []Call {
	t.Helper()
	return s.ledger.wait(t, n, "cancelled", func(c Call) bool { return c.Cancelled })
}
