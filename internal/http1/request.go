package http1

import (
	"errors"
	"net/http"
	"strconv"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// Body is what a request's body must be: memory.
type Body interface {
	// Take returns all that was not read yet, as if it had been read. It must not
	// change before the body is closed.
	Take() []byte
	Close() error
}

// isPlain tells the requests that this package can send.
func isPlain(r *http.Request) bool {
	if r.Method != http.MethodPost && r.Method != http.MethodGet || r.Close || r.Trailer != nil || r.TransferEncoding != nil || r.URL.Opaque != "" {
		return false
	}
	if r.Host != "" && r.Host != r.URL.Host && !isPlainHost(r.Host) {
		return false
	}
	for _, name := range [...]string{"Connection", "Upgrade", "Expect"} {
		if _, ok := r.Header[name]; ok {
			return false
		}
	}
	if r.Body == nil || r.Body == http.NoBody {
		return r.ContentLength == 0
	}
	_, ok := r.Body.(Body)
	return ok && r.ContentLength >= 0
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// rewind is a request with its body from the beginning, or why there is none: the
// error that made it necessary.
func rewind(r *http.Request, because error) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	if r.GetBody == nil {
		return nil, because
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	anew := *r
	anew.Body = body
	if !isPlain(&anew) {
		_ = body.Close()
		return nil, because
	}
	return &anew, nil
}

// output is memory for what is written, while it is written.
type output struct{ bytes []byte }

const keepOutput = 64 << 10

var outputs = sync.Pool{New: func() any { return &output{bytes: make([]byte, 0, 4<<10)} }}

func (o *output) release() {
	if cap(o.bytes) <= keepOutput {
		outputs.Put(o)
	}
}

var (
	errHeaderName  = errors.New("a header field of the request has no valid name")
	errHeaderValue = errors.New("a header field of the request has no valid value")
	errTarget      = errors.New("the request's URL holds control characters")
	errLength      = errors.New("the request's body is not as long as announced")
)

// appendHead appends the request line and the header.
func appendHead(b []byte, r *http.Request, length int) ([]byte, error) {
	b = append(append(b, r.Method...), ' ')
	begin := len(b)
	if path := r.URL.EscapedPath(); path == "" {
		b = append(b, '/')
	} else {
		b = append(b, path...)
	}
	if r.URL.ForceQuery || r.URL.RawQuery != "" {
		b = append(append(b, '?'), r.URL.RawQuery...)
	}
	for _, c := range b[begin:] {
		if c <= ' ' || c == 0x7f {
			return b, errTarget
		}
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if r.Host != "" {
		b = append(b, r.Host...)
	} else {
		b = append(b, r.URL.Host...)
	}
	if r.Header["User-Agent"] == nil {
		b = append(b, "\r\nUser-Agent: Go-http-client/1.1"...)
	}
	if length > 0 || r.Method == http.MethodPost {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(length), 10)
	}
	b, err := appendFields(append(b, '\r', '\n'), r.Header)
	return append(b, '\r', '\n'), err
}

// appendFields appends all fields but those that this package says itself.
func appendFields(b []byte, header http.Header) ([]byte, error) {
	for name, values := range header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			continue
		case "User-Agent":
			if len(values) == 0 || values[0] == "" {
				continue
			}
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return b, errHeaderName
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return b, errHeaderValue
			}
			b = append(append(append(b, name...), ": "...), trim(value)...)
			b = append(b, '\r', '\n')
		}
	}
	return b, nil
}
