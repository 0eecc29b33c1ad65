package cohere

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestMessages(t *testing.T) {
	plain := transform.Target{Model: "command-r-08-2024"}
	failed := result("1", say("boom"))
	failed.IsError = true
	named := user(say("Hi"))
	named.Name = "ann"
	signed := thought("secret")
	signed.Opaque = transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: transform.Quote("s")}
	marked := say("a")
	marked.Cache = new(transform.CacheMark)
	for _, test := range []struct {
		name  string
		to    transform.Target
		turns []transform.Turn
		want  string
		lost  string
	}{
		{
			name:  "one text is a string, several are an array",
			turns: []transform.Turn{turn(transform.RoleSystem, say("S")), turn(transform.RoleDeveloper, say("D"), say("E")), user(say("a"), say(""), say("b"))},
			want: `{"role":"system","content":"S"},{"role":"system","content":[{"type":"text","text":"D"},{"type":"text","text":"E"}]},` +
				`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`,
		}, {
			name:  "a system that says nothing is left out",
			turns: []transform.Turn{turn(transform.RoleSystem, say("")), user(say(""))},
			want:  `{"role":"user","content":""}`,
		}, {
			name:  "names and cache marks have no place",
			turns: []transform.Turn{named, user(marked)},
			want:  `{"role":"user","content":"Hi"},{"role":"user","content":"a"}`,
			lost:  "/messages/0/name /messages/1/content/0/cache_control",
		}, {
			name: "images by data and by URL",
			turns: []transform.Turn{user(
				say("see"), image(transform.Media{Type: "image/png", Data: []byte("QUJD")}),
				image(transform.Media{URL: "https://x/y.jpg", Detail: "low"}), image(transform.Media{URL: "https://x", Detail: "original"}),
			)},
			want: `{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},` +
				`{"type":"image_url","image_url":{"url":"https://x/y.jpg","detail":"low"}},{"type":"image_url","image_url":{"url":"https://x"}}]}`,
			lost: "/messages/0/content/3/detail",
		}, {
			name: "media without a form",
			turns: []transform.Turn{user(
				say("see"), image(transform.Media{FileID: "file-1"}), file(transform.Media{Type: "application/pdf", Data: []byte("QUJD")}),
				transform.Part{Kind: transform.PartAudio, Media: transform.Media{Type: "audio/wav", Data: []byte("QUJD")}},
			), model(image(transform.Media{URL: "https://x"}), say("ok"))},
			want: `{"role":"user","content":"see"},{"role":"assistant","content":"ok"}`,
			lost: "!/messages/0/content/1 !/messages/0/content/2 !/messages/0/content/3 !/messages/1/content/0",
		}, {
			name: "a loop of tools, with thoughts",
			to:   thinker,
			turns: []transform.Turn{
				user(say("q")), model(thought("hm"), say("I'll look.")), model(calling("1", "f", `{"a": 1}`), calling("2", "g", "")),
				result("1", say("one"), say("more")), result("2"), model(thought("aha"), say("done")),
			},
			want: `{"role":"user","content":"q"},{"role":"assistant","tool_plan":"I'll look.","tool_calls":[` +
				`{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}],` +
				`"content":[{"type":"thinking","thinking":"hm"}]},{"role":"tool","tool_call_id":"1","content":"one\n\nmore"},` +
				`{"role":"tool","tool_call_id":"2","content":""},` +
				`{"role":"assistant","content":[{"type":"thinking","thinking":"aha"},{"type":"text","text":"done"}]}`,
		}, {
			name:  "a model that does not think gets its plan back",
			to:    plain,
			turns: []transform.Turn{user(say("q")), model(thought("I will look."), say("Wait."), calling("1", "f", "{}")), result("1", say("x")), model(thought("no"), say("done"))},
			want: `{"role":"user","content":"q"},{"role":"assistant","tool_plan":"I will look.\n\nWait.","tool_calls":[` +
				`{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"x"},` +
				`{"role":"assistant","content":"done"}`,
			lost: "/messages/3/content/0",
		}, {
			name:  "reasoning that another vendor vouches for stays away",
			to:    thinker,
			turns: []transform.Turn{user(say("q")), model(signed, transform.Part{Kind: transform.PartReasoning}), user(say("r"))},
			want:  `{"role":"user","content":"q"},{"role":"user","content":"r"}`,
			lost:  "/messages/1/content/0 /messages/1/content/1",
		}, {
			name:  "arguments that are no object are wrapped",
			turns: []transform.Turn{model(calling("1", "f", `{"a":`), transform.Part{Kind: transform.PartToolCall, Call: transform.ToolCall{ID: "2", Name: "g", Arguments: []byte("free \"text\""), Custom: true}})},
			want: `{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"arguments\":\"{\\\"a\\\":\"}"}},` +
				`{"id":"2","type":"function","function":{"name":"g","arguments":"{\"input\":\"free \\\"text\\\"\"}"}}]}`,
		}, {
			name: "images of tools are shown afterwards",
			turns: []transform.Turn{
				user(say("q")), model(calling("1", "f", "{}"), calling("2", "f", "{}")), result("1", say("a"), image(transform.Media{URL: "https://x"})),
				failed, user(say("and?")),
			},
			want: `{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},` +
				`{"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"a\n\n[image]"},` +
				`{"role":"tool","tool_call_id":"1","content":"Error:\n\nboom"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x"}}]},` +
				`{"role":"user","content":"and?"}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, lost := encode(t, &transform.Request{Turns: test.turns}, test.to)
			_, got, _ := strings.Cut(text, `"messages":[`)
			got = got[:strings.LastIndexByte(got, ']')]
			if got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
			if lost != test.lost {
				t.Errorf("lost %q, want %q", lost, test.lost)
			}
		})
	}
}

func TestTextFilesAreDocuments(t *testing.T) {
	notes := file(transform.Media{Type: "text/plain", Data: []byte("aGkgIngi"), Name: "n.txt"})
	r := ask(rest("documents", `["d",{"data":{"a":1}}]`))
	r.Turns = []transform.Turn{user(say("q"), notes), model(calling("1", "f", "{}")), result("1", notes)}
	text, lost := encode(t, r, thinker)
	if want := `"documents":["d",{"data":{"a":1}},{"data":{"title":"n.txt","text":"hi \"x\""}}]`; !strings.Contains(text, want) || lost != "" {
		t.Errorf("%s\nlost %s", text, lost)
	}
	if want := `{"role":"tool","tool_call_id":"1","content":"hi \"x\""}`; !strings.Contains(text, want) {
		t.Errorf("%s", text)
	}
	r = ask(func(r *transform.Request) { r.Output.Kind = transform.OutputJSON })
	r.Turns = []transform.Turn{user(say("q"), notes, file(transform.Media{Type: "text/plain", Data: []byte("//8=")}))}
	text, lost = encode(t, r, thinker)
	if want := `[{"type":"text","text":"q"},{"type":"text","text":"hi \"x\""}]`; !strings.Contains(text, want) || lost != "!/messages/0/content/2" {
		t.Errorf("%s\nlost %s", text, lost)
	}
}

func TestAConversationOfNothingIsRefused(t *testing.T) {
	for _, turns := range [][]transform.Turn{nil, {turn(transform.RoleSystem, say(""))}} {
		_, err := Codec{}.AppendRequest(nil, &transform.Request{Turns: turns}, thinker, new(transform.Losses))
		if e, ok := err.(*transform.Error); !ok || e.Kind != transform.ErrBadRequest {
			t.Errorf("%v", err)
		}
	}
}
