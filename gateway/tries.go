package gateway

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// Backoff is how long a target is left alone that is asked again: at random up to
// its base, which doubles each time, up to Most.
type Backoff struct {
	// Transient is the base where a connection or a call failed.
	Transient time.Duration
	// Throttled is the base where the target said that it has too much to do.
	Throttled time.Duration
	// Most bounds every wait, also one that a provider asks for: a longer one is the client's.
	Most time.Duration
}

// DefaultBackoff is the backoff of a config that says nothing.
var DefaultBackoff = Backoff{Transient: 50 * time.Millisecond, Throttled: time.Second, Most: 30 * time.Second}

func (b *Backoff) transient(times int) time.Duration { return b.jitter(b.Transient, times) }
func (b *Backoff) throttled(times int) time.Duration { return b.jitter(b.Throttled, times) }

func (b *Backoff) jitter(base time.Duration, times int) time.Duration {
	most := min(b.Most, base<<min(times-1, 20))
	return time.Duration(rand.Int64N(int64(most) + 1)) //nolint:gosec // spreading load is no secret
}

// tries is the way of a call from target to target.
type tries struct {
	*call
	most     int
	deadline time.Time
	targets  []tried
	few      [4]tried
	// only is the first attempt: most calls need no other.
	only attempt
	// at is the target of the attempt that is next, or was the latest.
	at int
	// first and latest are failures; first is what the client is told.
	first, latest *failure
	// forced tells that a target is asked although it is not available.
	forced bool
	// probe tells that the attempt shows whether the target has recovered.
	probe bool
	// holds is what the next attempt, or the present one, holds of its provider's limits.
	holds targetQuota
	// limited are the targets that our own limits refuse; limiterAway tells that it could
	// not be told whether some of them do.
	limited     []ownLimit
	limiterAway bool
	// unsure tells that some attempt may have been answered.
	unsure bool
	// booked is how many of the attempts are among the failures of the record.
	booked int
	// waited tells that a target was given the time that it asked for, in vain.
	waited bool
	// soonest is when the first of the providers that asked for time takes calls again.
	soonest time.Time
}

// tried is a target of the plan and what has become of it in this call.
type tried struct {
	*routing.Target
	times int
	// keys are the keys that were tried, as bits; key is the latest.
	keys uint64
	key  int
	// again is when it may be asked again; zero: never.
	again time.Time
	// failedOn is what its attempts failed on.
	failedOn routing.Conditions
	// barred tells that it has become unavailable.
	barred bool
}

// attemptAll tries targets until one commits an answer. The error is the first
// that a provider gave: what came after it was makeshift.
func (c *call) attemptAll() error {
	t := c.newTries()
	c.plan.Budget.Called(time.Now())
	defer t.settleBudget(true) // what was granted and not used, also after a panic
	for t.next() {
		failed := t.attempt()
		t.settleBudget(failed == nil)
		if failed == nil {
			return nil
		}
		t.note(failed)
	}
	return t.failure()
}

func (c *call) newTries() *tries {
	t := &tries{call: c, most: 1 + c.g.Retries}
	if route := c.plan.Route; route != nil && route.Retries >= 0 {
		t.most = 1 + route.Retries
	}
	t.deadline = c.record.Start.Add(c.total())
	t.targets = t.few[:0]
	for i := range c.plan.Targets {
		t.targets = append(t.targets, tried{Target: &c.plan.Targets[i]})
	}
	return t
}

// next finds the target of the next attempt and takes part in its load. It is
// false once there is none, or no sense in one.
func (t *tries) next() bool {
	if t.latest != nil && !t.mayGoOn() {
		return false
	}
	for {
		at, wait := t.choose()
		if at < 0 {
			return (t.latest == nil || t.latest.verdict == skipped) && (t.waitForRoom() || t.force())
		}
		if t.latest != nil && !t.granted() {
			return false
		}
		if wait > 0 && !t.sleep(wait) {
			return false
		}
		if t.begin(at) {
			return true
		}
	}
}

// mayGoOn tells whether the latest failure leaves anything to try.
func (t *tries) mayGoOn() bool {
	if t.committed || t.forced || t.record.Attempts >= t.most || t.unheard() || !time.Now().Before(t.deadline) {
		return false
	}
	return t.latest.verdict != ambiguous || t.mayResend()
}

// mayResend tells whether what may have been answered can be sent again: once at most.
func (t *tries) mayResend() bool {
	return !t.record.PossibleDuplicate && (t.plan.Route == nil || !t.plan.Route.FailAmbiguous)
}

// mayRepeat tells whether what the present attempt may have cost can be asked for
// once more.
func (t *tries) mayRepeat() bool { return !t.unsure && t.mayResend() }

// choose finds the target to try: the same with another key, then those that were
// not tried, then the one that may be tried again the soonest, after a wait.
func (t *tries) choose() (at int, wait time.Duration) {
	if t.latest != nil && t.latest.ofKey && t.hasOtherKey() {
		return t.at, 0
	}
	if at := t.fresh(); at >= 0 {
		return at, 0
	}
	if t.latest == nil {
		return -1, 0
	}
	at = -1
	for i := range t.targets {
		again := t.targets[i].again
		if again.IsZero() || !t.follows(&t.targets[i]) {
			continue
		}
		if at < 0 || again.Before(t.targets[at].again) {
			at = i
		}
	}
	if at < 0 || t.targets[at].again.After(t.deadline) {
		return -1, 0
	}
	return at, time.Until(t.targets[at].again)
}

// fresh is the first target that was not tried and may follow what happened, -1 if
// there is none.
func (t *tries) fresh() int {
	for i := range t.targets {
		if t.targets[i].times == 0 && t.follows(&t.targets[i]) && !t.isDuplicate(i) {
			return i
		}
	}
	return -1
}

func (t *tries) follows(to *tried) bool {
	if t.latest == nil {
		return t.plan.Begins(to.Target)
	}
	return t.plan.Leads(t.targets[t.at].Target, to.Target, t.conditions(to))
}

// conditions are what happened: to a fallback whatever did at any target of the
// model, unless the request itself turned out to be wrong.
func (t *tries) conditions(to *tried) routing.Conditions {
	from, on := t.targets[t.at].Target, t.latest.condition()
	if on == 0 || from.SameModel(to.Target) {
		return on
	}
	for i := range t.targets {
		if t.targets[i].SameModel(from) {
			on |= t.targets[i].failedOn
		}
	}
	return on
}

// isDuplicate tells a target that stands in the plan twice.
func (t *tries) isDuplicate(at int) bool {
	for i := range t.targets {
		if i != at && t.targets[i].times > 0 && t.targets[i].Same(t.targets[at].Target) {
			return true
		}
	}
	return false
}

func (t *tries) hasOtherKey() bool {
	target := &t.targets[t.at]
	return t.pinned == nil && !target.barred && target.State.OtherKey(target.Upstream.Base().Fingerprints(), target.keys, time.Now())
}

// granted asks the retry budget, unless nothing was sent: that costs nobody anything.
func (t *tries) granted() bool {
	if t.budgeted || t.latest.verdict == unsent || t.latest.verdict == skipped {
		return true
	}
	t.budgeted = t.plan.Budget.Take(time.Now())
	return t.budgeted
}

// settleBudget tells the retry budget what became of what it granted: an answer
// is one once it has begun, however long it takes.
func (c *call) settleBudget(answered bool) {
	if c.budgeted {
		c.budgeted = false
		c.plan.Budget.Done(time.Now(), answered)
	}
}

// sleep waits, unless the client leaves.
func (t *tries) sleep(wait time.Duration) bool {
	t.waited = t.waited || t.latest.err.RetryAfter > 0
	begin := time.Now()
	gone := t.await(begin.Add(wait))
	t.record.Waited += time.Since(begin)
	return !gone
}

// begin takes part in a target's load; false if it has become unavailable.
func (t *tries) begin(at int) bool {
	target := &t.targets[at]
	now := time.Now()
	target.times++
	target.again = time.Time{}
	probe, ok := target.State.Begin(t.forced, now)
	if !ok {
		target.barred = true
		t.plan.Obstructed = append(t.plan.Obstructed, routing.Obstructed{
			Target: *target.Target, Availability: target.State.Available(target.Upstream.Base().Fingerprints(), now),
		})
		return false
	}
	if found, ok := t.takeKey(at, now); !ok {
		target.State.End(&t.g.Breaker, routing.Report{Probe: probe, Began: now}, now)
		target.barred = true
		t.plan.Obstructed = append(t.plan.Obstructed, routing.Obstructed{Target: *target.Target, Availability: found})
		return false
	}
	target.keys |= routing.KeyBit(target.key)
	t.at, t.probe = at, probe
	return true
}

// key picks the target's key for the attempt, rather one that was not tried.
func (t *tries) key(target *tried, tried uint64, now time.Time) int {
	keys := target.Upstream.Base().Fingerprints()
	if t.pinned != nil {
		if key := slices.Index(keys, *t.pinned); key >= 0 {
			return key
		}
	}
	var need routing.Need
	if len(keys) > 1 {
		need = routing.NeedOf((*planned)(t.call))
	}
	return target.State.Key(keys, tried, need, now)
}

// last tells whether no other target remains for what comes too late.
func (t *tries) last() bool {
	return t.forced || t.record.Attempts+1 >= t.most || !t.mayRepeat() || !t.leads(routing.OnTimeout)
}

// leads tells whether a target remains that may follow the present one on a condition.
func (t *tries) leads(on routing.Conditions) bool {
	for i := range t.targets {
		if t.targets[i].times == 0 && !t.isDuplicate(i) && t.plan.Leads(t.targets[t.at].Target, t.targets[i].Target, on) {
			return true
		}
	}
	return false
}

// note keeps what became of an attempt.
func (t *tries) note(failed *failure) {
	t.latest = failed
	if t.first == nil || t.first.verdict == skipped {
		t.first = failed
	}
	t.unsure = t.unsure || failed.verdict == ambiguous
	target := &t.targets[t.at]
	target.again = t.againAt(failed, target.times)
	target.failedOn |= failed.condition()
	if wait := failed.err.RetryAfter; wait > 0 {
		if until := time.Now().Add(wait); t.soonest.IsZero() || until.Before(t.soonest) {
			t.soonest = until
		}
	}
	t.bookFailure(failed)
}

// againAt is when a target that failed may be asked again in this call.
func (t *tries) againAt(failed *failure, times int) time.Time {
	now, backoff := time.Now(), &t.g.Backoff
	var wait time.Duration
	switch failed.verdict {
	case unsent:
		return now.Add(backoff.transient(times))
	case transient:
		if times > 1 {
			return time.Time{}
		}
		wait = backoff.transient(times)
	case refused:
		if failed.ofKey && failed.kind != transform.ErrRateLimit {
			return time.Time{}
		}
		wait = backoff.throttled(times)
	default:
		return time.Time{}
	}
	if asked := failed.err.RetryAfter; asked > backoff.Most {
		return time.Time{}
	} else if asked > 0 {
		wait = asked
	}
	return now.Add(wait)
}

// maxClientWait is the longest wait that all official SDKs keep to; told of a
// longer one, some come back at once.
const maxClientWait = 60 * time.Second

// failure is what the client is told.
func (t *tries) failure() error {
	if t.first == nil {
		if t.gone() {
			return errClientGone
		}
		return modelNotFound(t.routing.model)
	}
	told := *t.first.err
	if told.RetryAfter > 0 && !t.soonest.IsZero() {
		// Time has passed, and another may be ready before the first.
		told.RetryAfter = wholeSeconds(time.Until(t.soonest))
	}
	// A client's own retry on top of ours would be billed once more, or add to an outage.
	wait := told.RetryAfter
	told.NoRetry = told.NoRetry || t.unsure || t.waited || wait > maxClientWait || t.record.Attempts > 1 && wait == 0 && !t.first.final()
	t.first.err = &told
	return t.first
}
