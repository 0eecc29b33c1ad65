package responses

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func decode(t testing.TB, body string) (*transform.Request, *transform.Losses) {
	t.Helper()
	if _, err := jsonbytes.Scan(nil, []byte(body), 0); err != nil {
		t.Fatalf("the test's own request: %v", err)
	}
	lost := new(transform.Losses)
	r, err := Codec{}.DecodeRequest([]byte(body), lost)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return r, lost
}

// ask is a request with some input items.
func ask(items ...string) string {
	return `{"model":"m","input":[` + strings.Join(items, ",") + `]}`
}

const (
	userItem   = `{"role":"user","content":"hi"}`
	thinkItem  = `{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"enc"}`
	sayItem    = `{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"said","annotations":[]}]}`
	callItem   = `{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}","status":"completed"}`
	customItem = `{"type":"custom_tool_call","id":"ctc_1","call_id":"c2","name":"patch","input":"free \"text\""}`
	outputItem = `{"type":"function_call_output","call_id":"c1","output":"42"}`
)

func TestTheInputIsAStringOrItems(t *testing.T) {
	r, lost := decode(t, `{"model":"m","input":"hi","instructions":"be brief"}`)
	if len(r.Turns) != 2 || r.Turns[0].Role != transform.RoleSystem || string(r.Turns[0].Parts[0].Text) != `"be brief"` || string(r.Turns[1].Parts[0].Text) != `"hi"` {
		t.Errorf("%+v", r.Turns)
	}
	if len(lost.Dropped) > 0 {
		t.Error(lost.Dropped)
	}
}

// shape tells what kinds of parts there are in which turns.
func shape(turns []transform.Turn) string {
	roles := "uatsd"
	kinds := map[transform.PartKind]string{
		transform.PartText: "text", transform.PartReasoning: "think", transform.PartRefusal: "refusal", transform.PartToolCall: "call",
		transform.PartImage: "image", transform.PartFile: "file", transform.PartAudio: "audio", transform.PartCitation: "cite",
	}
	var out []string
	for _, turn := range turns {
		var parts []string
		for _, p := range turn.Parts {
			parts = append(parts, kinds[p.Kind])
		}
		out = append(out, string(roles[turn.Role])+"("+strings.Join(parts, " ")+")")
	}
	return strings.Join(out, " ")
}

func TestItemsOfOneStepAreOneTurn(t *testing.T) {
	for _, test := range []struct {
		name, want string
		items      []string
	}{
		{"a step with everything", "u(text) a(think text call call) t(text) t(text)", []string{userItem, thinkItem, sayItem, callItem, customItem, outputItem, `{"type":"custom_tool_call_output","call_id":"c2","output":"done"}`}},
		{"a second message", "u(text) a(text) a(text)", []string{userItem, sayItem, sayItem}},
		{"a second message takes its reasoning along", "a(think text) a(think text)", []string{thinkItem, sayItem, thinkItem, sayItem}},
		{"a message after a call", "a(text call text)", []string{sayItem, callItem, sayItem}},
		{"a call with reasoning of its own", "a(think text think call)", []string{thinkItem, sayItem, thinkItem, callItem}},
		{"two steps", "a(call) t(text) a(call) t(text)", []string{callItem, outputItem, callItem, outputItem}},
	} {
		r, lost := decode(t, ask(test.items...))
		if got := shape(r.Turns); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if len(lost.Dropped) > 0 {
			t.Errorf("%s: lost %v", test.name, lost.Dropped)
		}
	}
}

func TestReasoningKeepsWhatItsMakerWants(t *testing.T) {
	r, _ := decode(t, ask(thinkItem, callItem))
	p := r.Turns[0].Parts[0]
	if string(p.Text) != `"a\n\nb"` || opaqueWord(&p.Opaque) != fmt.Sprintf(`openai %d rs_1 "enc"`, transform.OpaqueRedacted) {
		t.Errorf("%s %s", p.Text, opaqueWord(&p.Opaque))
	}
}

func sealedItem(o transform.Opaque, text string) string {
	summary := `[]`
	if text != "" {
		summary = `[{"type":"summary_text","text":"` + text + `"}]`
	}
	return `{"type":"reasoning","id":"rs_9","summary":` + summary + `,"encrypted_content":` + string(o.Seal(transform.VendorOpenAI)) + `}`
}

func TestSealedPiecesFindTheirMaker(t *testing.T) {
	signature := transform.Opaque{Vendor: transform.VendorAnthropic, Kind: transform.OpaqueSignature, Data: transform.Quote("sig")}
	r, _ := decode(t, ask(sealedItem(signature, "hm"), callItem))
	if p := r.Turns[0].Parts[0]; string(p.Text) != `"hm"` || opaqueWord(&p.Opaque) != opaqueWord(&signature) {
		t.Errorf("%s %s", p.Text, opaqueWord(&p.Opaque))
	}
	redacted := transform.Opaque{Vendor: transform.VendorOpenAI, Kind: transform.OpaqueRedacted, ID: "rs_theirs", Data: transform.Quote("e")}
	r, _ = decode(t, ask(strings.ReplaceAll(sealedItem(redacted, ""), "/", `\/`), callItem))
	if p := r.Turns[0].Parts[0]; opaqueWord(&p.Opaque) != opaqueWord(&redacted) {
		t.Errorf("%s", opaqueWord(&p.Opaque))
	}
}

func TestGooglesSignaturesReturnToTheirCalls(t *testing.T) {
	google := transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: transform.Quote("g")}
	second := strings.Replace(callItem, `"c1"`, `"c3"`, 1)
	named := google
	named.ID = "c3"
	for _, test := range []struct {
		name  string
		items []string
		want  []bool // whether each call is signed
	}{
		{"right before", []string{sealedItem(google, ""), callItem, second}, []bool{true, false}},
		{"by name, before", []string{sealedItem(named, ""), callItem, second}, []bool{false, true}},
		{"by name, after", []string{callItem, second, sealedItem(named, "")}, []bool{false, true}},
	} {
		r, lost := decode(t, ask(test.items...))
		var got []bool
		for _, p := range r.Turns[0].Parts {
			if p.Kind == transform.PartReasoning {
				t.Errorf("%s: the piece stayed", test.name)
			} else {
				got = append(got, p.Opaque.Kind == transform.OpaqueSignature && p.Opaque.ID == "" && string(p.Opaque.Data) == `"g"`)
			}
		}
		if !slices.Equal(got, test.want) || len(lost.Dropped) > 0 {
			t.Errorf("%s: %v, lost %v", test.name, got, lost.Dropped)
		}
	}
	r, _ := decode(t, ask(sealedItem(google, ""), sayItem))
	if got := shape(r.Turns); got != "a(think text)" {
		t.Errorf("a signature of text: %s", got)
	}
}

func TestContentOfAllKinds(t *testing.T) {
	r, lost := decode(t, ask(`{"role":"user","content":[
		{"type":"input_text","text":"t","prompt_cache_breakpoint":{"mode":"explicit"}},
		{"type":"input_image","image_url":"data:image/png;base64,QUJD","detail":"high"},
		{"type":"input_image","image_url":"https://example.org/i.png"},
		{"type":"input_image","file_id":"file-1"},
		{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,QUJD"},
		{"type":"input_file","filename":"a.csv","file_data":"QUJD"},
		{"type":"input_file","file_url":"https://example.org/a.pdf"},
		{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}]}`,
		`{"role":"assistant","content":[{"type":"output_text","text":"x","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":1,"end_index":2},{"type":"file_citation","file_id":"f","index":0}],"logprobs":[]},{"type":"refusal","refusal":"no"}]}`,
		`{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,QUJD"}]}`))
	if got, want := shape(r.Turns), "u(text image image image file file file audio) a(text cite refusal) t(text image)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	parts := r.Turns[0].Parts
	if parts[0].Cache == nil || parts[1].Media.Detail != "high" || parts[2].Media.URL == "" || parts[3].Media.FileID != "file-1" ||
		parts[4].Media.Type != "application/pdf" || parts[5].Media.Type != "text/csv" || parts[6].Media.URL == "" || parts[7].Media.Type != "audio/wav" {
		t.Errorf("%+v", parts)
	}
	if got := string(r.Turns[1].Parts[1].Citation); got != `{"type":"url_citation","url_citation":{"start_index":1,"end_index":2,"url":"u","title":"t"}}` {
		t.Error(got)
	}
	if want := []string{"/input/1/content/0/annotations/1"}; !slices.Equal(lost.Dropped, want) {
		t.Error(lost.Dropped)
	}
}

func TestOptionsOfARequest(t *testing.T) {
	r, lost := decode(t, `{"model":"m","input":"x","max_output_tokens":100,"temperature":0.50,"top_p":1,"top_logprobs":3,"parallel_tool_calls":false,
		"reasoning":{"effort":"low","summary":"detailed"},"include":["reasoning.encrypted_content","message.output_text.logprobs"],
		"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true,"description":"d"},"verbosity":"low"},
		"stream":true,"stream_options":{"include_obfuscation":false},"user":"u","safety_identifier":"s","prompt_cache_key":"k","metadata":{"a":"b"},
		"service_tier":"flex","store":false,"truncation":"disabled","background":false,"previous_response_id":null}`)
	if len(lost.Dropped) > 0 {
		t.Error(lost.Dropped)
	}
	s, out := r.Sampling, r.Output
	if s.MaxTokens != 100 || string(s.Temperature) != "0.50" || !r.Logprobs || r.TopLogprobs != 3 || *r.ParallelTools || r.Reasoning != (transform.Reasoning{Effort: "low", Summary: true}) ||
		out.Kind != transform.OutputSchema || out.Name != "n" || string(out.Schema) != `{"type":"object"}` || !*out.Strict || string(out.Description) != `"d"` ||
		!r.Stream || !r.StreamUsage || r.User != "s" || r.ServiceTier != "flex" {
		t.Errorf("%+v", r)
	}
	var rest []string
	for _, m := range r.Rest {
		rest = append(rest, m.Name)
	}
	if want := []string{"verbosity", "prompt_cache_key", "metadata"}; !slices.Equal(rest, want) {
		t.Error(rest)
	}
}

func TestWhatOnlyOpenAIKeepsIsReported(t *testing.T) {
	for _, test := range []struct {
		body             string
		refused, dropped string
	}{
		{`{"model":"m","input":"x","background":true}`, "/background", ""},
		{ask(userItem, `{"type":"item_reference","id":"msg_1"}`), "/input/1", ""},
		{ask(userItem, `{"id":"msg_1"}`), "/input/1", ""},
		{ask(userItem, `{"type":"item_reference","id":"rs_1"}`), "", "/input/1"},
		{ask(userItem, `{"type":"compaction","encrypted_content":"x"}`), "/input/1", ""},
		{ask(userItem, `{"type":"computer_call_output","call_id":"c","output":{}}`), "/input/1", ""},
		{ask(userItem, `{"type":"web_search_call","id":"ws_1","status":"completed"}`), "", "/input/1"},
		{ask(userItem, `{"type":"reasoning","id":"rs_1","summary":[]}`), "", "/input/1"},
		{ask(`{"role":"user","content":[{"type":"computer_screenshot","image_url":"x"}]}`), "/input/0/content/0", ""},
		{`{"model":"m","input":"x","tools":[{"type":"mcp","server_label":"s"}]}`, "/tools/0", ""},
		{`{"model":"m","input":"x","tools":[{"type":"web_search","filters":{"allowed_domains":["a"]}}]}`, "/tools/0/filters", ""},
		{`{"model":"m","input":"x","tool_choice":{"type":"file_search"}}`, "/tool_choice", ""},
		{`{"model":"m","input":"x","tool_choice":{"type":"allowed_tools","tools":[{"type":"mcp","server_label":"s"}]}}`, "/tool_choice/tools/0", ""},
		{`{"model":"m","input":"x","include":["web_search_call.results"]}`, "", "/include/0"},
		{`{"model":"m","input":"x","stream_options":{"include_obfuscation":true}}`, "", "/stream_options/include_obfuscation"},
		{`{"model":"m","input":"x","reasoning":{"context":"all_turns"}}`, "", "/reasoning/context"},
		{ask(`{"role":"assistant","phase":"commentary","content":"x"}`), "", "/input/0/phase"},
	} {
		_, lost := decode(t, test.body)
		if got := strings.Join(lost.Refused, " "); got != test.refused {
			t.Errorf("%s refuses %q", test.body, got)
		}
		if got := strings.Join(lost.Dropped, " "); got != test.dropped+test.refused {
			t.Errorf("%s drops %q", test.body, got)
		}
	}
	for _, name := range []string{"previous_response_id", "conversation", "prompt"} {
		r, _ := decode(t, `{"model":"m","`+name+`":"x"}`)
		if string(r.Leftover(name)) != `"x"` {
			t.Errorf("%s is not in the rest", name)
		}
	}
}

func TestToolsOfARequest(t *testing.T) {
	r, lost := decode(t, `{"model":"m","input":"x","tools":[
		{"type":"function","name":"a","description":null,"parameters":{"type":"object","properties":{}},"strict":false},
		{"type":"function","name":"b","parameters":{"type":"object","properties":{"p":{"type":"string"}},"required":["p"],"additionalProperties":false}},
		{"type":"function","name":"c","parameters":{"type":"object","properties":{"p":{"type":"object"}},"required":["p"],"additionalProperties":false}},
		{"type":"function","name":"d","parameters":null,"strict":null},
		{"type":"custom","name":"e","description":"D","format":{"type":"grammar","syntax":"lark","definition":"x"}},
		{"type":"custom","name":"f","format":{"type":"text"}},
		{"type":"web_search","search_context_size":"low","user_location":{"type":"approximate","city":"Rome"}}],
		"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"a"},{"type":"custom","name":"e"}]}}`)
	if len(lost.Dropped) > 0 {
		t.Error(lost.Dropped)
	}
	strict := func(i int) string {
		if r.Tools[i].Strict == nil {
			return "unsaid"
		}
		return fmt.Sprint(*r.Tools[i].Strict)
	}
	if got := []string{strict(0), strict(1), strict(2), strict(3)}; !slices.Equal(got, []string{"false", "true", "unsaid", "unsaid"}) {
		t.Error(got)
	}
	if string(r.Tools[4].Grammar) != `{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}` || !r.Tools[5].Custom || r.Tools[5].Grammar != nil {
		t.Errorf("%+v", r.Tools[4:])
	}
	if got := string(r.Leftover("web_search_options")); got != `{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Rome"}}}` {
		t.Error(got)
	}
	if c := r.ToolChoice; c.Mode != transform.ToolsRequired || !slices.Equal(c.Allowed, []string{"a", "e"}) {
		t.Errorf("%+v", c)
	}
	for choice, want := range map[string]transform.ToolChoice{
		`"auto"`: {Mode: transform.ToolsAuto}, `"none"`: {Mode: transform.ToolsNone}, `"required"`: {Mode: transform.ToolsRequired},
		`{"type":"function","name":"a"}`: {Mode: transform.ToolsNamed, Name: "a"}, `{"type":"custom","name":"e"}`: {Mode: transform.ToolsNamed, Name: "e"},
	} {
		r, _ := decode(t, `{"model":"m","input":"x","tool_choice":`+choice+`}`)
		if r.ToolChoice.Mode != want.Mode || r.ToolChoice.Name != want.Name {
			t.Errorf("%s: %+v", choice, r.ToolChoice)
		}
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for body, param := range map[string]string{
		`{"input":"x"}`:                              "model",
		`{"model":"m"}`:                              "input",
		`{"model":"m","input":[]}`:                   "input",
		`{"model":"m","input":5}`:                    "input",
		`{"model":"m","input":"x","instructions":5}`: "instructions",
		ask(`{"role":"user"}`):                       "input[0].content",
		ask(`{"role":"bot","content":"x"}`):          "input[0].role",
		ask(`{"type":5}`):                            "input[0].type",
		ask(`{"content":"x"}`):                       "input[0].type",
		ask(`{"type":"function_call","name":"f","arguments":"{}"}`): "input[0].call_id",
		ask(`{"type":"function_call","call_id":"c"}`):               "input[0].name",
		ask(`{"type":"function_call_output","call_id":"c"}`):        "input[0].output",
		ask(`{"type":"reasoning","summary":"x"}`):                   "input[0].summary",
		ask(`{"role":"user","content":[{"type":"input_image"}]}`):   "input[0].content[0].image_url",
		ask(`{"role":"user","content":[{"type":"input_file"}]}`):    "input[0].content[0].file_data",
		ask(`{"role":"user","content":[{"text":"x"}]}`):             "input[0].content[0].type",
		`{"model":"m","input":"x","max_output_tokens":0}`:           "max_output_tokens",
		`{"model":"m","input":"x","tools":[{"type":"function"}]}`:   "tools[0].name",
		`{"model":"m","input":"x","tool_choice":"maybe"}`:           "tool_choice",
		`{"model":"m","input":"x","text":{"format":{"type":"x"}}}`:  "text.format.type",
		ask(`{"role":"user","role":"user","content":"x"}`):          "/input/0/role",
	} {
		_, err := Codec{}.DecodeRequest([]byte(body), new(transform.Losses))
		var e *transform.Error
		if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Param != param || e.Message == "" {
			t.Errorf("%s: %+v", body, err)
		}
	}
}

// rich is a request with every object that this format has a reader for.
const rich = `{"model":"m","instructions":"i","input":[
	{"type":"message","role":"user","content":[{"type":"input_text","text":"t","prompt_cache_breakpoint":{"mode":"explicit"}},
		{"type":"input_image","image_url":"https://example.org/i","detail":"low"},{"type":"input_file","filename":"a.pdf","file_data":"QUJD"},
		{"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}]},
	{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"content":[{"type":"reasoning_text","text":"b"}],"encrypted_content":"e"},
	{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"x","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":0,"end_index":1}],"logprobs":[]},{"type":"refusal","refusal":"r"}]},
	{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}","caller":{"type":"direct"}},
	{"type":"custom_tool_call","call_id":"c2","name":"g","input":"in"},
	{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"o"}],"caller":{"type":"direct"}},
	{"type":"custom_tool_call_output","call_id":"c2","output":"o"}],
	"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false,"cache_control":{"type":"ephemeral"}},
		{"type":"custom","name":"g","format":{"type":"grammar","syntax":"lark","definition":"d"}},
		{"type":"web_search","user_location":{"type":"approximate","city":"Rome"}}],
	"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]},
	"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},"reasoning":{"effort":"low"},"stream_options":{"include_obfuscation":false},"metadata":{"a":"b"}}`

// opaquePlaces are kept as their sender wrote them.
var opaquePlaces = []string{"/tools/0/parameters", "/text/format/schema", "/metadata"}

func plantedRequests(t *testing.T, body []byte) {
	t.Helper()
	var tree any
	if err := json.Unmarshal(body, &tree); err != nil {
		t.Fatal(err)
	}
	var places []string
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			places = append(places, at)
			for key, inner := range v {
				walk(at+"/"+key, inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprint(at, "/", i), inner)
			}
		}
	}
	walk("", tree)
	for _, place := range places {
		if slices.ContainsFunc(opaquePlaces, func(p string) bool { return strings.HasPrefix(place, p) }) || strings.Contains(place, "/parameters") || strings.Contains(place, "/schema") {
			continue
		}
		planted := plant(t, body, place)
		lost := new(transform.Losses)
		r, err := Codec{}.DecodeRequest(planted, lost)
		if err != nil {
			t.Fatalf("at %q: %v", place, err)
		}
		if place == "" {
			if r.Leftover("zz_planted") == nil {
				t.Error("a top-level member is not in the rest")
			}
			continue
		}
		covered := slices.ContainsFunc(lost.Dropped, func(p string) bool { return p == place+"/zz_planted" || p == place || strings.HasPrefix(place, p+"/") })
		if !covered {
			t.Errorf("a member of %s is lost in silence: %v", place, lost.Dropped)
		}
	}
}

// plant adds a member to the object at a place.
func plant(t *testing.T, body []byte, place string) []byte {
	t.Helper()
	var tree any
	json.Unmarshal(body, &tree)
	at := tree
	for token := range strings.SplitSeq(strings.TrimPrefix(place, "/"), "/") {
		switch v := at.(type) {
		case map[string]any:
			if token != "" {
				at = v[token]
			}
		case []any:
			var i int
			fmt.Sscan(token, &i)
			at = v[i]
		}
	}
	at.(map[string]any)["zz_planted"] = true
	out, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNoMemberIsLostInSilence(t *testing.T) { plantedRequests(t, []byte(rich)) }

func TestNoMemberOfARecordedRequestIsLostInSilence(t *testing.T) {
	for _, r := range recordings(t) {
		if r.request != nil && !bytes.Contains(r.request, []byte(`"mcp"`)) && !bytes.Contains(r.request, []byte(`"x_search"`)) {
			t.Run(r.name, func(t *testing.T) { plantedRequests(t, r.request) })
		}
	}
}

func TestCountRequests(t *testing.T) {
	r, err := Codec{}.DecodeCountRequest([]byte(`{"model":"m","input":"x"}`), new(transform.Losses))
	if err != nil || len(r.Turns) != 1 {
		t.Fatal(r, err)
	}
	if got := string(Codec{}.AppendCount(nil, 7)); got != `{"object":"response.input_tokens","input_tokens":7}` {
		t.Error(got)
	}
	if n, err := (Codec{}).DecodeCount([]byte(`{"object":"response.input_tokens","input_tokens":7}`)); n != 7 || err != nil {
		t.Error(n, err)
	}
	if _, err := (Codec{}).DecodeCount([]byte(`{"error":{"message":"m","code":"model_not_found"}}`)); !errors.As(err, new(*transform.Error)) {
		t.Error(err)
	}
	for _, body := range []string{`{}`, `x`, `{"input_tokens":-1}`} {
		if _, err := (Codec{}).DecodeCount([]byte(body)); err == nil {
			t.Error(body)
		}
	}
	out, _ := Codec{}.AppendCountRequest(nil, r, transform.Target{Model: "gpt-5.6", Vendor: transform.VendorOpenAI, Stream: true}, new(transform.Losses))
	if got := string(out); got != `{"model":"gpt-5.6","input":[{"type":"message","role":"user","content":"x"}]}` {
		t.Error(got)
	}
}
