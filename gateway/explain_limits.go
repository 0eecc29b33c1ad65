package gateway

import (
	"context"
	"strconv"
	"time"

	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

// ExplainedLimit is a limit and what a call would take of it.
type ExplainedLimit struct {
	Scope string `json:"scope"`
	ID    string `json:"id"`
	Limit string `json:"limit"`
	// Reserve is what the call would hold, Remaining what is left for it: calls, tokens,
	// or US dollars.
	Reserve   string `json:"reserve"`
	Max       string `json:"max"`
	Remaining string `json:"remaining,omitempty"`
	// Refuses tells that the call does not fit now.
	Refuses bool `json:"refuses,omitempty"`
}

// explainLimits tells what the call would reserve, and what it would be told at once if
// that does not fit.
func (x *Explanation) explainLimits(c *call) {
	var few [fewQuotas]*limits.Quota
	subjects := c.quotas(few[:0])
	if len(subjects) == 0 {
		return
	}
	if c.onlyUnpriced() {
		x.Error = explainError(c, errUnpriced)
	}
	var d limits.Decision
	if x.Limits, d = c.explainLimits(subjects, c.cost(subjects)); d.Refusal() != nil && x.Error == nil {
		x.Error = explainError(c, c.refusedBy(&d, subjects))
	}
}

func (x *ExplainedTarget) explainLimits(c *call, target *routing.Target) {
	quotas := c.upstreamQuotas(target)
	if quotas == nil {
		return
	}
	var subjects []*limits.Quota
	if quotas.All != nil {
		subjects = append(subjects, quotas.All)
	}
	for _, key := range quotas.Keys {
		if key != nil {
			subjects = append(subjects, key)
		}
	}
	x.Limits, _ = c.explainLimits(subjects, c.costAt(target))
}

// explainLimits looks without reserving anything. The decision is what a reservation would
// find, but for the time to wait.
func (c *call) explainLimits(subjects []*limits.Quota, cost limits.Cost) (list []ExplainedLimit, d limits.Decision) {
	ctx, cancel := context.WithTimeout(c.r.Context(), time.Second)
	defer cancel()
	var claims []limits.Claim
	for _, s := range subjects {
		claims = s.AppendClaims(claims, cost)
	}
	if limiter := c.g.Quotas.Limiter(ctx); limiter != nil {
		d.States, _ = limiter.Peek(ctx, claims) // what is not known is left out
	}
	at := 0
	for _, s := range subjects {
		for i := range s.Limits {
			limit, claim := &s.Limits[i], &claims[at]
			x := ExplainedLimit{
				Scope: s.Scope.String(), ID: s.ID, Limit: limit.Name,
				Reserve: amountOf(limit.Kind, claim.Cost), Max: amountOf(limit.Kind, limit.Amount),
			}
			if at < len(d.States) {
				state := &d.States[at]
				state.Refused = max(claim.Cost, 1) > state.Remaining
				state.Never = max(claim.Cost, 1) > limit.Amount
				state.RetryAfter = state.Reset
				x.Remaining, x.Refuses = amountOf(limit.Kind, state.Remaining), state.Refused
			}
			list = append(list, x)
			at++
		}
	}
	return list, d
}

// amountOf writes an amount, money in dollars.
func amountOf(kind limits.Kind, n int64) string {
	if kind == limits.Money {
		return usage.Money(n).String()
	}
	return strconv.FormatInt(n, 10)
}
