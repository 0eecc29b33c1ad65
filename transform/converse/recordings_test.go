package converse

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/awsstream"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// recording is one recorded exchange.
type recording struct {
	name   string
	model  string
	status int
	body   []byte // of a whole answer
	events []event
}

// eachRecording runs a test over everything recorded of this format.
func eachRecording(t *testing.T, test func(t *testing.T, r recording)) {
	folder := os.Getenv("LLMPROXY_FIXTURES")
	if folder == "" {
		t.Skip("LLMPROXY_FIXTURES does not name the folder with recorded provider traffic")
	}
	cases, err := filepath.Glob(filepath.Join(folder, "bedrock-converse", "*", "meta.json"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no recordings in %s (%v)", folder, err)
	}
	for _, meta := range cases {
		r := readRecording(t, meta)
		t.Run(r.name, func(t *testing.T) { test(t, r) })
	}
}

func readRecording(t *testing.T, meta string) recording {
	t.Helper()
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var m struct {
		Status int    `json:"status"`
		Model  string `json:"model"`
		File   string `json:"response_file"`
	}
	if err := json.Unmarshal(read(meta), &m); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(meta)
	r := recording{name: filepath.Base(folder), model: m.Model, status: m.Status}
	data := read(filepath.Join(folder, m.File))
	if filepath.Ext(m.File) != ".bin" {
		r.body = data
		return r
	}
	var frames awsstream.Buffer
	stream := bytes.NewReader(data)
	for err := error(nil); err == nil; {
		_, err = frames.Fill(stream)
		for e, ok := frames.Next(); ok; e, ok = frames.Next() {
			r.events = append(r.events, event{string(e.Name), string(e.Data)})
		}
	}
	if frames.Err() != nil {
		t.Fatal(frames.Err())
	}
	return r
}

func (r *recording) codec() Codec { return Codec{Vendor: targetOf(r.model).Vendor} }

func TestRecordedAnswersDecode(t *testing.T) {
	eachRecording(t, func(t *testing.T, r recording) {
		if r.status != 200 || r.body == nil {
			t.Skip("not a whole answer")
		}
		a, err := r.codec().DecodeResponse(r.body)
		if err != nil {
			t.Fatal(err)
		}
		choice := &a.Choices[0]
		if !a.Usage.Known || len(choice.Parts) == 0 || choice.Finish == transform.FinishUnknown {
			t.Errorf("got %+v", a)
		}
		// What was said can be sent back to who said it.
		again := conversation(user("A"), transform.Turn{Role: transform.RoleAssistant, Parts: choice.Parts}, user("B"))
		body, lost := encode(t, r.model, again)
		if len(lost.Refused) > 0 || strings.Contains(string(r.body), "redactedContent") && !strings.Contains(string(body), string(redactedIn(r.body))) {
			t.Errorf("sent back: %s, %+v", body, lost)
		}
		crowded, err := r.codec().DecodeResponse(crowd(nil, jsonbytes.Parse(r.body)))
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, "with unknown members", describeParts(crowded.Choices[0].Parts), describeParts(choice.Parts))
	})
}

func redactedIn(body jsonbytes.Value) jsonbytes.Value {
	for _, block := range body.Get("output").Get("message").Get("content").Elements() {
		if v := block.Get("reasoningContent").Get("redactedContent"); v != nil {
			return v
		}
	}
	return nil
}

func TestRecordedStreamsDecode(t *testing.T) {
	eachRecording(t, func(t *testing.T, r recording) {
		if r.events == nil {
			t.Skip("not a stream")
		}
		list, ended := decodeAll(t, r.codec(), r.events...)
		last := list[len(list)-1]
		if strings.HasPrefix(last, "error ") {
			if ended {
				t.Errorf("ended well: %q", list)
			}
			return
		}
		if !ended || list[0] != "start" || !strings.HasPrefix(last, "usage ") || !strings.HasPrefix(list[len(list)-2], "finish ") {
			t.Errorf("got %q", list)
		}
		crowded := make([]event, len(r.events))
		for i, e := range r.events {
			crowded[i] = event{e.name, string(crowd(nil, jsonbytes.Value(e.data)))}
			if _, ended := decodeAll(t, r.codec(), r.events[:i]...); ended {
				t.Errorf("ended after %d of %d events", i, len(r.events))
			}
		}
		again, _ := decodeAll(t, r.codec(), crowded...)
		wantList(t, "with unknown members", again, list)
	})
}

func TestRecordedErrorsDecode(t *testing.T) {
	kinds := map[int]transform.ErrorKind{400: transform.ErrBadRequest, 403: transform.ErrAuthentication, 404: transform.ErrNotFound}
	eachRecording(t, func(t *testing.T, r recording) {
		if r.status == 200 {
			t.Skip("not an error")
		}
		want := kinds[r.status]
		switch {
		case strings.Contains(r.name, "context-length"):
			want = transform.ErrContextLength
		case bytes.Contains(r.body, []byte("model identifier")):
			want = transform.ErrNotFound
		}
		if e := r.codec().DecodeError(r.status, r.body); e.Kind != want || e.HTTPStatus() < 400 || strings.Contains(e.Message, "did not say why") {
			t.Errorf("got %+v", e)
		}
	})
}

// crowd adds an unknown member to every object but the input of tools.
func crowd(dst []byte, v jsonbytes.Value) []byte {
	switch v.Kind() {
	case jsonbytes.Object:
		dst = append(dst, `{"of_tomorrow":{"usage":[{"contentBlockIndex":9}]}`...)
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
