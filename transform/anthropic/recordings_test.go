package anthropic

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/transform"
)

var wires = []string{"anthropic", "azure-anthropic", "vertex-anthropic", "bedrock-invoke-anthropic"}

// recording is one recorded exchange.
type recording struct {
	name   string
	status int
	body   []byte // of a whole answer
	events []event
}

type event struct{ name, data []byte }

// eachRecording runs a test over everything recorded of this format.
func eachRecording(t *testing.T, test func(t *testing.T, r recording)) {
	folder := os.Getenv("LLMPROXY_FIXTURES")
	if folder == "" {
		t.Skip("LLMPROXY_FIXTURES does not name the folder with recorded provider traffic")
	}
	for _, wire := range wires {
		cases, err := filepath.Glob(filepath.Join(folder, wire, "*", "meta.json"))
		if err != nil || len(cases) == 0 {
			t.Fatalf("no recordings of %s in %s (%v)", wire, folder, err)
		}
		for _, meta := range cases {
			r := readRecording(t, meta)
			t.Run(r.name, func(t *testing.T) { test(t, r) })
		}
	}
}

func readRecording(t *testing.T, meta string) recording {
	t.Helper()
	var m struct {
		Status int    `json:"status"`
		File   string `json:"response_file"`
	}
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := json.Unmarshal(read(meta), &m); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(meta)
	r := recording{name: filepath.Base(filepath.Dir(folder)) + "/" + filepath.Base(folder), status: m.Status}
	data := read(filepath.Join(folder, m.File))
	switch filepath.Ext(m.File) {
	case ".sse":
		r.events = sseEvents(bytes.NewReader(data))
	case ".bin":
		r.events = binaryEvents(t, data)
	default:
		r.body = data
	}
	return r
}

// sseEvents are the whole events of a stream.
func sseEvents(stream io.Reader) (events []event) {
	var buffer sse.Buffer
	for err := error(nil); err == nil; {
		_, err = buffer.Fill(stream)
		for e, ok := buffer.Next(); ok; e, ok = buffer.Next() {
			events = append(events, event{bytes.Clone(e.Name), bytes.Clone(e.Data)})
		}
	}
	return events
}

// binaryEvents are the events in the frames of Bedrock's InvokeModel: lengths
// of frame and headers, a checksum, headers, a payload, another checksum.
func binaryEvents(t *testing.T, stream []byte) (events []event) {
	t.Helper()
	for len(stream) > 0 {
		size, headers := binary.BigEndian.Uint32(stream), binary.BigEndian.Uint32(stream[4:])
		var payload struct {
			Bytes []byte `json:"bytes"`
		}
		if err := json.Unmarshal(stream[12+headers:size-4], &payload); err != nil {
			t.Fatal(err)
		}
		events = append(events, event{data: payload.Bytes})
		stream = stream[size:]
	}
	return events
}

func TestRecordedAnswersDecode(t *testing.T) {
	eachRecording(t, func(t *testing.T, r recording) {
		if r.status != 200 || r.body == nil {
			t.Skip("not a whole answer")
		}
		a, err := Codec{}.DecodeResponse(r.body)
		if err != nil {
			t.Fatal(err)
		}
		choice := &a.Choices[0]
		if a.ID == "" || a.Model == "" || !a.Usage.Known || a.Usage.Input == 0 || len(choice.Parts) == 0 || choice.Finish == transform.FinishUnknown {
			t.Errorf("got %+v", a)
		}
		summary, err := Codec{}.InspectResponse(r.body)
		if err != nil || summary.Usage != a.Usage || summary.Finish != choice.Finish {
			t.Errorf("inspected %+v, %v", summary, err)
		}
		crowded, err := Codec{}.DecodeResponse(crowd(nil, jsonbytes.Parse(r.body)))
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, "with unknown members", describeParts(crowded.Choices[0].Parts), describeParts(choice.Parts))
		if crowded.Usage != a.Usage || crowded.Choices[0].Finish != choice.Finish {
			t.Errorf("with unknown members: %+v", crowded)
		}
	})
}

func TestRecordedStreamsDecode(t *testing.T) {
	eachRecording(t, func(t *testing.T, r recording) {
		if r.events == nil {
			t.Skip("not a stream")
		}
		list, usage := decodeEvents(t, r.events, true)
		crowded := make([]event, len(r.events))
		for i, e := range r.events {
			crowded[i] = event{e.name, crowd(nil, jsonbytes.Parse(e.data))}
		}
		again, _ := decodeEvents(t, crowded, true)
		wantList(t, "with unknown members", again, list)
		for n := range r.events {
			decodeEvents(t, r.events[:n], false)
		}
		inspector := Codec{}.NewStreamInspector()
		for i, e := range r.events {
			if inspector.Ended() {
				t.Errorf("ended before event %d of %d", i, len(r.events))
			}
			if _, err := inspector.Inspect(e.name, e.data); err != nil {
				t.Fatal(err)
			}
		}
		if got := inspector.Summary(); !inspector.Ended() || describeTokens(got.Usage) != usage || !got.Usage.Known || got.Finish == transform.FinishUnknown {
			t.Errorf("inspected %+v; decoded %s", got, usage)
		}
	})
}

// decodeEvents decodes a stream and returns its deltas and the last usage.
func decodeEvents(t *testing.T, events []event, whole bool) (list []string, usage string) {
	t.Helper()
	d := Codec{}.NewStreamDecoder()
	var deltas []transform.Delta
	for _, e := range events {
		var err error
		if deltas, err = d.Decode(deltas[:0], e.name, e.data); err != nil {
			t.Fatalf("%s: %v", e.data, err)
		}
		for i := range deltas {
			list = append(list, describeDelta(&deltas[i]))
			if deltas[i].Kind == transform.DeltaUsage {
				usage = describeTokens(deltas[i].Usage)
			}
		}
	}
	if d.Ended() != whole {
		t.Errorf("%d events: ended is %v", len(events), d.Ended())
	}
	if whole && (!strings.HasPrefix(list[0], "start ") || !strings.HasPrefix(list[len(list)-1], "usage ") || !strings.HasPrefix(list[len(list)-2], "finish ")) {
		t.Errorf("got %q", list)
	}
	return list, usage
}

func TestRecordedErrorsDecode(t *testing.T) {
	kinds := map[int]transform.ErrorKind{400: transform.ErrBadRequest, 401: transform.ErrAuthentication, 404: transform.ErrNotFound}
	eachRecording(t, func(t *testing.T, r recording) {
		if r.status == 200 {
			t.Skip("not an error")
		}
		want := kinds[r.status]
		if strings.Contains(r.name, "context-length") {
			want = transform.ErrContextLength
		}
		e := Codec{}.DecodeError(r.status, r.body)
		if e.Kind != want || e.Status != r.status || strings.Contains(e.Message, "did not say why") {
			t.Errorf("got %+v", e)
		}
	})
}

// crowd adds an unknown member to every object but the input of tools.
func crowd(dst []byte, v jsonbytes.Value) []byte {
	switch v.Kind() {
	case jsonbytes.Object:
		dst = append(dst, `{"of_tomorrow":{"type":"text","usage":[{"index":9}]}`...)
		for name, member := range v.Members() {
			dst = append(dst, ',')
			dst = jsonbytes.AppendBytes(dst, name)
			dst = append(dst, ':')
			if string(name) == "input" {
				dst = append(dst, member...)
			} else {
				dst = crowd(dst, member)
			}
		}
		return append(dst, '}')
	case jsonbytes.Array:
		dst = append(dst, '[')
		for i, element := range v.Elements() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = crowd(dst, element)
		}
		return append(dst, ']')
	}
	return append(dst, v...)
}
