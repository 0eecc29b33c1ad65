package openai

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// output writes response_format.
func (e *requestEncoder) output() {
	out := &e.r.Output
	switch {
	case out.Kind != transform.OutputJSON && out.Kind != transform.OutputSchema:
	case !e.takes("response_format"):
		e.refuse("response_format")
	case out.Kind == transform.OutputJSON && e.p.NoJSONObject:
		e.Raw(`,"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}}`)
	case e.p.Schema == SchemaValue:
		e.Raw(`,"response_format":{"type":"json_object","value":`)
		if out.Schema == nil {
			e.Raw(`{"type":"object"}`)
		} else {
			e.Value(out.Schema)
		}
		e.Raw(`}`)
	case out.Kind == transform.OutputJSON, e.p.Schema == SchemaObject:
		e.Raw(`,"response_format":{"type":"json_object"}`)
		if out.Kind == transform.OutputSchema {
			e.drop("response_format") // the prompt only asks for what the schema would force
		}
	default:
		e.schema(out)
	}
}

func (e *requestEncoder) schema(out *transform.Output) {
	e.Raw(`,"response_format":{"type":"json_schema","json_schema":{"name":`)
	name := out.Name
	if name == "" {
		name = "response"
	}
	e.String(name)
	e.Member("description", out.Description)
	e.Member("schema", out.Schema)
	if out.Strict != nil {
		e.Key("strict")
		e.Bool(*out.Strict)
	}
	e.Raw(`}}`)
}

// instruction is what the prompt must say beside the client's words: a schema
// that response_format cannot take, or the word JSON, without which OpenAI and
// others refuse json_object. Nil: nothing.
func (e *requestEncoder) instruction() transform.Literal {
	out := &e.r.Output
	switch {
	case !e.takes("response_format"):
	case out.Kind == transform.OutputSchema && e.p.Schema == SchemaObject && out.Schema != nil:
		text := append([]byte("Answer with a JSON object that matches this JSON Schema, and nothing else: "), out.Schema...)
		return jsonbytes.AppendBytes(nil, text)
	case out.Kind == transform.OutputSchema && e.p.Schema == SchemaObject,
		out.Kind == transform.OutputJSON && !e.p.NoJSONObject && e.p.Schema != SchemaValue && !e.speaksOfJSON():
		return transform.Quote("Answer with a JSON object and nothing else.")
	}
	return nil
}

func (e *requestEncoder) speaksOfJSON() bool {
	for i := range e.r.Turns {
		for j := range e.r.Turns[i].Parts {
			text := e.r.Turns[i].Parts[j].Text
			if bytes.Contains(text, []byte("json")) || bytes.Contains(text, []byte("JSON")) || bytes.Contains(text, []byte("Json")) {
				return true
			}
		}
	}
	return false
}
