package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// event is a usual one of a stream, as the Gemini API spaces it.
func event(text, candidates string) []byte {
	return []byte(`{"candidates": [{"content": {"parts": [{"text": "` + text + `"}],"role": "model"},"index": 0}],` +
		`"usageMetadata": {"promptTokenCount": 12,"candidatesTokenCount": ` + candidates + `,"totalTokenCount": 567,"promptTokensDetails": ` +
		`[{"modality": "TEXT","tokenCount": 12}],"thoughtsTokenCount": 521},"modelVersion": "gemini-2.5-flash","responseId": "Xy3faNabCdEfnsEP0q2xoAc"}`)
}

func BenchmarkDecodeTextEvent(b *testing.B) {
	for name, texts := range map[string][2]string{
		"plain":   {" of the river, and then it goes on.", " to the sea, where it may well end."},
		"escaped": {` if x == \"y\" {\n\treturn nil\n}\n`, " und größer, 敏捷的棕色狐狸 für alle"},
	} {
		b.Run(name, func(b *testing.B) {
			d := Codec{}.NewStreamDecoder()
			data := [2][]byte{event(texts[0], "34"), event(texts[1], "51")}
			var deltas []transform.Delta
			b.ReportAllocs()
			b.SetBytes(int64(len(data[0])))
			for i := 0; b.Loop(); i++ {
				if i%512 == 0 { // a long answer
					d = Codec{}.NewStreamDecoder()
				}
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
	data := event(" of the river, and then it goes on.", "34")
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

// BenchmarkEncodeDelta writes what most events of a stream are.
func BenchmarkEncodeDelta(b *testing.B) {
	for name, d := range map[string]transform.Delta{
		"text":      says(" of the river, and then it goes on."),
		"umlauts":   says(" und größer für alle, die es hören."),
		"reasoning": thinks(0, " so the river must end somewhere."),
		"arguments": argument(0, `"city": "Par`),
	} {
		b.Run(name, func(b *testing.B) {
			var e transform.StreamEncoder
			var dst []byte
			start := calls(0, "1", "f")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%512 == 0 { // a long answer
					e = Codec{}.NewStreamEncoder(nil)
					dst = e.Append(dst[:0], &start)
				}
				dst = e.Append(dst[:0], &d)
			}
		})
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	b.SetBytes(int64(len(rich)))
	b.ReportAllocs()
	for b.Loop() {
		var lost transform.Losses
		if _, err := (Codec{}).DecodeRequest([]byte(rich), &lost); err != nil {
			b.Fatal(err)
		}
	}
}
