package gateway

import (
	"time"

	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

var (
	errLimiterAway = &transform.Error{
		Kind: transform.ErrOverloaded, Code: "limiter_unavailable", RetryAfter: 5 * time.Second,
		Message: "This gateway cannot tell at present what may be used: try again later.",
	}
	errUnpriced = &transform.Error{
		Kind: transform.ErrPermission, Code: "model_unpriced", NoRetry: true, Param: "model",
		Message: "A budget applies to this request, and the price of the model is not known: have the operator add it to the file of \"prices\", " +
			"or write \"unpriced allow\" into the limits that have the budget.",
	}
)

// ofScope says whose limit it is, without naming anybody.
var ofScope = [...]string{
	limits.ScopeKey: "this API key", limits.ScopeGroup: "this API key's group", limits.ScopeModel: "this model", limits.ScopeHandler: "this gateway",
}

// longestBudgetWait is the longest time that clients are told to wait for money.
const longestBudgetWait = 24 * time.Hour

// refusedBy is what a client is told whose limits refuse its call.
func (c *call) refusedBy(d *limits.Decision, subjects []*limits.Quota) error {
	refusal := d.Refusal()
	subject := subjectOf(d, refusal, subjects)
	c.noteLimit(subject.Scope, refusal.Limit.Kind)
	whose := ofScope[subject.Scope]
	e := &transform.Error{Kind: transform.ErrRateLimit, Code: "rate_limit_exceeded", RetryAfter: refusal.RetryAfter}
	switch {
	case refusal.Limit.Kind == limits.Money:
		e.Kind, e.Code, e.NoRetry = transform.ErrQuota, "insufficient_quota", true
		e.Message = "The budget of " + whose + " does not cover what this request may cost: ask for fewer tokens, or wait until it begins anew."
		if refusal.RetryAfter > longestBudgetWait {
			e.RetryAfter = 0
		}
	case refusal.Never:
		e.NoRetry = true
		e.Message = "This request may take more than the limit " + refusal.Limit.Name + " of " + whose + " ever allows: ask for fewer tokens."
	default:
		e.NoRetry = refusal.RetryAfter > maxClientWait
		e.Message = "The limit " + refusal.Limit.Name + " of " + whose + " is reached: wait and try again."
	}
	if refusal.Never {
		e.RetryAfter = 0
	}
	if e.RetryAfter > 0 {
		_, millis := limits.RetryAfter(e.RetryAfter)
		c.w.Header()["Retry-After-Ms"] = []string{millis}
	}
	return e
}

// subjectOf is whose limit a state is of: they are in the order of the claims.
func subjectOf(d *limits.Decision, state *limits.State, subjects []*limits.Quota) *limits.Quota {
	at := 0
	for _, s := range subjects {
		for range s.Limits {
			if &d.States[at] == state {
				return s
			}
			at++
		}
	}
	return subjects[0]
}

// noteLimit keeps which limit stood in the way.
func (c *call) noteLimit(scope limits.Scope, kind limits.Kind) {
	c.record.Limits = append(c.record.Limits, usage.Limit{Scope: scope.String(), Kind: kind.String()})
}
