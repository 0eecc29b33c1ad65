package openai

// effort writes how much the model should think, in the provider's form.
func (e *requestEncoder) effort() {
	wish, budget := e.r.Reasoning.Effort, e.r.Reasoning.Budget
	if wish == "" && budget > 0 {
		wish = effortOfBudget(budget, e.r.Sampling.MaxTokens)
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
			e.member(`{"type":`, onOff(wish != "none", "enabled", "disabled"))
			e.raw(`}`)
		}
	case EffortEnable:
		if !e.begin("enable_thinking") {
			return
		}
		e.bool(wish != "none")
		if budget > 0 && e.begin("thinking_budget") {
			e.int(budget)
		}
	default:
		e.effortWord(wish)
	}
}

func (e *requestEncoder) effortWord(wish string) {
	effort := e.effortName(wish)
	switch {
	case effort != "" && e.takes("reasoning_effort"):
		e.member(`,"reasoning_effort":`, effort)
	case wish != "none":
		e.drop("reasoning_effort")
	}
}

// effortName is the word that the model or the provider has for an effort.
func (e *requestEncoder) effortName(wish string) string {
	if word, ok := e.p.Efforts[wish]; ok {
		return word
	}
	return e.family.effort(wish)
}

func (e *requestEncoder) nestedEffort(wish string, budget int64) {
	if !e.begin("reasoning") {
		return
	}
	if budget > 0 {
		e.number(`{"max_tokens":`, budget)
	} else {
		e.member(`{"effort":`, e.effortName(wish))
	}
	e.raw(`}`)
}

func onOff(is bool, on, off string) string {
	if is {
		return on
	}
	return off
}

// effortOfBudget turns a number of tokens to think with into a word: by its
// part of the whole answer if that is known.
func effortOfBudget(budget, most int64) string {
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
