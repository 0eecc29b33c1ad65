package anthropic

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

const (
	closedSchema = `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`
	openSchema   = `{"type":"object","additionalProperties":{"type":"integer"}}`
	listSchema   = `{"type":"array","items":{"type":"object","additionalProperties":true}}`
	native       = `{"format":{"type":"json_schema","schema":` + closedSchema + `}}`
	answerUse    = `{"type":"tool","name":"llm_proxy_answer","disable_parallel_tool_use":true}`
	answerAny    = `{"type":"any","disable_parallel_tool_use":true}`
	toolF        = `{"name":"f","input_schema":{"type":"object","properties":{}}}`
)

func answerToolOf(description, schema string) string {
	return `{"name":"llm_proxy_answer","description":"` + description +
		`Gives the answer to the user. Call it once, with the complete answer as its input.","input_schema":` + schema + `}`
}

func TestOutputForm(t *testing.T) {
	f := []transform.Tool{function("f", "")}
	none := transform.ToolChoice{Mode: transform.ToolsNone}
	required := transform.ToolChoice{Mode: transform.ToolsRequired}
	for _, test := range []struct {
		name   string
		codec  Codec
		model  string
		schema string
		strict bool
		tools  []transform.Tool
		choice transform.ToolChoice

		config, declared, chosen string
		instructed               bool
		losses                   []string
	}{
		{name: "native", model: newest, schema: closedSchema, config: native},
		{name: "native beside tools", model: newest, schema: closedSchema, tools: f, config: native, declared: toolF},
		{name: "native because forcing is refused", codec: Codec{Cloud: true}, model: unforced, schema: closedSchema, config: native},
		{name: "an old model", model: old, schema: closedSchema, declared: answerToolOf("", closedSchema), chosen: answerUse},
		{name: "a cloud", codec: Codec{Cloud: true}, model: newest, schema: closedSchema, declared: answerToolOf("", closedSchema), chosen: answerUse},
		{name: "an open map", model: newest, schema: openSchema, declared: answerToolOf("", openSchema), chosen: answerUse},
		{name: "among tools", model: newest, schema: openSchema, tools: f, declared: toolF + `,` + answerToolOf("", openSchema), chosen: answerAny},
		{name: "with tools switched off", model: newest, schema: openSchema, tools: f, choice: none, declared: toolF + `,` + answerToolOf("", openSchema), chosen: answerUse},
		{name: "a tool must be called", model: newest, schema: openSchema, tools: f, choice: required, declared: toolF, chosen: `{"type":"any"}`},
		{name: "neither way", model: unforced, schema: openSchema, instructed: true, losses: []string{"/response_format"}},
		{name: "neither way but strict", model: unforced, schema: openSchema, strict: true, instructed: true, losses: []string{"!/response_format"}},
		{name: "no object", model: newest, schema: listSchema, instructed: true, losses: []string{"/response_format"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			r.Tools, r.ToolChoice = test.tools, test.choice
			r.Output = transform.Output{Kind: transform.OutputSchema, Name: "x", Schema: jsonbytes.Value(test.schema), Strict: &test.strict}
			body, lost := encodeWith(t, test.codec, test.model, r)
			declared := ""
			if test.declared != "" {
				declared = `[` + test.declared + `]`
			}
			wantText(t, "output_config", body.Get("output_config"), test.config)
			wantText(t, "tools", body.Get("tools"), declared)
			wantText(t, "tool_choice", body.Get("tool_choice"), test.chosen)
			if got := body.Get("system"); (got != nil) != test.instructed {
				t.Errorf("system: got %s", got)
			}
			wantLosses(t, lost, test.losses...)
		})
	}
}

func TestOutputDescriptionIsKept(t *testing.T) {
	r := conversation(user("A"))
	r.Output = transform.Output{Kind: transform.OutputSchema, Schema: jsonbytes.Value(closedSchema), Description: transform.Quote("a thing")}
	body, _ := encode(t, newest, r)
	wantText(t, "output_config", body.Get("output_config"),
		strings.Replace(native, `"type":"object"`, `"type":"object","description":"a thing"`, 1))
	body, _ = encode(t, old, r)
	wantText(t, "tools", body.Get("tools"), `[`+answerToolOf(`a thing\n\n`, closedSchema)+`]`)
}

func TestJSONObjectIsAStableInstruction(t *testing.T) {
	r := conversation(system("S"), user("A"))
	r.Output.Kind = transform.OutputJSON
	body, lost := encode(t, newest, r)
	wantText(t, "system", body.Get("system"),
		`[{"type":"text","text":"S"},{"type":"text","text":"Answer with one JSON object and nothing else: no introduction, no code fence, no comment."}]`)
	wantLosses(t, lost)
}

func TestConstrainedOutputTakesNoPrefill(t *testing.T) {
	for _, model := range []string{budgeted, old} {
		r := conversation(user("A"), assistant("B"))
		r.Output = transform.Output{Kind: transform.OutputSchema, Schema: jsonbytes.Value(closedSchema)}
		body, _ := encode(t, model, r)
		wantText(t, "messages", body.Get("messages"), `[`+userA+`,`+botB+`,`+goOnM+`]`)
	}
}

func TestSchemaMustBeAnObject(t *testing.T) {
	r := conversation(user("A"))
	r.Output = transform.Output{Kind: transform.OutputSchema, Schema: jsonbytes.Value(`true`)}
	if err := refused(t, newest, r); err.Param != "response_format" {
		t.Errorf("got %+v", err)
	}
}
