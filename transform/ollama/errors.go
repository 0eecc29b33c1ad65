package ollama

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// maxMessage bounds what is passed on of a provider's words, in bytes.
const maxMessage = 2 << 10

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
			e.Message = clean(text)
		}
	}
	refine(e)
	if e.Message == "" {
		e.Message = "the provider answered with an error"
		if status >= 400 {
			e.Message = "the provider answered with status " + strconv.Itoa(status) + " and no reason"
		}
	}
	return e
}

// refine makes the kind as exact as the message allows.
func refine(e *transform.Error) {
	message := strings.ToLower(e.Message)
	open := e.Status == 0
	switch {
	case (open || e.Status == http.StatusBadRequest || e.Status >= 500) &&
		hasAny(message, "context length", "context window", "context size", "exceeds maximum context", "prompt is too long", "prompt too long"):
		e.Kind = transform.ErrContextLength
	case open && strings.Contains(message, "model") && strings.Contains(message, "not found"):
		e.Kind = transform.ErrNotFound
	case open && strings.Contains(message, "does not support"):
		e.Kind = transform.ErrBadRequest
	case open && hasAny(message, "server busy", "maximum pending requests"):
		e.Kind = transform.ErrOverloaded
	case open && hasAny(message, "rate limit", "usage limit", "too many requests"):
		e.Kind = transform.ErrRateLimit
	}
}

func hasAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// clean makes a provider's words safe to pass on, and short.
func clean(message string) string {
	message = strings.ToValidUTF8(message[:min(len(message), 2*maxMessage)], "")
	message = strings.Join(strings.Fields(transform.Scrub(message)), " ")
	return strings.ToValidUTF8(message[:min(len(message), maxMessage)], "")
}
