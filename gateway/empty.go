package gateway

import (
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// Some providers answer with success and say nothing: no text, no reasoning, no
// call, and no reason such as a limit or a filter. Where another target remains
// that is a failure like any other, though one that was paid for. The last target's
// is passed on as it is: nothing is made up.

var (
	errEmptyAnswer = &transform.Error{Kind: transform.ErrUpstream, Code: "upstream_empty_answer", Message: "The provider's answer is empty."}
	errFiltered    = &transform.Error{Kind: transform.ErrContentPolicy, Code: "content_filter", Message: "The provider's filter blocked the answer."}
)

// worthless is the failure of an answer that another target should give; nil: it
// is passed on. Of a stream it judges what has come so far.
func (a *attempt) worthless(s transform.Summary) *failure {
	if a.op != opChat || s.Content {
		return nil
	}
	switch s.Finish {
	case transform.FinishUnknown, transform.FinishStop:
		if !a.passesEmpty() && a.tries.mayRepeat() && a.tries.canFollow(routing.OnError) {
			return failureOf(errEmptyAnswer, ambiguous)
		}
	case transform.FinishContentFilter:
		return a.blocked()
	}
	return nil
}

func (a *attempt) passesEmpty() bool { return a.plan.Route != nil && a.plan.Route.PassEmpty }

// blocked is the failure of an answer of which a provider's filter left nothing,
// if the route has a fallback for that.
func (a *attempt) blocked() *failure {
	if !a.tries.canFollow(routing.OnContentFilter) {
		return nil
	}
	return failureOf(errFiltered, final)
}

// canFollow tells whether another target may be asked on a condition.
func (t *tries) canFollow(on routing.Conditions) bool {
	return !t.forced && t.record.Attempts < t.most && t.leads(on)
}
