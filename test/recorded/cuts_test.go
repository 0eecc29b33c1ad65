package recorded_test

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// mostCuts is at how many places a long stream is cut.
const mostCuts = 500

// Wherever the network cuts a stream, it says the same.
func TestStreamsCutAnywhereSayTheSame(t *testing.T) {
	cuts := 0
	for _, r := range answers(t) {
		if r.kind == "json" || !r.exact {
			continue
		}
		t.Run(r.String(), func(t *testing.T) {
			whole := told(t, r, len(r.response))
			if len(whole) == 0 {
				t.Fatal("nothing was told")
			}
			step := 1
			if len(r.response) > 8<<10 {
				step = len(r.response)/mostCuts | 1
			}
			for at := 1; at < len(r.response); at += step {
				cuts++
				if got := told(t, r, at); !bytes.Equal(got, whole) {
					i := difference(got, whole)
					t.Fatalf("cut at %d:\n got %.300s\nwant %.300s", at, clip(got, i), clip(whole, i))
				}
			}
		})
	}
	t.Logf("%d cuts", cuts)
}

// told is what framing and decoder make of a stream that comes in two pieces.
func told(t *testing.T, r *recording, cut int) (out []byte) {
	decoder := providerCodecs[wires[r.wire].dialect].NewStreamDecoder()
	framing := r.framing()
	source := io.MultiReader(bytes.NewReader(r.response[:cut]), bytes.NewReader(r.response[cut:]))
	var deltas []transform.Delta
	take := func(name, data []byte) {
		if data == nil {
			return
		}
		var err error
		deltas, err = decoder.Decode(deltas[:0], name, data)
		if err != nil {
			out = fmt.Appendf(out, "error %v\n", err)
		}
		for i := range deltas {
			out = appendDelta(out, &deltas[i], r.response)
		}
	}
	for {
		_, err := framing.Fill(source)
		for e, ok := framing.Next(); ok; e, ok = framing.Next() {
			take(e.Name, e.Data)
		}
		if err != nil {
			break
		}
	}
	if e, ok := framing.Tail(); ok {
		take(e.Name, e.Data)
	}
	return fmt.Appendf(out, "ended %v", decoder.Ended())
}

// appendDelta writes all that a delta says. An id that the recording does not
// have was made up and differs each time.
func appendDelta(dst []byte, d *transform.Delta, recorded []byte) []byte {
	number := func(label byte, n int64) {
		if n != 0 {
			dst = append(dst, ' ', label)
			dst = strconv.AppendInt(dst, n, 10)
		}
	}
	piece := func(label byte, text []byte) {
		if len(text) > 0 {
			dst = append(append(dst, ' ', label), text...)
		}
	}
	id := func(label byte, text string) {
		if text != "" && bytes.Contains(recorded, []byte(text)) {
			dst = append(append(dst, ' ', label), text...)
		}
	}
	dst = strconv.AppendUint(dst, uint64(d.Kind), 10)
	number('c', int64(d.Choice))
	number('p', int64(d.Part))
	number('t', int64(d.Tool))
	number('C', d.Created)
	number('f', int64(d.Finish))
	number('k', int64(d.Opaque.Kind))
	number('i', d.Usage.Input)
	number('o', d.Usage.Output)
	id('I', d.ID)
	piece('m', []byte(d.Model))
	piece('T', d.Text)
	id('#', d.Call.ID)
	piece('n', []byte(d.Call.Name))
	piece('a', d.Call.Arguments)
	piece('O', d.Opaque.Data)
	piece('y', d.Citation)
	piece('l', d.Logprobs)
	piece('s', []byte(d.StopSequence))
	if d.Err != nil {
		piece('e', []byte(d.Err.Message))
	}
	return append(dst, '\n')
}
