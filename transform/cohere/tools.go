package cohere

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxStrictFields is how many properties the tools of a request may have if
// their calls must keep to them.
// https://docs.cohere.com/docs/structured-outputs
const maxStrictFields = 200

// planTools decides which tools the model may call. A choice can be narrowed
// only by narrowing the list.
func (e *encoder) planTools() {
	choice := &e.r.ToolChoice
	if choice.Mode == transform.ToolsNone && e.wantsJSON() {
		return // an answer in JSON excludes tools, and nobody will call them
	}
	for i := range e.r.Tools {
		if tool := &e.r.Tools[i]; allowed(choice, tool.Name) {
			e.tools = append(e.tools, tool)
		}
	}
	if len(e.tools) == 0 && (choice.Mode == transform.ToolsRequired || choice.Mode == transform.ToolsNamed) {
		e.refuse("tool_choice")
	}
	if e.r.ParallelTools != nil && !*e.r.ParallelTools && len(e.tools) > 0 {
		e.drop("parallel_tool_calls")
	}
}

func allowed(choice *transform.ToolChoice, name string) bool {
	switch choice.Mode {
	case transform.ToolsNamed:
		return name == choice.Name
	case transform.ToolsRequired, transform.ToolsAuto:
		return choice.Allowed == nil || slices.Contains(choice.Allowed, name)
	}
	return true
}

func (e *encoder) writeTools() {
	if len(e.tools) == 0 {
		return
	}
	strict := e.strict()
	e.key("tools")
	e.raw("[")
	for _, tool := range e.tools {
		e.tool(tool, strict)
	}
	e.raw("]")
	switch {
	case e.extra.strict != nil:
		e.key("strict_tools")
		e.value(e.extra.strict)
	case strict:
		e.key("strict_tools")
		e.raw("true")
	}
	switch e.r.ToolChoice.Mode {
	case transform.ToolsRequired, transform.ToolsNamed:
		e.key("tool_choice")
		e.raw(`"REQUIRED"`)
	case transform.ToolsNone:
		e.key("tool_choice")
		e.raw(`"NONE"`)
	}
}

func (e *encoder) tool(t *transform.Tool, strict bool) {
	if t.Cache != nil {
		e.lost.Drop(t.Cache.At)
	}
	e.comma()
	e.raw(`{"type":"function","function":{"name":`)
	e.string(t.Name)
	if !empty(t.Description) {
		e.key("description")
		e.value(t.Description)
	}
	e.key("parameters")
	switch {
	case t.Custom:
		e.freeText(t)
	case t.Schema.Kind() != jsonbytes.Object:
		e.raw(`{"type":"object","properties":{}}`)
	case strict:
		text, exact, _ := strictSchema(t.Schema)
		e.value(text)
		if !exact {
			e.lost.Drop(t.SchemaAt)
		}
	default:
		e.value(t.Schema)
	}
	e.raw("}}")
}

// freeText emulates a tool that takes free text by one of a single string. Its
// grammar can only be told to the model.
func (e *encoder) freeText(t *transform.Tool) {
	e.raw(`{"type":"object","properties":{"input":{"type":"string"`)
	if t.Grammar != nil {
		e.lost.Drop(t.At.Key("format"))
		grammar := t.Grammar
		if inner := grammar.Get("grammar"); inner.Kind() == jsonbytes.Object {
			grammar = inner
		}
		if definition := said(grammar.Get("definition")); definition != nil {
			e.raw(`,"description":"Must follow this grammar:\n`)
			e.value(definition[1:])
		}
	}
	e.raw(`}},"required":["input"]}`)
}

// strict tells whether calls can be held to the tools' schemas: it is for all
// tools of a request or for none, and each must have arguments. Tools that
// wanted it in vain are reported.
func (e *encoder) strict() bool {
	if e.extra.strict != nil {
		on, _ := e.extra.strict.Bool()
		return on
	}
	fields, possible := 0, true
	for _, t := range e.tools {
		switch {
		case t.Custom:
			fields++
		case t.Schema.Get("properties").Len() == 0:
			possible = false
		default:
			_, _, n := strictSchema(t.Schema)
			fields += n
		}
	}
	possible = possible && fields <= maxStrictFields
	wanted := false
	for _, t := range e.tools {
		if t.Strict == nil || !*t.Strict {
			continue
		}
		wanted = true
		if !possible {
			e.lost.Drop(t.StrictAt)
		}
	}
	return wanted && possible
}
