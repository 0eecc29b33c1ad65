package openai

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// ordinaryChunks are a content event of about 250 bytes in the shapes of
// several providers.
var ordinaryChunks = map[string]string{
	"openai":   `{"id":"chatcmpl-Abcdefghijklmnopqrstuvwxyz012","object":"chat.completion.chunk","created":1750000000,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":null,"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}],"usage":null,"obfuscation":"aB3dE6"}`,
	"sorted":   `{"choices":[{"content_filter_results":{},"delta":{"content":" word"},"finish_reason":null,"index":0,"logprobs":null}],"created":1750000000,"id":"chatcmpl-Abcdefghijklmnopqrstuvwxyz012","model":"gpt-5-mini-2025-08-07","obfuscation":"aB3dE6","object":"chat.completion.chunk","system_fingerprint":null,"usage":null}`,
	"noreason": `{"id":"028e638f-d1c1-678c-a2c8-000000000000","object":"chat.completion.chunk","created":1770000000,"model":"grok-4-fast-reasoning","choices":[{"index":0,"delta":{"content":" word","role":"assistant"}}],"system_fingerprint":"fp_0123456789"}`,
	"tool":     `{"id":"chatcmpl-Abcdefghijklmnopqrstuvwxyz012","object":"chat.completion.chunk","created":1750000000,"model":"gpt-5-mini-2025-08-07","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]},"finish_reason":null}],"usage":null}`,
}

func BenchmarkInspect(b *testing.B) {
	for name, chunk := range ordinaryChunks {
		b.Run(name, func(b *testing.B) {
			inspector := Codec{}.NewStreamInspector()
			data := []byte(chunk)
			if sign, err := inspector.Inspect(nil, data); err != nil || !sign.Content {
				b.Fatal(sign, err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				inspector.Inspect(nil, data)
			}
		})
	}
}

func BenchmarkLookClosely(b *testing.B) {
	data := []byte(ordinaryChunks["openai"])
	b.ReportAllocs()
	for b.Loop() {
		inspector := streamInspector{}
		inspector.look(nil, data)
	}
}

func BenchmarkDecodeChunk(b *testing.B) {
	for name, chunk := range ordinaryChunks {
		b.Run(name, func(b *testing.B) {
			decoder := Codec{}.NewStreamDecoder()
			data := []byte(chunk)
			var deltas []transform.Delta
			b.ReportAllocs()
			for b.Loop() {
				deltas, _ = decoder.Decode(deltas[:0], nil, data)
			}
		})
	}
}

func BenchmarkEncodeDelta(b *testing.B) {
	encoder := Codec{}.NewStreamEncoder(&transform.Request{StreamUsage: true})
	start := transform.Delta{Kind: transform.DeltaStart, ID: "chatcmpl-Abcdefghijklmnopqrstuvwxyz012", Model: "claude-sonnet-5"}
	delta := transform.Delta{Kind: transform.DeltaText, Text: jsonbytes.Value(`" word"`)}
	out := encoder.Append(nil, &start)
	b.ReportAllocs()
	for b.Loop() {
		out = encoder.Append(out[:0], &delta)
	}
}
