package gemini

import (
	"bytes"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// jsonSchema turns Google's Schema into JSON Schema: types in small letters,
// nullable as a type, numbers out of strings, properties in the order that
// propertyOrdering wants. What is not of Schema is JSON Schema already and
// stays. https://ai.google.dev/api/caching#Schema
func jsonSchema(v jsonbytes.Value) jsonbytes.Value {
	w := schemaWriter{jsonbytes.Writer{Out: make([]byte, 0, len(v)+len(v)/8)}}
	w.schema(v, 0)
	return w.Out
}

type schemaWriter struct{ jsonbytes.Writer }

func (w *schemaWriter) value(v jsonbytes.Value) { w.Compact(v) }

// facts are what a schema's members say about each other.
type facts struct {
	nullable, typed, numeric bool
	order                    jsonbytes.Value
}

func factsOf(v jsonbytes.Value) (f facts) {
	for key, value := range v.Members() {
		switch camel(string(key)) {
		case "nullable":
			f.nullable, _ = value.Bool()
		case "type":
			value = typeWord(value)
			f.typed = !value.Empty() && !value.Is("type_unspecified")
			f.numeric = value.Is("integer") || value.Is("number")
		case "propertyOrdering":
			f.order = value
		}
	}
	return f
}

func (w *schemaWriter) schema(v jsonbytes.Value, depth int) {
	if v.Kind() != jsonbytes.Object || depth > deepestSchema {
		w.value(v)
		return
	}
	f := factsOf(v)
	w.Raw("{")
	for key, value := range v.Members() {
		w.member(string(key), value, &f, depth)
	}
	w.Raw("}")
}

func (w *schemaWriter) member(key string, v jsonbytes.Value, f *facts, depth int) {
	name := camel(key)
	if v.IsNull() && name != "default" && name != "example" {
		return
	}
	switch name {
	case "nullable", "propertyOrdering":
	case "type":
		w.kind(v, f)
	case "format":
		if !v.Is("enum") {
			w.Key(name)
			w.value(v)
		}
	case "enum":
		w.enum(v, f)
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties", "minimum", "maximum":
		w.Key(name)
		if n := wholeNumber(v); jsonbytes.Check(n, 1) == nil {
			v = n
		}
		w.value(v)
	case "properties":
		w.Key(name)
		w.properties(v, f.order, depth)
	case "defs", "$defs", "definitions":
		if name == "defs" {
			name = "$defs"
		}
		w.Key(name)
		w.properties(v, nil, depth)
	case "ref":
		w.Key("$ref")
		w.value(v)
	case "items", "additionalProperties", "not":
		w.Key(name)
		w.schema(v, depth+1)
	case "anyOf", "oneOf", "allOf", "prefixItems":
		w.Key(name)
		w.list(v, name == "anyOf" && f.nullable && !f.typed, depth)
	case "example":
		w.Key("examples")
		w.Raw("[")
		w.value(v)
		w.Raw("]")
	default:
		w.Key(key)
		w.value(v)
	}
}

// typeWord is a type in small letters.
func typeWord(v jsonbytes.Value) jsonbytes.Value {
	if n, ok := v.Int(); ok && n >= 0 && n < int64(len(schemaTypes)) {
		v = jsonbytes.AppendString(nil, schemaTypes[n])
	}
	return bytes.ToLower(v)
}

// kind writes the type, with null if that may be too.
func (w *schemaWriter) kind(v jsonbytes.Value, f *facts) {
	if !f.typed {
		return
	}
	w.Key("type")
	v = typeWord(v)
	switch {
	case v.Kind() == jsonbytes.Array: // as in JSON Schema
	case v.Kind() != jsonbytes.String || !f.nullable || v.Is("null"):
		w.value(v)
		return
	}
	null := !f.nullable
	w.Raw("[")
	if v.Kind() == jsonbytes.String {
		w.value(v)
	}
	for _, e := range v.Elements() {
		w.Comma()
		null = null || e.Is("null")
		w.value(e)
	}
	if !null {
		w.Comma()
		w.Raw(`"null"`)
	}
	w.Raw("]")
}

// enum writes the values. Google's are strings even if the type is a number.
func (w *schemaWriter) enum(v jsonbytes.Value, f *facts) {
	w.Key("enum")
	if v.Kind() != jsonbytes.Array {
		w.value(v)
		return
	}
	null := false
	w.Raw("[")
	for _, e := range v.Elements() {
		w.Comma()
		if n := wholeNumber(e); f.numeric && n.Kind() == jsonbytes.Number && jsonbytes.Check(n, 1) == nil {
			e = n
		}
		null = null || e.IsNull()
		w.value(e)
	}
	if f.nullable && !null {
		w.Comma()
		w.Raw("null")
	}
	w.Raw("]")
}

func (w *schemaWriter) list(v jsonbytes.Value, nullable bool, depth int) {
	if v.Kind() != jsonbytes.Array {
		w.schema(v, depth+1)
		return
	}
	w.Raw("[")
	for _, e := range v.Elements() {
		w.Comma()
		w.schema(e, depth+1)
	}
	if nullable {
		w.Comma()
		w.Raw(`{"type":"null"}`)
	}
	w.Raw("]")
}

// properties writes an object whose members are schemas, those that are named
// in order first: models write members in the order of the schema.
func (w *schemaWriter) properties(v, order jsonbytes.Value, depth int) {
	if v.Kind() != jsonbytes.Object {
		w.value(v)
		return
	}
	w.Raw("{")
	var written map[string]bool
	if order.Len() > 0 {
		byName := make(map[string]jsonbytes.Value)
		for key, value := range v.Members() {
			byName[string(key)] = value
		}
		written = make(map[string]bool)
		for _, e := range order.Elements() {
			name, _ := e.Text()
			if value := byName[name]; value != nil && !written[name] {
				written[name] = true
				w.Key(name)
				w.schema(value, depth+1)
			}
		}
	}
	for key, value := range v.Members() {
		if name := jsonbytes.Name(key); !written[name] {
			w.Key(name)
			w.schema(value, depth+1)
		}
	}
	w.Raw("}")
}
