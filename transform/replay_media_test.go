package transform_test

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

// A picture is in the stream where the format's whole answer has it.
func TestReplayShowsPicturesInEveryFormat(t *testing.T) {
	a := &transform.Response{ID: "x", Choices: []transform.Choice{{Finish: transform.FinishStop, Parts: []transform.Part{
		{Kind: transform.PartText, Text: transform.Literal(`"look"`)},
		{Kind: transform.PartImage, Media: transform.Media{Type: "image/png", Data: []byte("UElYRUw=")}},
		{Kind: transform.PartText, Text: transform.Literal(`"there"`)},
	}}}}
	for i := range listeners {
		l := &listeners[i]
		encoder := l.codec.NewStreamEncoder(&transform.Request{Stream: true})
		var out []byte
		deltas := transform.Replay(nil, a)
		for j := range deltas {
			out = encoder.Append(out, &deltas[j])
		}
		out = encoder.AppendEnd(out)
		if _, err := l.stream(out, &transform.Request{Stream: true}); err != nil && !strings.Contains(err.Error(), "image_generation_call") {
			t.Errorf("%s: %v\n%s", l.name, err, out)
		}
		for _, word := range []string{"look", "UElYRUw=", "there"} {
			if !strings.Contains(string(out), word) {
				t.Errorf("%s: the stream has no %s: %s", l.name, word, out)
			}
		}
	}
}
