package openai

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func yes() *bool { is := true; return &is }

// hello is a request with nothing but a user's word, and what change makes of it.
func hello(change func(*transform.Request)) *transform.Request {
	r := &transform.Request{Turns: []transform.Turn{{Parts: []transform.Part{said("hi")}}}}
	change(r)
	return r
}

func tool() []transform.Tool {
	var root transform.Path
	tools := root.Key("tools")
	return []transform.Tool{{Name: "f", Schema: jsonbytes.Value(`{}`), Strict: yes(), At: tools.Index(0)}}
}

func TestProfilesChangeRequests(t *testing.T) {
	var root transform.Path
	const message, tools = `"messages":[{"role":"user","content":"hi"}]`, `"tools":[{"type":"function","function":{"name":"f","parameters":{},"strict":true}}]`
	turn := root.Key("messages")
	at := turn.Index(0)
	call := func(id string) transform.Part {
		return transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: id, Name: "f"}}
	}
	image := func(m transform.Media) func(*transform.Request) {
		return func(r *transform.Request) {
			r.Turns[0].Parts = []transform.Part{{Kind: transform.PartImage, Media: m, At: at}}
		}
	}
	file := func(kind transform.PartKind, m transform.Media) func(*transform.Request) {
		return func(r *transform.Request) { r.Turns[0].Parts = []transform.Part{{Kind: kind, Media: m, At: at}} }
	}
	effort := func(word string, budget int64) func(*transform.Request) {
		return func(r *transform.Request) { r.Reasoning.Effort, r.Reasoning.Budget = word, budget }
	}
	choice := func(mode transform.ToolMode) func(*transform.Request) {
		return func(r *transform.Request) {
			r.Tools, r.ToolChoice = tool(), transform.ToolChoice{Mode: mode, Name: "f"}
		}
	}
	schema := func(r *transform.Request) {
		r.Output = transform.Output{Kind: transform.OutputSchema, Schema: jsonbytes.Value(`{"type":"object"}`)}
	}
	object := func(r *transform.Request) { r.Output.Kind = transform.OutputJSON }
	warm := func(v string) func(*transform.Request) {
		return func(r *transform.Request) { r.Sampling.Temperature = jsonbytes.Value(v) }
	}
	rest := func(name, v string) func(*transform.Request) {
		return func(r *transform.Request) {
			r.Rest = append(r.Rest, transform.Member{Name: name, Value: jsonbytes.Value(v)})
		}
	}
	const instructed = `"messages":[{"role":"system","content":"Answer with a JSON object and nothing else."},{"role":"user","content":"hi"}]`
	for _, test := range []struct {
		name          string
		p             Profile
		change        func(*transform.Request)
		want          string
		lost, refused string
	}{
		{"nothing", Profile{}, func(*transform.Request) {}, message, "", ""},

		{"Only", Profile{Only: []string{"model", "messages", "max_tokens"}}, func(r *transform.Request) {
			r.Sampling = transform.Sampling{MaxTokens: 5, TopP: jsonbytes.Value("0.5"), N: 1}
			r.User, r.Logprobs, r.Reasoning.Effort = "u", true, "low"
		}, message + `,"max_tokens":5`, "/top_p /logprobs /reasoning_effort /user", ""},
		{"Only, several answers", Profile{Only: []string{"messages"}}, func(r *transform.Request) { r.Sampling.N = 2 }, message, "/n", "/n"},
		{"Only, tools", Profile{Only: []string{"messages"}}, choice(transform.ToolsAuto), message, "/tools", "/tools"},
		{"Only, tools that must not be called", Profile{Only: []string{"messages"}}, choice(transform.ToolsNone), message, "", ""},
		{"Only, a schema", Profile{Only: []string{"messages"}}, schema, message, "/response_format", "/response_format"},
		{"Only, what the default is", Profile{Only: []string{"messages"}}, warm("1"), message, "", ""},
		{"Remove", Profile{Remove: []string{"seed", "stop", "parallel_tool_calls"}}, func(r *transform.Request) {
			r.Sampling.Seed, r.Sampling.Stop, r.Tools, r.ParallelTools = jsonbytes.Value("1"), []transform.Literal{quote("a")}, tool(), yes()
		}, message + `,` + tools, "/parallel_tool_calls /seed /stop", ""},
		{"Remove, the alternatives of tokens", Profile{Remove: []string{"top_logprobs"}}, func(r *transform.Request) {
			r.Logprobs, r.TopLogprobs = true, 2
		}, message + `,"logprobs":true`, "/top_logprobs", ""},
		{"Models", Profile{Models: []ModelRule{{Models: []string{"x*"}}, {Models: []string{"m*"}, Remove: []string{"stop"}}}}, func(r *transform.Request) {
			r.Sampling.Stop = []transform.Literal{quote("a")}
		}, message, "/stop", ""},
		{"Models, another's", Profile{Models: []ModelRule{{Models: []string{"m"}}, {Models: []string{"*"}, Remove: []string{"stop"}}}}, func(r *transform.Request) {
			r.Sampling.Stop = []transform.Literal{quote("a")}
		}, message + `,"stop":["a"]`, "", ""},
		{"nothing kept", Profile{}, rest("store", "true"), message, "/store", ""},
		{"Keep", Profile{Keep: []string{"store"}}, rest("store", "true"), message + `,"store":true`, "", ""},
		{"Keep, its own", Profile{Keep: []string{"safe_prompt"}}, rest("safe_prompt", "true"), message + `,"safe_prompt":true`, "", ""},
		{"Keep, never a state", Profile{Keep: []string{"conversation"}}, rest("conversation", `"c"`), message, "/conversation", "/conversation"},
		{"Keep, a tier", Profile{Keep: []string{"service_tier"}}, func(r *transform.Request) { r.ServiceTier = "auto" }, message + `,"service_tier":"auto"`, "", ""},
		{"a tier", Profile{}, func(r *transform.Request) { r.ServiceTier = "flex" }, message, "/service_tier", ""},
		{"Rename", Profile{Rename: map[string]string{"seed": "random_seed", "user": "user_id"}}, func(r *transform.Request) {
			r.Sampling.Seed, r.User = jsonbytes.Value("1"), "u"
		}, message + `,"random_seed":1,"user_id":"u"`, "", ""},
		{"Rename, said twice", Profile{Rename: map[string]string{"seed": "random_seed"}, Keep: []string{"random_seed"}}, func(r *transform.Request) {
			r.Sampling.Seed = jsonbytes.Value("1")
			rest("random_seed", "2")(r)
		}, message + `,"random_seed":1`, "/random_seed", ""},
		{"Rename, in its own words", Profile{Rename: map[string]string{"seed": "random_seed"}, Keep: []string{"random_seed"}}, rest("random_seed", "2"), message + `,"random_seed":2`, "", ""},
		{"Extra", Profile{Extra: []transform.Member{{Name: "split", Value: jsonbytes.Value("true")}}}, func(*transform.Request) {}, message + `,"split":true`, "", ""},

		{"MaxTokens", Profile{MaxTokens: "max_completion_tokens"}, func(r *transform.Request) { r.Sampling.MaxTokens = 5 }, message + `,"max_completion_tokens":5`, "", ""},
		{"TemperatureMax", Profile{TemperatureMax: 1}, warm("1.5"), message + `,"temperature":1`, "", ""},
		{"TemperatureMax, within", Profile{TemperatureMax: 1}, warm("0.70"), message + `,"temperature":0.70`, "", ""},
		{"TemperatureAboveZero", Profile{TemperatureAboveZero: true}, warm("0"), message + `,"temperature":0.01`, "", ""},
		{"Stops", Profile{Stops: 1}, func(r *transform.Request) { r.Sampling.Stop = []transform.Literal{quote("a"), quote("b")} }, message + `,"stop":["a"]`, "/stop", ""},
		{"Single", Profile{Single: true}, func(r *transform.Request) { r.Sampling.N = 2 }, message, "/n", "/n"},
		{"Single, one answer", Profile{Single: true}, func(r *transform.Request) { r.Sampling.N = 1 }, message, "", ""},

		{"Efforts", Profile{Efforts: map[string]string{"max": "high"}}, effort("max", 0), message + `,"reasoning_effort":"high"`, "", ""},
		{"Efforts, none for it", Profile{Efforts: map[string]string{"minimal": ""}}, effort("minimal", 0), message, "/reasoning_effort", ""},
		{"EffortNested", Profile{Effort: EffortNested}, effort("low", 0), message + `,"reasoning":{"effort":"low"}`, "", ""},
		{"EffortNested, a number", Profile{Effort: EffortNested}, effort("", 2000), message + `,"reasoning":{"max_tokens":2000}`, "", ""},
		{"EffortThinking", Profile{Effort: EffortThinking}, effort("low", 0), message + `,"thinking":{"type":"enabled"}`, "", ""},
		{"EffortThinking, none", Profile{Effort: EffortThinking}, effort("none", 0), message + `,"thinking":{"type":"disabled"}`, "", ""},
		{"EffortEnable", Profile{Effort: EffortEnable}, effort("none", 0), message + `,"enable_thinking":false`, "", ""},
		{"EffortEnable, a number", Profile{Effort: EffortEnable}, effort("", 2000), message + `,"enable_thinking":true,"thinking_budget":2000`, "", ""},

		{"SchemaObject", Profile{Schema: SchemaObject}, schema, `"messages":[{"role":"system","content":"Answer with a JSON object that matches this JSON Schema, and nothing else: {\"type\":\"object\"}"},{"role":"user","content":"hi"}],"response_format":{"type":"json_object"}`, "/response_format", ""},
		{"SchemaValue", Profile{Schema: SchemaValue}, schema, message + `,"response_format":{"type":"json_object","value":{"type":"object"}}`, "", ""},
		{"SchemaValue, any object", Profile{Schema: SchemaValue}, object, message + `,"response_format":{"type":"json_object","value":{"type":"object"}}`, "", ""},
		{"any object", Profile{}, object, instructed + `,"response_format":{"type":"json_object"}`, "", ""},
		{"any object, as the prompt says", Profile{}, func(r *transform.Request) {
			object(r)
			r.Turns[0].Parts = []transform.Part{said("JSON, please")}
		}, `"messages":[{"role":"user","content":"JSON, please"}],"response_format":{"type":"json_object"}`, "", ""},
		{"NoJSONObject", Profile{NoJSONObject: true}, object, message + `,"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}}`, "", ""},
		{"an instruction joins the system's", Profile{}, func(r *transform.Request) {
			object(r)
			r.Turns = append([]transform.Turn{{Role: transform.RoleSystem, Parts: []transform.Part{said("s")}}}, r.Turns...)
		}, `"messages":[{"role":"system","content":"s\n\nAnswer with a JSON object and nothing else."},{"role":"user","content":"hi"}],"response_format":{"type":"json_object"}`, "", ""},

		{"ChoiceNotRequired", Profile{Choice: ChoiceNotRequired}, choice(transform.ToolsRequired), message + `,` + tools, "/tool_choice", "/tool_choice"},
		{"ChoiceNotRequired, named", Profile{Choice: ChoiceNotRequired}, choice(transform.ToolsNamed), message + `,` + tools + `,"tool_choice":{"type":"function","function":{"name":"f"}}`, "", ""},
		{"ChoiceAuto", Profile{Choice: ChoiceAuto}, choice(transform.ToolsAuto), message + `,` + tools + `,"tool_choice":"auto"`, "", ""},
		{"ChoiceAuto, named", Profile{Choice: ChoiceAuto}, choice(transform.ToolsNamed), message + `,` + tools, "/tool_choice", "/tool_choice"},
		{"ChoiceAuto, none", Profile{Choice: ChoiceAuto}, choice(transform.ToolsNone), message, "", ""},
		{"NoStrict", Profile{NoStrict: true}, choice(transform.ToolsUnset), message + `,"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]`, "/tools/0/strict", ""},
		{"ToolIDs", Profile{ToolIDs: 9}, func(r *transform.Request) {
			r.Turns = []transform.Turn{
				{Role: transform.RoleAssistant, Parts: []transform.Part{call("call_1"), call("abcDEF123")}},
				{Role: transform.RoleTool, CallID: "call_1"}, {Role: transform.RoleTool, CallID: "abcDEF123"},
			}
		}, `"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"2ZxtuOiTe","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"abcDEF123","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
			`{"role":"tool","tool_call_id":"2ZxtuOiTe","content":""},{"role":"tool","tool_call_id":"abcDEF123","content":""}]`, "", ""},

		{"ImagesData", Profile{Images: ImagesData}, image(transform.Media{URL: "https://x"}), `"messages":[{"role":"user","content":""}]`, "/messages/0", "/messages/0"},
		{"ImagesData, data", Profile{Images: ImagesData}, image(transform.Media{Type: "image/png", Data: []byte("AAAA")}), `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]`, "", ""},
		{"ImagesNone", Profile{Images: ImagesNone}, image(transform.Media{Type: "image/png", Data: []byte("AAAA")}), `"messages":[{"role":"user","content":""}]`, "/messages/0", "/messages/0"},
		{"NoDetail", Profile{NoDetail: true}, image(transform.Media{URL: "https://x", Detail: "low"}), `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]`, "/messages/0/detail", ""},
		{"Documents", Profile{Documents: true}, file(transform.PartFile, transform.Media{Type: "application/pdf", Data: []byte("AAAA"), Name: "n"}), `"messages":[{"role":"user","content":[{"type":"document_url","document_url":"data:application/pdf;base64,AAAA","document_name":"n"}]}]`, "", ""},
		{"Documents, by URL", Profile{Documents: true}, file(transform.PartFile, transform.Media{URL: "https://x"}), `"messages":[{"role":"user","content":[{"type":"document_url","document_url":"https://x"}]}]`, "", ""},
		{"PlainAudio", Profile{PlainAudio: true}, file(transform.PartAudio, transform.Media{Type: "audio/wav", Data: []byte("AAAA")}), `"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":"AAAA"}]}]`, "", ""},

		{"NoNames", Profile{NoNames: true}, func(r *transform.Request) { r.Turns[0].Name, r.Turns[0].At = "ann", at }, message, "/messages/0/name", ""},
		{"EmptyContent", Profile{EmptyContent: true}, func(r *transform.Request) {
			r.Turns = []transform.Turn{{Role: transform.RoleAssistant, Parts: []transform.Part{call("c")}}}
		}, `"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}]`, "", ""},
		{"Alternate", Profile{Alternate: true}, func(r *transform.Request) { r.Turns = append(r.Turns, r.Turns[0]) }, `"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"text","text":"hi"}]}]`, "", ""},
		{"Prefill", Profile{Prefill: "prefix"}, func(r *transform.Request) {
			a := transform.Turn{Role: transform.RoleAssistant, Parts: []transform.Part{said("a")}}
			r.Turns = []transform.Turn{a, r.Turns[0], a}
		}, `"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"hi"},{"role":"assistant","content":"a","prefix":true}]`, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, lost := encodeFor(t, &test.p, hello(test.change), compatible)
			if want := `{"model":"m",` + test.want + `}`; body != want {
				t.Errorf("%s\nwant %s", body, want)
			}
			if got := strings.Join(lost.Dropped, " "); got != test.lost {
				t.Errorf("dropped %s, want %s", got, test.lost)
			}
			if got := strings.Join(lost.Refused, " "); got != test.refused {
				t.Errorf("refused %s, want %s", got, test.refused)
			}
		})
	}
}

func TestStreamsAreAskedForTheirUsage(t *testing.T) {
	to := compatible
	to.Stream = true
	for _, test := range []struct {
		p    *Profile
		want bool
	}{
		{nil, true}, {&Profile{}, true}, {&Profile{UsageUnasked: true}, false}, {&Profile{Remove: []string{"stream_options"}}, false},
		{&Profile{Only: []string{"stream"}}, false},
	} {
		body, _ := encodeFor(t, test.p, hello(func(*transform.Request) {}), to)
		if strings.Contains(body, `"stream_options":{"include_usage":true}`) != test.want || !strings.Contains(body, `"stream":true`) {
			t.Errorf("%+v: %s", test.p, body)
		}
	}
}

func TestFamiliesNeedNotSayTheUserTwice(t *testing.T) {
	p := &Profile{Families: true, Remove: []string{"prompt_cache_key"}, Rename: map[string]string{"safety_identifier": "user"}}
	body, lost := encodeFor(t, p, hello(func(r *transform.Request) { r.User = "u" }), openAI)
	if !strings.HasSuffix(body, `,"user":"u"}`) || len(lost.Dropped) > 0 {
		t.Errorf("%s, lost %v", body, lost.Dropped)
	}
}

func TestTheFormatIsTheProfiles(t *testing.T) {
	for want, codec := range map[transform.Format]Codec{
		transform.OpenAIChat: {Profile: &Profile{}}, transform.Mistral: {Profile: &Profile{Format: transform.Mistral}},
	} {
		if got := codec.Format(); got != want {
			t.Errorf("format is %s", got)
		}
	}
}

func TestALastAnswerMayBeGoneOnWith(t *testing.T) {
	for _, test := range []struct{ messages, lost string }{
		{`{"role":"user","content":"a"},{"role":"assistant","content":"b","prefix":true}`, ""},
		{`{"role":"user","content":"a"},{"role":"assistant","content":"b","partial":true}`, ""},
		{`{"role":"assistant","content":"b","prefix":false},{"role":"user","content":"a"}`, ""},
		{`{"role":"assistant","content":"b","prefix":true},{"role":"user","content":"a"}`, "/messages/0/prefix"},
		{`{"role":"user","content":"a","prefix":true}`, "/messages/0/prefix"},
	} {
		r, lost := decode(t, `{"model":"m","messages":[`+test.messages+`]}`)
		if got := strings.Join(lost.Dropped, " "); got != test.lost || r == nil {
			t.Errorf("%s: lost %s", test.messages, got)
		}
	}
}

func TestCallIDs(t *testing.T) {
	e := &requestEncoder{p: &Profile{ToolIDs: 9}}
	var made []string
	for _, id := range []string{"", "a", "call_abc", "call_abd", "toolu_01A09q90qw90lq917835lq9", "abcdefgh-", "abcdefghij"} {
		short := e.callID(id)
		if len(short) != 9 || !alphanumeric(short) || e.callID(id) != short || e.callID(short) != short || slices.Contains(made, short) {
			t.Errorf("%s becomes %s", id, short)
		}
		made = append(made, short)
	}
	if e.callID("abcDEF123") != "abcDEF123" {
		t.Error("an id of that form stays")
	}
}
