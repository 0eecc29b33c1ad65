package anthropic

import (
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

func TestMedia(t *testing.T) {
	const image, file = transform.PartImage, transform.PartFile
	const refuse = ""
	type media = transform.Media
	for _, test := range []struct {
		name  string
		kind  transform.PartKind
		media media
		want  string
	}{
		{"png", image, media{Type: "image/png", Data: []byte("AAAA")}, `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}`},
		{"misspelled jpeg", image, media{Type: "IMAGE/JPG; q=1", Data: []byte("AAAA")}, `{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}}`},
		{"tiff", image, media{Type: "image/tiff", Data: []byte("AAAA")}, refuse},
		{"no type", image, media{Data: []byte("AAAA")}, refuse},
		{"url", image, media{URL: "https://example.com/a.png"}, `{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}`},
		{"plain http", image, media{URL: "http://example.com/a.png"}, refuse},
		{"bucket", image, media{URL: "gs://bucket/a.png"}, refuse},
		{"file id", image, media{FileID: "file_0"}, `{"type":"image","source":{"type":"file","file_id":"file_0"}}`},
		{"another's file id", file, media{FileID: "file-0"}, refuse},
		{"image as file", file, media{Type: "image/gif", Data: []byte("AAAA"), Name: "a.gif"}, `{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"AAAA"}}`},
		{"pdf as image", image, media{Type: "application/pdf", Data: []byte("AAAA")}, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}`},
		{"pdf", file, media{Type: "application/pdf", Data: []byte("AAAA"), Name: `a"b.pdf`}, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"title":"a\"b.pdf"}`},
		{"pdf by url", file, media{URL: "HTTPS://example.com/a.pdf"}, `{"type":"document","source":{"type":"url","url":"HTTPS://example.com/a.pdf"}}`},
		{"text by url", file, media{Type: "text/plain", URL: "https://example.com/a.txt"}, refuse},
		{"document id", file, media{FileID: "file_0", Name: "a.pdf"}, `{"type":"document","source":{"type":"file","file_id":"file_0"},"title":"a.pdf"}`},
		{"text", file, media{Type: "text/markdown", Data: []byte("aGkgIsO8Igo=")}, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi \"ü\"\n"}}`},
		{"text, unpadded", file, media{Type: "application/json", Data: []byte("e30")}, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"{}"}}`},
		{"text, other alphabet", file, media{Type: "text/plain", Data: []byte("w7_Dvw")}, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"ÿÿ"}}`},
		{"text that is none", file, media{Type: "text/plain", Data: []byte("/////w==")}, refuse},
		{"text that is not base64", file, media{Type: "text/plain", Data: []byte("?")}, refuse},
		{"empty text", file, media{Type: "text/plain", Data: []byte("Cg==")}, refuse},
		{"spreadsheet", file, media{Type: "application/vnd.ms-excel", Data: []byte("AAAA")}, refuse},
		{"nothing", file, media{}, refuse},
		{"data that is none", image, media{Type: "image/png", Data: []byte("\"\n")}, `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"\"\n"}}`},
	} {
		part := transform.Part{Kind: test.kind, Media: test.media, At: place("/messages/0/content/0")}
		body, lost := encode(t, newest, conversation(with(user(), part), user("A")))
		want := `[{"role":"user","content":[` + test.want + `,{"type":"text","text":"A"}]}]`
		if test.want == refuse {
			want = `[` + userA + `]`
			wantLosses(t, lost, "!/messages/0/content/0")
		} else {
			wantLosses(t, lost)
		}
		wantText(t, test.name, body.Get("messages"), want)
	}
}

func TestDetailIsDropped(t *testing.T) {
	part := transform.Part{Kind: transform.PartImage, Media: transform.Media{URL: "https://example.com/a.png", Detail: "high"}, At: place("/messages/0/content/0")}
	_, lost := encode(t, newest, conversation(with(user(), part)))
	wantLosses(t, lost, "/messages/0/content/0/detail")
}

func TestCloudsFetchNothing(t *testing.T) {
	for _, media := range []transform.Media{{URL: "https://example.com/a.png"}, {FileID: "file_0"}} {
		part := transform.Part{Kind: transform.PartImage, Media: media, At: place("/messages/0/content/0")}
		_, lost := encodeWith(t, Codec{Cloud: true}, newest, conversation(with(user("A"), part)))
		wantLosses(t, lost, "!/messages/0/content/0")
	}
}

func TestCacheMarksAreLimited(t *testing.T) {
	at := func(part transform.Part, pointer string) transform.Part {
		part.At = place(pointer)
		return part
	}
	mark := func(text, ttl, pointer string) transform.Part { return at(marked(textPart(text), ttl), pointer) }
	r := conversation(with(system(), mark("S", "1h", "/messages/0")),
		with(user(), mark("1", "", "/messages/1"), mark("2", "", "/messages/2")), with(assistant(), mark("3", "", "/messages/3")),
		with(user(), mark("4", "5m", "/messages/4"), mark("5", "1h", "/messages/5"), mark("", "", "/messages/6")))
	tool := function("f", "")
	tool.Cache = &transform.CacheMark{TTL: "1h"}
	r.Tools = []transform.Tool{tool}
	body, lost := encode(t, newest, r)
	if got := strings.Count(string(body), `"cache_control"`); got != blocks.MaxMarks {
		t.Errorf("%d marks: %s", got, body)
	}
	wantText(t, "tools", body.Get("tools"), `[{"name":"f","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral","ttl":"1h"}}]`)
	wantText(t, "messages", body.Get("messages"), `[{"role":"user","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]},`+
		`{"role":"assistant","content":[{"type":"text","text":"3","cache_control":{"type":"ephemeral"}}]},`+
		`{"role":"user","content":[{"type":"text","text":"4","cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"text","text":"5","cache_control":{"type":"ephemeral"}}]}]`)
	wantLosses(t, lost, "/messages/6/cache_control", "/messages/0/cache_control", "/messages/1/cache_control", "/messages/2/cache_control",
		"/messages/5/cache_control/ttl")
}

func TestReasoningTakesNoCacheMark(t *testing.T) {
	body, lost := encode(t, newest, conversation(user("A"), with(assistant("B"), marked(thought("T", "S"), "")), user("C")))
	if strings.Contains(string(body), "cache_control") {
		t.Errorf("got %s", body)
	}
	wantLosses(t, lost, "/messages/1/reasoning_details/0/cache_control")
}
