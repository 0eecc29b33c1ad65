package converse

import (
	"testing"

	"github.com/caddyllm/llmproxy/transform"
)

func TestMediaBecomeBlocks(t *testing.T) {
	image, document, sound := transform.PartImage, transform.PartFile, transform.PartAudio
	data := []byte("AAAA")
	for _, test := range []struct {
		name, model string
		part        transform.Part
		want        string // empty: refused
		lost        []string
	}{
		{name: "png", part: file(image, transform.Media{Type: "image/png", Data: data}), want: `{"image":{"format":"png","source":{"bytes":"AAAA"}}}`},
		{name: "jpg", part: file(image, transform.Media{Type: "image/JPG; q=1", Data: data}), want: `{"image":{"format":"jpeg","source":{"bytes":"AAAA"}}}`},
		{name: "detail", part: file(image, transform.Media{Type: "image/png", Data: data, Detail: "low"}), want: `{"image":{"format":"png","source":{"bytes":"AAAA"}}}`, lost: []string{"/messages/0/content/1/detail"}},
		{name: "tiff", part: file(image, transform.Media{Type: "image/tiff", Data: data, Name: "a.png"})},
		{name: "URL", part: file(image, transform.Media{URL: "https://example.com/a.png"})},
		{name: "file id", part: file(document, transform.Media{FileID: "file-1"})},
		{name: "image in S3", part: file(image, transform.Media{URL: "s3://bucket/a.webp"}), want: `{"image":{"format":"webp","source":{"s3Location":{"uri":"s3://bucket/a.webp"}}}}`},
		{name: "S3 without a format", part: file(image, transform.Media{URL: "s3://bucket/a"})},
		{name: "pdf", part: file(document, transform.Media{Type: "application/pdf", Data: data, Name: "My  report_2 (v1).x.pdf"}), want: `{"document":{"format":"pdf","name":"My report 2 (v1) x","source":{"bytes":"AAAA"}}}`},
		{name: "no name", part: file(document, transform.Media{Type: "text/plain", Data: data}), want: `{"document":{"format":"txt","name":"document-1","source":{"bytes":"AAAA"}}}`},
		{name: "by extension", part: file(document, transform.Media{Type: "application/octet-stream", Data: data, Name: "a.XLSX"}), want: `{"document":{"format":"xlsx","name":"a","source":{"bytes":"AAAA"}}}`},
		{name: "markdown as text", part: file(document, transform.Media{Type: "text/plain", Data: data, Name: "a.md"}), want: `{"document":{"format":"md","name":"a","source":{"bytes":"AAAA"}}}`},
		{name: "JSON", part: file(document, transform.Media{Type: "application/json", Data: data, Name: "a.json"}), want: `{"document":{"format":"txt","name":"a","source":{"bytes":"AAAA"}}}`},
		{name: "zip", part: file(document, transform.Media{Type: "application/zip", Data: data, Name: "a.zip"})},
		{name: "unknown", part: file(document, transform.Media{Data: data})},
		{name: "document in S3", part: file(document, transform.Media{URL: "s3://bucket/b c/é.docx"}), want: `{"document":{"format":"docx","name":"document-1","source":{"s3Location":{"uri":"s3://bucket/b c/é.docx"}}}}`},
		{name: "sound", part: file(sound, transform.Media{Type: "audio/wav", Data: data}), want: `{"audio":{"format":"wav","source":{"bytes":"AAAA"}}}`},
		{name: "sound for a model that is deaf", model: adaptive, part: file(sound, transform.Media{Type: "audio/wav", Data: data})},
		{name: "video", part: file(document, transform.Media{Type: "video/quicktime", Data: data}), want: `{"video":{"format":"mov","source":{"bytes":"AAAA"}}}`},
		{name: "video for a model that has none", model: llama, part: file(document, transform.Media{Type: "video/mp4", Data: data})},
		{name: "base64 of URLs", part: file(image, transform.Media{Type: "image/gif", Data: []byte("-_8")}), want: `{"image":{"format":"gif","source":{"bytes":"+/8="}}}`},
		{name: "no base64", part: file(image, transform.Media{Type: "image/gif", Data: []byte("-!")})},
	} {
		t.Run(test.name, func(t *testing.T) {
			model := test.model
			if model == "" {
				model = nova
			}
			body, lost := encode(t, model, conversation(with(user("A"), test.part)))
			if test.want == "" {
				wantText(t, "messages", body.Get("messages"), `[{"role":"user","content":[{"text":"A"}]}]`)
				wantLosses(t, lost, "!/messages/0/content/1")
				return
			}
			wantText(t, "messages", body.Get("messages"), `[{"role":"user","content":[{"text":"A"},`+test.want+`]}]`)
			wantLosses(t, lost, test.lost...)
		})
	}
}

func TestDocumentsHaveATextAndNamesOfTheirOwn(t *testing.T) {
	document := func(name string) transform.Part {
		return file(transform.PartFile, transform.Media{Type: "application/pdf", Data: []byte("AAAA"), Name: name})
	}
	body, _ := encode(t, nova, conversation(with(user(), document("a.pdf"), document("a.pdf"), document(""), document(".."))))
	rest := func(name string) string {
		return `{"document":{"format":"pdf","name":"` + name + `","source":{"bytes":"AAAA"}}}`
	}
	wantText(t, "messages", body.Get("messages"), `[{"role":"user","content":[{"text":"A document is attached."},`+
		rest("a")+`,`+rest("a-2")+`,`+rest("document-1")+`,`+rest("document-2")+`]}]`)
}

func TestMediaInResults(t *testing.T) {
	r := conversation(user("A"), with(assistant(), callPart("c", "f", "{}")), with(result("c", "see"), file(transform.PartImage, transform.Media{Type: "image/png", Data: []byte("AAAA")})))
	body, lost := encode(t, nova, r)
	for i, m := range body.Get("messages").Elements() {
		if i == 2 {
			wantText(t, "result", m.Get("content"), `[{"toolResult":{"toolUseId":"c","content":[{"text":"see"},{"image":{"format":"png","source":{"bytes":"AAAA"}}}]}}]`)
		}
	}
	wantLosses(t, lost)
}
