package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func yes() *bool {
	b := true
	return &b
}

func tool(name, schema string) transform.Tool {
	return transform.Tool{Name: name, Schema: jsonbytes.Value(schema)}
}

func TestToolDeclarations(t *testing.T) {
	described := tool("f", `{"type": "object", "properties": {"a": {"type": "string"}}}`)
	described.Description = transform.Quote("does f")
	free := transform.Tool{Name: "patch", Custom: true}
	bound := transform.Tool{Name: "patch", Custom: true, Grammar: jsonbytes.Value(
		`{"type":"grammar","grammar":{"syntax":"lark","definition":"start: \"x\""}}`)}
	cached := tool("f", "")
	cached.Cache = &transform.CacheMark{}
	for _, test := range []struct {
		name    string
		tools   []transform.Tool
		want    string
		dropped string
	}{
		{"all in one entry, schemas as they are", []transform.Tool{described, tool("g", `{"anyOf":[]}`)},
			`[{"functionDeclarations":[{"name":"f","description":"does f","parametersJsonSchema":{"type": "object", "properties": {"a": {"type": "string"}}}},` +
				`{"name":"g","parametersJsonSchema":{"anyOf":[]}}]}]`, ""},
		{"without arguments", []transform.Tool{
			tool("a", ""), tool("b", "{}"), tool("c", `{"type":"object","properties":{},"required":[],"additionalProperties":false,"$schema":"x"}`)},
			`[{"functionDeclarations":[{"name":"a"},{"name":"b"},{"name":"c"}]}]`, ""},
		{"any arguments", []transform.Tool{tool("a", `{"type":"object","additionalProperties":{"type":"string"}}`)},
			`[{"functionDeclarations":[{"name":"a","parametersJsonSchema":{"type":"object","additionalProperties":{"type":"string"}}}]}]`, ""},
		{"free text", []transform.Tool{free},
			`[{"functionDeclarations":[{"name":"patch","parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}]}]`, ""},
		{"free text of a grammar", []transform.Tool{bound},
			`[{"functionDeclarations":[{"name":"patch","parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string",` +
				`"description":"Must follow this grammar:\nstart: \"x\""}},"required":["input"]}}]}]`, "/tools/0/format"},
		{"a cache mark", []transform.Tool{cached}, `[{"functionDeclarations":[{"name":"f"}]}]`, "/tools/0/cache_control"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, lost := encode(t, Codec{}, &transform.Request{Turns: []transform.Turn{user(say("q"))}, Tools: test.tools}, google)
			if got := member(t, got, "tools"); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
			if got := member(t, got, "toolConfig"); got != "" {
				t.Errorf("toolConfig %s", got)
			}
			sameLosses(t, lost, test.dropped, "")
		})
	}
}

func TestToolModes(t *testing.T) {
	plain := []transform.Tool{tool("f", ""), tool("g", "")}
	strict := []transform.Tool{tool("f", ""), {Name: "g", Strict: yes()}}
	type choice = transform.ToolChoice
	for _, test := range []struct {
		name    string
		tools   []transform.Tool
		choice  choice
		want    string
		refused string
	}{
		{"unset", plain, choice{}, "", ""},
		{"auto", plain, choice{Mode: transform.ToolsAuto}, `{"mode":"AUTO"}`, ""},
		{"none", plain, choice{Mode: transform.ToolsNone}, `{"mode":"NONE"}`, ""},
		{"required", plain, choice{Mode: transform.ToolsRequired}, `{"mode":"ANY"}`, ""},
		{"named", plain, choice{Mode: transform.ToolsNamed, Name: "g"}, `{"mode":"ANY","allowedFunctionNames":["g"]}`, ""},
		{"some", plain, choice{Mode: transform.ToolsAuto, Allowed: []string{"f"}}, `{"mode":"VALIDATED","allowedFunctionNames":["f"]}`, ""},
		{"one of some", plain, choice{Mode: transform.ToolsRequired, Allowed: []string{"f", "g"}}, `{"mode":"ANY","allowedFunctionNames":["f","g"]}`, ""},
		{"of none", plain, choice{Mode: transform.ToolsAuto, Allowed: []string{}}, `{"mode":"NONE"}`, ""},
		{"strict, unset", strict, choice{}, `{"mode":"VALIDATED"}`, ""},
		{"strict, auto", strict, choice{Mode: transform.ToolsAuto}, `{"mode":"VALIDATED"}`, ""},
		{"strict, required", strict, choice{Mode: transform.ToolsRequired}, `{"mode":"ANY"}`, ""},
		{"no tools, auto", nil, choice{Mode: transform.ToolsAuto}, "", ""},
		{"no tools, required", nil, choice{Mode: transform.ToolsRequired}, "", "/tool_choice"},
		{"no tools, named", nil, choice{Mode: transform.ToolsNamed, Name: "f"}, "", "/tool_choice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &transform.Request{Turns: []transform.Turn{user(say("q"))}, Tools: test.tools, ToolChoice: test.choice}
			got, lost := encode(t, Codec{}, r, google)
			if got := member(t, got, "toolConfig/functionCallingConfig"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			sameLosses(t, lost, test.refused, test.refused)
		})
	}
}

func TestParallelTools(t *testing.T) {
	for _, parallel := range []bool{true, false} {
		r := &transform.Request{Turns: []transform.Turn{user(say("q"))}, Tools: []transform.Tool{tool("f", "")}, ParallelTools: &parallel}
		_, lost := encode(t, Codec{}, r, google)
		want := "/parallel_tool_calls"
		if parallel {
			want = ""
		}
		sameLosses(t, lost, want, "")
	}
}

func TestSchemas(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"as it is", `{ "type" : ["string","null"], "format":"email", "minLength": 1 }`, `{ "type" : ["string","null"], "format":"email", "minLength": 1 }`},
		{"reference alone", `{"$ref":"#/$defs/A","$defs":{"A":{"type":"string"}}}`, `{"$ref":"#/$defs/A","$defs":{"A":{"type":"string"}}}`},
		{"reference with siblings", `{"properties":{"a":{"$ref":"#/$defs/A","description":"d"}},"$defs":{"A":{}}}`,
			`{"properties":{"a":{"anyOf":[{"$ref":"#/$defs/A"}],"description":"d"}},"$defs":{"A":{}}}`},
		{"definitions", `{"$schema":"s","$ref":"#/definitions/A","definitions":{"A":{"items":{"$ref":"#/definitions/A"}}}}`,
			`{"$schema":"s","$ref":"#/$defs/A","$defs":{"A":{"items":{"$ref":"#/$defs/A"}}}}`},
		{"properties may be called anything", `{"properties":{"$ref":{"type":"string"},"const":{"type":"string"},"definitions":{"const":"x"},"a":1}}`,
			`{"properties":{"$ref":{"type":"string"},"const":{"type":"string"},"definitions":{"enum":["x"]},"a":1}}`},
		{"const", `{"oneOf":[{"const":"a"},{"const":1},{"const":true},{"const":null},{"const":"b","enum":["b"]}]}`,
			`{"oneOf":[{"enum":["a"]},{"enum":[1]},{"const":true},{"const":null},{"const":"b","enum":["b"]}]}`},
		{"allOf of one", `{"allOf":[{"$ref":"#/$defs/A"}],"default":{"const":1}}`, `{"anyOf":[{"$ref":"#/$defs/A"}],"default":{"const":1}}`},
		{"allOf of two", `{"allOf":[{"const":1},{}]}`, `{"allOf":[{"enum":[1]},{}]}`},
		{"definitions and $defs", `{"$defs":{},"definitions":{"A":{}},"properties":{"a":{"$ref":"#/definitions/A"}}}`,
			`{"$defs":{},"definitions":{"A":{}},"properties":{"a":{"$ref":"#/definitions/A"}}}`},
		{"names with escapes", `{"properties":{"a\"b":{"const":1}}}`, `{"properties":{"a\"b":{"enum":[1]}}}`},
		{"malformed", `{"properties":[{"const":1}],"items":7,"anyOf":"x","$ref":5}`, `{"properties":[{"const":1}],"items":7,"anyOf":"x"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, exact := appendSchema([]byte("x"), jsonbytes.Value(test.in))
			if test.name == "malformed" {
				if exact {
					t.Error("exact")
				}
				if jsonbytes.Check(got[1:], 0) != nil {
					t.Errorf("not JSON: %s", got)
				}
				return
			}
			if string(got) != "x"+test.want || !exact {
				t.Errorf("got %s\nwant %s", got[1:], test.want)
			}
		})
	}
}

func TestSchemaThatCannotBeSaidIsReported(t *testing.T) {
	r := &transform.Request{Turns: []transform.Turn{user(say("q"))}, Tools: []transform.Tool{
		tool("f", `{"properties":{"a":{"$ref":"#/$defs/A","anyOf":[{"type":"string"}],"description":"d"}}}`),
	}}
	got, lost := encode(t, Codec{}, r, google)
	if got := member(t, got, "tools/0/functionDeclarations/0/parametersJsonSchema"); got != `{"properties":{"a":{"$ref":"#/$defs/A"}}}` {
		t.Errorf("got %s", got)
	}
	sameLosses(t, lost, "/tools/0/parameters", "")
}
