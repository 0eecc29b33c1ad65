package routing

import (
	"time"

	"github.com/caddyllm/llmproxy/internal/glob"
)

// Readiness is whether a model can be asked now.
type Readiness string

// How ready a model can be.
const (
	// Ready: one of its targets is available.
	Ready Readiness = "ready"
	// ReadyByFallback: none of them is, but one of a fallback.
	ReadyByFallback Readiness = "fallback"
	// Unavailable: there is none.
	Unavailable Readiness = "unavailable"
)

// Ready tells how ready each alias and glob of the config is, by its name, and
// whether any model is: without aliases, whether any provider is.
func (t *Table) Ready(now time.Time) (models map[string]Readiness, any bool) {
	models = make(map[string]Readiness, len(t.aliases)+len(t.globs))
	for _, r := range t.routes {
		if models[r.Name] != Ready {
			models[r.Name] = better(models[r.Name], t.routeReady(r, "", now))
		}
		any = any || models[r.Name] != Unavailable
	}
	if len(t.routes) > 0 {
		return models, any
	}
	for _, u := range t.upstreams {
		any = any || t.health[u].available(u.Base().Fingerprints(), now).Obstacle == Clear
	}
	return models, any
}

// ModelReady tells how ready a model is that a client can ask for. The error is
// [ErrUnknownModel]. It remembers nothing of names that clients make up.
func (t *Table) ModelReady(name string, now time.Time) (Readiness, error) {
	routes := t.claiming(name)
	if len(routes) == 0 {
		u, model, err := t.find(name)
		if err != nil {
			return "", err
		}
		if t.targetReady(&Target{Upstream: u, Model: model}, now) {
			return Ready, nil
		}
		return Unavailable, nil
	}
	best := Unavailable
	for _, r := range routes {
		star, _ := glob.Match(r.Name, name)
		best = better(best, t.routeReady(r, star, now))
	}
	return best, nil
}

func better(a, b Readiness) Readiness {
	switch {
	case a == "", b == Ready, b == ReadyByFallback && a != Ready:
		return b
	}
	return a
}

func (t *Table) routeReady(r *Route, star string, now time.Time) Readiness {
	for i := range r.Targets {
		target := r.Targets[i]
		if star != "" {
			target.Model = glob.Expand(target.Model, star)
		}
		if t.targetReady(&target, now) {
			return Ready
		}
	}
	if r.FallbackOn&(OnError|OnRateLimit) == 0 {
		return Unavailable // it is for other occasions
	}
	for _, name := range r.Fallback { // which lead to an end: the table has been checked
		if ready, err := t.ModelReady(name, now); err == nil && ready != Unavailable {
			return ReadyByFallback
		}
	}
	return Unavailable
}

// targetReady looks at what is known of a target; of a glob, at its provider alone.
func (t *Table) targetReady(target *Target, now time.Time) bool {
	health, keys := t.health[target.Upstream], target.Upstream.Base().Fingerprints()
	state := target.State
	if state == nil && !glob.IsPattern(target.Model) {
		state = health.lookUp(target.Model)
	}
	if state == nil {
		return health.available(keys, now).Obstacle == Clear
	}
	return state.Available(keys, now).Obstacle == Clear
}
