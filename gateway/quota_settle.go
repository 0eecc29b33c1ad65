package gateway

import (
	"net/http"

	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/usage"
)

// settleQuota replaces what was reserved for the call by what it took.
func (c *call) settleQuota() {
	q := c.quota
	if q == nil {
		return
	}
	c.quota = nil
	if q.limiter.Remote() && c.committed {
		_ = http.NewResponseController(c.w).Flush() // the client need not wait for this
	}
	ctx := c.r.Context()
	spent := c.record.Tokens.Plus(q.doubtful)
	if c.hit { // which was paid for by another call
		spent = c.wasted.Plus(q.doubtful)
	}
	switch {
	case c.resumed, c.hit, c.accepted, spent.Total() > 0, spent.Cost > 0:
		c.settled(q.limiter.Settle(ctx, q.held, c.actual(spent, q.cost)))
	case c.record.Attempts == 0:
		_ = q.limiter.Release(ctx, q.held, limits.RefundAll) // as above
	default:
		_ = q.limiter.Release(ctx, q.held, limits.RefundTokens)
	}
}

// settled notes what a provider reported that nobody can believe.
func (c *call) settled(s limits.Settlement, _ error) {
	c.record.Disbelieved = c.record.Disbelieved || s.Disbelieved
}

// settleTarget does the same for an attempt, which may have panicked.
func (a *attempt) settleTarget(failed *failure, returned bool) {
	q := a.tries.holds
	if q.held == nil {
		return
	}
	a.tries.holds = targetQuota{}
	ctx := a.r.Context()
	switch {
	case a.accepted:
		a.settled(q.limiter.Settle(ctx, q.held, a.actual(a.bill(), q.cost)))
	case !a.sent():
		_ = q.limiter.Release(ctx, q.held, limits.RefundAll)
	case !returned, failed != nil && failed.verdict == ambiguous:
		a.settled(q.limiter.Settle(ctx, q.held, a.actual(a.inDoubt(), q.cost)))
	default:
		_ = q.limiter.Release(ctx, q.held, limits.RefundTokens)
	}
}

// inDoubt is what an attempt is taken to have cost that a provider may have answered:
// its prompt.
func (c *call) inDoubt() usage.Tokens {
	if c.op == opCount {
		return usage.Tokens{}
	}
	return c.priced(usage.Tokens{Input: c.estimateInput(), Estimated: true})
}

// mostBelieved is above what any model takes and answers in one call. A provider that
// reports more must neither lock a caller out nor empty its budget.
const mostBelieved = 1 << 26

// actual is what limits are told that was taken, where so much was reserved for it.
func (c *call) actual(spent usage.Tokens, reserved limits.Cost) limits.Actual {
	actual := limits.Actual{Tokens: spent.Total(), TokensKnown: true, Money: int64(spent.Cost), MoneyKnown: true}
	switch {
	case c.op == opCount, c.resumed:
		return limits.Actual{TokensKnown: true, MoneyKnown: true}
	case actual.Tokens > mostBelieved:
		c.record.Disbelieved = true
		return limits.Actual{} // what was reserved stands
	}
	if c.isUnheard() {
		actual.Tokens, actual.Money = max(actual.Tokens, reserved.Tokens), max(actual.Money, reserved.Money)
	}
	if _, priced := c.model().Estimate(1, 1); priced && !spent.CostKnown {
		actual.Money = max(actual.Money, reserved.Money) // it has a price, but nobody counted
	}
	return actual
}

// isUnheard tells that a provider accepted the call for a whole answer that nobody
// heard: all of it may have been made.
func (c *call) isUnheard() bool {
	return c.accepted && !c.committed && !c.whole && !c.routing.stream && c.record.Ending == usage.ClientGone
}
