package openai

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/transform"
)

// Profile is how a provider that resembles OpenAI differs, as data: the encoder
// of requests and the decoders of answers go by it. Its zero value is a server
// that takes what Chat Completions has had for long: system but no developer,
// max_tokens, user, and none of OpenAI's own later members.
type Profile struct {
	// Format is the provider's format where clients of Chat Completions cannot
	// read its answers as they are. Empty: they can.
	Format transform.Format
	// Families tells that the models are OpenAI's own: each refuses what its
	// family does, and all of OpenAI's members are known.
	Families bool

	// Only are the top-level members that may be sent at all; nil: any.
	Only []string
	// Remove are those that the provider answers with an error, or ignores to
	// the client's harm.
	Remove []string
	// Models adds to Remove for some models.
	Models []ModelRule
	// Keep are members that this format or the client's does not know but the
	// provider does.
	Keep []string
	// Rename is what the provider calls members.
	Rename map[string]string
	// Extra are sent with every translated request.
	Extra []transform.Member
	// UsageUnasked: streams report their usage without stream_options, which
	// some of these providers refuse.
	UsageUnasked bool

	// MaxTokens is the name of the limit. Empty: max_tokens.
	MaxTokens string
	// TemperatureMax is the highest temperature; 0: OpenAI's.
	TemperatureMax float64
	// TemperatureAboveZero: a temperature of zero is refused.
	TemperatureAboveZero bool
	// Stops is how many stop sequences there may be; 0: as many as OpenAI takes.
	Stops int
	// Single: there is never more than one answer.
	Single bool

	// Effort is how a wish to think is written, Efforts what the provider calls
	// the words that it does not know.
	Effort  EffortForm
	Efforts map[string]string
	// Reasoning names the message member that takes back what the model
	// thought: reasoning_content, reasoning, or reasoning_details, which are
	// details of OpenRouter's form. Empty: it is not sent back.
	Reasoning string
	// ReasoningRequired: every assistant message must have it, if only empty.
	ReasoningRequired bool

	// Schema is how an answer is made to match a schema.
	Schema SchemaForm
	// NoJSONObject: response_format knows no json_object.
	NoJSONObject bool

	// Choice is how free the client may be to force a tool.
	Choice ChoiceLevel
	// NoStrict: tools have no member strict.
	NoStrict bool
	// ToolIDs is the exact length of the ids of calls, which then are letters
	// and digits only; 0: any will do.
	ToolIDs int

	// Images says how images may be given.
	Images ImageForm
	// NoDetail: images have no member detail.
	NoDetail bool
	// Documents: files are parts of type document_url, by URL or data.
	Documents bool
	// PlainAudio: input_audio is the data itself.
	PlainAudio bool

	// NoNames: messages have no member name.
	NoNames bool
	// EmptyContent: a message of calls alone has the content "", not null.
	EmptyContent bool
	// Alternate: no two messages of one role may follow each other.
	Alternate bool
	// Prefill is the member that makes the model go on with a last message of
	// its own. Empty: that is not needed.
	Prefill string

	// Dimensions is the name of an embedding's length. Empty: dimensions.
	Dimensions string

	// ThinkTags: what the model thought may stand in <think> at the beginning of
	// its answer.
	ThinkTags bool
}

// ModelRule is a [Profile.Remove] for models by globs of their names. The first
// rule that matches counts.
type ModelRule struct {
	Models []string
	Remove []string
}

// EffortForm is how a request says how much to think.
type EffortForm uint8

// The forms of effort.
const (
	// EffortWord is reasoning_effort.
	EffortWord EffortForm = iota
	// EffortNested is {"reasoning":{"effort":…}}, or max_tokens in its place.
	EffortNested
	// EffortThinking is {"thinking":{"type":"enabled"}} or disabled.
	EffortThinking
	// EffortEnable is {"enable_thinking":true}, with a thinking_budget.
	EffortEnable
)

// SchemaForm is how response_format takes a schema.
type SchemaForm uint8

// The forms of schemas.
const (
	// SchemaNative is json_schema.
	SchemaNative SchemaForm = iota
	// SchemaObject is json_object, with the schema in the prompt.
	SchemaObject
	// SchemaValue is json_object with the schema as its value.
	SchemaValue
)

// ChoiceLevel is what tool_choice may be.
type ChoiceLevel uint8

// The levels of choice.
const (
	ChoiceAny ChoiceLevel = iota
	// ChoiceNotRequired is any but required.
	ChoiceNotRequired
	// ChoiceAuto is auto and nothing else.
	ChoiceAuto
)

// ImageForm is how images are given.
type ImageForm uint8

// The forms of images.
const (
	ImagesAny ImageForm = iota
	// ImagesData is data URIs only.
	ImagesData
	ImagesNone
)

// unprofiled is a codec without a profile.
var unprofiled = Profile{Families: true}

func (c Codec) profile() *Profile {
	if c.Profile == nil {
		return &unprofiled
	}
	return c.Profile
}

// removed are what a model takes less than others.
func (p *Profile) removed(model string) []string {
	for i := range p.Models {
		if glob.Any(p.Models[i].Models, model) {
			return p.Models[i].Remove
		}
	}
	return nil
}

// takes tells whether a top-level member may be sent.
func (e *requestEncoder) takes(name string) bool {
	return (e.p.Only == nil || slices.Contains(e.p.Only, name)) &&
		!slices.Contains(e.p.Remove, name) && !slices.Contains(e.removed, name)
}

// keeps tells whether a member that only some know may be sent.
func (e *requestEncoder) keeps(name string) bool {
	return e.p.Families || slices.Contains(e.p.Keep, name)
}

// askedAs is the name under which the neutral model has a member.
func askedAs(name string) string {
	switch name {
	case "max_completion_tokens":
		return "max_tokens"
	case "safety_identifier":
		return "user"
	case "thinking", "enable_thinking", "thinking_budget", "reasoning":
		return "reasoning_effort"
	}
	return name
}

// begin writes a member's name, or reports that it is not taken.
func (e *requestEncoder) begin(name string) bool {
	if !e.takes(name) {
		e.drop(askedAs(name))
		return false
	}
	if to, ok := e.p.Rename[name]; ok {
		name = to
	}
	e.Raw(`,`)
	e.String(name)
	e.Raw(`:`)
	return true
}
