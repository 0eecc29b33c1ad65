package anthropic

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// decode reads a request that is in order.
func decode(t *testing.T, body string) (*transform.Request, *transform.Losses) {
	t.Helper()
	lost := new(transform.Losses)
	r, err := Codec{}.DecodeRequest([]byte(body), lost)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return r, lost
}

// ask is a request with more members.
func ask(more string) string {
	return `{"model":"smart","max_tokens":100,"messages":[{"role":"user","content":"A"}]` + more + `}`
}

// talk is a request with these messages.
func talk(messages string) string {
	return `{"model":"smart","max_tokens":100,"messages":[` + messages + `]}`
}

// describeTurns writes turns in a form that is easy to compare.
func describeTurns(turns []transform.Turn) (list []string) {
	for _, turn := range turns {
		s := [...]string{"user", "assistant", "tool", "system", "developer"}[turn.Role]
		if turn.Role == transform.RoleTool {
			s += fmt.Sprintf(" %s %s", turn.CallID, turn.ToolName)
		}
		if turn.IsError {
			s += " failed"
		}
		list = append(list, s)
		for i, part := range describeParts(turn.Parts) {
			p := &turn.Parts[i]
			if m := &p.Media; m.Type+m.URL+m.FileID != "" {
				part += fmt.Sprintf(" %s %s%s%s %s", m.Type, m.Data, m.URL, m.FileID, m.Name)
			}
			if p.Opaque.Vendor != "" && p.Opaque.Vendor != transform.VendorAnthropic {
				part += " of " + string(p.Opaque.Vendor) + p.Opaque.ID
			}
			if p.Cache != nil {
				part += " cached" + p.Cache.TTL
			}
			list = append(list, " "+part+" @"+p.At.Pointer())
		}
	}
	return list
}

func TestDecodeConversation(t *testing.T) {
	const call = `{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{"x": 1}},{"type":"tool_use","id":"c2","name":"g","input":{},"caller":{"type":"direct"}}]}`
	googles, openAI := `"`+sealed(google)+`"`, `"`+sealed(openAIs)+`"`
	late := `"` + sealed(withID(&google, "c1")) + `"`
	for _, test := range []struct {
		name   string
		body   string
		turns  []string
		losses []string
	}{
		{"strings", ask(`,"system":"S"`), []string{"system", ` text "S" @/system`, "user", ` text "A" @/messages/0/content`}, nil},
		{"system blocks", ask(`,"system":[{"type":"text","text":"S"},{"type":"text","text":"T","cache_control":{"type":"ephemeral","ttl":"1h"}}]`),
			[]string{"system", ` text "S" @/system/0`, ` text "T" cached1h @/system/1`, "user", ` text "A" @/messages/0/content`}, nil},
		{"no system", ask(`,"system":""`), []string{"user", ` text "A" @/messages/0/content`}, nil},
		{"system between", talk(`{"role":"user","content":"A"},{"role":"system","content":[{"type":"text","text":"S"}]},{"role":"assistant","content":"B"}`),
			[]string{"user", ` text "A" @/messages/0/content`, "system", ` text "S" @/messages/1/content/0`, "assistant", ` text "B" @/messages/2/content`}, nil},
		{"images", talk(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA\/A"},"cache_control":{"type":"ephemeral"}},` +
			`{"type":"image","source":{"type":"url","url":"https://a"}},{"type":"image","source":{"type":"file","file_id":"file_1"},"transformations":{"oversized_image":"error"}}]}`),
			[]string{"user", ` image image/png AA/A  cached @/messages/0/content/0`, ` image  https://a  @/messages/0/content/1`, ` image  file_1  @/messages/0/content/2`},
			[]string{"/messages/0/content/2/transformations"}},
		{"documents", talk(`{"role":"user","content":[{"type":"document","title":"a.pdf","context":"about","citations":{"enabled":false},"source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}},` +
			`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hé\n"},"citations":{"enabled":true}},{"type":"document","source":{"type":"url","url":"https://a"}},{"type":"document","source":{"type":"file","file_id":"file_1"}}]}`),
			[]string{"user", ` text "about" @/messages/0/content/0/context`, ` file application/pdf AAAA a.pdf @/messages/0/content/0`, ` file text/plain aMOpCg==  @/messages/0/content/1`,
				` file application/pdf https://a  @/messages/0/content/2`, ` file  file_1  @/messages/0/content/3`}, []string{"/messages/0/content/1/citations/enabled"}},
		{"documents of blocks", talk(`{"role":"user","content":[{"type":"document","title":"T","cache_control":{"type":"ephemeral"},"source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"url","url":"https://a"}}]}},` +
			`{"type":"document","source":{"type":"content","content":"b"}}]}`),
			[]string{"user", ` text "T" @/messages/0/content/0/title`, ` text "a" @/messages/0/content/0/source/content/0`, ` image  https://a  cached @/messages/0/content/0/source/content/1`, ` text "b" @/messages/0/content/1/source/content`}, nil},
		{"search results", talk(`{"role":"user","content":[{"type":"search_result","title":"T","source":"https://a","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"image","source":{"type":"url","url":"https://a"}}],"citations":{"enabled":true}}]}`),
			[]string{"user", ` text "T\nhttps://a\n\na\n\nb" @/messages/0/content/0`}, []string{"/messages/0/content/0/citations/enabled", "!/messages/0/content/0/content/2"}},
		{"results come before the rest", talk(call + `,{"role":"user","content":[{"type":"text","text":"x"},{"type":"tool_result","tool_use_id":"c2","content":"2"},{"type":"text","text":"y"},` +
			`{"type":"tool_result","tool_use_id":"c1","is_error":true,"content":[{"type":"text","text":"1"},{"type":"image","source":{"type":"url","url":"https://a"}}],"cache_control":{"type":"ephemeral"}},{"type":"tool_result","tool_use_id":"c9"}]}`),
			[]string{"assistant", ` call c1 f {"x": 1} @/messages/0/content/0`, ` call c2 g {} @/messages/0/content/1`,
				"tool c2 g", ` text "2" @/messages/1/content/1/content`, "tool c1 f failed", ` text "1" @/messages/1/content/3/content/0`, ` image  https://a  cached @/messages/1/content/3/content/1`,
				"tool c9 ", "user", ` text "x" @/messages/1/content/0`, ` text "y" @/messages/1/content/2`}, nil},
		{"only results", talk(call + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","cache_control":{"type":"ephemeral"}},{"type":"tool_result","tool_use_id":"c2","content":[{"type":"tool_reference","tool_name":"h"},{"type":"browser_state"}]}]}`),
			[]string{"assistant", ` call c1 f {"x": 1} @/messages/0/content/0`, ` call c2 g {} @/messages/0/content/1`, "tool c1 f", "tool c2 g", ` text "h" @/messages/1/content/1/content/0`},
			[]string{"/messages/1/content/0/cache_control", "!/messages/1/content/1/content/1"}},
		{"thinking", talk(`{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"S=="},{"type":"redacted_thinking","data":"R"},{"type":"thinking","thinking":"","signature":"S2"},{"type":"thinking","thinking":"","signature":""},{"type":"text","text":"B"}]}`),
			[]string{"assistant", ` reasoning "T" signature "S==" @/messages/0/content/0`, ` reasoning redacted "R" @/messages/0/content/1`, ` reasoning signature "S2" @/messages/0/content/2`, ` text "B" @/messages/0/content/4`}, nil},
		{"thinking of another vendor", talk(`{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":` + openAI + `},{"type":"thinking","thinking":"","signature":` + googles + `},{"type":"text","text":"B"}]}`),
			[]string{"assistant", ` reasoning "T" redacted "enc" of openairs_1 @/messages/0/content/0`, ` reasoning signature "G==" of google @/messages/0/content/1`, ` text "B" @/messages/0/content/2`}, nil},
		{"signed calls", talk(`{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":""},{"type":"thinking","thinking":"","signature":` + googles + `},{"type":"tool_use","id":"c1","name":"f","input":{}},{"type":"tool_use","id":"c2","name":"g","input":{}}]}`),
			[]string{"assistant", ` reasoning "T" @/messages/0/content/0`, ` call c1 f {} signature "G==" of google @/messages/0/content/2`, ` call c2 g {} @/messages/0/content/3`}, nil},
		{"calls signed late", talk(`{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f","input":{}},{"type":"thinking","thinking":"","signature":` + late + `},{"type":"tool_use","id":"c2","name":"g","input":{}}]}`),
			[]string{"assistant", ` call c1 f {} signature "G==" of google @/messages/0/content/0`, ` call c2 g {} @/messages/0/content/2`}, nil},
		{"reasoning of OpenAI before a call stays", talk(`{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":` + openAI + `},{"type":"tool_use","id":"c1","name":"f","input":{}}]}`),
			[]string{"assistant", ` reasoning redacted "enc" of openairs_1 @/messages/0/content/0`, ` call c1 f {} @/messages/0/content/1`}, nil},
		{"what Anthropic's tools did", talk(`{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","content":[]},{"type":"mcp_tool_use"},{"type":"container_upload"},` +
			`{"type":"text","text":"B","citations":[{"type":"web_search_result_location"}]},{"type":"text","text":"C","citations":[]},{"type":"compaction","content":"D","signature":"x"},{"type":"tomorrow"}]}`),
			[]string{"assistant", ` text "B" @/messages/0/content/4`, ` text "C" @/messages/0/content/5`, ` text "D" @/messages/0/content/6`},
			[]string{"/messages/0/content/0", "/messages/0/content/1", "/messages/0/content/2", "!/messages/0/content/3", "/messages/0/content/4/citations", "/messages/0/content/6/signature", "!/messages/0/content/7"}},
		{"nulls are absent", talk(`{"role":"user","content":[{"type":"text","text":"A","cache_control":null,"citations":null}]},{"role":"assistant","content":[]}`), []string{"user", ` text "A" @/messages/0/content/0`}, nil},
		{"unknown marks", talk(`{"role":"user","content":[{"type":"text","text":"A","cache_control":{"type":"eternal","scope":"x"}}]}`), []string{"user", ` text "A" @/messages/0/content/0`},
			[]string{"/messages/0/content/0/cache_control/type", "/messages/0/content/0/cache_control/scope"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, lost := decode(t, test.body)
			wantList(t, "turns", describeTurns(r.Turns), test.turns)
			wantLosses(t, lost, test.losses...)
		})
	}
}

func TestDecodeTools(t *testing.T) {
	r, lost := decode(t, ask(`,"tools":[
		{"name":"f","description":"D","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"},"defer_loading":false,"allowed_callers":["direct"],"eager_input_streaming":true,"input_examples":[{}]},
		{"type":"custom","name":"g","input_schema":{},"defer_loading":true},
		{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":5,"cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"memory_20250818","name":"memory"},
		{"type":"computer_20250124","name":"computer"},{"type":"web_fetch_20250910","name":"web_fetch"},{"type":"mcp_toolset"},
		{"type":"web_search_20250305","name":"web_search","max_uses":3,"user_location":{"type":"approximate","city":"K\u00f6ln","country":"DE","street":"x"},"cache_control":{"type":"ephemeral"}},
		{"type":"web_search_20260209","name":"web_search"}]`))
	var got []string
	for _, tool := range r.Tools {
		s := strings.Join([]string{tool.Name, tool.Type, tool.At.Pointer()}, " ")
		if jsonbytes.Check(tool.Schema, 0) != nil || tool.Schema.Kind() != jsonbytes.Object {
			t.Errorf("%s: schema %s", tool.Name, tool.Schema)
		}
		if tool.Strict != nil {
			s += fmt.Sprint(" strict ", *tool.Strict)
		}
		if tool.Cache != nil {
			s += " cached" + tool.Cache.TTL
		}
		got = append(got, s)
	}
	wantList(t, "tools", got, []string{"f  /tools/0 strict true cached", "g  /tools/1", "bash bash_20250124 /tools/2",
		"str_replace_based_edit_tool text_editor_20250728 /tools/3 cached5m", "memory memory_20250818 /tools/4 cached"})
	wantText(t, "description", r.Tools[0].Description, `"D"`)
	wantText(t, "search", r.Leftover("web_search_options"), `{"user_location":{"type":"approximate","approximate":{"city":"K\u00f6ln","country":"DE"}}}`)
	wantLosses(t, lost, "/tools/0/input_examples", "/tools/1/defer_loading", "/tools/3/max_characters", "!/tools/5",
		"/tools/8/max_uses", "/tools/8/user_location/street", "!/tools/9", "/tools/6", "/tools/7")
}

func TestToolsThatOnlyAnthropicRuns(t *testing.T) {
	const fetch, own = `{"type":"web_fetch_20250910","name":"web_fetch"}`, `{"name":"f","input_schema":{"type":"object"}}`
	_, lost := decode(t, ask(`,"tools":[`+own+`,`+fetch+`]`))
	wantLosses(t, lost, "/tools/1")
	_, lost = decode(t, ask(`,"tools":[`+fetch+`]`))
	wantLosses(t, lost, "!/tools/0")
	_, lost = decode(t, ask(`,"tools":[`+own+`,`+fetch+`],"tool_choice":{"type":"any"}`))
	wantLosses(t, lost, "!/tools/1")
}

func TestSearchWithoutAToolBeforeItTakesNoMark(t *testing.T) {
	r, lost := decode(t, ask(`,"tools":[{"type":"web_search_20250305","name":"web_search","cache_control":{"type":"ephemeral"}}]`))
	wantText(t, "search", r.Leftover("web_search_options"), `{}`)
	wantLosses(t, lost, "/tools/0/cache_control")
	_, lost = decode(t, ask(`,"web_search_options":{},"tools":[{"type":"web_search_20250305","name":"web_search"}]`))
	wantLosses(t, lost, "!/tools/0")
}

func TestDecodeToolChoice(t *testing.T) {
	for choice, want := range map[string]string{
		`{"type":"auto"}`: "1  -", `{"type":"none"}`: "2  -", `{"type":"any","disable_parallel_tool_use":true}`: "3  false",
		`{"type":"tool","name":"f","disable_parallel_tool_use":false}`: "4 f true", `null`: "0  -",
	} {
		r, lost := decode(t, ask(`,"tool_choice":`+choice))
		parallel := "-"
		if r.ParallelTools != nil {
			parallel = fmt.Sprint(*r.ParallelTools)
		}
		if got := fmt.Sprintf("%d %s %s", r.ToolChoice.Mode, r.ToolChoice.Name, parallel); got != want || len(lost.Dropped) > 0 {
			t.Errorf("%s: %s %v", choice, got, lost.Dropped)
		}
	}
}

func TestDecodeReasoning(t *testing.T) {
	for _, test := range []struct{ name, more, want string }{
		{"nothing", ``, ` 0 false`},
		{"budget", `,"thinking":{"type":"enabled","budget_tokens":2048}`, ` 2048 true enabled`},
		{"budget, not shown", `,"thinking":{"type":"enabled","budget_tokens":2048,"display":"omitted"}`, ` 2048 false enabled omitted`},
		{"adaptive", `,"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"}`, `high 0 true adaptive summarized high`},
		{"disabled", `,"output_config":{"effort":"low"},"thinking":{"type":"disabled"}`, `none 0 false disabled low`},
		{"between tools", `,"thinking":{"type":"between_tools"}`, ` 0 false between_tools`},
		{"effort alone", `,"output_config":{"effort":"max"}`, `max 0 false max`},
	} {
		r, lost := decode(t, ask(test.more))
		in := r.Reasoning
		got := fmt.Sprint(in.Effort, " ", in.Budget, " ", in.Summary)
		if own := in.Thinking; own != nil {
			for _, word := range []string{own.Type, own.Display, own.Effort} {
				if word != "" {
					got += " " + word
				}
			}
		}
		if got != test.want || len(lost.Dropped) > 0 {
			t.Errorf("%s: %s %v", test.name, got, lost.Dropped)
		}
	}
	_, lost := decode(t, ask(`,"thinking":{"type":"tomorrow"}`))
	wantLosses(t, lost, "/thinking")
	_, lost = decode(t, ask(`,"thinking":{"type":"disabled","budget_tokens":5,"display":"x"}`))
	wantLosses(t, lost, "/thinking/budget_tokens", "/thinking/display")
}

func TestDecodeOutputFormat(t *testing.T) {
	const closed = `{"type":"object","properties":{"a":{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"null"}]}}},"required":["a"],"additionalProperties":false}`
	const open = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"],"additionalProperties":false}`
	for _, test := range []struct {
		more, schema string
		strict       bool
	}{
		{`,"output_config":{"format":{"type":"json_schema","schema":` + closed + `}}`, closed, true},
		{`,"output_config":{"format":{"type":"json_schema","schema":` + open + `}}`, open, false},
		{`,"output_format":{"type":"json_schema","schema":` + closed + `}`, closed, true},
		{`,"output_config":{"format":{"type":"json_schema","schema":` + open + `}},"output_format":{"type":"json_schema","schema":{}}`, open, false},
		{`,"output_format":{"type":"json_schema","schema":{}},"output_config":{"format":{"type":"json_schema","schema":` + open + `}}`, open, false},
		{`,"output_format":{"type":"json_schema","schema":{"type":"object","patternProperties":{}}}`, `{"type":"object","patternProperties":{}}`, false},
	} {
		r, lost := decode(t, ask(test.more))
		out := r.Output
		if out.Kind != transform.OutputSchema || string(out.Schema) != test.schema || (out.Strict != nil) != test.strict || len(lost.Dropped) > 0 {
			t.Errorf("%s: %+v %v", test.more, out, lost.Dropped)
		}
	}
}

func TestDecodeTheRest(t *testing.T) {
	r, lost := decode(t, ask(`,"temperature":0.50,"top_p":1,"top_k":5,"stop_sequences":["a","\n"],"stream":true,"metadata":{"user_id":"u","team":"x"},"service_tier":"standard_only",
		"anthropic_version":"vertex-2023-10-16","cache_control":{"type":"ephemeral"},"container":"c","betas":["b"]`))
	s := r.Sampling
	if r.Model != "smart" || s.MaxTokens != 100 || string(s.Temperature) != "0.50" || string(s.TopP) != "1" || string(s.TopK) != "5" || len(s.Stop) != 2 ||
		!r.Stream || !r.StreamUsage || r.User != "u" || r.ServiceTier != "default" {
		t.Errorf("got %+v", r)
	}
	var rest []string
	for _, m := range r.Rest {
		rest = append(rest, m.Name)
	}
	wantList(t, "rest", rest, []string{"cache_control", "container", "betas"})
	wantLosses(t, lost, "/metadata/team")
}

func TestWrongRequestsAreRefused(t *testing.T) {
	assistantSays := func(block string) string { return talk(`{"role":"assistant","content":[` + block + `]}`) }
	userSays := func(block string) string { return talk(`{"role":"user","content":[` + block + `]}`) }
	for _, test := range []struct{ name, body, param string }{
		{"no object", `[]`, ""},
		{"nothing", ``, ""},
		{"no model", `{"max_tokens":1,"messages":[]}`, "model"},
		{"model", `{"model":5}`, "model"},
		{"no max_tokens", `{"model":"m","messages":[{"role":"user","content":"A"}]}`, "max_tokens"},
		{"max_tokens 0", `{"model":"m","max_tokens":0,"messages":[]}`, "max_tokens"},
		{"max_tokens", `{"model":"m","max_tokens":"5","messages":[]}`, "max_tokens"},
		{"no messages", `{"model":"m","max_tokens":1}`, "messages"},
		{"empty messages", `{"model":"m","max_tokens":1,"messages":[]}`, "messages"},
		{"messages", `{"model":"m","max_tokens":1,"messages":{}}`, "messages"},
		{"message", talk(`"A"`), "messages.0"},
		{"no role", talk(`{"content":"A"}`), "messages.0.role"},
		{"role", talk(`{"role":"tool","content":"A"}`), "messages.0.role"},
		{"no content", talk(`{"role":"user"}`), "messages.0.content"},
		{"content", talk(`{"role":"user","content":5}`), "messages.0.content"},
		{"empty content", talk(`{"role":"user","content":""}`), "messages.0.content"},
		{"empty blocks", talk(`{"role":"user","content":[]}`), "messages.0.content"},
		{"block", userSays(`"A"`), "messages.0.content.0"},
		{"block without type", userSays(`{"text":"A"}`), "messages.0.content.0.type"},
		{"type", userSays(`{"type":5}`), "messages.0.content.0.type"},
		{"text", userSays(`{"type":"text","text":5}`), "messages.0.content.0.text"},
		{"no text", userSays(`{"type":"text"}`), "messages.0.content.0.text"},
		{"call of the user's", userSays(`{"type":"tool_use","id":"a","name":"f","input":{}}`), "messages.0.content.0"},
		{"thinking of the user's", userSays(`{"type":"thinking"}`), "messages.0.content.0"},
		{"result of the assistant's", assistantSays(`{"type":"tool_result","tool_use_id":"a"}`), "messages.0.content.0"},
		{"result in a result", userSays(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_result","tool_use_id":"a"}]}`), "messages.0.content.0.content.0"},
		{"result in a document", userSays(`{"type":"document","source":{"type":"content","content":[{"type":"tool_result","tool_use_id":"a"}]}}`), "messages.0.content.0.source.content.0"},
		{"result of no call", userSays(`{"type":"tool_result"}`), "messages.0.content.0.tool_use_id"},
		{"is_error", userSays(`{"type":"tool_result","tool_use_id":"a","is_error":"no"}`), "messages.0.content.0.is_error"},
		{"call without id", assistantSays(`{"type":"tool_use","name":"f","input":{}}`), "messages.0.content.0.id"},
		{"call without name", assistantSays(`{"type":"tool_use","id":"a","input":{}}`), "messages.0.content.0.name"},
		{"input", assistantSays(`{"type":"tool_use","id":"a","name":"f","input":"{}"}`), "messages.0.content.0.input"},
		{"signature", assistantSays(`{"type":"thinking","thinking":"","signature":5}`), "messages.0.content.0.signature"},
		{"thinking", assistantSays(`{"type":"thinking","thinking":5}`), "messages.0.content.0.thinking"},
		{"data", assistantSays(`{"type":"redacted_thinking","data":5}`), "messages.0.content.0.data"},
		{"no source", userSays(`{"type":"image"}`), "messages.0.content.0.source"},
		{"source", userSays(`{"type":"image","source":{"type":"text","data":"a"}}`), "messages.0.content.0.source.type"},
		{"source without data", userSays(`{"type":"image","source":{"type":"base64","media_type":"image/png"}}`), "messages.0.content.0.source.data"},
		{"source without media type", userSays(`{"type":"image","source":{"type":"base64","data":"AA"}}`), "messages.0.content.0.source.media_type"},
		{"no base64", userSays(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"\u0022"}}`), "messages.0.content.0.source.data"},
		{"empty URL", userSays(`{"type":"image","source":{"type":"url","url":""}}`), "messages.0.content.0.source.url"},
		{"empty document", userSays(`{"type":"document","source":{"type":"content","content":[]}}`), "messages.0.content.0.source.content"},
		{"search result", userSays(`{"type":"search_result"}`), "messages.0.content.0.content"},
		{"system", ask(`,"system":5`), "system"},
		{"tools", ask(`,"tools":{}`), "tools"},
		{"tool", ask(`,"tools":[5]`), "tools.0"},
		{"tool without name", ask(`,"tools":[{"input_schema":{}}]`), "tools.0.name"},
		{"tool without schema", ask(`,"tools":[{"name":"f"}]`), "tools.0.input_schema"},
		{"schema", ask(`,"tools":[{"name":"f","input_schema":[]}]`), "tools.0.input_schema"},
		{"type of a tool", ask(`,"tools":[{"type":5}]`), "tools.0.type"},
		{"tool_choice", ask(`,"tool_choice":"auto"`), "tool_choice"},
		{"kind of tool_choice", ask(`,"tool_choice":{"type":"required"}`), "tool_choice.type"},
		{"tool_choice of nothing", ask(`,"tool_choice":{}`), "tool_choice.type"},
		{"tool_choice without a name", ask(`,"tool_choice":{"type":"tool"}`), "tool_choice.name"},
		{"stop_sequences", ask(`,"stop_sequences":"a"`), "stop_sequences"},
		{"stop sequence", ask(`,"stop_sequences":[5]`), "stop_sequences.0"},
		{"temperature", ask(`,"temperature":"1"`), "temperature"},
		{"stream", ask(`,"stream":1`), "stream"},
		{"metadata", ask(`,"metadata":"u"`), "metadata"},
		{"thinking type", ask(`,"thinking":{}`), "thinking.type"},
		{"no budget", ask(`,"thinking":{"type":"enabled"}`), "thinking.budget_tokens"},
		{"small budget", ask(`,"thinking":{"type":"enabled","budget_tokens":5}`), "thinking.budget_tokens"},
		{"format", ask(`,"output_config":{"format":{"type":"json"}}`), "output_config.format.type"},
		{"format without type", ask(`,"output_config":{"format":{}}`), "output_config.format.type"},
		{"format without schema", ask(`,"output_format":{"type":"json_schema"}`), "output_format.schema"},
		{"key twice", userSays(`{"type":"text","text":"A","text":"B"}`), "/messages/0/content/0/text"},
		{"key in two spellings", userSays(`{"type":"text","text":"A","Text":"B"}`), "/messages/0/content/0/Text"},
	} {
		_, err := Codec{}.DecodeRequest([]byte(test.body), new(transform.Losses))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Param != test.param || !strings.Contains(e.Message, test.param) || e.Message == "" {
			t.Errorf("%s: got %#v", test.name, err)
		}
	}
}

func TestOnlyWhatIsContinuedNeedsMaxTokens(t *testing.T) {
	const body = `{"model":"m","messages":[{"role":"user","content":"A"}]}`
	if r, err := (Codec{}).DecodeCountRequest([]byte(body), new(transform.Losses)); err != nil || len(r.Turns) != 1 {
		t.Errorf("got %v", err)
	}
	if _, err := (Codec{}).DecodeCountRequest([]byte(`{"model":"m"}`), new(transform.Losses)); err == nil {
		t.Error("nothing was counted")
	}
}
