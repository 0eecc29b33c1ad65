package gemini

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestMedia(t *testing.T) {
	type media = transform.Media
	for _, test := range []struct {
		name    string
		kind    transform.PartKind
		in      media
		model   string
		vertex  bool
		want    string // empty: refused
		dropped string
	}{
		{name: "image", in: media{Type: "image/png", Data: []byte("AAAA")}, want: `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`},
		{name: "image of no type", in: media{Data: []byte("/9j/AAAA")}, want: `{"inlineData":{"mimeType":"image/jpeg","data":"/9j/AAAA"}}`},
		{name: "webp of no type", in: media{Data: []byte("UklGRiQAAABXRUJQVlA4IA==")}, want: `{"inlineData":{"mimeType":"image/webp","data":"UklGRiQAAABXRUJQVlA4IA=="}}`},
		{name: "who knows what", in: media{Data: []byte("AAAA")}},
		{name: "wav", kind: transform.PartAudio, in: media{Type: "audio/wav", Data: []byte("AAAA")}, want: `{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}`},
		{name: "pdf by its name", kind: transform.PartFile, in: media{Name: "a.PDF", Data: []byte("AAAA")}, want: `{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}}`, dropped: "/messages/0/content/0/filename"},
		{name: "JSON is text", kind: transform.PartFile, in: media{Type: "application/json; charset=utf-8", Data: []byte("AAAA")}, want: `{"inlineData":{"mimeType":"text/plain","data":"AAAA"}}`},
		{name: "data cannot break out", in: media{Type: "image/png", Data: []byte(`A"}`)}, want: `{"inlineData":{"mimeType":"image/png","data":"A\"}"}}`},
		{name: "web image", in: media{URL: "https://example.com/a.png"}},
		{name: "web image on Vertex", vertex: true, in: media{URL: "https://example.com/a.png?x=1"}, want: `{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/a.png?x=1"}}`},
		{name: "image of no name on Vertex", vertex: true, in: media{URL: "https://example.com/a"}, want: `{"fileData":{"mimeType":"image/jpeg","fileUri":"https://example.com/a"}}`},
		{name: "given file", kind: transform.PartFile, in: media{URL: "https://generativelanguage.googleapis.com/v1beta/files/abc"}, want: `{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}`},
		{name: "given file's id", kind: transform.PartFile, in: media{FileID: "files/abc"}, want: `{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/abc"}}`},
		{name: "file of another vendor", kind: transform.PartFile, in: media{FileID: "file-abc"}},
		{name: "bucket", kind: transform.PartFile, in: media{URL: "gs://bucket/a.pdf"}, want: `{"fileData":{"mimeType":"application/pdf","fileUri":"gs://bucket/a.pdf"}}`},
		{name: "video", kind: transform.PartFile, in: media{URL: "https://www.youtube.com/watch?v=1"}, want: `{"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"}}`},
		{name: "not quite that video", kind: transform.PartFile, in: media{URL: "https://www.youtube.com.example.com/watch"}},
		{name: "file on this host", in: media{URL: "file:///etc/passwd"}, vertex: true},
		{name: "nothing", in: media{}},
		{name: "low", model: "gemini-3-flash", in: media{Type: "image/png", Data: []byte("AAAA"), Detail: "low"}, want: `{"inlineData":{"mimeType":"image/png","data":"AAAA"},"mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}`},
		{name: "high", model: "gemini-3-flash", in: media{Type: "image/png", Data: []byte("AAAA"), Detail: "high"}, want: `{"inlineData":{"mimeType":"image/png","data":"AAAA"},"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}}`},
		{name: "auto", model: "gemini-3-flash", in: media{Type: "image/png", Data: []byte("AAAA"), Detail: "auto"}, want: `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`},
		{name: "low on an old model", in: media{Type: "image/png", Data: []byte("AAAA"), Detail: "low"}, want: `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`, dropped: "/messages/0/content/0/detail"},
	} {
		t.Run(test.name, func(t *testing.T) {
			kind := test.kind
			if kind == transform.PartText {
				kind = transform.PartImage
			}
			target := google
			if test.model != "" {
				target.Model = test.model
			}
			r := &transform.Request{Turns: []transform.Turn{user(transform.Part{Kind: kind, Media: test.in})}}
			got, lost := encode(t, Codec{Vertex: test.vertex}, r, target)
			if test.want == "" {
				sameLosses(t, lost, "/messages/0/content/0", "/messages/0/content/0")
				return
			}
			if got := member(t, got, "contents/0/parts/0"); got != test.want {
				t.Errorf("got %s", got)
			}
			sameLosses(t, lost, test.dropped, "")
		})
	}
}
