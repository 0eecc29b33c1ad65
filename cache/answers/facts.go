package answers

import (
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Operation is what is asked for, as far as that matters here.
type Operation uint8

// The operations. Answers of others are not cached.
const (
	OtherOperation Operation = iota
	Chat
	Embeddings
)

// Retention is whether a request has the provider keep the answer.
type Retention uint8

// The ways to say so.
const (
	NotRetained Retention = iota
	Retained
	// RetainedUnasked: the provider does unless it is told otherwise, as OpenAI does
	// with Responses, and the request does not say.
	RetainedUnasked
)

// Facts are what a request says that decides whether its answer may be cached.
type Facts struct {
	Operation Operation
	// Deterministic tells that the temperature is 0.
	Deterministic bool
	// Several tells that more than one answer is asked for.
	Several   bool
	Retention Retention
	// Refers tells that the request goes on from what the provider keeps, or has it
	// keep something that the answer refers to.
	Refers bool
	// ServerTools tells that the provider may use tools itself.
	ServerTools bool
}

// Examine reads the facts of a request. members are those that [jsonbytes.Scan]
// found in the body.
func Examine(op Operation, format transform.Format, body []byte, members []jsonbytes.Member) Facts {
	f := Facts{Operation: op}
	if format == transform.Responses {
		f.Retention = RetainedUnasked
	}
	for _, m := range members {
		value := m.Raw(body)
		if value.IsNull() {
			continue
		}
		name := m.Key.Of(body)
		if slices.Contains(name, '\\') {
			name = jsonbytes.Value(body[m.Key.From-1 : m.Key.To+1]).AppendText(nil)
		}
		if format == transform.Gemini {
			f.takeGemini(string(name), value)
		} else {
			f.take(format, string(name), value)
		}
	}
	return f
}

func (f *Facts) take(format transform.Format, name string, v jsonbytes.Value) {
	switch name {
	case "temperature":
		f.Deterministic = isZero(v)
	case "n":
		n, ok := v.Int()
		f.Several = !ok || n != 1
	case "best_of":
		n, ok := v.Int()
		f.Several = f.Several || !ok || n != 1
	case "store":
		if f.Retention = Retained; string(v) == "false" {
			f.Retention = NotRetained
		}
	case "previous_response_id", "conversation", "prompt", "container", "audio":
		// Completions' prompt is a text; that of Responses is kept by OpenAI.
		f.Refers = f.Refers || name != "prompt" || v.Kind() == jsonbytes.Object
	case "background":
		f.Refers = f.Refers || string(v) != "false"
	case "tools":
		for _, tool := range v.Elements() {
			f.ServerTools = f.ServerTools || !isClientTool(format, tool)
		}
	case "web_search_options", "search_parameters", "web_search", "plugins", "mcp_servers":
		f.ServerTools = true
	}
}

// clientTools begin the types of Anthropic's own tools that the client runs.
var clientTools = []string{"bash_", "text_editor_", "computer_", "memory_"}

// isClientTool tells the tools that the client runs from those of the provider.
// One of an unknown type is taken for the provider's.
func isClientTool(format transform.Format, tool jsonbytes.Value) bool {
	kind := tool.Get("type")
	if kind.Empty() || kind.Is("function") || kind.Is("custom") {
		return true
	}
	name, _ := kind.Text()
	if format == transform.Anthropic {
		return slices.ContainsFunc(clientTools, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	}
	return false
}

func (f *Facts) takeGemini(name string, v jsonbytes.Value) {
	switch name {
	case "generationConfig", "generation_config":
		for name, v := range v.Members() {
			switch string(name) {
			case "temperature":
				f.Deterministic = isZero(v)
			case "candidateCount", "candidate_count":
				n, ok := v.Int()
				f.Several = f.Several || !ok || n != 1
			}
		}
	case "tools":
		for _, tool := range v.Elements() {
			f.takeGeminiTool(tool)
		}
		f.takeGeminiTool(v) // some clients send one tool in place of a list
	case "store":
		if string(v) != "false" {
			f.Retention = Retained
		}
	}
}

func (f *Facts) takeGeminiTool(tool jsonbytes.Value) {
	for name := range tool.Members() {
		f.ServerTools = f.ServerTools || string(name) != "functionDeclarations" && string(name) != "function_declarations"
	}
}
