package gateway

import (
	"time"

	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// force decides what to do when no target is available that can take the request.
// Nothing is asked of one that refuses connections, that wants time for itself or
// that the operator took out of use.
func (t *tries) force() bool {
	target, waiting := t.forcible()
	if target == nil {
		if waiting {
			t.first = t.obstructed()
		}
		return false
	}
	t.targets = append(t.targets, tried{Target: target})
	t.forced = true
	if !t.begin(len(t.targets) - 1) {
		t.first = t.obstructed()
		return false
	}
	return true
}

// forcible is the target to ask although it is not available: one whose breaker
// is open, whose keys were all refused, or that a probe found down may have
// recovered. It is asked once, the soonest to be due first. Where it is nil,
// waiting tells whether any target may be there later.
func (t *tries) forcible() (target *routing.Target, waiting bool) {
	for i := range t.plan.Obstructed {
		found := &t.plan.Obstructed[i]
		if !t.follows(&tried{Target: &found.Target}) {
			continue
		}
		switch found.Obstacle {
		case routing.Clear, routing.Open, routing.Keyless, routing.TooSmall, routing.Down:
			return &found.Target, true
		}
		waiting = true
	}
	return nil, waiting
}

// obstructed is the answer while nothing is available.
func (t *tries) obstructed() *failure {
	e, soonest := errNoTarget, time.Time{}
	limited, unpriced := true, true
	for i := range t.plan.Obstructed {
		found := &t.plan.Obstructed[i]
		limited = limited && found.Obstacle == routing.Limited
		unpriced = unpriced && found.Obstacle == routing.Unpriced
		if !found.Until.IsZero() && (soonest.IsZero() || found.Until.Before(soonest)) {
			soonest = found.Until
		}
	}
	switch {
	case t.limiterAway:
		e = errLimiterAway
	case unpriced:
		return failureOf(errUnpriced, final)
	case limited:
		e = errTargetsLimited
	}
	told := *e
	if !soonest.IsZero() {
		told.RetryAfter = wholeSeconds(time.Until(soonest))
	}
	return &failure{err: &told, verdict: refused, kind: transform.ErrOverloaded}
}

// wholeSeconds is a wait as clients are told it: at least one second, and never too short.
func wholeSeconds(wait time.Duration) time.Duration {
	return max(time.Second, (wait + time.Second - 1).Truncate(time.Second))
}
