package openai

import (
	"encoding/base64"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// TextOfFile turns a file of text into the text itself.
func TextOfFile(part *transform.Part) bool {
	if !strings.HasPrefix(part.Media.Type, "text/") || part.Media.Data == nil {
		return false
	}
	plain, err := base64.StdEncoding.AppendDecode(nil, part.Media.Data)
	if err != nil {
		return false
	}
	part.Kind, part.Text = transform.PartText, jsonbytes.AppendBytes(nil, plain)
	return true
}

// sendable tells whether this format has a form for the media.
func (e *requestEncoder) sendable(part *transform.Part) bool {
	m := &part.Media
	switch part.Kind {
	case transform.PartImage:
		return e.p.Images != ImagesNone && (m.Data != nil || m.URL != "" && e.p.Images == ImagesAny)
	case transform.PartAudio:
		return m.Data != nil && audioFormat(m.Type) != ""
	}
	if e.p.Documents {
		return m.Data != nil || m.URL != ""
	}
	// An id is of use only to who gave it: OpenAI's begin so.
	return m.Data != nil || strings.HasPrefix(m.FileID, "file-")
}

func audioFormat(mediaType string) string {
	switch strings.TrimPrefix(strings.TrimPrefix(mediaType, "audio/"), "x-") {
	case "wav", "wave":
		return "wav"
	case "mp3", "mpeg":
		return "mp3"
	}
	return ""
}

// part writes one element of a content array.
func (e *requestEncoder) part(part *transform.Part) {
	m := &part.Media
	switch part.Kind {
	case transform.PartText:
		e.Raw(`{"type":"text","text":`)
		e.Value(part.Text)
	case transform.PartImage:
		e.Raw(`{"type":"image_url","image_url":{"url":`)
		e.source(m)
		switch {
		case m.Detail == "":
		case e.p.NoDetail:
			e.lost.Drop(part.Media.DetailAt)
		default:
			e.Text("detail", m.Detail)
		}
		e.Raw(`}`)
	case transform.PartAudio:
		if e.p.PlainAudio {
			e.Raw(`{"type":"input_audio","input_audio":"`)
			e.Value(m.Data)
			e.Raw(`"`)
			break
		}
		e.Raw(`{"type":"input_audio","input_audio":{"data":"`)
		e.Value(m.Data)
		e.Raw(`"`)
		e.Text("format", audioFormat(m.Type))
		e.Raw(`}`)
	case transform.PartFile:
		e.file(m)
	}
	switch {
	case part.Cache == nil:
	case e.family.breakpoints:
		e.Raw(`,"prompt_cache_breakpoint":{"mode":"explicit"}`)
	case e.marks(part):
		e.cacheControl(part.Cache)
	default:
		e.unmarked(part)
	}
	e.Raw(`}`)
}

func (e *requestEncoder) source(m *transform.Media) { e.Out = AppendSource(e.Out, m) }

// AppendSource writes data as a data URI, or the URL.
func AppendSource(dst []byte, m *transform.Media) []byte {
	if m.Data == nil {
		return jsonbytes.AppendString(dst, m.URL)
	}
	dst = append(dst, `"data:`...)
	kind := jsonbytes.AppendString(nil, m.Type)
	dst = append(dst, kind[1:len(kind)-1]...)
	dst = append(dst, `;base64,`...)
	dst = append(dst, m.Data...)
	return append(dst, '"')
}

func (e *requestEncoder) file(m *transform.Media) {
	if e.p.Documents {
		e.Raw(`{"type":"document_url","document_url":`)
		e.source(m)
		if m.Name != "" {
			e.Text("document_name", m.Name)
		}
		return
	}
	e.Raw(`{"type":"file","file":{`)
	if m.Data == nil {
		e.Text("file_id", m.FileID)
		e.Raw(`}`)
		return
	}
	name := m.Name
	if name == "" {
		name = "document.pdf" // OpenAI asks for one
	}
	e.Text("filename", name)
	e.Key("file_data")
	e.source(m)
	e.Raw(`}`)
}
