package recorded_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// free are members whose objects are the model's own words, not the format's.
var free = map[string]bool{"input": true, "args": true, "arguments": true, "json": true, "logprobs": true}

// withNovelties adds a member that nobody knows to every object of a JSON text.
func withNovelties(v jsonbytes.Value) []byte {
	switch v.Kind() {
	case jsonbytes.Object:
		out := []byte(`{ "x_novel" :{"text":"]}","type":"novel","usage":[1,{ }],"error":null}`)
		for name, member := range v.Members() {
			out = fmt.Appendf(out, `,"%s":`, name)
			if free[string(name)] {
				out = append(out, member...)
			} else {
				out = append(out, withNovelties(member)...)
			}
		}
		return append(out, '}')
	case jsonbytes.Array:
		out := []byte{'['}
		for i, element := range v.Elements() {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, withNovelties(element)...)
		}
		return append(out, ']')
	}
	return v
}

// novelEvents are events of kinds that a format may get one day.
var novelEvents = map[string]string{
	"messages": `{"type":"x_novel","index":0,"delta":{"type":"x_delta","text":"no"}}`, "invoke": `{"type":"x_novel","index":0}`,
	"responses": `{"type":"response.x_novel.delta","sequence_number":7,"output_index":0,"delta":"no"}`,
	"cohere":    `{"type":"x-novel","index":0,"delta":{"message":{}}}`, "converse": `{"p":"abc"}`,
}

// Providers add members and events all the time. What is not known changes nothing.
func TestNoveltiesChangeNothing(t *testing.T) {
	for _, r := range answers(t) {
		if r.status != 200 {
			continue
		}
		dialect := wires[r.wire].dialect
		t.Run(r.String(), func(t *testing.T) {
			if r.kind == "json" {
				plain, plainErr := providerCodecs[dialect].DecodeResponse(r.response)
				novel, novelErr := providerCodecs[dialect].DecodeResponse(withNovelties(jsonbytes.Parse(r.response)))
				if (plainErr == nil) != (novelErr == nil) {
					t.Fatalf("%v became %v", plainErr, novelErr)
				}
				if plainErr == nil && shown(plain) != shown(novel) {
					t.Errorf("an answer became another:\n got %s\nwant %s", shown(novel), shown(plain))
				}
				return
			}
			plain, novel := tell(t, r, dialect, false), tell(t, r, dialect, true)
			if !bytes.Equal(plain, novel) {
				at := difference(novel, plain)
				t.Errorf("a stream became another:\n got %s\nwant %s", clip(novel, at), clip(plain, at))
			}
		})
	}
}

// shown is what an answer says, without ids that are made up.
func shown(a *transform.Response) string {
	text := fmt.Sprintf("%s %+v", a.Model, a.Usage)
	for _, c := range a.Choices {
		text += fmt.Sprintf("\n%d %v %s", c.Index, c.Finish, c.StopSequence)
		for _, p := range c.Parts {
			text += fmt.Sprintf("\n%d %s %s %s %s %d", p.Kind, p.Text, p.Call.Name, p.Call.Arguments, p.Opaque.Data, len(p.Media.Data))
		}
	}
	return text
}

// tell is what a decoder makes of a stream, with or without novelties.
func tell(t *testing.T, r *recording, dialect string, novel bool) (out []byte) {
	t.Helper()
	decoder := providerCodecs[dialect].NewStreamDecoder()
	framing := r.framing()
	source := bytes.NewReader(r.response)
	var deltas []transform.Delta
	take := func(name, data []byte) {
		var err error
		if deltas, err = decoder.Decode(deltas[:0], name, data); err != nil {
			out = fmt.Appendf(out, "error %v\n", err)
		}
		for i := range deltas {
			out = appendDelta(out, &deltas[i], r.response)
		}
	}
	for {
		_, err := framing.Fill(source)
		for e, ok := framing.Next(); ok; e, ok = framing.Next() {
			data := e.Data
			if data == nil {
				continue
			}
			if novel && jsonbytes.Check(data, 0) == nil {
				if event := novelEvents[dialect]; event != "" {
					name, _ := jsonbytes.Parse([]byte(event)).Get("type").Text()
					take([]byte(name), []byte(event))
				}
				data = withNovelties(jsonbytes.Parse(data))
			}
			take(e.Name, data)
		}
		if err != nil {
			return fmt.Appendf(out, "ended %v", decoder.Ended())
		}
	}
}
