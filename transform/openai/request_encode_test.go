package openai

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/testplaces"
	"github.com/caddyllm/llmproxy/transform"
)

var (
	openAI     = transform.Target{Model: "gpt-4.1", Vendor: transform.VendorOpenAI}
	compatible = transform.Target{Model: "m"}
)

func encode(t *testing.T, r *transform.Request, to transform.Target) (string, *transform.Losses) {
	t.Helper()
	return encodeFor(t, nil, r, to)
}

func encodeFor(t *testing.T, profile *Profile, r *transform.Request, to transform.Target) (string, *transform.Losses) {
	t.Helper()
	testplaces.Fill(r)
	lost := new(transform.Losses)
	out, err := Codec{Profile: profile}.AppendRequest(nil, r, to, lost)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(out) {
		t.Fatalf("not JSON: %s", out)
	}
	return string(out), lost
}

// messagesOf is what stands between the brackets of messages.
func messagesOf(t *testing.T, body string) string {
	t.Helper()
	list := jsonbytes.Value(body).Get("messages")
	return string(list[1 : len(list)-1])
}

func said(s string) transform.Part {
	return transform.Part{Kind: transform.PartText, Text: quote(s)}
}

func TestAppendWritesTurns(t *testing.T) {
	image := transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("AAAA"), Detail: "low"}}
	call := transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c", Name: "f", Arguments: []byte(`{"a":"b"}`)}}
	none := transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "d", Name: "g"}}
	tests := map[string]struct {
		turns []transform.Turn
		want  string
	}{
		"system blocks become one text": {
			[]transform.Turn{{Role: transform.RoleSystem, Parts: []transform.Part{said("a"), said("b")}}},
			`{"role":"system","content":"a\n\nb"}`,
		},
		"user": {
			[]transform.Turn{{Name: "ann", Parts: []transform.Part{said("a")}}},
			`{"role":"user","name":"ann","content":"a"}`,
		},
		"user parts": {
			[]transform.Turn{{Parts: []transform.Part{said("a"), image}}},
			`{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]}`,
		},
		"text file": {
			[]transform.Turn{{Parts: []transform.Part{{Kind: transform.PartFile, Media: transform.Media{Type: "text/plain", Data: []byte("aGk=")}}}}},
			`{"role":"user","content":"hi"}`,
		},
		"calls": {
			[]transform.Turn{{Role: transform.RoleAssistant, Parts: []transform.Part{said("a"), said("b"), call, none}}},
			`{"role":"assistant","content":"ab","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}},{"id":"d","type":"function","function":{"name":"g","arguments":"{}"}}]}`,
		},
		"calls of several turns belong together": {
			[]transform.Turn{{Role: transform.RoleAssistant, Parts: []transform.Part{call}}, {Role: transform.RoleAssistant, Parts: []transform.Part{none}}},
			`{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}},{"id":"d","type":"function","function":{"name":"g","arguments":"{}"}}]}`,
		},
		"results": {
			[]transform.Turn{
				{Role: transform.RoleTool, CallID: "c", IsError: true, Parts: []transform.Part{said("a")}},
				{Role: transform.RoleTool, CallID: "d", Parts: []transform.Part{said("b"), image}},
				{Role: transform.RoleTool, CallID: "e"},
				{Parts: []transform.Part{said("u")}},
			},
			`{"role":"tool","tool_call_id":"c","content":"Error: a"},{"role":"tool","tool_call_id":"d","content":"b\n\n[image]"},{"role":"tool","tool_call_id":"e","content":""},` +
				`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]},{"role":"user","content":"u"}`,
		},
		"nothing said": {
			[]transform.Turn{{Role: transform.RoleAssistant}, {}},
			`{"role":"assistant","content":""},{"role":"user","content":""}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			body, lost := encode(t, &transform.Request{Turns: test.turns}, openAI)
			if got := messagesOf(t, body); got != test.want || len(lost.Dropped) > 0 {
				t.Errorf("%s\nwant %s\nlost %v", got, test.want, lost.Dropped)
			}
		})
	}
}

func TestAppendSendsReasoningToItsMakerOnly(t *testing.T) {
	r := &transform.Request{Turns: []transform.Turn{{Role: transform.RoleAssistant, Parts: []transform.Part{
		{Kind: transform.PartReasoning, Text: quote("t"), Opaque: signature(transform.VendorAnthropic, "s")},
		{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "c", Name: "f"}, Opaque: signature(transform.VendorGoogle, "g")},
	}}}}
	for i := range r.Turns[0].Parts {
		root := transform.Path{}
		r.Turns[0].Parts[i].At = root.Index(i)
	}
	back := &Profile{Reasoning: "reasoning_content"}
	details := &Profile{Reasoning: "reasoning_details"}
	tests := []struct {
		to   transform.Target
		as   *Profile
		has  []string
		lost []string
	}{
		{openAI, nil, nil, []string{"/0", "/1/signature"}},
		{compatible, nil, nil, []string{"/0", "/1/signature"}},
		{compatible, details, []string{`"reasoning_details":[{"type":"reasoning.text","text":"t","index":0}]`}, []string{"/0/signature", "/1/signature"}},
		{transform.Target{Vendor: transform.VendorGoogle}, details, []string{`"reasoning_details":[{"type":"reasoning.text","text":"t","index":0},{"type":"reasoning.encrypted","data":"g","id":"c","format":"google-gemini-v1"}]`}, []string{"/0/signature"}},
		{compatible, back, []string{`"reasoning_content":"t"`}, []string{"/0/signature", "/1/signature"}},
		{transform.Target{Vendor: transform.VendorAnthropic}, nil, []string{`"reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0}]`}, []string{"/1/signature"}},
		{transform.Target{Vendor: transform.VendorGoogle}, nil, []string{`"extra_content":{"google":{"thought_signature":"g"}}`}, []string{"/0"}},
	}
	for _, test := range tests {
		body, lost := encodeFor(t, test.as, r, test.to)
		for _, piece := range []string{`"reasoning_content"`, `"reasoning_details"`, `"extra_content"`} {
			wanted := slices.ContainsFunc(test.has, func(s string) bool { return strings.Contains(s, piece) })
			if strings.Contains(body, piece) != wanted {
				t.Errorf("%+v: %s", test.to, body)
			}
		}
		for _, piece := range test.has {
			if !strings.Contains(body, piece) {
				t.Errorf("%+v: no %s in %s", test.to, piece, body)
			}
		}
		if !slices.Equal(lost.Dropped, test.lost) {
			t.Errorf("%+v: lost %v", test.to, lost.Dropped)
		}
	}
}

func TestAppendWritesEmptyReasoningWhereItIsDue(t *testing.T) {
	r := &transform.Request{Turns: []transform.Turn{{Role: transform.RoleAssistant, Parts: []transform.Part{said("a")}}}}
	for required, want := range map[bool]bool{true: true, false: false} {
		body, _ := encodeFor(t, &Profile{Reasoning: "reasoning_content", ReasoningRequired: required}, r, compatible)
		if strings.Contains(body, `"reasoning_content":""`) != want {
			t.Error(body)
		}
	}
}

func TestAppendLeavesOutWhatReasoningModelsRefuse(t *testing.T) {
	r := &transform.Request{
		Turns: []transform.Turn{{Parts: []transform.Part{said("a")}}}, Logprobs: true,
		Sampling: transform.Sampling{
			MaxTokens: 5, Temperature: []byte("0.5"), TopP: []byte("1"), PresencePenalty: []byte("1"), Stop: []transform.Literal{quote("x")},
		},
		Reasoning: transform.Reasoning{Effort: "max"},
	}
	tests := []struct {
		model  string
		has    []string
		hasNot []string
		lost   []string
	}{
		{"gpt-4.1", []string{"temperature", "top_p", "presence_penalty", "stop", "logprobs", `"max_completion_tokens":5`}, []string{"reasoning_effort"}, []string{"/reasoning_effort"}},
		{"gpt-5-chat-latest", []string{"temperature"}, []string{"reasoning_effort"}, []string{"/reasoning_effort"}},
		{"o3-mini", []string{`"reasoning_effort":"high"`}, []string{"temperature", "stop", "logprobs"}, []string{"/temperature", "/presence_penalty", "/stop", "/logprobs"}},
		{"gpt-5.6-terra", []string{`"reasoning_effort":"max"`}, []string{"temperature"}, []string{"/temperature", "/presence_penalty", "/stop", "/logprobs"}},
		{"openai/gpt-5.2", []string{`"reasoning_effort":"xhigh"`}, nil, []string{"/temperature", "/presence_penalty", "/stop", "/logprobs"}},
	}
	for _, test := range tests {
		body, lost := encode(t, r, transform.Target{Model: test.model, Vendor: transform.VendorOpenAI})
		for _, piece := range test.has {
			if !strings.Contains(body, piece) {
				t.Errorf("%s: no %s in %s", test.model, piece, body)
			}
		}
		for _, piece := range test.hasNot {
			if strings.Contains(body, piece) {
				t.Errorf("%s: %s in %s", test.model, piece, body)
			}
		}
		if !slices.Equal(lost.Dropped, test.lost) {
			t.Errorf("%s: lost %v", test.model, lost.Dropped)
		}
	}
	r.Reasoning.Effort = "none"
	body, _ := encode(t, r, transform.Target{Model: "gpt-5.2", Vendor: transform.VendorOpenAI})
	if !strings.Contains(body, `"temperature":0.5`) || !strings.Contains(body, `"reasoning_effort":"none"`) {
		t.Error("a model that does not think takes a temperature:", body)
	}
	body, lost := encode(t, r, compatible)
	if !strings.Contains(body, `"max_tokens":5`) || !strings.Contains(body, `"temperature":0.5`) || len(lost.Dropped) > 0 {
		t.Error("another provider's models are not OpenAI's:", body, lost.Dropped)
	}
}

func TestAppendClampsEfforts(t *testing.T) {
	tests := []struct{ model, wish, want string }{
		{"o4-mini", "none", "low"}, {"gpt-5-mini", "none", "minimal"}, {"gpt-5.1", "minimal", "low"}, {"gpt-5.4", "none", "none"},
		{"gpt-5.5", "max", "xhigh"}, {"gpt-6-astra", "none", "low"}, {"gpt-6-luna", "none", "none"}, {"gpt-6-astra", "unheard-of", "unheard-of"},
		{"my-deployment", "high", ""},
	}
	for _, test := range tests {
		f := familyOf(transform.Target{Model: test.model, Vendor: transform.VendorOpenAI})
		if got := f.Effort(test.wish); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.model, test.wish, got, test.want)
		}
	}
}

func TestAppendTurnsBudgetsIntoEfforts(t *testing.T) {
	tests := []struct {
		budget, most int64
		want         string
	}{{1024, 0, "low"}, {8192, 0, "medium"}, {10000, 0, "high"}, {1000, 4000, "low"}, {2000, 4000, "medium"}, {3000, 4000, "high"}}
	for _, test := range tests {
		if got := EffortOfBudget(test.budget, test.most); got != test.want {
			t.Errorf("%d of %d: %s", test.budget, test.most, got)
		}
	}
}

func TestAppendWritesToolsAndChoices(t *testing.T) {
	strict, parallel := true, false
	r := &transform.Request{
		Tools: []transform.Tool{
			{Name: "f", Description: quote("d"), Schema: []byte(`{"type":"object"}`), Strict: &strict},
			{Name: "g"},
			{Name: "h", Custom: true},
		},
		ToolChoice:    transform.ToolChoice{Mode: transform.ToolsRequired, Allowed: []string{"f", "h"}},
		ParallelTools: &parallel,
	}
	body, lost := encode(t, r, openAI)
	want := `{"model":"gpt-4.1","messages":[],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},` +
		`{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}},{"type":"custom","custom":{"name":"h"}}],` +
		`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"h"}}]}},` +
		`"parallel_tool_calls":false}`
	if body != want || len(lost.Dropped) > 0 {
		t.Errorf("%s\nwant %s\nlost %v", body, want, lost.Dropped)
	}
	root := transform.Path{}
	r.Tools[2].At = root.Key("h")
	r.Tools[2].Description = quote("D")
	r.Tools[2].Grammar = []byte(`{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}`)
	body, lost = encode(t, r, compatible)
	if strings.Contains(body, `"g"`) || !strings.Contains(body, `"tool_choice":"required"`) || len(lost.Refused) > 0 {
		t.Error("others are given the allowed tools only:", body, lost.Refused)
	}
	emulated := `{"type":"function","function":{"name":"h","description":"D\n\nThe input must follow this lark grammar:\nx","parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}}}`
	if !strings.Contains(body, emulated) || !slices.Contains(lost.Dropped, "/h/format") {
		t.Error("a custom tool becomes a function:", body, lost.Dropped)
	}
	r.ToolChoice = transform.ToolChoice{Mode: transform.ToolsNamed, Name: "h"}
	if body, _ = encode(t, r, openAI); !strings.Contains(body, `"tool_choice":{"type":"custom","custom":{"name":"h"}}`) {
		t.Error(body)
	}
	if body, _ = encode(t, r, compatible); !strings.Contains(body, `"tool_choice":{"type":"function","function":{"name":"h"}}`) {
		t.Error(body)
	}
}

func TestAppendReportsWhatItCannotPlace(t *testing.T) {
	root := transform.Path{}
	part := func(name string, p transform.Part) transform.Part {
		p.At = root.Key(name)
		return p
	}
	r := &transform.Request{
		Turns: []transform.Turn{
			{Role: transform.RoleSystem, Parts: []transform.Part{
				part("billing", said("x-anthropic-billing-header: cc_version=1")), said("s"),
				part("system-image", transform.Part{Kind: transform.PartImage, Media: transform.Media{URL: "u"}}),
			}},
			{Parts: []transform.Part{
				part("mark", transform.Part{Kind: transform.PartText, Text: quote("u"), Cache: &transform.CacheMark{}}),
				part("foreign-file", transform.Part{Kind: transform.PartFile, Media: transform.Media{FileID: "file_011"}}),
				part("file-url", transform.Part{Kind: transform.PartFile, Media: transform.Media{URL: "https://x.test"}}),
				part("ogg", transform.Part{Kind: transform.PartAudio, Media: transform.Media{Type: "audio/ogg", Data: []byte("AA")}}),
			}},
			{Role: transform.RoleAssistant, Parts: []transform.Part{part("citation", transform.Part{Kind: transform.PartCitation})}},
		},
		Sampling: transform.Sampling{TopK: []byte("5"), Stop: []transform.Literal{quote("1"), quote("2"), quote("3"), quote("4"), quote("5")}},
		Rest:     []transform.Member{{Name: "mcp_servers", Value: []byte("[]")}, {Name: "safety_settings", Value: []byte("[]")}, {Name: "store", Value: []byte("true")}},
	}
	body, lost := encode(t, r, openAI)
	want := []string{
		"/billing", "/system-image", "/foreign-file", "/file-url", "/ogg", "/mark/cache_control", "/citation", "/top_k", "/stop", "/mcp_servers", "/safety_settings",
	}
	if !slices.Equal(lost.Dropped, want) {
		t.Errorf("dropped %q", lost.Dropped)
	}
	if want = []string{"/system-image", "/foreign-file", "/file-url", "/ogg", "/mcp_servers"}; !slices.Equal(lost.Refused, want) {
		t.Errorf("refused %q", lost.Refused)
	}
	if !strings.Contains(body, `"store":true`) || strings.Contains(body, "billing") {
		t.Error(body)
	}
}

func TestAppendWritesCacheMarks(t *testing.T) {
	r := &transform.Request{Turns: []transform.Turn{{Role: transform.RoleSystem, Parts: []transform.Part{
		{Kind: transform.PartText, Text: quote("a"), Cache: &transform.CacheMark{TTL: "1h"}}, said("b"),
	}}}}
	body, _ := encode(t, r, transform.Target{Model: "gpt-5.6", Vendor: transform.VendorOpenAI})
	if want := `"content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"text","text":"b"}]`; !strings.Contains(body, want) {
		t.Error(body)
	}
	body, _ = encode(t, r, transform.Target{Model: "claude", Vendor: transform.VendorAnthropic})
	if want := `{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}`; !strings.Contains(body, want) {
		t.Error(body)
	}
}

func TestAppendNamesTheUser(t *testing.T) {
	r := &transform.Request{User: "u", ServiceTier: "flex"}
	if body, _ := encode(t, r, openAI); !strings.Contains(body, `"safety_identifier":"u","prompt_cache_key":"u","service_tier":"flex"`) {
		t.Error(body)
	}
	body, lost := encode(t, r, compatible)
	if !strings.Contains(body, `"user":"u"`) || !slices.Equal(lost.Dropped, []string{"/service_tier"}) {
		t.Error(body, lost.Dropped)
	}
	r.User = strings.Repeat("long", 40)
	one, _ := encode(t, r, openAI)
	two, _ := encode(t, r, openAI)
	if strings.Contains(one, "longlong") || one != two {
		t.Error("a long id must be hashed, always alike:", one)
	}
}

func TestAppendAsksForUsageOfStreams(t *testing.T) {
	to := compatible
	to.Stream = true
	if body, _ := encode(t, &transform.Request{}, to); !strings.HasSuffix(body, `,"stream":true,"stream_options":{"include_usage":true}}`) {
		t.Error(body)
	}
}

func TestRequestsSurviveBothWays(t *testing.T) {
	body := `{"model":"m","messages":[` +
		`{"role":"system","content":"s"},` +
		`{"role":"user","name":"n","content":[{"type":"text","text":"\u00e9 \"q\"","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"image_url","image_url":{"url":"https://x.test/i","detail":"high"}},` +
		`{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}}]},` +
		`{"role":"assistant","content":"a","reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"r","format":"anthropic-claude-v1","index":1}],` +
		`"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":[1, 2]}"}}]},` +
		`{"role":"tool","tool_call_id":"c","content":"r"}],` +
		`"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":false},"cache_control":{"type":"ephemeral"}}],` +
		`"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":true,` +
		`"response_format":{"type":"json_schema","json_schema":{"name":"x","description":"y","schema":{"type":"object"},"strict":true}},` +
		`"max_tokens":10,"temperature":0.5,"top_p":0.9,"frequency_penalty":1,"presence_penalty":2,"seed":3,"n":2,"stop":["a","b"],` +
		`"logprobs":true,"top_logprobs":4,"reasoning_effort":"high","user":"u","logit_bias":{"1":1},"metadata":{"k":"v"},` +
		`"stream":true,"stream_options":{"include_usage":true}}`
	r, lost := decode(t, body)
	to := transform.Target{Model: "m", Stream: true, Vendor: transform.VendorAnthropic}
	got, lostToo := encodeFor(t, &Profile{Families: true, Reasoning: "reasoning_content"}, r, to)
	if got != body {
		t.Errorf("%s\nbecame\n%s", body, got)
	}
	if len(lost.Dropped)+len(lostToo.Dropped) > 0 {
		t.Error(lost.Dropped, lostToo.Dropped)
	}
}
