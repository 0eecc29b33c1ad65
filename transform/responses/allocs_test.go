//go:build !race

package responses

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestReadingAnEventDoesNotAllocate(t *testing.T) {
	event := []byte("response.output_text.delta")
	for _, text := range []string{deltaEvent, xaiEvent} {
		decoder, inspector, data := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector(), []byte(text)
		if _, err := decoder.Decode(nil, nil, []byte(addedEvent)); err != nil {
			t.Fatal(err)
		}
		var deltas []transform.Delta
		read := func() {
			var err error
			if deltas, err = decoder.Decode(deltas[:0], event, data); err != nil {
				t.Fatal(err)
			}
			if _, err = inspector.Inspect(event, data); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if n := testing.AllocsPerRun(100, read); n > 0 {
			t.Errorf("%v allocations for %s", n, text)
		}
	}
}

// The whole text stands in the last events of a stream, so the encoder keeps it.
func TestEncodingAnEventAllocatesOnlyToKeepTheText(t *testing.T) {
	encoder := Codec{}.NewStreamEncoder(nil)
	delta := transform.Delta{Kind: transform.DeltaText, Text: transform.Literal(`" word"`)}
	out := make([]byte, 0, 4<<10)
	encode := func() { out = encoder.Append(out[:0], &delta) }
	encode()
	if n := testing.AllocsPerRun(1000, encode); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
