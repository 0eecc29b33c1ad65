package ollama

import (
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
		if choice.Mode == transform.ToolsNone || !choice.Allows(tool.Name) {
			continue
		}
		if written++; written == 1 {
			e.Key("tools")
			e.Raw("[")
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
	e.Raw("]")
	if must {
		e.drop("tool_choice")
	}
	if e.r.ParallelTools != nil && !*e.r.ParallelTools {
		e.drop("parallel_tool_calls")
	}
}

func (e *encoder) tool(t *transform.Tool) {
	e.lost.DropMark(t.Cache)
	if t.Strict != nil && *t.Strict {
		e.lost.Drop(t.StrictAt)
	}
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
	default:
		e.Value(t.Schema)
	}
	e.Raw("}}")
}
