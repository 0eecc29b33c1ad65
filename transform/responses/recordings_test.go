package responses

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// wires are the recordings of servers that speak this format.
var wires = []string{"openai-responses", "azure-openai-responses", "xai-responses", "bedrock-mantle", "lmstudio"}

type recording struct {
	name                      string
	status                    int
	request, response, stream []byte
}

// recordings reads the cases of all wires, or skips the test.
func recordings(t testing.TB) []recording {
	root := os.Getenv("LLMPROXY_FIXTURES")
	if root == "" {
		t.Skip("set LLMPROXY_FIXTURES to the folder of recorded provider traffic")
	}
	var list []recording
	for _, wire := range wires {
		cases, _ := filepath.Glob(filepath.Join(root, wire, "*"))
		for _, dir := range cases {
			var meta struct {
				Status int
				Path   string
			}
			text, err := os.ReadFile(filepath.Join(dir, "meta.json"))
			if err != nil || json.Unmarshal(text, &meta) != nil {
				t.Fatal(dir, err)
			}
			if !strings.Contains(meta.Path, "responses") {
				continue // LM Studio speaks other formats too
			}
			r := recording{name: wire + "/" + filepath.Base(dir), status: meta.Status}
			r.request, _ = os.ReadFile(filepath.Join(dir, "request.json"))
			r.response, _ = os.ReadFile(filepath.Join(dir, "response.json"))
			r.stream, _ = os.ReadFile(filepath.Join(dir, "response.sse"))
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		t.Fatal("no recordings in", root)
	}
	return list
}

// eventsOf splits a stream.
func eventsOf(t testing.TB, stream []byte) []sse.Event {
	t.Helper()
	var list []sse.Event
	buffer := sse.Buffer{}
	reader := bytes.NewReader(stream)
	keep := func(e sse.Event) {
		if e.Data != nil {
			list = append(list, sse.Event{Name: bytes.Clone(e.Name), Data: bytes.Clone(e.Data)})
		}
	}
	for {
		_, err := buffer.Fill(reader)
		for e, ok := buffer.Next(); ok; e, ok = buffer.Next() {
			keep(e)
		}
		if err != nil {
			break
		}
	}
	if e, ok := buffer.Tail(); ok {
		keep(e)
	}
	return list
}

func decodeStream(t testing.TB, list []sse.Event) (deltas []transform.Delta, ended bool) {
	t.Helper()
	decoder := Codec{}.NewStreamDecoder()
	for _, e := range list {
		data := bytes.Clone(e.Data)
		some, err := decoder.Decode(nil, e.Name, data)
		if err != nil {
			t.Fatalf("%v: %s", err, e.Data)
		}
		deltas = keep(deltas, some)
		for i := range data {
			data[i] = 'x' // nothing may be kept of it
		}
	}
	return deltas, decoder.Ended()
}

func encodeStream(deltas []transform.Delta, r *transform.Request) []byte {
	encoder := Codec{}.NewStreamEncoder(r)
	var out []byte
	for _, d := range keep(nil, deltas) {
		out = encoder.Append(out, &d)
		for _, v := range [][]byte{d.Text, d.Citation, d.Logprobs, d.Opaque.Data} {
			for i := range v {
				v[i] = 'x'
			}
		}
	}
	return encoder.AppendEnd(out)
}

// lastResponse is the response that a stream ends with.
func lastResponse(t testing.TB, list []sse.Event) json.RawMessage {
	t.Helper()
	var last struct{ Response json.RawMessage }
	if err := json.Unmarshal(list[len(list)-1].Data, &last); err != nil {
		t.Fatal(err)
	}
	return last.Response
}

func TestRecordedAnswersSurviveBothWays(t *testing.T) {
	for _, r := range recordings(t) {
		if r.response == nil || r.status != 200 {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			want := expect(t, r.response)
			a, err := Codec{}.DecodeResponse(r.response)
			if err != nil {
				t.Fatal(err)
			}
			want.compare(t, "decoded", sayOf(t, a))
			summary, err := Codec{}.InspectResponse(r.response)
			if err != nil || summary.Usage != a.Usage || summary.Finish != a.Choices[0].Finish {
				t.Errorf("inspected %+v, %v; decoded %+v %v", summary, err, a.Usage, a.Choices[0].Finish)
			}
			written := Codec{}.AppendResponse(nil, a, &transform.Request{Model: "m"})
			checkAnswer(t, written)
			again, err := Codec{}.DecodeResponse(written)
			if err != nil {
				t.Fatalf("%v: %s", err, written)
			}
			if want.finish == transform.FinishUnknown {
				want.finish = transform.FinishStop
			}
			want.usage.Known = true // as it is once written
			want.compare(t, "written", sayOf(t, again))
			if again.ID != a.ID || again.Model != a.Model || again.Created != a.Created {
				t.Errorf("%q %q %d became %q %q %d", a.ID, a.Model, a.Created, again.ID, again.Model, again.Created)
			}
		})
	}
}

func TestRecordedStreamsSurviveBothWays(t *testing.T) {
	for _, r := range recordings(t) {
		if r.stream == nil {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			list := eventsOf(t, r.stream)
			deltas, ended := decodeStream(t, list)
			got := sayOfDeltas(t, deltas)
			if failed := bytes.Contains(r.stream, []byte("event: response.failed")); failed {
				if got.failed == nil || ended || deltas[len(deltas)-1].Kind != transform.DeltaError {
					t.Fatalf("the stream's error was not seen; ended %v", ended)
				}
				t.Log(got.failed.Kind, got.failed.Code, got.failed.Type, got.failed.Message)
				return
			}
			want := expect(t, lastResponse(t, list))
			want.compare(t, "decoded", got)
			if !ended {
				t.Error("not ended")
			}
			written := encodeStream(deltas, &transform.Request{Model: "m"})
			checkStream(t, written)
			again, ended := decodeStream(t, eventsOf(t, written))
			if !ended {
				t.Error("what was written does not end")
			}
			rewritten := sayOfDeltas(t, again)
			// Sealed, for the item has another name.
			if len(rewritten.opaque) != len(want.opaque) {
				t.Errorf("opaque %d became %d", len(want.opaque), len(rewritten.opaque))
			}
			rewritten.opaque = want.opaque
			want.compare(t, "written", rewritten)
		})
	}
}

// Servers may tell the content in few events; it must come, and once.
func TestRecordedStreamsMayLackEvents(t *testing.T) {
	lack := map[string]func(name string) bool{
		"deltas": func(name string) bool {
			return strings.HasSuffix(name, ".delta") || strings.HasSuffix(name, "annotation.added")
		},
		"all but items": func(name string) bool {
			return name != "response.created" && name != "response.output_item.done" && !isEnd(name)
		},
		"all but the last": func(name string) bool { return !isEnd(name) },
		"done":             func(name string) bool { return strings.HasSuffix(name, ".done") && name != "response.output_item.done" },
		"items done":       func(name string) bool { return name == "response.output_item.done" },
	}
	for _, r := range recordings(t) {
		if r.stream == nil || bytes.Contains(r.stream, []byte("event: response.failed")) {
			continue
		}
		for name, left := range lack {
			t.Run(r.name+"/"+name, func(t *testing.T) {
				all := eventsOf(t, r.stream)
				want := expect(t, lastResponse(t, all))
				list := slices.DeleteFunc(all, func(e sse.Event) bool { return left(string(e.Name)) })
				deltas, ended := decodeStream(t, list)
				if !ended {
					t.Error("not ended")
				}
				got := sayOfDeltas(t, deltas)
				want.compare(t, "decoded", got)
				checkStream(t, encodeStream(deltas, nil))
			})
		}
	}
}

func isEnd(name string) bool { return name == "response.completed" || name == "response.incomplete" }

func TestRecordedStreamsNeedNoEventNames(t *testing.T) {
	for _, r := range recordings(t) {
		if r.stream == nil {
			continue
		}
		list := eventsOf(t, r.stream)
		want, _ := decodeStream(t, list)
		for i := range list {
			list[i].Name = nil
		}
		got, _ := decodeStream(t, list)
		w := sayOfDeltas(t, want)
		g := sayOfDeltas(t, got)
		w.failed, g.failed = nil, nil
		w.compare(t, r.name, g)
	}
}

func TestRecordedStreamsAreInspectedAsTheyAreDecoded(t *testing.T) {
	for _, r := range recordings(t) {
		if r.stream == nil {
			continue
		}
		for _, named := range []bool{true, false} {
			t.Run(r.name, func(t *testing.T) {
				inspector, decoder := Codec{}.NewStreamInspector(), Codec{}.NewStreamDecoder()
				var last transform.Delta
				content := false
				for _, e := range eventsOf(t, r.stream) {
					if !named {
						e.Name = nil
					}
					sign, err := inspector.Inspect(e.Name, e.Data)
					if err != nil {
						t.Fatal(err)
					}
					deltas, err := decoder.Decode(nil, e.Name, e.Data)
					if err != nil {
						t.Fatal(err)
					}
					for i := range deltas {
						switch {
						case deltas[i].Kind == transform.DeltaUsage:
							last = deltas[i]
						case deltas[i].Kind == transform.DeltaFinish && deltas[i].Finish != inspector.Summary().Finish:
							t.Errorf("finish %v, decoder %v", inspector.Summary().Finish, deltas[i].Finish)
						case deltas[i].Kind == transform.DeltaError && sign.Err == nil:
							t.Errorf("error not seen in %s", e.Data)
						}
						if deltas[i].Content() {
							if content = true; !sign.Content {
								t.Errorf("content not seen in %s", e.Data)
							}
						}
					}
					if sign.Content && !content && !bytes.Contains(e.Data, []byte("web_search_call")) && !bytes.Contains(e.Data, []byte("custom_tool_call")) {
						t.Errorf("content seen in %s", e.Data)
					}
					if inspector.Ended() != decoder.Ended() {
						t.Errorf("ended %v, decoder %v", inspector.Ended(), decoder.Ended())
					}
				}
				if inspector.Summary().Usage != last.Usage {
					t.Errorf("usage %+v, decoder %+v", inspector.Summary().Usage, last.Usage)
				}
			})
		}
	}
}

func TestRecordedErrorsKeepTheirMessage(t *testing.T) {
	for _, r := range recordings(t) {
		if r.status < 400 || r.response == nil {
			continue
		}
		e := Codec{}.DecodeError(r.status, r.response)
		if e.Message == "" || strings.Contains(e.Message, "did not say") || !(Codec{}).IsError(r.response) {
			t.Errorf("%s: %+v", r.name, e)
		}
		if _, err := (Codec{}).InspectResponse(r.response); !errors.As(err, new(*transform.Error)) {
			t.Errorf("%s: inspected %v", r.name, err)
		}
	}
}

func TestRecordedRequestsSurviveBothWays(t *testing.T) {
	for _, r := range recordings(t) {
		if r.request == nil {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			var lost transform.Losses
			first, err := Codec{}.DecodeRequest(r.request, &lost)
			if err != nil {
				t.Fatal(err)
			}
			to := transform.Target{Model: first.Model, Stream: first.Stream, Vendor: transform.VendorOpenAI}
			written, err := Codec{}.AppendRequest(nil, first, to, &lost)
			if err != nil || !json.Valid(written) {
				t.Fatalf("%v: %s", err, written)
			}
			t.Log(lost.Dropped, lost.Refused)
			second, err := Codec{}.DecodeRequest(written, new(transform.Losses))
			if err != nil {
				t.Fatalf("%v: %s", err, written)
			}
			if a, b := turnsOf(t, first.Turns), turnsOf(t, second.Turns); a != b {
				t.Errorf("turns differ:\n%s\n%s", a, b)
			}
			if len(lost.Refused) > 0 {
				return
			}
			if len(first.Tools) != len(second.Tools) || first.ToolChoice.Mode != second.ToolChoice.Mode || first.Output.Kind != second.Output.Kind {
				t.Errorf("%s", written)
			}
			third, err := Codec{}.AppendRequest(nil, second, to, new(transform.Losses))
			if err != nil || !bytes.Equal(third, written) {
				t.Errorf("not stable:\n%s\n%s", written, third)
			}
		})
	}
}
