package anthropic

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// thinking is the member thinking and the effort in output_config.
type thinking struct {
	// kind is adaptive, enabled, disabled or between_tools; empty: left out.
	kind    string
	budget  int64
	display string
	effort  string
	// raw is the member as the client gave it, under the format's own name.
	raw jsonbytes.Value
}

// on tells whether the model is told to think. Sampling parameters, prefill
// and forced tools do not go with that.
func (t *thinking) on() bool {
	return t.kind != "" && t.kind != "disabled"
}

// minBudget is the least number of tokens to think with.
const minBudget = 1024

// planThinking decides how much the model is to think.
func (e *encoder) planThinking() {
	in := &e.r.Reasoning
	t := &e.thinking
	raw := e.r.Leftover("thinking")
	kind, _ := raw.Get("type").Text()
	switch {
	case in.Thinking != nil:
		e.planOwn()
	case kind != "":
		t.raw, t.kind = raw, kind
		t.effort = e.effort(in.Effort)
	case e.model.Adaptive && (in.Budget == 0 || !e.model.Budget || e.UnsignedLoop()):
		e.planAdaptive()
	case in.Effort == "none" || in.Effort == "" && in.Budget == 0:
		// Off is what these models are unless told.
	case !e.model.Budget || !e.planBudget() || e.UnsignedLoop():
		*t = thinking{}
		e.lost.Drop(e.r.At("reasoning_effort"))
	}
	e.reconcileThinking()
}

// planAdaptive is for models that decide by themselves how much to think.
func (e *encoder) planAdaptive() {
	in := &e.r.Reasoning
	t := &e.thinking
	effort := in.Effort
	if effort == "" && in.Budget > 0 {
		effort = effortOfBudget(in.Budget, e.maxTokens)
	}
	switch effort {
	case "", "minimal":
		if in.Summary {
			t.kind = "adaptive"
		}
	case "none":
		switch {
		case e.model.Disable:
			t.kind = "disabled"
		case e.model.BetweenTools:
			t.kind = "between_tools"
		default:
			t.effort = e.effort("low")
			e.lost.Drop(e.r.At("reasoning_effort"))
		}
		return
	default:
		if !isEffort(effort) {
			e.lost.Drop(e.r.At("reasoning_effort"))
			return
		}
		t.kind = "adaptive"
	}
	if in.Summary {
		// Newer models leave the text of their thinking out unless asked.
		t.display = "summarized"
	}
	t.effort = e.effort(effort)
}

// planBudget is for models that are told how many tokens to think with. It is
// false if there are too few to think with.
func (e *encoder) planBudget() bool {
	in := &e.r.Reasoning
	budget := in.Budget
	if budget == 0 {
		if budget = budgetOfEffort(in.Effort, e.maxTokens); budget == 0 {
			return false
		}
	}
	return e.enable(budget)
}

// enable switches thinking on with a budget that the answer has room for. It is
// false if there is none.
func (e *encoder) enable(budget int64) bool {
	budget = max(min(budget, e.maxTokens-1), minBudget)
	if budget >= e.maxTokens {
		return false
	}
	e.thinking.kind, e.thinking.budget = "enabled", budget
	return true
}

// reconcileThinking solves conflicts with the rest of the request.
func (e *encoder) reconcileThinking() {
	t := &e.thinking
	if t.on() && e.choice.forced() {
		// The API refuses forced tools with thinking; without the member a
		// model thinks as far as the force lets it.
		if t.raw != nil || e.r.Reasoning.Thinking != nil {
			e.lost.Drop(e.r.At("thinking"))
		} else {
			e.lost.Drop(e.r.At("reasoning_effort"))
		}
		t.kind, t.raw, t.display = "", nil, ""
	}
	if t.kind == "disabled" || t.kind == "between_tools" {
		if t.effort == "xhigh" || t.effort == "max" {
			t.effort = "high"
		}
	}
}

// efforts are all words for effort, in rising order.
var efforts = []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}

func isEffort(word string) bool { return slices.Contains(efforts, word) }

// effort returns the most of what the model accepts that is not above the
// wish, its least if there is none; empty if it accepts none at all.
func (e *encoder) effort(wish string) string {
	if len(e.model.Efforts) == 0 || !isEffort(wish) || wish == "none" {
		return ""
	}
	best := e.model.Efforts[0]
	for _, effort := range e.model.Efforts {
		if slices.Index(efforts, effort) <= slices.Index(efforts, wish) {
			best = effort
		}
	}
	return best
}

// budgetOfEffort is the share of the tokens that an effort stands for; 0 for
// words that are none.
func budgetOfEffort(effort string, maxTokens int64) int64 {
	switch effort {
	case "minimal":
		return minBudget
	case "low":
		return maxTokens * 15 / 100
	case "medium":
		return maxTokens * 42 / 100
	case "high":
		return maxTokens * 80 / 100
	case "xhigh":
		return maxTokens * 92 / 100
	case "max":
		return maxTokens - 1
	}
	return 0
}

// effortOfBudget is the way back.
func effortOfBudget(budget, maxTokens int64) string {
	switch {
	case budget <= maxTokens/4:
		return "low"
	case budget <= maxTokens/5*3:
		return "medium"
	}
	return "high"
}

func (e *encoder) writeThinking() {
	t := &e.thinking
	switch {
	case t.raw != nil:
		e.Key("thinking")
		e.Value(t.raw)
		return
	case t.kind == "":
		return
	}
	e.Key("thinking")
	e.Raw(`{"type":"`)
	e.Raw(t.kind)
	e.Raw(`"`)
	if t.kind == "enabled" {
		e.Key("budget_tokens")
		e.Int(t.budget)
	}
	if t.display != "" {
		e.Text("display", t.display)
	}
	e.Raw("}")
}
