package gemini

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

// recording is one recorded exchange of a real provider.
type recording struct {
	folder string
	meta   struct {
		Path         string   `json:"path"`
		Status       int      `json:"status"`
		BodyKind     string   `json:"body_kind"`
		ResponseFile string   `json:"response_file"`
		Events       int      `json:"events"`
		Features     []string `json:"features"`
	}
	body []byte
}

// recordings reads those of the wires that the pattern names.
func recordings(t *testing.T, wires string) []recording {
	t.Helper()
	folder := os.Getenv("LLMPROXY_FIXTURES")
	if folder == "" {
		t.Skip("LLMPROXY_FIXTURES does not name a folder of recordings")
	}
	metas, _ := filepath.Glob(filepath.Join(folder, wires, "*", "meta.json"))
	if len(metas) == 0 {
		t.Fatalf("no recordings of %s in %s", wires, folder)
	}
	var list []recording
	for _, path := range metas {
		r := recording{folder: filepath.Dir(path)}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &r.meta); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if r.body, err = os.ReadFile(filepath.Join(r.folder, r.meta.ResponseFile)); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// each runs a test on every recording that decodes as generateContent.
func each(t *testing.T, wires string, run func(t *testing.T, r recording)) {
	for _, r := range recordings(t, wires) {
		t.Run(filepath.Base(filepath.Dir(r.folder))+"/"+filepath.Base(r.folder), func(t *testing.T) { run(t, r) })
	}
}

func TestRecordedAnswers(t *testing.T) {
	each(t, "*gemini", func(t *testing.T, r recording) {
		switch {
		case r.meta.Status != 200:
			e := Codec{}.DecodeError(r.meta.Status, r.body)
			if e.Message == "" || e.Type == "" || e.Kind == transform.ErrInternal {
				t.Errorf("%+v", e)
			}
		case strings.Contains(r.meta.Path, "countTokens"):
			t.Skip("no generateContent")
		case r.meta.BodyKind == "json":
			a, err := Codec{}.DecodeResponse(r.body)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, a, r)
			checkReturn(t, a)
			s, err := Codec{}.InspectResponse(r.body)
			if err != nil || s.Usage != a.Usage || s.Finish != a.Choices[0].Finish {
				t.Errorf("inspected %+v, %v", s, err)
			}
			polluted, err := Codec{}.DecodeResponse(pollute(r.body))
			if err != nil {
				t.Fatalf("with unknown members: %v", err)
			}
			if got, want := sketch(polluted.Choices[0].Parts), sketch(a.Choices[0].Parts); got != want {
				t.Errorf("unknown members change the answer\n%s\n%s", got, want)
			}
		default:
			checkStream(t, r, events(t, r))
		}
	})
}

// checkAnswer compares an answer with what its recording is known to have.
func checkAnswer(t *testing.T, a *transform.Response, r recording) {
	t.Helper()
	if len(a.Choices) == 0 || a.ID == "" || a.Model == "" || !a.Usage.Known || a.Usage.Input == 0 {
		t.Errorf("%+v", a)
	}
	kinds := map[transform.PartKind]bool{}
	for _, c := range a.Choices {
		for _, p := range c.Parts {
			kinds[p.Kind] = true
		}
		if c.Finish == transform.FinishUnknown {
			t.Error("no finish")
		}
	}
	for _, f := range r.meta.Features {
		switch f {
		case "tool-call":
			if !kinds[transform.PartToolCall] || a.Choices[0].Finish != transform.FinishToolCalls {
				t.Errorf("%s: %+v", f, a.Choices[0])
			}
		case "citations":
			if !kinds[transform.PartCitation] {
				t.Errorf("%s: %s", f, sketch(a.Choices[0].Parts))
			}
		case "max-tokens":
			if a.Choices[0].Finish != transform.FinishLength {
				t.Errorf("%s: %v", f, a.Choices[0].Finish)
			}
		}
	}
}

// checkReturn sends an answer back as history: its signatures must come along.
func checkReturn(t *testing.T, a *transform.Response) {
	t.Helper()
	r := &transform.Request{Turns: []transform.Turn{user(say("q")), model(a.Choices[0].Parts...), user(say("r"))}}
	body, _ := encode(t, Codec{}, r, to("gemini-3-flash"))
	for _, p := range a.Choices[0].Parts {
		if p.Opaque.Data != nil && !strings.Contains(body, `"thoughtSignature":`+string(p.Opaque.Data)) {
			t.Error("a signature is lost")
		}
		if p.Kind == transform.PartText && !strings.Contains(body, `{"text":`+string(p.Text)) {
			t.Errorf("a text is lost: %s", p.Text)
		}
	}
}

// events takes a recorded stream apart.
func events(t *testing.T, r recording) [][]byte {
	t.Helper()
	var list [][]byte
	if r.meta.BodyKind == "json-array" {
		for _, e := range jsonbytes.Parse(r.body).Elements() {
			list = append(list, e)
		}
		return list
	}
	var buffer sse.Buffer
	from := bytes.NewReader(r.body)
	for {
		_, err := buffer.Fill(from)
		for event, ok := buffer.Next(); ok; event, ok = buffer.Next() {
			if event.Data != nil {
				list = append(list, bytes.Clone(event.Data))
			}
		}
		if err != nil {
			return list
		}
	}
}

func checkStream(t *testing.T, r recording, events [][]byte) {
	t.Helper()
	d, in := Codec{}.NewStreamDecoder(), Codec{}.NewStreamInspector()
	dirty := Codec{}.NewStreamDecoder()
	var all, polluted []transform.Delta
	for i, event := range events {
		if d.Ended() || in.Ended() {
			t.Errorf("ended before event %d of %d", i, len(events))
		}
		before := len(all)
		var err error
		if all, err = d.Decode(all, nil, event); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		sameSigns(t, in, string(event), all[before:])
		if polluted, err = dirty.Decode(polluted, nil, pollute(event)); err != nil {
			t.Fatalf("event %d with unknown members: %v", i, err)
		}
	}
	if !d.Ended() || !in.Ended() {
		t.Errorf("%d events, and no end", len(events))
	}
	if got, want := strings.Count(script(polluted), "\n"), strings.Count(script(all), "\n"); got != want {
		t.Errorf("unknown members change the stream: %d deltas, not %d", got, want)
	}
	var last transform.Delta
	for _, delta := range all {
		if delta.Kind == transform.DeltaStart || delta.Kind == transform.DeltaUsage {
			last = delta
		}
	}
	if last.Usage != in.Summary().Usage || !last.Usage.Known || last.Usage.Input == 0 {
		t.Errorf("usage %+v, inspected %+v", last.Usage, in.Summary().Usage)
	}
	for n := range events {
		cut := Codec{}.NewStreamDecoder()
		for _, event := range events[:n] {
			if _, err := cut.Decode(nil, nil, event); err != nil {
				t.Fatal(err)
			}
		}
		if cut.Ended() {
			t.Errorf("ended after %d of %d events", n, len(events))
		}
	}
}

// pollute puts an unknown member at the front of every object but those that
// are the model's own, the arguments of calls.
func pollute(text []byte) []byte {
	return pollution(nil, jsonbytes.Parse(text))
}

func pollution(dst []byte, v jsonbytes.Value) []byte {
	switch v.Kind() {
	case jsonbytes.Object:
		dst = append(dst, `{"unknownMember":{"text":"x","finishReason":"SAFETY","functionCall":[]}`...)
		for key, value := range v.Members() {
			dst = append(jsonbytes.AppendBytes(append(dst, ", "...), key), ':')
			if string(key) == "args" {
				dst = append(dst, value...)
				continue
			}
			dst = pollution(dst, value)
		}
		return append(dst, '}')
	case jsonbytes.Array:
		dst = append(dst, '[')
		for i, value := range v.Elements() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = pollution(dst, value)
		}
		return append(dst, ']')
	}
	return append(dst, v...)
}

func TestRecordedEmbeddings(t *testing.T) {
	each(t, "*-embeddings", func(t *testing.T, r recording) {
		wire := filepath.Base(filepath.Dir(r.folder))
		if wire != "gemini-embeddings" && wire != "vertex-embeddings" {
			t.Skip("another format")
		}
		a, err := Codec{}.DecodeEmbeddingResponse(r.body)
		if err != nil {
			t.Fatal(err)
		}
		request, err := os.ReadFile(filepath.Join(r.folder, "request.json"))
		if err != nil {
			t.Fatal(err)
		}
		asked := jsonbytes.Parse(request)
		if n := asked.Get("requests").Len() + asked.Get("instances").Len(); len(a.Vectors) != n {
			t.Errorf("%d vectors, asked for %d", len(a.Vectors), n)
		}
		for _, v := range a.Vectors {
			if v.Len() != a.Vectors[0].Len() || v.Len() == 0 {
				t.Errorf("a vector of %d numbers", v.Len())
			}
		}
	})
}
