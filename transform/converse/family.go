package converse

import (
	"strings"

	"github.com/caddyllm/llmproxy/catalog"
)

// family is what the models of one maker accept. Bedrock checks each parameter
// against a list for each model and answers 400 to any other.
type family struct {
	// claude tells that the rows of package catalog hold.
	claude bool
	// noSystem tells that there is no system prompt.
	noSystem bool
	// forced is how far a tool can be forced.
	forced force
	// schemas tells that outputConfig.textFormat is accepted.
	schemas bool
	// status tells that results of tools may say that they are errors.
	status bool
	// caches tells that cachePoint is accepted; cachedTools: among tools too;
	// cachedHour: for an hour.
	caches, cachedTools, cachedHour bool
	// prefill tells that the model continues an assistant's last message.
	prefill bool
	// sound and video tell of the media that the model takes.
	sound, video bool
	// topK is where additionalModelRequestFields have top_k; empty: nowhere.
	topK string
	// effort is how the model is told how much to think.
	effort effortStyle
	// shortIDs tells that ids of calls must have nine letters and digits.
	shortIDs bool
}

// force says which forms of toolChoice a model knows beside auto.
type force uint8

const (
	forceNone force = iota
	forceAny
	forceNamed // and any
)

type effortStyle uint8

const (
	effortNone   effortStyle = iota
	effortClaude             // thinking and output_config
	effortFlat               // reasoning_effort
	effortNested             // reasoning.effort
	effortNova               // reasoningConfig
)

// families are the models by a part of their ids; the first that fits counts.
// Sources: the tables of supported models and features in Bedrock's user guide.
var families = []struct {
	part string
	family
}{
	{"anthropic.claude", family{claude: true, forced: forceNamed, status: true, caches: true, cachedTools: true, cachedHour: true, effort: effortClaude}},
	{"amazon.nova-2", family{forced: forceNamed, status: true, caches: true, prefill: true, sound: true, video: true, topK: "inferenceConfig.topK", effort: effortNova}},
	{"amazon.nova", family{forced: forceNamed, status: true, caches: true, prefill: true, sound: true, video: true, topK: "inferenceConfig.topK"}},
	{"amazon.titan", family{noSystem: true}},
	{"mistral.mistral-7b", family{noSystem: true, topK: "top_k", shortIDs: true}},
	{"mistral.mixtral", family{noSystem: true, topK: "top_k", shortIDs: true}},
	{"mistral.voxtral", family{forced: forceAny, sound: true, shortIDs: true}},
	{"mistral.", family{forced: forceAny, topK: "top_k", shortIDs: true}},
	{"openai.gpt-oss", family{schemas: true, effort: effortFlat}},
	{"openai.", family{schemas: true, effort: effortNested}},
	{"cohere.", family{topK: "k"}},
	{"deepseek.r1", family{}},
	{"deepseek.", family{schemas: true}},
	{"qwen.", family{schemas: true}},
	{"moonshot", family{schemas: true}},
	{"minimax.", family{schemas: true}},
	{"google.gemma", family{schemas: true}},
	{"nvidia.", family{schemas: true}},
	{"meta.llama", family{}},
	{"ai21.", family{}},
	{"writer.", family{}},
	{"twelvelabs.", family{video: true}},
	// An application's inference profile hides its model, to tell apart who
	// pays. Nearly all of them are of models that cache their prompts.
	{":application-inference-profile/", family{forced: forceNamed, status: true, caches: true, prefill: true, sound: true, video: true}},
}

// unknownFamily is for ids that tell nothing, such as those of imported models:
// what the client wants is sent, so that Bedrock has the last word.
var unknownFamily = family{forced: forceNamed, prefill: true, sound: true, video: true}

func familyOf(model string) family {
	id := strings.ToLower(model)
	for i := range families {
		if strings.Contains(id, families[i].part) {
			return families[i].family
		}
	}
	if _, ok := catalog.FindClaude(model); ok {
		return families[0].family
	}
	return unknownFamily
}
