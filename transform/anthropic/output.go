package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// output is how the form of the answer is asked for: at most one of native,
// answer and instruction is set.
type output struct {
	// native is the schema of output_config.format, with so many optional
	// properties in it.
	native   []byte
	optional int
	// answer is the input schema of the tool that stands for the answer.
	answer []byte
	// instruction tells the model in words.
	instruction transform.Literal
}

// constrained tells whether the model cannot write what it likes.
func (o *output) constrained() bool { return o.native != nil || o.answer != nil }

var jsonInstruction = transform.Quote("Answer with one JSON object and nothing else: no introduction, no code fence, no comment.")

// planOutput decides how to get the form of output that the client wants.
func (e *encoder) planOutput() error {
	out := &e.r.Output
	switch out.Kind {
	case transform.OutputJSON:
		e.instruct(jsonInstruction)
	case transform.OutputSchema:
		if out.Schema.Empty() {
			e.instruct(jsonInstruction)
			return nil
		}
		if out.Schema.Kind() != jsonbytes.Object {
			return badRequest("response_format", "the schema of the response format must be a JSON object")
		}
		e.planSchema(out)
	}
	return nil
}

// planSchema prefers the API's own way; then a tool that the model must call,
// whose input is the answer; and words where neither is possible.
func (e *encoder) planSchema(out *transform.Output) {
	if e.model.Schemas && !(e.cloud && e.model.ForcedTools) {
		schema, optional, ok := nativeSchema(out.Schema, out.Description)
		if ok && optional <= maxOptional {
			e.output.native, e.output.optional = schema, optional
			return
		}
	}
	mode := e.r.ToolChoice.Mode
	if mode == transform.ToolsRequired || mode == transform.ToolsNamed {
		// The answer will be a call of the client's own tool.
		return
	}
	if e.model.ForcedTools && hasRootObject(out.Schema) {
		schema, condition, ok := toolSchema(out.Schema)
		if ok && condition == nil {
			e.output.answer = schema
			return
		}
	}
	format := e.r.At("response_format")
	if out.Strict != nil && *out.Strict {
		e.lost.Refuse(format)
	} else {
		e.lost.Drop(format)
	}
	e.instruct(schemaInstruction(out.Schema))
}

// instruct adds a text behind the client's system texts, where it does not
// disturb the cache of the prompt before it.
func (e *encoder) instruct(text transform.Literal) {
	e.output.instruction = text
	e.Instruct(text)
}

func schemaInstruction(schema jsonbytes.Value) transform.Literal {
	compact := jsonbytes.AppendCompact(nil, schema)
	return transform.Quote("Answer with one JSON value and nothing else: no introduction, no code fence, no comment. " +
		"It must be valid against this JSON Schema: " + string(compact))
}

// answerDescription describes the tool that stands for the answer.
func answerDescription(description transform.Literal) transform.Literal {
	return jsonbytes.Join(`\n\n`, description,
		transform.Quote("Gives the answer to the user. Call it once, with the complete answer as its input."))
}

// writeOutputConfig writes the member that holds both the effort and the format.
func (e *encoder) writeOutputConfig() {
	if e.thinking.effort == "" && e.output.native == nil {
		return
	}
	e.Key("output_config")
	e.Raw("{")
	if e.thinking.effort != "" {
		e.Text("effort", e.thinking.effort)
	}
	if e.output.native != nil {
		e.Key("format")
		e.Raw(`{"type":"json_schema","schema":`)
		e.Value(e.output.native)
		e.Raw("}")
	}
	e.Raw("}")
}
