package openai

import (
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// words are OpenAI's type and code for a kind of error.
type words struct{ kind, code string }

var kindWords = [...]words{
	transform.ErrInternal:       {"api_error", "internal_error"},
	transform.ErrBadRequest:     {"invalid_request_error", ""},
	transform.ErrContextLength:  {"invalid_request_error", "context_length_exceeded"},
	transform.ErrContentPolicy:  {"invalid_request_error", "content_policy_violation"},
	transform.ErrAuthentication: {"authentication_error", "invalid_api_key"},
	transform.ErrPermission:     {"permission_error", ""},
	transform.ErrQuota:          {"insufficient_quota", "insufficient_quota"},
	transform.ErrNotFound:       {"invalid_request_error", "model_not_found"},
	transform.ErrConflict:       {"invalid_request_error", "conflict"},
	transform.ErrTooLarge:       {"invalid_request_error", "request_too_large"},
	transform.ErrMediaType:      {"invalid_request_error", "unsupported_media_type"},
	transform.ErrTimeout:        {"timeout_error", "upstream_timeout"},
	transform.ErrRateLimit:      {"rate_limit_error", "rate_limit_exceeded"},
	transform.ErrUpstream:       {"api_error", "upstream_error"},
	transform.ErrOverloaded:     {"overloaded_error", "overloaded"},
	transform.ErrCancelled:      {"api_error", "request_cancelled"},
	transform.ErrUnimplemented:  {"invalid_request_error", "not_supported"},
}

// Status is the HTTP status with which a client of this format is answered.
func (Codec) Status(e *transform.Error) int { return e.KnownStatus() }

// IsError tells whether a body is an error as clients of this format read it:
// an object whose member error is an object. SDKs show nothing of any other.
func (Codec) IsError(body []byte) bool {
	return jsonbytes.Check(body, 0) == nil && jsonbytes.Parse(body).Get("error").Kind() == jsonbytes.Object
}

// AppendError writes {"error":{message,type,param,code}}. The request id goes
// into a header, not into the body.
func (Codec) AppendError(dst []byte, e *transform.Error, _ string) []byte {
	w := kindWords[transform.ErrInternal]
	if int(e.Kind) < len(kindWords) {
		w = kindWords[e.Kind]
	}
	if e.Type != "" && agrees(e.Kind, e.Type) {
		w.kind = e.Type
	}
	if e.Code != "" {
		w.code = e.Code
	}
	message := e.Message
	if message == "" {
		message = "The request failed." // SDKs print the whole body without one
	}
	dst = append(dst, `{"error":{"message":`...)
	dst = jsonbytes.AppendString(dst, message)
	dst = append(dst, `,"type":`...)
	dst = jsonbytes.AppendString(dst, w.kind)
	dst = append(dst, `,"param":`...)
	dst = appendOrNull(dst, e.Param)
	dst = append(dst, `,"code":`...)
	dst = appendOrNull(dst, w.code)
	return append(dst, `}}`...)
}

// AppendStreamError writes an error as the last event of a stream. [DONE] does
// not follow: it would say that the stream ended well.
func (c Codec) AppendStreamError(dst []byte, e *transform.Error, requestID string) []byte {
	dst = append(dst, `data: `...)
	dst = c.AppendError(dst, e, requestID)
	return append(dst, "\n\n"...)
}

func appendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, `null`...)
	}
	return jsonbytes.AppendString(dst, s)
}

// agrees tells whether a provider's type fits the kind. Clients decide by the
// type whether to try again, and some providers call everything an
// invalid_request_error.
func agrees(kind transform.ErrorKind, word string) bool {
	switch {
	case strings.Contains(word, "rate_limit"):
		return kind == transform.ErrRateLimit || kind == transform.ErrQuota
	case strings.Contains(word, "invalid_request"):
		return kindWords[kind].kind == "invalid_request_error" || kind == transform.ErrAuthentication || kind == transform.ErrPermission
	case strings.Contains(word, "authentication"):
		return kind == transform.ErrAuthentication
	case strings.Contains(word, "server_error"), strings.Contains(word, "api_error"), strings.Contains(word, "overloaded"):
		switch kind {
		case transform.ErrInternal, transform.ErrUpstream, transform.ErrOverloaded, transform.ErrTimeout, transform.ErrCancelled:
			return true
		}
		return false
	}
	return true
}
