package gemini

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestContents(t *testing.T) {
	for _, test := range []struct {
		name    string
		model   string
		turns   []transform.Turn
		want    string // systemInstruction and contents
		dropped string
		refused string
	}{
		{
			name:  "system texts become parts of the instruction",
			turns: []transform.Turn{sys("Be brief."), turn(transform.RoleDeveloper, say("Rhyme.")), user(say("Hi"))},
			want: `"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"Rhyme."}]},` +
				`"contents":[{"role":"user","parts":[{"text":"Hi"}]}]`,
		}, {
			name:  "a later system text is the user's, and turns of one role are merged",
			turns: []transform.Turn{user(say("a")), sys("b"), user(say("c")), model(say("d")), model(say("e")), user(say("f"))},
			want: `"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"},{"text":"c"}]},` +
				`{"role":"model","parts":[{"text":"d"},{"text":"e"}]},{"role":"user","parts":[{"text":"f"}]}]`,
		}, {
			name:  "system only",
			turns: []transform.Turn{sys("Be brief.")},
			want:  `"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":" "}]}]`,
		}, {
			name:  "an empty system text is no instruction",
			turns: []transform.Turn{sys(""), user(say("a"))},
			want:  `"contents":[{"role":"user","parts":[{"text":"a"}]}]`,
		}, {
			name:  "Gemma takes the instruction from the user",
			model: "gemma-3-27b-it",
			turns: []transform.Turn{sys("Be brief."), user(say("Hi"))},
			want:  `"contents":[{"role":"user","parts":[{"text":"Be brief."},{"text":"Hi"}]}]`,
		}, {
			name:  "the user begins",
			turns: []transform.Turn{model(say("Hello")), user(say("Hi"))},
			want: `"contents":[{"role":"user","parts":[{"text":" "}]},{"role":"model","parts":[{"text":"Hello"}]},` +
				`{"role":"user","parts":[{"text":"Hi"}]}]`,
		}, {
			name:  "no empty parts and no empty contents",
			turns: []transform.Turn{user(say(""), say("a")), model(say("")), user(say("b"))},
			want:  `"contents":[{"role":"user","parts":[{"text":"a"},{"text":"b"}]}]`,
		}, {
			name:  "nothing at all",
			turns: []transform.Turn{user(say(""))},
			want:  `"contents":[{"role":"user","parts":[{"text":" "}]}]`,
		}, {
			name: "results follow in the order of the calls, in one content",
			turns: []transform.Turn{
				user(say("q")), model(call("1", "f", `{"a": 1}`), call("2", "g", "")),
				result("2", "two"), result("1", "one"), user(say("and?")),
			},
			want: `"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[` +
				`{"functionCall":{"id":"1","name":"f","args":{"a":1}}},{"functionCall":{"id":"2","name":"g","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"output":"one"}}},` +
				`{"functionResponse":{"id":"2","name":"g","response":{"output":"two"}}},{"text":"and?"}]}]`,
		}, {
			name:  "a result that is missing and one without a call",
			turns: []transform.Turn{user(say("q")), model(call("1", "f", "{}")), sys("late"), result("9", "lost")},
			want: `"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"error":"the tool gave no result"}}},` +
				`{"text":"late"},{"text":"Result of an earlier tool call: lost"}]}]`,
			dropped: "/messages/3/tool_call_id",
		}, {
			name: "two batches, and a result for each call of the same id",
			turns: []transform.Turn{
				user(say("q")), model(call("x", "f", "{}")), result("x", "1"), model(call("x", "f", "{}")), result("x", "2"),
				result("x", "3"),
			},
			want: `"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"x","name":"f","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"x","name":"f","response":{"output":"1"}}}]},` +
				`{"role":"model","parts":[{"functionCall":{"id":"x","name":"f","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"x","name":"f","response":{"output":"2"}}},` +
				`{"text":"Result of an earlier tool call: 3"}]}]`,
			dropped: "/messages/5/tool_call_id",
		}, {
			name:  "a call at the very end",
			turns: []transform.Turn{user(say("q")), model(call("1", "f", "{}"))},
			want: `"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"error":"the tool gave no result"}}}]}]`,
		}, {
			name:  "refusals are text; reasoning, names and marks have no place",
			turns: marked(),
			want: `"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"No."}]},` +
				`{"role":"user","parts":[{"text":"r"}]}]`,
			dropped: "/messages/0/name /messages/0/content/0/cache_control /messages/1/content/0 /messages/1/content/2",
		}, {
			name: "what a user or the system cannot say",
			turns: []transform.Turn{
				turn(transform.RoleSystem, say("s"), transform.Part{Kind: transform.PartImage}), user(say("q"), call("1", "f", "{}")),
			},
			want:    `"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"q"}]}]`,
			dropped: "/messages/0/content/1 /messages/1/content/1",
			refused: "/messages/0/content/1 /messages/1/content/1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := google
			if test.model != "" {
				target.Model = test.model
			}
			got, lost := encode(t, Codec{}, &transform.Request{Turns: test.turns}, target)
			if got != "{"+test.want+"}" {
				t.Errorf("got\n%s\nwant\n{%s}", got, test.want)
			}
			sameLosses(t, lost, test.dropped, test.refused)
		})
	}
}

func marked() []transform.Turn {
	first := say("q")
	first.Cache = &transform.CacheMark{}
	named := user(first)
	named.Name = "Ann"
	foreign := transform.Part{Kind: transform.PartReasoning, Text: transform.Quote("hm")}
	foreign.Opaque = transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: transform.Quote("sig")}
	refusal := transform.Part{Kind: transform.PartRefusal, Text: transform.Quote("No.")}
	citation := transform.Part{Kind: transform.PartCitation, Citation: jsonbytes.Value("{}")}
	return []transform.Turn{named, model(foreign, refusal, citation), user(say("r"))}
}

func TestEmptyConversationIsTheClientsFault(t *testing.T) {
	_, err := Codec{}.AppendRequest(nil, new(transform.Request), google, new(transform.Losses))
	if e, ok := err.(*transform.Error); !ok || e.Kind != transform.ErrBadRequest {
		t.Errorf("%v", err)
	}
}

func TestToolResults(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"text", "15 degrees", `{"output":"15 degrees"}`},
		{"nothing", "", `{"output":""}`},
		{"an object", ` {"temp": 15, "a":[1, 2]} `, `{"temp":15,"a":[1,2]}`},
		{"an object with a reserved name", `{"error":"none","x":1}`, `{"output":{"error":"none","x":1}}`},
		{"an array", `[{"a":1}]`, `{"output":"[{\"a\":1}]"}`},
		{"an object that is broken", `{"temp":`, `{"output":"{\"temp\":"}`},
		{"an object with a key twice", `{"a":1,"a":2}`, `{"output":"{\"a\":1,\"a\":2}"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &transform.Request{Turns: []transform.Turn{user(say("q")), model(call("1", "f", "{}")), result("1", test.text)}}
			got, _ := encode(t, Codec{}, r, google)
			if got := member(t, got, "contents/2/parts/0/functionResponse/response"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	failed := result("1", "no such city", say("really"))
	failed.IsError = true
	got, _ := encode(t, Codec{}, &transform.Request{Turns: []transform.Turn{user(say("q")), model(call("1", "f", "{}")), failed}}, google)
	if got := member(t, got, "contents/2/parts/0/functionResponse/response"); got != `{"error":"no such city\nreally"}` {
		t.Errorf("got %s", got)
	}
}

func TestMediaInToolResults(t *testing.T) {
	image := transform.Part{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("AAAA")}}
	r := &transform.Request{Turns: []transform.Turn{user(say("q")), model(call("1", "f", "{}")), result("1", "look", image)}}
	got, _ := encode(t, Codec{}, r, to("gemini-3-flash"))
	want := `[{"functionResponse":{"id":"1","name":"f","response":{"output":"look"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}]`
	if got := member(t, got, "contents/2/parts"); got != want {
		t.Errorf("got %s", got)
	}
	got, _ = encode(t, Codec{}, r, google)
	want = `[{"functionResponse":{"id":"1","name":"f","response":{"output":"look"}}},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]`
	if got := member(t, got, "contents/2/parts"); got != want {
		t.Errorf("got %s", got)
	}
}

func TestSignatures(t *testing.T) {
	thought := transform.Part{Kind: transform.PartReasoning, Text: transform.Quote("hm")}
	turns := func() []transform.Turn {
		return []transform.Turn{
			user(say("q")),
			model(signed(thought, "A"), signed(say("text"), "B"), signed(transform.Part{Kind: transform.PartReasoning}, "C"),
				signed(call("1", "f", "{}"), "D"), call("2", "f", "{}")),
			result("1", "x"), result("2", "x"),
			model(call("3", "f", "{}"), call("4", "f", "{}")),
			result("3", "x"), result("4", "x"),
		}
	}
	parts := func(target transform.Target) (first, second string, lost *transform.Losses) {
		got, lost := encode(t, Codec{Vertex: true}, &transform.Request{Turns: turns()}, target)
		return member(t, got, "contents/1/parts"), member(t, got, "contents/3/parts"), lost
	}

	first, second, _ := parts(to("gemini-3-pro-preview"))
	if want := `[{"text":"hm","thought":true,"thoughtSignature":"A"},{"text":"text","thoughtSignature":"B"},` +
		`{"text":"","thoughtSignature":"C"},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"D"},` +
		`{"functionCall":{"name":"f","args":{}}}]`; first != want {
		t.Errorf("signatures: %s", first)
	}
	if want := `[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},` +
		`{"functionCall":{"name":"f","args":{}}}]`; second != want {
		t.Errorf("unsigned on Gemini 3: %s", second)
	}

	if _, second, _ = parts(google); strings.Contains(second, "Signature") {
		t.Errorf("unsigned before Gemini 3: %s", second)
	}

	first, _, lost := parts(transform.Target{Model: "gemini-3-pro-preview", Vendor: transform.VendorAnthropic})
	if want := `[{"text":"text"},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},` +
		`{"functionCall":{"name":"f","args":{}}}]`; first != want {
		t.Errorf("to another vendor: %s", first)
	}
	sameLosses(t, lost, "/messages/1/content/0 /messages/1/content/2", "")
}

func TestArgumentsAreAnObject(t *testing.T) {
	custom := call("1", "f", "free \"text\"")
	custom.Call.Custom = true
	for _, test := range []struct {
		part transform.Part
		want string
	}{
		{call("1", "f", ""), `{}`},
		{call("1", "f", " { \"a\" : 1 } "), `{"a":1}`},
		{call("1", "f", `{"a":`), `{"arguments":"{\"a\":"}`},
		{call("1", "f", `[1]`), `{"arguments":"[1]"}`},
		{custom, `{"input":"free \"text\""}`},
	} {
		got, _ := encode(t, Codec{}, &transform.Request{Turns: []transform.Turn{user(say("q")), model(test.part)}}, google)
		if got := member(t, got, "contents/1/parts/0/functionCall/args"); got != test.want {
			t.Errorf("%s: got %s, want %s", test.part.Call.Arguments, got, test.want)
		}
	}
}

// A later request of the same conversation begins with the bytes of the
// earlier one, up to its last content.
func TestRequestsKeepTheirPrefix(t *testing.T) {
	tools := []transform.Tool{{Name: "f", Schema: jsonbytes.Value(`{"type":"object","properties":{"a":{"type":"string"}}}`)}}
	turns := []transform.Turn{
		sys("s"), user(say("q")), model(say("hm"), call("1", "f", "{}")), result("1", "x"), model(say("a")), user(say("b")),
	}
	previous := ""
	for n := 2; n <= len(turns); n++ {
		if turns[n-1].Role == transform.RoleAssistant {
			continue // nobody asks then
		}
		got, _ := encode(t, Codec{}, &transform.Request{Turns: turns[:n], Tools: tools}, to("gemini-3-flash"))
		again, _ := encode(t, Codec{}, &transform.Request{Turns: turns[:n], Tools: tools}, to("gemini-3-flash"))
		if got != again {
			t.Fatal("two encodings differ")
		}
		got = strings.TrimSuffix(got, "]}")
		if !strings.HasPrefix(got, previous) {
			t.Errorf("%s\nis not a continuation of\n%s", got, previous)
		}
		previous = got
	}
}
