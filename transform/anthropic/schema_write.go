package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// object writes one schema object. Its members come in one order whatever
// theirs was, except for the properties, whose order is that of the answer.
func (w *schemaWriter) object(schema jsonbytes.Value, description transform.Literal, definitions []transform.Member, depth int) {
	var k keywords
	if w.failed || depth > maxSchemaDepth || schema.Kind() != jsonbytes.Object || !k.read(schema) || !k.closed() {
		w.failed = true
		return
	}
	w.Raw("{")
	if k.reference != nil {
		// A reference stands alone.
		w.member("$ref", k.reference)
		w.Raw("}")
		return
	}
	if k.description == nil {
		k.description = description
	}
	w.member("type", k.kind())
	w.member("title", k.title)
	w.member("description", k.describe())
	w.member("enum", k.enum)
	w.member("const", k.constant)
	w.member("default", k.def)
	w.member("format", k.format)
	w.member("pattern", k.pattern)
	if k.items != nil {
		w.Key("items")
		w.object(k.items, nil, nil, depth+1)
	}
	w.member("minItems", k.minItems)
	w.properties(&k, depth)
	w.branches("anyOf", k.union, depth)
	w.branches("allOf", k.all, depth)
	for _, d := range definitions {
		w.Key(d.Name)
		w.named(d.Value, depth)
	}
	w.Raw("}")
}

func (w *schemaWriter) member(name string, value jsonbytes.Value) {
	if value == nil {
		return
	}
	w.Key(name)
	w.Compact(value)
}

// properties writes what belongs to objects.
func (w *schemaWriter) properties(k *keywords, depth int) {
	if !k.mayBe("object") {
		return
	}
	w.Key("properties")
	if k.properties == nil {
		w.Raw(`{}`)
	} else {
		w.named(k.properties, depth)
	}
	required := 0
	for range k.required.Elements() {
		required++
	}
	w.optional += max(k.properties.Len()-required, 0)
	w.member("required", k.required)
	w.Raw(`,"additionalProperties":false`)
}

// named writes an object whose members are schemas.
func (w *schemaWriter) named(schemas jsonbytes.Value, depth int) {
	w.Raw("{")
	for name, schema := range schemas.Members() {
		w.Comma()
		w.Bytes(name)
		w.Raw(":")
		w.object(schema, nil, nil, depth+1)
	}
	w.Raw("}")
}

// branches writes an array of schemas.
func (w *schemaWriter) branches(name string, schemas jsonbytes.Value, depth int) {
	if schemas == nil {
		return
	}
	w.unions++
	w.Key(name)
	w.Raw("[")
	for _, schema := range schemas.Elements() {
		w.Comma()
		w.object(schema, nil, nil, depth+1)
	}
	w.Raw("]")
}

// closed tells whether the subset can say everything that the keywords admit.
func (k *keywords) closed() bool {
	if k.reference != nil {
		return true
	}
	if k.typ == nil && k.properties == nil && k.items == nil && k.enum == nil &&
		k.constant == nil && k.union == nil && k.all == nil {
		return false // anything at all
	}
	if k.mayBe("object") && !k.closedObject() {
		return false
	}
	if k.mayBe("array") && k.items.Kind() != jsonbytes.Object {
		return false
	}
	return k.closedAll() && scalars(k.enum) && !composite(k.constant)
}

// closedObject tells whether an object has named properties only. Where the
// schema leaves others to the model, the model can do without.
func (k *keywords) closedObject() bool {
	if k.properties == nil {
		return string(k.additional) == "false"
	}
	return k.additional.Kind() != jsonbytes.Object || k.additional.Len() == 0
}

// closedAll tells whether allOf survives that every object in it is closed,
// and is free of references, which the API does not take there.
func (k *keywords) closedAll() bool {
	if k.all == nil {
		return true
	}
	objects := k.properties != nil
	for _, schema := range k.all.Elements() {
		if schema.Get("$ref") != nil || objects && schema.Get("properties") != nil {
			return false
		}
		objects = objects || schema.Get("properties") != nil
	}
	return true
}

// kind is the type, guessed where the schema implies it.
func (k *keywords) kind() jsonbytes.Value {
	switch {
	case k.typ != nil:
		return k.typ
	case k.properties != nil:
		return jsonbytes.Value(`"object"`)
	case k.items != nil:
		return jsonbytes.Value(`"array"`)
	}
	return nil
}

// mayBe tells whether the type is, or includes, the one called name.
func (k *keywords) mayBe(name string) bool {
	kind := k.kind()
	for _, element := range kind.Elements() {
		if element.Is(name) {
			return true
		}
	}
	return kind.Is(name)
}

// describe is the description with the notes behind it.
func (k *keywords) describe() transform.Literal {
	if len(k.notes) == 0 {
		return k.description
	}
	return jsonbytes.Join(` `, k.description, transform.Quote("("+string(k.notes)+")"))
}

func scalars(values jsonbytes.Value) bool {
	for _, value := range values.Elements() {
		if composite(value) {
			return false
		}
	}
	return true
}

func composite(value jsonbytes.Value) bool {
	kind := value.Kind()
	return kind == jsonbytes.Object || kind == jsonbytes.Array
}
