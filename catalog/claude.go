// Package catalog knows what models are: what they accept and how much they
// produce. It is data and the rules to find a model's row by its name.
package catalog

import "strings"

// Claude is what a Claude model accepts in a Messages request. The zero value
// is the strictest model that could be: it takes no optional parameter.
type Claude struct {
	// MaxOutput is the most tokens that one answer may have, thinking
	// included; 0: not known.
	MaxOutput int64

	// Sampling tells that temperature, top_p and top_k are accepted. Others
	// answer 400 to any of them, whatever its value.
	Sampling bool
	// SamplingPair tells that temperature and top_p may be sent together.
	SamplingPair bool

	// Adaptive tells that the model decides how much to think:
	// thinking {"type":"adaptive"}.
	Adaptive bool
	// Budget tells that thinking may be given a number of tokens:
	// thinking {"type":"enabled","budget_tokens":n}.
	Budget bool
	// Disable tells that thinking {"type":"disabled"} is accepted.
	Disable bool
	// BetweenTools tells that thinking {"type":"between_tools"} is accepted.
	BetweenTools bool
	// Efforts are the accepted values of output_config.effort, in rising
	// order; none: the parameter is not accepted.
	Efforts []string

	// ForcedTools tells that tool_choice may be any or tool.
	ForcedTools bool
	// Schemas tells that output_config.format and strict tools are accepted.
	Schemas bool
	// SystemTurns tells that messages may hold turns of role system, where
	// the model is served by Anthropic itself.
	SystemTurns bool
	// Prefill tells that the last message may be the assistant's, to be
	// continued by the model.
	Prefill bool
}

var (
	effortsToMax  = []string{"low", "medium", "high", "xhigh", "max"}
	effortsOf46   = []string{"low", "medium", "high", "max"}
	effortsToHigh = []string{"low", "medium", "high"}
)

// claudes are the models by a part of their name; the first that fits counts.
// Names are spelled with dashes only, as [FindClaude] spells what it is given.
//
// Sources: the tables of the Messages API documentation, the official SDKs'
// types and the AI SDK's capability table, as of November 2026.
var claudes = []struct {
	name  string
	model Claude
}{
	{"sonnet-5-5", Claude{MaxOutput: 128000, Adaptive: true, BetweenTools: true, Efforts: effortsToMax, Schemas: true, SystemTurns: true}},
	{"opus-5-5", alwaysThinking},
	{"haiku-5-5", thinkingUnlessTold},
	// Fable 5 accepts forced tools, its successors and Mythos do not.
	{"fable-5-1", alwaysThinking},
	{"fable-5-2", alwaysThinking},
	{"mythos-5", alwaysThinking},
	{"fable-5", Claude{MaxOutput: 128000, Adaptive: true, Efforts: effortsToMax, ForcedTools: true, Schemas: true, SystemTurns: true}},
	{"opus-5", thinkingUnlessTold},
	{"sonnet-5", thinkingUnlessTold},
	{"opus-4-8", thinkingUnlessTold},
	{"opus-4-7", Claude{MaxOutput: 128000, Adaptive: true, Disable: true, Efforts: effortsToMax, ForcedTools: true, Schemas: true}},
	{"opus-4-6", claude46},
	{"sonnet-4-6", claude46},
	{"opus-4-5", Claude{MaxOutput: 64000, Sampling: true, Budget: true, Disable: true, Efforts: effortsToHigh, ForcedTools: true, Schemas: true, Prefill: true}},
	{"sonnet-4-5", claude45},
	{"haiku-4-5", claude45},
	{"opus-4-1", Claude{MaxOutput: 32000, Sampling: true, Budget: true, Disable: true, ForcedTools: true, Schemas: true, Prefill: true}},
	{"sonnet-4", Claude{MaxOutput: 64000, Sampling: true, SamplingPair: true, Budget: true, Disable: true, ForcedTools: true, Prefill: true}},
	{"opus-4", Claude{MaxOutput: 32000, Sampling: true, SamplingPair: true, Budget: true, Disable: true, ForcedTools: true, Prefill: true}},
	{"claude-3-7", Claude{MaxOutput: 64000, Sampling: true, SamplingPair: true, Budget: true, Disable: true, ForcedTools: true, Prefill: true}},
	{"claude-3-5", Claude{MaxOutput: 8192, Sampling: true, SamplingPair: true, ForcedTools: true, Prefill: true}},
	{"claude-3", claudeOld},
	{"claude-2", claudeOld},
	{"claude-v2", claudeOld},
	{"claude-instant", claudeOld},
	// What is not out yet is taken to be like the newest.
	{"claude", thinkingUnlessTold},
}

var (
	alwaysThinking     = Claude{MaxOutput: 128000, Adaptive: true, Efforts: effortsToMax, Schemas: true, SystemTurns: true}
	thinkingUnlessTold = Claude{MaxOutput: 128000, Adaptive: true, Disable: true, Efforts: effortsToMax, ForcedTools: true, Schemas: true, SystemTurns: true}
	claude46           = Claude{MaxOutput: 128000, Sampling: true, Adaptive: true, Budget: true, Disable: true, Efforts: effortsOf46, ForcedTools: true, Schemas: true}
	claude45           = Claude{MaxOutput: 64000, Sampling: true, Budget: true, Disable: true, ForcedTools: true, Schemas: true, Prefill: true}
	claudeOld          = Claude{MaxOutput: 4096, Sampling: true, SamplingPair: true, ForcedTools: true, Prefill: true}
)

// dashes spells the punctuation of model names in one way: claude-opus-4.5 of
// routers, claude-opus-4@20250514 of Vertex, …-v1:0 of Bedrock.
var dashes = strings.NewReplacer(".", "-", "@", "-", "_", "-", ":", "-", "/", "-")

// FindClaude returns the row of a model by its name in any provider's
// spelling, false if the name is no Claude's.
func FindClaude(model string) (Claude, bool) {
	model = dashes.Replace(strings.ToLower(model))
	for i := range claudes {
		if names(model, claudes[i].name) {
			return claudes[i].model, true
		}
	}
	return Claude{}, false
}

// names tells whether model has name in it as a whole: opus-4-1 is not in
// opus-4-15, and opus-5 not in magnum-opus-52.
func names(model, name string) bool {
	for {
		at := strings.Index(model, name)
		if at < 0 {
			return false
		}
		rest := model[at+len(name):]
		if rest == "" || rest[0] < '0' || rest[0] > '9' {
			return true
		}
		model = rest
	}
}
