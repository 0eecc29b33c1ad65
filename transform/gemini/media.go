package gemini

import (
	"bytes"
	"path"
	"strings"

	"github.com/caddyllm/llmproxy/transform"
)

// media is an image, sound or file in the form in which Gemini takes it.
type media struct {
	mime string // may be empty with a uri
	data []byte // base64
	uri  string
	// resolution is a level of mediaResolution, if one is wanted.
	resolution string
	// signature is that of an image that Google made, nil if there is none.
	signature transform.Literal
}

// filesAPI is where files live that were given to Gemini before.
const filesAPI = "https://generativelanguage.googleapis.com/"

// place finds the form in which Gemini takes a part. It is false, and the part
// reported, if there is none.
func (e *encoder) place(p *transform.Part) (m media, ok bool) {
	in := &p.Media
	m.mime = mimeOf(in)
	switch {
	case len(in.Data) > 0:
		if m.mime == "" {
			m.mime = sniff(in.Data)
		}
		m.data, ok = in.Data, m.mime != ""
	case in.URL != "":
		m.uri, ok = in.URL, e.fetches(in.URL)
		if ok && e.vertex && m.mime == "" {
			m.mime = usualType(p.Kind) // it wants one
		}
	case strings.HasPrefix(in.FileID, filesAPI), strings.HasPrefix(in.FileID, "gs://"):
		m.uri, ok = in.FileID, true
	case strings.HasPrefix(in.FileID, "files/"):
		m.uri, ok = filesAPI+"v1beta/"+in.FileID, true
	}
	if !ok {
		e.lost.Refuse(p.At)
		return m, false
	}
	if in.Name != "" {
		e.lost.Drop(in.NameAt)
	}
	switch in.Detail {
	case "", "auto":
	case "low":
		m.resolution = "MEDIA_RESOLUTION_LOW"
	default: // high, original
		m.resolution = "MEDIA_RESOLUTION_HIGH"
	}
	if m.resolution != "" && e.model.Generation < 3 {
		m.resolution = ""
		e.lost.Drop(in.DetailAt)
	}
	return m, true
}

// fetches tells whether the provider reads what is behind a URL. The Gemini API
// knows Google's own places only, Vertex any public one.
func (e *encoder) fetches(url string) bool {
	for _, prefix := range [...]string{
		filesAPI, "gs://", "https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/",
	} {
		if strings.HasPrefix(url, prefix) {
			return true
		}
	}
	return e.vertex && (strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://"))
}

// media writes a part.
func (e *encoder) media(m media) {
	if m.data != nil {
		e.Raw(`{"inlineData":{"mimeType":`)
		e.String(m.mime)
		e.Key("data")
		e.Bytes(m.data)
	} else {
		e.Raw(`{"fileData":{`)
		if m.mime != "" {
			e.Raw(`"mimeType":`)
			e.String(m.mime)
			e.Raw(",")
		}
		e.Raw(`"fileUri":`)
		e.String(m.uri)
	}
	e.Raw("}")
	if m.resolution != "" {
		e.Raw(`,"mediaResolution":{"level":"` + m.resolution + `"}`)
	}
	if m.signature != nil {
		e.sign(m.signature)
	}
	e.Raw("}")
}

// mimeOf is the media type, by the file's name if there is no other. Formats
// that are text under another name go as text: Gemini knows them as no other.
func mimeOf(m *transform.Media) string {
	mime, _, _ := strings.Cut(m.Type, ";")
	mime = strings.ToLower(strings.TrimSpace(mime))
	switch mime {
	case "":
		name := m.Name
		if name == "" {
			name, _, _ = strings.Cut(m.URL, "?")
		}
		return extensions[strings.ToLower(path.Ext(name))]
	case "image/jpg":
		return "image/jpeg"
	case "application/json", "application/xml", "application/yaml", "application/x-yaml":
		return "text/plain"
	}
	return mime
}

var extensions = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
	".heic": "image/heic", ".heif": "image/heif",
	".pdf": "application/pdf", ".txt": "text/plain", ".md": "text/plain", ".csv": "text/csv", ".html": "text/html",
	".json": "text/plain", ".xml": "text/plain", ".yaml": "text/plain", ".yml": "text/plain",
	".wav": "audio/wav", ".mp3": "audio/mp3", ".flac": "audio/flac", ".ogg": "audio/ogg", ".aac": "audio/aac",
	".mp4": "video/mp4", ".mov": "video/mov", ".webm": "video/webm",
}

// sniff tells the type of base64 data by its beginning, which is enough of it
// to see the signature of a file.
func sniff(data []byte) string {
	for _, known := range [...]struct{ begin, mime string }{
		{"iVBORw0KGgo", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"JVBERi0", "application/pdf"},
		{"SUQz", "audio/mp3"}, {"T2dnUw", "audio/ogg"}, {"ZkxhQw", "audio/flac"},
	} {
		if bytes.HasPrefix(data, []byte(known.begin)) {
			return known.mime
		}
	}
	if bytes.HasPrefix(data, []byte("UklGR")) && len(data) > 16 { // RIFF, whose kind is 8 bytes on
		switch string(data[11:16]) {
		case "XRUJQ":
			return "image/webp"
		case "XQVZF":
			return "audio/wav"
		}
	}
	return ""
}

func usualType(kind transform.PartKind) string {
	switch kind {
	case transform.PartImage:
		return "image/jpeg"
	case transform.PartAudio:
		return "audio/mp3"
	}
	return "application/pdf"
}
