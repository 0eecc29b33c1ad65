//go:build !race

package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestReadingAnEventDoesNotAllocate(t *testing.T) {
	decoder, inspector := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
	data := event(" of the river, and then it goes on.", "34")
	var deltas []transform.Delta
	read := func() {
		var err error
		if deltas, err = decoder.Decode(deltas[:0], nil, data); err != nil {
			t.Fatal(err)
		}
		if _, err = inspector.Inspect(nil, data); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // what is remembered of the text grows at first
		read()
	}
	if n := testing.AllocsPerRun(100, read); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestEncodingAnEventDoesNotAllocate(t *testing.T) {
	encoder := Codec{}.NewStreamEncoder(nil)
	delta := says(" of the river, and then it goes on.")
	out := make([]byte, 0, 4<<10)
	encode := func() { out = encoder.Append(out[:0], &delta) }
	encode()
	if n := testing.AllocsPerRun(100, encode); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
