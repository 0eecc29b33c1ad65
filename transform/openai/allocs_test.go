//go:build !race

package openai

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

func TestDecodingAnEventDoesNotAllocate(t *testing.T) {
	for name, chunk := range ordinaryChunks {
		decoder, data := Codec{}.NewStreamDecoder(), []byte(chunk)
		var deltas []transform.Delta
		decode := func() {
			var err error
			if deltas, err = decoder.Decode(deltas[:0], nil, data); err != nil {
				t.Fatal(err)
			}
		}
		decode()
		if n := testing.AllocsPerRun(100, decode); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestEncodingAnEventDoesNotAllocate(t *testing.T) {
	for _, kind := range []transform.DeltaKind{transform.DeltaText, transform.DeltaReasoning} {
		encoder := Codec{}.NewStreamEncoder(&transform.Request{StreamUsage: true})
		delta := transform.Delta{Kind: kind, Text: jsonbytes.Value(`" word"`)}
		out := make([]byte, 0, 4<<10)
		encode := func() { out = encoder.Append(out[:0], &delta) }
		encode()
		if n := testing.AllocsPerRun(100, encode); n > 0 {
			t.Errorf("%v: %v allocations", kind, n)
		}
	}
}
