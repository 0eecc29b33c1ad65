package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// declarations writes tools.
func (e *encoder) declarations() {
	e.nested("tools", "[]", func() {
		if len(e.r.Tools) > 0 {
			e.raw(`{"functionDeclarations":[`)
			for i := range e.r.Tools {
				e.tool(&e.r.Tools[i])
			}
			e.raw("]}")
		}
		if e.extra.search {
			e.comma()
			e.raw(`{"googleSearch":{}}`)
		}
	})
}

// tools writes tools and toolConfig.
func (e *encoder) tools() {
	e.declarations()
	if e.r.ParallelTools != nil && !*e.r.ParallelTools {
		e.drop("parallel_tool_calls")
	}
	if len(e.r.Tools) == 0 {
		if mode := e.r.ToolChoice.Mode; mode == transform.ToolsRequired || mode == transform.ToolsNamed {
			e.refuse("tool_choice")
		}
		return
	}
	e.nested("toolConfig", "{}", e.toolConfig)
}

func (e *encoder) tool(t *transform.Tool) {
	if t.Cache != nil {
		e.lost.Drop(t.Cache.At)
	}
	e.comma()
	e.raw(`{"name":`)
	e.string(t.Name)
	if !empty(t.Description) && t.Description.Kind() == jsonbytes.String {
		e.raw(`,"description":`)
		e.value(t.Description)
	}
	switch {
	case t.Custom:
		e.freeText(t)
	case takesArguments(t.Schema):
		e.raw(`,"parametersJsonSchema":`)
		e.schema(t.Schema, t.SchemaAt)
	}
	e.raw("}")
}

// schema writes a schema and reports it if something had to be left out.
func (e *encoder) schema(v jsonbytes.Value, at transform.Path) {
	var exact bool
	if e.dst, exact = appendSchema(e.dst, v); !exact {
		e.lost.Drop(at)
	}
}

// freeText emulates a tool that takes free text by one of a single string. Its
// grammar can only be told to the model.
func (e *encoder) freeText(t *transform.Tool) {
	e.raw(`,"parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string"`)
	if t.Grammar != nil {
		e.lost.Drop(t.At.Key("format"))
		grammar := t.Grammar
		if inner := grammar.Get("grammar"); inner.Kind() == jsonbytes.Object {
			grammar = inner
		}
		if definition := grammar.Get("definition"); definition.Kind() == jsonbytes.String {
			e.raw(`,"description":"Must follow this grammar:\n`)
			e.value(definition[1:])
		}
	}
	e.raw(`}},"required":["input"]}`)
}

// takesArguments tells whether a schema says anything: Gemini wants none for
// a tool without arguments.
func takesArguments(schema jsonbytes.Value) bool {
	for key, value := range schema.Members() {
		switch string(key) {
		case "type", "required", "$schema", "title", "description", "strict":
		case "additionalProperties":
			if value.Kind() == jsonbytes.Object {
				return true
			}
		case "properties":
			if value.Len() > 0 {
				return true
			}
		default:
			return true
		}
	}
	return false
}

func (e *encoder) toolConfig() {
	mode, allowed := e.toolMode()
	e.nested("functionCallingConfig", "{}", func() {
		if mode == "" {
			return
		}
		e.raw(`"mode":"` + mode + `"`)
		e.nested("allowedFunctionNames", "[]", func() {
			for _, name := range allowed {
				e.comma()
				e.string(name)
			}
		})
	})
	if e.extra.search && !e.vertex {
		e.key("includeServerSideToolInvocations")
		e.raw("true")
	}
}

// toolMode is how free the model is, and among which tools. VALIDATED is AUTO
// with arguments that keep to the schema; unlike AUTO it can be narrowed, and
// it is what the Gemini API wants beside its own search.
func (e *encoder) toolMode() (mode string, allowed []string) {
	choice := &e.r.ToolChoice
	switch choice.Mode {
	case transform.ToolsNone:
		return "NONE", nil
	case transform.ToolsNamed:
		return "ANY", []string{choice.Name}
	case transform.ToolsRequired:
		return "ANY", choice.Allowed
	}
	switch {
	case choice.Mode == transform.ToolsAuto && choice.Allowed != nil:
		if len(choice.Allowed) == 0 {
			return "NONE", nil
		}
		return "VALIDATED", choice.Allowed
	case e.strict(), e.extra.search && !e.vertex:
		return "VALIDATED", nil
	case choice.Mode == transform.ToolsAuto:
		return "AUTO", nil
	}
	return "", nil
}

// strict tells whether some tool's arguments must keep to its schema.
func (e *encoder) strict() bool {
	for i := range e.r.Tools {
		if strict := e.r.Tools[i].Strict; strict != nil && *strict {
			return true
		}
	}
	return false
}
