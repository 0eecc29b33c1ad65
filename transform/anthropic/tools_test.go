package anthropic

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

func TestToolsAreDeclared(t *testing.T) {
	yes, no := pointer(true), pointer(false)
	described := function("f", `{"type":"object","properties":{"x":{"type":"integer"}}}`)
	described.Description = transform.Quote("does f")
	described.Cache = &transform.CacheMark{}
	strict := func(schema string) transform.Tool {
		tool := function("f", schema)
		tool.Strict = yes
		return tool
	}
	lax := function("f", "")
	lax.Strict = no
	lark := transform.Tool{Name: "f", Custom: true, Description: transform.Quote("does f"),
		Grammar: jsonbytes.Value(`{"type":"grammar","grammar":{"syntax":"lark","definition":"start: \"a\""}}`)}
	flat := transform.Tool{Name: "f", Custom: true, Grammar: jsonbytes.Value(`{"type":"grammar","syntax":"regex","definition":"a+"}`)}
	const plain = `{"type":"object","properties":{"a":{"type":"string"}}}`
	for _, test := range []struct {
		name   string
		model  string
		tool   transform.Tool
		want   string
		losses []string
	}{
		{"as it is", newest, described, `{"name":"f","description":"does f","input_schema":{"type":"object","properties":{"x":{"type":"integer"}}},"cache_control":{"type":"ephemeral"}}`, nil},
		{"no parameters", newest, lax, `{"name":"f","input_schema":{"type":"object","properties":{}}}`, nil},
		{"empty schema", newest, function("f", `{}`), `{"name":"f","input_schema":{"type":"object","properties":{}}}`, nil},
		{"no type", newest, function("f", `{"properties":{"a":true}}`), `{"name":"f","input_schema":{"type":"object","properties":{"a":true}}}`, nil},
		{"nullable object", newest, function("f", `{"type":["object","null"],"properties":{}}`), `{"name":"f","input_schema":{"type":"object","properties":{}}}`, nil},
		{"alternatives", newest, function("f", `{"type":"object","anyOf":[{"required":["a"]},{"required":["b"]}]}`),
			`{"name":"f","description":"The input must also be valid against this JSON Schema: {\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}","input_schema":{"type":"object","properties":{}}}`, nil},
		{"reference", newest, function("f", `{"$ref":"#/$defs/A","$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/B"}}},"B":{"type":"string"}}}`),
			`{"name":"f","input_schema":{"type":"object","properties":{"b":{"$ref":"#/$defs/B"}},"$defs":{"A":{"type":"object","properties":{"b":{"$ref":"#/$defs/B"}}},"B":{"type":"string"}}}}`, nil},
		{"strict", newest, strict(plain), `{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false},"strict":true}`, nil},
		{"strict without parameters", newest, strict(""), `{"name":"f","input_schema":{"type":"object","properties":{},"additionalProperties":false},"strict":true}`, nil},
		{"strict but open", newest, strict(`{"type":"object","additionalProperties":{"type":"string"}}`),
			`{"name":"f","input_schema":{"type":"object","additionalProperties":{"type":"string"}}}`, []string{"/tools/0/strict"}},
		{"strict on an old model", old, strict(plain), `{"name":"f","input_schema":` + plain + `}`, []string{"/tools/0/strict"}},
		{"custom", newest, transform.Tool{Name: "f", Custom: true},
			`{"name":"f","input_schema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}`, nil},
		{"custom with a grammar", newest, lark,
			`{"name":"f","description":"does f\n\nThe input must follow this lark grammar:\nstart: \"a\"","input_schema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}`, nil},
		{"custom with a flat grammar", newest, flat,
			`{"name":"f","description":"The input must follow this regex grammar:\na+","input_schema":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}`, nil},
		{"of something else", newest, function("f", `{"type":"string"}`), ``, []string{"!/tools/0"}},
		{"not a schema", newest, function("f", `[]`), ``, []string{"!/tools/0"}},
		{"bad name", newest, function("a.b", ""), ``, []string{"!/tools/0"}},
		{"long name", newest, function(strings.Repeat("a", 129), ""), ``, []string{"!/tools/0"}},
		{"reserved name", newest, function(blocks.AnswerTool, ""), ``, []string{"!/tools/0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			r.Tools = []transform.Tool{test.tool}
			body, lost := encode(t, test.model, r)
			want := ""
			if test.want != "" {
				want = `[` + test.want + `]`
			}
			wantText(t, "tools", body.Get("tools"), want)
			wantLosses(t, lost, test.losses...)
		})
	}
}

func TestToolChoice(t *testing.T) {
	const f, g = `{"name":"f","input_schema":{"type":"object","properties":{}}}`, `{"name":"g","input_schema":{"type":"object","properties":{}}}`
	no := pointer(false)
	type choice = transform.ToolChoice
	for _, test := range []struct {
		name     string
		model    string
		choice   choice
		parallel *bool
		tools    string
		want     string
		losses   []string
	}{
		{"unset", newest, choice{}, nil, f + `,` + g, ``, nil},
		{"unset, one at a time", newest, choice{}, no, f + `,` + g, `{"type":"auto","disable_parallel_tool_use":true}`, nil},
		{"auto", newest, choice{Mode: transform.ToolsAuto}, pointer(true), f + `,` + g, `{"type":"auto"}`, nil},
		{"none", newest, choice{Mode: transform.ToolsNone}, no, f + `,` + g, `{"type":"none"}`, nil},
		{"required", newest, choice{Mode: transform.ToolsRequired}, no, f + `,` + g, `{"type":"any","disable_parallel_tool_use":true}`, nil},
		{"named", newest, choice{Mode: transform.ToolsNamed, Name: "g"}, nil, f + `,` + g, `{"type":"tool","name":"g"}`, nil},
		{"allowed", newest, choice{Mode: transform.ToolsAuto, Allowed: []string{"g"}}, nil, g, `{"type":"auto"}`, nil},
		{"allowed and required", newest, choice{Mode: transform.ToolsRequired, Allowed: []string{"f"}}, nil, f, `{"type":"any"}`, nil},
		{"nothing allowed", newest, choice{Mode: transform.ToolsAuto, Allowed: []string{}}, nil, ``, ``, nil},
		{"required of a model that refuses", unforced, choice{Mode: transform.ToolsRequired}, nil, f + `,` + g, `{"type":"auto"}`, []string{"!/tool_choice"}},
		{"named of a model that refuses", unforced, choice{Mode: transform.ToolsNamed, Name: "g"}, nil, g, `{"type":"auto"}`, []string{"!/tool_choice"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			r.Tools = []transform.Tool{function("f", ""), function("g", "")}
			r.ToolChoice, r.ParallelTools = test.choice, test.parallel
			body, lost := encode(t, test.model, r)
			tools := ""
			if test.tools != "" {
				tools = `[` + test.tools + `]`
			}
			wantText(t, "tools", body.Get("tools"), tools)
			wantText(t, "tool_choice", body.Get("tool_choice"), test.want)
			wantLosses(t, lost, test.losses...)
		})
	}
}

func TestImpossibleToolChoicesAreRefused(t *testing.T) {
	r := conversation(user("A"))
	r.ToolChoice.Mode = transform.ToolsRequired
	if err := refused(t, newest, r); err.Param != "tool_choice" {
		t.Errorf("got %+v", err)
	}
	r.Tools = []transform.Tool{function("f", "")}
	r.ToolChoice = transform.ToolChoice{Mode: transform.ToolsNamed, Name: "g"}
	if err := refused(t, newest, r); err.Param != "tool_choice" {
		t.Errorf("got %+v", err)
	}
}

func TestCallsInTheHistoryNeedADeclaredTool(t *testing.T) {
	body, _ := encode(t, newest, conversation(user("A"), with(assistant(), callPart("c1", "f", "")), result("c1", "1")))
	wantText(t, "tools", body.Get("tools"),
		`[{"name":"no_tool","description":"Not available. Never call it.","input_schema":{"type":"object","properties":{}}}]`)
	wantText(t, "tool_choice", body.Get("tool_choice"), `{"type":"none"}`)
}

func TestStrictToolsShareABudget(t *testing.T) {
	r := conversation(user("A"))
	for range 3 {
		tool := function("f", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"},"c":{"type":"string"},"d":{"type":"string"}}}`)
		tool.Strict = pointer(true)
		r.Tools = append(r.Tools, tool)
	}
	body, lost := encode(t, newest, r)
	if got := strings.Count(string(body), `"strict":true`); got != 2 {
		t.Errorf("%d tools are strict", got)
	}
	wantLosses(t, lost, "/tools/0/strict")
}

func TestCustomCallsAreCallsOfTheirEmulation(t *testing.T) {
	call := callPart("c1", "f", "say \"hi\"\n")
	call.Call.Custom = true
	body, _ := encode(t, newest, conversation(user("A"), with(assistant(), call), result("c1", "1")))
	if !strings.Contains(string(body), `"input":{"input":"say \"hi\"\n"}}`) {
		t.Errorf("got %s", body)
	}
}

func TestWebSearchOptionsBecomeATool(t *testing.T) {
	r := conversation(user("A"))
	r.Rest = []transform.Member{{Name: "web_search_options", Value: jsonbytes.Value(
		`{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"country":"DE","city":"Köln","zip":1}}}`)}}
	body, lost := encode(t, newest, r)
	wantText(t, "tools", body.Get("tools"),
		`[{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","city":"Köln","country":"DE"}}]`)
	wantLosses(t, lost, "/web_search_options/search_context_size")

	_, lost = encodeWith(t, Codec{Cloud: true}, newest, r)
	wantLosses(t, lost, "!/web_search_options")
}
