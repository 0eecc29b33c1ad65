package limits

import (
	"context"
	"math/rand/v2"
	"time"
)

// Queue says how a call may wait.
type Queue struct {
	// Wait is how long; 0 does not wait.
	Wait time.Duration
	// Length is how many may wait for one limit; default 100.
	Length int
	// Key is whose call it is: keys take turns, the calls of one key stay in order.
	Key string
}

const defaultLength = 100

// Wait reserves as Reserve does, but waits for its turn where a limit refuses. It returns a
// refusal if the line is full, the time is over, or it can be told that waiting is in
// vain; and the context's error as soon as that ends.
//
// A call stands in line at the limit that refuses it for the longest time. The first in line tries
// again when something is given back there and when the limit said that it would have room; all others
// wait for its leaving. Reservations of more than one try have ids of their own.
func (l *Limiter) Wait(ctx context.Context, id string, claims []Claim, q Queue) (Decision, error) {
	if q.Wait <= 0 {
		return l.Reserve(ctx, id, claims)
	}
	w := &waiting{l: l, id: id, claims: claims, q: q, until: time.Now().Add(q.Wait)}
	w.turn = make(chan struct{}, 1)
	w.key = q.Key
	if w.q.Length <= 0 {
		w.q.Length = defaultLength
	}
	at, taken := l.lines.first(claims)
	if !taken {
		done, err := w.try(ctx)
		if done {
			return w.last, err
		}
		at = w.refusedAt()
	}
	if !l.lines.enter(at, &w.waiter, w.q.Length) {
		return w.refusal(ctx, at)
	}
	defer l.lines.leave(&w.waiter)
	return w.wait(ctx)
}

// waiting is one call of Wait.
type waiting struct {
	waiter
	l      *Limiter
	id     string
	tries  int64
	claims []Claim
	q      Queue
	until  time.Time
	last   Decision // the last try's
}

func (w *waiting) wait(ctx context.Context) (Decision, error) {
	timer := time.NewTimer(time.Until(w.until))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return Decision{}, ctx.Err()
		case <-timer.C:
			if !time.Now().Before(w.until) {
				return w.refusal(ctx, w.line.bucket)
			}
		case <-w.turn:
		}
		if ctx.Err() != nil {
			return Decision{}, ctx.Err()
		}
		if !w.l.lines.inFront(&w.waiter) {
			timer.Reset(time.Until(w.until))
			continue
		}
		if done, err := w.try(ctx); done {
			return w.last, err
		}
		if at := w.refusedAt(); at != w.line.bucket {
			if !w.l.lines.move(at, &w.waiter, w.q.Length) {
				return w.last, nil
			}
		}
		timer.Reset(min(w.pause(), time.Until(w.until)))
	}
}

// try reserves. It is done if that is granted or fails, or if waiting is in vain.
func (w *waiting) try(ctx context.Context) (done bool, err error) {
	id := w.id
	if w.tries > 0 {
		id += "/" + itoa(w.tries) // the end of a try that went unheard must not end this one
	}
	w.tries++
	if w.last, err = w.l.Reserve(ctx, id, w.claims); err != nil || w.last.Granted() {
		return true, err
	}
	r := w.last.Refusal()
	// Tokens and places come back before their time, requests and money don't.
	exact := r.Limit.Kind == Requests || r.Limit.Kind == Money
	return r.Never || exact && r.RetryAfter > time.Until(w.until), nil
}

// refusedAt is the bucket that refused the last try.
func (w *waiting) refusedAt() Bucket {
	r := w.last.Refusal()
	for i := range w.last.States {
		if &w.last.States[i] == r {
			return w.claims[i].Bucket
		}
	}
	return Bucket{}
}

const (
	pollGap = 50 * time.Millisecond
	maxPoll = time.Second
)

// pause is how long the first in line sleeps if nothing wakes it. With a store that others share,
// it looks more often, and not at the same time as they.
func (w *waiting) pause() time.Duration {
	r := w.last.Refusal()
	if !w.l.polls {
		return r.RetryAfter
	}
	gap := min(r.RetryAfter, maxPoll)
	if r.Limit.Kind == Concurrency {
		gap = pollGap
	}
	return gap + rand.N(gap/4+pollGap)
}

// refusal is the last try's, or made up for one that never had its turn.
func (w *waiting) refusal(ctx context.Context, at Bucket) (Decision, error) {
	if w.tries > 0 {
		return w.last, nil
	}
	states, err := w.l.Peek(ctx, w.claims)
	if err != nil {
		return Decision{}, err
	}
	for i := range states {
		if w.claims[i].Bucket == at {
			states[i].Refused, states[i].RetryAfter = true, max(states[i].Reset, retryLease)
		}
	}
	return Decision{States: states}, nil
}
