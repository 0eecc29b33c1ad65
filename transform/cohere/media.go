package cohere

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// place prepares media: an image stays one, a file of text gets its text. It is
// false for what the format has no form for.
func (e *encoder) place(part *transform.Part) bool {
	m := &part.Media
	switch {
	case part.Kind == transform.PartImage, part.Kind == transform.PartFile && strings.HasPrefix(m.Type, "image/"):
		part.Kind = transform.PartImage
		switch m.Detail {
		case "", "auto", "low", "high":
		default:
			e.lost.Drop(part.Media.DetailAt)
			m.Detail = ""
		}
		return len(m.Data) > 0 && m.Type != "" || isURL(m.URL)
	case part.Kind == transform.PartFile:
		part.Text = m.PlainText()
	}
	return part.Text != nil
}

func isURL(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}

func (e *encoder) image(m *transform.Media) {
	e.Raw(`{"type":"image_url","image_url":{"url":`)
	if len(m.Data) > 0 {
		e.Raw(`"data:`)
		mime := jsonbytes.AppendString(nil, m.Type)
		e.Value(mime[1 : len(mime)-1])
		e.Raw(`;base64,`)
		data := jsonbytes.AppendBytes(nil, m.Data)
		e.Value(data[1:])
	} else {
		e.String(m.URL)
	}
	if m.Detail != "" {
		e.Text("detail", m.Detail)
	}
	e.Raw("}}")
}

// documents writes the client's documents and the text files of the conversation.
func (e *encoder) documents() {
	if e.extra.documents.Len() == 0 && len(e.files) == 0 {
		return
	}
	e.Key("documents")
	e.Raw("[")
	for _, document := range e.extra.documents.Elements() {
		e.Comma()
		e.Value(document)
	}
	for i := range e.files {
		e.Comma()
		e.Raw(`{"data":{`)
		if name := e.files[i].Media.Name; name != "" {
			e.Text("title", name)
		}
		e.Key("text")
		e.Value(e.files[i].Text)
		e.Raw("}}")
	}
	e.Raw("]")
}
