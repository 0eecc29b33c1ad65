package routing

import (
	"math"

	"github.com/caddyserver/caddy/v2"
)

func init() { caddy.RegisterModule(LowestCost{}) }

// LowestCost picks the target that answers the call for the least money, by the
// operator's prices and the catalogue's. Those without a known price come last.
type LowestCost struct{}

// CaddyModule returns the Caddy module information.
func (LowestCost) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: PolicyNamespace + ".lowest_cost", New: func() caddy.Module { return new(LowestCost) }}
}

// usualOutput stands for the length of an answer that the request does not bound.
const usualOutput = 1000

// Order sorts by what the call is expected to cost. Equals stay in their order.
func (LowestCost) Order(call Call, targets []Target) {
	if len(targets) < 2 {
		return
	}
	input, output := call.InputTokens(), call.OutputTokens()
	if output == 0 {
		output = usualOutput
	}
	var few [fewTargets]rated
	sortByRating(targets, few[:0], func(t *Target) float64 {
		if cost, known := t.Known.Estimate(input, output); known {
			return float64(cost)
		}
		return math.Inf(1)
	})
}

// fitting leaves out the targets whose window is too small for the call, as far
// as is known, and notes them. Where that leaves none, the provider is let decide,
// unless there is a fallback for just that.
func (p *planner) fitting(r *Route, targets []Target) []Target {
	if len(targets) < 2 && len(r.Fallback) == 0 {
		return targets
	}
	small := 0
	for i := range targets {
		if p.tooSmall(&targets[i]) {
			small++
		}
	}
	if small == 0 || small == len(targets) && (len(r.Fallback) == 0 || r.FallbackOn&OnContextLength == 0) {
		return targets
	}
	fit := targets[:0]
	for _, target := range targets {
		if p.tooSmall(&target) {
			p.Obstructed = append(p.Obstructed, Obstructed{target, Availability{Obstacle: TooSmall}})
		} else {
			fit = append(fit, target)
		}
	}
	return fit
}

func (p *planner) tooSmall(t *Target) bool {
	return t.Known != nil && !t.Known.Fits(p.call.InputTokens(), p.call.OutputTokens())
}

// Interface guard
var _ Policy = LowestCost{}
