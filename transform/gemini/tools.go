package gemini

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// declarations writes tools.
func (e *encoder) declarations() {
	e.nested("tools", "[]", func() {
		if len(e.r.Tools) > 0 {
			e.Raw(`{"functionDeclarations":[`)
			for i := range e.r.Tools {
				e.tool(&e.r.Tools[i])
			}
			e.Raw("]}")
		}
		if e.extra.search {
			e.Comma()
			e.Raw(`{"googleSearch":{}}`)
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
	e.lost.DropMark(t.Cache)
	e.Comma()
	e.Raw(`{"name":`)
	e.String(t.Name)
	if t.Description.HasText() && t.Description.Kind() == jsonbytes.String {
		e.Key("description")
		e.Value(t.Description)
	}
	switch {
	case t.Custom:
		e.Key("parametersJsonSchema")
		e.Value(t.FreeTextSchema(e.lost))
	case takesArguments(t.Schema):
		e.Key("parametersJsonSchema")
		e.schema(t.Schema, t.SchemaAt)
	}
	e.Raw("}")
}

// schema writes a schema and reports it if something had to be left out.
func (e *encoder) schema(v jsonbytes.Value, at transform.Path) {
	var exact bool
	if e.Out, exact = appendSchema(e.Out, v); !exact {
		e.lost.Drop(at)
	}
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
		e.Raw(`"mode":"` + mode + `"`)
		e.nested("allowedFunctionNames", "[]", func() {
			for _, name := range allowed {
				e.Comma()
				e.String(name)
			}
		})
	})
	if e.extra.search && !e.vertex {
		e.Key("includeServerSideToolInvocations")
		e.Raw("true")
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
