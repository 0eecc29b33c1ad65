package gateway

import (
	"context"
	"time"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Quotas hold callers, models and providers to what they may use. Those of callers
// come with the principal, those of models with the route.
type Quotas struct {
	// Limiter counts. It may come into use a moment after the gateway, which the function
	// waits for, but not long; nil: it cannot be had.
	Limiter func(context.Context) *limits.Limiter
	// Handler is for all calls together; nil: they may use as much as they like.
	Handler *limits.Quota
	// Upstreams are those of the providers that have some.
	Upstreams map[*providers.Upstream]*UpstreamQuotas
}

// UpstreamQuotas are what may be asked of a provider. Each may be nil.
type UpstreamQuotas struct {
	All *limits.Quota
	// Keys are in the order of the provider's keys.
	Keys []*limits.Quota
	// Wait is how long a call may wait for the provider.
	Wait   time.Duration
	Length int
}

// callQuota is what a call holds of the limits of its caller and its model.
type callQuota struct {
	limiter *limits.Limiter
	cost    limits.Cost
	held    *limits.Reservation
	// doubtful is what attempts may have taken that nobody heard the end of.
	doubtful usage.Tokens
	claims   []limits.Claim
	few      [6]limits.Claim
}

// fewQuotas is how many subjects most calls have limits of.
const fewQuotas = 5

// quotas lists what the call must hold to on the client's side.
func (c *call) quotas(list []*limits.Quota) []*limits.Quota {
	if c.g.Quotas == nil {
		return nil
	}
	if c.principal != nil {
		list = append(list, c.principal.Quotas()...)
	}
	if c.plan != nil && c.plan.Route != nil && c.plan.Route.Quota != nil {
		list = append(list, c.plan.Route.Quota)
	}
	if c.g.Quotas.Handler != nil {
		list = append(list, c.g.Quotas.Handler)
	}
	return list
}

// reserve holds what the call may take of the limits of its key, group, model and
// handler, all of it or nothing. Where a limit refuses it waits, if that is allowed.
func (c *call) reserve() error {
	var few [fewQuotas]*limits.Quota
	subjects := c.quotas(few[:0])
	if len(subjects) == 0 {
		return nil
	}
	if c.onlyUnpriced() {
		return errUnpriced
	}
	q := c.newQuota(subjects)
	if len(q.claims) == 0 { // a queue alone limits nothing
		return nil
	}
	return c.hold(q, subjects)
}

func (c *call) newQuota(subjects []*limits.Quota) *callQuota {
	q := new(callQuota)
	q.cost = c.cost(subjects)
	q.claims = q.few[:0]
	for _, s := range subjects {
		q.claims = s.AppendClaims(q.claims, q.cost)
	}
	return q
}

// reserveRequest counts a call that no provider is asked for: only against limits of
// requests. An answer that was paid for may be had again whatever is left.
func (c *call) reserveRequest() error {
	var few [fewQuotas]*limits.Quota
	subjects := c.quotas(few[:0])
	q := new(callQuota)
	counted := subjects[:0]
	for _, s := range subjects {
		if !s.Has(limits.Requests) {
			continue
		}
		counted = append(counted, s.Only(limits.Requests))
	}
	for _, s := range counted {
		q.claims = s.AppendClaims(q.claims, q.cost)
	}
	if len(q.claims) == 0 {
		return nil
	}
	return c.hold(q, counted)
}

// limiter is what counts, nil if it cannot be had.
func (c *call) limiter() *limits.Limiter { return c.g.Quotas.Limiter(c.r.Context()) }

func (c *call) hold(q *callQuota, subjects []*limits.Quota) error {
	if q.limiter = c.limiter(); q.limiter == nil {
		return errLimiterAway
	}
	d, err := c.turn(q, subjects)
	if err != nil {
		return c.unlimited(err)
	}
	c.tellLimits(&d)
	if !d.Granted() {
		return c.refusedBy(&d, subjects)
	}
	q.held = d.Reservation
	c.quota = q
	return nil
}

// turn reserves, at once or when the call's turn has come.
func (c *call) turn(q *callQuota, subjects []*limits.Quota) (limits.Decision, error) {
	line := limits.Queue{Key: c.principal.ID}
	for _, s := range subjects {
		if s.Wait > line.Wait {
			line.Wait, line.Length = s.Wait, s.Length
		}
	}
	if own := c.g.Queue; own != nil && own.Wait > line.Wait {
		line.Wait, line.Length = own.Wait, int(own.Length)
	}
	if line.Wait == 0 {
		return q.limiter.Reserve(c.r.Context(), c.record.RequestID, q.claims)
	}
	return c.waitInLine(q.limiter, c.record.RequestID, q.claims, line)
}

// waitInLine waits until the client leaves or the process stops.
func (c *call) waitInLine(limiter *limits.Limiter, id string, claims []limits.Claim, line limits.Queue) (limits.Decision, error) {
	ctx, cancel := context.WithCancelCause(c.r.Context())
	defer cancel(nil)
	c.g.Streams.attach(c, cancelFunc(cancel))
	defer c.g.Streams.attach(c, nil)
	begun := time.Now()
	d, err := limiter.Wait(ctx, id, claims, line)
	if waited := time.Since(begun); waited > time.Millisecond {
		c.record.Queued += waited
	}
	if cause := timeoutOf(ctx); err != nil && cause != nil {
		err = cause
	}
	return d, err
}

// unlimited is what a client is told that could not be held to its limits.
func (c *call) unlimited(err error) error {
	switch {
	case c.r.Context().Err() != nil:
		return errClientGone
	case err == errStopping: //nolint:errorlint // a sentinel of this package
		return err
	}
	c.record.Cause = err.Error()
	return errLimiterAway
}

// tellLimits writes what is left, in the client's own words where it has some.
func (c *call) tellLimits(d *limits.Decision) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if c.writer != nil {
		return // the header has gone out early
	}
	switch c.client.Format() {
	case transform.OpenAIChat, transform.Responses:
		limits.SetOpenAI(c.w.Header(), d)
	case transform.Anthropic:
		limits.SetAnthropic(c.w.Header(), d, time.Now())
	}
}

// usualOutput is what is reserved for an answer that the request does not bound.
const usualOutput = 1024

// mostOutput and mostChoices keep what a client writes far from where products overflow.
const (
	mostOutput  = 1 << 30
	mostChoices = 128
)

// cost is what the call may take: of tokens and of money, what the dearest of its
// targets may. Counting tokens takes neither.
func (c *call) cost(subjects []*limits.Quota) (cost limits.Cost) {
	tokens, money := false, false
	for _, s := range subjects {
		tokens, money = tokens || s.Has(limits.Tokens), money || s.Has(limits.Money)
	}
	if c.op == opCount || !tokens && !money {
		return cost
	}
	cost.Tokens = c.estimateInput()
	take := func(target *routing.Target) {
		one := c.costAt(target)
		cost.Tokens, cost.Money = max(cost.Tokens, one.Tokens), max(cost.Money, one.Money)
	}
	for i := range c.plan.Targets {
		take(&c.plan.Targets[i])
	}
	for i := range c.plan.Obstructed {
		if o := &c.plan.Obstructed[i]; o.Obstacle != routing.Unpriced {
			take(&o.Target)
		}
	}
	return cost
}

// costAt is what the call may take at one target.
func (c *call) costAt(target *routing.Target) (cost limits.Cost) {
	if c.op == opCount {
		return cost
	}
	model := c.known(target)
	input, output := c.estimateInput(), c.outputBound(model)
	money, _ := model.Estimate(input, output)
	return limits.Cost{Tokens: input + output, Money: int64(money)}
}

// outputBound is the most that may be answered, all choices together.
func (c *call) outputBound(model *catalog.Model) int64 {
	switch {
	case c.op == opEmbeddings, c.path == "/moderations", c.path == "/rerank":
		return 0
	}
	most := min((*planned)(c).OutputTokens(), mostOutput)
	if most == 0 {
		if most = usualOutput; model != nil && model.MaxOutput > 0 {
			most = min(most, model.MaxOutput)
		}
	}
	choices, _ := c.member("n").Int()
	if n, ok := c.member("generationConfig").Get("candidateCount").Int(); ok {
		choices = n
	}
	return most * min(max(choices, 1), mostChoices)
}

// known is what the catalogue knows of a target's model.
func (c *call) known(target *routing.Target) *catalog.Model {
	if target.Known != nil || c.g.Catalog == nil {
		return target.Known
	}
	return c.g.Catalog.Find(target.Upstream.Name, target.Upstream.Type(), target.Model)
}

// isPriced tells whether it is known what the call costs at a target.
func (c *call) isPriced(target *routing.Target) bool {
	model := c.known(target)
	_, known := model.Estimate(1, min(1, c.outputBound(model)))
	return known
}

// leaveOutUnpriced takes the targets out of the plan whose price nobody knows, if a
// budget of the caller, the model or the handler must be kept.
func (c *call) leaveOutUnpriced() {
	var few [fewQuotas]*limits.Quota
	strict := false
	for _, s := range c.quotas(few[:0]) {
		strict = strict || !s.Unpriced && s.Has(limits.Money)
	}
	if !strict || c.op == opCount {
		return
	}
	priced := c.plan.Targets[:0]
	for i := range c.plan.Targets {
		target := c.plan.Targets[i]
		if c.isPriced(&target) {
			priced = append(priced, target)
		} else {
			c.plan.Obstructed = append(c.plan.Obstructed, routing.Obstructed{Target: target, Availability: routing.Availability{Obstacle: routing.Unpriced}})
		}
	}
	c.plan.Targets = priced
	for i := range c.plan.Obstructed {
		if o := &c.plan.Obstructed[i]; !c.isPriced(&o.Target) {
			o.Availability = routing.Availability{Obstacle: routing.Unpriced}
		}
	}
}

// onlyUnpriced tells whether nothing but an unknown price stands against the call.
func (c *call) onlyUnpriced() bool {
	for i := range c.plan.Obstructed {
		if c.plan.Obstructed[i].Obstacle != routing.Unpriced {
			return false
		}
	}
	return len(c.plan.Targets) == 0 && len(c.plan.Obstructed) > 0
}
