package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// own is the place for what the client says in this format's own words.
func (d *requestDecoder) own() *transform.Thinking {
	if d.r.Reasoning.Thinking == nil {
		d.r.Reasoning.Thinking = new(transform.Thinking)
	}
	return d.r.Reasoning.Thinking
}

// thinking reads {type, budget_tokens, display}.
func (d *requestDecoder) thinking(v jsonbytes.Value, at transform.Path) error {
	if err := object(v, at); err != nil {
		return err
	}
	kind, err := stringOf(v.Get("type"), at.Key("type"))
	if err != nil {
		return err
	}
	switch kind {
	case "enabled", "adaptive", "disabled", "between_tools":
	default:
		d.lost.Drop(at) // of tomorrow: better an answer without than none
		return nil
	}
	own := d.own()
	own.Type = kind
	budget := int64(0)
	err = d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch {
		case name == "type":
		case name == "budget_tokens" && kind == "enabled":
			budget, err = positiveOf(v, at)
		case name == "display" && kind != "disabled":
			own.Display, err = stringOf(v, at)
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil || kind != "enabled" {
		return err
	}
	if budget < minBudget {
		return invalid(at.Key("budget_tokens"), "must be given and at least 1024")
	}
	d.r.Reasoning.Budget = budget
	return nil
}

// outputConfig reads {effort, format}.
func (d *requestDecoder) outputConfig(v jsonbytes.Value, at transform.Path) error {
	return d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch name {
		case "effort":
			d.own().Effort, err = stringOf(v, at)
		case "format":
			d.format = true
			err = d.outputFormat(v, at)
		default:
			return false, nil
		}
		return true, err
	})
}

// settleReasoning says what was said in the words of all formats.
func settleReasoning(req *transform.Request) {
	r := &req.Reasoning
	own := r.Thinking
	if own == nil {
		return
	}
	r.Effort = own.Effort
	if own.Effort != "" && own.Type != "disabled" {
		at := root.Key("output_config")
		req.Say("reasoning_effort", at.Key("effort"))
	} else {
		req.Say("reasoning_effort", root.Key("thinking"))
	}
	switch own.Type {
	case "disabled":
		r.Effort = "none"
	case "enabled", "adaptive":
		r.Summary = own.Display != "omitted"
	}
}

// outputFormat reads {type: "json_schema", schema}.
func (d *requestDecoder) outputFormat(v jsonbytes.Value, at transform.Path) error {
	out := transform.Output{Kind: transform.OutputSchema}
	d.r.Say("response_format", at)
	err := d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (bool, error) {
		switch name {
		case "type":
			if !v.Is("json_schema") {
				return true, wrongType(at, "json_schema")
			}
		case "schema":
			if v.Kind() != jsonbytes.Object {
				return true, wrongType(at, "a JSON Schema, which is an object")
			}
			out.Schema, out.SchemaAt = v, at
		default:
			return false, nil
		}
		return true, nil
	})
	switch {
	case err != nil:
		return err
	case v.Get("type").Empty():
		return missing(at.Key("type"))
	case out.Schema == nil:
		return missing(at.Key("schema"))
	}
	if strictable(out.Schema, 0) {
		out.Strict = new(bool)
		*out.Strict = true
	}
	d.r.Output = out
	return nil
}

// strictable tells whether a schema is one that OpenAI accepts as strict too:
// this format holds every schema to its letter, OpenAI only those that name all
// properties, require them and use few words.
// https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
func strictable(schema jsonbytes.Value, depth int) bool {
	if schema.Kind() != jsonbytes.Object || depth > maxSchemaDepth {
		return false
	}
	properties, required, closed := 0, 0, false
	for name, v := range schema.Members() {
		ok := true
		switch string(name) {
		case "type", "enum", "const", "title", "description", "$ref":
		case "additionalProperties":
			closed = string(v) == "false"
		case "required":
			required = v.Len()
		case "properties":
			properties = v.Len()
			ok = eachStrictable(v, depth)
		case "$defs", "definitions":
			ok = eachStrictable(v, depth)
		case "items":
			ok = strictable(v, depth+1)
		case "anyOf":
			for _, e := range v.Elements() {
				ok = ok && strictable(e, depth+1)
			}
		default:
			return false
		}
		if !ok {
			return false
		}
	}
	return required == properties && (closed || properties == 0 && !schema.Get("type").Is("object"))
}

func eachStrictable(schemas jsonbytes.Value, depth int) bool {
	for _, v := range schemas.Members() {
		if !strictable(v, depth+1) {
			return false
		}
	}
	return true
}
