package anthropic

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

func textDelta(part int, text string) transform.Delta {
	return transform.Delta{Kind: transform.DeltaText, Part: part, Text: transform.Quote(text)}
}

func thoughtDelta(part int, text string) transform.Delta {
	return transform.Delta{Kind: transform.DeltaReasoning, Part: part, Text: transform.Quote(text)}
}

func opaqueDelta(part int, o transform.Opaque) transform.Delta {
	return transform.Delta{Kind: transform.DeltaOpaque, Part: part, Opaque: o}
}

func callDelta(part, tool int, id, name string) transform.Delta {
	return transform.Delta{Kind: transform.DeltaToolStart, Part: part, Tool: tool, Call: transform.ToolCall{ID: id, Name: name}}
}

func argumentsDelta(part, tool int, text string) transform.Delta {
	return transform.Delta{Kind: transform.DeltaToolArguments, Part: part, Tool: tool, Text: transform.Quote(text)}
}

func endDelta(part int) transform.Delta {
	return transform.Delta{Kind: transform.DeltaPartEnd, Part: part}
}

func finishDelta(finish transform.Finish) transform.Delta {
	return transform.Delta{Kind: transform.DeltaFinish, Finish: finish}
}

func piece(vendor transform.Vendor, kind transform.OpaqueKind, data string) transform.Opaque {
	return transform.Opaque{Vendor: vendor, Kind: kind, Data: transform.Quote(data)}
}

// sealed is a piece of another vendor as clients of this format keep it.
func sealed(o transform.Opaque) string {
	s, _ := o.Seal(transform.VendorAnthropic).Text()
	return s
}

var (
	ours    = piece(transform.VendorAnthropic, transform.OpaqueSignature, "Sig==")
	hidden  = piece(transform.VendorAnthropic, transform.OpaqueRedacted, "Red==")
	google  = piece(transform.VendorGoogle, transform.OpaqueSignature, "G==")
	openAIs = transform.Opaque{Vendor: transform.VendorOpenAI, Kind: transform.OpaqueRedacted, ID: "rs_1", Data: transform.Quote("enc")}
)

func TestStreamBlocks(t *testing.T) {
	cited := transform.Delta{Kind: transform.DeltaCitation, Citation: jsonbytes.Value(`{"type":"url_citation","url_citation":{"url":"https://a","title":"A","start_index":0,"end_index":1}}`)}
	odd := transform.Delta{Kind: transform.DeltaCitation, Citation: jsonbytes.Value(`{"type":"file_citation","url":"https://a"}`)}
	signedCall := callDelta(1, 0, "c1", "f")
	signedCall.Opaque = google
	whole := callDelta(0, 0, "c1", "f")
	whole.Call.Arguments = []byte(`{"a":1}`)
	for _, test := range []struct {
		name   string
		deltas []transform.Delta
		want   []string
		reason string
	}{
		{"nothing", nil, nil, "end_turn"},
		{"text", []transform.Delta{textDelta(0, "a\n"), textDelta(0, ""), textDelta(0, `"b"`), finishDelta(transform.FinishStop)}, []string{"text a\n\"b\""}, "end_turn"},
		{"parts are blocks", []transform.Delta{textDelta(0, "a"), endDelta(0), textDelta(1, "b"), textDelta(2, "c")}, []string{"text a", "text b", "text c"}, "end_turn"},
		{"thinking, then text", []transform.Delta{thoughtDelta(0, "t"), thoughtDelta(0, "u"), textDelta(1, "a")}, []string{"thinking tu", "text a"}, "end_turn"},
		{"our signature", []transform.Delta{thoughtDelta(0, "t"), opaqueDelta(0, ours), endDelta(0), textDelta(1, "a")}, []string{"thinking t Sig==", "text a"}, "end_turn"},
		{"a signature alone", []transform.Delta{opaqueDelta(0, ours), endDelta(0), textDelta(1, "a")}, []string{"thinking Sig==", "text a"}, "end_turn"},
		{"thinking goes on after its signature", []transform.Delta{thoughtDelta(0, "t"), opaqueDelta(0, ours), thoughtDelta(0, "u"), textDelta(1, "a")}, []string{"thinking t Sig==", "thinking u", "text a"}, "end_turn"},
		{"redacted", []transform.Delta{thoughtDelta(0, "t"), opaqueDelta(1, hidden), textDelta(2, "a")}, []string{"thinking t", "redacted_thinking Red==", "text a"}, "end_turn"},
		{"redacted of another vendor", []transform.Delta{opaqueDelta(0, openAIs), textDelta(1, "a")}, []string{"thinking " + sealed(openAIs), "text a"}, "end_turn"},
		{"redacted of another vendor with its summary", []transform.Delta{thoughtDelta(0, "t"), opaqueDelta(0, openAIs), textDelta(1, "a")}, []string{"thinking t " + sealed(openAIs), "text a"}, "end_turn"},
		{"signature of another vendor", []transform.Delta{thoughtDelta(0, "t"), opaqueDelta(0, google), textDelta(1, "a")}, []string{"thinking t " + sealed(google), "text a"}, "end_turn"},
		{"call", []transform.Delta{textDelta(0, "a"), callDelta(1, 0, "c1", "f"), argumentsDelta(1, 0, `{"a":`), argumentsDelta(1, 0, `1}`), finishDelta(transform.FinishToolCalls)},
			[]string{"text a", `tool_use c1 f {"a":1}`}, "tool_use"},
		{"call that comes whole", []transform.Delta{whole, finishDelta(transform.FinishStop)}, []string{`tool_use c1 f {"a":1}`}, "tool_use"},
		{"call without arguments", []transform.Delta{callDelta(0, 0, "c1", "f"), argumentsDelta(0, 0, "")}, []string{`tool_use c1 f {}`}, "tool_use"},
		{"calls without arguments", []transform.Delta{callDelta(0, 0, "c1", "f"), endDelta(0), callDelta(1, 1, "c2", "g"), endDelta(1)}, []string{`tool_use c1 f {}`, `tool_use c2 g {}`}, "tool_use"},
		{"a call begins once", []transform.Delta{callDelta(0, 0, "c1", "f"), argumentsDelta(0, 0, `{`), callDelta(0, 0, "c1", "f"), argumentsDelta(0, 0, `}`)}, []string{`tool_use c1 f {}`}, "tool_use"},
		{"arguments of no call", []transform.Delta{argumentsDelta(0, 3, `{`), textDelta(0, "a")}, []string{`text a`}, "end_turn"},
		{"calls one after the other", []transform.Delta{callDelta(0, 0, "c1", "f"), argumentsDelta(0, 0, `{"a":"}\""}`), callDelta(1, 1, "c2", "g"), argumentsDelta(1, 1, `{}`), textDelta(2, "a")},
			[]string{`tool_use c1 f {"a":"}\""}`, `tool_use c2 g {}`, "text a"}, "tool_use"},
		{"calls mixed", []transform.Delta{callDelta(0, 0, "c1", "f"), callDelta(1, 1, "c2", "g"), callDelta(2, 2, "c3", "h"), argumentsDelta(1, 1, `{"b"`), argumentsDelta(0, 0, `{"a"`),
			argumentsDelta(2, 2, `{}`), argumentsDelta(1, 1, `:2}`), argumentsDelta(0, 0, `:1}`)},
			[]string{`tool_use c1 f {"a":1}`, `tool_use c2 g {"b":2}`, `tool_use c3 h {}`}, "tool_use"},
		{"mixed with all else", []transform.Delta{callDelta(0, 0, "c1", "f"), argumentsDelta(0, 0, `{`), textDelta(1, "a"), textDelta(1, "b"), thoughtDelta(2, "t"), opaqueDelta(2, google), opaqueDelta(3, hidden), opaqueDelta(4, ours),
			callDelta(5, 1, "c2", "g"), argumentsDelta(0, 0, `}`), textDelta(6, "z")},
			[]string{`tool_use c1 f {}`, "text ab", "thinking t " + sealed(google), "redacted_thinking Red==", "thinking Sig==", `tool_use c2 g {}`, "text z"}, "tool_use"},
		{"an end while others wait", []transform.Delta{callDelta(0, 0, "c1", "f"), callDelta(1, 1, "c2", "g"), argumentsDelta(1, 1, `{}`), endDelta(1), endDelta(0), callDelta(2, 2, "c3", "h")},
			[]string{`tool_use c1 f {}`, `tool_use c2 g {}`, `tool_use c3 h {}`}, "tool_use"},
		{"cut call", []transform.Delta{callDelta(0, 0, "c1", "f"), argumentsDelta(0, 0, `{"a":"`), finishDelta(transform.FinishLength)}, []string{`tool_use c1 f {"a":"`}, "max_tokens"},
		{"signed call", []transform.Delta{textDelta(0, "a"), signedCall, argumentsDelta(1, 0, `{}`)}, []string{"text a", "thinking " + sealed(google), `tool_use c1 f {}`}, "tool_use"},
		{"signature before the arguments", []transform.Delta{callDelta(1, 0, "c1", "f"), opaqueDelta(1, google), argumentsDelta(1, 0, `{}`)}, []string{"thinking " + sealed(google), `tool_use c1 f {}`}, "tool_use"},
		{"signature of a call that waits", []transform.Delta{callDelta(0, 0, "c1", "f"), callDelta(1, 1, "c2", "g"), opaqueDelta(1, google), argumentsDelta(1, 1, `{}`)},
			[]string{`tool_use c1 f {}`, "thinking " + sealed(google), `tool_use c2 g {}`}, "tool_use"},
		{"signature that comes late", []transform.Delta{callDelta(1, 0, "c1", "f"), argumentsDelta(1, 0, `{}`), opaqueDelta(1, google), callDelta(2, 1, "c2", "g")},
			[]string{`tool_use c1 f {}`, "thinking " + sealed(withID(&google, "c1")), `tool_use c2 g {}`}, "tool_use"},
		{"citations", []transform.Delta{cited, textDelta(0, "a"), cited, odd, textDelta(0, "b"), cited, endDelta(0), cited}, []string{"text ab https://a https://a"}, "end_turn"},
		{"refusal", []transform.Delta{textDelta(0, "a"), {Kind: transform.DeltaRefusal, Part: 1, Text: transform.Quote("no")}, finishDelta(transform.FinishStop)}, []string{"text a", "text no"}, "refusal"},
		{"filtered", []transform.Delta{finishDelta(transform.FinishContentFilter)}, nil, "refusal"},
		{"tool calls without any", []transform.Delta{finishDelta(transform.FinishToolCalls)}, nil, "end_turn"},
		{"text after the finish", []transform.Delta{finishDelta(transform.FinishStop), textDelta(0, "a")}, []string{"text a"}, "end_turn"},
		{"stop sequence", []transform.Delta{textDelta(0, "a"), {Kind: transform.DeltaFinish, Finish: transform.FinishStop, StopSequence: `"`}}, []string{"text a"}, "stop_sequence"},
		{"other choices", []transform.Delta{textDelta(0, "a"), {Kind: transform.DeltaText, Choice: 1, Text: transform.Quote("x")}, {Kind: transform.DeltaLogprobs, Logprobs: jsonbytes.Value(`{}`)}}, []string{"text a"}, "end_turn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := listen(t, encodeStream(test.deltas, nil))
			wantList(t, "blocks", h.list(), test.want)
			if h.reason != test.reason || h.failure != "" {
				t.Errorf("reason %q, error %q", h.reason, h.failure)
			}
		})
	}
}

func TestStreamIsWrittenLikeAnthropics(t *testing.T) {
	got := encodeStream([]transform.Delta{
		{Kind: transform.DeltaStart, ID: "chatcmpl-1", Model: "gpt", ServiceTier: "default", Usage: usage.Tokens{Input: 10, CacheRead: 4, CacheWrite: 1}},
		textDelta(0, "hi"), {Kind: transform.DeltaPing}, finishDelta(transform.FinishStop),
		{Kind: transform.DeltaUsage, Usage: usage.Tokens{Input: 12, CacheRead: 4, CacheWrite: 1, Output: 7, Reasoning: 3, Known: true}},
	}, nil)
	wantText(t, "stream", got, `event: message_start
data: {"type":"message_start","message":{"id":"msg_chatcmpl-1","type":"message","role":"assistant","model":"gpt","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"container":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":1,"cache_read_input_tokens":4,"output_tokens":0,"output_tokens_details":null,"cache_creation":null,"server_tool_use":null,"service_tier":"standard"}}}

event: ping
data: {"type":"ping"}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}

event: ping
data: {"type":"ping"}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,"stop_details":null},"usage":{"input_tokens":7,"cache_creation_input_tokens":1,"cache_read_input_tokens":4,"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}}

event: message_stop
data: {"type":"message_stop"}

`)
}

func TestStreamWithoutAStart(t *testing.T) {
	h := listen(t, encodeStream([]transform.Delta{textDelta(0, "a"), {Kind: transform.DeltaStart, ID: "late"}}, &transform.Request{Model: "smart"}))
	if h.model != "smart" || !strings.HasPrefix(h.id, "msg_") || h.id == "msg_late" {
		t.Errorf("got %+v", h)
	}
}

func TestStreamErrors(t *testing.T) {
	failure := &transform.Error{Kind: transform.ErrOverloaded, Message: "busy"}
	for n := range 3 {
		e := Codec{}.NewStreamEncoder(nil)
		deltas := []transform.Delta{textDelta(0, "a"), callDelta(1, 0, "c", "f")}[:n]
		var out []byte
		for i := range deltas {
			out = e.Append(out, &deltas[i])
		}
		out = e.AppendError(out, failure, "req_1")
		before := len(out)
		out = e.AppendEnd(e.Append(e.AppendError(out, nil, ""), &transform.Delta{Kind: transform.DeltaText, Text: transform.Quote("x")}))
		if len(out) != before {
			t.Errorf("after the error: %s", out[before:])
		}
		if h := listen(t, out); h.failure != "overloaded_error" || !bytes.Contains(out, []byte(`"request_id":"req_1"`)) {
			t.Errorf("got %s", out)
		}
	}
	e := Codec{}.NewStreamEncoder(nil)
	out := e.Append(nil, &transform.Delta{Kind: transform.DeltaError, Err: failure})
	if h := listen(t, out); h.failure != "overloaded_error" {
		t.Errorf("got %s", out)
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	mixed := func(more ...transform.Delta) []transform.Delta {
		return append([]transform.Delta{callDelta(0, 0, "c", "f"), argumentsDelta(0, 0, "{")}, more...)
	}
	var calls, parts []transform.Delta
	for i := range maxWaiting + 1 {
		calls = append(calls, callDelta(i+1, i+1, "c", "f"))
		parts = append(parts, textDelta(i+1, "a"))
	}
	for name, deltas := range map[string][]transform.Delta{
		"bytes":  mixed(textDelta(1, strings.Repeat("a", maxHeld))),
		"blocks": mixed(parts...),
		"calls":  mixed(calls...),
	} {
		if h := listen(t, encodeStream(deltas, nil)); h.failure != "api_error" {
			t.Errorf("%s: got %+v", name, h)
		}
	}
}

// What a delta points to is the caller's again when Append returns.
func TestWhatWaitsIsCopied(t *testing.T) {
	e := Codec{}.NewStreamEncoder(nil)
	var out []byte
	for _, d := range []transform.Delta{
		callDelta(0, 0, "c1", "f"), opaqueDelta(0, google), callDelta(1, 1, "c2", "g"), opaqueDelta(1, google),
		argumentsDelta(1, 1, `{"b":2}`), textDelta(2, "text"), opaqueDelta(3, ours), argumentsDelta(0, 0, `{"a":1}`),
	} {
		d.Text, d.Opaque.Data = bytes.Clone(d.Text), bytes.Clone(d.Opaque.Data)
		out = e.Append(out, &d)
		for _, used := range [][]byte{d.Text, d.Opaque.Data} {
			for i := range used {
				used[i] = '!'
			}
		}
	}
	h := listen(t, e.AppendEnd(out))
	wantList(t, "blocks", h.list(), []string{"thinking " + sealed(google), `tool_use c1 f {"a":1}`, "thinking " + sealed(google), `tool_use c2 g {"b":2}`, "text text", "thinking Sig=="})
}

func TestHeartbeatIsAPing(t *testing.T) {
	beat := Codec{}.Heartbeat()
	var d streamDecoder
	deltas, err := d.Decode(nil, []byte("ping"), bytes.TrimSpace(bytes.TrimPrefix(beat, []byte("event: ping\ndata: "))))
	if err != nil || len(deltas) != 1 || deltas[0].Kind != transform.DeltaPing || !bytes.HasSuffix(beat, []byte("\n\n")) {
		t.Errorf("%q: %v, %v", beat, deltas, err)
	}
}

func TestExtentOfArguments(t *testing.T) {
	for text, want := range map[string]bool{
		``: false, `{`: false, `{}`: true, `{"a":{}`: false, `{"a":"}"}`: true, `{"a":"\"}`: false, `{"a":"\\"}`: true, `[{}]`: true, `{"a":"\u007d"`: false,
	} {
		literal := transform.Quote(text)
		for cut := 1; cut < len(literal)-1; cut++ {
			if literal[cut-1] == '\\' {
				continue // pieces are literals themselves
			}
			var x extent
			x.read(append(bytes.Clone(literal[:cut]), '"'))
			x.read(append([]byte{'"'}, literal[cut:]...))
			if x.whole() != want {
				t.Errorf("%s cut at %d: %v", text, cut, x.whole())
			}
		}
	}
	var x extent
	x.read(transform.Literal(`"\u007B\u0022a\u0022:\u005b\u005D\n}"`))
	if !x.whole() {
		t.Error("escapes")
	}
}

// What our own decoder reads of a stream is what went in.
func TestStreamSurvivesTheRoundTrip(t *testing.T) {
	events := []string{start, blockStartOf(0, `{"type":"thinking","thinking":"","signature":""}`), deltaOf(0, `{"type":"thinking_delta","thinking":"T"}`),
		deltaOf(0, `{"type":"signature_delta","signature":"S=="}`), blockStopOf(0), blockStartOf(1, `{"type":"redacted_thinking","data":"R"}`), blockStopOf(1),
		blockStartOf(2, `{"type":"text","text":""}`), deltaOf(2, `{"type":"text_delta","text":"hi"}`), blockStopOf(2),
		blockStartOf(3, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`), deltaOf(3, `{"type":"input_json_delta","partial_json":"{\"a\":1}"}`), blockStopOf(3),
		blockStartOf(4, `{"type":"tool_use","id":"toolu_2","name":"g","input":{}}`), blockStopOf(4),
		finishWith("tool_use", ``, `{"output_tokens":13}`), stop}
	want, _ := decodeStream(t, events...)
	d, e := Codec{}.NewStreamDecoder(), Codec{}.NewStreamEncoder(nil)
	var out []byte
	for _, event := range events {
		deltas, _ := d.Decode(nil, eventName(event), []byte(event))
		for i := range deltas {
			out = e.Append(out, &deltas[i])
		}
	}
	out = e.AppendEnd(out)
	listen(t, out)
	var again []string
	for event := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
		if _, data, _ := strings.Cut(event, "\ndata: "); !strings.Contains(data, `"ping"`) {
			again = append(again, data)
		}
	}
	got, _ := decodeStream(t, again...)
	wantList(t, "deltas", got, want)
}

func TestAnswers(t *testing.T) {
	signed := callPart("c1", "f", `{"a": 1}`)
	signed.Opaque = google
	redacted := thought("", "")
	redacted.Opaque = hidden
	foreigner := thought("t", "")
	foreigner.Opaque = openAIs
	citation := transform.Part{Kind: transform.PartCitation, Citation: jsonbytes.Value(`{"type":"url_citation","url_citation":{"url":"https://a"}}`)}
	page := transform.Part{Kind: transform.PartCitation, Citation: jsonbytes.Value(`{"type":"file_citation"}`)}
	free := callPart("c1", "f", "ls")
	free.Call.Custom = true
	for _, test := range []struct {
		name    string
		choice  transform.Choice
		content string
		reason  string
	}{
		{"nothing", transform.Choice{}, `[]`, `"end_turn","stop_sequence":null`},
		{"text", transform.Choice{Parts: []transform.Part{textPart(`"a"`), textPart("")}, Finish: transform.FinishStop}, `[{"type":"text","text":"\"a\""}]`, `"end_turn","stop_sequence":null`},
		{"stop sequence", transform.Choice{Parts: []transform.Part{textPart("a")}, Finish: transform.FinishStop, StopSequence: "x"}, `[{"type":"text","text":"a"}]`, `"stop_sequence","stop_sequence":"x"`},
		{"length", transform.Choice{Finish: transform.FinishLength, StopSequence: "x"}, `[]`, `"max_tokens","stop_sequence":null`},
		{"thinking", transform.Choice{Parts: []transform.Part{thought("t", "S"), redacted, thought("", "S2"), thought("u", ""), thought("", ""), foreigner, textPart("a")}},
			`[{"type":"thinking","thinking":"t","signature":"S"},{"type":"redacted_thinking","data":"Red=="},{"type":"thinking","thinking":"","signature":"S2"},` +
				`{"type":"thinking","thinking":"u","signature":""},{"type":"thinking","thinking":"t","signature":"` + sealed(openAIs) + `"},{"type":"text","text":"a"}]`, `"end_turn","stop_sequence":null`},
		{"calls", transform.Choice{Parts: []transform.Part{textPart("a"), signed, callPart("c2", "g", ""), callPart("c3", "g", `{"a":"`), free}, Finish: transform.FinishStop},
			`[{"type":"text","text":"a"},{"type":"thinking","thinking":"","signature":"` + sealed(google) + `"},{"type":"tool_use","id":"c1","name":"f","input":{"a":1}},` +
				`{"type":"tool_use","id":"c2","name":"g","input":{}},{"type":"tool_use","id":"c3","name":"g","input":{"arguments":"{\"a\":\""}},{"type":"tool_use","id":"c1","name":"f","input":{"input":"ls"}}]`,
			`"tool_use","stop_sequence":null`},
		{"citations", transform.Choice{Parts: []transform.Part{textPart("a"), page, citation, citation, textPart("b"), page}},
			`[{"type":"text","text":"a","citations":[{"type":"web_search_result_location","cited_text":"","url":"https://a","title":null,"encrypted_index":""},` +
				`{"type":"web_search_result_location","cited_text":"","url":"https://a","title":null,"encrypted_index":""}]},{"type":"text","text":"b"}]`, `"end_turn","stop_sequence":null`},
		{"refusal", transform.Choice{Parts: []transform.Part{{Kind: transform.PartRefusal, Text: transform.Quote("no")}}, Finish: transform.FinishStop}, `[{"type":"text","text":"no"}]`, `"refusal","stop_sequence":null`},
		{"image", transform.Choice{Parts: []transform.Part{{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("AAAA")}}, {Kind: transform.PartImage}}},
			`[{"type":"text","text":"![image](data:image/png;base64,AAAA)"}]`, `"end_turn","stop_sequence":null`},
	} {
		a := &transform.Response{ID: "msg_1", Choices: []transform.Choice{test.choice}, Usage: usage.Tokens{Input: 9, CacheRead: 2, Output: 3}, ServiceTier: "priority"}
		got := Codec{}.AppendResponse(nil, a, &transform.Request{Model: "smart"})
		wantText(t, test.name, got, `{"id":"msg_1","type":"message","role":"assistant","model":"smart","content":`+test.content+`,"stop_reason":`+test.reason+
			`,"stop_details":null,"container":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,"output_tokens":3,"output_tokens_details":null,`+
			`"cache_creation":null,"server_tool_use":null,"service_tier":"priority"}}`)
	}
	if got := (Codec{}).AppendResponse(nil, &transform.Response{}, nil); !json.Valid(got) || !bytes.Contains(got, []byte(`"id":"msg_`)) {
		t.Errorf("got %s", got)
	}
}

func TestTheStartOfAStreamCountsNoOutput(t *testing.T) {
	e := Codec{}.NewStreamEncoder(nil)
	start := transform.Delta{Kind: transform.DeltaStart, Usage: usage.Tokens{Input: 9, Output: 56, Reasoning: 50}}
	first := string(e.Append(nil, &start))
	if !strings.Contains(first, `"input_tokens":9,`) || !strings.Contains(first, `"output_tokens":0,"output_tokens_details":null`) {
		t.Errorf("the start is %s", first)
	}
	if last := string(e.AppendEnd(nil)); !strings.Contains(last, `"output_tokens":56,"output_tokens_details":{"thinking_tokens":50}`) {
		t.Errorf("the end is %s", last)
	}
}
