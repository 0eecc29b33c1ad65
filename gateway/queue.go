package gateway

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Queue holds calls back for a bounded time while every target of their model has
// used up its limits, as far as the providers said: rather a short wait than an
// error that the client has to wait for as well.
type Queue struct {
	// Wait is the longest wait, Length how many calls may wait at once.
	Wait   time.Duration
	Length int64

	waiting atomic.Int64
}

// DefaultQueueLength is how many calls may wait where a config does not say.
const DefaultQueueLength = 1000

// queueJitter keeps the calls that waited for one moment from coming all at once.
const queueJitter = 100 * time.Millisecond

// queue waits until a target has room, if that is soon enough, and plans anew.
func (c *call) queue() error {
	q := c.g.Queue
	if q == nil {
		return nil
	}
	for deadline := time.Now().Add(q.Wait); ; {
		until, scarce := c.plan.Scarce()
		until = until.Add(rand.N(queueJitter))
		if !scarce || until.After(deadline) || !q.enter() {
			return nil
		}
		begin := time.Now()
		gone := c.await(until)
		q.waiting.Add(-1)
		c.record.Queued += time.Since(begin)
		if gone {
			return errClientGone
		}
		if err := c.makePlan(); err != nil {
			return err
		}
	}
}

func (q *Queue) enter() bool {
	if q.waiting.Add(1) > q.Length {
		q.waiting.Add(-1)
		return false
	}
	return true
}

// await waits for a moment, and tells whether the client left before.
func (c *call) await(moment time.Time) (gone bool) {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-c.r.Context().Done():
		return true
	}
}
