package recorded_test

import (
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// A recorded stream, gathered, is the answer that its provider would have given
// whole; a recorded answer, replayed, is the stream that says it. What clients of
// every format read in them must be what the recording says.
func TestRecordingsSayTheSameInTheOtherManner(t *testing.T) {
	checked := 0
	for _, r := range answers(t) {
		want := oracle(r)
		if r.failed() || want.fault != nil {
			continue
		}
		t.Run(r.String(), func(t *testing.T) {
			codec := providerCodecs[wires[r.wire].dialect]
			var a *transform.Response
			if r.kind == "json" {
				var err error
				if a, err = codec.DecodeResponse(r.response); err != nil {
					t.Skipf("no answer by itself: %v", err)
				}
			} else {
				a = gathered(t, r, codec.NewStreamDecoder())
			}
			if again := transform.Collect(transform.Replay(nil, a)); r.kind != "json" && !reflect.DeepEqual(again, a) {
				t.Errorf("replayed and gathered it is\n%+v, was\n%+v", again, a)
			}
			for _, dialect := range dialects {
				if leftOut(r, dialect) != "" || leftOutOfManner(r, dialect) {
					continue
				}
				got := otherManner(a, dialect, r)
				for _, v := range compare(dialect, wires[r.wire], want, got.read(dialect)) {
					if _, excused := exceptions[exception{dialect, r.String(), v.feature}]; v.skip || excused {
						continue
					}
					if checked++; v.bad {
						t.Errorf("%s client, %s:\n got %.600s\nwant %.600s", dialect, v.feature, v.got, v.want)
					}
				}
			}
		})
	}
	t.Logf("%d checks", checked)
}

// leftOutOfManner tells what clients of a format do not get in the other manner:
// media of a stream, which are links in text to who does not get them unread, and
// calls with free text, which no client of Messages can offer.
func leftOutOfManner(r *recording, dialect string) bool {
	return dialect == "gemini" && r.kind != "json" && r.has("audio-output", "image-output") ||
		dialect == "messages" && r.kind == "json" && r.has("custom-tool")
}

// gathered is the answer that a recorded stream makes.
func gathered(t *testing.T, r *recording, decoder transform.StreamDecoder) *transform.Response {
	t.Helper()
	var all transform.Collector
	var deltas []transform.Delta
	take := func(e sse.Event) {
		if e.Data == nil {
			return
		}
		var err error
		if deltas, err = decoder.Decode(deltas[:0], e.Name, e.Data); err != nil {
			t.Fatal(err)
		}
		for i := range deltas {
			_ = all.Add(&deltas[i]) // which has no bound
		}
	}
	framing, source := r.framing(), bytes.NewReader(r.response)
	for {
		_, err := framing.Fill(source)
		for e, ok := framing.Next(); ok; e, ok = framing.Next() {
			take(e)
		}
		if err != nil {
			break
		}
	}
	if e, ok := framing.Tail(); ok {
		take(e)
	}
	return all.Response()
}

// otherManner is the answer as a stream if it came whole, whole if it came as a stream.
func otherManner(a *transform.Response, dialect string, r *recording) answer {
	request := &transform.Request{Model: "m", Stream: r.kind == "json", StreamUsage: true}
	codec := clientCodecs[dialect]
	if r.kind != "json" {
		return answer{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, codec.AppendResponse(nil, a, request)}
	}
	encoder := codec.NewStreamEncoder(request)
	var out []byte
	first := *a
	first.Choices = a.Choices[:min(1, len(a.Choices))] // readers take several for one
	deltas := transform.Replay(nil, &first)
	for i := range deltas {
		out = encoder.Append(out, &deltas[i])
	}
	out = encoder.AppendEnd(out)
	if wrong := grammars[dialect](out); len(wrong) > 0 {
		out = []byte("data: " + strings.Join(wrong, "; "))
	}
	return answer{http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}, out}
}
