package gemini

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// appendSchema writes a JSON Schema for parametersJsonSchema or
// responseJsonSchema. These ignore most of what they do not know, but for a few
// things that are refused or silently change the meaning, and that can be said
// otherwise:
//
//   - $ref beside anything but names that begin with $ ("can only contain
//     properties starting with '$' when $ref is present"): the reference goes
//     into an anyOf of its own;
//   - definitions, and references to them ("reference to undefined schema"):
//     they are called $defs;
//   - const of a string or a number: it is an enum of one;
//   - allOf of one schema: it is an anyOf of one.
//
// What needs none of this is copied as it is. exact is false where something
// had to be left out.
func appendSchema(dst []byte, schema jsonbytes.Value) (out []byte, exact bool) {
	if !needsRewriting(schema) {
		return append(dst, schema...), true
	}
	r := schemaRewriter{Writer: jsonbytes.Writer{Out: dst}, defs: schema.Get("$defs") == nil && schema.Get("definitions") != nil}
	r.schema(schema, 0)
	return r.Out, !r.lossy
}

func needsRewriting(schema jsonbytes.Value) bool {
	for _, word := range [...]string{`"$ref"`, `"definitions"`, `"const"`, `"allOf"`} {
		if bytes.Contains(schema, []byte(word)) {
			return true
		}
	}
	return false
}

// deepestSchema bounds the recursion; what is deeper is copied as it is.
const deepestSchema = 128

type schemaRewriter struct {
	jsonbytes.Writer
	// defs tells that the root's definitions become $defs.
	defs bool
	// lossy tells that something was left out.
	lossy bool
}

func (r *schemaRewriter) schema(v jsonbytes.Value, depth int) {
	if v.Kind() != jsonbytes.Object || depth > deepestSchema {
		r.Value(v)
		return
	}
	siblings := v.Get("$ref") != nil && r.hasSiblings(v, depth)
	wrap := siblings && v.Get("anyOf") == nil && v.Get("allOf") == nil
	r.Raw("{")
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		switch {
		case name == "$ref" && wrap:
			r.Key("anyOf")
			r.Raw(`[{"$ref":`)
			r.reference(value)
			r.Raw("}]")
		case name == "$ref":
			r.Key(name)
			r.reference(value)
		case siblings && !wrap && !r.dollar(name, depth):
			r.lossy = true // both a reference and alternatives: no way to say it
		default:
			r.member(v, name, value, depth)
		}
	}
	r.Raw("}")
}

func (r *schemaRewriter) hasSiblings(v jsonbytes.Value, depth int) bool {
	for key := range v.Members() {
		if !r.dollar(string(key), depth) {
			return true
		}
	}
	return false
}

// dollar tells whether a keyword may stand beside a reference.
func (r *schemaRewriter) dollar(name string, depth int) bool {
	return len(name) > 0 && name[0] == '$' || name == "definitions" && depth == 0 && r.defs
}

// member writes a keyword, with the schemas inside it.
func (r *schemaRewriter) member(schema jsonbytes.Value, name string, v jsonbytes.Value, depth int) {
	switch name {
	case "definitions":
		if r.defs && depth == 0 {
			name = "$defs"
		}
		fallthrough
	case "properties", "$defs", "patternProperties", "dependentSchemas":
		r.Key(name)
		r.schemas(v, depth)
	case "items", "additionalProperties", "prefixItems", "anyOf", "oneOf", "not", "if", "then", "else", "contains", "propertyNames":
		r.Key(name)
		r.oneOrMore(v, depth)
	case "allOf":
		if v.Len() == 1 && schema.Get("anyOf") == nil {
			name = "anyOf"
		}
		r.Key(name)
		r.oneOrMore(v, depth)
	case "const":
		if kind := v.Kind(); (kind == jsonbytes.String || kind == jsonbytes.Number) && schema.Get("enum") == nil {
			r.Key("enum")
			r.Out = append(append(append(r.Out, '['), v...), ']')
			return
		}
		fallthrough
	default:
		r.Key(name)
		r.Value(v)
	}
}

// schemas writes an object whose members are schemas.
func (r *schemaRewriter) schemas(v jsonbytes.Value, depth int) {
	if v.Kind() != jsonbytes.Object {
		r.Value(v)
		return
	}
	r.Raw("{")
	for key, value := range v.Members() {
		r.Key(string(key))
		r.schema(value, depth+1)
	}
	r.Raw("}")
}

// oneOrMore writes a schema or an array of them.
func (r *schemaRewriter) oneOrMore(v jsonbytes.Value, depth int) {
	if v.Kind() != jsonbytes.Array {
		r.schema(v, depth+1)
		return
	}
	r.Raw("[")
	for i, value := range v.Elements() {
		if i > 0 {
			r.Raw(",")
		}
		r.schema(value, depth+1)
	}
	r.Raw("]")
}

func (r *schemaRewriter) reference(v jsonbytes.Value) {
	const old, new = "#/definitions/", "#/$defs/"
	if text, ok := v.Text(); ok && r.defs && len(text) > len(old) && text[:len(old)] == old {
		r.String(new + text[len(old):])
		return
	}
	r.Value(v)
}
