package gateway

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// formCall is a call whose body is a form.
func formCall(contentType string, body []byte) *call {
	c := &call{
		r: &http.Request{Header: http.Header{"Content-Type": {contentType}}}, claim: claim{op: opForward, client: openai.Codec{}},
		body: &buffer{bytes: body},
	}
	c.body.owners.Store(1)
	return c
}

// newForm writes fields, and a file before the last of them.
func newForm(t testing.TB, fields ...string) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if i == len(fields)-2 {
			file, err := w.CreateFormFile("file", "a.wav")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = file.Write([]byte("RIFF\r\n\r\n--not the boundary\x00\xff"))
		}
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func TestFormsNameTheirModel(t *testing.T) {
	for _, test := range []struct {
		name   string
		fields []string
		want   string
		stream bool
		code   string
	}{
		{"first", []string{"model", "openai/whisper-1", "language", "en"}, "openai/whisper-1", false, ""},
		{"behind the file", []string{"stream", "true", "model", "whisper"}, "whisper", true, ""},
		{"none", []string{"language", "en", "x", "y"}, "", false, "missing_required_parameter"},
		{"twice", []string{"model", "a", "model", "b"}, "", false, "duplicate_key"},
		{"bad name", []string{"model", "../x"}, "", false, "invalid_value"},
		{"empty", []string{"model", ""}, "", false, "invalid_value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := formCall(newForm(t, test.fields...))
			err := c.readRouting()
			var e *transform.Error
			if errors.As(err, &e) != (test.code != "") || e != nil && e.Code != test.code {
				t.Fatalf("error is %v, want code %q", err, test.code)
			}
			if c.routing.model != test.want || c.routing.stream != test.stream {
				t.Errorf("model %q, stream %v", c.routing.model, c.routing.stream)
			}
			if err != nil {
				return
			}
			a := &attempt{call: c, target: new(routing.Target)}
			a.target.Model = "another"
			got := string(a.editedForm().bytes)
			if want := strings.Replace(string(c.body.bytes), "\r\n\r\n"+test.want+"\r\n", "\r\n\r\nanother\r\n", 1); got != want {
				t.Errorf("form became %q, want %q", got, want)
			}
			a.endpoint.Edits = &providers.Edits{Set: []transform.Member{{Name: "model", Value: transform.Quote("deployed")}}}
			if got, want := string(a.editedForm().bytes), strings.Replace(got, "another", "deployed", 1); got != want {
				t.Errorf("form became %q, want %q", got, want)
			}
		})
	}
}

// A form that a server could read in another way than the gateway would answer
// with a model that the caller did not name here, or has no right to.
func TestFormsThatServersReadInSeveralWaysAreRefused(t *testing.T) {
	const (
		plain = "multipart/form-data; boundary=b"
		model = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nallowed\r\n"
		end   = "--b--\r\n"
	)
	part := func(header, value string) string { return "--b\r\n" + header + "\r\n\r\n" + value + "\r\n" }
	for name, test := range map[string]struct{ contentType, body string }{
		"bare line feeds":             {plain, model + "--b\nContent-Disposition: form-data; name=\"model\"\n\nsecret\r\n" + end},
		"bare line feeds in a header": {plain, model + part("X: y\nContent-Disposition: form-data; name=\"model\"", "secret") + end},
		"padding behind the boundary": {plain, model + "--b \r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nsecret\r\n" + end},
		"boundary within a line":      {plain, model + part(`Content-Disposition: form-data; name="x"`, "--b\r\nContent-Disposition: form-data; name=\"y\"\r\n\r\nz") + end},
		"boundary behind a line feed": {plain, model + part(`Content-Disposition: form-data; name="x"`, "\n--b\nContent-Disposition: form-data; name=\"model\"\n\nsecret") + end},
		"preamble":                    {plain, "\n" + model + end},
		"epilogue":                    {plain, model + end + part(`Content-Disposition: form-data; name="model"`, "secret") + end},
		"no end":                      {plain, model},
		"model as a file":             {plain, model + part(`Content-Disposition: form-data; name="model"; filename=""`, "secret") + end},
		"only model is a file":        {plain, part(`Content-Disposition: form-data; name="model"; filename="x"`, "secret") + end},
		"two dispositions":            {plain, model + part("Content-Disposition: form-data; name=\"model\"\r\nContent-Disposition: form-data; name=\"x\"", "secret") + end},
		"two names":                   {plain, model + part(`Content-Disposition: form-data; name="x"; name="model"`, "secret") + end},
		"extended name":               {plain, model + part(`Content-Disposition: form-data; name="x"; name*=utf-8''model`, "secret") + end},
		"folded header":               {plain, model + part("Content-Disposition: form-data;\r\n name=\"model\"", "secret") + end},
		"space before the colon":      {plain, model + part(`Content-Disposition : form-data; name="model"`, "secret") + end},
		"no disposition":              {plain, model + part("Content-Type: text/plain", "secret") + end},
		"another case":                {plain, model + part(`Content-Disposition: form-data; name="Model"`, "secret") + end},
		"a list":                      {plain, model + part(`Content-Disposition: form-data; name="model[]"`, "secret") + end},
		"encoded value":               {plain, part("Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64", "c2VjcmV0") + end},
		"value in another charset":    {plain, part("Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=utf-7", "secret") + end},
		"stream twice":                {plain, model + part(`Content-Disposition: form-data; name="stream"`, "true") + part(`Content-Disposition: form-data; name="stream"`, "false") + end},
		"too many parts":              {plain, model + strings.Repeat(part(`Content-Disposition: form-data; name="x"`, "y"), maxFormParts) + end},
		"another multipart":           {"multipart/mixed; boundary=b", model + end},
		"two boundaries":              {"multipart/form-data; boundary=b; boundary=c", model + end},
		"extended boundary":           {"multipart/form-data; boundary*=utf-8''c; boundary=b", model + end},
	} {
		t.Run(name, func(t *testing.T) {
			c := formCall(test.contentType, []byte(test.body))
			if err := c.readRouting(); err == nil {
				t.Errorf("it names %q", c.routing.model)
			}
		})
	}
	for name, body := range map[string]string{
		"plain":              model + end,
		"no line's end":      model + "--b--",
		"typed value":        part("Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 7", "allowed") + end,
		"name of a file":     part("Content-Disposition: form-data; name=\"file\"; filename=\"x\"; filename*=utf-8''x\r\nContent-Type: audio/wav", "RIFF\r\n\n--") + model + end,
		"old name of a file": part("Content-Disposition: form-data; name=\"file\"; filename=\"C:\\new\\ü.wav\"", "RIFF") + model + end,
		"empty other part":   model + part(`content-disposition: form-data; name=x`, "") + end,
	} {
		c := formCall(`multipart/form-data; boundary="b"`, []byte(body))
		if err := c.readRouting(); err != nil || c.routing.model != "allowed" {
			t.Errorf("%s: model %q, %v", name, c.routing.model, err)
		}
	}
	c := formCall(plain, []byte(model+end))
	c.r.Header["Content-Type"] = append(c.r.Header["Content-Type"], "multipart/form-data; boundary=c")
	if err := c.readRouting(); err == nil {
		t.Error("a form with two content types was taken")
	}
}

func FuzzForm(f *testing.F) {
	contentType, body := newForm(f, "model", "m", "x", "y")
	f.Add(contentType, body)
	f.Add("multipart/form-data; boundary=a", []byte("--a\r\n\r\n--a"))
	f.Add("multipart/form-data; boundary=a", []byte("--a\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n--a"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		c := formCall(contentType, body)
		if err := c.readForm(); err != nil {
			return
		}
		a := &attempt{call: c, target: new(routing.Target)}
		a.target.Model = "another"
		edited := formCall(contentType, a.editedForm().bytes)
		if err := edited.readForm(); err == nil && edited.routing.model != "another" {
			t.Errorf("%q became a form of model %q", body, edited.routing.model)
		}
	})
}
