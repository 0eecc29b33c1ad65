package answers

import (
	"fmt"
	"strings"
	"testing"
)

// chatStream is the events of an answer of so many words.
func chatStream(words int) []byte {
	var b strings.Builder
	const head = `data: {"id":"chatcmpl-9a7","object":"chat.completion.chunk","created":1760000000,"model":"gpt-5-mini-2026-01-01","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":`
	b.WriteString(head + `{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n")
	for i := range words {
		fmt.Fprintf(&b, `%s{"content":" %s"},"logprobs":null,"finish_reason":null}],"usage":null}`+"\n\n", head, word(i))
	}
	b.WriteString(head + `{},"logprobs":null,"finish_reason":"stop"}],"usage":null}` + "\n\n")
	b.WriteString(`data: {"id":"chatcmpl-9a7","object":"chat.completion.chunk","created":1760000000,"model":"gpt-5-mini-2026-01-01","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}` + "\n\ndata: [DONE]\n\n")
	return []byte(b.String())
}

// chatAnswer is the same as one body.
func chatAnswer(words int) []byte {
	var b strings.Builder
	for i := range words {
		b.WriteString(" " + word(i))
	}
	return fmt.Appendf(nil, `{"id":"chatcmpl-9a7","object":"chat.completion","created":1760000000,"model":"gpt-5-mini-2026-01-01","choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}`, b.String())
}

// word is one of a few thousand.
func word(i int) string {
	syllables := [...]string{"an", "ber", "co", "dal", "er", "fin", "go", "hel", "in", "jo", "ka", "lor", "me", "no", "per", "sta"}
	h := uint32(i+1) * 2654435761
	return syllables[h>>8&15] + syllables[h>>16&15] + syllables[h>>24&15]
}

func BenchmarkPack(b *testing.B) {
	for _, test := range []struct {
		name string
		body []byte
	}{
		{"json 100 words", chatAnswer(100)}, {"json 1000 words", chatAnswer(1000)},
		{"stream 100 words", chatStream(100)}, {"stream 1000 words", chatStream(1000)},
	} {
		packed, ok := pack(test.body)
		b.Run("pack "+test.name, func(b *testing.B) {
			b.SetBytes(int64(len(test.body)))
			b.ReportAllocs()
			for b.Loop() {
				pack(test.body)
			}
			b.ReportMetric(float64(len(test.body))/float64(len(packed)), "ratio")
		})
		if !ok {
			continue
		}
		b.Run("unpack "+test.name, func(b *testing.B) {
			b.SetBytes(int64(len(test.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := unpack(packed, len(test.body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
