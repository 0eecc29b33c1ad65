package gateway

import (
	"time"

	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/routing"
)

// targetQuota is what an attempt holds of the limits of its provider and key.
type targetQuota struct {
	limiter *limits.Limiter
	cost    limits.Cost
	held    *limits.Reservation
}

// ownLimit is a target that is not asked because of the operator's own limits.
type ownLimit struct {
	at    int
	wait  time.Duration
	away  bool
	never bool
}

// upstreamQuotas are those of a target's provider, nil if it has none.
func (c *call) upstreamQuotas(target *routing.Target) *UpstreamQuotas {
	if c.g.Quotas == nil {
		return nil
	}
	return c.g.Quotas.Upstreams[target.Upstream]
}

// subjects are what an attempt with a key must hold to.
func (q *UpstreamQuotas) subjects(key int, list []*limits.Quota) []*limits.Quota {
	if q.All != nil {
		list = append(list, q.All)
	}
	if key < len(q.Keys) && q.Keys[key] != nil {
		list = append(list, q.Keys[key])
	}
	return list
}

// takeKey picks a target's key for the attempt, and holds what the attempt may take
// of the limits of the provider and the key. Where a key's limits refuse, another is tried.
func (t *tries) takeKey(at int, now time.Time) (found routing.Availability, ok bool) {
	target := &t.targets[at]
	target.key = t.key(target, target.keys, now)
	quotas := t.upstreamQuotas(target.Target)
	if quotas == nil {
		return found, true
	}
	if t.isUnpricedAt(target.Target, quotas) {
		return routing.Availability{Obstacle: routing.Unpriced}, false
	}
	refused := ownLimit{at: at}
	for limited := uint64(0); ; {
		next, ofKey, ok := t.claimTarget(target, quotas)
		if ok {
			return found, true
		}
		if refused.wait == 0 || next.wait < refused.wait {
			refused.wait, refused.away, refused.never = next.wait, next.away, next.never
		}
		limited |= routing.KeyBit(target.key)
		if !ofKey || t.pinned != nil {
			break
		}
		if target.key = t.key(target, target.keys|limited, now); limited&routing.KeyBit(target.key) != 0 {
			break
		}
	}
	t.limiterAway = t.limiterAway || refused.away
	found.Obstacle = routing.Limited
	if !refused.never {
		found.Until = now.Add(refused.wait)
		t.limited = append(t.limited, refused)
	}
	return found, false
}

// isUnpricedAt tells whether a budget of the provider itself stands against a target.
func (c *call) isUnpricedAt(target *routing.Target, quotas *UpstreamQuotas) bool {
	strict := false
	for key := range max(1, len(quotas.Keys)) {
		var few [2]*limits.Quota
		for _, s := range quotas.subjects(key, few[:0]) {
			strict = strict || !s.Unpriced && s.Has(limits.Money)
		}
	}
	return strict && c.op != opCount && !c.isPriced(target)
}

// claimTarget holds what an attempt may take. ofKey tells that it is the key's limits
// that refuse.
func (t *tries) claimTarget(target *tried, quotas *UpstreamQuotas) (refused ownLimit, ofKey, ok bool) {
	var few [2]*limits.Quota
	subjects := quotas.subjects(target.key, few[:0])
	if len(subjects) == 0 {
		return refused, false, true
	}
	q := targetQuota{limiter: t.limiter(), cost: t.costAt(target.Target)}
	if q.limiter == nil {
		return ownLimit{wait: errLimiterAway.RetryAfter, away: true}, false, false
	}
	d, err := q.limiter.Reserve(t.r.Context(), limits.NewID(), q.claims(subjects))
	if err != nil {
		return ownLimit{wait: errLimiterAway.RetryAfter, away: true}, false, false
	}
	if q.held = d.Reservation; q.held != nil {
		t.holds = q
		return refused, false, true
	}
	refusal := d.Refusal()
	subject := subjectOf(&d, refusal, subjects)
	t.noteLimit(subject.Scope, refusal.Limit.Kind)
	return ownLimit{wait: refusal.RetryAfter, never: refusal.Never}, subject.Scope == limits.ScopeProviderKey, false
}

func (q *targetQuota) claims(subjects []*limits.Quota) []limits.Claim {
	claims := make([]limits.Claim, 0, 8)
	for _, s := range subjects {
		claims = s.AppendClaims(claims, q.cost)
	}
	return claims
}

// waitForRoom waits for the target that the operator's own limits keep from being
// asked for the shortest time, and begins with it.
func (t *tries) waitForRoom() bool {
	if len(t.limited) == 0 {
		return false
	}
	soonest := t.limited[0]
	for _, l := range t.limited[1:] {
		if l.wait < soonest.wait {
			soonest = l
		}
	}
	target := &t.targets[soonest.at]
	quotas := t.upstreamQuotas(target.Target)
	line := limits.Queue{Wait: quotas.Wait, Length: quotas.Length, Key: t.principal.ID}
	if own := t.g.Queue; own != nil && own.Wait > line.Wait {
		line.Wait, line.Length = own.Wait, int(own.Length)
	}
	line.Wait = min(line.Wait-t.record.Queued, time.Until(t.deadline))
	if line.Wait <= 0 || soonest.away {
		return false
	}
	t.limited = nil // one wait is all
	var few [2]*limits.Quota
	q := targetQuota{limiter: t.limiter(), cost: t.costAt(target.Target)}
	if q.limiter == nil {
		return false
	}
	d, err := t.waitInLine(q.limiter, limits.NewID(), q.claims(quotas.subjects(target.key, few[:0])), line)
	if err != nil || !d.Granted() {
		return false
	}
	q.held = d.Reservation
	t.holds = q
	now := time.Now()
	probe, ok := target.State.Begin(false, now)
	if !ok {
		t.release()
		return false
	}
	target.barred = false
	target.keys |= routing.KeyBit(target.key)
	t.at, t.probe = soonest.at, probe
	return true
}

// release gives back what was held for an attempt that is not made.
func (t *tries) release() {
	if held := t.holds.held; held != nil {
		_ = t.holds.limiter.Release(t.r.Context(), held, limits.RefundAll) // which only Redis can fail, and then it is told later
		t.holds = targetQuota{}
	}
}
