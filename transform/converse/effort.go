package converse

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// efforts are all words for effort, in rising order.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

// planEffort tells models other than Claude how much to think.
func (e *encoder) planEffort() {
	in := &e.r.Reasoning
	wish := in.Effort
	if wish == "" && in.Budget > 0 {
		wish = effortOfBudget(in.Budget)
	}
	at := e.r.At("reasoning_effort")
	switch {
	case wish == "", wish == "none" && e.family.effort == effortNone:
		return
	case !slices.Contains(efforts, wish) || e.family.effort == effortNone:
		e.lost.Drop(at)
		return
	}
	switch e.family.effort {
	case effortFlat:
		if wish == "none" {
			e.lost.Drop(at) // these models always think
		}
		e.add("reasoning_effort", transform.Quote(oneOfThree(wish)))
	case effortNested:
		e.add("reasoning", jsonbytes.Value(`{"effort":"`+wish+`"}`))
	case effortNova:
		e.planNova(wish)
	}
}

// planNova writes Nova's reasoningConfig. At the highest effort the model
// decides by itself how it samples and how long it writes.
func (e *encoder) planNova(wish string) {
	if wish == "none" {
		e.add("reasoningConfig", jsonbytes.Value(`{"type":"disabled"}`))
		return
	}
	effort := oneOfThree(wish)
	p := &e.parameters
	p.thinks = true
	e.add("reasoningConfig", jsonbytes.Value(`{"type":"enabled","maxReasoningEffort":"`+effort+`"}`))
	if effort != "high" {
		return
	}
	for _, m := range [...]struct {
		name  string
		given bool
	}{{"temperature", !p.temperature.Empty()}, {"top_p", !p.topP.Empty()}, {"max_tokens", p.maxTokens > 0}} {
		if m.given {
			e.lost.Drop(e.r.At(m.name))
		}
	}
	p.temperature, p.topP, p.maxTokens = nil, nil, 0
}

// oneOfThree is low, medium or high.
func oneOfThree(wish string) string {
	switch wish {
	case "none", "minimal", "low":
		return "low"
	case "medium":
		return "medium"
	}
	return "high"
}

// effortOfBudget is the effort that a number of tokens to think with stands for.
func effortOfBudget(budget int64) string {
	switch {
	case budget <= 4096:
		return "low"
	case budget <= 16384:
		return "medium"
	}
	return "high"
}
