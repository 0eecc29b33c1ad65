package openai

import (
	"bytes"
	"path"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// content reads a message's content: a string, or an array of parts.
func (d *requestDecoder) content(turn *transform.Turn, v jsonbytes.Value) error {
	switch v.Kind() {
	case jsonbytes.String:
		part := transform.Part{Kind: transform.PartText, Text: v, At: turn.At.Key("content")}
		if turn.Parts == nil {
			turn.Parts = d.room()
		}
		turn.Parts = append(turn.Parts, part)
		return nil
	case jsonbytes.Array:
		at := turn.At.Key("content")
		for i, e := range v.Elements() {
			if err := d.part(turn, e, at.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return WrongType(turn.At.Key("content"), "a string or an array of parts", v)
}

// together is for how many turns there is room at once.
const together = 16

// room is for the one part that most turns have, in the same piece of memory as that
// of other turns.
func (d *requestDecoder) room() []transform.Part {
	if len(d.parts) == 0 {
		d.parts = make([]transform.Part, min(max(d.left, 1), together))
	}
	d.left--
	room := d.parts[:0:1]
	d.parts = d.parts[1:]
	return room
}

// part reads one part. What it holds is the member named like its type.
func (d *requestDecoder) part(turn *transform.Turn, v jsonbytes.Value, at transform.Path) error {
	if err := Object(v, at); err != nil {
		return err
	}
	kind, ok := v.Get("type").Text()
	switch {
	case v.Get("type").Empty():
		return Missing(at.Key("type"))
	case !ok:
		return WrongType(at.Key("type"), "a string", v.Get("type"))
	}
	inner := v.Get(kind)
	part := transform.Part{At: at}
	err := d.partOf(&part, kind, inner, v)
	switch {
	case err == errUnknownPart:
		d.lost.Refuse(at)
		return nil
	case err != nil:
		return err
	}
	for key, value := range v.Members() {
		switch name := jsonbytes.Name(key); {
		case name == "type" || name == kind || value.IsNull():
		case IsCacheMark(name):
			here := at // of its own, so that parts without a mark cost nothing
			if err := d.readMark(&part.Cache, value, here.Key(name)); err != nil {
				return err
			}
		case kind == "thinking" && (name == "signature" || name == "closed"):
		default:
			d.lost.Drop(at.Key(name))
		}
	}
	turn.Parts = append(turn.Parts, part)
	return nil
}

// errUnknownPart stands for a part that no other format has either.
var errUnknownPart = &transform.Error{Message: "unknown part"}

func (d *requestDecoder) partOf(part *transform.Part, kind string, inner, v jsonbytes.Value) (err error) {
	here := part.At.Key(kind)
	switch kind {
	case "text", "refusal", "image_url", "input_audio", "file":
		if inner.Empty() {
			return Missing(here)
		}
	}
	switch kind {
	case "text":
		part.Kind = transform.PartText
		part.Text, err = Literal(inner, here)
	case "refusal":
		part.Kind = transform.PartRefusal
		part.Text, err = Literal(inner, here)
	case "thinking", "redacted_thinking":
		for i, e := range inner.Elements() {
			if err = Object(e, here.Index(i)); err != nil {
				return err
			}
		}
		if thought, ok := thinkingPart(v); ok {
			at := part.At
			thought.At, thought.Opaque.At = at, at.Key("signature")
			*part = thought
			return nil
		}
		return errUnknownPart
	case "image_url":
		part.Kind = transform.PartImage
		at := part.At
		err = d.image(&part.Media, inner, at.Key(kind))
	case "input_audio":
		part.Kind = transform.PartAudio
		err = d.audio(&part.Media, inner, here)
	case "file":
		part.Kind = transform.PartFile
		at := part.At
		err = d.file(&part.Media, inner, at.Key(kind))
	default:
		return errUnknownPart
	}
	return err
}

// image reads {url, detail}, or the URL alone as some clients send it.
func (d *requestDecoder) image(m *transform.Media, v jsonbytes.Value, at transform.Path) (err error) {
	if v.Kind() == jsonbytes.String {
		return Source(m, v, at)
	}
	if err = Object(v, at); err != nil {
		return err
	}
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		switch {
		case value.IsNull():
		case name == "url":
			err = Source(m, value, here)
		case name == "detail":
			m.Detail, err = Text(value, here)
			m.DetailAt = at.Key(name)
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	if m.URL == "" && m.Data == nil {
		return Missing(at.Key("url"))
	}
	return nil
}

func (d *requestDecoder) audio(m *transform.Media, v jsonbytes.Value, at transform.Path) (err error) {
	if err = Object(v, at); err != nil {
		return err
	}
	format := ""
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		switch {
		case value.IsNull():
		case name == "data":
			err = Data(m, value, here)
		case name == "format":
			format, err = Text(value, here)
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case m.Data == nil:
		return Missing(at.Key("data"))
	case m.Type != "": // from a data URI
	case format == "":
		return Missing(at.Key("format"))
	default:
		m.Type = "audio/" + format
	}
	return nil
}

func (d *requestDecoder) file(m *transform.Media, v jsonbytes.Value, at transform.Path) (err error) {
	if err = Object(v, at); err != nil {
		return err
	}
	for key, value := range v.Members() {
		name := jsonbytes.Name(key)
		here := at.Key(name)
		switch {
		case value.IsNull():
		case name == "file_data":
			err = Data(m, value, here)
		case name == "file_id":
			m.FileID, err = Text(value, here)
		case name == "filename":
			m.Name, err = Text(value, here)
			m.NameAt = at.Key(name)
		default:
			d.lost.Drop(here)
		}
		if err != nil {
			return err
		}
	}
	if m.Data == nil && m.URL == "" && m.FileID == "" {
		return Missing(at.Key("file_data"))
	}
	if m.Type == "" && m.Data != nil && strings.EqualFold(path.Ext(m.Name), ".pdf") {
		m.Type = "application/pdf"
	}
	return nil
}

// Source reads a URL that may be a data URI.
func Source(m *transform.Media, v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.String {
		return WrongType(at, "a string", v)
	}
	found, err := dataURI(m, v, at)
	if !found && err == nil {
		m.URL, _ = v.Text()
	}
	return err
}

// Data reads base64 that may be wrapped in a data URI, or a URL in its place.
func Data(m *transform.Media, v jsonbytes.Value, at transform.Path) error {
	if v.Kind() != jsonbytes.String {
		return WrongType(at, "a string", v)
	}
	found, err := dataURI(m, v, at)
	if found || err != nil {
		return err
	}
	inside := inside(v)
	if bytes.HasPrefix(inside, []byte("http://")) || bytes.HasPrefix(inside, []byte("https://")) {
		m.URL = string(inside)
		return nil
	}
	m.Data = inside
	return checkData(m, at)
}

// inside is a string's text, in place where it holds no escapes. Encoders that
// write base64 with \/ are the exception.
func inside(v jsonbytes.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	return v.AppendText(make([]byte, 0, len(v)))
}

// dataURI takes data:<type>;base64,<data> apart.
func dataURI(m *transform.Media, v jsonbytes.Value, at transform.Path) (found bool, err error) {
	const scheme = "data:"
	if len(v) < len(scheme)+2 || !strings.EqualFold(string(v[1:1+len(scheme)]), scheme) {
		return false, nil
	}
	head, data, ok := bytes.Cut(inside(v)[len(scheme):], []byte(","))
	kind, parameters, _ := strings.Cut(string(head), ";")
	if !ok || !strings.HasSuffix(";"+parameters, ";base64") {
		return true, BadRequest(CodeInvalidValue, at, "must be a URL or data:<media type>;base64,<data>.")
	}
	m.Type, m.Data = strings.ToLower(strings.TrimSpace(kind)), data
	return true, checkData(m, at)
}

// checkData makes sure that the data can stand between quotes, whatever the
// escapes hid.
func checkData(m *transform.Media, at transform.Path) error {
	if len(m.Data) == 0 {
		return BadRequest(CodeInvalidValue, at, "holds no data.")
	}
	if bytes.IndexByte(m.Data, '"') >= 0 || bytes.IndexByte(m.Data, '\\') >= 0 || bytes.ContainsFunc(m.Data, isControl) {
		return BadRequest(CodeInvalidValue, at, "must be base64.")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' }
