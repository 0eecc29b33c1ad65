package transform

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// Request is a conversation and how to continue it.
type Request struct {
	Model string
	Turns []Turn

	Tools      []Tool
	ToolChoice ToolChoice
	// ParallelTools is nil where the client left it to the provider.
	ParallelTools *bool

	Output    Output
	Sampling  Sampling
	Reasoning Reasoning

	// Stream asks for the answer as a stream, StreamUsage for its usage at the end.
	Stream, StreamUsage bool

	// User is an opaque id of the end user, for the provider's abuse detection.
	User string
	// ServiceTier is OpenAI's word for it: auto, default, flex, priority.
	ServiceTier string
	// Logprobs asks for the probabilities of tokens, TopLogprobs for so many alternatives each.
	Logprobs    bool
	TopLogprobs int

	// Rest are the members that the decoder has no field for, in the order in
	// which they came. An encoder takes what its format knows under the same
	// name and meaning, and reports every other as lost: see [Request.Leftover].
	Rest []Member
	// Places are where the client says things, for loss reports.
	Places
}

// Member is a top-level request member kept as its sender wrote it.
type Member struct {
	Name  string
	Value jsonbytes.Value
	// Offered tells that it stands for a tool of a list, which the model may call
	// or not: see [Request.Spares].
	Offered bool
}

// Role says who speaks in a turn.
type Role uint8

// The roles. A tool turn is the result of one tool call.
const (
	RoleUser Role = iota
	RoleAssistant
	RoleTool
	RoleSystem
	RoleDeveloper
)

// IsSystem tells whether a turn is the system's or the developer's.
func (r Role) IsSystem() bool { return r == RoleSystem || r == RoleDeveloper }

// Turn is what one speaker said at once. Consecutive turns of one role are
// allowed: codecs that may not have them merge.
type Turn struct {
	Role  Role
	Name  string // of the speaker, if the client gave one
	Parts []Part

	// Of tool turns: the call that is answered, the tool's name (found by the
	// decoder from the call, empty if there is none) and whether it failed.
	CallID   string
	ToolName string
	IsError  bool
	// CallAt is where CallID stood, for loss reports.
	CallAt Path

	// At is where the turn stood in the client's request, for loss reports.
	At Path
}

// PartKind says which fields of a [Part] count.
type PartKind uint8

// The kinds of parts.
const (
	PartText PartKind = iota
	PartReasoning
	PartRefusal
	PartToolCall
	PartImage
	PartFile
	PartAudio
	PartCitation
)

// Part is one piece of a turn or of an answer.
type Part struct {
	Kind PartKind

	// Text is what a text, reasoning or refusal part says; nil for a
	// reasoning part of which only the opaque piece is known.
	Text Literal

	// Call is of tool calls.
	Call ToolCall

	// Media is of images, files and audio.
	Media Media

	// Citation is of citations, in Chat Completions' form of an annotation.
	Citation jsonbytes.Value

	// Opaque is what only its vendor can read: a signature, encrypted or
	// redacted reasoning, a thought signature.
	Opaque Opaque

	// Cache marks the end of a prefix worth caching. Nil: no mark.
	Cache *CacheMark

	// At is where the part stood in the client's request, for loss reports.
	At Path
}

// ToolCall is a model's wish to call a tool.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is a JSON object's text. It is not a literal: formats that
	// carry it as a string quote it. Empty for a call without arguments.
	// A model that was cut short leaves invalid JSON here.
	Arguments []byte
	// Custom tells that the tool takes free text, not JSON: Arguments is that text.
	Custom bool
}

// Media is an image, a file or a sound: as data, by URL or by a provider's id.
type Media struct {
	// Type is the media type, such as image/png; it may be empty with a URL or an id.
	Type string
	// Data is base64, without quotes.
	Data []byte
	URL  string
	// FileID is an id that one provider gave the file.
	FileID string
	Name   string
	// Detail is OpenAI's wish for an image's resolution: low, high, auto.
	Detail string

	// NameAt and DetailAt are where those two stood, for loss reports.
	NameAt, DetailAt Path
}

// PlainText is the text that a file of text holds, nil if it is none.
func (m *Media) PlainText() Literal {
	if len(m.Data) == 0 || !strings.HasPrefix(m.Type, "text/") && m.Type != "application/json" {
		return nil
	}
	text, err := base64.StdEncoding.AppendDecode(nil, m.Data)
	if err != nil || !utf8.Valid(text) {
		return nil
	}
	return jsonbytes.AppendBytes(nil, text)
}

// Opaque is a piece of an answer that only its vendor can read.
type Opaque struct {
	Vendor Vendor
	// Kind tells a vendor's pieces apart: see the Opaque constants.
	Kind OpaqueKind
	// ID is the name that the vendor gave the piece, if it wants that back too.
	ID string
	// Data is a JSON string's literal.
	Data Literal
	// At is where the piece stood in the client's request, for loss reports.
	At Path
}

// OpaqueKind tells opaque pieces apart.
type OpaqueKind uint8

// The kinds of opaque pieces.
const (
	OpaqueNone OpaqueKind = iota
	// OpaqueSignature vouches for the reasoning or the call that it comes with.
	OpaqueSignature
	// OpaqueRedacted stands in place of reasoning that may not be shown.
	OpaqueRedacted
)

// CacheMark asks the provider to cache the prompt up to here.
type CacheMark struct {
	// TTL is 5m, 1h or empty for the provider's own.
	TTL string
	// At is where the mark stood in the client's request, for loss reports.
	At Path
}

// Tool is something that the model may call.
type Tool struct {
	Name        string
	Description Literal
	// Schema is the JSON Schema of its arguments, nil for a tool without any.
	Schema jsonbytes.Value
	// Strict is nil where it was left to the provider; StrictAt is zero where
	// nothing was said and the client's format takes that for true.
	Strict   *bool
	StrictAt Path
	// Custom tells that the tool takes free text; Grammar limits it, if not nil.
	Custom  bool
	Grammar jsonbytes.Value
	// Type is the name under which Anthropic's models know the tool without a
	// schema, such as bash_20250124; empty: none. Any other model is told of it
	// by the fields above.
	Type string
	// Eager asks for the arguments in pieces as they come, which all formats but
	// Anthropic's do anyway.
	Eager bool
	Cache *CacheMark
	// Namespace and Plain are what the client calls the tool where its format puts
	// tools into namespaces: Name is made of both. Empty: the client knows Name.
	Namespace, Plain string
	// At is where the object that holds the name stood in the client's request,
	// SchemaAt where the schema did, for loss reports.
	At, SchemaAt Path
}

// ToolMode says how free a model is to call tools.
type ToolMode uint8

// The tool modes.
const (
	ToolsUnset ToolMode = iota
	ToolsAuto
	ToolsNone
	// ToolsRequired: some tool must be called.
	ToolsRequired
	// ToolsNamed: the tool called Name must be called.
	ToolsNamed
)

// ToolChoice is a mode, and for some modes the tools that it speaks of.
type ToolChoice struct {
	Mode ToolMode
	Name string
	// Allowed narrows auto and required to these tools, if not nil.
	Allowed []string
}

// OutputKind says what an answer's text must be.
type OutputKind uint8

// The kinds of output.
const (
	OutputUnset OutputKind = iota
	OutputText
	// OutputJSON: any JSON object.
	OutputJSON
	// OutputSchema: JSON that the schema accepts.
	OutputSchema
)

// Output is the form in which the client wants the text.
type Output struct {
	Kind        OutputKind
	Name        string
	Description Literal
	Schema      jsonbytes.Value
	Strict      *bool

	// SchemaAt and DescriptionAt are where those two stood, for loss reports.
	SchemaAt, DescriptionAt Path
}

// Sampling is how tokens are chosen. Numbers stay as the client spelled them;
// a nil value was not given.
type Sampling struct {
	MaxTokens        int64 // 0: not given
	Temperature      jsonbytes.Value
	TopP             jsonbytes.Value
	TopK             jsonbytes.Value
	Seed             jsonbytes.Value
	PresencePenalty  jsonbytes.Value
	FrequencyPenalty jsonbytes.Value
	Stop             []Literal
	N                int64 // answers asked for; 0: not given
}

// Reasoning is how much the model should think.
type Reasoning struct {
	// Effort is none, minimal, low, medium, high, xhigh or max; empty: not given.
	Effort string
	// Budget is a number of tokens; 0: not given.
	Budget int64
	// Summary asks to see the reasoning.
	Summary bool
	// Thinking is what an Anthropic client said in that format's own words, for
	// its encoder; the fields above say the same in those of all formats. Nil:
	// nothing, or the client is of another format.
	Thinking *Thinking
}

// Thinking is the members thinking and output_config.effort of the Messages format.
type Thinking struct {
	// Type is enabled, adaptive, disabled or between_tools; empty: not given.
	Type string
	// Display is summarized, omitted or such; empty: not given.
	Display string
	// Effort is low to max; empty: not given.
	Effort string
}

// Fill puts the member's value into its place, false if it is of another kind or
// the place is taken.
func (m *Member) Fill(place *jsonbytes.Value, kind jsonbytes.Kind) bool {
	if m.Value.Kind() != kind || *place != nil {
		return false
	}
	*place = m.Value
	return true
}

// Allows tells whether a tool may be called where a choice can only be narrowed
// by narrowing the list of the tools.
func (c *ToolChoice) Allows(name string) bool {
	switch c.Mode {
	case ToolsNamed:
		return name == c.Name
	case ToolsRequired, ToolsAuto:
		return c.Allowed == nil || slices.Contains(c.Allowed, name)
	}
	return true
}

// Leftover returns the value of a member that only some formats know, nil if
// the request does not have it.
func (r *Request) Leftover(name string) jsonbytes.Value {
	for i := range r.Rest {
		if r.Rest[i].Name == name {
			return r.Rest[i].Value
		}
	}
	return nil
}
