package cohere

import (
	"net/http"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeError reads the body of a failed answer, {"id", "message"}. What is not
// of this shape, such as a proxy's HTML, is an error of the status alone.
func (Codec) DecodeError(status int, body []byte) *transform.Error {
	text := jsonbytes.Parse(body)
	if jsonbytes.Check(text, 0) != nil {
		text = nil
	}
	return decodeError(status, text)
}

// decodeError reads an error. status is that of the HTTP answer, 0 if it was
// 200 and means nothing.
func decodeError(status int, v jsonbytes.Value) *transform.Error {
	e := &transform.Error{Kind: kindOfStatus(status)}
	if status >= 400 {
		e.Status = status
	}
	for _, place := range [...]jsonbytes.Value{
		v.Get("message"), v.Get("error"), v.Get("error").Get("message"), v.Get("detail"),
	} {
		if text, _ := place.Text(); text != "" && e.Message == "" {
			e.Message = transform.OneLine(text)
		}
	}
	refine(e)
	if e.Message == "" {
		e.Message = transform.NoReason(status)
	}
	return e
}

// isError tells whether an answer is an error although its status promised
// none: a message is an object in answers and a string in errors.
func isError(v jsonbytes.Value) bool {
	failure := v.Get("error")
	return v.Get("message").HasText() || failure.HasText() || failure.Kind() == jsonbytes.Object && failure.Len() > 0
}

// kindOfStatus knows two statuses that are Cohere's own.
// https://docs.cohere.com/reference/errors
func kindOfStatus(status int) transform.ErrorKind {
	switch status {
	case 498: // a text that is on the provider's list of what may not be said
		return transform.ErrContentPolicy
	case 499:
		return transform.ErrCancelled
	}
	return transform.KindOfStatus(status)
}

// refine makes the kind as exact as the message allows.
func refine(e *transform.Error) {
	message := strings.ToLower(e.Message)
	bad := e.Kind == transform.ErrBadRequest || e.Kind == transform.ErrTooLarge || e.Status == 0
	switch {
	case bad && transform.Mentions(message, "too many tokens", "context length", "maximum context", "shorter or fewer inputs"):
		e.Kind = transform.ErrContextLength
	case bad && transform.Mentions(message, "invalid api token", "invalid api key", "incorrect api key", "no api key"):
		e.Kind = transform.ErrAuthentication
	case e.Status == http.StatusTooManyRequests && strings.Contains(message, "calls / month"):
		e.Kind = transform.ErrQuota
	case e.Status == 0 && strings.Contains(message, "rate limit"):
		e.Kind = transform.ErrRateLimit
	}
}
