package ollama

import (
	"slices"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// tools writes the tools that the model may call. The server knows no choice
// but the list itself: none must be called, and the one that must can only be
// the only one there is.
func (e *encoder) tools() {
	choice := &e.r.ToolChoice
	written := 0
	for i := range e.r.Tools {
		tool := &e.r.Tools[i]
		if !allowed(choice, tool.Name) {
			continue
		}
		if written++; written == 1 {
			e.key("tools")
			e.raw("[")
		}
		e.tool(tool)
	}
	must := choice.Mode == transform.ToolsRequired || choice.Mode == transform.ToolsNamed
	if written == 0 {
		if must {
			e.refuse("tool_choice")
		}
		return
	}
	e.raw("]")
	if must {
		e.drop("tool_choice")
	}
	if e.r.ParallelTools != nil && !*e.r.ParallelTools {
		e.drop("parallel_tool_calls")
	}
}

func allowed(choice *transform.ToolChoice, name string) bool {
	switch choice.Mode {
	case transform.ToolsNone:
		return false
	case transform.ToolsNamed:
		return name == choice.Name
	case transform.ToolsRequired, transform.ToolsAuto:
		return choice.Allowed == nil || slices.Contains(choice.Allowed, name)
	}
	return true
}

func (e *encoder) tool(t *transform.Tool) {
	if t.Cache != nil {
		e.lost.Drop(t.Cache.At)
	}
	if t.Strict != nil && *t.Strict {
		e.lost.Drop(t.StrictAt)
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
