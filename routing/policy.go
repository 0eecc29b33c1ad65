// Package routing turns the model name of a request into the targets that may
// answer it, in the order in which to try them, and knows how they fare.
package routing

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// PolicyNamespace is where selection policies live. Their inline key is "policy".
const PolicyNamespace = "llm_proxy.selection_policies"

func init() {
	caddy.RegisterModule(First{})
	caddy.RegisterModule(Weighted{})
	caddy.RegisterModule(new(RoundRobin))
	caddy.RegisterModule(Random{})
	caddy.RegisterModule(LeastConn{})
	caddy.RegisterModule(LeastLatency{})
	caddy.RegisterModule(new(Sticky))
}

// Policy orders the targets of a route for one call. It is called by many
// goroutines at once. A module outside this repository adds a policy by
// registering a type that implements it.
type Policy interface {
	// Order arranges targets, which share one priority and are all available, in
	// the order in which to try them.
	Order(call Call, targets []Target)
}

// First tries targets in the order in which they are written.
type First struct{}

// CaddyModule returns the Caddy module information.
func (First) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".first", New: func() caddy.Module { return new(First) }}
}

// Order leaves them as they are.
func (First) Order(Call, []Target) {}

// Weighted picks targets at random, each as often as its weight says.
type Weighted struct{}

// CaddyModule returns the Caddy module information.
func (Weighted) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".weighted", New: func() caddy.Module { return new(Weighted) }}
}

// Order draws without putting back, so that the second is what the draw would
// have been without the first.
func (Weighted) Order(_ Call, targets []Target) {
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

// Random picks targets at random, each as often as any other.
type Random struct{}

// CaddyModule returns the Caddy module information.
func (Random) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".random", New: func() caddy.Module { return new(Random) }}
}

// Order shuffles the targets.
func (Random) Order(_ Call, targets []Target) { shuffle(targets) }

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
func (p *RoundRobin) Order(_ Call, targets []Target) {
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

// LeastConn picks the target with the fewest calls on their way, for its weight.
type LeastConn struct{}

// CaddyModule returns the Caddy module information.
func (LeastConn) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".least_conn", New: func() caddy.Module { return new(LeastConn) }}
}

// Order sorts by load. Equals come in random order, or the first would get every
// call of a quiet hour.
func (LeastConn) Order(_ Call, targets []Target) {
	if len(targets) < 2 {
		return
	}
	shuffle(targets)
	var few [fewTargets]rated
	sortByRating(targets, few[:0], func(t *Target) float64 {
		return float64(t.State.InFlight()) / float64(t.Weight)
	})
}

// LeastLatency picks the target that will answer first, as far as is known: the
// better of two random ones by the latency that it showed of late, to the first
// content of streams and to the end of other answers, times the calls on their way.
type LeastLatency struct{}

// CaddyModule returns the Caddy module information.
func (LeastLatency) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".least_latency", New: func() caddy.Module { return new(LeastLatency) }}
}

// Order puts the better of two first and sorts the others. Were all compared for
// the first place, the best would get every call until its latency shows that.
func (LeastLatency) Order(call Call, targets []Target) {
	if len(targets) < 2 {
		return
	}
	now, streams := time.Now(), call.Streams()
	shuffle(targets)
	var few [fewTargets]rated
	load := func(t *Target) float64 {
		return float64(t.State.Latency(streams, now)) * float64(t.State.InFlight()+1) / float64(t.Weight)
	}
	if load(&targets[1]) < load(&targets[0]) {
		targets[0], targets[1] = targets[1], targets[0]
	}
	sortByRating(targets[1:], few[:0], load)
}

// fewTargets is how many are sorted without allocating.
const fewTargets = 8

// rated is a target with its rating, which must not change while it is sorted.
type rated struct {
	Target
	rating float64
}

// sortByRating sorts the lowest first, and leaves equals in their order.
func sortByRating(targets []Target, memory []rated, rating func(*Target) float64) {
	for i := range targets {
		memory = append(memory, rated{targets[i], rating(&targets[i])})
	}
	slices.SortStableFunc(memory, func(a, b rated) int { return cmp.Compare(a.rating, b.rating) })
	for i := range memory {
		targets[i] = memory[i].Target
	}
}

func shuffle(targets []Target) {
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] }) //nolint:gosec // spreading load is no secret
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
	_ Policy = Random{}
	_ Policy = (*RoundRobin)(nil)
	_ Policy = LeastConn{}
	_ Policy = LeastLatency{}
)
