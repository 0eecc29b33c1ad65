package gemini

import (
	"bytes"
	"errors"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func FuzzClientRequests(f *testing.F) {
	f.Add([]byte(rich))
	f.Add([]byte(`{"contents":[{"role":"model","parts":[{"text":"a","thought":true},{"functionCall":{"name":"f"},"thoughtSignature":` + sealedSig("s") + `}]},{"parts":[{"functionResponse":{"name":"f","response":{"error":"e"}}}]}]}`))
	f.Add([]byte(`{"generateContentRequest":{"contents":"a","system_instruction":[{"text":"s"}],"tools":{"functionDeclarations":{"name":"f","parameters":{"type":"ARRAY","nullable":true,"anyOf":[{}],"propertyOrdering":["a"],"properties":{"a":{"enum":["1"],"type":2}}}}}}}`))
	f.Add([]byte(`{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"A\/_-"}},{"executableCode":{"code":"x"},"thoughtSignature":"\u002b_"}]}],"generationConfig":{"responseSchema":{"type":"STRING"},"thinkingConfig":{"thinkingBudget":0}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := jsonbytes.Scan(nil, body, 0); err != nil {
			return
		}
		r, err := Codec{}.DecodeCountRequest(body, new(transform.Losses))
		if err != nil {
			var e *transform.Error
			if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		for i := range r.Turns {
			for j := range r.Turns[i].Parts {
				isJSON(t, "text", r.Turns[i].Parts[j].Text)
				isJSON(t, "opaque", r.Turns[i].Parts[j].Opaque.Data)
			}
		}
		for _, model := range []string{"gemini-3-flash", "gemini-2.5-pro", "gemma-3"} {
			one, err := Codec{}.AppendCountRequest(nil, r, to(model), new(transform.Losses))
			if err != nil {
				t.Fatal(err)
			}
			if err := jsonbytes.Check(one, 128); err != nil {
				t.Fatalf("%v: %s", err, one)
			}
			if two, _ := (Codec{}).AppendCountRequest(nil, r, to(model), new(transform.Losses)); !bytes.Equal(one, two) {
				t.Fatalf("%s\n%s", one, two)
			}
		}
	})
}

func FuzzEmbeddingClients(f *testing.F) {
	f.Add([]byte(`{"requests":[{"content":"a","title":"t"},{"content":{"parts":[{"text":"b"},{"text":"c"}]}}]}`))
	f.Add([]byte(`{"content":{"parts":{"text":"a"}},"embed_content_config":{"taskType":2}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := jsonbytes.Scan(nil, body, 0); err != nil {
			return
		}
		r, err := Codec{}.DecodeEmbeddingRequest(body, new(transform.Losses))
		if err != nil {
			return
		}
		out, err := Codec{}.AppendEmbeddingRequest(nil, r, to("m"), new(transform.Losses))
		if err != nil || jsonbytes.Check(out, 0) != nil {
			t.Fatalf("%v %s", err, out)
		}
	})
}

func FuzzClientAnswers(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := Codec{}.DecodeResponse(body)
		if err != nil {
			return
		}
		out := Codec{}.AppendResponse(nil, a, nil)
		if err := jsonbytes.Check(out, 0); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		checkFrame(t, out, true)
	})
}

// FuzzClientStreams makes deltas of any order out of bytes: four of them say
// what comes, the rest what it holds.
func FuzzClientStreams(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x04\x00\x00\x00\x01\x00\x01\x00\x05\x00\x02\x00\x06\x00\x02\x00\x07\x00\x02\x00\x0a\x00\x00\x01"), `{"a":1}`, false)
	f.Add([]byte("\x05\x01\x02\x00\x05\x00\x03\x01\x06\x00\x03\x01\x04\x00\x02\x01\x04\x00\x02\x02\x08\x00\x00\x00\x09\x00\x00\x00\x0d\x00\x00\x00"), `x`, true)
	f.Fuzz(func(t *testing.T, order []byte, text string, array bool) {
		c := Codec{Array: array}
		e := c.NewStreamEncoder(nil)
		var out []byte
		failed := false
		vendors := []transform.Vendor{transform.VendorGoogle, transform.VendorAnthropic, ""}
		for ; len(order) >= 4; order = order[4:] {
			kind, choice, part, more := order[0]%14, int(order[1]%3), int(order[2]%5), int(order[3])
			d := transform.Delta{
				Kind: transform.DeltaKind(kind), Choice: choice, Part: part, Tool: more % 4, ID: text, Model: text, Text: transform.Quote(text),
				Call:     transform.ToolCall{ID: text, Name: "f" + text, Custom: more%16 == 9},
				Opaque:   transform.Opaque{Vendor: vendors[more%3], Kind: transform.OpaqueKind(more / 3 % 3), ID: "i", Data: transform.Quote("QUJD")},
				Citation: jsonbytes.Value(annotation("0", "1", "u")), Logprobs: jsonbytes.Value(`{"content":[{}]}`), Finish: transform.Finish(more % 5),
			}
			if more%32 == 7 {
				d.Call.Arguments = []byte(text)
			}
			failed = failed || d.Kind == transform.DeltaError
			out = e.Append(out, &d)
		}
		out = e.AppendEnd(out)
		if failed {
			framesOf(t, out, array)
			return
		}
		checkStreamGrammar(t, out, array)
	})
}
