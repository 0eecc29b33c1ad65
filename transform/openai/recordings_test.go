package openai

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// wires are the recordings of providers that speak this format.
var wires = []string{
	"openai-chat", "azure-openai", "groq", "deepseek", "mistral", "xai", "openrouter", "together", "cerebras",
	"perplexity", "llamacpp", "huggingface", "zai", "gemini-openai", "ollama-openai", "vercel-gateway",
}

type recording struct {
	name                       string
	status                     int
	request, response, streams []byte
}

// recordings reads the cases of some wires, or skips the test.
func recordings(t testing.TB, wires []string) []recording {
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
			r := recording{name: wire + "/" + filepath.Base(dir), status: meta.Status}
			r.request, _ = os.ReadFile(filepath.Join(dir, "request.json"))
			r.response, _ = os.ReadFile(filepath.Join(dir, "response.json"))
			r.streams, _ = os.ReadFile(filepath.Join(dir, "response.sse"))
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		t.Fatal("no recordings in", root)
	}
	return list
}

// events splits a stream.
func events(t testing.TB, stream []byte) []sse.Event {
	var list []sse.Event
	buffer := sse.Buffer{}
	reader := bytes.NewReader(stream)
	keep := func(e sse.Event) {
		list = append(list, sse.Event{Name: bytes.Clone(e.Name), Data: bytes.Clone(e.Data), Raw: bytes.Clone(e.Raw)})
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

func TestRecordedAnswersSurviveBothWays(t *testing.T) {
	for _, r := range recordings(t, wires) {
		if r.response == nil || r.status != 200 {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			want := expectAnswer(t, r.response)
			a, err := Codec{}.DecodeResponse(r.response)
			if want.failed {
				failure, ok := err.(*transform.Error)
				if !ok || failure.Message == "" {
					t.Fatalf("an error inside a 200 became %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want.compare(t, "decoded", sayOf(a))
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
			want.compare(t, "written", sayOf(again))
			if len(again.Choices) != len(a.Choices) || again.ID != a.ID {
				t.Errorf("%d choices became %d, id %q became %q", len(a.Choices), len(again.Choices), a.ID, again.ID)
			}
		})
	}
}

func TestRecordedStreamsSurviveBothWays(t *testing.T) {
	for _, r := range recordings(t, wires) {
		if r.streams == nil {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			want := expectStream(t, events(t, r.streams))
			deltas, ended := decodeStream(t, events(t, r.streams))
			got := sayOfDeltas(deltas)
			if want.failed {
				if !got.failed || ended {
					t.Fatalf("the stream's error was not seen; ended %v", ended)
				}
				return
			}
			if !ended {
				t.Error("not ended")
			}
			want.compare(t, "decoded", got)
			written := encodeStream(deltas, &transform.Request{Model: "m", StreamUsage: true})
			checkStream(t, written, true)
			again, ended := decodeStream(t, events(t, written))
			if !ended {
				t.Error("what was written does not end")
			}
			want.compare(t, "written", sayOfDeltas(again))
		})
	}
}

func TestRecordedStreamsAreInspectedAsTheyAreDecoded(t *testing.T) {
	for _, r := range recordings(t, wires) {
		if r.streams == nil {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			inspector, decoder := Codec{}.NewStreamInspector(), Codec{}.NewStreamDecoder()
			content := false
			var last transform.Delta
			for _, e := range events(t, r.streams) {
				sign, err := inspector.Inspect(e.Name, e.Data)
				if err != nil {
					t.Fatal(err)
				}
				deltas, err := decoder.Decode(nil, e.Name, e.Data)
				if err != nil {
					t.Fatal(err)
				}
				for i := range deltas {
					if deltas[i].Kind == transform.DeltaUsage {
						last = deltas[i]
					}
					if deltas[i].Content() && !content {
						content = true
						if !sign.Content {
							t.Errorf("content not seen in %s", e.Data)
						}
					}
					if deltas[i].Kind == transform.DeltaError && sign.Err == nil {
						t.Errorf("error not seen in %s", e.Data)
					}
				}
				if sign.Content && !content && !bytes.Equal(e.Data, doneSentinel) {
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

func TestRecordedErrorsKeepTheirMessage(t *testing.T) {
	for _, r := range recordings(t, append(wires, "openai-embeddings", "mistral-embeddings")) {
		if r.status < 400 || r.response == nil {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			e := Codec{}.DecodeError(r.status, r.response)
			if e.Message == "" || strings.Contains(e.Message, "did not say") || e.Status != r.status {
				t.Errorf("%+v", e)
			}
			if !json.Valid(Codec{}.AppendError(nil, e, "")) {
				t.Error("not JSON")
			}
			t.Logf("%d kind %d type %q code %q: %s", e.Status, e.Kind, e.Type, e.Code, e.Message)
		})
	}
}

func TestRecordedRequestsSurviveBothWays(t *testing.T) {
	for _, r := range recordings(t, wires) {
		if !bytes.Contains(r.request, []byte(`"messages"`)) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			var lost transform.Losses
			first, err := Codec{}.DecodeRequest(withModel(r.request), &lost)
			if err != nil {
				t.Fatal(err)
			}
			to := transform.Target{Model: first.Model, Stream: first.Stream, Vendor: transform.VendorAnthropic}
			written, err := Codec{Profile: &Profile{Families: true, Reasoning: "reasoning_content"}}.AppendRequest(nil, first, to, &lost)
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(written) {
				t.Fatalf("not JSON: %s", written)
			}
			second, err := Codec{}.DecodeRequest(written, &lost)
			if err != nil {
				t.Fatal(err)
			}
			compareTurns(t, first.Turns, second.Turns)
			t.Log(lost.Dropped, lost.Refused)
		})
	}
}

// withModel adds the model that Azure has in the path.
func withModel(request []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(request, &members) != nil || members["model"] != nil {
		return request
	}
	members["model"] = json.RawMessage(`"m"`)
	text, _ := json.Marshal(members)
	return text
}
