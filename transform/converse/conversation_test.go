package converse

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

func TestConversationsAreLaidOut(t *testing.T) {
	const userA = `{"role":"user","content":[{"text":"A"}]}`
	for _, test := range []struct {
		name             string
		model            string
		r                *transform.Request
		system, messages string
		lost             []string
	}{
		{name: "one text", r: conversation(user("A")), messages: `[` + userA + `]`},
		{
			name: "system", r: conversation(system("S", " "), system("T"), user("A")),
			system: `[{"text":"S"},{"text":"T"}]`, messages: `[` + userA + `]`,
		},
		{name: "system alone", r: conversation(system("S")), system: `[{"text":"S"}]`, messages: `[{"role":"user","content":[{"text":"."}]}]`},
		{
			name: "system later", r: conversation(user("A"), assistant("B"), system("S"), user("C")),
			messages: `[` + userA + `,{"role":"assistant","content":[{"text":"B"}]},{"role":"user","content":[{"text":"S"},{"text":"C"}]}]`,
		},
		{name: "no system prompt", model: titan, r: conversation(system("S"), user("A")), messages: `[{"role":"user","content":[{"text":"S"},{"text":"A"}]}]`},
		{
			name: "no system prompt and the assistant first", model: titan, r: conversation(system("S"), assistant("B"), user("A")),
			messages: `[{"role":"user","content":[{"text":"S"}]},{"role":"assistant","content":[{"text":"B"}]},` + userA + `]`,
		},
		{
			name: "turns of one speaker", r: conversation(user("A"), user("\n", "B"), assistant("C"), assistant("D"), user("E")),
			messages: `[{"role":"user","content":[{"text":"A"},{"text":"B"}]},{"role":"assistant","content":[{"text":"C"},{"text":"D"}]},{"role":"user","content":[{"text":"E"}]}]`,
		},
		{
			name: "the assistant first", r: conversation(assistant("B"), user("A")),
			messages: `[{"role":"user","content":[{"text":"."}]},{"role":"assistant","content":[{"text":"B"}]},` + userA + `]`,
		},
		{
			name: "prefill", r: conversation(user("A"), assistant("B \n")),
			messages: `[` + userA + `,{"role":"assistant","content":[{"text":"B"}]}]`,
		},
		{
			name: "no prefill", model: llama, r: conversation(user("A"), assistant("B ")),
			messages: `[` + userA + `,{"role":"assistant","content":[{"text":"B "}]},{"role":"user","content":[{"text":"Continue."}]}]`,
		},
		{
			name: "name", r: conversation(func() transform.Turn { u := user("A"); u.Name = "ann"; u.At = place("/messages/0"); return u }()),
			messages: `[` + userA + `]`, lost: []string{"/messages/0/name"},
		},
		{
			name: "refusal and citation", r: conversation(user("A"), with(assistant(),
				transform.Part{Kind: transform.PartRefusal, Text: transform.Quote("No.")},
				transform.Part{Kind: transform.PartCitation, At: place("/messages/1/annotations/0")}), user("B")),
			messages: `[` + userA + `,{"role":"assistant","content":[{"text":"No."}]},{"role":"user","content":[{"text":"B"}]}]`,
			lost:     []string{"/messages/1/annotations/0"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			model := test.model
			if model == "" {
				model = nova
			}
			body, lost := encode(t, model, test.r)
			wantText(t, "system", body.Get("system"), test.system)
			wantText(t, "messages", body.Get("messages"), test.messages)
			wantLosses(t, lost, test.lost...)
		})
	}
	refused(t, nova, conversation())
	refused(t, nova, conversation(user(" ")))
}

func TestToolLoopsAreLaidOut(t *testing.T) {
	for _, test := range []struct {
		name, model string
		turns       []transform.Turn
		want        string
		lost        []string
	}{
		{
			name: "results of one turn in one message, before the text",
			turns: []transform.Turn{user("A"), with(assistant("B"), callPart("c1", "f", `{"a":1}`), callPart("c2", "g", ``)),
				result("c2", "two"), user("C"), failed(result("c1", "one"))},
			want: `{"role":"assistant","content":[{"text":"B"},{"toolUse":{"toolUseId":"c1","name":"f","input":{"a":1}}},{"toolUse":{"toolUseId":"c2","name":"g","input":{}}}]},` +
				`{"role":"user","content":[{"toolResult":{"toolUseId":"c2","content":[{"text":"two"}]}},` +
				`{"toolResult":{"toolUseId":"c1","content":[{"text":"one"}],"status":"error"}},{"text":"C"}]}`,
		},
		{
			name: "no status", model: llama, turns: []transform.Turn{user("A"), with(assistant(), callPart("c1", "f", `{}`)), failed(result("c1"))},
			want: `{"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"f","input":{}}}]},` +
				`{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"The call failed."}]}}]}`,
		},
		{
			name: "missing and silent results", turns: []transform.Turn{user("A"), with(assistant(), callPart("c1", "f", `{}`), callPart("c2", "f", `{}`)), result("c2", " ")},
			want: `{"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"f","input":{}}},{"toolUse":{"toolUseId":"c2","name":"f","input":{}}}]},` +
				`{"role":"user","content":[{"toolResult":{"toolUseId":"c2","content":[{"text":"The tool gave no output."}]}},` +
				`{"toolResult":{"toolUseId":"c1","content":[{"text":"No result was given for this call."}],"status":"error"}}]}`,
		},
		{
			name: "result without a call", turns: []transform.Turn{user("A"), assistant("B"), result("c9", "x")},
			want: `{"role":"assistant","content":[{"text":"B"}]},` +
				`{"role":"user","content":[{"text":"Result of a tool call that is not part of this conversation:"},{"text":"x"}]}`,
			lost: []string{"/messages/9/tool_call_id"},
		},
		{
			name: "ids of Mistral", model: mistral, turns: []transform.Turn{user("A"), with(assistant(), callPart("tooluse_Ze_bgl9C", "f", `{}`), callPart("abcDEF123", "f", `{}`)),
				result("abcDEF123", "2"), result("tooluse_Ze_bgl9C", "1")},
			want: `{"role":"assistant","content":[{"toolUse":{"toolUseId":"` + (&blocks.IDs{Short: true}).Rewrite("tooluse_Ze_bgl9C") + `","name":"f","input":{}}},{"toolUse":{"toolUseId":"abcDEF123","name":"f","input":{}}}]},` +
				`{"role":"user","content":[{"toolResult":{"toolUseId":"abcDEF123","content":[{"text":"2"}]}},{"toolResult":{"toolUseId":"` + (&blocks.IDs{Short: true}).Rewrite("tooluse_Ze_bgl9C") + `","content":[{"text":"1"}]}}]}`,
		},
		{
			name: "custom call", turns: []transform.Turn{user("A"), with(assistant(), func() transform.Part { p := callPart("c1", "sql", `a "b"`); p.Call.Custom = true; return p }()), result("c1", "1")},
			want: `{"role":"assistant","content":[{"toolUse":{"toolUseId":"c1","name":"sql","input":{"input":"a \"b\""}}}]},` +
				`{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"1"}]}}]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			model := test.model
			if model == "" {
				model = nova
			}
			r := conversation(test.turns...)
			r.Tools = []transform.Tool{function("f", `{"type":"object"}`)}
			body, lost := encode(t, model, r)
			wantText(t, "messages", body.Get("messages"), `[{"role":"user","content":[{"text":"A"}]},`+test.want+`]`)
			wantLosses(t, lost, test.lost...)
		})
	}
	for _, arguments := range []string{`[1]`, `{"a":`, `1`} {
		if e := refused(t, nova, conversation(user("A"), with(assistant(), callPart("c", "f", arguments)))); e.Param != "/messages/1/tool_calls/0" {
			t.Errorf("got %+v", e)
		}
	}
}

func TestReasoningReturnsToItsMaker(t *testing.T) {
	redactedBy := func(vendor transform.Vendor, data string) transform.Opaque {
		return transform.Opaque{Vendor: vendor, Kind: transform.OpaqueRedacted, Data: transform.Quote(data)}
	}
	for _, test := range []struct {
		name, model string
		part        transform.Part
		want        string // empty: dropped
	}{
		{"Claude's own", adaptive, thought("Hm.", signature(transform.VendorAnthropic, "S==")), `{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"S=="}}},`},
		{"signature alone", adaptive, thought("", signature(transform.VendorAnthropic, "S==")), `{"reasoningContent":{"reasoningText":{"text":"","signature":"S=="}}},`},
		{"redacted", adaptive, thought("", redactedBy(transform.VendorAnthropic, "EuE=")), `{"reasoningContent":{"redactedContent":"RXVFPQ=="}},`},
		{"Amazon's own", nova2, thought("Hm.", signature(transform.VendorAmazon, "S")), `{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"S"}}},`},
		{"redacted by Amazon", nova2, thought("", redactedBy(transform.VendorAmazon, "EuE=")), `{"reasoningContent":{"redactedContent":"EuE="}},`},
		{"another's", nova2, thought("Hm.", signature(transform.VendorAnthropic, "S")), ""},
		{"Google's", adaptive, thought("Hm.", signature(transform.VendorGoogle, "S")), ""},
		{"unsigned", adaptive, thought("Hm.", transform.Opaque{}), ""},
		{"signed with nothing", adaptive, thought("Hm.", signature(transform.VendorAnthropic, "")), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, lost := encode(t, test.model, conversation(user("A"), with(assistant("B"), test.part), user("C")))
			wantText(t, "messages", body.Get("messages"), `[{"role":"user","content":[{"text":"A"}]},{"role":"assistant","content":[`+test.want+`{"text":"B"}]},{"role":"user","content":[{"text":"C"}]}]`)
			if test.want == "" {
				wantLosses(t, lost, "/messages/1/reasoning_details/0")
			} else {
				wantLosses(t, lost)
			}
		})
	}
}

func TestCacheMarksBecomeCachePoints(t *testing.T) {
	tool := function("f", `{"type":"object"}`)
	tool.Cache = &transform.CacheMark{TTL: "1h"}
	r := func() *transform.Request {
		r := conversation(with(system(), marked(textPart("S"), "1h")), with(user(), marked(textPart("A"), "")),
			with(assistant(), callPart("c", "f", "{}")), with(result("c"), marked(textPart("r"), "5m")))
		r.Tools = []transform.Tool{tool}
		return r
	}
	body, lost := encode(t, adaptive, r())
	wantText(t, "tools", body.Get("toolConfig").Get("tools"), `[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}},{"cachePoint":{"type":"default","ttl":"1h"}}]`)
	wantText(t, "system", body.Get("system"), `[{"text":"S"},{"cachePoint":{"type":"default","ttl":"1h"}}]`)
	wantText(t, "messages", body.Get("messages"), `[{"role":"user","content":[{"text":"A"},{"cachePoint":{"type":"default"}}]},`+
		`{"role":"assistant","content":[{"toolUse":{"toolUseId":"c","name":"f","input":{}}}]},`+
		`{"role":"user","content":[{"toolResult":{"toolUseId":"c","content":[{"text":"r"}]}},{"cachePoint":{"type":"default","ttl":"5m"}}]}]`)
	wantLosses(t, lost)

	body, lost = encode(t, nova, r())
	wantText(t, "system", body.Get("system"), `[{"text":"S"},{"cachePoint":{"type":"default"}}]`)
	wantLosses(t, lost, "/tools/0/cache_control", "/messages/0/content/0/cache_control/ttl")
	body, lost = encode(t, llama, r())
	if strings.Contains(string(body), "cachePoint") {
		t.Errorf("got %s", body)
	}
	wantLosses(t, lost, "/tools/0/cache_control", "/messages/0/content/0/cache_control")

	many := conversation(user("A"))
	for range 6 {
		many.Turns = append(many.Turns, with(user(), marked(textPart("B"), "")))
	}
	body, _ = encode(t, adaptive, many)
	if n := strings.Count(string(body), "cachePoint"); n != blocks.MaxMarks {
		t.Errorf("%d marks: %s", n, body)
	}
}
