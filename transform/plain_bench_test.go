package transform_test

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/anthropic"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
)

const (
	plainAnthropic = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"TEXT"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":170}}`
	plainGemini    = `{"candidates":[{"content":{"parts":[{"text":"TEXT"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":25,"candidatesTokenCount":170,"totalTokenCount":195},"modelVersion":"m","responseId":"r"}`
)

// BenchmarkPlainCall translates a short question and its answer, both ways.
func BenchmarkPlainCall(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 15)
	body := []byte(`{"model":"m","messages":[{"role":"system","content":"You are careful."},{"role":"user","content":"` + text + `"}],"temperature":0.7,"max_tokens":1024}`)
	for name, p := range map[string]struct {
		codec  transform.ProviderCodec
		answer string
	}{"anthropic": {anthropic.Codec{}, plainAnthropic}, "gemini": {gemini.Codec{}, plainGemini}} {
		answer := []byte(strings.Replace(p.answer, "TEXT", text, 1))
		to := transform.Target{Model: "m"}
		var out []byte
		b.Run(name+"/request", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var lost transform.Losses
				r, err := openai.Codec{}.DecodeRequest(body, &lost)
				if err != nil {
					b.Fatal(err)
				}
				if out, err = p.codec.AppendRequest(out[:0], r, to, &lost); err != nil {
					b.Fatal(err)
				}
			}
		})
		r, err := openai.Codec{}.DecodeRequest(body, new(transform.Losses))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/answer", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a, err := p.codec.DecodeResponse(answer)
				if err != nil {
					b.Fatal(err)
				}
				out = openai.Codec{}.AppendResponse(out[:0], a, r)
			}
		})
	}
}
