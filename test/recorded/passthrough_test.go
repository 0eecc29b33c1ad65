package recorded_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Same format on both sides: the recorded request reaches the provider as the
// client wrote it, and the recorded answer the client, byte for byte.
func TestSameFormatKeepsEveryByte(t *testing.T) {
	list := answers(t)
	replay := newReplay(list)
	g := openGate(t, replay)
	compared := 0
	for _, r := range list {
		w := wires[r.wire]
		if !slices.Contains(dialects, w.dialect) {
			continue
		}
		compared++
		t.Run(r.String(), func(t *testing.T) {
			passThrough(t, g, replay, r, "")
			if r.kind != "json" {
				passThrough(t, g, replay, r, ".cut")
			}
		})
	}
	t.Logf("%d recordings", compared)
}

func passThrough(t *testing.T, g *gate, replay *replay, r *recording, end string) {
	w := wires[r.wire]
	upstream := w.prefix + r.id() + end
	model := w.provider + "/" + upstream
	request := bytes.TrimSpace(r.request)
	if request == nil {
		request = question{model: model, stream: r.stream}.body(w.dialect)
	}
	inPath := w.dialect == "gemini"
	if !inPath {
		request = withMember(t, request, "model", quoted(model))
	}
	if r.stream && !inPath {
		request = withMember(t, request, "stream", "true")
	}
	if r.wire == "vertex-anthropic" {
		request = withoutMember(t, request, "anthropic_version") // which Vertex's clients have in the body
	}
	path := clientPath(w.dialect, model, r.stream)
	if r.kind == "json-array" {
		path, _, _ = strings.Cut(path, "?")
	}
	a := g.send(t, w.dialect, path, request)
	arrived := replay.take(r.id() + end)
	if arrived == nil || arrived.mismatch != "" {
		t.Fatalf("arrived: %+v; answer %d %.300s", arrived, a.status, a.body)
	}
	sameRequest(t, r, upstream, request, arrived, a)
	sameAnswer(t, r, a)
}

func quoted(text string) string {
	literal, _ := json.Marshal(text)
	return string(literal)
}

// sameRequest compares bytes where the provider takes them as they are, else
// the bytes of every member that the provider takes.
func sameRequest(t *testing.T, r *recording, upstream string, sent []byte, arrived *arrival, a answer) {
	w := wires[r.wire]
	want := sent
	if w.dialect == "gemini" {
		want = withoutMember(t, sent, "model") // the path's is asked for
	} else {
		want = withMember(t, sent, "model", quoted(upstream))
	}
	got := arrived.body
	if w.dialect == "chat" && r.stream && !bytes.Contains(sent, []byte(`"include_usage"`)) {
		got = withoutMember(t, got, "stream_options") // by which the gateway asks for usage
		want = withoutMember(t, want, "stream_options")
	}
	if w.bare {
		if !bytes.Equal(got, want) {
			at := difference(got, want)
			t.Errorf("the request differs at %d:\n got %.200s\nwant %.200s", at, clip(got, at), clip(want, at))
		}
		return
	}
	dropped := a.header.Values("X-Llm-Dropped")
	have, asked := topLevel(t, got), topLevel(t, want)
	for name, value := range asked {
		switch {
		case name == "model", name == "stream", strings.Contains(strings.Join(dropped, ","), "/"+name):
		case name == "max_completion_tokens" && have[name] == nil:
		case !bytes.Equal(have[name], value):
			t.Errorf("member %s is %.200s, was %.200s", name, have[name], value)
		}
	}
}

// sameAnswer compares bytes, but for comments. A failed login is the gateway's
// own affair, and an error of a vendor that only resembles the format is put
// into words that its clients can read.
func sameAnswer(t *testing.T, r *recording, a answer) {
	w := wires[r.wire]
	if r.status >= 400 && (!w.strict || r.status == http.StatusUnauthorized || r.status == http.StatusForbidden) {
		return
	}
	if r.failed() && r.status == http.StatusOK {
		return // what is no answer is told as an error: see the matrix
	}
	if a.status != r.status {
		t.Errorf("status %d, want %d", a.status, r.status)
	}
	got, want := a.body, r.response
	if r.kind == "sse" {
		got, want = []byte(withoutComments(got)), []byte(withoutComments(want))
	}
	if !bytes.Equal(got, want) {
		at := difference(got, want)
		t.Errorf("the answer differs at %d of %d:\n got %.200q\nwant %.200q", at, len(want), clip(got, at), clip(want, at))
	}
	if r.status == http.StatusOK && a.mediaType() != contentTypes[r.kind] {
		t.Errorf("content type %s", a.mediaType())
	}
}
