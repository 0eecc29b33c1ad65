package responses

import (
	"bytes"
	"errors"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func FuzzRequest(f *testing.F) {
	f.Add(rich)
	f.Add(ask(thinkItem, sayItem, thinkItem, callItem, outputItem, customItem))
	f.Add(ask(sealedItem(transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, ID: "c1", Data: lit("g")}, ""), callItem, `{"id":"x"}`))
	f.Add(`{"model":"m","input":[{"type":"additional_tools","tools":[{"type":"namespace","name":"n","description":"d","tools":[{"type":"function","name":"f"}]}]},{"role":"user","content":"x"},{"type":"function_call","call_id":"c","namespace":"n","name":"f"}],"tools":[{"type":"tool_search"}],"tool_choice":{"type":"function","namespace":"n","name":"f"}}`)
	f.Add(`{"model":"m","input":"x","tool_choice":{"type":"custom","name":"n"},"tools":[{"type":"custom","name":"n","format":{"type":"x"}},{"type":"web_search","user_location":{}}],"text":{"format":{"type":"json_object"}},"user":"u","store":true}`)
	targets := []transform.Target{toThinker, toTalker, toOther, {Model: "c", Vendor: transform.VendorAnthropic, Stream: true}}
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := jsonbytes.Scan(nil, []byte(body), 0); err != nil {
			return
		}
		r, err := Codec{}.DecodeRequest([]byte(body), new(transform.Losses))
		if err != nil {
			var e *transform.Error
			if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Message == "" || e == errUnread {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, to := range targets {
			one, err := Codec{}.AppendRequest(nil, r, to, new(transform.Losses))
			if err != nil {
				t.Fatal(err)
			}
			if err := jsonbytes.Check(one, 0); err != nil {
				t.Fatalf("%v: %s", err, one)
			}
			if two, _ := (Codec{}).AppendRequest(nil, r, to, new(transform.Losses)); !bytes.Equal(one, two) {
				t.Fatalf("%s\n%s", one, two)
			}
		}
		checkAnswer(t, Codec{}.AppendResponse(nil, answerOf(transform.FinishStop), r))
	})
}

func FuzzResponse(f *testing.F) {
	f.Add(`{"id":"resp_1","object":"response","created_at":1.5,"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"reasoning","id":"rs_1","summary":[{"text":"a"}],"content":[{"text":"b"}],"encrypted_content":"e"},{"type":"message","content":[{"type":"output_text","text":"x","annotations":[{"type":"url_citation","url":"u"}],"logprobs":[{"token":"x"}]},{"type":"refusal","refusal":"r"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"custom_tool_call","name":"g","input":"i"}],"usage":{"input_tokens":1,"output_tokens":2}}`)
	f.Add(`{"status":"failed","error":{"code":"server_error"},"output":[]}`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := Codec{}.DecodeResponse([]byte(body))
		s, err2 := Codec{}.InspectResponse([]byte(body))
		if err != nil {
			return
		}
		if err2 != nil || s.Usage != a.Usage {
			t.Fatalf("%v %+v, decoded %+v", err2, s, a.Usage)
		}
		out := Codec{}.AppendResponse(nil, a, nil)
		if err := jsonbytes.Check(out, 0); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		checkAnswer(t, out)
	})
}

func FuzzStreams(f *testing.F) {
	f.Add(created + "\n" + `{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m"}}` + "\n" + `{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a","logprobs":[{}]}` + "\n" + ended)
	f.Add(`{"type":"response.output_item.done","item":{"type":"reasoning","id":"rs","summary":[{"text":"a"},{"text":"b"}],"encrypted_content":"e"}}` + "\n" + `{"type":"response.output_item.done","output_index":1,"item":{"type":"custom_tool_call","name":"g","input":"x"}}` + "\n" + ended)
	f.Add(`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","name":"patch","call_id":"c"}}` + "\n" + `{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"input\":\"\\ud83d"}` + "\n" + `{"type":"error","error":{}}`)
	f.Add(`{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation","url":"u"}]},{"type":"refusal","refusal":"r"}]}]}}`)
	f.Fuzz(func(t *testing.T, stream string) {
		decoder := Codec{}.NewStreamDecoder()
		inspector := Codec{}.NewStreamInspector()
		encoder := Codec{}.NewStreamEncoder(&transform.Request{Tools: []transform.Tool{{Name: "patch", Custom: true}}})
		var out []byte
		var last transform.Delta
		failed := false
		for line := range bytes.SplitSeq([]byte(stream), []byte("\n")) {
			sign, inspected := inspector.Inspect(nil, line)
			deltas, err := decoder.Decode(nil, nil, line)
			if err != nil {
				break
			}
			if inspected != nil {
				t.Fatalf("decoded, but inspected %v: %s", inspected, line)
			}
			for i := range deltas {
				if deltas[i].Kind == transform.DeltaUsage {
					last = deltas[i]
				}
				failed = failed || deltas[i].Kind == transform.DeltaError
				out = encoder.Append(out, &deltas[i])
			}
			if failed && sign.Err == nil {
				t.Fatalf("the inspector sees no error in %s", line)
			}
			if failed || decoder.Ended() {
				break
			}
		}
		if decoder.Ended() != inspector.Ended() || decoder.Ended() && inspector.Summary().Usage != last.Usage {
			t.Fatalf("inspected %v %+v, decoded %v %+v", inspector.Ended(), inspector.Summary(), decoder.Ended(), last.Usage)
		}
		checkGrammar(t, encoder.AppendEnd(out), failed)
	})
}

// FuzzEncoder makes deltas of bytes, in any order, also impossible ones.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 1, 1, 2, 1, 5, 2, 6, 2, 7, 2, 10, 0})
	f.Add([]byte{5, 0, 5, 1, 6, 0, 6, 1, 4, 0, 7, 0, 1, 0, 8, 0, 9, 0, 1, 1})
	f.Add([]byte{2, 0, 4, 0, 4, 0, 2, 1, 13, 0, 1, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		encoder := Codec{}.NewStreamEncoder(&transform.Request{Tools: []transform.Tool{{Name: "patch", Custom: true}}})
		names := [...]string{"f", "patch", "g", ""}
		vendors := [...]transform.Vendor{transform.VendorGoogle, transform.VendorOpenAI, transform.VendorAnthropic, ""}
		var out []byte
		failed := false
		for i := 0; i+1 < len(script) && i < 4000; i += 2 {
			n := int(script[i+1])
			d := transform.Delta{Kind: transform.DeltaKind(script[i] % 14), Part: n & 3, Tool: n >> 2 & 3, Finish: transform.Finish(n % 5)}
			switch n >> 4 & 3 {
			case 0:
				d.Text = lit("{\"input\":\"x\"}")
			case 1:
				d.Text = lit("é\n")
			case 2:
				d.Text = transform.Literal(`"\ud83d"`)
			}
			d.Call = transform.ToolCall{Name: names[n>>6&3], Custom: n&8 != 0}
			if n&32 != 0 {
				d.Opaque = transform.Opaque{Vendor: vendors[n>>6&3], Kind: transform.OpaqueKind(1 + n&1), ID: names[n&3], Data: lit("o")}
			}
			d.Citation, d.Logprobs = []byte(citation), []byte(`{"content":[{"token":"a"}]}`)
			if n&64 != 0 {
				d.Citation, d.Logprobs = []byte(`{"type":"x"}`), []byte(`{"content":null}`)
			}
			failed = failed || d.Kind == transform.DeltaError
			out = encoder.Append(out, &d)
		}
		checkGrammar(t, encoder.AppendEnd(out), failed)
	})
}
