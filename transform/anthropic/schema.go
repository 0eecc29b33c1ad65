package anthropic

import (
	"bytes"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// The API compiles native schemas to a grammar and gives up on large ones. The
// documented limit is 24 optional properties and 16 unions in a request, but
// compilation is seen to time out from 11 optional ones on.
const (
	maxOptional    = 10
	maxUnions      = 16
	maxDefinitions = 256
	maxSchemaDepth = 64
)

// nativeSchema rewrites a schema to the subset that output_config.format and
// strict tools take: constraints that the subset lacks become words in the
// description, and objects admit no other properties than those named. It
// tells how many properties are optional. ok is false if the schema admits
// something that the subset cannot: recursion, open maps, anything at all.
func nativeSchema(schema jsonbytes.Value, description transform.Literal) (text []byte, optional int, ok bool) {
	rooted, definitions := resolveRoot(schema)
	w := schemaWriter{}
	if !w.index(definitions) || !w.acyclic(rooted, 0) {
		return nil, 0, false
	}
	w.object(rooted, description, definitions, 0)
	if w.failed || w.unions > maxUnions {
		return nil, 0, false
	}
	return w.Out, w.optional, true
}

// definitionKeys are the members that hold definitions, and how references
// to them begin.
var definitionKeys = [...]string{"$defs", "definitions"}

// resolveRoot follows a reference that the schema itself is. It returns the
// schema to write and the members with definitions that go with it.
func resolveRoot(schema jsonbytes.Value) (jsonbytes.Value, []transform.Member) {
	var definitions []transform.Member
	for _, key := range definitionKeys {
		if value := schema.Get(key); value.Kind() == jsonbytes.Object {
			definitions = append(definitions, transform.Member{Name: key, Value: value})
		}
	}
	reference, ok := schema.Get("$ref").Text()
	if !ok {
		return schema, definitions
	}
	for _, d := range definitions {
		if name, ok := strings.CutPrefix(reference, "#/"+d.Name+"/"); ok {
			return d.Value.Get(name), definitions
		}
	}
	return schema, definitions
}

// schemaWriter writes one schema in the subset.
type schemaWriter struct {
	jsonbytes.Writer
	optional int
	unions   int
	failed   bool

	// definitions are by reference; visited ones are known to be free of cycles.
	definitions map[string]*definition
}

type definition struct {
	schema           jsonbytes.Value
	entered, visited bool
}

// index notes the definitions by their references.
func (w *schemaWriter) index(members []transform.Member) bool {
	w.definitions = make(map[string]*definition)
	for _, m := range members {
		for name, schema := range m.Value.Members() {
			if len(w.definitions) == maxDefinitions {
				return false
			}
			w.definitions["#/"+m.Name+"/"+string(name)] = &definition{schema: schema}
		}
	}
	return true
}

// acyclic tells whether no reference below leads back to itself, or out of
// the definitions.
func (w *schemaWriter) acyclic(value jsonbytes.Value, depth int) bool {
	if depth > maxSchemaDepth {
		return false
	}
	for name, member := range value.Members() {
		switch string(name) {
		case "$ref":
			if !w.follow(member) {
				return false
			}
		case "enum", "const", "default", "examples", "$defs", "definitions":
		default:
			if !w.acyclic(member, depth+1) {
				return false
			}
		}
	}
	for _, element := range value.Elements() {
		if !w.acyclic(element, depth+1) {
			return false
		}
	}
	return true
}

func (w *schemaWriter) follow(reference jsonbytes.Value) bool {
	name, _ := reference.Text()
	d := w.definitions[name]
	switch {
	case d == nil || d.entered && !d.visited:
		return false
	case d.visited:
		return true
	}
	d.entered = true
	d.visited = w.acyclic(d.schema, 0)
	return d.visited
}

// keywords are the members of one schema object, as far as the subset has them.
type keywords struct {
	typ, title, description, enum, constant, def, format, pattern jsonbytes.Value
	items, minItems, properties, required, additional             jsonbytes.Value
	union, all, reference                                         jsonbytes.Value

	// notes are constraints that only words can express.
	notes []byte
}

// read sorts the members of a schema object. It is false for what the subset
// cannot express in any way.
func (k *keywords) read(schema jsonbytes.Value) bool {
	for name, value := range schema.Members() {
		switch string(name) {
		case "type":
			k.typ = value
		case "title":
			k.title = value
		case "description":
			k.description = value
		case "enum":
			k.enum = value
		case "const":
			k.constant = value
		case "default":
			k.def = value
		case "format":
			k.format = value
		case "pattern":
			k.pattern = value
		case "items":
			k.items = value
		case "minItems":
			k.minItems = value
		case "properties":
			k.properties = value
		case "required":
			k.required = value
		case "additionalProperties":
			k.additional = value
		case "anyOf", "oneOf":
			if k.union != nil {
				return false
			}
			k.union = value
		case "allOf":
			k.all = value
		case "$ref":
			k.reference = value
		case "patternProperties", "prefixItems", "unevaluatedProperties", "dependentSchemas",
			"if", "then", "else", "$dynamicRef", "$recursiveRef":
			return false
		case "$defs", "definitions", "$schema", "$id", "$comment", "$anchor", "examples", "example",
			"deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType":
			// Definitions are written at the root, the rest constrains nothing.
		default:
			if !bytes.HasPrefix(name, []byte("x-")) {
				k.note(string(name), value)
			}
		}
	}
	k.notePatterns()
	return true
}

// note keeps a constraint as words.
func (k *keywords) note(name string, value jsonbytes.Value) {
	if len(k.notes) > 0 {
		k.notes = append(k.notes, ", "...)
	}
	k.notes = append(k.notes, name...)
	k.notes = append(k.notes, ": "...)
	k.notes = jsonbytes.AppendCompact(k.notes, value)
}

// formats are the formats of strings that the subset has.
var formats = []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}

// notePatterns turns the formats, patterns and counts that the subset does
// not have into words.
func (k *keywords) notePatterns() {
	if format, ok := k.format.Text(); !ok || !slices.Contains(formats, format) {
		k.demote("format", &k.format)
	}
	if pattern, ok := k.pattern.Text(); !ok || !plainPattern(pattern) {
		k.demote("pattern", &k.pattern)
	}
	if n, ok := k.minItems.Int(); !ok || n > 1 {
		k.demote("minItems", &k.minItems)
		if ok {
			k.minItems = jsonbytes.Value("1")
		}
	}
}

func (k *keywords) demote(name string, value *jsonbytes.Value) {
	if !value.Empty() {
		k.note(name, *value)
	}
	*value = nil
}

// plainPattern tells whether a regular expression has no look-around, no
// back-references and no word boundaries.
func plainPattern(pattern string) bool {
	for i := 0; i+1 < len(pattern); i++ {
		next := pattern[i+1]
		switch pattern[i] {
		case '\\':
			if next == 'b' || next == 'B' || next == 'k' || '1' <= next && next <= '9' {
				return false
			}
			i++
		case '(':
			if next == '?' && (i+2 >= len(pattern) || pattern[i+2] != ':') {
				return false
			}
		}
	}
	return true
}
