package cohere

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// strictSchema writes a schema in the subset that the API can hold a model to.
// Alternatives become anyOf, the anchors around a pattern go, and of every object
// one property is required: what such a schema admits, the original admits too.
// Ranges, lengths and other constraints are left out, and exact is false then.
// fields is how many properties there are.
// https://docs.cohere.com/docs/structured-outputs
func strictSchema(schema jsonbytes.Value) (text []byte, exact bool, fields int) {
	w := schemaWriter{}
	w.schema(schema, 0)
	return w.Out, !w.lossy, w.fields
}

// isObject tells whether a schema admits objects, which its root must.
func isObject(schema jsonbytes.Value) bool {
	kind := schema.Get("type")
	return kind.Is("object") || kind == nil && schema.Get("properties").Kind() == jsonbytes.Object
}

// deepestSchema bounds the recursion; what is deeper is left out.
const deepestSchema = 64

type schemaWriter struct {
	jsonbytes.Writer
	lossy  bool
	fields int
}

func (w *schemaWriter) schema(v jsonbytes.Value, depth int) {
	if v.Kind() != jsonbytes.Object || depth > deepestSchema {
		w.lossy = w.lossy || depth > deepestSchema
		w.Raw("{}")
		return
	}
	w.Raw("{")
	for key, value := range v.Members() {
		w.member(v, string(key), value, depth)
	}
	properties := v.Get("properties")
	if properties.Kind() == jsonbytes.Object && v.Get("type") == nil {
		w.Key("type")
		w.Raw(`"object"`)
	}
	if v.Get("required").Len() == 0 {
		for name := range properties.Members() {
			w.Key("required")
			w.Out = append(jsonbytes.AppendBytes(append(w.Out, '['), name), ']')
			break
		}
	}
	w.Raw("}")
}

// member writes a keyword, with the schemas inside it.
func (w *schemaWriter) member(schema jsonbytes.Value, name string, v jsonbytes.Value, depth int) {
	switch name {
	case "type", "enum", "const", "$ref", "title", "description", "default":
		w.Key(name)
		w.Value(v)
	case "required":
		if v.Len() > 0 {
			w.Key(name)
			w.Value(v)
		}
	case "properties", "$defs", "definitions":
		w.Key(name)
		w.schemas(v, depth, name == "properties")
	case "items":
		if v.Kind() == jsonbytes.Object {
			w.Key(name)
			w.schema(v, depth+1)
		}
	case "additionalProperties":
		w.Key(name)
		if v.Kind() == jsonbytes.Object {
			w.schema(v, depth+1)
		} else {
			w.Value(v)
		}
	case "anyOf", "oneOf", "allOf":
		w.alternatives(schema, name, v, depth)
	case "pattern":
		w.pattern(v)
	case "format":
		if v.Is("date-time") || v.Is("date") || v.Is("time") || v.Is("uuid") {
			w.Key(name)
			w.Value(v)
		} else {
			w.lossy = true
		}
	case "$schema", "$id", "$comment", "examples", "deprecated", "readOnly", "writeOnly", "strict":
	default:
		w.lossy = true
	}
}

func (w *schemaWriter) schemas(v jsonbytes.Value, depth int, properties bool) {
	w.Raw("{")
	for key, value := range v.Members() {
		w.Key(string(key))
		w.schema(value, depth+1)
		if properties {
			w.fields++
		}
	}
	w.Raw("}")
}

// alternatives writes anyOf, and as such what means the same or more: oneOf,
// and allOf of one.
func (w *schemaWriter) alternatives(schema jsonbytes.Value, name string, v jsonbytes.Value, depth int) {
	if name != "anyOf" && schema.Get("anyOf") != nil || name == "allOf" && (v.Len() != 1 || schema.Get("oneOf") != nil) {
		w.lossy = true
		return
	}
	w.Key("anyOf")
	w.Raw("[")
	for i, alternative := range v.Elements() {
		if i > 0 {
			w.Raw(",")
		}
		w.schema(alternative, depth+1)
	}
	w.Raw("]")
}

// pattern writes a regular expression without the anchors at its ends. Other
// anchors and lookaheads are not supported.
func (w *schemaWriter) pattern(v jsonbytes.Value) {
	text := v.AppendText(nil)
	begins, ends := bytes.HasPrefix(text, []byte("^")), bytes.HasSuffix(text, []byte("$")) && !bytes.HasSuffix(text, []byte(`\$`))
	if begins && ends && !bytes.ContainsAny(text, "|") {
		text = text[1 : len(text)-1]
	}
	plain := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte(`\$`), nil), []byte("[^"), nil)
	if len(text) == 0 || bytes.ContainsAny(plain, "^$") || bytes.Contains(plain, []byte("?=")) || bytes.Contains(plain, []byte("?!")) {
		w.lossy = true
		return
	}
	w.Key("pattern")
	w.Bytes(text)
}
