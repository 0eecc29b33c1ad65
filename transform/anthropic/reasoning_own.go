package anthropic

// planOwn is for what an Anthropic client said in this format's own words.
// They stay as far as the model knows them; else those that come closest.
func (e *encoder) planOwn() {
	own := e.r.Reasoning.Thinking
	t := &e.thinking
	t.effort = e.effort(own.Effort)
	switch own.Type {
	case "enabled", "adaptive":
		e.planOwnThinking()
		if t.on() {
			t.display = own.Display
		}
	case "disabled", "between_tools":
		switch {
		case own.Type == "between_tools" && e.model.BetweenTools, !e.model.Disable && e.model.BetweenTools:
			t.kind = "between_tools"
		case e.model.Disable:
			t.kind = "disabled"
		case e.model.Adaptive:
			// It thinks in any case: then as little as it can.
			t.effort = e.effort("low")
			e.lost.Drop(e.r.At("thinking"))
		}
	}
	if own.Effort != "" && t.effort == "" {
		at := root.Key("output_config")
		e.lost.Drop(at.Key("effort"))
	}
}

// planOwnThinking is for a client that wants thinking, with a budget or without.
func (e *encoder) planOwnThinking() {
	in := &e.r.Reasoning
	t := &e.thinking
	budgets := e.model.Budget && !e.UnsignedLoop()
	switch {
	case in.Budget > 0 && budgets && e.enable(in.Budget):
	case e.model.Adaptive:
		t.kind = "adaptive"
		if t.effort == "" && in.Budget > 0 {
			t.effort = e.effort(effortOfBudget(in.Budget, e.maxTokens))
		}
	case budgets && e.enable(budgetOfEffort(effortOrHigh(in.Thinking.Effort), e.maxTokens)):
	default:
		e.lost.Drop(e.r.At("thinking"))
	}
}

// effortOrHigh is how much a model thinks that decides by itself: without a
// word, much.
func effortOrHigh(effort string) string {
	if effort == "" {
		return "high"
	}
	return effort
}
