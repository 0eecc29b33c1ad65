package anthropic

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

func TestNativeSchema(t *testing.T) {
	for _, test := range []struct {
		name, schema, want string
		optional           int
	}{
		{"closes objects", `{"type":"object","properties":{"a":{"type":"string"},"b":{"properties":{}}},"required":["a"]}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"object","properties":{},"additionalProperties":false}},"required":["a"],"additionalProperties":false}`, 1},
		{"narrows what may be more", `{"type":"object","properties":{},"additionalProperties":true}`, `{"type":"object","properties":{},"additionalProperties":false}`, 0},
		{"an empty object", `{"type":"object","additionalProperties":false}`, `{"type":"object","properties":{},"additionalProperties":false}`, 0},
		{"keeps what it has", `{"type":"string","title":"T","description":"D","enum":["a"],"default":"a","format":"uuid","pattern":"^(?:a|b)+$"}`,
			`{"type":"string","title":"T","description":"D","enum":["a"],"default":"a","format":"uuid","pattern":"^(?:a|b)+$"}`, 0},
		{"drops what says nothing", `{"$schema":"x","$id":"y","type":"string","examples":["z"],"x-order":1,"deprecated":true}`, `{"type":"string"}`, 0},
		{"unknown formats become words", `{"type":"string","description":"D","format":"iban"}`, `{"type":"string","description":"D (format: \"iban\")"}`, 0},
		{"look-around becomes words", `{"type":"string","pattern":"(?=a)"}`, `{"type":"string","description":"(pattern: \"(?=a)\")"}`, 0},
		{"word boundaries become words", `{"type":"string","pattern":"\\bx"}`, `{"type":"string","description":"(pattern: \"\\\\bx\")"}`, 0},
		{"bounds become words", `{"type":"integer","minimum":1,"maximum":9,"description":"D"}`, `{"type":"integer","description":"D (minimum: 1, maximum: 9)"}`, 0},
		{"negation becomes words", `{"type":"string","not":{"const":"x"}}`, `{"type":"string","description":"(not: {\"const\":\"x\"})"}`, 0},
		{"counts", `{"type":"array","items":{"type":"null"},"minItems":1,"maxItems":3}`, `{"type":"array","description":"(maxItems: 3)","items":{"type":"null"},"minItems":1}`, 0},
		{"larger counts", `{"items":{"type":"null"},"minItems":3}`, `{"type":"array","description":"(minItems: 3)","items":{"type":"null"},"minItems":1}`, 0},
		{"types", `{"type":["string","null"]}`, `{"type":["string","null"]}`, 0},
		{"oneOf", `{"oneOf":[{"type":"string"},{"const":null}]}`, `{"anyOf":[{"type":"string"},{"const":null}]}`, 0},
		{"allOf", `{"allOf":[{"type":"object","properties":{"a":{"enum":[1,2.50]}}}]}`,
			`{"allOf":[{"type":"object","properties":{"a":{"enum":[1,2.50]}},"additionalProperties":false}]}`, 1},
		{"references", `{"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"x"}},"required":["a"],"$defs":{"A":{"type":"string"}}}`,
			`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"required":["a"],"additionalProperties":false,"$defs":{"A":{"type":"string"}}}`, 0},
		{"a reference as root", `{"$ref":"#/definitions/A","definitions":{"A":{"type":"string"}}}`, `{"type":"string","definitions":{"A":{"type":"string"}}}`, 0},
		{"order of properties", `{"type":"object","properties":{"z":{"type":"null"},"a":{"type":"null"}},"required":["a","z"]}`,
			`{"type":"object","properties":{"z":{"type":"null"},"a":{"type":"null"}},"required":["a","z"],"additionalProperties":false}`, 0},
		{"white space", "{ \"type\" : \"string\" ,\n\"enum\": [ \"a b\" ] }", `{"type":"string","enum":["a b"]}`, 0},
	} {
		got, optional, ok := nativeSchema(jsonbytes.Value(test.schema), nil)
		if !ok || string(got) != test.want || optional != test.optional {
			t.Errorf("%s: %v, %d optional\n got %s\nwant %s", test.name, ok, optional, got, test.want)
		}
	}
}

func TestSchemasThatAreNotNative(t *testing.T) {
	for name, schema := range map[string]string{
		"anything":              `{}`,
		"any property":          `{"type":"object","properties":{"a":{}},"required":["a"]}`,
		"true":                  `{"type":"object","properties":{"a":true}}`,
		"free object":           `{"type":"object"}`,
		"nullable free object":  `{"type":["object","null"]}`,
		"open map":              `{"type":"object","properties":{},"additionalProperties":{"type":"string"}}`,
		"pattern properties":    `{"type":"object","properties":{},"patternProperties":{"a":{"type":"string"}}}`,
		"free array":            `{"type":"array"}`,
		"tuple":                 `{"type":"array","items":[{"type":"string"}]}`,
		"new tuple":             `{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"null"}}`,
		"conditional":           `{"type":"string","if":{"const":"a"},"then":{"const":"b"}}`,
		"composite enum":        `{"enum":[{"a":1}]}`,
		"composite const":       `{"const":[1]}`,
		"two unions":            `{"anyOf":[{"type":"string"}],"oneOf":[{"type":"string"}]}`,
		"intersected objects":   `{"allOf":[{"properties":{"a":{"type":"null"}}},{"properties":{"b":{"type":"null"}}}]}`,
		"intersection with own": `{"type":"object","properties":{"a":{"type":"null"}},"allOf":[{"properties":{"b":{"type":"null"}}}]}`,
		"reference in allOf":    `{"allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"type":"null"}}}`,
		"recursion":             `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}}}}}`,
		"mutual recursion":      `{"$ref":"#/$defs/A","$defs":{"A":{"type":"array","items":{"$ref":"#/$defs/B"}},"B":{"type":"array","items":{"$ref":"#/$defs/A"}}}}`,
		"recursion to itself":   `{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/A"}}}`,
		"recursion to root":     `{"type":"array","items":{"$ref":"#"}}`,
		"outward reference":     `{"$ref":"https://example.com/schema"}`,
		"missing definition":    `{"type":"array","items":{"$ref":"#/$defs/A"}}`,
		"too many unions":       `{"anyOf":[` + strings.Repeat(`{"anyOf":[{"type":"null"}]},`, 16) + `{"type":"null"}]}`,
		"too deep":              strings.Repeat(`{"type":"array","items":`, 70) + `{"type":"null"}` + strings.Repeat(`}`, 70),
		"no schema":             `[]`,
	} {
		if got, _, ok := nativeSchema(jsonbytes.Value(schema), nil); ok {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestManyOptionalPropertiesAreNotNative(t *testing.T) {
	schema := []byte(`{"type":"object","properties":{"p":{"type":"null"}`)
	for i := range maxOptional {
		schema = append(schema, `,"p`+strconv.Itoa(i)+`":{"type":"null"}`...)
	}
	schema = append(schema, `}}`...)
	if _, optional, ok := nativeSchema(schema, nil); !ok || optional != maxOptional+1 {
		t.Errorf("got %d optional, %v", optional, ok)
	}
}

func TestManyDefinitionsAreNotNative(t *testing.T) {
	schema := []byte(`{"type":"string","$defs":{"p":{"type":"null"}`)
	for i := range maxDefinitions {
		schema = append(schema, `,"p`+strconv.Itoa(i)+`":{"type":"null"}`...)
	}
	schema = append(schema, `}}`...)
	if _, _, ok := nativeSchema(schema, nil); ok {
		t.Error("accepted")
	}
}

func FuzzNativeSchema(f *testing.F) {
	for _, schema := range []string{closedSchema, openSchema, listSchema, `{}`, `{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/A"}}}`,
		`{"type":["array","object"],"items":{"enum":[1]},"properties":{"a\"b":{"const":"x","minimum":1}},"description":"é\n"}`} {
		f.Add([]byte(schema))
	}
	f.Fuzz(func(t *testing.T, schema []byte) {
		if jsonbytes.Check(schema, 0) != nil {
			return
		}
		value := jsonbytes.Parse(schema)
		if got, _, ok := nativeSchema(value, nil); ok && jsonbytes.Check(got, 128) != nil {
			t.Errorf("%s\nbecame %s", schema, got)
		}
		if got, condition, ok := toolSchema(value); ok {
			if jsonbytes.Check(got, 128) != nil || condition != nil && !condition.Spliceable() {
				t.Errorf("%s\nbecame %s (%s)", schema, got, condition)
			}
			if !jsonbytes.Parse(got).Get("type").Is("object") {
				t.Errorf("%s\nbecame %s", schema, got)
			}
		}
	})
}
