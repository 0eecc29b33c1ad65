package anthropic

import (
	"bytes"
	"errors"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
)

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(rich))
	f.Add([]byte(ask(`,"thinking":{"type":"adaptive"},"output_config":{"effort":"max"},"tools":[{"type":"web_search_x","user_location":{"city":"\u0022"}}]`)))
	f.Add([]byte(talk(`{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"` + sealed(google) + `"},{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]}`)))
	f.Add([]byte(talk(`{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"a\"b","data":"x"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"A\/A"}}]}`)))
	encoders := []transform.ProviderCodec{Codec{}, Codec{Cloud: true}, openai.Codec{}, gemini.Codec{}}
	targets := []transform.Target{{Model: newest, Vendor: transform.VendorAnthropic}, {Model: budgeted, Vendor: transform.VendorAnthropic, Stream: true}, {Model: foreign}, {Model: "gemini-3-pro", Vendor: transform.VendorGoogle}}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := jsonbytes.Scan(nil, body, 0); err != nil {
			return
		}
		var lost transform.Losses
		r, err := Codec{}.DecodeCountRequest(body, &lost)
		if err != nil {
			var e *transform.Error
			if !errors.As(err, &e) || e.Kind != transform.ErrBadRequest || e.Message == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, encoder := range encoders {
			for _, to := range targets {
				one, err := encoder.AppendRequest(nil, r, to, new(transform.Losses))
				if err != nil {
					continue
				}
				if err := jsonbytes.Check(one, 0); err != nil {
					t.Fatalf("%v: %s", err, one)
				}
				if two, _ := encoder.AppendRequest(nil, r, to, new(transform.Losses)); !bytes.Equal(one, two) {
					t.Fatalf("%s\n%s", one, two)
				}
			}
		}
	})
}

// deltasOf makes deltas of a script, two bytes each: whatever a decoder could
// say, in whatever order.
func deltasOf(script []byte) []transform.Delta {
	texts := []string{`{`, `}`, `"`, `a`, `\`, ``, `{"a":1}`, "\n"}
	pieces := []transform.Opaque{ours, hidden, google, openAIs, {}, {Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature}}
	var deltas []transform.Delta
	for ; len(script) > 1; script = script[2:] {
		a, b := int(script[0]), int(script[1])
		d := transform.Delta{
			Kind: transform.DeltaKind(a % 15), Choice: a / 15 % 16 / 15, Part: b % 5, Tool: b / 5 % 4, ID: "x",
			Text: transform.Quote(texts[b%len(texts)]), Opaque: pieces[b%len(pieces)],
			Citation: jsonbytes.Value(`{"type":"url_citation","url_citation":{"url":"u"}}`), Finish: transform.Finish(b % 5),
		}
		if d.Kind == transform.DeltaToolStart {
			d.Call = transform.ToolCall{ID: texts[b%len(texts)], Name: "f", Arguments: []byte(texts[b/8%len(texts)])}
		}
		if b%7 == 0 {
			d.StopSequence = "s"
		}
		deltas = append(deltas, d)
	}
	return deltas
}

func FuzzStreamEncoder(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 1, 4, 1, 5, 2, 6, 2, 10, 1, 11, 0})
	f.Add([]byte{5, 0, 6, 0, 5, 5, 6, 7, 1, 3, 2, 4, 4, 2, 4, 1, 6, 1, 7, 0, 8, 0, 3, 3})
	f.Add([]byte{5, 0, 5, 5, 5, 10, 4, 10, 6, 11, 6, 6, 6, 1, 7, 2, 12, 0, 13, 0, 14, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		deltas := deltasOf(script)
		e := Codec{}.NewStreamEncoder(nil)
		var out []byte
		for i := range deltas {
			d := deltas[i]
			d.Text, d.Opaque.Data = bytes.Clone(d.Text), bytes.Clone(d.Opaque.Data)
			out = e.Append(out, &d)
			clear(d.Text)
			clear(d.Opaque.Data)
		}
		listen(t, e.AppendEnd(out))
		cut := Codec{}.NewStreamEncoder(nil)
		out = out[:0]
		for i := range deltas[:len(deltas)/2] {
			out = cut.Append(out, &deltas[i])
		}
		listen(t, cut.AppendError(out, nil, "r"))
	})
}

func FuzzAppendResponse(f *testing.F) {
	f.Add([]byte(`[{"type":"text","text":"a"},{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"c","name":"f","input":{"a": 1}}]`), "cut {")
	f.Fuzz(func(t *testing.T, content []byte, arguments string) {
		a, err := Codec{}.DecodeResponse(messageOf(string(content), ``))
		if err != nil {
			return
		}
		call := callPart("", "f", arguments)
		call.Opaque = google
		a.Choices[0].Parts = append(a.Choices[0].Parts, call)
		body := Codec{}.AppendResponse(nil, a, nil)
		if err := jsonbytes.Check(body, 0); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	})
}
