// Package testplaces gives requests that tests write by hand the places that a
// decoder would have given them.
package testplaces

import "github.com/caddyllm/llmproxy/transform"

// Fill gives what has no place one inside of what it belongs to.
func Fill(r *transform.Request) {
	for i := range r.Turns {
		turn := &r.Turns[i]
		inside(&turn.CallAt, turn.At, "tool_call_id")
		for j := range turn.Parts {
			part := &turn.Parts[j]
			inside(&part.Opaque.At, part.At, "signature")
			inside(&part.Media.DetailAt, part.At, "detail")
			inside(&part.Media.NameAt, part.At, "filename")
			mark(&part.Cache, part.At)
		}
	}
	for i := range r.Tools {
		tool := &r.Tools[i]
		inside(&tool.SchemaAt, tool.At, "parameters")
		if tool.Strict != nil {
			inside(&tool.StrictAt, tool.At, "strict")
		}
		mark(&tool.Cache, tool.At)
	}
	format := r.At("response_format")
	schema := format.Key("json_schema")
	inside(&r.Output.SchemaAt, schema, "schema")
	inside(&r.Output.DescriptionAt, schema, "description")
}

func inside(at *transform.Path, owner transform.Path, name string) {
	if *at == (transform.Path{}) {
		*at = owner.Key(name)
	}
}

func mark(mark **transform.CacheMark, owner transform.Path) {
	if *mark != nil {
		own := **mark // which others may share
		inside(&own.At, owner, "cache_control")
		*mark = &own
	}
}
