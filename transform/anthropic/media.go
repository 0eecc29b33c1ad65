package anthropic

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/caddyllm/llmproxy/transform"
)

// media is an image or a document as the format has it.
type media struct {
	kind   string // image or document
	source string // base64, text, url or file
	mime   string
	// data is base64, text, a URL or a file's id.
	data []byte
	name string
}

// The media types that the API reads. Everything that is text goes as text/plain.
const (
	mimePDF  = "application/pdf"
	mimeText = "text/plain"
)

// imageTypes are the images that the API reads, with their misspellings.
var imageTypes = map[string]string{
	"image/jpeg": "image/jpeg",
	"image/jpg":  "image/jpeg",
	"image/png":  "image/png",
	"image/gif":  "image/gif",
	"image/webp": "image/webp",
}

// placeMedia finds the form in which the API takes an image or file. It
// returns nil, with the part reported, if there is none.
func (e *encoder) placeMedia(part *transform.Part) *media {
	in := &part.Media
	if in.Detail != "" && in.Detail != "auto" {
		e.lost.Drop(part.Media.DetailAt)
	}
	m := &media{kind: "image", mime: mimeOf(in.Type), name: in.Name}
	if part.Kind == transform.PartFile && !strings.HasPrefix(m.mime, "image/") ||
		m.mime == mimePDF || isText(m.mime) {
		m.kind = "document"
	}
	ok := false
	switch {
	case len(in.Data) > 0:
		ok = m.fromData(in.Data)
	case in.URL != "":
		ok = !e.cloud && m.fromURL(in.URL)
	case in.FileID != "":
		m.source, m.data = "file", []byte(in.FileID)
		ok = !e.cloud && e.to.Vendor == transform.VendorAnthropic && isFileID(in.FileID)
	}
	if !ok {
		e.lost.Refuse(part.At)
		return nil
	}
	return m
}

// mimeOf is a media type without parameters.
func mimeOf(mime string) string {
	mime, _, _ = strings.Cut(mime, ";")
	return strings.ToLower(strings.TrimSpace(mime))
}

func isText(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "application/json"
}

// isFileID tells whether Anthropic gave the id: OpenAI's begin with file-.
func isFileID(id string) bool { return strings.HasPrefix(id, "file_") }

func (m *media) fromData(data []byte) bool {
	m.source, m.data = "base64", data
	switch {
	case m.kind == "image":
		m.mime = imageTypes[m.mime]
		return m.mime != ""
	case m.mime == mimePDF:
		return true
	case isText(m.mime):
		text, err := decodeBase64(data)
		m.source, m.mime, m.data = "text", mimeText, text
		return err == nil && utf8.Valid(text) && len(strings.TrimSpace(string(text))) > 0
	}
	return false
}

// fromURL takes what the API fetches: images and PDFs over https.
func (m *media) fromURL(url string) bool {
	const https = "https://"
	m.source, m.data = "url", []byte(url)
	if len(url) <= len(https) || !strings.EqualFold(url[:len(https)], https) {
		return false
	}
	return m.kind == "image" || m.mime == "" || m.mime == mimePDF
}

// decodeBase64 reads base64 of either alphabet, padded or not.
func decodeBase64(data []byte) ([]byte, error) {
	text := strings.TrimRight(string(data), "=")
	if strings.ContainsAny(text, "-_") {
		return base64.RawURLEncoding.DecodeString(text)
	}
	return base64.RawStdEncoding.DecodeString(text)
}

// writeMedia writes the block but for its end.
func (e *encoder) writeMedia(m *media) {
	e.Raw(`{"type":"`)
	e.Raw(m.kind)
	e.Raw(`","source":{"type":"`)
	e.Raw(m.source)
	e.Raw(`"`)
	switch m.source {
	case "base64", "text":
		e.Text("media_type", m.mime)
		e.Key("data")
	case "url":
		e.Key("url")
	case "file":
		e.Key("file_id")
	}
	e.Bytes(m.data)
	e.Raw("}")
	if m.kind == "document" && m.name != "" {
		e.Text("title", m.name)
	}
}
