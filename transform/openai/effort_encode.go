package openai

// effort writes how much the model should think, in the provider's form.
func (e *requestEncoder) effort() {
	wish, budget := e.r.Reasoning.Effort, e.r.Reasoning.Budget
	if wish == "" && budget > 0 {
		wish = EffortOfBudget(budget, e.r.Sampling.MaxTokens)
	} else if wish != "" {
		budget = 0
	}
	if wish == "" {
		return
	}
	switch e.p.Effort {
	case EffortNested:
		e.nestedEffort(wish, budget)
	case EffortThinking:
		if e.begin("thinking") {
			e.Raw(`{"type":`)
			e.String(onOff(wish != "none", "enabled", "disabled"))
			e.Raw(`}`)
		}
	case EffortEnable:
		if !e.begin("enable_thinking") {
			return
		}
		e.Bool(wish != "none")
		if budget > 0 && e.begin("thinking_budget") {
			e.Int(budget)
		}
	default:
		e.effortWord(wish)
	}
}

func (e *requestEncoder) effortWord(wish string) {
	effort := e.effortName(wish)
	switch {
	case effort != "" && e.takes("reasoning_effort"):
		e.Text("reasoning_effort", effort)
	case wish != "none":
		e.drop("reasoning_effort")
	}
}

// effortName is the word that the model or the provider has for an effort.
func (e *requestEncoder) effortName(wish string) string {
	if word, ok := e.p.Efforts[wish]; ok {
		return word
	}
	return e.family.Effort(wish)
}

func (e *requestEncoder) nestedEffort(wish string, budget int64) {
	if !e.begin("reasoning") {
		return
	}
	e.Raw("{")
	if budget > 0 {
		e.Key("max_tokens")
		e.Int(budget)
	} else {
		e.Text("effort", e.effortName(wish))
	}
	e.Raw(`}`)
}

func onOff(is bool, on, off string) string {
	if is {
		return on
	}
	return off
}

// EffortOfBudget turns a number of tokens to think with into a word: by its
// part of the whole answer if that is known.
func EffortOfBudget(budget, most int64) string {
	low, medium := int64(1024), int64(8192)
	if most > 0 {
		low, medium = most/4, most/10*6
	}
	switch {
	case budget <= low:
		return "low"
	case budget <= medium:
		return "medium"
	}
	return "high"
}
