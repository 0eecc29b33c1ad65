package openai

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func decode(t *testing.T, body string) (*transform.Request, *transform.Losses) {
	t.Helper()
	lost := new(transform.Losses)
	r, err := Codec{}.DecodeRequest([]byte(body), lost)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return r, lost
}

// ask is a request of one message and what else is given.
func ask(more string) string {
	return `{"model":"m","messages":[{"role":"user","content":"hi"}]` + more + `}`
}

func TestDecodeReadsEveryRole(t *testing.T) {
	r, lost := decode(t, `{"model":"m","messages":[
		{"role":"system","content":"s"},
		{"role":"developer","content":[{"type":"text","text":"d"}]},
		{"role":"user","name":"ann","content":"u"},
		{"role":"assistant","content":null,"refusal":null,"tool_calls":[
			{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
			{"id":"c2","type":"custom","custom":{"name":"g","input":"free"}}]},
		{"role":"tool","tool_call_id":"c1","content":"one"},
		{"role":"tool","tool_call_id":"c2","name":"other","content":[{"type":"text","text":"two"}]},
		{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"no"}]},
		{"role":"assistant","content":"","function_call":{"name":"old","arguments":"{}"}},
		{"role":"function","name":"old","content":"three"}]}`)
	if len(lost.Dropped) > 0 {
		t.Error(lost.Dropped)
	}
	roles := []transform.Role{
		transform.RoleSystem, transform.RoleDeveloper, transform.RoleUser, transform.RoleAssistant, transform.RoleTool,
		transform.RoleTool, transform.RoleAssistant, transform.RoleAssistant, transform.RoleTool,
	}
	for i, role := range roles {
		if r.Turns[i].Role != role {
			t.Errorf("turn %d is %d", i, r.Turns[i].Role)
		}
	}
	if r.Turns[2].Name != "ann" {
		t.Error("the name is lost")
	}
	calls := r.Turns[3].Parts
	if len(calls) != 2 || string(calls[0].Call.Arguments) != `{"a":1}` || !calls[1].Call.Custom || string(calls[1].Call.Arguments) != "free" {
		t.Errorf("%+v", calls)
	}
	if r.Turns[4].ToolName != "f" || r.Turns[5].ToolName != "g" || r.Turns[5].CallID != "c2" {
		t.Error("the tools' names are not found from the calls")
	}
	if parts := r.Turns[6].Parts; len(parts) != 2 || parts[1].Kind != transform.PartRefusal {
		t.Errorf("%+v", parts)
	}
	old := r.Turns[7].Parts
	if len(old) != 1 || old[0].Call.ID == "" || r.Turns[8].CallID != old[0].Call.ID || r.Turns[8].ToolName != "old" {
		t.Errorf("the old form is not understood: %+v %+v", old, r.Turns[8])
	}
}

func TestDecodeReadsMedia(t *testing.T) {
	r, lost := decode(t, `{"model":"m","messages":[{"role":"user","content":[
		{"type":"image_url","image_url":{"url":"data:image/PNG;base64,AA\/B","detail":"low"}},
		{"type":"image_url","image_url":{"url":"https://x.test/a.png"}},
		{"type":"image_url","image_url":"data:image/png;base64,AAAA"},
		{"type":"input_audio","input_audio":{"data":"BBBB","format":"mp3"}},
		{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,CCCC"}},
		{"type":"file","file":{"filename":"b.PDF","file_data":"DDDD"}},
		{"type":"file","file":{"file_id":"file-1"}},
		{"type":"video_url","video_url":{"url":"https://x.test/v"}}]}]}`)
	want := []transform.Media{
		{Type: "image/png", Data: []byte("AA/B"), Detail: "low"},
		{URL: "https://x.test/a.png"},
		{Type: "image/png", Data: []byte("AAAA")},
		{Type: "audio/mp3", Data: []byte("BBBB")},
		{Type: "application/pdf", Data: []byte("CCCC"), Name: "a.pdf"},
		{Type: "application/pdf", Data: []byte("DDDD"), Name: "b.PDF"},
		{FileID: "file-1"},
	}
	parts := r.Turns[0].Parts
	if len(parts) != len(want) {
		t.Fatalf("%d parts", len(parts))
	}
	for i, w := range want {
		m := parts[i].Media
		if m.Type != w.Type || string(m.Data) != string(w.Data) || m.URL != w.URL || m.FileID != w.FileID || m.Name != w.Name || m.Detail != w.Detail {
			t.Errorf("%d: %+v, want %+v", i, m, w)
		}
	}
	if !slices.Equal(lost.Refused, []string{"/messages/0/content/7"}) {
		t.Error("a part of unknown type is not refused:", lost.Refused)
	}
}

func TestDecodeReadsReasoningOnce(t *testing.T) {
	anthropic := transform.VendorAnthropic
	tests := map[string]struct {
		members string
		want    []transform.Part
	}{
		"reasoning_content": {`"reasoning_content":"t"`, []transform.Part{{Text: quote("t")}}},
		"reasoning":         {`"reasoning":"t"`, []transform.Part{{Text: quote("t")}}},
		"both":              {`"reasoning":"t","reasoning_content":"t"`, []transform.Part{{Text: quote("t")}}},
		"details with signature": {
			`"reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0}]`,
			[]transform.Part{{Text: quote("t"), Opaque: signature(anthropic, "s")}},
		},
		"details in pieces": {
			`"reasoning_details":[{"type":"reasoning.text","text":"a","index":0},{"type":"reasoning.text","text":"b","index":0},{"type":"reasoning.text","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.text","text":"c","index":1},{"type":"reasoning.encrypted","data":"r","format":"anthropic-claude-v1","index":2}]`,
			[]transform.Part{
				{Text: quote("ab"), Opaque: signature(anthropic, "s")},
				{Text: quote("c")},
				{Opaque: transform.Opaque{Vendor: anthropic, Kind: transform.OpaqueRedacted, Data: quote("r")}},
			},
		},
		"signature apart": {
			`"reasoning":"t","reasoning_details":[{"type":"reasoning.text","signature":"s"}]`,
			[]transform.Part{{Text: quote("t"), Opaque: signature(anthropic, "s")}},
		},
		"thinking blocks": {
			`"thinking_blocks":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"r"}]`,
			[]transform.Part{
				{Text: quote("t"), Opaque: signature(anthropic, "s")},
				{Opaque: transform.Opaque{Vendor: anthropic, Kind: transform.OpaqueRedacted, Data: quote("r")}},
			},
		},
		"thinking parts": {
			`"content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]}]`,
			[]transform.Part{{Text: quote("t")}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, lost := decode(t, `{"model":"m","messages":[{"role":"assistant",`+test.members+`}]}`)
			got := r.Turns[0].Parts
			if len(got) != len(test.want) || len(lost.Dropped) > 0 {
				t.Fatalf("%+v, lost %v", got, lost.Dropped)
			}
			for i, w := range test.want {
				g := got[i]
				if g.Kind != transform.PartReasoning || plain(g.Text) != plain(w.Text) || g.Opaque.Vendor != w.Opaque.Vendor || g.Opaque.Kind != w.Opaque.Kind || string(g.Opaque.Data) != string(w.Opaque.Data) {
					t.Errorf("%d: %s %+v", i, g.Text, g.Opaque)
				}
			}
		})
	}
}

func quote(s string) transform.Literal { return transform.Quote(s) }

func signature(v transform.Vendor, s string) transform.Opaque {
	return transform.Opaque{Vendor: v, Kind: transform.OpaqueSignature, Data: quote(s)}
}

func TestDecodeFindsSignaturesOfCalls(t *testing.T) {
	r, _ := decode(t, `{"model":"m","messages":[{"role":"assistant",
		"reasoning_details":[{"type":"reasoning.encrypted","format":"google-gemini-v1","id":"c2","data":"two"}],
		"tool_calls":[
		{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"one"}}},
		{"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]}]}`)
	parts := r.Turns[0].Parts
	for i, want := range []string{"one", "two"} {
		if o := parts[i].Opaque; plain(o.Data) != want || o.Vendor != transform.VendorGoogle || o.Kind != transform.OpaqueSignature {
			t.Errorf("%d: %+v", i, o)
		}
	}
}

func TestDecodeReadsCacheMarks(t *testing.T) {
	r, lost := decode(t, `{"model":"m","messages":[
		{"role":"system","content":"s","cache_control":{"type":"ephemeral","ttl":"1h"}},
		{"role":"user","content":[{"type":"text","text":"u","prompt_cache_breakpoint":{}},{"type":"text","text":"v","cache_control":null}]}],
		"tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]}`)
	if len(lost.Dropped) > 0 {
		t.Error(lost.Dropped)
	}
	if c := r.Turns[0].Parts[0].Cache; c == nil || c.TTL != "1h" {
		t.Error("a message's mark is lost")
	}
	if r.Turns[1].Parts[0].Cache == nil || r.Turns[1].Parts[1].Cache != nil || r.Tools[0].Cache == nil {
		t.Error("a part's or a tool's mark is lost")
	}
}

func TestDecodeReadsToolsAndChoices(t *testing.T) {
	r, lost := decode(t, ask(`,"tools":[
		{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},
		{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}},
		{"type":"web_search"}],"parallel_tool_calls":false`))
	if len(r.Tools) != 2 || r.Tools[0].Name != "f" || plain(r.Tools[0].Description) != "d" || r.Tools[0].Schema == nil || !*r.Tools[0].Strict {
		t.Errorf("%+v", r.Tools)
	}
	if !r.Tools[1].Custom || r.Tools[1].Grammar == nil || *r.ParallelTools {
		t.Errorf("%+v", r.Tools[1])
	}
	if !slices.Equal(lost.Refused, []string{"/tools/2"}) {
		t.Error(lost.Refused)
	}
	choices := map[string]transform.ToolChoice{
		`"tool_choice":"auto"`:     {Mode: transform.ToolsAuto},
		`"tool_choice":"none"`:     {Mode: transform.ToolsNone},
		`"tool_choice":"required"`: {Mode: transform.ToolsRequired},
		`"tool_choice":"any"`:      {Mode: transform.ToolsRequired},
		`"tool_choice":{"type":"function","function":{"name":"f"}}`: {Mode: transform.ToolsNamed, Name: "f"},
		`"tool_choice":{"type":"custom","custom":{"name":"g"}}`:     {Mode: transform.ToolsNamed, Name: "g"},
		`"function_call":{"name":"f"}`:                              {Mode: transform.ToolsNamed, Name: "f"},
		`"function_call":"auto"`:                                    {Mode: transform.ToolsAuto},
		`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]}}`: {Mode: transform.ToolsRequired, Allowed: []string{"f", "g"}},
	}
	for body, want := range choices {
		r, _ := decode(t, ask(","+body))
		if got := r.ToolChoice; got.Mode != want.Mode || got.Name != want.Name || !slices.Equal(got.Allowed, want.Allowed) {
			t.Errorf("%s: %+v", body, got)
		}
	}
	old, _ := decode(t, ask(`,"functions":[{"name":"f","parameters":{}}]`))
	if len(old.Tools) != 1 || old.ParallelTools == nil || *old.ParallelTools {
		t.Error("functions must not be called in parallel")
	}
}

func TestDecodeReadsTheRest(t *testing.T) {
	r, lost := decode(t, ask(`,"max_tokens":5,"max_completion_tokens":7,"temperature":0.10,"top_p":1,"top_k":40,"seed":1,
		"presence_penalty":0,"frequency_penalty":1e0,"stop":"a","n":2,"logprobs":true,"top_logprobs":3,
		"reasoning_effort":"low","reasoning":{"effort":"high","max_tokens":9},"stream":true,
		"stream_options":{"include_usage":true,"include_obfuscation":false},"user":"u","safety_identifier":"s",
		"service_tier":"flex","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{},"strict":false}},
		"modalities":["text"],"logit_bias":{"1":2},"unheard_of":null,"store":true`))
	s := r.Sampling
	if s.MaxTokens != 7 || string(s.Temperature) != "0.10" || string(s.FrequencyPenalty) != "1e0" || string(s.TopK) != "40" || len(s.Stop) != 1 || s.N != 2 {
		t.Errorf("%+v", s)
	}
	if r.Reasoning != (transform.Reasoning{Effort: "low", Budget: 9, Summary: true}) {
		t.Errorf("%+v", r.Reasoning)
	}
	if !r.Stream || !r.StreamUsage || r.User != "s" || r.ServiceTier != "flex" || !r.Logprobs || r.TopLogprobs != 3 {
		t.Errorf("%+v", r)
	}
	if o := r.Output; o.Kind != transform.OutputSchema || o.Name != "x" || string(o.Schema) != "{}" || *o.Strict {
		t.Errorf("%+v", o)
	}
	if len(r.Rest) != 2 || r.Rest[0].Name != "logit_bias" || r.Rest[1].Name != "store" {
		t.Errorf("%+v", r.Rest)
	}
	if !slices.Equal(lost.Dropped, []string{"/stream_options/include_obfuscation"}) {
		t.Error(lost.Dropped)
	}
}

func TestDecodeReasoningWishes(t *testing.T) {
	tests := map[string]transform.Reasoning{
		``:                               {},
		`,"reasoning_effort":"none"`:     {Effort: "none"},
		`,"reasoning":{"enabled":true}`:  {Effort: "medium", Summary: true},
		`,"reasoning":{"enabled":false}`: {Effort: "none"},
		`,"reasoning":{"max_tokens":5}`:  {Budget: 5, Summary: true},
		`,"reasoning":{"effort":"low","exclude":true}`: {Effort: "low"},
	}
	for body, want := range tests {
		if r, _ := decode(t, ask(body)); r.Reasoning != want {
			t.Errorf("%s: %+v", body, r.Reasoning)
		}
	}
}

func TestDecodeRefusesWhatItCannotRead(t *testing.T) {
	tests := []struct{ body, code, param string }{
		{`[]`, CodeInvalidType, ""},
		{`{"model":"m"}`, CodeMissing, "messages"},
		{`{"messages":[{"role":"user","content":"x"}]}`, CodeMissing, "model"},
		{`{"model":"m","messages":[]}`, CodeEmptyArray, "messages"},
		{`{"model":"m","messages":{}}`, CodeInvalidType, "messages"},
		{`{"model":1,"messages":[]}`, CodeInvalidType, "model"},
		{`{"model":"m","messages":["x"]}`, CodeInvalidType, "messages[0]"},
		{`{"model":"m","messages":[{"content":"x"}]}`, CodeMissing, "messages[0].role"},
		{`{"model":"m","messages":[{"role":"king","content":"x"}]}`, CodeInvalidValue, "messages[0].role"},
		{`{"model":"m","messages":[{"role":"user"}]}`, CodeMissing, "messages[0].content"},
		{`{"model":"m","messages":[{"role":"user","content":5}]}`, CodeInvalidType, "messages[0].content"},
		{`{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}`, CodeMissing, "messages[0].content[0].type"},
		{`{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}`, CodeMissing, "messages[0].content[0].text"},
		{`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":1}]}]}`, CodeInvalidType, "messages[0].content[0].text"},
		{`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,x"}}]}]}`, CodeInvalidValue, "messages[0].content[0].image_url.url"},
		{`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,a\"b"}}]}]}`, CodeInvalidValue, "messages[0].content[0].image_url.url"},
		{`{"model":"m","messages":[{"role":"tool","content":"x"}]}`, CodeMissing, "messages[0].tool_call_id"},
		{`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f"}}]}]}`, CodeMissing, "messages[0].tool_calls[0].id"},
		{`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"arguments":"{}"}}]}]}`, CodeMissing, "messages[0].tool_calls[0].function.name"},
		{ask(`,"temperature":"hot"`), CodeInvalidType, "temperature"},
		{ask(`,"max_tokens":1.5`), CodeInvalidType, "max_tokens"},
		{ask(`,"max_tokens":0`), CodeInvalidValue, "max_tokens"},
		{ask(`,"stop":[1]`), CodeInvalidType, "stop[0]"},
		{ask(`,"tools":[{"type":"function","function":{}}]`), CodeMissing, "tools[0].function.name"},
		{ask(`,"tools":[{"function":5}]`), CodeInvalidType, "tools[0].function"},
		{ask(`,"tool_choice":"maybe"`), CodeInvalidValue, "tool_choice"},
		{ask(`,"response_format":{"type":"xml"}`), CodeInvalidValue, "response_format.type"},
		{ask(`,"response_format":{"type":"json_schema"}`), CodeMissing, "response_format.json_schema"},
		{`{"model":"m","messages":[{"role":"user","content":"x","role":"system"}]}`, "duplicate_key", "/messages/0/role"},
		{`{"model":"m","messages":[{"role":"user","content":"x","Role":"system"}]}`, "invalid_key_case", "/messages/0/Role"},
		{`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}`, "duplicate_key", "/messages/0/content/0/text"},
		{ask(`,"tools":[{"type":"function","function":{"name":"f","name":"g"}}]`), "duplicate_key", "/tools/0/function/name"},
	}
	for _, test := range tests {
		_, err := Codec{}.DecodeRequest([]byte(test.body), new(transform.Losses))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Code != test.code || e.Param != test.param {
			t.Errorf("%s\ngot  %+v\nwant %s %s", test.body, err, test.code, test.param)
			continue
		}
		if e.Message == "" || !strings.HasSuffix(e.Message, ".") {
			t.Errorf("%q says too little", e.Message)
		}
	}
}

func TestDecodeReportsWhatNobodyUses(t *testing.T) {
	_, lost := decode(t, `{"model":"m","messages":[
		{"role":"user","content":[{"type":"text","text":"x","mood":"good"}],"prefix":true,"tool_calls":[]},
		{"role":"assistant","content":"y","audio":{"id":"a"},"reasoning_details":[{"type":"reasoning.text","signature":"s","format":"unheard-of"}]}],
		"tools":[{"type":"function","function":{"name":"f","color":"red"}}]}`)
	slices.Sort(lost.Dropped)
	want := []string{
		"/messages/0/content/0/mood", "/messages/0/prefix", "/messages/0/tool_calls", "/messages/1/audio",
		"/messages/1/reasoning_details/0", "/tools/0/function/color",
	}
	if !slices.Equal(lost.Dropped, want) || !slices.Equal(lost.Refused, []string{"/messages/1/audio"}) {
		t.Errorf("%q %q", lost.Dropped, lost.Refused)
	}
}
