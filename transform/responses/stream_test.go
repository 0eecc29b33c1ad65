package responses

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// trace writes deltas in words.
func trace(deltas []transform.Delta) string {
	var out []string
	for _, d := range deltas {
		word := ""
		switch d.Kind {
		case transform.DeltaStart:
			word = fmt.Sprintf("start %s %s %d", d.ID, d.Model, d.Created)
		case transform.DeltaText:
			word = fmt.Sprintf("text%d %s", d.Part, d.Text)
		case transform.DeltaReasoning:
			word = fmt.Sprintf("think%d %s", d.Part, d.Text)
		case transform.DeltaRefusal:
			word = fmt.Sprintf("refuse%d %s", d.Part, d.Text)
		case transform.DeltaOpaque:
			word = fmt.Sprintf("opaque%d %s %s", d.Part, d.Opaque.ID, d.Opaque.Data)
		case transform.DeltaToolStart:
			word = fmt.Sprintf("call%d.%d %s %s %v", d.Part, d.Tool, d.Call.ID, d.Call.Name, d.Call.Custom)
		case transform.DeltaToolArguments:
			word = fmt.Sprintf("arg%d.%d %s", d.Part, d.Tool, d.Text)
		case transform.DeltaPartEnd:
			word = fmt.Sprintf("end%d", d.Part)
		case transform.DeltaCitation:
			word = fmt.Sprintf("cite%d", d.Part)
		case transform.DeltaLogprobs:
			word = fmt.Sprintf("logprobs %s", d.Logprobs)
		case transform.DeltaFinish:
			word = "finish " + d.Finish.String()
		case transform.DeltaUsage:
			word = fmt.Sprintf("usage %d+%d", d.Usage.Input, d.Usage.Output)
		case transform.DeltaError:
			word = fmt.Sprintf("error %d %s", d.Err.Kind, d.Err.Message)
		}
		out = append(out, word)
	}
	return strings.Join(out, "\n")
}

func datas(list ...string) (events []sse.Event) {
	for _, data := range list {
		events = append(events, sse.Event{Data: []byte(data)})
	}
	return events
}

const (
	created = `{"type":"response.created","response":{"id":"r","model":"m","created_at":5.0,"status":"in_progress","output":[]}}`
	ended   = `{"type":"response.completed","response":{"id":"r","status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}`
)

func TestEventsBecomeDeltas(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []string
		want   string
	}{
		{"text", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg","content":[]}}`,
			`{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}`,
			`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a","logprobs":[{"token":"a"}]}`,
			`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"","logprobs":[]}`,
			`{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"a"}`,
			`{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"a"}}`,
			`{"type":"response.output_text.delta","output_index":0,"content_index":1,"delta":"b"}`,
			`{"type":"response.refusal.delta","output_index":0,"content_index":2,"delta":"c"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation","url":"u"}]},{"type":"output_text","text":"b"},{"type":"refusal","refusal":"c"}]}}`,
		}, `text0 "a"
logprobs {"content":[{"token":"a"}],"refusal":null}
end0
text1 "b"
end1
refuse2 "c"
cite2
end2
finish stop`},
		{"summaries", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"half"}}`,
			`{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}`,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"a"}`,
			`{"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":0,"text":"a"}`,
			`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"b"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"text":"a"},{"text":"b"}],"content":[{"text":"raw"}],"encrypted_content":"whole"}}`,
		}, `think0 "a"
think0 "\n\n"
think0 "b"
think0 "\n\n"
think0 "raw"
opaque0 rs "whole"
end0
finish stop`},
		{"calls, interleaved", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_0","call_id":"c0","name":"f","arguments":""}}`,
			`{"type":"response.output_item.added","output_index":1,"item":{"type":"custom_tool_call","id":"ctc_1","call_id":"c1","name":"g","input":""}}`,
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\""}`,
			`{"type":"response.custom_tool_call_input.delta","output_index":1,"delta":"x"}`,
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"a\":1}"}`,
			`{"type":"response.custom_tool_call_input.done","output_index":1,"input":"x"}`,
			`{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c0","name":"f","arguments":"{\"a\":1}"}}`,
		}, `call0.0 c0 f false
call1.1 c1 g true
arg0.0 "{\""
arg1.1 "x"
arg0.0 "a\":1}"
end0
end1
finish tool_calls`},
		{"a call without deltas", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_0","call_id":"c0","name":"f","arguments":""}}`,
			`{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c0","name":"f","arguments":"{\"a\":1}"}}`,
		}, `call0.0 c0 f false
arg0.0 "{\"a\":1}"
end0
finish tool_calls`},
		{"a call without arguments", []string{
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c0","name":"f","arguments":""}}`,
		}, `call0.0 c0 f false
arg0.0 "{}"
end0
finish tool_calls`},
		{"a call whose name comes late", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_0"}}`,
			`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c0","name":"f","arguments":"{}"}}`,
		}, `call0.0 c0 f false
arg0.0 "{}"
end0
finish tool_calls`},
		{"a server that counts wrong", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs"}}`,
			`{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"a"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","content":[{"text":"a"}]}}`,
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg"}}`,
			`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"b"}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"b"}]}}`,
		}, `think0 "a"
end0
text1 "b"
end1
finish stop`},
		{"what others run", []string{
			`{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"ws"}}`,
			`{"type":"response.web_search_call.searching","output_index":0}`,
			`{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"ws"}}`,
			`{"type":"response.something.new","x":1}`,
		}, `finish stop`},
	} {
		deltas, end := decodeStream(t, append(append(datas(created), datas(test.events...)...), datas(ended)...))
		if want := "start r m 5\n" + test.want + "\nusage 1+2"; trace(deltas) != want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, trace(deltas), want)
		}
		if !end {
			t.Errorf("%s has not ended", test.name)
		}
	}
}

func TestCallsThatTheProviderRunsAreNotTheClients(t *testing.T) {
	begun := `{"type":"response.created","response":{"id":"r","tools":[{"type":"x_search"},{"type":"custom","name":"mine"}]}}`
	item := func(i int, name string) string {
		return fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":{"type":"custom_tool_call","call_id":"c","name":"%s","input":"x"}}`, i, name)
	}
	deltas, _ := decodeStream(t, datas(begun, item(0, "x_keyword_search"), item(1, "mine"), ended))
	if got := sayOfDeltas(t, deltas); len(got.calls) != 1 || got.calls[0] != "c mine x true" {
		t.Error(trace(deltas))
	}
}

func TestStreamsThatFail(t *testing.T) {
	failed := `{"type":"response.failed","response":{"status":"failed","error":{"code":"insufficient_quota","message":"no money"},"usage":{"input_tokens":1,"output_tokens":0,"total_tokens":1}}}`
	for _, test := range []struct {
		name string
		list []string
		want string
	}{
		{"as OpenAI says it", []string{created, `{"type":"error","sequence_number":2,"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"no money","param":null}}`, failed}, "start r m 5\nerror 6 no money"},
		{"as documented", []string{created, `{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null,"sequence_number":2}`}, "start r m 5\nerror 13 slow"},
		{"in the response alone", []string{created, failed}, "start r m 5\nusage 1+0\nerror 6 no money"},
		{"as Chat Completions does", []string{`{"error":{"message":"m","code":"server_error"}}`}, "error 14 m"},
		{"completed, with an error", []string{`{"type":"response.completed","response":{"id":"r","model":"m","created_at":5,"status":"failed","error":{"code":"server_error","message":"m"},"output":[]}}`}, "start r m 5\nerror 14 m"},
	} {
		want := strings.NewReplacer("error 6 ", fmt.Sprintf("error %d ", transform.ErrQuota), "error 13 ", fmt.Sprintf("error %d ", transform.ErrRateLimit), "error 14 ", fmt.Sprintf("error %d ", transform.ErrUpstream)).Replace(test.want)
		deltas, end := decodeStream(t, datas(test.list...))
		if trace(deltas) != want || end {
			t.Errorf("%s:\n%s\nended %v", test.name, trace(deltas), end)
		}
		inspector := Codec{}.NewStreamInspector()
		var seen *transform.Error
		for _, e := range datas(test.list...) {
			sign, err := inspector.Inspect(e.Name, e.Data)
			if err != nil {
				t.Fatal(err)
			}
			if sign.Err != nil {
				seen = sign.Err
			}
		}
		if seen == nil || seen.Kind != deltas[len(deltas)-1].Err.Kind || inspector.Ended() {
			t.Errorf("%s inspected: %+v", test.name, seen)
		}
	}
}

func TestStreamsThatHaveNotEnded(t *testing.T) {
	for _, list := range [][]string{{created}, {created, `[DONE]`}, {created, `{"type":"response.queued","response":{"status":"queued"}}`}} {
		if _, end := decodeStream(t, datas(list...)); end {
			t.Errorf("%v has ended", list)
		}
	}
	incomplete := `{"type":"response.incomplete","response":{"id":"r","model":"m","incomplete_details":{"reason":"content_filter"},"output":[]}}`
	deltas, end := decodeStream(t, datas(incomplete))
	if !end || trace(deltas) != "start r m 0\nfinish content_filter" {
		t.Error(trace(deltas))
	}
}

func TestEventsThatAreNone(t *testing.T) {
	for _, data := range []string{`x`, `[1]`, `"a"`, `{"type":`} {
		if _, err := (Codec{}).NewStreamDecoder().Decode(nil, nil, []byte(data)); err == nil || errors.As(err, new(*transform.Error)) {
			t.Errorf("%s: %v", data, err)
		}
	}
	if _, err := (Codec{}).NewStreamInspector().Inspect(nil, []byte(`<html>`)); err == nil {
		t.Error("an HTML page passes")
	}
}

// written is the names of a stream's events, those of deltas with their number.
func written(t testing.TB, stream []byte) string {
	var out []string
	last, times := "", 0
	flush := func() {
		if times > 1 {
			last = fmt.Sprintf("%s*%d", last, times)
		}
		if times > 0 {
			out = append(out, last)
		}
	}
	for _, e := range eventsOf(t, stream) {
		name := strings.TrimPrefix(string(e.Name), "response.")
		if name != last {
			flush()
			last, times = name, 0
		}
		times++
	}
	flush()
	return strings.Join(out, " ")
}

func TestDeltasBecomeEvents(t *testing.T) {
	google := transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: lit("g")}
	text := func(part int, s string) transform.Delta {
		return transform.Delta{Kind: transform.DeltaText, Part: part, Text: lit(s)}
	}
	call := func(part, tool int, name string) transform.Delta {
		return transform.Delta{Kind: transform.DeltaToolStart, Part: part, Tool: tool, Call: transform.ToolCall{ID: fmt.Sprint("c", tool), Name: name}}
	}
	argument := func(part, tool int, s string) transform.Delta {
		return transform.Delta{Kind: transform.DeltaToolArguments, Part: part, Tool: tool, Text: lit(s)}
	}
	signed := call(0, 0, "f")
	signed.Opaque = google
	const message = "output_item.added content_part.added "
	const messageDone = " output_text.done content_part.done output_item.done"
	for _, test := range []struct {
		name   string
		deltas []transform.Delta
		want   string
	}{
		{"nothing", nil, "completed"},
		{"text in pieces", []transform.Delta{text(0, "a"), text(0, ""), text(0, "b")}, message + "output_text.delta*2" + messageDone + " completed"},
		{"text in parts", []transform.Delta{text(0, "a"), text(1, "b")}, message + "output_text.delta output_text.done content_part.done content_part.added output_text.delta" + messageDone + " completed"},
		{"a citation and logprobs", []transform.Delta{text(0, "a"), {Kind: transform.DeltaCitation, Citation: []byte(citation)}, {Kind: transform.DeltaLogprobs, Logprobs: []byte(`{"content":[{"token":"a"}]}`)}},
			message + "output_text.delta output_text.annotation.added output_text.delta" + messageDone + " completed"},
		{"a refusal", []transform.Delta{{Kind: transform.DeltaRefusal, Text: lit("no")}}, message + "refusal.delta refusal.done content_part.done output_item.done completed"},
		{"cut off", []transform.Delta{text(0, "a"), {Kind: transform.DeltaFinish, Finish: transform.FinishLength}}, message + "output_text.delta" + messageDone + " incomplete"},
		{"thoughts before text", []transform.Delta{{Kind: transform.DeltaReasoning, Text: lit("a")}, {Kind: transform.DeltaOpaque, Opaque: google}, {Kind: transform.DeltaPartEnd}, text(1, "b")},
			"output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.done reasoning_summary_part.done output_item.done " + message + "output_text.delta" + messageDone + " completed"},
		{"parallel calls", []transform.Delta{call(0, 0, "f"), call(1, 1, "f"), argument(0, 0, "{"), argument(1, 1, "{}"), argument(0, 0, "}")},
			"output_item.added*2 function_call_arguments.delta*3 function_call_arguments.done output_item.done function_call_arguments.done output_item.done completed"},
		{"a call without arguments", []transform.Delta{call(0, 0, "f"), {Kind: transform.DeltaPartEnd}}, "output_item.added function_call_arguments.delta function_call_arguments.done output_item.done completed"},
		{"a signed call", []transform.Delta{signed}, "output_item.added output_item.done output_item.added function_call_arguments.delta function_call_arguments.done output_item.done completed"},
		{"a signature that comes late", []transform.Delta{call(0, 0, "f"), {Kind: transform.DeltaOpaque, Opaque: google}}, "output_item.added function_call_arguments.delta function_call_arguments.done output_item.done output_item.added output_item.done completed"},
		{"an emulated custom tool", []transform.Delta{call(0, 0, "patch"), argument(0, 0, `{"input":`), argument(0, 0, `"x"}`)}, "output_item.added custom_tool_call_input.delta custom_tool_call_input.done output_item.done completed"},
		{"an error", []transform.Delta{text(0, "a"), {Kind: transform.DeltaError, Err: &transform.Error{Kind: transform.ErrRateLimit, Message: "m"}}, text(0, "b")}, message + "output_text.delta error failed"},
	} {
		r := &transform.Request{Model: "m", Tools: []transform.Tool{{Name: "patch", Custom: true}}}
		stream := encodeStream(append([]transform.Delta{{Kind: transform.DeltaStart, ID: "r", Model: "m"}}, test.deltas...), r)
		checkGrammar(t, stream, test.name == "an error")
		if got := written(t, stream); got != "created in_progress "+test.want {
			t.Errorf("%s:\n%s, want\n%s", test.name, got, test.want)
		}
	}
}

func TestEventsToTheLetter(t *testing.T) {
	stream := string(encodeStream([]transform.Delta{
		{Kind: transform.DeltaStart, ID: "resp_1", Model: "m", Created: 5},
		{Kind: transform.DeltaText, Text: transform.Literal(`"\u00e9"`)},
		{Kind: transform.DeltaToolStart, Part: 1, Call: transform.ToolCall{ID: "c", Name: "f"}},
	}, nil))
	for _, want := range []string{
		"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",",
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"item_id\":\"msg_1_0\",\"output_index\":0,\"content_index\":0,\"delta\":\"\\u00e9\",\"logprobs\":[]}\n\n",
		`,"item_id":"fc_1_1","output_index":1,"name":"f","arguments":"{}"}` + "\n\n",
	} {
		if !strings.Contains(stream, want) {
			t.Errorf("no %s in\n%s", want, stream)
		}
	}
}

func TestErrorsBeforeAndAfterTheBeginning(t *testing.T) {
	failure := &transform.Error{Kind: transform.ErrQuota, Message: "m"}
	early := Codec{}.NewStreamEncoder(nil).AppendError(nil, failure, "")
	checkGrammar(t, early, true)
	if got := written(t, early); got != "error" {
		t.Error(got)
	}
	encoder := Codec{}.NewStreamEncoder(nil)
	out := encoder.Append(nil, &transform.Delta{Kind: transform.DeltaText, Text: lit("a")})
	out = encoder.Append(out, &transform.Delta{Kind: transform.DeltaToolStart, Part: 1, Call: transform.ToolCall{Name: "f"}})
	out = encoder.AppendError(out, failure, "")
	checkGrammar(t, out, true)
	if !strings.Contains(string(out), `"status":"failed","background":false,"completed_at":null,"error":{"code":"insufficient_quota","message":"m"}`) || !strings.Contains(string(out), `"text":"a"}]}`) {
		t.Errorf("%s", out)
	}
	if more := encoder.AppendEnd(encoder.AppendError(nil, nil, "")); more != nil {
		t.Errorf("after the end: %s", more)
	}
}

func TestSignsOfLifeAreComments(t *testing.T) {
	got := Codec{}.NewStreamEncoder(nil).Append(nil, &transform.Delta{Kind: transform.DeltaPing})
	if string(got) != ": keep-alive\n\n" || string(Codec{}.Heartbeat()) != string(got) {
		t.Errorf("%q", got)
	}
}

func TestAStreamHoldsABoundedAnswer(t *testing.T) {
	encoder := Codec{}.NewStreamEncoder(nil)
	d := transform.Delta{Kind: transform.DeltaText, Text: lit(strings.Repeat("x", 8<<20))}
	var out []byte
	for range 12 {
		out = encoder.Append(out[:0], &d)
	}
	if len(out) != 0 || len(encoder.AppendEnd(nil)) != 0 {
		t.Error("it goes on")
	}
}
