package ollama

import (
	"net/http"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeError reads the body of a failed answer, {"error": "text"}. What is not
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
	e := &transform.Error{Kind: transform.KindOfStatus(status)}
	if status >= 400 {
		e.Status = status
	}
	for _, place := range [...]jsonbytes.Value{v.Get("error"), v.Get("error").Get("message"), v.Get("message")} {
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

// refine makes the kind as exact as the message allows.
func refine(e *transform.Error) {
	message := strings.ToLower(e.Message)
	open := e.Status == 0
	if transform.OfDays(message) {
		e.RetryAfter = transform.LongWait
	}
	switch {
	case (open || e.Status == http.StatusBadRequest || e.Status >= 500) &&
		transform.Mentions(message, "context length", "context window", "context size", "exceeds maximum context", "prompt is too long", "prompt too long"):
		e.Kind = transform.ErrContextLength
	case open && strings.Contains(message, "model") && strings.Contains(message, "not found"):
		e.Kind = transform.ErrNotFound
	case open && strings.Contains(message, "does not support"):
		e.Kind = transform.ErrBadRequest
	case open && transform.Mentions(message, "server busy", "maximum pending requests"):
		e.Kind = transform.ErrOverloaded
	case open && transform.Mentions(message, "rate limit", "usage limit", "too many requests"):
		e.Kind = transform.ErrRateLimit
	}
}
