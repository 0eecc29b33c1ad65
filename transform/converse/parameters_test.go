package converse

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// rest is the body without its messages.
func rest(body jsonbytes.Value) string {
	const messages = `"messages":[{"role":"user","content":[{"text":"A"}]}],`
	return strings.Replace(string(body), messages, "", 1)
}

func TestParametersAreWritten(t *testing.T) {
	v := func(s string) jsonbytes.Value { return jsonbytes.Value(s) }
	for _, test := range []struct {
		name, model string
		change      func(*transform.Request)
		want        string
		lost        []string
	}{
		{name: "none", model: nova, change: func(*transform.Request) {}, want: `{"inferenceConfig":{}}`},
		{name: "none of Claude", model: budgeted, change: func(*transform.Request) {}, want: `{"inferenceConfig":{}}`},
		{
			name: "sampling", model: nova, change: func(r *transform.Request) {
				r.Sampling = transform.Sampling{MaxTokens: 100, Temperature: v("1.5"), TopP: v("0.50"), TopK: v("5"), Seed: v("1"), Stop: []transform.Literal{v(`"x"`), v(`" "`)}}
			},
			want: `{"additionalModelRequestFields":{"inferenceConfig":{"topK":5}},"inferenceConfig":{"maxTokens":100,"temperature":1,"topP":0.50,"stopSequences":["x"]}}`,
			lost: []string{"/temperature", "/seed", "/stop"},
		},
		{
			name: "sampling of Claude", model: budgeted, change: func(r *transform.Request) {
				r.Sampling = transform.Sampling{MaxTokens: 100000, Temperature: v("0.5"), TopP: v("0.5"), TopK: v("5"), Stop: []transform.Literal{v(`"x"`)}}
			},
			want: `{"additionalModelRequestFields":{"top_k":5},"inferenceConfig":{"maxTokens":64000,"temperature":0.5,"stopSequences":["x"]},"additionalModelResponseFieldPaths":["/stop_sequence"]}`,
			lost: []string{"/top_p"},
		},
		{
			name: "top_k where there is none", model: llama, change: func(r *transform.Request) { r.Sampling.TopK = v("5"); r.Sampling.N = 2 },
			want: `{"inferenceConfig":{}}`, lost: []string{"!/n", "/top_k"},
		},
		{name: "top_k of Mistral", model: mistral, change: func(r *transform.Request) { r.Sampling.TopK = v("5") }, want: `{"additionalModelRequestFields":{"top_k":5},"inferenceConfig":{}}`},
		{
			name: "effort of Claude", model: adaptive, change: func(r *transform.Request) { r.Reasoning.Effort = "medium"; r.Sampling.Temperature = v("0") },
			want: `{"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}},"inferenceConfig":{}}`, lost: []string{"/temperature"},
		},
		{
			name: "budget of Claude", model: budgeted, change: func(r *transform.Request) { r.Reasoning.Budget = 2000 },
			want: `{"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}},"inferenceConfig":{"maxTokens":10192}}`,
		},
		{name: "effort of gpt-oss", model: gptOSS, change: func(r *transform.Request) { r.Reasoning.Effort = "xhigh" }, want: `{"additionalModelRequestFields":{"reasoning_effort":"high"},"inferenceConfig":{}}`},
		{
			name: "no effort of gpt-oss", model: gptOSS, change: func(r *transform.Request) { r.Reasoning.Effort = "none" },
			want: `{"additionalModelRequestFields":{"reasoning_effort":"low"},"inferenceConfig":{}}`, lost: []string{"/reasoning_effort"},
		},
		{name: "effort of newer ones", model: "openai.gpt-5.5-v1:0", change: func(r *transform.Request) { r.Reasoning.Effort = "xhigh" }, want: `{"additionalModelRequestFields":{"reasoning":{"effort":"xhigh"}},"inferenceConfig":{}}`},
		{name: "effort of Nova", model: nova2, change: func(r *transform.Request) { r.Reasoning.Budget = 9000 }, want: `{"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}},"inferenceConfig":{}}`},
		{
			name: "high effort of Nova", model: nova2, change: func(r *transform.Request) {
				r.Reasoning.Effort = "high"
				r.Sampling.MaxTokens, r.Sampling.Temperature = 10, v("0")
			},
			want: `{"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}},"inferenceConfig":{}}`, lost: []string{"/temperature", "/max_tokens"},
		},
		{name: "no effort of Nova", model: nova2, change: func(r *transform.Request) { r.Reasoning.Effort = "none" }, want: `{"additionalModelRequestFields":{"reasoningConfig":{"type":"disabled"}},"inferenceConfig":{}}`},
		{name: "effort where there is none", model: llama, change: func(r *transform.Request) { r.Reasoning.Effort = "high" }, want: `{"inferenceConfig":{}}`, lost: []string{"/reasoning_effort"}},
		{
			name: "labels", model: nova, change: func(r *transform.Request) {
				r.User, r.ServiceTier = "u", "flex"
				r.Rest = []transform.Member{{Name: "metadata", Value: v(`{"team":"a b","bad":"<x>","no":1}`)}, {Name: "store", Value: v("false")}, {Name: "safety_identifier", Value: v(`"x"`)}, {Name: "logit_bias", Value: v(`{"1":2}`)}}
			},
			want: `{"inferenceConfig":{},"serviceTier":{"type":"flex"},"requestMetadata":{"team":"a b"}}`,
			lost: []string{"/user", "/metadata/bad", "/metadata/no", "/safety_identifier", "/logit_bias"},
		},
		{name: "a tier of another", model: nova, change: func(r *transform.Request) { r.ServiceTier = "scale" }, want: `{"inferenceConfig":{}}`, lost: []string{"/service_tier"}},
		{
			name: "members of Converse's own", model: nova, change: func(r *transform.Request) {
				r.Sampling.TopK = v("1")
				r.Rest = []transform.Member{
					{Name: "guardrailConfig", Value: v(`{"guardrailIdentifier":"g"}`)}, {Name: "performanceConfig", Value: v(`{"latency":"optimized"}`)},
					{Name: "additionalModelRequestFields", Value: v(`{"inferenceConfig":{},"a":{"b":1}}`)}, {Name: "additionalModelResponseFieldPaths", Value: v(`["/x"]`)},
				}
			},
			want: `{"additionalModelRequestFields":{"inferenceConfig":{"topK":1},"a":{"b":1}},"inferenceConfig":{},"additionalModelResponseFieldPaths":["/x"],` +
				`"guardrailConfig":{"guardrailIdentifier":"g"},"performanceConfig":{"latency":"optimized"}}`,
			lost: []string{"/additionalModelRequestFields/inferenceConfig"},
		},
		{
			name: "members of Anthropic's own", model: budgeted, change: func(r *transform.Request) {
				r.Rest = []transform.Member{{Name: "thinking", Value: v(`{"type":"disabled"}`)}, {Name: "context_management", Value: v(`{"edits":[]}`)}, {Name: "cache_control", Value: v(`{}`)}, {Name: "fallbacks", Value: v(`[]`)}}
			},
			want: `{"additionalModelRequestFields":{"thinking":{"type":"disabled"},"context_management":{"edits":[]}},"inferenceConfig":{}}`, lost: []string{"/cache_control", "/fallbacks"},
		},
		{
			name: "what changes the answer", model: nova, change: func(r *transform.Request) {
				r.Rest = []transform.Member{{Name: "previous_response_id", Value: v(`"x"`)}, {Name: "modalities", Value: v(`["text"]`)}, {Name: "audio", Value: v(`{}`)}, {Name: "thinking", Value: v(`{"type":"enabled"}`)}}
			},
			want: `{"inferenceConfig":{}}`, lost: []string{"!/previous_response_id", "!/audio", "/thinking"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			test.change(r)
			body, lost := encode(t, test.model, r)
			wantText(t, "parameters", []byte(rest(body)), test.want)
			wantLosses(t, lost, test.lost...)
		})
	}
}

func TestThinkingByBudgetDoesNotGoOnUnsigned(t *testing.T) {
	r := conversation(user("A"), with(assistant(), callPart("c", "f", "{}")), result("c", "1"))
	r.Tools, r.Reasoning.Budget = []transform.Tool{function("f", "")}, 2000
	body, lost := encode(t, budgeted, r)
	if body.Get("additionalModelRequestFields") != nil {
		t.Errorf("got %s", body)
	}
	wantLosses(t, lost, "/reasoning_effort")
	r.Turns[1].Parts = append(r.Turns[1].Parts, thought("T", signature(transform.VendorAnthropic, "S")))
	r.Turns[1].Parts[0], r.Turns[1].Parts[1] = r.Turns[1].Parts[1], r.Turns[1].Parts[0]
	body, lost = encode(t, budgeted, r)
	wantText(t, "fields", body.Get("additionalModelRequestFields"), `{"thinking":{"type":"enabled","budget_tokens":2000}}`)
	wantLosses(t, lost)
}

func TestStreamsAskForTheStopSequenceElsewhere(t *testing.T) {
	r := conversation(user("A"))
	r.Sampling.Stop = []transform.Literal{transform.Quote("x")}
	to := targetOf(budgeted)
	to.Stream = true
	body, err := Codec{}.AppendRequest(nil, r, to, &transform.Losses{})
	if err != nil || string(jsonbytes.Value(body).Get("additionalModelResponseFieldPaths")) != `["/delta/stop_sequence"]` {
		t.Errorf("got %s, %v", body, err)
	}
}

func TestToolsAndChoices(t *testing.T) {
	const f, g = `{"toolSpec":{"name":"f","description":"D","inputSchema":{"json":{"type":"object","properties":{"a":{"type":"string"}}}}}}`, `{"toolSpec":{"name":"g","inputSchema":{"json":{"type":"object","properties":{}}}}}`
	withF := func(mode transform.ToolMode, names ...string) func(*transform.Request) {
		return func(r *transform.Request) {
			r.ToolChoice.Mode = mode
			if len(names) > 0 {
				r.ToolChoice.Name = names[0]
			}
		}
	}
	for _, test := range []struct {
		name, model string
		change      func(*transform.Request)
		config      string // toolConfig
		fields      string // additionalModelRequestFields
		lost        []string
	}{
		{"no choice", nova, func(*transform.Request) {}, `{"tools":[` + f + `,` + g + `]}`, "", nil},
		{"auto", nova, withF(transform.ToolsAuto), `{"tools":[` + f + `,` + g + `],"toolChoice":{"auto":{}}}`, "", nil},
		{"auto where there is no choice", llama, withF(transform.ToolsAuto), `{"tools":[` + f + `,` + g + `]}`, "", nil},
		{"required", nova, withF(transform.ToolsRequired), `{"tools":[` + f + `,` + g + `],"toolChoice":{"any":{}}}`, "", nil},
		{"named", nova, withF(transform.ToolsNamed, "g"), `{"tools":[` + f + `,` + g + `],"toolChoice":{"tool":{"name":"g"}}}`, "", nil},
		{"named of Mistral", mistral, withF(transform.ToolsNamed, "g"), `{"tools":[` + g + `],"toolChoice":{"any":{}}}`, "", nil},
		{"required where there is no choice", llama, withF(transform.ToolsRequired), `{"tools":[` + f + `,` + g + `]}`, "", []string{"!/tool_choice"}},
		{"named where there is no choice", llama, withF(transform.ToolsNamed, "g"), `{"tools":[` + g + `]}`, "", []string{"!/tool_choice"}},
		{"none", nova, withF(transform.ToolsNone), ``, "", nil},
		{"none of Claude", budgeted, withF(transform.ToolsNone), `{"tools":[` + f + `,` + g + `]}`, `{"tool_choice":{"type":"none"}}`, nil},
		{"allowed", nova, func(r *transform.Request) {
			r.ToolChoice = transform.ToolChoice{Mode: transform.ToolsRequired, Allowed: []string{"g"}}
		}, `{"tools":[` + g + `],"toolChoice":{"any":{}}}`, "", nil},
		{"one at a time", nova, func(r *transform.Request) { r.ParallelTools = pointer(false) }, `{"tools":[` + f + `,` + g + `]}`, "", []string{"/parallel_tool_calls"}},
		{"one at a time of Claude", budgeted, func(r *transform.Request) { r.ParallelTools = pointer(false) }, `{"tools":[` + f + `,` + g + `]}`, `{"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`, nil},
		{"long name", budgeted, func(r *transform.Request) { r.Tools[0].Name = strings.Repeat("f", 65) }, `{"tools":[` + g + `]}`, "", []string{"!/tools/0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			r.Tools = []transform.Tool{function("f", `{"type":"object","properties":{"a":{"type":"string"}}}`), function("g", "")}
			r.Tools[0].Description, r.Tools[1].Description = transform.Quote("D"), transform.Quote("")
			test.change(r)
			body, lost := encode(t, test.model, r)
			wantText(t, "toolConfig", body.Get("toolConfig"), test.config)
			wantText(t, "fields", body.Get("additionalModelRequestFields"), test.fields)
			wantLosses(t, lost, test.lost...)
		})
	}
	r := conversation(user("A"))
	r.ToolChoice.Mode = transform.ToolsRequired
	refused(t, nova, r)
}

func TestCallsInTheConversationKeepTheTools(t *testing.T) {
	loop := func() *transform.Request {
		return conversation(user("A"), with(assistant(), callPart("c", "f", "{}")), result("c", "1"))
	}
	body, lost := encode(t, nova, loop())
	if !strings.Contains(string(body.Get("toolConfig")), `"name":"no_tool"`) {
		t.Errorf("got %s", body)
	}
	wantLosses(t, lost)
	r := loop()
	r.Tools, r.ToolChoice.Mode = []transform.Tool{function("f", "")}, transform.ToolsNone
	body, lost = encode(t, nova, r)
	wantText(t, "toolConfig", body.Get("toolConfig"), `{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`)
	wantText(t, "system", body.Get("system"), `[{"text":"Answer without calling any tool."}]`)
	wantLosses(t, lost, "/tool_choice")
}

func TestSchemasOfAnswers(t *testing.T) {
	const closed = `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`
	const open = `{"type":"object","properties":{"a":{"type":"string"}}}`
	for _, test := range []struct {
		name, model, schema string
		strict              *bool
		want                string // a part of the body
		without             string
		lost                []string
	}{
		{"native", gptOSS, closed, nil, `"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",`, "toolConfig", nil},
		{"native if strict", gptOSS, open, pointer(true), `"name":"my_answer","description":"D"}}}}`, "toolConfig", nil},
		{"open", gptOSS, open, nil, `"system":[{"text":"Answer with one JSON value`, "outputConfig", []string{"/response_format"}},
		{"a tool of Nova", nova, open, nil, `"name":"llm_proxy_answer"`, "outputConfig", nil},
		{"forced of Nova", nova, open, nil, `"toolChoice":{"tool":{"name":"llm_proxy_answer"}}`, "tool_choice", nil},
		{"forced of Mistral", mistral, open, nil, `"toolChoice":{"any":{}}`, "outputConfig", nil},
		{"a tool of Claude", budgeted, closed, nil, `"additionalModelRequestFields":{"tool_choice":{"type":"tool","name":"llm_proxy_answer","disable_parallel_tool_use":true}}`, "toolChoice", nil},
		{"native of a Claude that cannot be forced", "anthropic.claude-sonnet-5-5", closed, nil, `"output_config":{"format":{"type":"json_schema"`, "toolConfig", nil},
		{"in words", llama, open, pointer(false), `"system":[{"text":"Answer with one JSON value`, "toolConfig", []string{"/response_format"}},
		{"strict in words", llama, open, pointer(true), `"system":[{"text":"Answer with one JSON value`, "toolConfig", []string{"!/response_format"}},
		{"not an object", nova, `{"type":"array"}`, nil, `"system":[{"text":"Answer with one JSON value`, "toolConfig", []string{"/response_format"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			r.Output = transform.Output{Kind: transform.OutputSchema, Name: "my answer", Description: transform.Quote("D"), Schema: jsonbytes.Value(test.schema), Strict: test.strict}
			body, lost := encode(t, test.model, r)
			if !strings.Contains(string(body), test.want) || strings.Contains(string(body), test.without) {
				t.Errorf("got %s", body)
			}
			wantLosses(t, lost, test.lost...)
		})
	}
	r := conversation(user("A"))
	r.Output.Kind = transform.OutputJSON
	body, _ := encode(t, llama, r)
	if !strings.HasPrefix(string(body.Get("system")), `[{"text":"Answer with one JSON object and nothing else`) {
		t.Errorf("got %s", body)
	}
}

func TestCountsTakeWhatTheModelReads(t *testing.T) {
	r := conversation(system("S"), user("A"))
	r.Tools, r.Sampling.MaxTokens, r.Reasoning.Effort = []transform.Tool{function("f", "")}, 10, "low"
	body, err := Codec{}.AppendCountRequest(nil, r, targetOf(adaptive), &transform.Losses{})
	wantText(t, "body", body, `{"input":{"converse":{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]},`+
		`"system":[{"text":"S"}],"messages":[{"role":"user","content":[{"text":"A"}]}],"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}}}}`)
	if err != nil {
		t.Error(err)
	}
	if n, err := (Codec{}).DecodeCount([]byte(`{"inputTokens":42}`)); n != 42 || err != nil {
		t.Error(n, err)
	}
	for _, bad := range []string{``, `{}`, `{"inputTokens":"1"}`, `{"inputTokens":-1}`} {
		if _, err := (Codec{}).DecodeCount([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}
