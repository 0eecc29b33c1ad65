package transform

import "github.com/caddyllm/llmproxy/internal/jsonbytes"

// Formats without custom tools emulate one by a function whose only argument,
// input, is the text. A call to it comes back as any other: the request tells
// that it is custom.

// IsCustomTool tells whether the client declared the tool as a custom one. r may
// be nil.
func (r *Request) IsCustomTool(name string) bool {
	if r == nil {
		return false
	}
	for i := range r.Tools {
		if r.Tools[i].Name == name {
			return r.Tools[i].Custom
		}
	}
	return false
}

// FreeTextSchema is the schema of the arguments of the function that emulates a
// custom tool. The tool's grammar can only be told to the model, which is reported.
func (t *Tool) FreeTextSchema(lost *Losses) jsonbytes.Value {
	schema := []byte(`{"type":"object","properties":{"input":{"type":"string"`)
	if t.Grammar != nil {
		lost.Drop(t.At.Key("format"))
		grammar := t.Grammar
		if inner := grammar.Get("grammar"); inner.Kind() == jsonbytes.Object {
			grammar = inner // as Chat Completions nests it
		}
		if definition := grammar.Get("definition").NonEmpty(); definition != nil {
			schema = append(schema, `,"description":"Must follow this grammar:\n`...)
			schema = append(schema, definition[1:]...)
		}
	}
	return append(schema, `}},"required":["input"]}`...)
}

// FreeText is the text that {"input":"text"} wraps. Any other arguments are the
// text themselves: a model that strays, or was cut short, is heard as it spoke.
func FreeText(arguments []byte) []byte {
	v := jsonbytes.Parse(arguments)
	if jsonbytes.Check(v, 0) != nil || v.Len() != 1 {
		return arguments
	}
	input := v.Get("input")
	if input.Kind() != jsonbytes.String {
		return arguments
	}
	return input.AppendText(nil)
}

// ArgumentsObject is the arguments as the object that they have to be: free text
// and what a model that was cut short left are wrapped.
func (c *ToolCall) ArgumentsObject() jsonbytes.Value {
	name := "arguments"
	if c.Custom {
		name = "input"
	} else {
		switch v := jsonbytes.Parse(c.Arguments); {
		case v == nil:
			return jsonbytes.Value("{}")
		case v.Kind() == jsonbytes.Object && jsonbytes.Check(v, 0) == nil:
			return v
		}
	}
	return append(jsonbytes.AppendBytes([]byte(`{"`+name+`":`), c.Arguments), '}')
}
