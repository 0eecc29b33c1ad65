package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// content reads a string, or an array of parts.
func (d *requestDecoder) content(turn *transform.Turn, v jsonbytes.Value, at transform.Path) error {
	switch v.Kind() {
	case jsonbytes.String:
		if turn.Role != transform.RoleAssistant || v.HasText() {
			turn.Parts = append(turn.Parts, transform.Part{Kind: transform.PartText, Text: v, At: at})
		}
		return nil
	case jsonbytes.Array:
		for i, e := range v.Elements() {
			if err := d.part(turn, e, at.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
	return openai.WrongType(at, "a string or an array of parts", v)
}

// part reads one part of a message or of an output.
func (d *requestDecoder) part(turn *transform.Turn, v jsonbytes.Value, at transform.Path) error {
	if err := openai.Object(v, at); err != nil {
		return err
	}
	kind := v.Get("type")
	if word, ok := kind.Text(); !ok || word == "" {
		if kind.Empty() {
			return openai.Missing(at.Key("type"))
		}
		return openai.WrongType(at.Key("type"), "a string", kind)
	}
	part := transform.Part{At: at}
	var err error
	switch {
	case kind.Is("input_text"), kind.Is("output_text"), kind.Is("text"):
		return d.textPart(turn, v, at)
	case kind.Is("refusal"):
		part.Kind = transform.PartRefusal
		err = d.partMembers(&part, v, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
			if name != "refusal" {
				return errUnread
			}
			part.Text, err = openai.Literal(value, here)
			return err
		})
		if err == nil && part.Text == nil {
			err = openai.Missing(at.Key("refusal"))
		}
	case kind.Is("input_image"):
		err = d.image(&part, v)
	case kind.Is("input_file"):
		err = d.file(&part, v)
	case kind.Is("input_audio"):
		err = d.audio(&part, v)
	default:
		d.lost.Refuse(at)
		return nil
	}
	if err != nil {
		return err
	}
	turn.Parts = append(turn.Parts, part)
	return nil
}

// errUnread is what the reader of a part's members returns for one that it
// does not know.
var errUnread = &transform.Error{Message: "unread member"}

// partMembers walks a part's members; cache marks and what read does not know
// are dealt with.
func (d *requestDecoder) partMembers(part *transform.Part, v jsonbytes.Value, read func(name string, value jsonbytes.Value, here transform.Path) error) error {
	return d.eachMember(v, part.At, func(name string, value jsonbytes.Value, here transform.Path) error {
		switch {
		case name == "type":
			return nil
		case openai.IsCacheMark(name):
			return d.mark(&part.Cache, value, here)
		}
		err := read(name, value, here)
		if err == error(errUnread) {
			d.lost.Drop(here)
			return nil
		}
		return err
	})
}

// mark reads {mode, ttl}, or {type, ttl} in the form of others.
func (d *requestDecoder) mark(mark **transform.CacheMark, v jsonbytes.Value, at transform.Path) error {
	if *mark == nil {
		*mark = &transform.CacheMark{At: at}
	}
	return d.eachMember(v, at, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch name {
		case "mode", "type":
		case "ttl":
			(*mark).TTL, err = openai.Text(value, here)
		default:
			d.lost.Drop(here)
		}
		return err
	})
}

// textPart reads {text} and, of what the model said, its annotations.
func (d *requestDecoder) textPart(turn *transform.Turn, v jsonbytes.Value, at transform.Path) error {
	part := transform.Part{Kind: transform.PartText, At: at}
	var notes []transform.Part
	err := d.partMembers(&part, v, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch {
		case name == "text":
			part.Text, err = openai.Literal(value, here)
		case name == "annotations" && value.Kind() == jsonbytes.Array:
			for i, e := range value.Elements() {
				if note, ok := d.annotation(e, here.Index(i)); ok {
					notes = append(notes, note)
				}
			}
		case name == "logprobs" && value.Len() == 0:
		default:
			return errUnread
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case part.Text == nil:
		return openai.Missing(at.Key("text"))
	case turn.Role == transform.RoleAssistant && !part.Text.HasText():
		return nil
	}
	turn.Parts = append(append(turn.Parts, part), notes...)
	return nil
}

// annotation reads a citation of a page. Those of files are OpenAI's own.
func (d *requestDecoder) annotation(v jsonbytes.Value, at transform.Path) (part transform.Part, ok bool) {
	nested := nestCitation(v)
	if nested == nil {
		d.lost.Drop(at)
		return part, false
	}
	for key := range v.Members() {
		switch name := jsonbytes.Name(key); name {
		case "type", "url", "title", "start_index", "end_index":
		default:
			d.lost.Drop(at.Key(name))
		}
	}
	return transform.Part{Kind: transform.PartCitation, Citation: nested, At: at}, true
}

// image reads {image_url, file_id, detail}.
func (d *requestDecoder) image(part *transform.Part, v jsonbytes.Value) error {
	part.Kind = transform.PartImage
	m := &part.Media
	err := d.partMembers(part, v, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch name {
		case "image_url":
			err = openai.Source(m, value, here)
		case "file_id":
			m.FileID, err = openai.Text(value, here)
		case "detail":
			m.DetailAt = here
			m.Detail, err = openai.Text(value, here)
		default:
			err = errUnread
		}
		return err
	})
	if err == nil && m.URL == "" && m.Data == nil && m.FileID == "" {
		err = openai.Missing(part.At.Key("image_url"))
	}
	return err
}

// file reads {file_data, file_url, file_id, filename}.
func (d *requestDecoder) file(part *transform.Part, v jsonbytes.Value) error {
	part.Kind = transform.PartFile
	m := &part.Media
	err := d.partMembers(part, v, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
		switch name {
		case "file_data":
			err = openai.Data(m, value, here)
		case "file_url":
			err = openai.Source(m, value, here)
		case "file_id":
			m.FileID, err = openai.Text(value, here)
		case "filename":
			m.NameAt = here
			m.Name, err = openai.Text(value, here)
		default:
			err = errUnread
		}
		return err
	})
	if err != nil {
		return err
	}
	if m.Data == nil && m.URL == "" && m.FileID == "" {
		return openai.Missing(part.At.Key("file_data"))
	}
	if m.Type == "" && m.Data != nil {
		m.Type = typeOfName(m.Name)
	}
	return nil
}

// audio reads {input_audio: {data, format}}.
func (d *requestDecoder) audio(part *transform.Part, v jsonbytes.Value) error {
	part.Kind = transform.PartAudio
	m := &part.Media
	format := ""
	err := d.partMembers(part, v, func(name string, value jsonbytes.Value, here transform.Path) error {
		if name != "input_audio" {
			return errUnread
		}
		return d.eachMember(value, here, func(name string, value jsonbytes.Value, here transform.Path) (err error) {
			switch name {
			case "data":
				err = openai.Data(m, value, here)
			case "format":
				format, err = openai.Text(value, here)
			default:
				d.lost.Drop(here)
			}
			return err
		})
	})
	switch {
	case err != nil:
		return err
	case m.Data == nil:
		return openai.Missing(part.At.Key("input_audio"))
	case m.Type == "" && format == "":
		return openai.Missing(part.At.Key("input_audio"))
	case m.Type == "":
		m.Type = "audio/" + format
	}
	return nil
}
