package cohere

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func (e *encoder) wantsJSON() bool {
	kind := e.r.Output.Kind
	return kind == transform.OutputJSON || kind == transform.OutputSchema
}

// output writes the form that the text must have. The API has none for answers
// that may call tools or cite documents.
func (e *encoder) output() {
	if !e.wantsJSON() {
		return
	}
	if len(e.tools) > 0 || e.extra.documents.Len() > 0 {
		e.refuse("response_format")
		return
	}
	out := &e.r.Output
	e.Key("response_format")
	e.Raw(`{"type":"json_object"`)
	if out.Kind == transform.OutputSchema && out.Schema.Kind() == jsonbytes.Object {
		e.schema(out)
	}
	e.Raw("}")
}

func (e *encoder) schema(out *transform.Output) {
	if !isObject(out.Schema) {
		e.lost.Refuse(out.SchemaAt)
		return
	}
	text, exact, _ := strictSchema(out.Schema)
	e.Key("json_schema")
	e.Value(text)
	if !exact {
		e.lost.Drop(out.SchemaAt)
	}
	if out.Description.HasText() {
		e.lost.Drop(out.DescriptionAt)
	}
}
