package gemini

import (
	"slices"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/transform"
)

// thinkingConfig writes how much the model should think: by a level or by a
// budget, whichever it takes, never by both.
func (e *encoder) thinkingConfig() {
	if e.extra.thinking != nil {
		e.Key("thinkingConfig")
		e.Value(e.extra.thinking)
		if e.r.Reasoning.Effort != "" || e.r.Reasoning.Budget > 0 {
			e.drop("reasoning_effort") // Google's own word is the more precise
		}
		return
	}
	wish := e.wished()
	effort, budget := wish.Effort, wish.Budget
	shown := effort != "none" && wish.Summary
	e.nested("thinkingConfig", "{}", func() {
		switch e.model.Thinking {
		case catalog.GeminiThinkingLevel:
			if level := e.level(effort, budget); level != "" {
				e.Key("thinkingLevel")
				e.Raw(`"` + level + `"`)
			}
		case catalog.GeminiThinkingBudget:
			if tokens, ok := e.budget(effort, budget); ok {
				e.Key("thinkingBudget")
				e.Int(tokens)
			}
		default:
			if effort != "none" && (shown || effort != "" || budget > 0) {
				e.drop("reasoning_effort")
			}
			return
		}
		if shown {
			e.Key("includeThoughts")
			e.Raw("true")
		}
	})
}

// level is the model's level for a wish, empty for its own.
func (e *encoder) level(effort string, budget int64) string {
	want := ""
	switch effort {
	case "none", "minimal":
		want = "MINIMAL"
	case "low":
		want = "LOW"
	case "medium":
		want = "MEDIUM"
	case "high", "xhigh", "max":
		want = "HIGH"
	case "":
		want = levelOfBudget(budget)
	default:
		e.drop("reasoning_effort")
	}
	if want == "" || slices.Contains(e.model.Levels, want) {
		return want
	}
	// The next one up: every model has HIGH, and where MINIMAL is missing LOW.
	for _, level := range [...]string{"LOW", "MEDIUM", "HIGH"} {
		if order(level) > order(want) && slices.Contains(e.model.Levels, level) {
			return level
		}
	}
	return ""
}

func order(level string) int {
	return slices.Index([]string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}, level)
}

func levelOfBudget(budget int64) string {
	switch {
	case budget <= 0:
		return ""
	case budget <= lowBudget:
		return "LOW"
	case budget <= mediumBudget:
		return "MEDIUM"
	}
	return "HIGH"
}

// The budgets that Google's own OpenAI-compatible endpoint takes for efforts.
const (
	minimalBudget = 512
	lowBudget     = 1024
	mediumBudget  = 8192
	highBudget    = 24576
)

// budget is the model's budget for a wish, false for its own.
func (e *encoder) budget(effort string, budget int64) (tokens int64, ok bool) {
	switch {
	case budget > 0 && effort != "none":
		tokens = budget
	case effort == "":
		return 0, false
	case effort == "none":
		if e.model.Disables {
			return 0, true
		}
	case effort == "minimal":
		tokens = minimalBudget
	case effort == "low":
		tokens = lowBudget
	case effort == "medium":
		tokens = mediumBudget
	case effort == "high":
		tokens = highBudget
	case effort == "xhigh", effort == "max":
		tokens = e.model.MostBudget
	default:
		e.drop("reasoning_effort")
		return 0, false
	}
	return min(max(tokens, e.model.LeastBudget), e.model.MostBudget), true
}

// wished is the wish, also in the form of Anthropic's thinking member, which
// gateways took over for other formats.
func (e *encoder) wished() transform.Reasoning {
	wish := e.r.Reasoning
	thinking := e.r.Leftover("thinking")
	if wish.Effort != "" || wish.Budget > 0 {
		return wish
	}
	switch kind := thinking.Get("type"); {
	case kind.Is("disabled"):
		wish.Effort = "none"
	case kind.Is("enabled"):
		wish.Summary = true
		if tokens, ok := thinking.Get("budget_tokens").Int(); ok && tokens > 0 {
			wish.Budget = tokens
		}
	case kind.Is("adaptive"):
		wish.Summary = true
	}
	return wish
}
