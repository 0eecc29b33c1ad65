package gateway

import (
	"bytes"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// Forms are read in the narrowest grammar that every client writes. Servers read
// them in many ways: one that took another part for the model than the gateway
// did would answer with a model to which the caller has no right. What could be
// read in two ways is refused.

// form is what is known of a request that came as multipart/form-data.
type form struct {
	// model is where the model's value stands in the body.
	model jsonbytes.Span
	// files is how many bytes of the body are files.
	files int
}

func isMultipart(h http.Header) bool {
	return strings.HasPrefix(mediaType(h), "multipart/")
}

const (
	// maxFormParts bounds what is searched for the model.
	maxFormParts = 128
	// maxPartHeader bounds the header of one part.
	maxPartHeader = 8 << 10
)

// readForm finds the fields model and stream. Files are passed over unread.
func (c *call) readForm() error {
	boundary, ok := formBoundary(c.r.Header["Content-Type"])
	if !ok {
		return errForm
	}
	parts, err := formParts(c.body.bytes, boundary)
	if err != nil {
		return err
	}
	c.form = new(form)
	found := make(map[string]jsonbytes.Span, 2)
	for _, part := range parts {
		name, file, ok := partName(part.header)
		if !ok {
			return errForm
		}
		if file {
			c.form.files += part.value.To - part.value.From
		}
		field := decisive(name)
		if field == "" {
			continue
		}
		if name != field || file || !isPlainText(part.header) {
			return errForm
		}
		if _, twice := found[field]; twice {
			return contentError("duplicate_key", field, "The request has a member twice: send each once.")
		}
		found[field] = part.value
	}
	model, ok := found["model"]
	if !ok {
		return errModelMissing
	}
	c.form.model = model
	stream := found["stream"]
	c.routing.stream = string(stream.Of(c.body.bytes)) == "true"
	return c.nameModel(jsonbytes.AppendBytes(nil, model.Of(c.body.bytes)))
}

// formBoundary is the boundary of multipart/form-data with no other parameter
// that a server could heed.
func formBoundary(contentType []string) (boundary string, ok bool) {
	if len(contentType) != 1 || strings.ContainsAny(contentType[0], `*\`) {
		return "", false
	}
	media, params, err := mime.ParseMediaType(contentType[0])
	boundary = params["boundary"]
	return boundary, err == nil && media == "multipart/form-data" && boundary != "" && len(boundary) <= 70
}

// formPart is one part of a form.
type formPart struct {
	header []byte
	value  jsonbytes.Span
}

// formParts cuts a form at its boundary, which may stand nowhere but between parts.
func formParts(body []byte, boundary string) (parts []formPart, _ error) {
	delimiter := []byte("\r\n--" + boundary)
	at := len(delimiter) - 2
	if !bytes.HasPrefix(body, delimiter[2:]) {
		return nil, errForm
	}
	for {
		rest := body[at:]
		if closing, ok := bytes.CutPrefix(rest, []byte("--")); ok {
			if len(bytes.TrimRight(closing, "\r\n")) > 0 {
				return nil, errForm
			}
			return parts, nil
		}
		head := bytes.Index(rest[:min(len(rest), maxPartHeader)], []byte("\r\n\r\n"))
		if head < 2 || rest[0] != '\r' || rest[1] != '\n' || len(parts) == maxFormParts {
			return nil, errForm
		}
		value := jsonbytes.Span{From: at + head + 4}
		// The boundary counts wherever it stands: some servers do not ask for the line's end before it.
		next := bytes.Index(body[value.From:], delimiter[2:])
		if next < 2 || !bytes.HasSuffix(body[:value.From+next], delimiter[:2]) {
			return nil, errForm
		}
		value.To = value.From + next - 2
		parts = append(parts, formPart{header: rest[2:head], value: value})
		at = value.From + next + len(delimiter) - 2
	}
}

// partName reads the one Content-Disposition of a part.
func partName(header []byte) (name string, file, ok bool) {
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		field, content, colon := strings.Cut(string(line), ":")
		if !colon || strings.ContainsAny(field, " \t") || strings.ContainsAny(content, "\r\n") {
			return "", false, false // folded, or cut by another rule than ours
		}
		if !strings.EqualFold(field, "Content-Disposition") {
			continue
		}
		disposition, params, err := mime.ParseMediaType(content)
		if err != nil || ok || disposition != "form-data" || strings.Contains(strings.ReplaceAll(content, "filename*", ""), "name*") {
			return "", false, false
		}
		name, ok = params["name"]
		_, file = params["filename"]
	}
	return name, file, ok
}

// isPlainText tells whether a part's value is what it looks like.
func isPlainText(header []byte) bool {
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		field, content, _ := strings.Cut(string(line), ":")
		switch strings.ToLower(field) {
		case "content-disposition", "content-length":
		case "content-type":
			media, params, err := mime.ParseMediaType(content)
			if charset := strings.ToLower(params["charset"]); err != nil || media != "text/plain" || charset != "" && charset != "utf-8" && charset != "us-ascii" {
				return false
			}
		case "content-transfer-encoding":
			switch strings.ToLower(strings.TrimSpace(content)) {
			case "7bit", "8bit", "binary":
			default:
				return false
			}
		default:
			return false
		}
	}
	return true
}

// decisive is which of the fields that decide something a server may take the
// name for: Model and model[] are both model somewhere.
func decisive(name string) string {
	name, _, _ = strings.Cut(name, "[")
	for _, field := range [...]string{"model", "stream"} {
		if strings.EqualFold(strings.TrimSpace(name), field) {
			return field
		}
	}
	return ""
}

// bytesPerFileToken is about how many bytes of a file a provider counts as one
// token: a tenth of a second of sound.
const bytesPerFileToken = 1600

// estimate guesses the tokens of the request of so many bytes in all.
func (f *form) estimate(size int) int64 {
	return usage.EstimateBytes(size-f.files) + int64(f.files/bytesPerFileToken)
}

// editedForm puts the target's model in, or what the provider calls that.
func (a *attempt) editedForm() *buffer {
	model := a.target.Model
	if edits := a.endpoint.Edits; edits != nil {
		for _, m := range edits.Set {
			if name, ok := m.Value.Text(); ok && m.Name == "model" {
				model = name
			}
		}
	}
	if model == a.routing.model {
		a.body.owners.Add(1)
		return a.body
	}
	out := newBuffer()
	body := a.body.bytes
	out.bytes = slices.Concat(body[:a.form.model.From], []byte(model), body[a.form.model.To:])
	return out
}
