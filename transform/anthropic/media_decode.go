package anthropic

import (
	"bytes"
	"encoding/base64"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// mediaBlock reads an image or a document. What a client says about a document
// comes before it, as text; a document made of blocks becomes those.
func (d *requestDecoder) mediaBlock(turn *transform.Turn, kind string, v jsonbytes.Value, at transform.Path) error {
	part := transform.Part{Kind: transform.PartImage, At: at}
	document := kind == "document"
	if document {
		part.Kind = transform.PartFile
	}
	var source, mark jsonbytes.Value
	err := d.eachMember(v, &part.At, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch {
		case name == "type":
		case name == "source":
			source = v
		case name == "cache_control":
			mark = v
		case name == "title" && document:
			part.Media.NameAt = at
			part.Media.Name, err = stringOf(v, at)
		case name == "context" && document:
			var about transform.Literal
			if about, err = literalOf(v, at); err == nil && about.HasText() {
				turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartText, Text: about, At: at})
			}
		case name == "citations" && document:
			return true, d.citing(v, at)
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return err
	}
	here := at.Key("source")
	if source == nil {
		return missing(here)
	}
	if document && source.Get("type").Is("content") {
		err = d.contentSource(turn, &part, source, here)
	} else if err = d.source(&part, source, here); err == nil {
		turn.Parts = append(turn.Parts, part)
	}
	if err != nil {
		return err
	}
	return d.markLast(turn.Parts, mark, at.Key("cache_control"))
}

// source reads where the data of an image or a document is.
func (d *requestDecoder) source(part *transform.Part, v jsonbytes.Value, at transform.Path) error {
	if err := object(v, at); err != nil {
		return err
	}
	m := &part.Media
	kind, err := stringOf(v.Get("type"), at.Key("type"))
	if err != nil {
		return err
	}
	data := "" // the member that holds it
	switch {
	case kind == "base64", kind == "text" && part.Kind == transform.PartFile:
		data = "data"
	case kind == "url":
		data = "url"
	case kind == "file":
		data = "file_id"
	default:
		return invalid(at.Key("type"), "must be base64, url or file, of documents also text or content")
	}
	given := false
	err = d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (ok bool, err error) {
		switch {
		case name == "type":
		case name == "media_type" && data == "data":
			m.Type, err = stringOf(v, at)
		case name == data:
			given = true
			err = readSource(m, kind, v, at)
		default:
			return false, nil
		}
		return true, err
	})
	switch {
	case err != nil:
		return err
	case !given:
		return missing(at.Key(data))
	case data == "data" && m.Type == "":
		return missing(at.Key("media_type"))
	}
	if kind == "url" && part.Kind == transform.PartFile {
		m.Type = mimePDF // the only documents that are fetched
	}
	return nil
}

// readSource reads the member that holds the data or says where it is.
func readSource(m *transform.Media, kind string, v jsonbytes.Value, at transform.Path) (err error) {
	if v.Kind() != jsonbytes.String {
		return wrongType(at, "a string")
	}
	if !v.HasText() {
		return invalid(at, "must not be empty")
	}
	switch kind {
	case "base64":
		m.Data = inside(v)
		if !isBase64(m.Data) {
			return wrongType(at, "base64")
		}
	case "text":
		m.Data = base64.StdEncoding.AppendEncode(nil, v.AppendText(nil))
	case "url":
		m.URL, err = stringOf(v, at)
	case "file":
		m.FileID, err = stringOf(v, at)
	}
	return err
}

// contentSource reads a document that consists of blocks, or of one text.
func (d *requestDecoder) contentSource(turn *transform.Turn, part *transform.Part, v jsonbytes.Value, at transform.Path) error {
	if part.Media.Name != "" {
		turn.Parts = append(turn.Parts, transform.Part{
			Kind: transform.PartText, Text: transform.Quote(part.Media.Name), At: part.At.Key("title"),
		})
	}
	before := len(turn.Parts)
	inner := transform.Turn{Role: transform.RoleTool, Parts: turn.Parts}
	err := d.eachMember(v, &at, func(name string, v jsonbytes.Value, at transform.Path) (bool, error) {
		switch name {
		case "type":
			return true, nil
		case "content":
			return true, d.content(&inner, v, at)
		}
		return false, nil
	})
	turn.Parts = inner.Parts
	if err == nil && len(turn.Parts) == before {
		err = missing(at.Key("content"))
	}
	return err
}

// inside is a string's text, in place where it holds no escapes. Writers that
// spell base64 with \/ are the exception.
func inside(v jsonbytes.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	return v.AppendText(make([]byte, 0, len(v)))
}

// isBase64 tells whether data may be base64, as far as it can stand between
// quotes whatever escapes hid in it; the provider looks closer.
func isBase64(data []byte) bool {
	return bytes.IndexByte(data, '"') < 0 && bytes.IndexByte(data, '\\') < 0 &&
		!bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' })
}
