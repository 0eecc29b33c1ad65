package cohere

import (
	"bytes"
	"errors"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

func FuzzRequest(f *testing.F) {
	f.Add(`{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}],"top_p":1,"stop":["a"],"reasoning_effort":"low"}`)
	f.Add(`{"model":"m","messages":[{"role":"assistant","reasoning_content":"r","content":"p","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{"}}]},{"role":"tool","tool_call_id":"1","content":"x"}],"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"properties":{"a":{"oneOf":[{"pattern":"^a$"}]}}}}}],"tool_choice":"required"}`)
	f.Add(`{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,aGk="}}]}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"format":"x"}}}}},"documents":[{}],"thinking":{"type":"enabled","budget_tokens":1e3}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := jsonbytes.Scan(nil, []byte(body), 0); err != nil {
			return
		}
		r, err := openai.Codec{}.DecodeRequest([]byte(body), new(transform.Losses))
		if err != nil {
			return
		}
		for _, to := range []transform.Target{thinker, {Model: "command-r", Stream: true}} {
			var lost transform.Losses
			one, err := Codec{}.AppendRequest(nil, r, to, &lost)
			var e *transform.Error
			if err != nil {
				if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest {
					t.Fatalf("%#v", err)
				}
				continue
			}
			if err := jsonbytes.Check(one, 1000); err != nil {
				t.Fatalf("%v: %s", err, one)
			}
			if two, _ := (Codec{}).AppendRequest(nil, r, to, new(transform.Losses)); !bytes.Equal(one, two) {
				t.Fatalf("%s\n%s", one, two)
			}
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add(`{"id":"x","message":{"tool_plan":"p","content":[{"type":"thinking","thinking":"t"},{"text":"a"}],"tool_calls":[{"function":{"name":"f","arguments":{}}}],"citations":[{"sources":[{"document":{"url":"https://x"}}]}]},"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":-1,"output_tokens":1e9}},"logprobs":[{"text":"a","logprobs":[-1e999]}]}`)
	f.Add(`{"message":"no"}`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := Codec{}.DecodeResponse([]byte(body))
		s, err2 := Codec{}.InspectResponse([]byte(body))
		Codec{}.DecodeEmbeddingResponse([]byte(body))
		if e := (Codec{}).DecodeError(500, []byte(body)); e.Message == "" || e.Status != 500 {
			t.Fatalf("%+v", e)
		}
		if err == nil && err2 != nil {
			t.Fatal(err2)
		}
		if err != nil {
			return
		}
		if s != a.Summary() && jsonbytes.Parse([]byte(body)).Get("results") == nil {
			t.Fatalf("%+v", s)
		}
		if out := (openai.Codec{}).AppendResponse(nil, a, nil); jsonbytes.Check(out, 0) != nil {
			t.Fatalf("%s", out)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"a"}}},"logprobs":{"text":"a","logprobs":[1]}}` + "\n[DONE]")
	f.Add(`{"type":"tool-call-start","delta":{"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}}]}}}` + "\n" + `{"type":"tool-call-delta","delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}`)
	f.Add(`{"type":"message-end","delta":{"finish_reason":"ERROR","error":"e"}}`)
	f.Fuzz(func(t *testing.T, events string) {
		decode(t, events)
		d, encoder := Codec{}.NewStreamDecoder(), openai.Codec{}.NewStreamEncoder(nil)
		var out []byte
		for line := range bytes.SplitSeq([]byte(events), []byte("\n")) {
			deltas, err := d.Decode(nil, nil, line)
			for i := range deltas {
				out = encoder.Append(out, &deltas[i])
			}
			if err != nil {
				break
			}
		}
		for event := range bytes.SplitSeq(encoder.AppendEnd(out), []byte("\n\n")) {
			data := bytes.TrimPrefix(event, []byte("data: "))
			if len(data) > 0 && string(data) != "[DONE]" && jsonbytes.Check(data, 0) != nil {
				t.Fatalf("%s", data)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	d := Codec{}.NewStreamDecoder()
	data := []byte(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" word"}}}}`)
	name := []byte("content-delta")
	var deltas []transform.Delta
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		deltas, _ = d.Decode(deltas[:0], name, data)
	}
}
