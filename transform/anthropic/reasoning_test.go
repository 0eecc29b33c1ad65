package anthropic

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestReasoning(t *testing.T) {
	type wish = transform.Reasoning
	const adaptive, shown = `{"type":"adaptive"}`, `{"type":"adaptive","display":"summarized"}`
	const off = `{"type":"disabled"}`
	low, medium, high := `{"effort":"low"}`, `{"effort":"medium"}`, `{"effort":"high"}`
	for _, test := range []struct {
		name      string
		model     string
		wish      wish
		maxTokens int64
		thinking  string
		config    string
		losses    []string
	}{
		{"nothing said", newest, wish{}, 0, ``, ``, nil},
		{"to be shown", newest, wish{Summary: true}, 0, shown, ``, nil},
		{"none", newest, wish{Effort: "none"}, 0, off, ``, nil},
		{"none is not disabled", unforced, wish{Effort: "none"}, 0, `{"type":"between_tools"}`, ``, nil},
		{"none is not possible", "claude-opus-5-5", wish{Effort: "none"}, 0, ``, low, []string{"/reasoning_effort"}},
		{"minimal", newest, wish{Effort: "minimal"}, 0, ``, low, nil},
		{"minimal, shown", newest, wish{Effort: "minimal", Summary: true}, 0, shown, low, nil},
		{"low", newest, wish{Effort: "low"}, 0, adaptive, low, nil},
		{"medium, shown", newest, wish{Effort: "medium", Summary: true}, 0, shown, medium, nil},
		{"xhigh", newest, wish{Effort: "xhigh"}, 0, adaptive, `{"effort":"xhigh"}`, nil},
		{"xhigh is not offered", mixed, wish{Effort: "xhigh"}, 0, adaptive, high, nil},
		{"max", mixed, wish{Effort: "max"}, 0, adaptive, `{"effort":"max"}`, nil},
		{"unheard of", newest, wish{Effort: "extreme"}, 0, ``, ``, []string{"/reasoning_effort"}},
		{"small budget as effort", newest, wish{Budget: 2000}, 10000, adaptive, low, nil},
		{"fair budget as effort", newest, wish{Budget: 6000}, 10000, adaptive, medium, nil},
		{"large budget as effort", newest, wish{Budget: 9000}, 10000, adaptive, high, nil},
		{"budget", mixed, wish{Budget: 2000}, 10000, `{"type":"enabled","budget_tokens":2000}`, ``, nil},
		{"none of a budget", budgeted, wish{Effort: "none"}, 0, ``, ``, nil},
		{"minimal budget", budgeted, wish{Effort: "minimal"}, 0, `{"type":"enabled","budget_tokens":1024}`, ``, nil},
		{"low budget", budgeted, wish{Effort: "low"}, 2000, `{"type":"enabled","budget_tokens":1024}`, ``, nil},
		{"medium budget", budgeted, wish{Effort: "medium"}, 10000, `{"type":"enabled","budget_tokens":4200}`, ``, nil},
		{"high budget", budgeted, wish{Effort: "high"}, 10000, `{"type":"enabled","budget_tokens":8000}`, ``, nil},
		{"xhigh budget", budgeted, wish{Effort: "xhigh"}, 10000, `{"type":"enabled","budget_tokens":9200}`, ``, nil},
		{"max budget", budgeted, wish{Effort: "max"}, 10000, `{"type":"enabled","budget_tokens":9999}`, ``, nil},
		{"budget of everything", budgeted, wish{Budget: 20000}, 10000, `{"type":"enabled","budget_tokens":9999}`, ``, nil},
		{"too small a budget", budgeted, wish{Budget: 10}, 10000, `{"type":"enabled","budget_tokens":1024}`, ``, nil},
		{"no room to think", budgeted, wish{Effort: "high"}, 1024, ``, ``, []string{"/reasoning_effort"}},
		{"unheard of budget", budgeted, wish{Effort: "extreme"}, 0, ``, ``, []string{"/reasoning_effort"}},
		{"cannot think", "claude-3-5-haiku", wish{Effort: "high"}, 0, ``, ``, []string{"/reasoning_effort"}},
		{"no Claude", foreign, wish{Effort: "high"}, 10000, `{"type":"enabled","budget_tokens":8000}`, ``, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			r.Reasoning, r.Sampling.MaxTokens = test.wish, test.maxTokens
			body, lost := encode(t, test.model, r)
			wantText(t, "thinking", body.Get("thinking"), test.thinking)
			wantText(t, "output_config", body.Get("output_config"), test.config)
			wantLosses(t, lost, test.losses...)
		})
	}
}

func TestForcedToolsGoBeforeThinking(t *testing.T) {
	for _, test := range []struct{ model, config string }{{newest, `{"effort":"high"}`}, {budgeted, ``}} {
		r := conversation(user("A"))
		r.Reasoning = transform.Reasoning{Effort: "high", Summary: true}
		r.Tools = []transform.Tool{function("f", "")}
		r.ToolChoice.Mode = transform.ToolsRequired
		body, lost := encode(t, test.model, r)
		wantText(t, "thinking", body.Get("thinking"), ``)
		wantText(t, "output_config", body.Get("output_config"), test.config)
		wantText(t, "tool_choice", body.Get("tool_choice"), `{"type":"any"}`)
		wantLosses(t, lost, "/reasoning_effort")
	}
}

func TestUnsignedToolLoopDoesNotThinkByBudget(t *testing.T) {
	loop := func(parts ...transform.Part) *transform.Request {
		r := conversation(user("A"), with(assistant(), append(parts, callPart("c1", "f", ""))...), result("c1", "1"))
		r.Tools = []transform.Tool{function("f", "")}
		r.Reasoning.Effort = "high"
		r.Sampling.MaxTokens = 10000
		return r
	}
	body, lost := encode(t, budgeted, loop())
	wantText(t, "thinking", body.Get("thinking"), ``)
	wantLosses(t, lost, "/reasoning_effort")

	body, lost = encode(t, budgeted, loop(thought("T", "S")))
	wantText(t, "thinking", body.Get("thinking"), `{"type":"enabled","budget_tokens":8000}`)
	wantLosses(t, lost)

	r := loop()
	r.Reasoning = transform.Reasoning{Budget: 8000}
	body, lost = encode(t, mixed, r)
	wantText(t, "thinking", body.Get("thinking"), `{"type":"adaptive"}`)
	wantLosses(t, lost)
}

func TestThinkingGivenInTheFormatItselfWins(t *testing.T) {
	r := conversation(user("A"))
	r.Reasoning.Effort = "max"
	r.Sampling.Temperature = jsonbytes.Value("0.5")
	r.Rest = []transform.Member{{Name: "thinking", Value: jsonbytes.Value(`{"type":"enabled","budget_tokens":4000}`)}}
	body, lost := encode(t, mixed, r)
	wantText(t, "thinking", body.Get("thinking"), `{"type":"enabled","budget_tokens":4000}`)
	wantText(t, "output_config", body.Get("output_config"), `{"effort":"max"}`)
	wantLosses(t, lost, "/temperature")

	r.Rest[0].Value = jsonbytes.Value(`{"type":"disabled"}`)
	body, lost = encode(t, mixed, r)
	wantText(t, "output_config", body.Get("output_config"), `{"effort":"high"}`)
	wantText(t, "temperature", body.Get("temperature"), `0.5`)
	wantLosses(t, lost)

	r.Rest[0].Value = jsonbytes.Value(`{"type":"adaptive"}`)
	r.Output = transform.Output{Kind: transform.OutputSchema, Schema: jsonbytes.Value(openSchema)}
	body, lost = encode(t, mixed, r)
	wantText(t, "thinking", body.Get("thinking"), ``)
	wantLosses(t, lost, "/thinking")

	r.Rest[0].Value = jsonbytes.Value(`true`)
	_, lost = encode(t, newest, r)
	wantLosses(t, lost, "/reasoning_effort", "/temperature", "/thinking")
}

func TestThinkingTakesNoPrefill(t *testing.T) {
	r := conversation(user("A"), assistant("B"))
	r.Reasoning.Effort = "low"
	body, _ := encode(t, budgeted, r)
	wantText(t, "messages", body.Get("messages"), `[`+userA+`,`+botB+`,`+goOnM+`]`)
}
