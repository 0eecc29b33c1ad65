package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// toolSchema makes a schema fit for input_schema, whose root must be of type
// object and have no anyOf, oneOf or allOf. What those demand comes back as
// condition, in words. ok is false for schemas of something else.
func toolSchema(schema jsonbytes.Value) (text []byte, condition transform.Literal, ok bool) {
	if schema.Empty() {
		return emptySchema, nil, true
	}
	if schema.Kind() != jsonbytes.Object {
		return nil, nil, false
	}
	rooted, definitions := resolveRoot(schema)
	resolved := len(rooted) != len(schema) // a definition is shorter than what it is in
	if resolved || !rooted.Get("type").Is("object") || hasCombiner(rooted) {
		return rewriteRoot(rooted, definitions)
	}
	return schema, nil, true
}

func hasCombiner(schema jsonbytes.Value) bool {
	for name := range schema.Members() {
		if isCombiner(string(name)) {
			return true
		}
	}
	return false
}

func isCombiner(name string) bool {
	return name == "anyOf" || name == "oneOf" || name == "allOf"
}

// rewriteRoot writes a root of type object without combiners.
func rewriteRoot(schema jsonbytes.Value, definitions []transform.Member) (text []byte, condition transform.Literal, ok bool) {
	if !maybeObject(schema) {
		return nil, nil, false
	}
	text = append(text, `{"type":"object"`...)
	combined := []byte{'{'}
	properties := false
	for name, value := range schema.Members() {
		switch key := string(name); {
		case key == "type" || key == "$defs" || key == "definitions":
		case isCombiner(key):
			combined = jsonbytes.AppendKey(combined, key)
			combined = jsonbytes.AppendCompact(combined, value)
		default:
			properties = properties || key == "properties"
			text = append(text, ',')
			text = jsonbytes.AppendBytes(text, name)
			text = append(text, ':')
			text = append(text, value...)
		}
	}
	if !properties {
		text = append(text, `,"properties":{}`...)
	}
	for _, d := range definitions {
		text = jsonbytes.AppendKey(text, d.Name)
		text = append(text, d.Value...)
	}
	text = append(text, '}')
	if len(combined) > 1 {
		condition = transform.Quote("The input must also be valid against this JSON Schema: " + string(combined) + "}")
	}
	return text, condition, true
}

// maybeObject tells whether a schema can be one of objects.
func maybeObject(schema jsonbytes.Value) bool {
	if schema.Kind() != jsonbytes.Object {
		return false
	}
	typ := schema.Get("type")
	for _, element := range typ.Elements() {
		if element.Is("object") {
			return true
		}
	}
	return typ.Empty() || typ.Is("object")
}

// hasRootObject tells whether a schema admits objects and nothing else, so
// that it may be the input of a tool.
func hasRootObject(schema jsonbytes.Value) bool {
	rooted, _ := resolveRoot(schema)
	return rooted.Get("type").Is("object") || rooted.Get("type") == nil && rooted.Get("properties") != nil
}
