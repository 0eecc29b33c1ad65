package cohere

import (
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
		if tool := &e.r.Tools[i]; choice.Allows(tool.Name) {
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

func (e *encoder) writeTools() {
	if len(e.tools) == 0 {
		return
	}
	strict := e.strict()
	e.Key("tools")
	e.Raw("[")
	for _, tool := range e.tools {
		e.tool(tool, strict)
	}
	e.Raw("]")
	switch {
	case e.extra.strict != nil:
		e.Key("strict_tools")
		e.Value(e.extra.strict)
	case strict:
		e.Key("strict_tools")
		e.Raw("true")
	}
	switch e.r.ToolChoice.Mode {
	case transform.ToolsRequired, transform.ToolsNamed:
		e.Key("tool_choice")
		e.Raw(`"REQUIRED"`)
	case transform.ToolsNone:
		e.Key("tool_choice")
		e.Raw(`"NONE"`)
	}
}

func (e *encoder) tool(t *transform.Tool, strict bool) {
	e.lost.DropMark(t.Cache)
	e.Comma()
	e.Raw(`{"type":"function","function":{"name":`)
	e.String(t.Name)
	if t.Description.HasText() {
		e.Key("description")
		e.Value(t.Description)
	}
	e.Key("parameters")
	switch {
	case t.Custom:
		e.Value(t.FreeTextSchema(e.lost))
	case t.Schema.Kind() != jsonbytes.Object:
		e.Raw(`{"type":"object","properties":{}}`)
	case strict:
		text, exact, _ := strictSchema(t.Schema)
		e.Value(text)
		if !exact {
			e.lost.Drop(t.SchemaAt)
		}
	default:
		e.Value(t.Schema)
	}
	e.Raw("}}")
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
