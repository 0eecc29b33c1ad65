package anthropic

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
	"github.com/caddyllm/llmproxy/usage"
)

// event is one event of a stream, its name taken from its type.
func eventName(data string) []byte { return nameOf(jsonbytes.Parse([]byte(data))) }

// decodeStream decodes events and describes what comes of them.
func decodeStream(t *testing.T, events ...string) (list []string, d transform.StreamDecoder) {
	t.Helper()
	d = Codec{}.NewStreamDecoder()
	var deltas []transform.Delta
	for _, data := range events {
		var err error
		if deltas, err = d.Decode(deltas[:0], eventName(data), []byte(data)); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		for i := range deltas {
			list = append(list, describeDelta(&deltas[i]))
		}
	}
	return list, d
}

func describeDelta(d *transform.Delta) string {
	switch d.Kind {
	case transform.DeltaStart:
		return fmt.Sprintf("start %s %s %s %s", d.ID, d.Model, d.ServiceTier, describeTokens(d.Usage))
	case transform.DeltaText:
		return fmt.Sprintf("text %d %s", d.Part, d.Text)
	case transform.DeltaReasoning:
		return fmt.Sprintf("reasoning %d %s", d.Part, d.Text)
	case transform.DeltaRefusal:
		return fmt.Sprintf("refusal %s", d.Text)
	case transform.DeltaOpaque:
		return fmt.Sprintf("opaque %d %s %s", d.Part, [...]string{"", "signature", "redacted"}[d.Opaque.Kind], d.Opaque.Data)
	case transform.DeltaToolStart:
		return fmt.Sprintf("call %d #%d %s %s", d.Part, d.Tool, d.Call.ID, d.Call.Name)
	case transform.DeltaToolArguments:
		return fmt.Sprintf("arguments %d #%d %s", d.Part, d.Tool, d.Text)
	case transform.DeltaPartEnd:
		return fmt.Sprintf("end %d", d.Part)
	case transform.DeltaCitation:
		return fmt.Sprintf("citation %d %s", d.Part, d.Citation)
	case transform.DeltaFinish:
		return fmt.Sprintf("finish %s%s", d.Finish, d.StopSequence)
	case transform.DeltaUsage:
		return "usage " + describeTokens(d.Usage)
	case transform.DeltaPing:
		return "ping"
	case transform.DeltaError:
		return fmt.Sprintf("error %d %s", d.Err.Kind, d.Err.Message)
	}
	return fmt.Sprintf("kind %d", d.Kind)
}

func describeTokens(u usage.Tokens) string {
	return fmt.Sprintf("%d/%d/%d %d/%d %v", u.Input, u.CacheRead, u.CacheWrite, u.Output, u.Reasoning, u.Known)
}

const (
	start = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,` +
		`"usage":{"input_tokens":5,"cache_creation_input_tokens":300,"cache_read_input_tokens":20,"output_tokens":8,"service_tier":"standard"}}}`
	started = "start msg_1 claude-x default 325/20/300 0/0 false"
	stop    = `{"type":"message_stop"       }`
	ping    = `{"type": "ping"}`
)

func blockStartOf(index int, block string) string {
	return fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":%s}`, index, block)
}

func deltaOf(index int, delta string) string {
	return fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":%s      }`, index, delta)
}

func blockStopOf(index int) string {
	return fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, index)
}

func finishWith(reason, more, usage string) string {
	return `{"type":"message_delta","delta":{"stop_reason":"` + reason + `","stop_sequence":null` + more + `},"usage":` + usage + `}`
}

func TestDecodeStream(t *testing.T) {
	const callF = `{"type":"tool_use","id":"toolu_1","name":"f","input":{},"caller":{"type":"direct"}}`
	const callG = `{"type":"tool_use","id":"toolu_2","name":"g","input":{}}`
	const answer = `{"type":"tool_use","id":"toolu_3","name":"llm_proxy_answer","input":{}}`
	for _, test := range []struct {
		name   string
		events []string
		want   []string
	}{
		{"text", []string{start, blockStartOf(0, `{"type":"text","text":""}`), ping, deltaOf(0, `{"type":"text_delta","text":"hi \"you\""}`),
			deltaOf(0, `{"type":"text_delta","text":""}`), blockStopOf(0), finishWith("end_turn", ``, `{"output_tokens":13}`), stop},
			[]string{started, "ping", `text 0 "hi \"you\""`, "end 0", "finish stop", "usage 325/20/300 13/0 true"}},
		{"thinking", []string{blockStartOf(0, `{"type":"thinking","thinking":"","signature":""}`), deltaOf(0, `{"type":"thinking_delta","thinking":"T"}`),
			deltaOf(0, `{"type":"signature_delta","signature":"S"}`), blockStopOf(0), blockStartOf(1, `{"type":"redacted_thinking","data":"R"}`), blockStopOf(1),
			blockStartOf(2, `{"type":"thinking","thinking":"","signature":""}`), deltaOf(2, `{"type":"signature_delta","signature":"S2"}`), blockStopOf(2)},
			[]string{`reasoning 0 "T"`, `opaque 0 signature "S"`, "end 0", `opaque 1 redacted "R"`, "end 1", `opaque 2 signature "S2"`, "end 2"}},
		{"calls", []string{blockStartOf(0, `{"type":"text","text":"Let me"}`), blockStopOf(0), blockStartOf(1, callF), deltaOf(1, `{"type":"input_json_delta","partial_json":""}`),
			deltaOf(1, `{"type":"input_json_delta","partial_json":"{\"a\":"}`), deltaOf(1, `{"type":"input_json_delta","partial_json":"1}"}`), blockStopOf(1),
			blockStartOf(2, callG), deltaOf(2, `{"type":"input_json_delta","partial_json":""}`), blockStopOf(2), finishWith("tool_use", ``, `{}`)},
			[]string{`text 0 "Let me"`, "end 0", "call 1 #0 toolu_1 f", `arguments 1 #0 "{\"a\":"`, `arguments 1 #0 "1}"`, "end 1",
				"call 2 #1 toolu_2 g", `arguments 2 #1 "{}"`, "end 2", "finish tool_calls", "usage 0/0/0 0/0 true"}},
		{"a call that comes whole", []string{blockStartOf(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"a": "b"}}`), blockStopOf(0)},
			[]string{"call 0 #0 toolu_1 f", `arguments 0 #0 "{\"a\": \"b\"}"`, "end 0"}},
		{"calls in the message", []string{`{"type":"message_start","message":{"id":"m","model":"x","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}]}}`},
			[]string{"start m x  0/0/0 0/0 false", "call 0 #0 toolu_1 f", `arguments 0 #0 "{\"a\":1}"`, "end 0"}},
		{"answer", []string{blockStartOf(0, answer), deltaOf(0, `{"type":"input_json_delta","partial_json":"{\"a\":1}"}`), blockStopOf(0), finishWith("tool_use", ``, `{}`)},
			[]string{`text 0 "{\"a\":1}"`, "end 0", "finish stop", "usage 0/0/0 0/0 true"}},
		{"empty answer", []string{blockStartOf(0, answer), blockStopOf(0)}, []string{`text 0 "{}"`, "end 0"}},
		{"refusal without content", []string{start, finishWith("refusal", `,"stop_details":{"type":"refusal","category":"cyber","explanation":null}`, `{"output_tokens":0}`), stop},
			[]string{started, "finish content_filter", "usage 325/20/300 0/0 true"}},
		{"refusal with a word", []string{finishWith("refusal", `,"stop_details":{"explanation":"no"}`, `null`)},
			[]string{`refusal "no"`, "finish content_filter"}},
		{"stop sequence", []string{`{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"EN\u0044"}}`}, []string{"finish stopEND"}},
		{"usage of the end wins", []string{start, finishWith("end_turn", ``, `{"input_tokens":7,"cache_read_input_tokens":0,"output_tokens":9,"output_tokens_details":{"thinking_tokens":3}}`)},
			[]string{started, "finish stop", "usage 307/0/300 9/3 true"}},
		{"usage twice", []string{`{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":3}}`, finishWith("end_turn", ``, `{"output_tokens":9}`), finishWith("end_turn", ``, `{"output_tokens":9}`)},
			[]string{"usage 0/0/0 3/0 true", "finish stop", "usage 0/0/0 9/0 true", "usage 0/0/0 9/0 true"}},
		{"server tools", []string{blockStartOf(0, `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`), deltaOf(0, `{"type":"input_json_delta","partial_json":"{"}`), blockStopOf(0),
			blockStartOf(1, `{"type":"web_search_tool_result","content":[]}`), blockStopOf(1), blockStartOf(2, `{"type":"tomorrow","text":"x"}`),
			deltaOf(2, `{"type":"tomorrow_delta","text":"x"}`), deltaOf(2, `{"type":"compaction_delta","content":"x"}`), blockStopOf(2), `{"type":"tomorrow"}`, `{"type":"tomorrow","index":`}, nil},
		{"citations", []string{blockStartOf(0, `{"type":"text","text":""}`), deltaOf(0, `{"type":"text_delta","text":"é\n"}`), blockStopOf(0),
			blockStartOf(1, `{"type":"text","text":"","citations":[]}`), deltaOf(1, `{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://a","title":"A"}}`),
			deltaOf(1, `{"type":"citations_delta","citation":{"type":"page_location"}}`), deltaOf(1, `{"type":"text_delta","text":"cited"}`), blockStopOf(1)},
			[]string{`text 0 "é\n"`, "end 0", `text 1 "cited"`, `citation 1 {"type":"url_citation","url_citation":{"url":"https://a","title":"A","start_index":2,"end_index":7}}`, "end 1"}},
		{"error", []string{start, `{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"},"request_id":"r"     }`, blockStartOf(0, `{"type":"text","text":"x"}`), stop},
			[]string{started, "error 14 Overloaded"}},
		{"error first", []string{`{"type":"error","error":{"type":"api_error","message":"Internal"}}`}, []string{"error 13 Internal"}},
		{"deltas without a start", []string{deltaOf(0, `{"type":"text_delta","text":"x"}`), deltaOf(1, `{"type":"input_json_delta","partial_json":"x"}`), blockStopOf(1)}, []string{`text 0 "x"`}},
		{"interleaved calls", []string{blockStartOf(0, callF), blockStartOf(1, callG), deltaOf(0, `{"type":"input_json_delta","partial_json":"0"}`),
			deltaOf(1, `{"type":"input_json_delta","partial_json":"1"}`), blockStopOf(0), blockStopOf(1)},
			[]string{"call 0 #0 toolu_1 f", "call 1 #1 toolu_2 g", `arguments 0 #0 "0"`, `arguments 1 #1 "1"`, "end 0", "end 1"}},
		{"other spellings", []string{`{"index":0,"delta":{"text":"a","type":"text_delta"},"type":"content_block_delta"}`,
			`{ "type": "content_block_delta", "index": 10, "delta": {"type":"text_delta","text":"b"} }`,
			`{"type":"content_block_delta","index":12,"delta":{"type":"text_delta","text":"c","more":"}"}}`,
			`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"d"},"more":{"x":"y"}}`},
			[]string{`text 0 "a"`, `text 10 "b"`, `text 12 "c"`, `text 1 "d"`}},
		{"nothing after the end", []string{stop, start, ping}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, d := decodeStream(t, test.events...)
			wantList(t, "deltas", got, test.want)
			ended := false
			for i, event := range test.events {
				ended = ended || event == stop && !strings.Contains(strings.Join(test.events[:i], ""), `"error"`)
			}
			if d.Ended() != ended {
				t.Errorf("ended: %v", d.Ended())
			}
		})
	}
}

func TestEventsWithoutANameAreKnownByTheirType(t *testing.T) {
	d, s := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
	deltas, err := d.Decode(nil, nil, []byte(deltaOf(0, `{"type":"text_delta","text":"x"}`)))
	if err != nil || len(deltas) != 1 {
		t.Errorf("got %v, %v", deltas, err)
	}
	for _, data := range []string{`{"p":"abc","type":"message_stop"}`} {
		d.Decode(nil, nil, []byte(data))
		s.Inspect(nil, []byte(data))
	}
	if !d.Ended() || !s.Ended() {
		t.Error("not ended")
	}
}

func TestBadEventsAreErrors(t *testing.T) {
	for _, data := range []string{
		``, `x`, `[]`, `null`,
		`{"type":"message_start"}`, `{"type":"message_start","message":[]}`,
		`{"type":"content_block_start","index":0}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"\q"}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":{"a":}}}`,
		`{"type":"content_block_delta","index":0}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + "\x01" + `"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"\u12"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":{}}}`,
	} {
		name := eventName(data)
		if name == nil {
			name = []byte("message_delta")
		}
		if deltas, err := (Codec{}).NewStreamDecoder().Decode(nil, name, []byte(data)); err == nil {
			t.Errorf("%s: got %v", data, deltas)
		}
	}
	d := Codec{}.NewStreamDecoder()
	var err error
	for i := 0; err == nil && i <= blocks.MaxOpen; i++ {
		_, err = d.Decode(nil, nil, []byte(blockStartOf(i, `{"type":"text","text":""}`)))
	}
	if err == nil {
		t.Error("any number of blocks may be open")
	}
}

func TestInspectStream(t *testing.T) {
	for _, test := range []struct {
		event   string
		content bool
		bad     bool
	}{
		{start, false, false}, {ping, false, false}, {stop, false, false}, {blockStopOf(0), false, false},
		{blockStartOf(0, `{"type":"text","text":""}`), false, false},
		{blockStartOf(0, `{"type":"text","text":"x"}`), true, false},
		{blockStartOf(0, `{"type":"thinking","thinking":"","signature":""}`), false, false},
		{blockStartOf(0, `{"type":"thinking","thinking":"","signature":"s"}`), true, false},
		{blockStartOf(0, `{"type":"tool_use","id":"x","name":"f","input":{}}`), true, false},
		{blockStartOf(0, `{"type":"server_tool_use"}`), true, false},
		{deltaOf(0, `{"type":"text_delta","text":"x"}`), true, false},
		{finishWith("end_turn", ``, `{"output_tokens":1}`), true, false},
		{`{"type":"tomorrow"}`, true, false}, {`not an event`, true, false},
		{`{"type":"message_stop"`, false, true}, {`{"type":"content_block_delta","ind`, false, true},
	} {
		sign, err := Codec{}.NewStreamInspector().Inspect(eventName(test.event), []byte(test.event))
		if sign.Content != test.content || sign.UsageOnly || sign.Err != nil || (err != nil) != test.bad {
			t.Errorf("%s: got %+v, %v", test.event, sign, err)
		}
	}
}

func TestInspectorFindsUsageAndEnd(t *testing.T) {
	s := Codec{}.NewStreamInspector()
	inspect := func(data string) transform.Sign {
		sign, err := s.Inspect(eventName(data), []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		return sign
	}
	inspect(start)
	if got := s.Summary(); describeTokens(got.Usage) != "325/20/300 0/0 false" || got.Finish != transform.FinishUnknown {
		t.Errorf("after the start: %+v", got)
	}
	inspect(finishWith("tool_use", ``, `{"output_tokens":13,"cache_read_input_tokens":30}`))
	if got := s.Summary(); describeTokens(got.Usage) != "335/30/300 13/0 true" || got.Finish != transform.FinishToolCalls || s.Ended() {
		t.Errorf("before the end: %+v", got)
	}
	if inspect(stop); !s.Ended() {
		t.Error("not ended")
	}

	s = Codec{}.NewStreamInspector()
	if sign := inspect(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`); sign.Err == nil || sign.Err.Kind != transform.ErrOverloaded || sign.Content {
		t.Errorf("got %+v", sign)
	}
	if inspect(stop); s.Ended() {
		t.Error("a failed stream ended well")
	}
}

func TestCharacters(t *testing.T) {
	for text, want := range map[string]int{
		``: 0, `""`: 0, `"ab"`: 2, `"é€😀"`: 3, `"\n\"\\"`: 3, `"\u00e9\uD83D\uDe00x"`: 3, `"\ud83d"`: 1, `"a\/b"`: 3,
	} {
		if got := transform.Literal(text).Characters(); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}
