package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// A usual event of a stream, as the Gemini API spaces it.
const (
	textEvent = `{"candidates": [{"content": {"parts": [{"text": " of the river, and then it goes on."}],"role": "model"},"index": 0}],` +
		`"usageMetadata": {"promptTokenCount": 12,"candidatesTokenCount": 34,"totalTokenCount": 567,"promptTokensDetails": ` +
		`[{"modality": "TEXT","tokenCount": 12}],"thoughtsTokenCount": 521},"modelVersion": "gemini-2.5-flash","responseId": "Xy3faNabCdEfnsEP0q2xoAc"}`
	nextEvent = `{"candidates": [{"content": {"parts": [{"text": " Grüße, \"quoted\"\n und mehr davon"}],"role": "model"},"index": 0}],` +
		`"usageMetadata": {"promptTokenCount": 12,"candidatesTokenCount": 51,"totalTokenCount": 584,"promptTokensDetails": ` +
		`[{"modality": "TEXT","tokenCount": 12}],"thoughtsTokenCount": 521},"modelVersion": "gemini-2.5-flash","responseId": "Xy3faNabCdEfnsEP0q2xoAc"}`
)

func BenchmarkDecodeTextEvent(b *testing.B) {
	for name, events := range map[string][2]string{"same": {textEvent, textEvent}, "changing": {textEvent, nextEvent}} {
		b.Run(name, func(b *testing.B) {
			d := Codec{}.NewStreamDecoder()
			data := [2][]byte{[]byte(events[0]), []byte(events[1])}
			var deltas []transform.Delta
			b.ReportAllocs()
			b.SetBytes(int64(len(textEvent)))
			for i := 0; b.Loop(); i++ {
				var err error
				if deltas, err = d.Decode(deltas[:0], nil, data[i&1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInspectTextEvent(b *testing.B) {
	in := Codec{}.NewStreamInspector()
	data := []byte(textEvent)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Inspect(nil, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	r := &transform.Request{Tools: []transform.Tool{tool("f", `{"type":"object","properties":{"a":{"type":"string"}}}`)}}
	for range 10 {
		r.Turns = append(r.Turns, user(say("a question that is not very long")), model(say("hm"), call("1", "f", `{"a":"b"}`)), result("1", "some text"))
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var lost transform.Losses
		var err error
		if dst, err = (Codec{}).AppendRequest(dst[:0], r, google, &lost); err != nil {
			b.Fatal(err)
		}
	}
}
