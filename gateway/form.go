package gateway

import (
	"bytes"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// form is what is known of a request that came as multipart/form-data: where
// the model's value stands in the body.
type form struct {
	model jsonbytes.Span
}

func isMultipart(h http.Header) bool {
	return strings.HasPrefix(mediaType(h), "multipart/")
}

// maxFormParts bounds what is searched for the model.
const maxFormParts = 128

// readForm finds the fields model and stream. Files are passed over unread.
func (c *call) readForm() error {
	_, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	boundary := params["boundary"]
	if err != nil || boundary == "" {
		return errForm
	}
	f := &form{}
	found, parts := false, 0
	delimiter := []byte("--" + boundary)
	for at, rest := 0, c.body.bytes; ; {
		next := bytes.Index(rest, delimiter)
		if next < 0 {
			break
		}
		if parts++; parts > maxFormParts {
			return errForm
		}
		at += next + len(delimiter)
		rest = c.body.bytes[at:]
		name, value, ok := formField(rest, delimiter)
		if !ok {
			continue
		}
		value.From += at
		value.To += at
		switch name {
		case "model":
			if found {
				return contentError("duplicate_key", "model", "The request has a member twice: send each once.")
			}
			f.model, found = value, true
		case "stream":
			c.routing.stream = string(value.Of(c.body.bytes)) == "true"
		}
	}
	if !found {
		return errModelMissing
	}
	c.form = f
	return c.nameModel(jsonbytes.AppendBytes(nil, f.model.Of(c.body.bytes)))
}

// formField reads a part behind its delimiter: the field's name, and its value's
// place, unless it is a file.
func formField(part, delimiter []byte) (name string, value jsonbytes.Span, ok bool) {
	if !bytes.HasPrefix(part, []byte("\r\n")) {
		return "", value, false // the closing delimiter, or none
	}
	header, _, ok := bytes.Cut(part, []byte("\r\n\r\n"))
	if !ok {
		return "", value, false
	}
	value.From = len(header) + len("\r\n\r\n")
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		field, content, _ := strings.Cut(string(line), ":")
		if textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(field)) != "Content-Disposition" {
			continue
		}
		_, params, err := mime.ParseMediaType(content)
		if _, file := params["filename"]; err != nil || file {
			return "", value, false
		}
		name = params["name"]
	}
	length := bytes.Index(part[value.From:], append([]byte("\r\n"), delimiter...))
	if name == "" || length < 0 {
		return "", value, false
	}
	value.To = value.From + length
	return name, value, true
}

// editedForm puts the target's model in.
func (a *attempt) editedForm() *buffer {
	if a.target.Model == a.routing.model {
		a.body.owners.Add(1)
		return a.body
	}
	out := newBuffer()
	body := a.body.bytes
	out.bytes = slices.Concat(body[:a.form.model.From], []byte(a.target.Model), body[a.form.model.To:])
	return out
}
