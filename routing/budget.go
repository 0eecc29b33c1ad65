package routing

import (
	"sync"
	"time"
)

// A RetryBudget bounds how many more requests retries make of those of clients:
// without it, an outage would be answered with a multiple of the load. A retry
// that brings an answer gives back what it took: the budget is against storms,
// not against failover that works.
type RetryBudget struct {
	mu      sync.Mutex
	seconds [budgetSeconds]struct{ calls, spent int }
	newest  int64
	// pending are retries on their way.
	pending int
}

const (
	budgetSeconds = 10
	// budgetShare of the calls of the last ten seconds may be retried in vain …
	budgetShare = 0.2
	// … and so many in any case.
	budgetLeast = 3
)

// Called counts a call of a client.
func (b *RetryBudget) Called(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	b.seconds[b.newest%budgetSeconds].calls++
}

// Take asks for a retry. What is granted must be given to Done.
func (b *RetryBudget) Take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	calls, spent := 0, 0
	for _, s := range b.seconds {
		calls += s.calls
		spent += s.spent
	}
	if float64(spent+b.pending) >= budgetLeast+budgetShare*float64(calls) {
		return false
	}
	b.pending++
	return true
}

// Done ends a retry that was granted.
func (b *RetryBudget) Done(now time.Time, answered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	b.pending--
	if !answered {
		b.seconds[b.newest%budgetSeconds].spent++
	}
}

func (b *RetryBudget) turn(now time.Time) {
	// Callers do not come in the order of their times: only a clock that was put
	// back by far begins anew.
	second := now.Unix()
	if second-b.newest >= budgetSeconds || b.newest-second >= budgetSeconds {
		clear(b.seconds[:])
		b.newest = second
	}
	for ; b.newest < second; b.newest++ {
		b.seconds[(b.newest+1)%budgetSeconds] = struct{ calls, spent int }{}
	}
}
