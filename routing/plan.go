package routing

import (
	"net/http"
	"slices"
	"time"

	"github.com/caddyllm/llmproxy/internal/glob"
)

// Call is what planning and selection policies may know of a call.
type Call interface {
	// Request is the client's request; its body has been read.
	Request() *http.Request
	// MayUse tells whether the caller may ask for a model.
	MayUse(model string) bool
	// Principal is the id of who calls.
	Principal() string
	// User is the end user that the request names, empty if it names none.
	User() string
	// Streams tells whether a stream is asked for.
	Streams() bool
	// Conversation tells conversations apart: it stays the same from turn to turn.
	Conversation() uint64
	// InputTokens estimates the prompt, OutputTokens is the most that may be answered, 0 if the request sets no bound.
	InputTokens() int64
	OutputTokens() int64
}

// Plan is what may answer one request.
type Plan struct {
	// Label names the route in metrics: an alias or glob of the config, or [Other].
	Label string
	// Route is the alias or glob; nil: the client addressed a provider.
	Route *Route
	// Targets are available, in the order in which to try them.
	Targets []Target
	// Obstructed are targets that are not, the soonest to be first.
	Obstructed []Obstructed
	// Budget bounds the retries of the call.
	Budget *RetryBudget
	hops   []hop

	// Memory for what most plans have.
	fewTargets [2]Target
	fewHops    [2]hop
}

// Obstructed is a target that cannot be asked at present.
type Obstructed struct {
	Target
	Availability
}

// hop is a model of a plan: the one that was asked for, or a fallback.
type hop struct {
	// from is the hop whose route names this one as its fallback, itself for the first.
	from int
	// name is the fallback as its route writes it, empty for the first.
	name string
	// on is what must have happened there.
	on Conditions
}

// Plan lists what may answer a request for the model. Fallback models that the
// caller may not use are passed over, as the targets behind an alias are implied
// by the right to the alias. The error is [ErrUnknownModel].
func (t *Table) Plan(name string, call Call, now time.Time) (*Plan, error) {
	p := &Plan{Label: Other}
	planner := planner{Table: t, Plan: p, call: call, now: now}
	var star string
	if p.Route, star = t.route(name, call.Request()); p.Route == nil {
		target, err := t.direct(name)
		if err != nil {
			return nil, err
		}
		p.Budget = &t.health[target.Upstream].Budget
		planner.add(append(p.fewTargets[:0], target), First{})
		return p, nil
	}
	p.Label, p.Budget = p.Route.Name, p.Route.Budget
	p.hops = append(p.fewHops[:0], hop{})
	planner.follow(p.Route, star, 0)
	slices.SortStableFunc(p.Obstructed, func(a, b Obstructed) int { return a.Until.Compare(b.Until) })
	return p, nil
}

// planner makes one plan.
type planner struct {
	*Table
	*Plan
	call Call
	now  time.Time
}

// follow adds the targets of a route, which is number at of the hops, and then
// those of its fallbacks.
func (p *planner) follow(r *Route, star string, at int) {
	targets := p.fewTargets[:0]
	if at > 0 || len(r.Targets) > len(p.fewTargets) {
		targets = make([]Target, 0, len(r.Targets))
	}
	for _, target := range r.Targets {
		target.hop = at
		if target.State == nil {
			if target.Model = glob.Expand(target.Model, star); leadsAway(target.Model) {
				continue
			}
			target.State = p.health[target.Upstream].Model(target.Model)
		}
		if p.catalog != nil {
			target.Known = p.catalog.Find(target.Upstream.Name, target.Upstream.Type(), target.Model)
		}
		targets = append(targets, target)
	}
	p.add(p.fitting(r, targets), r.Policy)
	for _, name := range r.Fallback {
		if !p.call.MayUse(name) {
			continue
		}
		next := len(p.hops)
		p.hops = append(p.hops, hop{from: at, name: name, on: r.FallbackOn})
		if route, star := p.route(name, p.call.Request()); route != nil {
			p.follow(route, star, next)
		} else if target, err := p.direct(name); err == nil {
			target.hop, target.Route = next, r
			p.add([]Target{target}, First{})
		}
	}
}

// add sorts the targets that are available from the others, and orders the
// former. It keeps targets.
func (p *planner) add(targets []Target, policy Policy) {
	available := targets[:0]
	for _, target := range targets {
		if found := target.available(p.now); found.Obstacle == Clear {
			available = append(available, target)
		} else {
			p.Obstructed = append(p.Obstructed, Obstructed{target, found})
		}
	}
	for group := available; len(group) > 0; {
		n := 1
		for n < len(group) && group[n].Priority == group[0].Priority {
			n++
		}
		policy.Order(p.call, group[:n])
		group = group[n:]
	}
	p.preferRoom(available)
	if p.Targets == nil {
		p.Targets = available
	} else {
		p.Targets = append(p.Targets, available...)
	}
}

func (t *Target) available(now time.Time) Availability {
	return t.State.Available(t.Upstream.Base().Fingerprints(), now)
}

// FallbackOf is the fallback model that a target stands for, as the config writes it;
// empty: it stands for the model that was asked for.
func (p *Plan) FallbackOf(t *Target) string {
	if t.hop == 0 {
		return ""
	}
	return p.hops[t.hop].name
}

// SameModel tells whether two targets of a plan stand for one model.
func (t *Target) SameModel(other *Target) bool { return t.hop == other.hop }

// Leads tells whether a target may follow another that ended on a condition: any
// of the same model, and those of a fallback for it. There is no way back.
func (p *Plan) Leads(from, to *Target, on Conditions) bool {
	if from.hop == to.hop {
		return on&DefaultConditions != 0
	}
	return to.hop > from.hop && p.leads(from.hop, to.hop, on)
}

// Begins tells whether a target may be the first: one of the model that was asked
// for, or of a fallback for what stands against all of those.
func (p *Plan) Begins(to *Target) bool {
	return to.hop == 0 || p.leads(0, to.hop, p.obstructs(0))
}

// leads goes up from a fallback to a model that led to from, or is it: the
// fallbacks of each of them are at hand. What lies between is passed over for what
// stands against it.
func (p *Plan) leads(from, to int, on Conditions) bool {
	origin := p.hops[to].from
	if p.ledTo(from, origin) {
		return p.hops[to].on&on != 0
	}
	return p.hops[to].on&p.obstructs(origin) != 0 && p.leads(from, origin, on)
}

// ledTo tells whether a model is the origin of a fallback, at any distance.
func (p *Plan) ledTo(fallback, origin int) bool {
	for fallback != origin && fallback != 0 {
		fallback = p.hops[fallback].from
	}
	return fallback == origin
}

// obstructs is what stands against the targets of a model.
func (p *Plan) obstructs(model int) Conditions {
	on := Conditions(0)
	for i := range p.Obstructed {
		if found := &p.Obstructed[i]; found.hop == model {
			on |= found.Obstacle.condition()
		}
	}
	return on
}

func (o Obstacle) condition() Conditions {
	switch o {
	case Limited:
		return OnRateLimit
	case TooSmall:
		return OnContextLength
	}
	return OnError
}
