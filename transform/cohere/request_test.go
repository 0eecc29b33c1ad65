package cohere

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestParameters(t *testing.T) {
	sampling := func(s transform.Sampling) func(*transform.Request) {
		return func(r *transform.Request) { r.Sampling = s }
	}
	effort := func(word string, budget, most int64) func(*transform.Request) {
		return func(r *transform.Request) {
			r.Reasoning = transform.Reasoning{Effort: word, Budget: budget}
			r.Sampling.MaxTokens = most
		}
	}
	number := func(s string) jsonbytes.Value { return jsonbytes.Value(s) }
	for _, test := range []struct {
		name    string
		options []func(*transform.Request)
		model   string
		want    string // what stands between the messages and the stream
		lost    string
	}{
		{name: "none", want: ""},
		{
			name: "all of sampling",
			options: []func(*transform.Request){sampling(transform.Sampling{
				MaxTokens: 9, Temperature: number("0.50"), TopP: number("0.9"), TopK: number("40"), Seed: number("7"),
				PresencePenalty: number("0.1"), FrequencyPenalty: number("1"), Stop: []transform.Literal{transform.Quote("a"), transform.Quote("")}, N: 1,
			})},
			want: `,"max_tokens":9,"temperature":0.50,"p":0.9,"k":40,"seed":7,"frequency_penalty":1,"presence_penalty":0.1,"stop_sequences":["a"]`,
		}, {
			name: "what is out of range is brought into it",
			options: []func(*transform.Request){sampling(transform.Sampling{
				TopP: number("1"), TopK: number("900"), PresencePenalty: number("-0.5"), FrequencyPenalty: number("1.5"), Seed: number("-1"), N: 2,
			})},
			want: `,"p":0.99,"k":500,"frequency_penalty":1`,
			lost: "/seed /presence_penalty !/n",
		},
		{name: "p of zero", options: []func(*transform.Request){sampling(transform.Sampling{TopP: number("0.0")})}, want: `,"p":0.01`},
		{
			name: "too many stops",
			options: []func(*transform.Request){sampling(transform.Sampling{Stop: []transform.Literal{
				transform.Quote("1"), transform.Quote("2"), transform.Quote("3"), transform.Quote("4"), transform.Quote("5"), transform.Quote("6"),
			}})},
			want: `,"stop_sequences":["1","2","3","4","5"]`, lost: "/stop",
		}, {
			name:    "probabilities",
			options: []func(*transform.Request){func(r *transform.Request) { r.Logprobs, r.TopLogprobs = true, 3 }},
			want:    `,"logprobs":true`, lost: "/top_logprobs",
		},
		{name: "effort none", options: []func(*transform.Request){effort("none", 0, 0)}, want: `,"thinking":{"type":"disabled"}`},
		{name: "effort minimal", options: []func(*transform.Request){effort("minimal", 0, 0)}, want: `,"thinking":{"type":"enabled","token_budget":512}`},
		{name: "effort low", options: []func(*transform.Request){effort("low", 0, 100)}, want: `,"thinking":{"type":"enabled","token_budget":50},"max_tokens":100`},
		{name: "effort medium", options: []func(*transform.Request){effort("medium", 0, 0)}, want: `,"thinking":{"type":"enabled","token_budget":8192}`},
		{name: "effort high", options: []func(*transform.Request){effort("high", 0, 0)}, want: `,"thinking":{"type":"enabled"}`},
		{name: "budget", options: []func(*transform.Request){effort("", 1000, 0)}, want: `,"thinking":{"type":"enabled","token_budget":1000}`},
		{name: "unknown effort", options: []func(*transform.Request){effort("epic", 0, 0)}, lost: "/reasoning_effort"},
		{name: "a model that does not think", model: "command-r7b-12-2024", options: []func(*transform.Request){effort("high", 0, 0)}, lost: "/reasoning_effort"},
		{name: "nor need be told not to", model: "command-a-03-2025", options: []func(*transform.Request){effort("none", 0, 0)}},
		{name: "thinking in Anthropic's words", options: []func(*transform.Request){rest("thinking", `{"type":"enabled","budget_tokens":2000,"x":1}`)}, want: `,"thinking":{"type":"enabled","token_budget":2000}`, lost: "/thinking/x"},
		{name: "thinking in Cohere's words", options: []func(*transform.Request){rest("thinking", `{"type":"disabled"}`)}, want: `,"thinking":{"type":"disabled"}`},
		{name: "thinking said twice", options: []func(*transform.Request){effort("none", 0, 0), rest("thinking", `{"type":"enabled"}`)}, want: `,"thinking":{"type":"disabled"}`, lost: "/thinking"},
		{
			name: "Cohere's own members",
			options: []func(*transform.Request){
				rest("safety_mode", `"OFF"`), rest("priority", "1"), rest("citation_options", `{"mode":"FAST"}`), rest("k", "3"), rest("p", "0.5"),
				rest("documents", `[{"data":{}}]`), rest("strict_tools", "true"),
			},
			want: `,"documents":[{"data":{}}],"p":0.5,"k":3,"citation_options":{"mode":"FAST"},"safety_mode":"OFF","priority":1`,
		}, {
			name: "what has no place",
			options: []func(*transform.Request){
				rest("logit_bias", "{}"), rest("store", "false"), rest("store", "true"), rest("metadata", "null"), rest("previous_response_id", `"x"`),
				rest("documents", `"d"`), rest("priority", `"high"`),
				func(r *transform.Request) { r.User, r.ServiceTier = "u", "flex" },
			},
			lost: "/logit_bias /store !/previous_response_id !/documents /priority /user /service_tier",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			to := thinker
			if test.model != "" {
				to.Model = test.model
			}
			text, lost := encode(t, ask(test.options...), to)
			got := strings.TrimPrefix(text, `{"model":"`+to.Model+`","messages":[{"role":"user","content":"q"}]`)
			if got = strings.TrimSuffix(got, `,"stream":false}`); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if lost != test.lost {
				t.Errorf("lost %q, want %q", lost, test.lost)
			}
		})
	}
}

func TestStreamIsAskedFor(t *testing.T) {
	to := thinker
	to.Stream = true
	if text, _ := encode(t, ask(), to); !strings.HasSuffix(text, `,"stream":true}`) {
		t.Error(text)
	}
}

func TestTools(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}`
	f, g, h := function("f", schema), function("g", schema), transform.Tool{Name: "h"}
	f.Description = transform.Quote("d")
	strict := f
	strict.Strict = new(true)
	strictH := h
	strictH.Strict = new(true)
	marked := h
	marked.Cache = new(transform.CacheMark)
	custom := transform.Tool{Name: "c", Custom: true, Grammar: jsonbytes.Value(`{"type":"grammar","grammar":{"definition":"x: y"}}`)}
	choice := func(c transform.ToolChoice) func(*transform.Request) {
		return func(r *transform.Request) { r.ToolChoice = c }
	}
	textF := `{"type":"function","function":{"name":"f","description":"d","parameters":` + schema + `}}`
	textG := `{"type":"function","function":{"name":"g","parameters":` + schema + `}}`
	textH := `{"type":"function","function":{"name":"h","parameters":{"type":"object","properties":{}}}}`
	for _, test := range []struct {
		name    string
		options []func(*transform.Request)
		want    string
		lost    string
	}{
		{name: "plain", options: []func(*transform.Request){tools(f, h)}, want: `"tools":[` + textF + "," + textH + "]"},
		{name: "auto", options: []func(*transform.Request){tools(h), choice(transform.ToolChoice{Mode: transform.ToolsAuto})}, want: `"tools":[` + textH + "]"},
		{name: "required", options: []func(*transform.Request){tools(h), choice(transform.ToolChoice{Mode: transform.ToolsRequired})}, want: `"tools":[` + textH + `],"tool_choice":"REQUIRED"`},
		{name: "none", options: []func(*transform.Request){tools(h), choice(transform.ToolChoice{Mode: transform.ToolsNone})}, want: `"tools":[` + textH + `],"tool_choice":"NONE"`},
		{name: "named", options: []func(*transform.Request){tools(f, g, h), choice(transform.ToolChoice{Mode: transform.ToolsNamed, Name: "g"})}, want: `"tools":[` + textG + `],"tool_choice":"REQUIRED"`},
		{name: "some allowed", options: []func(*transform.Request){tools(f, g, h), choice(transform.ToolChoice{Mode: transform.ToolsAuto, Allowed: []string{"h", "g"}})}, want: `"tools":[` + textG + "," + textH + `]`},
		{name: "none allowed", options: []func(*transform.Request){tools(f), choice(transform.ToolChoice{Mode: transform.ToolsAuto, Allowed: []string{}})}},
		{name: "named that is not there", options: []func(*transform.Request){tools(f), choice(transform.ToolChoice{Mode: transform.ToolsNamed, Name: "x"})}, lost: "!/tool_choice"},
		{name: "required without tools", options: []func(*transform.Request){choice(transform.ToolChoice{Mode: transform.ToolsRequired})}, lost: "!/tool_choice"},
		{name: "one at a time, and marks", options: []func(*transform.Request){tools(marked), func(r *transform.Request) { r.ParallelTools = new(false) }}, want: `"tools":[` + textH + "]", lost: "/parallel_tool_calls /tools/0/cache_control"},
		{
			name: "strict", options: []func(*transform.Request){tools(strict)},
			want: `"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}}],"strict_tools":true`,
			lost: "/tools/0/parameters",
		},
		{name: "strict beside a tool without arguments", options: []func(*transform.Request){tools(strict, h)}, want: `"tools":[` + textF + "," + textH + "]", lost: "/tools/0/strict"},
		{name: "strict without arguments", options: []func(*transform.Request){tools(strictH)}, want: `"tools":[` + textH + "]", lost: "/tools/0/strict"},
		{name: "not strict by the client's own word", options: []func(*transform.Request){tools(strict), rest("strict_tools", "false")}, want: `"tools":[` + textF + `],"strict_tools":false`},
		{
			name: "free text", options: []func(*transform.Request){tools(custom)},
			want: `"tools":[{"type":"function","function":{"name":"c","parameters":{"type":"object","properties":{"input":{"type":"string","description":"Must follow this grammar:\nx: y"}},"required":["input"]}}}]`,
			lost: "/tools/0/format",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, lost := encode(t, ask(test.options...), thinker)
			_, got, _ := strings.Cut(text, `"messages":[{"role":"user","content":"q"}]`)
			if got = strings.TrimPrefix(strings.TrimSuffix(got, `,"stream":false}`), ","); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if lost != test.lost {
				t.Errorf("lost %q, want %q", lost, test.lost)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	json := func(r *transform.Request) { r.Output.Kind = transform.OutputJSON }
	schema := func(text string) func(*transform.Request) {
		return func(r *transform.Request) {
			r.Output = transform.Output{Kind: transform.OutputSchema, Name: "n", Schema: jsonbytes.Value(text), Strict: new(true)}
		}
	}
	described := func(r *transform.Request) { r.Output.Description = transform.Quote("d") }
	none := func(r *transform.Request) { r.ToolChoice.Mode = transform.ToolsNone }
	object := `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`
	for _, test := range []struct {
		name    string
		options []func(*transform.Request)
		want    string
		lost    string
	}{
		{"any object", []func(*transform.Request){json}, `"response_format":{"type":"json_object"}`, ""},
		{"a schema", []func(*transform.Request){schema(object)}, `"response_format":{"type":"json_object","json_schema":` + object + `}`, ""},
		{"no schema after all", []func(*transform.Request){schema("")}, `"response_format":{"type":"json_object"}`, ""},
		{"not of an object", []func(*transform.Request){schema(`{"type":"array","items":{}}`)}, `"response_format":{"type":"json_object"}`, "!/response_format/json_schema/schema"},
		{"what a schema cannot say", []func(*transform.Request){schema(`{"properties":{"a":{"maxLength":3}}}`), described},
			`"response_format":{"type":"json_object","json_schema":{"properties":{"a":{}},"type":"object","required":["a"]}}`, "/response_format/json_schema/schema /response_format/json_schema/description"},
		{"with tools", []func(*transform.Request){json, tools(transform.Tool{Name: "f"})}, `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`, "!/response_format"},
		{"with tools that are not to be called", []func(*transform.Request){json, tools(transform.Tool{Name: "f"}), none}, `"response_format":{"type":"json_object"}`, ""},
		{"with documents", []func(*transform.Request){json, rest("documents", `["d"]`)}, `"documents":["d"]`, "!/response_format"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, lost := encode(t, ask(test.options...), thinker)
			_, got, _ := strings.Cut(text, `"messages":[{"role":"user","content":"q"}],`)
			if got = strings.TrimSuffix(got, `,"stream":false}`); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if lost != test.lost {
				t.Errorf("lost %q, want %q", lost, test.lost)
			}
		})
	}
}

func TestStrictSchema(t *testing.T) {
	for _, test := range []struct {
		name, schema, want string
		exact              bool
		fields             int
	}{
		{"nested", `{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"array","items":{"type":"object","properties":{"c":{}}}}}}},"required":["a"]}`,
			`{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"array","items":{"type":"object","properties":{"c":{}},"required":["c"]}}},"required":["b"]}},"required":["a"]}`, true, 3},
		{"definitions", `{"$schema":"s","type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"required":["a"],"$defs":{"x":{"oneOf":[{"const":1},{"enum":["b"]}]}}}`,
			`{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"required":["a"],"$defs":{"x":{"anyOf":[{"const":1},{"enum":["b"]}]}}}`, true, 1},
		{"an empty list of what is required", `{"properties":{"a":{}},"required":[]}`, `{"properties":{"a":{}},"type":"object","required":["a"]}`, true, 1},
		{"allOf of one", `{"allOf":[{"type":"string"}],"title":"t"}`, `{"anyOf":[{"type":"string"}],"title":"t"}`, true, 0},
		{"allOf of two", `{"allOf":[{},{}]}`, `{}`, false, 0},
		{"two kinds of alternatives", `{"anyOf":[{}],"oneOf":[{}]}`, `{"anyOf":[{}]}`, false, 0},
		{"formats", `{"anyOf":[{"format":"date"},{"format":"email"}]}`, `{"anyOf":[{"format":"date"},{}]}`, false, 0},
		{"open objects", `{"type":"object","additionalProperties":{"type":"string","minLength":1}}`, `{"type":"object","additionalProperties":{"type":"string"}}`, false, 0},
		{"a pattern with anchors around it", `{"pattern":"^[^a]+\\d$"}`, `{"pattern":"[^a]+\\d"}`, true, 0},
		{"a pattern without", `{"pattern":"\\$\\d"}`, `{"pattern":"\\$\\d"}`, true, 0},
		{"a pattern with an anchor", `{"pattern":"^a|b$"}`, `{}`, false, 0},
		{"a pattern that looks ahead", `{"pattern":"(?=a)"}`, `{}`, false, 0},
		{"lengths and ranges", `{"minimum":1,"maxItems":2,"uniqueItems":true}`, `{}`, false, 0},
		{"anything", `true`, `{}`, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, exact, fields := strictSchema(jsonbytes.Value(test.schema))
			if string(text) != test.want || exact != test.exact || fields != test.fields {
				t.Errorf("got  %s, %v, %d\nwant %s, %v, %d", text, exact, fields, test.want, test.exact, test.fields)
			}
		})
	}
	deep := strings.Repeat(`{"items":`, 5000) + "{}" + strings.Repeat("}", 5000)
	if text, exact, _ := strictSchema(jsonbytes.Value(deep)); exact || len(text) > 2000 {
		t.Errorf("%d bytes, exact %v", len(text), exact)
	}
}
