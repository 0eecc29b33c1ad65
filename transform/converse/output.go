package converse

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// planOutput decides how to get an answer in the client's schema: as
// outputConfig.textFormat from models that have it; by a tool that the model
// must call, which the Messages codec arranges, from those that can be forced
// to; in words from all others.
func (e *encoder) planOutput(stub *transform.Request) {
	out := &e.r.Output
	if out.Kind != transform.OutputSchema || out.Schema.Kind() != jsonbytes.Object || e.family.claude {
		return
	}
	mode := e.r.ToolChoice.Mode
	strict := out.Strict != nil && *out.Strict
	switch {
	case e.family.schemas && (strict || string(out.Schema.Get("additionalProperties")) == "false"):
		e.parameters.constrained = true
		e.parameters.textFormat = appendTextFormat(nil, out)
	case mode == transform.ToolsRequired || mode == transform.ToolsNamed || e.family.forced != forceNone:
		return
	default:
		if format := e.r.At("response_format"); strict {
			e.lost.Refuse(format)
		} else {
			e.lost.Drop(format)
		}
		compact := jsonbytes.AppendCompact(nil, out.Schema)
		e.Instruct(transform.Quote(
			"Answer with one JSON value and nothing else: no introduction, no code fence, no comment. " +
				"It must be valid against this JSON Schema: " + string(compact)))
	}
	stub.Output = transform.Output{}
}

// appendTextFormat writes the schema as the string that it is there.
func appendTextFormat(dst []byte, out *transform.Output) []byte {
	dst = append(dst, `{"type":"json_schema","structure":{"jsonSchema":{"schema":`...)
	dst = jsonbytes.AppendBytes(dst, jsonbytes.AppendCompact(nil, out.Schema))
	if out.Name != "" {
		dst = append(dst, `,"name":"`...)
		dst = append(dst, blocks.CleanName(out.Name, maxName)...)
		dst = append(dst, '"')
	}
	if !out.Description.Blank() {
		dst = append(dst, `,"description":`...)
		dst = append(dst, out.Description...)
	}
	return append(dst, `}}}`...)
}
