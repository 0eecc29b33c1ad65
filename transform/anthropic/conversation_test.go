package anthropic

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

const (
	sysA  = `{"type":"text","text":"A"}`
	userA = `{"role":"user","content":[{"type":"text","text":"A"}]}`
	botB  = `{"role":"assistant","content":[{"type":"text","text":"B"}]}`
	userC = `{"role":"user","content":[{"type":"text","text":"C"}]}`
	goOnM = `{"role":"user","content":[{"type":"text","text":"Continue."}]}`
	dot   = `{"role":"user","content":[{"type":"text","text":"."}]}`
	use1  = `{"type":"tool_use","id":"c1","name":"f","input":{"x":1}}`
	use2  = `{"type":"tool_use","id":"c2","name":"g","input":{}}`
	none1 = `{"type":"tool_result","tool_use_id":"c1","content":"No result was given for this call.","is_error":true}`
)

func TestTurnsBecomeMessages(t *testing.T) {
	call1, call2 := callPart("c1", "f", `{"x":1}`), callPart("c2", "g", "")
	for _, test := range []struct {
		name     string
		model    string
		turns    []transform.Turn
		messages string
		losses   []string
	}{
		{"alternating", newest, []transform.Turn{user("A"), assistant("B"), user("C")},
			`[` + userA + `,` + botB + `,` + userC + `]`, nil},
		{"consecutive roles merge", newest, []transform.Turn{user("A"), user("C"), assistant("B"), assistant("D"), user("E")},
			`[{"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"C"}]},` +
				`{"role":"assistant","content":[{"type":"text","text":"B"},{"type":"text","text":"D"}]},` +
				`{"role":"user","content":[{"type":"text","text":"E"}]}]`, nil},
		{"blank texts and empty turns go", newest, []transform.Turn{user("A", "", " \n\t"), assistant(""), user("\u00a0", "C")},
			`[{"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"C"}]}]`, nil},
		{"only system", newest, []transform.Turn{system("S")}, `[` + dot + `]`, nil},
		{"begins with the assistant", newest, []transform.Turn{assistant("B"), user("C")}, `[` + dot + `,` + botB + `,` + userC + `]`, nil},
		{"ends with the assistant, no prefill", newest, []transform.Turn{user("A"), assistant("B")}, `[` + userA + `,` + botB + `,` + goOnM + `]`, nil},
		{"prefill is trimmed", budgeted, []transform.Turn{user("A"), assistant("B \n")}, `[` + userA + `,` + botB + `]`, nil},
		{"results come first", newest, []transform.Turn{user("A"), with(assistant("B"), call1, call2), user("C"), result("c2", "2"), result("c1", "1")},
			`[` + userA + `,{"role":"assistant","content":[{"type":"text","text":"B"},` + use1 + `,` + use2 + `]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c2","content":"2"},` +
				`{"type":"tool_result","tool_use_id":"c1","content":"1"},{"type":"text","text":"C"}]}]`, nil},
		{"calls come last", newest, []transform.Turn{user("A"), with(with(assistant(), call1), textPart("B")), result("c1", "1")},
			`[` + userA + `,{"role":"assistant","content":[{"type":"text","text":"B"},` + use1 + `]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"1"}]}]`, nil},
		{"unanswered call", newest, []transform.Turn{user("A"), with(assistant(), call1), user("C")},
			`[` + userA + `,{"role":"assistant","content":[` + use1 + `]},` +
				`{"role":"user","content":[` + none1 + `,{"type":"text","text":"C"}]}]`, nil},
		{"unanswered call at the end", newest, []transform.Turn{user("A"), with(assistant(), call1)},
			`[` + userA + `,{"role":"assistant","content":[` + use1 + `]},{"role":"user","content":[` + none1 + `]}]`, nil},
		{"late result", newest, []transform.Turn{user("A"), with(assistant(), call1), user("C"), assistant("B"), result("c1", "1")},
			`[` + userA + `,{"role":"assistant","content":[` + use1 + `]},{"role":"user","content":[` + none1 + `,{"type":"text","text":"C"}]},` + botB +
				`,{"role":"user","content":[{"type":"text","text":"Result of a tool call that is not part of this conversation:"},{"type":"text","text":"1"}]}]`,
			[]string{"/messages/9/tool_call_id"}},
		{"second result of one call", newest, []transform.Turn{user("A"), with(assistant(), call1), result("c1", "1"), result("c1", "2")},
			`[` + userA + `,{"role":"assistant","content":[` + use1 + `]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"1"},` +
				`{"type":"text","text":"Result of a tool call that is not part of this conversation:"},{"type":"text","text":"2"}]}]`,
			[]string{"/messages/9/tool_call_id"}},
		{"system turn in place", newest, []transform.Turn{user("A"), system("S"), system("T"), assistant("B"), user("C")},
			`[` + userA + `,{"role":"system","content":[{"type":"text","text":"S"},{"type":"text","text":"T"}]},` + botB + `,` + userC + `]`, nil},
		{"system turn behind the assistant", newest, []transform.Turn{user("A"), assistant("B"), system("S"), user("C")},
			`[` + userA + `,` + botB + `,{"role":"user","content":[{"type":"text","text":"S"},{"type":"text","text":"C"}]}]`, nil},
		{"system turn among results", newest, []transform.Turn{user("A"), with(assistant(), call1), system("S"), result("c1", "1"), user("C")},
			`[` + userA + `,{"role":"assistant","content":[` + use1 + `]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"1"},` +
				`{"type":"text","text":"S"},{"type":"text","text":"C"}]}]`, nil},
		{"system turn behind results", newest, []transform.Turn{user("A"), with(assistant(), call1), result("c1", "1"), system("S")},
			`[` + userA + `,{"role":"assistant","content":[` + use1 + `]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"1"}]},` +
				`{"role":"system","content":[{"type":"text","text":"S"}]}]`, nil},
		{"system turn of an older model", mixed, []transform.Turn{user("A"), system("S"), assistant("B"), user("C")},
			`[{"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"S"}]},` + botB + `,` + userC + `]`, nil},
		{"names are dropped", newest, []transform.Turn{{Role: transform.RoleUser, Name: "Ann", Parts: []transform.Part{textPart("A")}, At: place("/messages/0")}},
			`[` + userA + `]`, []string{"/messages/0/name"}},
		{"refusals are said", newest, []transform.Turn{user("A"), with(assistant(), transform.Part{Kind: transform.PartRefusal, Text: transform.Quote("B")}), user("C")},
			`[` + userA + `,` + botB + `,` + userC + `]`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, lost := encode(t, test.model, conversation(test.turns...))
			wantText(t, "messages", body.Get("messages"), test.messages)
			wantLosses(t, lost, test.losses...)
		})
	}
}

func TestLeadingSystemTurnsBecomeBlocks(t *testing.T) {
	developer := say(transform.RoleDeveloper, "B", "")
	developer.Parts[0].Cache = &transform.CacheMark{TTL: "1h"}
	body, _ := encode(t, newest, conversation(system("A", "A"), developer, user("U")))
	wantText(t, "system", body.Get("system"),
		`[`+sysA+`,`+sysA+`,{"type":"text","text":"B","cache_control":{"type":"ephemeral","ttl":"1h"}}]`)
}

func TestCloudModelsGetNoSystemTurns(t *testing.T) {
	body, _ := encodeWith(t, Codec{Cloud: true}, newest, conversation(user("A"), system("S"), user("C")))
	wantText(t, "messages", body.Get("messages"),
		`[{"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"S"},{"type":"text","text":"C"}]}]`)
}

func TestConversationsWithoutContentAreRefused(t *testing.T) {
	for _, r := range []*transform.Request{conversation(), conversation(user("")), conversation(system(" "), assistant())} {
		if err := refused(t, newest, r); err.Param != "messages" {
			t.Errorf("got %+v", err)
		}
	}
}

func TestArgumentsMustBeAnObject(t *testing.T) {
	for arguments, want := range map[string]string{
		"": `{}`, " ": `{}`, "null": `{}`, `{"n":1.50}`: `{"n":1.50}`, "\n{ }": `{ }`,
		`{"x":`: "", `[1]`: "", `"text"`: "", `{"a":1}{`: "",
	} {
		r := conversation(user("A"), with(assistant(), callPart("c1", "f", arguments)), result("c1", "1"))
		if want == "" {
			if err := refused(t, newest, r); err.Param != "/messages/1/tool_calls/0" {
				t.Errorf("%s: got %+v", arguments, err)
			}
			continue
		}
		body, _ := encode(t, newest, r)
		if !strings.Contains(string(body), `"input":`+want+`}`) {
			t.Errorf("%q: got %s", arguments, body)
		}
	}
}

func TestCallIDsAreMadeAcceptable(t *testing.T) {
	r := conversation(user("A"),
		with(assistant(), callPart("call.1", "f", ""), callPart("call:1", "f", ""), callPart("", "a.b", ""), callPart("toolu_0-Z", "f", "")),
		result("call:1", "second"), result("", "third"), result("call.1", "first"), result("toolu_0-Z", "fourth"), user("C"),
		with(assistant(), callPart("call.1", "f", "")), result("call.1", "again"))
	body, lost := encode(t, newest, r)
	wantText(t, "messages", body.Get("messages"), `[`+userA+`,{"role":"assistant","content":[`+
		`{"type":"tool_use","id":"call_1_2945fb5c","name":"f","input":{}},`+
		`{"type":"tool_use","id":"call_1_b1635388","name":"f","input":{}},`+
		`{"type":"tool_use","id":"call","name":"a_b","input":{}},`+
		`{"type":"tool_use","id":"toolu_0-Z","name":"f","input":{}}]},{"role":"user","content":[`+
		`{"type":"tool_result","tool_use_id":"call_1_b1635388","content":"second"},`+
		`{"type":"tool_result","tool_use_id":"call","content":"third"},`+
		`{"type":"tool_result","tool_use_id":"call_1_2945fb5c","content":"first"},`+
		`{"type":"tool_result","tool_use_id":"toolu_0-Z","content":"fourth"},`+
		`{"type":"text","text":"C"}]},{"role":"assistant","content":[`+
		`{"type":"tool_use","id":"call_1_2945fb5c_2","name":"f","input":{}}]},{"role":"user","content":[`+
		`{"type":"tool_result","tool_use_id":"call_1_2945fb5c_2","content":"again"}]}]`)
	wantLosses(t, lost)
}

func TestToolResultsKeepTheirForm(t *testing.T) {
	image := transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("AAAA")}}
	failed := result("c1")
	failed.IsError = true
	for _, test := range []struct {
		name   string
		result transform.Turn
		want   string
	}{
		{"text", result("c1", "1"), `,"content":"1"}`},
		{"texts", result("c1", "1", "2"), `,"content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}`},
		{"nothing", result("c1", ""), `}`},
		{"failure", failed, `,"content":"The call failed.","is_error":true}`},
		{"image", with(result("c1"), image), `,"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}`},
		{"mark", with(result("c1"), marked(textPart("1"), "")), `,"content":"1","cache_control":{"type":"ephemeral"}}`},
	} {
		body, lost := encode(t, newest, conversation(user("A"), with(assistant(), callPart("c1", "f", "")), test.result))
		want := `{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1"` + test.want + `]}]`
		if got := string(body.Get("messages")); !strings.HasSuffix(got, want) {
			t.Errorf("%s:\n got %s\nwant …%s", test.name, got, want)
		}
		wantLosses(t, lost)
	}
}

func TestReasoningReturnsOnlyToItsVendor(t *testing.T) {
	redacted := transform.Part{Kind: transform.PartReasoning, Opaque: opaque(transform.OpaqueRedacted, transform.Quote("R"))}
	google := thought("T", "S")
	google.Opaque.Vendor = transform.VendorGoogle
	thinking := `{"type":"thinking","thinking":"T","signature":"S"}`
	for _, test := range []struct {
		name   string
		parts  []transform.Part
		want   string
		losses []string
	}{
		{"first in its turn", []transform.Part{textPart("B"), thought("T", "S"), callPart("c1", "f", `{"x":1}`)},
			thinking + `,{"type":"text","text":"B"},` + use1, nil},
		{"in order", []transform.Part{thought("", "S1"), redacted, thought("T", "S"), textPart("B")},
			`{"type":"thinking","thinking":"","signature":"S1"},{"type":"redacted_thinking","data":"R"},` + thinking + `,{"type":"text","text":"B"}`, nil},
		{"between calls", []transform.Part{thought("T", "S"), callPart("c1", "f", `{"x":1}`), thought("T", "S"), callPart("c2", "g", ""), textPart("B")},
			thinking + `,` + use1 + `,` + thinking + `,{"type":"text","text":"B"},` + use2, nil},
		{"behind a text between", []transform.Part{thought("T", "S"), textPart("B"), thought("T", "S"), callPart("c1", "f", `{"x":1}`)},
			thinking + `,{"type":"text","text":"B"},` + thinking + `,` + use1, nil},
		{"unsigned", []transform.Part{thought("T", ""), textPart("B")}, `{"type":"text","text":"B"}`, []string{"/messages/1/reasoning_details/0"}},
		{"another vendor's", []transform.Part{google, textPart("B")}, `{"type":"text","text":"B"}`, []string{"/messages/1/reasoning_details/0"}},
	} {
		body, lost := encode(t, newest, conversation(user("A"), with(assistant(), test.parts...), result("c1", "1"), result("c2", "2")))
		want := `[` + userA + `,{"role":"assistant","content":[` + test.want + `]},`
		if got := string(body.Get("messages")); !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s…", test.name, got, want)
		}
		var notes []string
		for _, pointer := range lost.Dropped {
			if !strings.HasSuffix(pointer, "tool_call_id") {
				notes = append(notes, pointer)
			}
		}
		wantLosses(t, &transform.Losses{Dropped: notes}, test.losses...)
	}
}

func TestMessagesDoNotEndWithReasoning(t *testing.T) {
	for _, test := range []struct {
		name   string
		turns  []transform.Turn
		want   string
		losses []string
	}{
		{"nothing else", []transform.Turn{user("A"), with(assistant(), thought("T", "S")), user("C")},
			`[{"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"C"}]}]`, []string{"/messages/1/reasoning_details/0"}},
		{"more in the next turn", []transform.Turn{user("A"), with(assistant(), thought("T", "S")), assistant("B"), user("C")},
			`[` + userA + `,{"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"S"},{"type":"text","text":"B"}]},` + userC + `]`, nil},
		{"behind a call", []transform.Turn{user("A"), with(assistant(), callPart("c1", "f", `{"x":1}`), thought("T", "S")), result("c1", "1")},
			`[` + userA + `,{"role":"assistant","content":[` + use1 + `]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"1"}]}]`,
			[]string{"/messages/1/reasoning_details/0"}},
		{"at the end", []transform.Turn{user("A"), with(assistant(), thought("T", "S"))}, `[` + userA + `]`, []string{"/messages/1/reasoning_details/0"}},
	} {
		body, lost := encode(t, newest, conversation(test.turns...))
		wantText(t, test.name, body.Get("messages"), test.want)
		wantLosses(t, lost, test.losses...)
	}
}

func TestReasoningStaysFromOtherTargets(t *testing.T) {
	var lost transform.Losses
	body, err := Codec{}.AppendRequest(nil, conversation(user("A"), with(assistant("B"), thought("T", "S")), user("C")),
		transform.Target{Model: foreign}, &lost)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), "thinking") {
		t.Errorf("got %s", body)
	}
	wantLosses(t, &lost, "/messages/1/reasoning_details/0")
}

func TestPartsInTheWrongPlaceAreReported(t *testing.T) {
	audio := transform.Part{Kind: transform.PartAudio, At: place("/messages/0/content/1")}
	citation := transform.Part{Kind: transform.PartCitation, At: place("/messages/1/annotations/0")}
	image := transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("AAAA")}, At: place("/messages/1/content/0")}
	_, lost := encode(t, newest, conversation(with(user("A"), audio), with(assistant("B"), citation, image), user("C")))
	wantLosses(t, lost, "!/messages/0/content/1", "/messages/1/annotations/0", "!/messages/1/content/0")
}

func TestGrowingConversationKeepsItsPrefix(t *testing.T) {
	turns := []transform.Turn{system("S"), user("A"), with(assistant("B"), thought("T", "S"), callPart("c.1", "f", "")), result("c.1", "1"),
		assistant("D"), user("E"), system("in place"), assistant("F"), user("G")}
	before := ""
	for n := 2; n <= len(turns); n++ {
		role := turns[n-1].Role
		if role == transform.RoleAssistant {
			continue // a request never ends there
		}
		r := conversation(turns[:n]...)
		r.Tools = []transform.Tool{function("f", "")}
		body, _ := encode(t, newest, r)
		prompt, _, _ := strings.Cut(string(body), `,"max_tokens"`)
		prompt = strings.TrimRight(prompt, "]}")
		if !strings.HasPrefix(prompt, before) {
			t.Errorf("turn %d changes the prefix:\n%s\n%s", n, before, prompt)
		}
		before = prompt
	}
}

func TestHostileConversationsTakeLinearTime(t *testing.T) {
	calls := assistant()
	for range blocks.MaxCalls + 1 {
		calls = with(calls, callPart("c", "f", ""))
	}
	refused(t, newest, conversation(user("A"), calls))

	turns := []transform.Turn{user("A")}
	many := assistant()
	for range 10_000 {
		turns = append(turns, with(assistant("B"), callPart("c", "f", "")), result("c", "1"), assistant("C"), user("D"))
		turns = append(turns, assistant("E"), with(assistant(), thought("T", "S")), with(assistant("F"), marked(textPart("G"), "")))
		many = with(many, textPart("B"), thought("T", "S"), marked(thought("T", ""), "1h"))
	}
	r := conversation(append(turns, many, user("C"))...)
	r.ToolChoice = transform.ToolChoice{Mode: transform.ToolsAuto, Allowed: []string{}}
	for i := range 50_000 {
		name := "f" + strconv.Itoa(i)
		r.ToolChoice.Allowed = append(r.ToolChoice.Allowed, name)
		r.Tools = append(r.Tools, function(name, ""))
	}
	encode(t, newest, r)
}
