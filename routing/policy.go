// Package routing turns the model name of a request into the targets that may
// answer it, in the order in which to try them.
package routing

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
)

// PolicyNamespace is where selection policies live. Their inline key is "policy".
const PolicyNamespace = "llm_proxy.selection_policies"

func init() {
	caddy.RegisterModule(First{})
	caddy.RegisterModule(Weighted{})
	caddy.RegisterModule(new(RoundRobin))
}

// Policy orders the targets of a route for one call. It is called by many
// goroutines at once. A module outside this repository adds a policy by
// registering a type that implements it.
type Policy interface {
	// Order arranges targets, which share one priority, in the order in which to try them.
	Order(targets []Target)
}

// First tries targets in the order in which they are written.
type First struct{}

// CaddyModule returns the Caddy module information.
func (First) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".first", New: func() caddy.Module { return new(First) }}
}

// Order leaves them as they are.
func (First) Order([]Target) {}

// Weighted picks targets at random, each as often as its weight says.
type Weighted struct{}

// CaddyModule returns the Caddy module information.
func (Weighted) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".weighted", New: func() caddy.Module { return new(Weighted) }}
}

// Order draws without putting back, so that the second is what the draw would
// have been without the first.
func (Weighted) Order(targets []Target) {
	for len(targets) > 1 {
		total := 0
		for i := range targets {
			total += targets[i].Weight
		}
		draw := rand.IntN(total) //nolint:gosec // spreading load is no secret
		for i := range targets {
			if draw -= targets[i].Weight; draw < 0 {
				moveToFront(targets, i)
				break
			}
		}
		targets = targets[1:]
	}
}

// RoundRobin starts with the next target at each call.
type RoundRobin struct {
	mu sync.Mutex
	// next counts by priority: one call orders the groups of a route one after another.
	next map[int]int
}

// CaddyModule returns the Caddy module information.
func (*RoundRobin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".round_robin", New: func() caddy.Module { return new(RoundRobin) }}
}

// Order rotates the targets.
func (p *RoundRobin) Order(targets []Target) {
	if len(targets) < 2 {
		return
	}
	by := p.turn(targets[0].Priority) % len(targets)
	slices.Reverse(targets[:by])
	slices.Reverse(targets[by:])
	slices.Reverse(targets)
}

func (p *RoundRobin) turn(priority int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(map[int]int)
	}
	n := p.next[priority]
	p.next[priority]++
	return n
}

func moveToFront(targets []Target, i int) {
	chosen := targets[i]
	copy(targets[1:i+1], targets[:i])
	targets[0] = chosen
}

// errNoTargets is a route that leads nowhere.
var errNoTargets = errors.New("has no targets: write to <provider>/<model>")

// Interface guards
var (
	_ Policy = First{}
	_ Policy = Weighted{}
	_ Policy = (*RoundRobin)(nil)
)
