//go:build !race

package anthropic

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestReadingAnEventDoesNotAllocate(t *testing.T) {
	for _, hot := range hotEvents {
		decoder, inspector := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
		open := []byte(blockStartOf(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`))
		deltas, err := decoder.Decode(nil, []byte("content_block_start"), open)
		if err != nil {
			t.Fatal(err)
		}
		name, data := []byte(hot.event), []byte(hot.data)
		read := func() {
			if deltas, err = decoder.Decode(deltas[:0], name, data); err != nil {
				t.Fatal(err)
			}
			if _, err := inspector.Inspect(name, data); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if n := testing.AllocsPerRun(100, read); n > 0 {
			t.Errorf("%s: %v allocations", hot.name, n)
		}
	}
}

func TestEncodingAnEventDoesNotAllocate(t *testing.T) {
	for _, kind := range []transform.DeltaKind{transform.DeltaText, transform.DeltaReasoning} {
		encoder := Codec{}.NewStreamEncoder(nil)
		delta := transform.Delta{Kind: kind, Text: transform.Literal(`" word"`)}
		out := make([]byte, 0, 4<<10)
		encode := func() { out = encoder.Append(out[:0], &delta) }
		encode()
		if n := testing.AllocsPerRun(100, encode); n > 0 {
			t.Errorf("%v: %v allocations", kind, n)
		}
	}
}
