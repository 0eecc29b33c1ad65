package responses

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// declared is how an agent declares its tools in the input.
const declared = `{"type":"additional_tools","role":"developer","tools":[
	{"type":"namespace","name":"functions","tools":[{"type":"custom","name":"exec","description":"E"},{"type":"function","name":"wait","parameters":{"type":"object","properties":{}},"strict":false}]},
	{"type":"namespace","name":"clock","description":"About time.","tools":[{"type":"function","name":"now","description":"Tells it.","strict":false},{"type":"function","name":"sleep","strict":false}]},
	{"type":"namespace","name":"pad","tools":[{"type":"custom","name":"write"}]}]}`

const itemsOfCalls = `{"type":"function_call","call_id":"c1","namespace":"clock","name":"now","arguments":"{}"},
	{"type":"custom_tool_call","call_id":"c2","namespace":"pad","name":"write","input":"x"},
	{"type":"custom_tool_call","call_id":"c3","name":"exec","input":"y"},
	{"type":"function_call","call_id":"c4","namespace":"functions","name":"wait","arguments":"{}"},
	{"type":"function_call_output","call_id":"c1","output":"noon"},
	{"type":"custom_tool_call_output","call_id":"c2","output":"ok"},
	{"type":"custom_tool_call_output","call_id":"c3","output":"ok"},
	{"type":"function_call_output","call_id":"c4","output":"ok"}`

var flattened = []string{"exec", "wait", "clock__now", "clock__sleep", "pad__write"}

func toolsOf(r *transform.Request) (names []string) {
	for i := range r.Tools {
		names = append(names, r.Tools[i].Name)
	}
	return names
}

func TestToolsInTheInputAndInNamespaces(t *testing.T) {
	r, lost := decode(t, ask(declared, userItem, itemsOfCalls))
	if got := toolsOf(r); !slices.Equal(got, flattened) || len(lost.Dropped) > 0 {
		t.Error(got, lost.Dropped)
	}
	if got := string(r.Tools[2].Description); got != `"About time.\n\nTells it."` {
		t.Error(got)
	}
	if got := r.Tools[3].At.Pointer(); got != "/input/0/tools/1/tools/1" {
		t.Error(got)
	}
	var calls, results []string
	for _, turn := range r.Turns {
		if turn.Role == transform.RoleTool {
			results = append(results, turn.ToolName)
		}
		for _, p := range turn.Parts {
			if p.Kind == transform.PartToolCall {
				calls = append(calls, p.Call.Name)
			}
		}
	}
	want := []string{"clock__now", "pad__write", "exec", "wait"}
	if !slices.Equal(calls, want) || !slices.Equal(results, want) {
		t.Error(calls, results)
	}
}

func TestNamespacesReachEveryFormat(t *testing.T) {
	r, _ := decode(t, ask(declared, userItem, itemsOfCalls))
	for _, test := range []struct {
		codec transform.ProviderCodec
		to    transform.Target
	}{
		{openai.Codec{}, transform.Target{Model: "gpt-5", Vendor: transform.VendorOpenAI}},
		{anthropic.Codec{}, transform.Target{Model: "claude-sonnet-4-5", Vendor: transform.VendorAnthropic}},
		{gemini.Codec{}, transform.Target{Model: "gemini-2.5-pro", Vendor: transform.VendorGoogle}},
		{Codec{}, transform.Target{Model: "gpt-5", Vendor: transform.VendorOpenAI}},
	} {
		body, err := test.codec.AppendRequest(nil, r, test.to, new(transform.Losses))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range flattened {
			if !strings.Contains(string(body), `"name":"`+name+`"`) {
				t.Errorf("%T: no %s in %s", test.codec, name, body)
			}
		}
		if strings.Contains(string(body), `"now"`) || strings.Contains(string(body), `namespace`) {
			t.Errorf("%T: %s", test.codec, body)
		}
	}
}

func TestCallsComeBackInTheirNamespaces(t *testing.T) {
	r, _ := decode(t, ask(declared, userItem))
	calls := []transform.ToolCall{
		{ID: "c1", Name: "clock__now", Arguments: []byte(`{}`)},
		{ID: "c2", Name: "pad__write", Arguments: []byte(`{"input":"x"}`)},
		{ID: "c3", Name: "wait", Arguments: []byte(`{}`)},
		{ID: "c4", Name: "clock__unknown", Arguments: []byte(`{}`)},
	}
	want := []string{
		`"type":"function_call","status":"completed","call_id":"c1","name":"now","namespace":"clock","arguments":"{}"`,
		`"type":"custom_tool_call","status":"completed","call_id":"c2","name":"write","namespace":"pad","input":"x"`,
		`"type":"function_call","status":"completed","call_id":"c3","name":"wait","arguments":"{}"`,
		`"type":"function_call","status":"completed","call_id":"c4","name":"clock__unknown","arguments":"{}"`,
	}
	answer := transform.Response{ID: "a", Choices: []transform.Choice{{Finish: transform.FinishToolCalls}}}
	deltas := []transform.Delta{{Kind: transform.DeltaStart, ID: "a"}}
	for i, call := range calls {
		answer.Choices[0].Parts = append(answer.Choices[0].Parts, transform.Part{Kind: transform.PartToolCall, Call: call})
		begun := call
		begun.Arguments = nil
		deltas = append(deltas, transform.Delta{Kind: transform.DeltaToolStart, Tool: i, Part: i, Call: begun},
			transform.Delta{Kind: transform.DeltaToolArguments, Tool: i, Part: i, Text: transform.Quote(string(call.Arguments))})
	}
	deltas = append(deltas, transform.Delta{Kind: transform.DeltaFinish, Finish: transform.FinishToolCalls})
	whole := Codec{}.AppendResponse(nil, &answer, r)
	checkAnswer(t, whole)
	stream := encodeStream(deltas, r)
	checkStream(t, stream)
	for _, item := range want {
		if !strings.Contains(string(whole), item) {
			t.Errorf("no %s in\n%s", item, whole)
		}
		if n := strings.Count(string(stream), item); n != 2 { // output_item.done, response.completed
			t.Errorf("%d times %s in\n%s", n, item, stream)
		}
	}
	for _, part := range []string{
		`"status":"in_progress","call_id":"c1","name":"now","namespace":"clock","arguments":""`,
		`"status":"in_progress","call_id":"c2","name":"write","namespace":"pad","input":""`,
		`"name":"now","arguments":"{}"`,
	} {
		if !strings.Contains(string(stream), part) {
			t.Errorf("no %s in\n%s", part, stream)
		}
	}
}

func TestNamesOfToolsInNamespaces(t *testing.T) {
	long := strings.Repeat("n", 70)
	tool := func(space, name string) string {
		return fmt.Sprintf(`{"type":"namespace","name":%q,"tools":[{"type":"function","name":%q}]}`, space, name)
	}
	r, lost := decode(t, `{"model":"m","input":"x","tools":[`+strings.Join([]string{
		tool("a", "b__c"), tool("a__b", "c"), tool("d", "e"), `{"type":"function","name":"d__e"}`, tool(long, "f"), tool(long, "g"), tool("m.c p", "h"),
	}, ",")+`]}`)
	seen := map[string]bool{}
	for _, name := range toolsOf(r) {
		if seen[name] || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("%q", name)
		}
		seen[name] = true
	}
	if !seen["a__b__c"] || !seen["d__e"] || r.Tools[3].Name != "d__e" || r.Tools[3].Plain != "" || len(lost.Dropped) > 0 {
		t.Error(toolsOf(r), lost.Dropped)
	}
}

func TestTheLatestDeclarationOfAToolCounts(t *testing.T) {
	again := `{"type":"additional_tools","role":"developer","x":1,"tools":[{"type":"namespace","name":"clock","y":2,"tools":[{"type":"function","name":"now","description":"New."}]}]}`
	r, lost := decode(t, ask(declared, userItem, again))
	if got := toolsOf(r); !slices.Equal(got, flattened) || string(r.Tools[2].Description) != `"New."` {
		t.Error(got)
	}
	if got := strings.Join(lost.Dropped, " "); got != "/input/2/x /input/2/tools/0/y /input/0/tools/1/tools/0" || len(lost.Refused) > 0 {
		t.Error(got)
	}
}

func TestChoicesOfToolsInNamespaces(t *testing.T) {
	choose := func(choice string) transform.ToolChoice {
		r, lost := decode(t, strings.TrimSuffix(ask(declared, userItem), "}")+`,"tool_choice":`+choice+`}`)
		if len(lost.Dropped) > 0 {
			t.Error(lost.Dropped)
		}
		return r.ToolChoice
	}
	if c := choose(`{"type":"function","namespace":"clock","name":"now"}`); c.Name != "clock__now" {
		t.Error(c)
	}
	if c := choose(`{"type":"allowed_tools","mode":"auto","tools":[{"type":"custom","namespace":"pad","name":"write"},{"type":"custom","name":"exec"}]}`); !slices.Equal(c.Allowed, []string{"pad__write", "exec"}) {
		t.Error(c)
	}
}

func TestToolsThatOnlyOpenAIRuns(t *testing.T) {
	const own, search = `{"type":"function","name":"f"}`, `{"type":"tool_search","execution":"client"}`
	for _, test := range []struct{ tools, more, dropped, refused string }{
		{own + `,` + search, ``, "/tools/1", ""},
		{own + `,{"type":"file_search"},{"type":"unheard_of"}`, `,"tool_choice":"auto"`, "/tools/1 /tools/2", ""},
		{search, ``, "/tools/0", "/tools/0"},
		{own + `,` + search, `,"tool_choice":"required"`, "/tools/1", "/tools/1"},
		{own + `,` + search, `,"tool_choice":{"type":"tool_search"}`, "/tool_choice /tools/1", "/tool_choice"},
		{own + `,` + search, `,"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},{"type":"tool_search"}]}`, "/tools/1 /tool_choice/tools/1", ""},
		{own + `,` + search, `,"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"tool_search"}]}`, "/tools/1 /tool_choice/tools/0", "/tools/1 /tool_choice/tools/0"},
		{own + `,{"type":"shell"},{"type":"computer_use_preview"}`, ``, "/tools/1 /tools/2", "/tools/1 /tools/2"},
		{`{"type":"namespace","name":"n","tools":[{"type":"namespace","name":"o","tools":[]},` + own + `]}`, ``, "/tools/0/tools/0", ""},
		{`{"type":"namespace","name":"n","description":"D","tools":[]}`, ``, "/tools/0/description", ""},
	} {
		_, lost := decode(t, `{"model":"m","input":"x","tools":[`+test.tools+`]`+test.more+`}`)
		dropped, refused := strings.Join(lost.Dropped, " "), strings.Join(lost.Refused, " ")
		if refused != test.refused || test.refused == "" && dropped != test.dropped {
			t.Errorf("%s %s: dropped %s, refused %s", test.tools, test.more, dropped, refused)
		}
	}
}

// A search among other tools is left out where there is none; alone or chosen it is not.
func TestASearchThatAProviderLacks(t *testing.T) {
	const own, search = `{"type":"function","name":"f"}`, `{"type":"web_search"}`
	old := transform.Target{Model: "gemini-2.5-pro", Vendor: transform.VendorGoogle}
	chatModel := transform.Target{Model: "gpt-5", Vendor: transform.VendorOpenAI}
	for _, test := range []struct {
		codec         transform.ProviderCodec
		to            transform.Target
		tools, choice string
		refused       string
	}{
		{gemini.Codec{}, old, own + `,` + search, `"auto"`, ""},
		{gemini.Codec{}, old, own + `,` + search, `"required"`, "/tools/1"},
		{gemini.Codec{}, old, search, `{"type":"web_search"}`, "/tool_choice"},
		{openai.Codec{}, chatModel, own + `,` + search, `"auto"`, ""},
		{openai.Codec{}, chatModel, search, `"auto"`, "/tools/0"},
		{Codec{}, chatModel, search, `{"type":"web_search"}`, ""},
		{Codec{}, chatModel, search, `{"type":"web_search_preview"}`, ""},
	} {
		r, lost := decode(t, `{"model":"m","input":"x","tools":[`+test.tools+`],"tool_choice":`+test.choice+`}`)
		body, err := test.codec.AppendRequest(nil, r, test.to, lost)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(lost.Refused, " "); got != test.refused {
			t.Errorf("%T %s %s refuses %q", test.codec, test.tools, test.choice, got)
		}
		if _, same := test.codec.(Codec); same && !strings.Contains(string(body), `"tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}`) {
			t.Errorf("%s", body)
		}
	}
	var lost transform.Losses
	r, err := anthropic.Codec{}.DecodeRequest([]byte(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"web_search"}}`), &lost)
	if err != nil {
		t.Fatal(err)
	}
	body, err := Codec{}.AppendRequest(nil, r, chatModel, &lost)
	if err != nil || !strings.Contains(string(body), `"tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}`) || len(lost.Refused) > 0 {
		t.Errorf("%s %v", body, lost.Refused)
	}
}

func TestItemsThatSetUpAModelAreLeftOut(t *testing.T) {
	_, lost := decode(t, ask(userItem, `{"type":"configuration_update","id":"x"}`, `{"type":"tool_search_call","call_id":"c"}`, `{"type":"program","id":"p"}`, `{"type":"program_output"}`, `{"type":"compaction_trigger"}`))
	if got := strings.Join(lost.Dropped, " "); got != "/input/1 /input/2 /input/3 /input/4 /input/5" || strings.Join(lost.Refused, " ") != "/input/5" {
		t.Error(got, lost.Refused)
	}
	r, lost := decode(t, ask(userItem, `{"type":"tool_search_output","call_id":"c","tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}]}]}`))
	if got := toolsOf(r); !slices.Equal(got, []string{"n__f"}) || strings.Join(lost.Dropped, " ") != "/input/1" {
		t.Error(got, lost.Dropped)
	}
}
