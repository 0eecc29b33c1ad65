package anthropic

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestSampling(t *testing.T) {
	number := func(s string) jsonbytes.Value { return jsonbytes.Value(s) }
	type wish = transform.Sampling
	for _, test := range []struct {
		name   string
		model  string
		wish   wish
		want   string
		losses []string
	}{
		{"kept as spelled", old, wish{Temperature: number("0.70"), TopP: number("9e-1"), TopK: number("40")}, `"temperature":0.70,"top_p":9e-1,"top_k":40`, nil},
		{"not both", budgeted, wish{Temperature: number("0.7"), TopP: number("0.9")}, `"temperature":0.7`, []string{"/top_p"}},
		{"the other alone", budgeted, wish{TopP: number("0.9")}, `"top_p":0.9`, nil},
		{"too hot", budgeted, wish{Temperature: number("1.5")}, `"temperature":1`, []string{"/temperature"}},
		{"not taken", newest, wish{Temperature: number("0.7"), TopP: number("0.9"), TopK: number("40")}, ``, []string{"/temperature", "/top_p", "/top_k"}},
		{"not taken but said in vain", newest, wish{Temperature: number("1.0"), TopP: number("1")}, ``, nil},
		{"unknown here", newest, wish{Seed: number("1"), PresencePenalty: number("0.5"), FrequencyPenalty: number("-1")}, ``,
			[]string{"/seed", "/presence_penalty", "/frequency_penalty"}},
		{"unknown here but said in vain", newest, wish{PresencePenalty: number("0"), FrequencyPenalty: number("0.0"), N: 1}, ``, nil},
		{"several answers", newest, wish{N: 2}, ``, []string{"!/n"}},
		{"stop", newest, wish{Stop: []transform.Literal{transform.Quote("\n"), transform.Quote("END"), transform.Quote("")}}, `"stop_sequences":["END"]`, []string{"/stop"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := conversation(user("A"))
			r.Sampling = test.wish
			body, lost := encode(t, test.model, r)
			_, got, _ := strings.Cut(string(body), `"max_tokens":`)
			_, got, _ = strings.Cut(strings.TrimSuffix(got, "}"), ",")
			wantText(t, "sampling", []byte(got), test.want)
			wantLosses(t, lost, test.losses...)
		})
	}
}

func TestThinkingTakesNoSampling(t *testing.T) {
	r := conversation(user("A"))
	r.Reasoning.Effort = "low"
	r.Sampling = transform.Sampling{Temperature: jsonbytes.Value("0.5"), TopP: jsonbytes.Value("1"), TopK: jsonbytes.Value("5")}
	body, lost := encode(t, budgeted, r)
	for _, name := range []string{"temperature", "top_p", "top_k"} {
		wantText(t, name, body.Get(name), ``)
	}
	wantLosses(t, lost, "/temperature", "/top_k")
}

func TestMaxTokens(t *testing.T) {
	for _, test := range []struct {
		model string
		wish  int64
		want  string
	}{
		{newest, 0, "128000"}, {newest, 100, "100"}, {newest, 1 << 40, "128000"},
		{"claude-3-haiku-20240307", 0, "4096"}, {foreign, 0, "4096"}, {foreign, 1 << 20, "1048576"},
	} {
		r := conversation(user("A"))
		r.Sampling.MaxTokens = test.wish
		body, lost := encode(t, test.model, r)
		wantText(t, test.model, body.Get("max_tokens"), test.want)
		wantLosses(t, lost)
	}
}

func TestServiceTier(t *testing.T) {
	for tier, want := range map[string]string{
		"": "", "auto": `"auto"`, "priority": `"auto"`, "default": `"standard_only"`, "standard_only": `"standard_only"`,
		"flex": "!", "scale": "!", "fast": "!",
	} {
		r := conversation(user("A"))
		r.ServiceTier = tier
		body, lost := encode(t, newest, r)
		if want == "!" {
			want = ""
			wantLosses(t, lost, "/service_tier")
		} else {
			wantLosses(t, lost)
		}
		wantText(t, tier, body.Get("service_tier"), want)
	}
	r := conversation(user("A"))
	r.ServiceTier = "auto"
	body, lost := encodeWith(t, Codec{Cloud: true}, newest, r)
	wantText(t, "service_tier", body.Get("service_tier"), "")
	wantLosses(t, lost, "/service_tier")
}

func TestLogprobsAreDropped(t *testing.T) {
	r := conversation(user("A"))
	r.Logprobs, r.TopLogprobs = true, 3
	_, lost := encode(t, newest, r)
	wantLosses(t, lost, "/logprobs", "/top_logprobs")
}

func TestRestIsTakenOverOrReported(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        string
		losses      []string
	}{
		{"cache_control", `{"type":"ephemeral"}`, `,"cache_control":{"type":"ephemeral"}`, nil},
		{"cache_control", `true`, ``, []string{"/cache_control"}},
		{"container", `"c"`, `,"container":"c"`, nil},
		{"context_management", `{"edits":[]}`, `,"context_management":{"edits":[]}`, nil},
		{"mcp_servers", `[]`, `,"mcp_servers":[]`, nil},
		{"mcp_servers", `{}`, ``, []string{"!/mcp_servers"}},
		{"inference_geo", `"eu"`, `,"inference_geo":"eu"`, nil},
		{"speed", `"fast"`, `,"speed":"fast"`, nil},
		{"stop_sequences", `["x"]`, `,"stop_sequences":["x"]`, nil},
		{"output_config", `{"effort":"low"}`, `,"output_config":{"effort":"low"}`, nil},
		{"metadata", `{"user_id":"u"}`, `,"metadata":{"user_id":"u"}`, nil},
		{"metadata", `{"user_id":"u","run":"7"}`, ``, []string{"/metadata"}},
		{"safety_identifier", `"u"`, `,"metadata":{"user_id":"u"}`, nil},
		{"modalities", `["text"]`, ``, nil},
		{"modalities", `["text","audio"]`, ``, []string{"!/modalities"}},
		{"store", `false`, ``, nil},
		{"store", `true`, ``, []string{"/store"}},
		{"seed", `null`, ``, nil},
		{"logit_bias", `{"1":1}`, ``, []string{"/logit_bias"}},
		{"previous_response_id", `"r"`, ``, []string{"!/previous_response_id"}},
		{"a/b~c", `1`, ``, []string{"/a~1b~0c"}},
	} {
		r := conversation(user("A"))
		r.Rest = []transform.Member{{Name: test.name, Value: jsonbytes.Value(test.value)}}
		body, lost := encode(t, newest, r)
		_, got, _ := strings.Cut(strings.TrimSuffix(string(body), "}"), `"max_tokens":128000`)
		wantText(t, test.name, []byte(got), test.want)
		wantLosses(t, lost, test.losses...)
	}
}

func TestSafetyIdentifierWinsOverUser(t *testing.T) {
	r := conversation(user("A"))
	r.User = "plain"
	body, _ := encode(t, newest, r)
	wantText(t, "metadata", body.Get("metadata"), `{"user_id":"plain"}`)
	r.Rest = []transform.Member{
		{Name: "safety_identifier", Value: jsonbytes.Value(`"safe"`)},
		{Name: "metadata", Value: jsonbytes.Value(`{"user_id":"other"}`)},
	}
	body, lost := encode(t, newest, r)
	wantText(t, "metadata", body.Get("metadata"), `{"user_id":"safe"}`)
	wantLosses(t, lost, "/metadata")
}

func TestOutputConfigOfTheClientDoesNotReplaceOurs(t *testing.T) {
	r := conversation(user("A"))
	r.Reasoning.Effort = "low"
	r.Rest = []transform.Member{{Name: "output_config", Value: jsonbytes.Value(`{"effort":"max"}`)}}
	body, lost := encode(t, newest, r)
	wantText(t, "output_config", body.Get("output_config"), `{"effort":"low"}`)
	wantLosses(t, lost, "/output_config")
}

func TestTheWholeBodyHasOneOrder(t *testing.T) {
	r := conversation(system("S"), user("A"))
	r.Tools = []transform.Tool{function("f", "")}
	r.ToolChoice.Mode = transform.ToolsAuto
	r.Reasoning = transform.Reasoning{Effort: "high", Summary: true}
	r.Output = transform.Output{Kind: transform.OutputSchema, Schema: jsonbytes.Value(closedSchema)}
	r.Sampling = transform.Sampling{MaxTokens: 9, Stop: []transform.Literal{transform.Quote("x")}}
	r.ServiceTier, r.User = "auto", "u"
	r.Rest = []transform.Member{{Name: "speed", Value: jsonbytes.Value(`"fast"`)}}
	var lost transform.Losses
	to := transform.Target{Model: `claude-"5"`, Stream: true, Vendor: transform.VendorAnthropic}
	body, err := Codec{}.AppendRequest([]byte("before "), r, to, &lost)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, "body", body, `before {"model":"claude-\"5\"","tools":[`+toolF+`],"system":[{"type":"text","text":"S"}],`+
		`"messages":[`+userA+`],"max_tokens":9,"stream":true,"tool_choice":{"type":"auto"},`+
		`"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high","format":{"type":"json_schema","schema":`+closedSchema+`}},`+
		`"stop_sequences":["x"],"service_tier":"auto","metadata":{"user_id":"u"},"speed":"fast"}`)
	wantLosses(t, &lost)
}

func TestANamedCacheIsKeptByTheAPIItself(t *testing.T) {
	named := func(turns ...transform.Turn) *transform.Request {
		r := conversation(turns...)
		r.Rest = []transform.Member{{Name: "prompt_cache_key", Value: jsonbytes.Value(`"k"`)}}
		return r
	}
	body, lost := encode(t, "claude-sonnet-4-5", named(user("hi")))
	wantText(t, "unmarked", body.Get("cache_control"), `{"type":"ephemeral"}`)
	wantLosses(t, lost)

	body, lost = encode(t, "claude-sonnet-4-5", named(with(user("hi"), marked(textPart("mark"), ""))))
	wantText(t, "marked", body.Get("cache_control"), ``)
	wantLosses(t, lost, "/prompt_cache_key")

	body, lost = encodeWith(t, Codec{Cloud: true}, "claude-sonnet-4-5", named(user("hi")))
	wantText(t, "in a cloud", body.Get("cache_control"), ``)
	wantLosses(t, lost, "/prompt_cache_key")
}
