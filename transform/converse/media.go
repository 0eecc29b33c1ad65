package converse

import (
	"bytes"
	"encoding/base64"
	"path"
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// media is an image, document, sound or video as the format has it.
type media struct {
	kind   string
	format string
	name   string // of documents
	data   []byte // base64
	s3     string // the URI of an object in place of data
}

// formats are the kinds and formats of media by their types.
var formats = map[string][2]string{
	"image/jpeg": {"image", "jpeg"},
	"image/jpg":  {"image", "jpeg"},
	"image/png":  {"image", "png"},
	"image/gif":  {"image", "gif"},
	"image/webp": {"image", "webp"},

	"application/pdf":          {"document", "pdf"},
	"text/csv":                 {"document", "csv"},
	"application/msword":       {"document", "doc"},
	"application/vnd.ms-excel": {"document", "xls"},
	"text/html":                {"document", "html"},
	"text/markdown":            {"document", "md"},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document": {"document", "docx"},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":       {"document", "xlsx"},

	"audio/mp3":  {"audio", "mp3"},
	"audio/mpeg": {"audio", "mp3"},
	"audio/wave": {"audio", "wav"},
	"audio/pcm":  {"audio", "pcm"},

	"video/quicktime":  {"video", "mov"},
	"video/x-matroska": {"video", "mkv"},
	"video/x-flv":      {"video", "flv"},
	"video/x-ms-wmv":   {"video", "wmv"},
	"video/3gpp":       {"video", "three_gp"},
	"video/mpg":        {"video", "mpg"},
}

// extensions are those that do not say their format themselves.
var extensions = map[string]string{
	"jpg": "image/jpeg", "htm": "text/html", "markdown": "text/markdown", "3gp": "video/3gpp",
}

// byExtension are the formats that are called like the extension of their files.
var byExtension = map[string]string{
	"jpeg": "image", "png": "image", "gif": "image", "webp": "image",
	"pdf": "document", "csv": "document", "doc": "document", "docx": "document", "xls": "document", "xlsx": "document",
	"html": "document", "txt": "document", "md": "document",
	"mp3": "audio", "opus": "audio", "wav": "audio", "aac": "audio", "flac": "audio", "ogg": "audio", "m4a": "audio", "mka": "audio",
	"mp4": "video", "mov": "video", "mkv": "video", "webm": "video", "flv": "video", "mpeg": "video", "mpg": "video", "wmv": "video",
}

// formatOf finds kind and format by the media type, else by a file's name.
func formatOf(mime, name string) (kind, format string) {
	mime, _, _ = strings.Cut(mime, ";")
	mime = strings.ToLower(strings.TrimSpace(mime))
	if f, ok := formats[mime]; ok {
		return f[0], f[1]
	}
	family, word, _ := strings.Cut(mime, "/")
	word = strings.TrimPrefix(word, "x-")
	switch {
	case family == "audio" && (byExtension[word] == "audio" || word == "mp4" || word == "webm"),
		family == "video" && byExtension[word] == "video":
		return family, word
	case mime != "" && mime != "application/octet-stream" && family != "text" && mime != "application/json":
		return "", ""
	}
	extension := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if f, ok := formats[extensions[extension]]; ok {
		return f[0], f[1]
	}
	if kind = byExtension[extension]; kind != "" {
		return kind, extension
	}
	if mime == "application/json" || family == "text" {
		return "document", "txt"
	}
	return "", ""
}

// placeMedia finds the form in which Bedrock takes media. It returns nil, with
// the part reported, if there is none. Of URLs it fetches only those of S3.
func (e *encoder) placeMedia(part *transform.Part) *media {
	in := &part.Media
	if in.Detail != "" && in.Detail != "auto" {
		e.lost.Drop(part.Media.DetailAt)
	}
	m := &media{}
	name := in.Name
	switch {
	case len(in.Data) > 0:
		m.data = standardBase64(in.Data)
	case strings.HasPrefix(in.URL, "s3://"):
		m.s3 = in.URL
		if name == "" {
			name = path.Base(in.URL)
		}
	}
	m.kind, m.format = formatOf(in.Type, name)
	if m.data == nil && m.s3 == "" || m.kind == "" || m.kind == "audio" && !e.family.sound || m.kind == "video" && !e.family.video {
		e.lost.Refuse(part.At)
		return nil
	}
	if m.kind == "document" {
		m.name = e.names.next(name)
	}
	return m
}

// standardBase64 spells base64 of the URL alphabet, or without its padding, as
// Bedrock wants it; nil for what is none.
func standardBase64(data []byte) []byte {
	if len(data)%4 == 0 && bytes.IndexByte(data, '-') < 0 && bytes.IndexByte(data, '_') < 0 {
		return data
	}
	data = bytes.TrimRight(data, "=")
	code := base64.RawStdEncoding
	if bytes.ContainsAny(data, "-_") {
		code = base64.RawURLEncoding
	}
	plain, err := code.AppendDecode(nil, data)
	if err != nil {
		return nil
	}
	return base64.StdEncoding.AppendEncode(nil, plain)
}

// documentNames gives every document of a request a name that no other has.
type documentNames struct {
	used map[string]int
}

// maxDocumentName is how long names are let be; the API allows 200 characters.
const maxDocumentName = 100

// next makes a name of a file's: of letters, digits, single spaces, hyphens and
// brackets, without the extension, which is the format.
func (n *documentNames) next(file string) string {
	if extension := path.Ext(file); len(extension) <= len(".xhtml") && !strings.Contains(extension, " ") {
		file = strings.TrimSuffix(file, extension)
	}
	name := make([]byte, 0, len(file))
	for _, c := range []byte(file[:min(len(file), maxDocumentName)]) {
		switch {
		case blocks.IsAlphanumeric(c), c == '-', c == '(', c == ')', c == '[', c == ']':
			name = append(name, c)
		case len(name) > 0 && name[len(name)-1] != ' ' && c < 0x80:
			name = append(name, ' ')
		}
	}
	clean := string(bytes.TrimSpace(name))
	if n.used == nil {
		n.used = make(map[string]int)
	}
	unique := clean
	if clean == "" {
		clean = "document"
		n.used[clean]++
		unique = "document-" + strconv.Itoa(n.used[clean])
	}
	for n.used[unique] > 0 {
		n.used[clean]++
		unique = clean + "-" + strconv.Itoa(n.used[clean])
	}
	n.used[unique]++
	return unique
}

// writeMedia writes the block but for its end.
func (e *encoder) writeMedia(m *media) {
	e.Raw(`{"`)
	e.Raw(m.kind)
	e.Raw(`":{`)
	e.Text("format", m.format)
	if m.name != "" {
		e.Text("name", m.name)
	}
	e.Key("source")
	if m.s3 != "" {
		e.Raw(`{"s3Location":{"uri":`)
		e.String(m.s3)
		e.Raw("}")
	} else {
		e.Raw(`{"bytes":`)
		e.Bytes(m.data)
	}
	e.Raw(`}}`)
}
