package cohere

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// The budgets of efforts below the model's own.
const (
	minimalBudget = 512
	lowBudget     = 2048
	mediumBudget  = 8192
)

// thinking writes whether the model should think, and how many tokens it may
// take for that. Models think by themselves unless told otherwise.
func (e *encoder) thinking() {
	wish := e.wished()
	if wish.Effort == "" && wish.Budget <= 0 {
		return
	}
	off := wish.Effort == "none"
	if !e.thinks {
		if !off {
			e.drop("reasoning_effort")
		}
		return
	}
	budget := wish.Budget
	if budget <= 0 {
		switch wish.Effort {
		case "minimal":
			budget = minimalBudget
		case "low":
			budget = lowBudget
		case "medium":
			budget = mediumBudget
		case "none", "high", "xhigh", "max", enabled:
		default:
			e.drop("reasoning_effort")
			return
		}
		if most := e.r.Sampling.MaxTokens; most > 0 && budget > 0 {
			budget = max(min(budget, most/2), 1) // thoughts count as output
		}
	}
	e.Key("thinking")
	if off {
		e.Raw(`{"type":"disabled"}`)
		return
	}
	e.Raw(`{"type":"enabled"`)
	if budget > 0 {
		e.Key("token_budget")
		e.Int(budget)
	}
	e.Raw("}")
}

// enabled is the effort of a client that only wants some.
const enabled = "enabled"

// wished is the wish, also in the form of a member thinking: Cohere's own, or
// Anthropic's, which gateways took over for other formats.
func (e *encoder) wished() transform.Reasoning {
	wish := e.r.Reasoning
	if wish.Effort != "" || wish.Budget > 0 {
		return wish
	}
	switch kind := e.extra.thinking.Get("type"); {
	case kind.Is("disabled"):
		wish.Effort = "none"
	case kind.Is("enabled"), kind.Is("adaptive"):
		wish.Effort = enabled
		for _, name := range [...]string{"token_budget", "budget_tokens"} {
			if n, ok := e.extra.thinking.Get(name).Int(); ok && n > 0 {
				wish.Budget = n
			}
		}
	}
	return wish
}

// takeThinking takes the member thinking.
func (e *encoder) takeThinking(v jsonbytes.Value) bool {
	kind := v.Get("type")
	if !kind.Is("disabled") && !kind.Is("enabled") && !kind.Is("adaptive") || v.Unique("") != nil {
		return false
	}
	if e.r.Reasoning.Effort != "" || e.r.Reasoning.Budget > 0 {
		return false // which says it already
	}
	e.extra.thinking = v
	at := e.r.At("thinking")
	for key := range v.Members() {
		switch name := jsonbytes.Name(key); name {
		case "type", "token_budget", "budget_tokens":
		default:
			e.lost.Drop(at.Key(name))
		}
	}
	return true
}
