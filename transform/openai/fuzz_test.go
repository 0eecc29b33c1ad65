package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func FuzzRequest(f *testing.F) {
	f.Add(ask(`,"tools":[{"type":"function","function":{"name":"f"},"cache_control":{}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"tools":[]}},"stop":["a"],"n":2`))
	f.Add(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,A\/A"}},{"type":"file","file":{"file_data":"data:text\"x;base64,aGk="}}]}]}`)
	f.Add(`{"model":"m","messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"a","index":0},{"type":"reasoning.text","text":"b","signature":"s"}],"function_call":{"name":"f","arguments":{}}},{"role":"function","name":"f","content":""}]}`)
	f.Add(`{"model":"m","messages":[{"role":"tool","tool_call_id":"","content":[{"type":"input_audio","input_audio":{"data":"A","format":"wav"}}]},{"role":"system","content":[]}],"reasoning":{"enabled":true},"user":"u"}`)
	type target struct {
		transform.Target
		codec Codec
	}
	targets := []target{
		{transform.Target{Model: "gpt-5.6", Vendor: transform.VendorOpenAI, Stream: true}, Codec{}},
		{transform.Target{Model: "c", Vendor: transform.VendorAnthropic}, Codec{}},
		{transform.Target{Model: "g", Vendor: transform.VendorGoogle}, Codec{&Profile{
			Reasoning: "reasoning_details", Effort: EffortNested, Schema: SchemaObject, Alternate: true, NoNames: true, Only: []string{"model", "messages", "stop"},
		}}},
		{transform.Target{Model: "m", Stream: true}, Codec{&Profile{
			Reasoning: "reasoning_content", ReasoningRequired: true, Effort: EffortEnable, Schema: SchemaValue, Choice: ChoiceAuto, ToolIDs: 9, Prefill: "prefix",
			Rename: map[string]string{"seed": "random_seed", "user": "user_id"}, Keep: []string{"random_seed", "user_id", "user"}, Documents: true, PlainAudio: true,
			Images: ImagesData, EmptyContent: true, TemperatureMax: 1, TemperatureAboveZero: true, Extra: []transform.Member{{Name: "x", Value: jsonbytes.Value("true")}},
		}}},
	}
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := jsonbytes.Scan(nil, []byte(body), 0); err != nil {
			return
		}
		r, err := Codec{}.DecodeRequest([]byte(body), new(transform.Losses))
		if err != nil {
			var e *transform.Error
			if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, to := range targets {
			one, err := to.codec.AppendRequest(nil, r, to.Target, new(transform.Losses))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jsonbytes.Scan(nil, one, 0); err != nil {
				t.Fatalf("%v: %s", err, one)
			}
			if two, _ := to.codec.AppendRequest(nil, r, to.Target, new(transform.Losses)); !bytes.Equal(one, two) {
				t.Fatalf("%s\n%s", one, two)
			}
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add(answer(`{"content":[{"type":"thinking","thinking":[{"text":"t"}]},"a"],"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}],"annotations":[{}],"images":[{"image_url":{"url":"data:image/png;base64,AA"}}]}`, `,"citations":["u"],"usage":{"total_tokens":5}`))
	f.Add(`{"choices":[{"index":7,"message":{"reasoning_details":[{"type":"reasoning.encrypted","data":"d"}],"function_call":{"name":"f"}},"logprobs":{ },"finish_reason":"eos"}]}`)
	f.Add(`{"error":{"code":502,"message":"m"}}`)
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
	f.Add(`{"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}` + "\n" + finished + "\n[DONE]")
	f.Add(`{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{}}},{"id":"a","index":3,"custom":{"name":"g","input":"i"}}]}}]}`)
	f.Add(`{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s"}],"function_call":{"name":"f"}},"logprobs":{}}]}`)
	f.Add(`{"choices":[{"index":1,"delta":{"annotations":[{}],"refusal":"r"},"finish_reason":"error"}]}`)
	f.Add(`{"choices":[{"delta":{"content":"<thi"}}]}` + "\n" + `{"choices":[{"delta":{"content":"nk>\u003c/thin"}}]}` + "\n" + `{"choices":[{"delta":{"content":"k>a","refusal":"r"}}]}`)
	f.Fuzz(func(t *testing.T, stream string) {
		decoder := Codec{&Profile{ThinkTags: true}}.NewStreamDecoder()
		encoder := Codec{}.NewStreamEncoder(&transform.Request{StreamUsage: true})
		var out []byte
		failed := false
		for line := range bytes.SplitSeq([]byte(stream), []byte("\n")) {
			deltas, err := decoder.Decode(nil, nil, line)
			for i := range deltas {
				failed = failed || deltas[i].Kind == transform.DeltaError
				out = encoder.Append(out, &deltas[i])
			}
			if err != nil {
				break
			}
		}
		out = encoder.AppendEnd(out)
		if !failed {
			checkStream(t, out, true)
			return
		}
		for _, e := range events(t, out) {
			if e.Data != nil && !json.Valid(e.Data) {
				t.Fatalf("%s", e.Data)
			}
		}
	})
}

func FuzzInspectorSeesWhatTheDecoderSees(f *testing.F) {
	f.Add(finished)
	f.Add(`{"choices":[{"index":0,"delta":{"content":"\"finish_reason\":\"stop\""},"finish_reason":null}],"usage":null}`)
	f.Add(`{"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}`)
	f.Add(`{"choices":[{"index":2,"delta":{"content":"a"},"finish_reason" : "length"}],"x_groq":{"usage":{"total_tokens":1}}}`)
	f.Add(`{"choices":[{"delta":{"content":"a"}}],"error":{"message":"m"}}`)
	f.Fuzz(func(t *testing.T, data string) {
		v := jsonbytes.Parse([]byte(data))
		if jsonbytes.Check([]byte(data), 0) != nil || v.Get("choices").Kind() != jsonbytes.Array || bytes.Contains([]byte(data), []byte(`\u`)) {
			return // keys that are spelled with escapes are nobody's
		}
		inspector, decoder := Codec{}.NewStreamInspector(), Codec{}.NewStreamDecoder()
		first := chunks(`{"content":"a"}`)[0].Data
		for range 3 {
			inspector.Inspect(nil, first)
			decoder.Decode(nil, nil, first)
		}
		deltas, err := decoder.Decode(nil, nil, []byte(data))
		if err != nil {
			return
		}
		sign, err := inspector.Inspect(nil, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		var want transform.Delta
		failed := false
		for _, d := range deltas {
			if d.Kind == transform.DeltaUsage {
				want = d
			}
			failed = failed || d.Kind == transform.DeltaError
		}
		if failed != (sign.Err != nil) || !failed && inspector.Summary().Usage != want.Usage {
			t.Fatalf("%+v %+v, decoded %s", sign, inspector.Summary(), trace(deltas))
		}
		if !failed && inspector.Ended() != decoder.Ended() && inRange(v) {
			t.Fatalf("ended %v, decoder %v", inspector.Ended(), decoder.Ended())
		}
	})
}

// inRange tells whether every choice has a number that the inspector keeps.
func inRange(v jsonbytes.Value) bool {
	for i, c := range v.Get("choices").Elements() {
		n, ok := c.Get("index").Int()
		if !ok {
			n = int64(i)
		}
		if n < 0 || n > 63 {
			return false
		}
	}
	return true
}

func FuzzErrors(f *testing.F) {
	f.Add(400, `{"error":{"message":"m","type":"t","code":5,"param":"p"}}`)
	f.Add(500, `<html><title>t</title>`)
	f.Add(429, `[{"error":"m"}]`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		e := Codec{}.DecodeError(status, []byte(body))
		if e.Message == "" || len(e.Message) > maxErrorMessage+8 {
			t.Fatalf("%+v", e)
		}
		out := Codec{}.AppendStreamError(nil, e, "")
		list := events(t, out)
		if len(list) != 1 || !json.Valid(list[0].Data) {
			t.Fatalf("%q", out)
		}
	})
}
