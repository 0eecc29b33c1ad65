package responses

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

const (
	deltaEvent = `{"type":"response.output_text.delta","content_index":0,"delta":" word","item_id":"msg_09605e9317c94aba00697c0d4d69e481908b95644e32fb7ba9","logprobs":[],"obfuscation":"5MjKQwrDrt","output_index":0,"sequence_number":41}`
	xaiEvent   = `{"sequence_number":9,"type":"response.output_text.delta","content_index":0,"delta":" word","item_id":"msg_c409b59d-b895-fe5b-9902-9c7009ef735d","output_index":0,"logprobs":[]}`
	addedEvent = `{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","content":[]}}`
)

func BenchmarkInspectDelta(b *testing.B) {
	name := []byte("response.output_text.delta")
	for _, c := range []struct {
		name  string
		event []byte
		data  string
	}{{"named", name, deltaEvent}, {"nameless", nil, deltaEvent}, {"nameless sorted", nil, xaiEvent}} {
		b.Run(c.name, func(b *testing.B) {
			inspector := Codec{}.NewStreamInspector()
			data := []byte(c.data)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				inspector.Inspect(c.event, data)
			}
		})
	}
}

func BenchmarkDecodeDelta(b *testing.B) {
	for name, text := range map[string]string{"openai": deltaEvent, "xai": xaiEvent} {
		b.Run(name, func(b *testing.B) {
			decoder := Codec{}.NewStreamDecoder()
			decoder.Decode(nil, nil, []byte(addedEvent))
			data, event := []byte(text), []byte("response.output_text.delta")
			var deltas []transform.Delta
			b.ReportAllocs()
			for b.Loop() {
				deltas, _ = decoder.Decode(deltas[:0], event, data)
			}
			if len(deltas) != 1 {
				b.Fatal(trace(deltas))
			}
		})
	}
}

func BenchmarkEncodeDelta(b *testing.B) {
	delta := transform.Delta{Kind: transform.DeltaText, Text: transform.Literal(`" word"`)}
	encoder := Codec{}.NewStreamEncoder(nil)
	out := encoder.Append(nil, &delta)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%1000 == 999 { // an answer of a thousand words
			encoder = Codec{}.NewStreamEncoder(nil)
		}
		out = encoder.Append(out[:0], &delta)
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	body := []byte(rich)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := (Codec{}).DecodeRequest(body, new(transform.Losses)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeRequest(b *testing.B) {
	r, err := Codec{}.DecodeRequest([]byte(rich), new(transform.Losses))
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _ = Codec{}.AppendRequest(out[:0], r, toThinker, new(transform.Losses))
	}
}
