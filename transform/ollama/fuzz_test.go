package ollama

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
	f.Add(`{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,aGk="}}]}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"format":"x"}}}}},"options":{"num_ctx":1},"keep_alive":5,"thinking":{"type":"enabled","budget_tokens":1e3}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := jsonbytes.Scan(nil, []byte(body), 0); err != nil {
			return
		}
		r, err := openai.Codec{}.DecodeRequest([]byte(body), new(transform.Losses))
		if err != nil {
			return
		}
		for _, to := range []transform.Target{local, {Model: "m", Stream: true}} {
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
	f.Add(`{"model":"m","created_at":"2026-08-07T06:08:11Z","message":{"content":"a","thinking":"t","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"stop","prompt_eval_count":-1,"eval_count":1e9,"logprobs":[{"token":"a","logprob":-1}]}`)
	f.Add(`{"error":"no"}`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := Codec{}.DecodeResponse([]byte(body))
		s, err2 := Codec{}.InspectResponse([]byte(body))
		Codec{}.DecodeEmbeddingResponse([]byte(body))
		if e := (Codec{}).DecodeError(500, []byte(body)); e.Message == "" || e.Status != 500 {
			t.Fatalf("%+v", e)
		}
		if (err == nil) != (err2 == nil) {
			t.Fatal(err, err2)
		}
		if err != nil {
			return
		}
		if s != a.Summary() {
			t.Fatalf("%+v", s)
		}
		if out := (openai.Codec{}).AppendResponse(nil, a, nil); jsonbytes.Check(out, 0) != nil {
			t.Fatalf("%s", out)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add(`{"model":"m","message":{"content":"a","thinking":"b"},"done":false}` + "\n" + `{"done":true,"done_reason":"stop"}`)
	f.Add(`{"message":{"tool_calls":[{"function":{"name":"f","arguments":"x"}},{"id":"","function":{"name":"g","arguments":{}}}]},"logprobs":[{}]}`)
	f.Add(`{"error":"e"}`)
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
	data := []byte(`{"model":"qwen3:4b","created_at":"2026-07-28T06:38:03.222822Z","message":{"role":"assistant","content":" word"},"done":false}`)
	var deltas []transform.Delta
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		deltas, _ = d.Decode(deltas[:0], nil, data)
	}
}
