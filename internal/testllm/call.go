package testllm

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Format is the wire format a request is written in.
type Format string

// The formats; a request to any other path has none.
const (
	OpenAI    Format = "openai"
	Responses Format = "responses" // of OpenAI's too
	Anthropic Format = "anthropic"
	Gemini    Format = "gemini"
)

// Operation is what a request asks for.
type Operation string

// The operations; a request to any other path has none and is answered 404
// unless the reply is an error or raw.
const (
	Chat       Operation = "chat"
	Embeddings Operation = "embeddings"
	Models     Operation = "models"
)

// Call is one received request and what became of it.
type Call struct {
	Index     int    // order of arrival, from 0
	Method    string // GET, POST
	Host      string // Host header
	Path      string // decoded path
	Query     string // raw query
	Header    http.Header
	Body      []byte // as received; what had arrived if the client left meanwhile
	Format    Format
	Operation Operation
	Model     string // as requested, from the body or the path
	Stream    bool   // a streamed answer was asked for

	// What a provider would bill: the prompt with the first write of an
	// answer, the completion in proportion to the content events written (all
	// of it at once when not streamed). Errors cost nothing.
	Prompt     int
	Completion int

	// Finished: the reply was played to its scripted end, faults included.
	// Cancelled: the client left before. Never both; neither while running.
	Finished  bool
	Cancelled bool
	// Ended is when it became either of them.
	Ended time.Time

	uri     string
	trailer http.Header
}

func newCall(r *http.Request, body []byte, request request) Call {
	return Call{
		Method:    r.Method,
		Host:      r.Host,
		Path:      r.URL.Path,
		Query:     r.URL.RawQuery,
		Header:    r.Header.Clone(),
		Body:      body,
		Format:    request.format,
		Operation: request.operation,
		Model:     request.model,
		Stream:    request.stream,
		uri:       r.RequestURI,
		trailer:   r.Trailer.Clone(),
	}
}

func (c Call) clone() Call {
	c.Header = c.Header.Clone()
	return c
}

// Has reports whether the received request contains a canary anywhere: address
// (raw or decoded), host, header and trailer names and values, or body.
func (c Call) Has(canary string) bool {
	decoded, _ := url.QueryUnescape(c.Query)
	for _, text := range []string{c.Method, c.uri, c.Path, decoded, c.Host} {
		if strings.Contains(text, canary) {
			return true
		}
	}
	for _, header := range []http.Header{c.Header, c.trailer} {
		for name, values := range header {
			if strings.Contains(strings.ToLower(name), strings.ToLower(canary)) {
				return true
			}
			for _, value := range values {
				if strings.Contains(value, canary) {
					return true
				}
			}
		}
	}
	return bytes.Contains(c.Body, []byte(canary))
}
