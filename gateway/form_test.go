package gateway

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

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
			a := &attempt{call: c}
			a.target.Model = "another"
			got := string(a.editedForm().bytes)
			if want := strings.Replace(string(c.body.bytes), "\r\n\r\n"+test.want+"\r\n", "\r\n\r\nanother\r\n", 1); got != want {
				t.Errorf("form became %q, want %q", got, want)
			}
		})
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
		a := &attempt{call: c}
		a.target.Model = "another"
		edited := formCall(contentType, a.editedForm().bytes)
		if err := edited.readForm(); err == nil && edited.routing.model != "another" {
			t.Errorf("%q became a form of model %q", body, edited.routing.model)
		}
	})
}
