package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// tool is one element of tools, decided but not yet written.
type tool struct {
	// raw is a whole element, of server tools; the other fields are empty then.
	raw []byte
	// typ is of tools that the model knows without description and schema.
	typ string

	name        string
	description transform.Literal
	schema      []byte
	strict      bool
	eager       bool
	cache       *transform.CacheMark
}

// maxToolName is how long the name of a tool may be.
const maxToolName = 128

// maxStrictTools is how many tools of one request may be strict.
const maxStrictTools = 20

// choice is the member tool_choice: any, tool, auto or none; empty: left out.
type choice struct {
	kind     string
	name     string
	parallel bool // no disable_parallel_tool_use
}

// forced tells whether the model must call a tool.
func (c *choice) forced() bool { return c.kind == "any" || c.kind == "tool" }

// planTools decides on tools and tool_choice.
func (e *encoder) planTools() error {
	strict := strictBudget{tools: maxStrictTools}
	if e.output.native != nil {
		strict.optional = e.output.optional
	}
	allowed := e.allowed()
	for i := range e.r.Tools {
		in := &e.r.Tools[i]
		if allowed != nil && !allowed[in.Name] {
			continue
		}
		if t, ok := e.placeTool(in, &strict); ok {
			e.tools = append(e.tools, t)
		}
	}
	e.addWebSearch()
	if e.output.answer != nil {
		e.tools = append(e.tools, tool{
			name:        blocks.AnswerTool,
			description: answerDescription(e.r.Output.Description),
			schema:      e.output.answer,
		})
	}
	if len(e.tools) == 0 && e.Tools {
		// With calls in the conversation the API wants tools to be declared.
		e.tools = append(e.tools, tool{
			name: "no_tool", description: noToolDescription, schema: emptySchema,
		})
		e.choice.kind = "none"
		return nil
	}
	return e.planChoice()
}

var noToolDescription = transform.Quote("Not available. Never call it.")

// allowed are the tools that the client's choice leaves in, nil for all. The
// format has no subsets: tools that may not be called are not declared.
func (e *encoder) allowed() map[string]bool {
	c := &e.r.ToolChoice
	names := c.Allowed
	switch {
	case c.Mode == transform.ToolsNamed && !e.model.ForcedTools:
		names = []string{c.Name}
	case names == nil || c.Mode != transform.ToolsAuto && c.Mode != transform.ToolsRequired:
		return nil
	}
	allowed := make(map[string]bool, len(names))
	for _, name := range names {
		allowed[name] = true
	}
	return allowed
}

// placeTool translates one tool, false if that is not possible.
func (e *encoder) placeTool(in *transform.Tool, strict *strictBudget) (tool, bool) {
	t := tool{name: in.Name, description: in.Description, cache: in.Cache}
	t.eager = in.Eager && e.to.Vendor == transform.VendorAnthropic && !e.cloud
	if !blocks.IsName(in.Name) || len(in.Name) > maxToolName || in.Name == blocks.AnswerTool {
		e.lost.Refuse(in.At)
		return t, false
	}
	if in.Type != "" && e.to.Vendor == transform.VendorAnthropic {
		t.typ = in.Type
		return t, true
	}
	if in.Custom {
		t.schema = customSchema
		t.description = describeGrammar(in.Description, in.Grammar)
		return t, true
	}
	if in.Strict != nil && *in.Strict {
		if t.schema, t.strict = e.strictSchema(in, strict); t.strict {
			return t, true
		}
		e.lost.Drop(in.StrictAt)
	}
	schema, condition, ok := toolSchema(in.Schema)
	if !ok {
		e.lost.Refuse(in.At)
		return t, false
	}
	if condition != nil {
		t.description = jsonbytes.Join(`\n\n`, t.description, condition)
	}
	t.schema = schema
	return t, true
}

// strictBudget is what the API allows to all strict tools of a request together.
type strictBudget struct {
	tools, optional int
}

// strictSchema returns a schema that the model cannot violate, false if the
// model or the format does not have it.
func (e *encoder) strictSchema(in *transform.Tool, budget *strictBudget) ([]byte, bool) {
	wish := in.Schema
	if wish.Empty() {
		wish = emptySchema
	}
	if !e.model.Schemas || e.cloud || budget.tools == 0 || !hasRootObject(wish) {
		return nil, false
	}
	schema, optional, ok := nativeSchema(wish, nil)
	if !ok || budget.optional+optional > maxOptional {
		return nil, false
	}
	budget.optional += optional
	budget.tools--
	return schema, true
}

var (
	emptySchema  = []byte(`{"type":"object","properties":{}}`)
	customSchema = []byte(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`)
)

// describeGrammar appends the grammar of a custom tool's input to its
// description. Chat nests syntax and definition in grammar, Responses does not.
func describeGrammar(description transform.Literal, grammar jsonbytes.Value) transform.Literal {
	if inner := grammar.Get("grammar"); inner.Kind() == jsonbytes.Object {
		grammar = inner
	}
	if grammar.Empty() || grammar.Get("type").Is("text") {
		return description
	}
	syntax, _ := grammar.Get("syntax").Text()
	definition, ok := grammar.Get("definition").Text()
	if !ok {
		definition = string(grammar)
	}
	if syntax != "" {
		syntax += " "
	}
	rule := transform.Quote("The input must follow this " + syntax + "grammar:\n" + definition)
	return jsonbytes.Join(`\n\n`, description, rule)
}

// planChoice decides on tool_choice.
func (e *encoder) planChoice() error {
	in := &e.r.ToolChoice
	c := &e.choice
	c.parallel = e.r.ParallelTools == nil || *e.r.ParallelTools
	switch in.Mode {
	case transform.ToolsAuto:
		c.kind = "auto"
	case transform.ToolsNone:
		c.kind = "none"
	case transform.ToolsRequired:
		c.kind = "any"
	case transform.ToolsNamed:
		c.kind, c.name = "tool", in.Name
	}
	if e.output.answer != nil {
		e.chooseAnswer()
	}
	switch {
	case len(e.tools) == 0:
		if c.forced() {
			return badRequest("tool_choice", "tool_choice demands a tool, but there is none to call")
		}
		c.kind = ""
	case c.kind == "tool" && !e.declared(c.name):
		return badRequest("tool_choice", "tool_choice names a tool that is not among the tools")
	case c.forced() && !e.model.ForcedTools:
		e.lost.Refuse(e.r.At("tool_choice"))
		c.kind = "auto"
	case c.kind == "" && !c.parallel:
		// The wish lives inside of tool_choice only.
		c.kind = "auto"
	}
	return nil
}

// chooseAnswer forces the tool that stands for the answer, or, where the
// client has tools, a choice among it and those.
func (e *encoder) chooseAnswer() {
	c := &e.choice
	c.parallel = false
	if c.kind == "none" || len(e.tools) == 1 {
		c.kind, c.name = "tool", blocks.AnswerTool
		return
	}
	c.kind = "any"
}

func (e *encoder) declared(name string) bool {
	for i := range e.tools {
		if e.tools[i].name == name {
			return true
		}
	}
	return false
}

func (e *encoder) writeTools() {
	if len(e.tools) == 0 {
		return
	}
	e.Key("tools")
	e.Raw("[")
	for i := range e.tools {
		e.Comma()
		e.writeTool(&e.tools[i])
	}
	e.Raw("]")
}

func (e *encoder) writeTool(t *tool) {
	if t.raw != nil {
		e.Value(t.raw)
		return
	}
	e.Raw("{")
	if t.typ != "" {
		e.Text("type", t.typ)
	}
	e.Text("name", t.name)
	if t.typ != "" {
		e.writeCacheMark(t.cache)
		e.Raw("}")
		return
	}
	if !t.description.Blank() {
		e.Key("description")
		e.Value(t.description)
	}
	e.Key("input_schema")
	e.Value(t.schema)
	if t.strict {
		e.Key("strict")
		e.Raw("true")
	}
	if t.eager {
		e.Key("eager_input_streaming")
		e.Raw("true")
	}
	e.writeCacheMark(t.cache)
	e.Raw("}")
}

func (e *encoder) writeChoice() {
	c := &e.choice
	if c.kind == "" {
		return
	}
	e.Key("tool_choice")
	e.Raw(`{"type":"`)
	e.Raw(c.kind)
	e.Raw(`"`)
	if c.kind == "tool" {
		e.Key("name")
		e.Raw(`"`)
		e.Raw(c.name)
		e.Raw(`"`)
	}
	if !c.parallel && c.kind != "none" {
		e.Key("disable_parallel_tool_use")
		e.Raw("true")
	}
	e.Raw("}")
}
