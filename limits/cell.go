package limits

import (
	"sync"
	"sync/atomic"
	"time"
)

// retryLease is the guess when a call under way may end.
const retryLease = time.Second

// cell is a bucket in memory.
type cell struct {
	bucket Bucket
	// seq is the order in which the cells of a step are locked.
	seq uint64
	// held counts the reservations that point here. It grows only under the lock of the
	// shard, so that a cell that nobody holds can be dropped there.
	held atomic.Int64
	kept bool // in the file

	mu      sync.Mutex
	counter counter
	leases  leases
	dirty   bool
}

// judge says what a claim would get now.
func (c *cell) judge(claim *Claim, now int64, s *State) {
	want, need := claim.cost()
	amount := claim.Limit.Amount
	used := c.used(claim.Limit.Kind, now)
	s.Remaining = max(0, amount-used)
	if need <= amount-used {
		s.Charged = min(want, amount-used)
		return
	}
	s.Refused, s.Never = true, need > amount
	switch {
	case s.Never:
	case claim.Limit.Kind == Concurrency:
		s.RetryAfter = retryLease
	default:
		s.RetryAfter = micros(c.counter.when(amount-need) - now)
	}
}

func (c *cell) used(kind Kind, now int64) int64 {
	if kind == Concurrency {
		c.leases.prune(now)
		return c.leases.count
	}
	c.counter.advance(now)
	return c.counter.total
}

// charge books what judge granted.
func (c *cell) charge(g *grant, s *State, now int64) {
	if g.kind == Concurrency {
		c.leases.add(&g.lease, now+int64(LeaseTime/time.Microsecond))
		g.charged = 1
	} else {
		g.slot, g.charged = c.counter.head, s.Charged
		c.counter.add(s.Charged)
	}
	s.Remaining -= s.Charged
}

// settle books the difference between what was charged and what is final.
func (c *cell) settle(g *grant, final, now int64) {
	if g.kind == Concurrency {
		c.leases.remove(&g.lease)
		return
	}
	c.counter.advance(now)
	if final > g.charged {
		c.counter.add(final - g.charged)
	} else {
		c.counter.sub(g.slot, g.charged-final)
	}
}

// reset is the time until nothing is used.
func (c *cell) reset(kind Kind, now int64) time.Duration {
	if kind == Concurrency {
		return 0
	}
	return micros(c.counter.reset() - now)
}

// idle tells whether the cell says nothing that an empty one does not.
func (c *cell) idle(now int64) bool {
	c.leases.prune(now)
	if c.counter.span != (span{}) {
		c.counter.advance(now)
	}
	return c.leases.count == 0 && c.counter.total == 0
}

func micros(n int64) time.Duration { return time.Duration(max(n, 0)) * time.Microsecond }
