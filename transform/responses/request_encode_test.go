package responses

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

var (
	toThinker = transform.Target{Model: "gpt-5.6", Vendor: transform.VendorOpenAI}
	toTalker  = transform.Target{Model: "gpt-4.1", Vendor: transform.VendorOpenAI}
	toOther   = transform.Target{Model: "grok-4"}
)

// fromChat is what a Chat Completions request becomes.
func fromChat(t testing.TB, body string, to transform.Target) (string, *transform.Losses) {
	t.Helper()
	lost := new(transform.Losses)
	r, err := openai.Codec{}.DecodeRequest([]byte(body), lost)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Codec{}.AppendRequest(nil, r, to, lost)
	if err != nil {
		t.Fatal(err)
	}
	if err := jsonbytes.Check(out, 0); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	again, _ := Codec{}.AppendRequest(nil, r, to, new(transform.Losses))
	if !bytes.Equal(out, again) {
		t.Errorf("not the same twice:\n%s\n%s", out, again)
	}
	return string(out), lost
}

func chat(messages, more string) string {
	return `{"model":"m","messages":[` + messages + `]` + more + `}`
}

const (
	chatUser = `{"role":"user","content":"hi"}`
	thinks   = `,"include":["reasoning.encrypted_content"]`
	unkept   = `,"store":false`
)

func TestRequestsAsOpenAIWantsThem(t *testing.T) {
	input := `"input":[{"type":"message","role":"user","content":"hi"}`
	for _, test := range []struct {
		name, body string
		to         transform.Target
		want       string // after the model
		lost       string
	}{
		{"text", chat(chatUser, ``), toTalker, input + `]` + unkept + `}`, ``},
		{"a thinker gives its thoughts along", chat(chatUser, ``), toThinker, input + `]` + thinks + unkept + `}`, ``},
		{"another server", chat(chatUser, ``), toOther, input + `]` + unkept + `}`, ``},
		{"the first instructions", chat(`{"role":"system","content":"a"},{"role":"developer","content":"b"},`+chatUser, ``), toTalker, `"instructions":"a\n\nb",` + input + `]` + unkept + `}`, ``},
		{"later instructions", chat(chatUser+`,{"role":"system","content":"b"}`, ``), toThinker, input + `,{"type":"message","role":"developer","content":"b"}]` + thinks + unkept + `}`, ``},
		{"later instructions elsewhere", chat(chatUser+`,{"role":"developer","content":"b"}`, ``), toOther, input + `,{"type":"message","role":"system","content":"b"}]` + unkept + `}`, ``},
		{"nothing but instructions", chat(`{"role":"system","content":"a"}`, ``), toTalker, `"input":[{"type":"message","role":"system","content":"a"}]` + unkept + `}`, ``},
		{"a name", chat(`{"role":"user","name":"n","content":"hi"}`, ``), toTalker, input + `]` + unkept + `}`, `/messages/0/name`},
		{"an image and a file", chat(`{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"https://x/i","detail":"low"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,QUJD"}}]}`, ``), toTalker,
			`"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"https://x/i","detail":"low"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,QUJD"}]}]` + unkept + `}`, ``},
		{"a text file elsewhere", chat(`{"role":"user","content":[{"type":"file","file":{"filename":"a.txt","file_data":"data:text/plain;base64,aGk="}}]}`, ``), toOther, input + `]` + unkept + `}`, ``},
		{"sound", chat(`{"role":"user","content":[{"type":"text","text":"hi"},{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}]}`, ``), toTalker, input + `]` + unkept + `}`, `!/messages/0/content/1`},
		{"calls", chat(chatUser+`,{"role":"assistant","content":"ok","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"x"}}]},{"role":"tool","tool_call_id":"c1","content":"1"},{"role":"tool","tool_call_id":"c2","content":"2"}`, ``), toTalker,
			input + `,{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok","annotations":[]}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},{"type":"custom_tool_call","call_id":"c2","name":"g","input":"x"},{"type":"function_call_output","call_id":"c1","output":"1"},{"type":"custom_tool_call_output","call_id":"c2","output":"2"}]` + unkept + `}`, ``},
		{"tools", chat(chatUser, `,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}}],"tool_choice":{"type":"custom","custom":{"name":"g"}},"parallel_tool_calls":false`), toTalker,
			input + `],"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false},{"type":"custom","name":"g","format":{"type":"grammar","syntax":"lark","definition":"x"}}],"tool_choice":{"type":"custom","name":"g"},"parallel_tool_calls":false` + unkept + `}`, ``},
		{"a choice among some", chat(chatUser, `,"tools":[{"type":"function","function":{"name":"f","strict":true}},{"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}`), toTalker,
			input + `],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":true},{"type":"function","name":"g","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}` + unkept + `}`, ``},
		{"a choice among some elsewhere", chat(chatUser, `,"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}`), toOther,
			input + `],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":"required"` + unkept + `}`, ``},
		{"no tools to choose from", chat(chatUser, `,"tool_choice":"required"`), toTalker, input + `]` + unkept + `}`, `!/tool_choice`},
		{"web search", chat(chatUser, `,"web_search_options":{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Rome"}}}`), toTalker,
			input + `],"tools":[{"type":"web_search","search_context_size":"low","user_location":{"type":"approximate","city":"Rome"}}]` + unkept + `}`, ``},
		{"a schema", chat(chatUser, `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}},"verbosity":"low"`), toTalker,
			input + `],"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"}` + unkept + `}`, ``},
		{"sampling", chat(chatUser, `,"max_tokens":5,"temperature":0.2,"top_p":0.5,"seed":1,"stop":["x"],"frequency_penalty":0,"logprobs":true,"top_logprobs":2`), toTalker,
			input + `],"max_output_tokens":16,"temperature":0.2,"top_p":0.5,"top_logprobs":2,"include":["message.output_text.logprobs"]` + unkept + `}`, `/seed /stop`},
		{"a thinker samples as it likes", chat(chatUser, `,"temperature":0.2,"top_p":1,"logprobs":true`), toThinker, input + `]` + thinks + unkept + `}`, `/temperature /logprobs`},
		{"effort", chat(chatUser, `,"reasoning_effort":"minimal"`), toThinker, input + `],"reasoning":{"effort":"low","summary":"auto"}` + thinks + unkept + `}`, ``},
		{"effort of a talker", chat(chatUser, `,"reasoning_effort":"low"`), toTalker, input + `]` + unkept + `}`, `/reasoning_effort`},
		{"several answers", chat(chatUser, `,"n":2`), toTalker, input + `]` + unkept + `}`, `!/n`},
		{"who asks", chat(chatUser, `,"user":"u","service_tier":"flex","store":true,"metadata":{"a":"b"},"logit_bias":{}`), toTalker,
			input + `],"safety_identifier":"u","prompt_cache_key":"u","service_tier":"flex","store":true,"metadata":{"a":"b"}}`, `/logit_bias`},
		{"a stored conversation", chat(chatUser, `,"previous_response_id":"resp_1","truncation":"auto"`), toTalker, input + `],"previous_response_id":"resp_1","truncation":"auto"` + unkept + `}`, ``},
		{"spoken answers", chat(chatUser, `,"modalities":["audio"],"audio":{}`), toTalker, input + `]` + unkept + `}`, `!/modalities !/audio`},
		{"marks", chat(`{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}`, ``), toThinker,
			`"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi","prompt_cache_breakpoint":{"mode":"explicit"}}]}]` + thinks + unkept + `}`, ``},
		{"marks elsewhere", chat(`{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}`, ``), toOther, input + `]` + unkept + `}`, `/messages/0/content/0/cache_control`},
		{"Amazon's names", chat(chatUser, ``), transform.Target{Model: "openai.gpt-5.6-luna", Vendor: transform.VendorOpenAI, Stream: true}, input + `]` + thinks + unkept + `,"stream":true}`, ``},
	} {
		got, lost := fromChat(t, test.body, test.to)
		if want := `{"model":"` + test.to.Model + `",` + test.want; got != want {
			t.Errorf("%s:\n%s, want\n%s", test.name, got, want)
		}
		var words []string
		for _, p := range lost.Dropped {
			if slices.Contains(lost.Refused, p) {
				p = "!" + p
			}
			words = append(words, p)
		}
		if got := strings.Join(words, " "); got != test.lost {
			t.Errorf("%s lost %q, want %q", test.name, got, test.lost)
		}
	}
}

func encode(t testing.TB, r *transform.Request, to transform.Target) (string, *transform.Losses) {
	t.Helper()
	lost := new(transform.Losses)
	out, err := Codec{}.AppendRequest(nil, r, to, lost)
	if err != nil {
		t.Fatal(err)
	}
	if err := jsonbytes.Check(out, 0); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(jsonbytes.Parse(out).Get("input")), lost
}

func TestThoughtsGoBeforeWhatTheyLedTo(t *testing.T) {
	r, _ := decode(t, ask(userItem, thinkItem, callItem, outputItem, thinkItem, sayItem, userItem, thinkItem))
	r.Turns[0].Parts[0].Opaque = transform.Opaque{}
	got, lost := encode(t, r, toThinker)
	thought := `{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a\n\nb"}],"encrypted_content":"enc"}`
	if strings.Count(got, thought) != 2 || !strings.Contains(got, thought+`,{"type":"function_call"`) || !strings.Contains(got, thought+`,{"type":"message","role":"assistant"`) {
		t.Error(got)
	}
	// The last led to nothing.
	if !slices.Equal(lost.Dropped, []string{"/input/7"}) {
		t.Error(lost.Dropped)
	}
	if got, lost = encode(t, r, toOther); strings.Contains(got, "reasoning") || len(lost.Dropped) != 3 {
		t.Errorf("%s %v", got, lost.Dropped)
	}
}

func TestPiecesOfOthersAreNotSent(t *testing.T) {
	signature := transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: transform.Quote("sig")}
	google := transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: transform.Quote("g")}
	r, _ := decode(t, ask(sealedItem(signature, "hm"), sealedItem(google, ""), callItem))
	got, lost := encode(t, r, toThinker)
	if strings.Contains(got, "reasoning") || !slices.Equal(lost.Dropped, []string{"/input/0", "/input/1/encrypted_content"}) {
		t.Errorf("%s %v", got, lost.Dropped)
	}
}

func TestResultsWithImagesAndFailures(t *testing.T) {
	r, _ := decode(t, ask(callItem, `{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,QUJD"}]}`))
	r.Turns[1].IsError = true
	got, _ := encode(t, r, toTalker)
	if want := `{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"Error: see"},{"type":"input_image","image_url":"data:image/png;base64,QUJD"}]}]`; !strings.HasSuffix(got, want) {
		t.Error(got)
	}
}

func TestLongIDsAreShortenedOnBothSides(t *testing.T) {
	id := strings.Repeat("x", 70)
	r, _ := decode(t, ask(strings.Replace(callItem, "c1", id, 1), strings.Replace(outputItem, "c1", id, 1)))
	got, _ := encode(t, r, toTalker)
	if short := callID(id); len(short) > 64 || strings.Count(got, `"call_id":"`+short+`"`) != 2 {
		t.Error(got)
	}
}

func TestAGrowingConversationKeepsItsPrefix(t *testing.T) {
	items := []string{userItem, thinkItem, sayItem, callItem, outputItem, thinkItem, sayItem, userItem}
	last := ""
	for i := range items {
		r, _ := decode(t, ask(items[:i+1]...))
		got, _ := encode(t, r, toThinker)
		got = strings.TrimSuffix(got, "]")
		if !strings.HasPrefix(got, last) {
			t.Errorf("%s\nis no prefix of\n%s", last, got)
		}
		last = got
	}
}
