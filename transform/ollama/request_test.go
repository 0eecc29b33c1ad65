package ollama

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestMessages(t *testing.T) {
	failed := result("1", say("boom"))
	failed.IsError = true
	answered := result("call_1", say("18"), image(transform.Media{Type: "image/png", Data: []byte("QUJD")}))
	answered.ToolName = "f"
	named := user(say("Hi"))
	named.Name = "ann"
	signed := thought("secret")
	signed.Opaque = transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: transform.Quote("s")}
	marked := say("a")
	marked.Cache = new(transform.CacheMark)
	sound := transform.Part{Kind: transform.PartAudio, Media: transform.Media{Type: "audio/wav", Data: []byte("UklGRg==")}}
	for _, test := range []struct {
		name       string
		turns      []transform.Turn
		want, lost string
	}{
		{
			name:  "texts are joined",
			turns: []transform.Turn{turn(transform.RoleSystem, say("S")), turn(transform.RoleDeveloper, say("D"), say("E")), turn(transform.RoleSystem, say("")), user(say("a"), say(""), say("b")), user(say(""))},
			want: `{"role":"system","content":"S"},{"role":"system","content":"D\n\nE"},{"role":"user","content":"a\n\nb"},` +
				`{"role":"user","content":""}`,
		}, {
			name: "data of images and sounds, and files of text",
			turns: []transform.Turn{user(
				image(transform.Media{Type: "image/png", Data: []byte("QUJD")}), say("see"), sound,
				file(transform.Media{Type: "text/plain", Data: []byte("aGk=")}), file(transform.Media{Type: "image/gif", Data: []byte("R0lG"), Detail: "low"}),
			)},
			want: `{"role":"user","content":"see\n\nhi","images":["QUJD","UklGRg==","R0lG"]}`,
			lost: "/messages/0/content/4/detail",
		}, {
			name: "media without a form",
			turns: []transform.Turn{
				user(say("see"), image(transform.Media{URL: "https://x"}), image(transform.Media{FileID: "file-1"}), file(transform.Media{Type: "application/pdf", Data: []byte("QUJD")}), file(transform.Media{Type: "text/plain", Data: []byte("//8=")})),
				model(image(transform.Media{Data: []byte("QUJD")}), say("ok")), turn(transform.RoleSystem, image(transform.Media{Data: []byte("QUJD")})),
			},
			want: `{"role":"user","content":"see"},{"role":"assistant","content":"ok"}`,
			lost: "!/messages/0/content/1 !/messages/0/content/2 !/messages/0/content/3 !/messages/0/content/4 !/messages/1/content/0 !/messages/2/content/0",
		}, {
			name:  "a loop of tools, with thoughts",
			turns: []transform.Turn{user(say("q")), model(thought("hm"), thought("ha"), say("I'll look.")), model(calling("call_1", "f", `{"a": 1}`), calling("", "g", "")), answered, failed, model(say("done"))},
			want: `{"role":"user","content":"q"},{"role":"assistant","content":"I'll look.","thinking":"hm\n\nha","tool_calls":[` +
				`{"id":"call_1","function":{"index":0,"name":"f","arguments":{"a":1}}},{"function":{"index":1,"name":"g","arguments":{}}}]},` +
				`{"role":"tool","content":"18","images":["QUJD"],"tool_name":"f","tool_call_id":"call_1"},` +
				`{"role":"tool","content":"Error:\n\nboom","tool_call_id":"1"},{"role":"assistant","content":"done"}`,
		}, {
			name:  "what has no place",
			turns: []transform.Turn{named, model(signed, transform.Part{Kind: transform.PartCitation}), user(marked, thought("x"), calling("1", "f", "{}"))},
			want:  `{"role":"user","content":"Hi"},{"role":"user","content":"a"}`,
			lost:  "/messages/0/name /messages/1/content/0 /messages/1/content/1 /messages/2/content/0/cache_control /messages/2/content/1 !/messages/2/content/2",
		}, {
			name:  "arguments that are no object are wrapped",
			turns: []transform.Turn{model(calling("1", "f", `{"a":`), transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "2", Name: "g", Arguments: []byte(`x "y"`), Custom: true}})},
			want: `{"role":"assistant","content":"","tool_calls":[{"id":"1","function":{"index":0,"name":"f","arguments":{"arguments":"{\"a\":"}}},` +
				`{"id":"2","function":{"index":1,"name":"g","arguments":{"input":"x \"y\""}}}]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, lost := encode(t, &transform.Request{Turns: test.turns}, local)
			_, got, _ := strings.Cut(text, `"messages":[`)
			if got = strings.TrimSuffix(got, `],"stream":false}`); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			if lost != test.lost {
				t.Errorf("lost %q, want %q", lost, test.lost)
			}
		})
	}
}

func TestAConversationOfNothingIsRefused(t *testing.T) {
	for _, turns := range [][]transform.Turn{nil, {turn(transform.RoleSystem, say(""))}} {
		_, err := Codec{}.AppendRequest(nil, &transform.Request{Turns: turns}, local, new(transform.Losses))
		if e, ok := err.(*transform.Error); !ok || e.Kind != transform.ErrBadRequest {
			t.Errorf("%v", err)
		}
	}
}

func TestStreamIsAlwaysSaid(t *testing.T) {
	to := local
	for _, to.Stream = range []bool{false, true} {
		text, _ := encode(t, ask(), to)
		if got, ok := jsonbytes.Value(text).Get("stream").Bool(); !ok || got != to.Stream {
			t.Error(text)
		}
	}
}

func TestParameters(t *testing.T) {
	sampling := func(s transform.Sampling) func(*transform.Request) {
		return func(r *transform.Request) { r.Sampling = s }
	}
	effort := func(word string, budget int64) func(*transform.Request) {
		return func(r *transform.Request) { r.Reasoning = transform.Reasoning{Effort: word, Budget: budget} }
	}
	output := func(o transform.Output) func(*transform.Request) {
		return func(r *transform.Request) { r.Output = o }
	}
	number := func(s string) jsonbytes.Value { return jsonbytes.Value(s) }
	type options = []func(*transform.Request)
	for _, test := range []struct {
		name    string
		options options
		want    string // what stands between the messages and the stream
		lost    string
	}{
		{name: "none"},
		{
			name: "all of sampling",
			options: options{sampling(transform.Sampling{
				MaxTokens: 9, Temperature: number("0.50"), TopP: number("1"), TopK: number("40"), Seed: number("7"),
				PresencePenalty: number("-0.1"), FrequencyPenalty: number("1"), Stop: []transform.Literal{transform.Quote("a"), transform.Quote(""), transform.Quote("b")}, N: 1,
			})},
			want: `"options":{"num_predict":9,"temperature":0.50,"top_p":1,"top_k":40,"seed":7,"presence_penalty":-0.1,"frequency_penalty":1,"stop":["a","b"]}`,
		},
		{name: "several answers", options: options{sampling(transform.Sampling{N: 2, TopK: number(`"x"`)})}, lost: "/top_k !/n"},
		{name: "any object", options: options{output(transform.Output{Kind: transform.OutputJSON})}, want: `"format":"json"`},
		{name: "a schema", options: options{output(transform.Output{Kind: transform.OutputSchema, Name: "n", Schema: number(`{"type":"object"}`), Description: transform.Quote("d")})}, want: `"format":{"type":"object"}`, lost: "/response_format/json_schema/description"},
		{name: "no schema after all", options: options{output(transform.Output{Kind: transform.OutputSchema})}, want: `"format":"json"`},
		{name: "text", options: options{output(transform.Output{Kind: transform.OutputText})}},
		{name: "effort none", options: options{effort("none", 0)}, want: `"think":false`},
		{name: "effort minimal", options: options{effort("minimal", 0)}, want: `"think":"low"`},
		{name: "effort medium", options: options{effort("medium", 0)}, want: `"think":"medium"`},
		{name: "effort xhigh", options: options{effort("xhigh", 0)}, want: `"think":"high"`},
		{name: "effort max", options: options{effort("max", 0)}, want: `"think":"max"`},
		{name: "unknown effort", options: options{effort("epic", 0)}, lost: "/reasoning_effort"},
		{name: "a small budget", options: options{effort("", 500)}, want: `"think":"low"`},
		{name: "a middling budget", options: options{effort("", 5000)}, want: `"think":"medium"`},
		{name: "a large budget", options: options{effort("", 50000)}, want: `"think":"high"`},
		{name: "think", options: options{rest("think", "true")}, want: `"think":true`},
		{name: "think said twice", options: options{effort("low", 0), rest("think", "true"), rest("thinking", `{"type":"enabled"}`)}, want: `"think":"low"`, lost: "/think /thinking"},
		{name: "thinking in Anthropic's words", options: options{rest("thinking", `{"type":"enabled","budget_tokens":20000,"display":"x"}`)}, want: `"think":"high"`, lost: "/thinking/display"},
		{name: "no thinking in Anthropic's words", options: options{rest("thinking", `{"type":"disabled"}`)}, want: `"think":false`},
		{name: "probabilities", options: options{func(r *transform.Request) { r.Logprobs, r.TopLogprobs = true, 50 }}, want: `"logprobs":true,"top_logprobs":20`},
		{
			name: "Ollama's own members",
			options: options{
				rest("keep_alive", `"5m"`), rest("num_ctx", "8192"), rest("min_p", "0.05"), rest("truncate", "false"), rest("shift", "true"),
				rest("options", `{"repeat_penalty":1.1,"num_ctx":1,"temperature":0.1,"nonsense":1,"use_mmap":true,"stop":["x"],"seed":null}`),
			},
			want: `"options":{"num_ctx":8192,"min_p":0.05,"repeat_penalty":1.1,"temperature":0.1,"use_mmap":true,"stop":["x"]},"keep_alive":"5m","truncate":false,"shift":true`,
			lost: "/options/num_ctx /options/nonsense",
		}, {
			name:    "options that are given already",
			options: options{sampling(transform.Sampling{MaxTokens: 5}), rest("options", `{"num_predict":1,"stop":"x"}`), rest("keep_alive", "{}"), rest("num_ctx", `"8k"`)},
			want:    `"options":{"num_predict":5}`, lost: "/options/num_predict /options/stop /keep_alive /num_ctx",
		}, {
			name: "what has no place",
			options: options{
				rest("logit_bias", "{}"), rest("store", "false"), rest("store", "true"), rest("metadata", "null"), rest("previous_response_id", `"x"`),
				func(r *transform.Request) { r.User, r.ServiceTier = "u", "flex" },
			},
			lost: "/logit_bias /store !/previous_response_id /user /service_tier",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, lost := encode(t, ask(test.options...), local)
			got := strings.TrimPrefix(text, `{"model":"qwen3:4b","messages":[{"role":"user","content":"q"}],`)
			if got = strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(got, `"stream":false}`), ","), ","); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if lost != test.lost {
				t.Errorf("lost %q, want %q", lost, test.lost)
			}
		})
	}
}

func TestTools(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{}}}`
	f, g := function("f", schema), transform.Tool{Name: "g"}
	f.Description = transform.Quote("d")
	picky := f
	picky.Strict, picky.Cache = new(true), new(transform.CacheMark)
	custom := transform.Tool{Name: "c", Custom: true, Grammar: jsonbytes.Value(`{"definition":"x: y"}`)}
	textF := `{"type":"function","function":{"name":"f","description":"d","parameters":` + schema + `}}`
	textG := `{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}`
	choice := func(c transform.ToolChoice) func(*transform.Request) {
		return func(r *transform.Request) { r.ToolChoice = c }
	}
	type options = []func(*transform.Request)
	for _, test := range []struct {
		name    string
		options options
		want    string
		lost    string
	}{
		{name: "plain", options: options{tools(f, g)}, want: textF + "," + textG},
		{name: "auto", options: options{tools(f), choice(transform.ToolChoice{Mode: transform.ToolsAuto})}, want: textF},
		{name: "none", options: options{tools(f), choice(transform.ToolChoice{Mode: transform.ToolsNone})}},
		{name: "required", options: options{tools(f), choice(transform.ToolChoice{Mode: transform.ToolsRequired})}, want: textF, lost: "/tool_choice"},
		{name: "named", options: options{tools(f, g), choice(transform.ToolChoice{Mode: transform.ToolsNamed, Name: "g"})}, want: textG, lost: "/tool_choice"},
		{name: "some allowed", options: options{tools(f, g), choice(transform.ToolChoice{Mode: transform.ToolsAuto, Allowed: []string{"g"}})}, want: textG},
		{name: "named that is not there", options: options{tools(f), choice(transform.ToolChoice{Mode: transform.ToolsNamed, Name: "x"})}, lost: "!/tool_choice"},
		{name: "what has no place", options: options{tools(picky), func(r *transform.Request) { r.ParallelTools = new(false) }}, want: textF, lost: "/tools/0/cache_control /tools/0/strict /parallel_tool_calls"},
		{
			name: "free text", options: options{tools(custom)}, lost: "/tools/0/format",
			want: `{"type":"function","function":{"name":"c","parameters":{"type":"object","properties":{"input":{"type":"string","description":"Must follow this grammar:\nx: y"}},"required":["input"]}}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, lost := encode(t, ask(test.options...), local)
			got := strings.Trim(string(jsonbytes.Value(text).Get("tools")), "[]")
			if got != test.want || lost != test.lost {
				t.Errorf("lost %q, want %q, got\n%s\nwant\n%s", lost, test.lost, got, test.want)
			}
		})
	}
}
