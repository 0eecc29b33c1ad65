package transform

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// Response is a provider's whole answer.
type Response struct {
	ID      string
	Model   string
	Created int64 // Unix seconds; 0: the format does not say
	Choices []Choice
	Usage   usage.Tokens
	// ServiceTier is OpenAI's word for the tier that served the call, if known.
	ServiceTier string
}

// Choice is one of the answers asked for.
type Choice struct {
	Index  int
	Parts  []Part
	Finish Finish
	// StopSequence is the one that ended the answer, if the provider says.
	StopSequence string
	// Logprobs are in Chat Completions' form; nil: none.
	Logprobs jsonbytes.Value
}

// Finish is why an answer ended.
type Finish uint8

// The reasons to end. A format's finer ones are folded into these.
const (
	FinishUnknown Finish = iota
	FinishStop
	FinishLength
	FinishToolCalls
	FinishContentFilter
)

// String is Chat Completions' word for the reason, empty if it is unknown.
func (f Finish) String() string {
	switch f {
	case FinishStop:
		return "stop"
	case FinishLength:
		return "length"
	case FinishToolCalls:
		return "tool_calls"
	case FinishContentFilter:
		return "content_filter"
	}
	return ""
}

// DeltaKind says which fields of a [Delta] count.
type DeltaKind uint8

// The kinds of deltas.
const (
	// DeltaStart opens the answer: ID, Model and Created, and Usage as far as it is known.
	DeltaStart DeltaKind = iota
	// DeltaText, DeltaReasoning and DeltaRefusal add Text.
	DeltaText
	DeltaReasoning
	DeltaRefusal
	// DeltaOpaque adds Opaque to the part called Part, which is reasoning or a tool call.
	DeltaOpaque
	// DeltaToolStart begins tool call number Tool: Call has its ID and Name, and
	// Opaque what vouches for it, if that is known by then.
	DeltaToolStart
	// DeltaToolArguments adds Text, a literal whose content is a piece of the
	// arguments, to tool call number Tool.
	DeltaToolArguments
	// DeltaPartEnd tells that part number Part is whole. Formats without such
	// an event do not send it.
	DeltaPartEnd
	// DeltaCitation adds Citation.
	DeltaCitation
	// DeltaLogprobs adds Logprobs.
	DeltaLogprobs
	// DeltaFinish ends choice number Choice.
	DeltaFinish
	// DeltaUsage gives counts; later ones replace earlier ones.
	DeltaUsage
	// DeltaPing is a sign of life.
	DeltaPing
	// DeltaError is the provider's error; nothing comes after it.
	DeltaError
	// DeltaMedia adds Media, a picture, a file or a sound, whole.
	DeltaMedia
)

// Delta is a piece of a streamed answer.
type Delta struct {
	Kind   DeltaKind
	Choice int

	ID, Model   string
	Created     int64
	ServiceTier string

	// Part numbers the parts of a choice in the order in which they begin,
	// Tool numbers its tool calls. Part is what the provider's format says:
	// encoders that need parts in order open a new one where Kind, Tool or
	// Part changes.
	Part, Tool int

	// Text is a JSON string's literal.
	Text     Literal
	Call     ToolCall
	Opaque   Opaque
	Citation jsonbytes.Value
	Logprobs jsonbytes.Value
	// Media is a part of kind PartImage, PartFile or PartAudio.
	Media *Part

	Finish       Finish
	StopSequence string
	Usage        usage.Tokens
	Err          *Error
}

// Content tells whether a delta is something that a user sees or pays for, as
// against the skeleton of a stream: what has content commits an answer.
func (d *Delta) Content() bool {
	switch d.Kind {
	case DeltaStart, DeltaPing, DeltaUsage, DeltaPartEnd, DeltaError:
		return false
	case DeltaText, DeltaReasoning, DeltaRefusal:
		return len(d.Text) > len(`""`)
	}
	return true
}

// Says tells whether a delta is part of what an answer says, as against how it
// ends and what it cost.
func (d *Delta) Says() bool {
	return d.Kind != DeltaFinish && d.Kind != DeltaLogprobs && d.Content()
}
