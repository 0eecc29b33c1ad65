package anthropic

import (
	"net/http"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// statusOverloaded is Anthropic's own status, on which its clients wait longer.
const statusOverloaded = 529

// kindTypes are Anthropic's types for the kinds of errors.
// https://docs.claude.com/en/api/errors
var kindTypes = [...]string{
	transform.ErrInternal:       "api_error",
	transform.ErrBadRequest:     "invalid_request_error",
	transform.ErrContextLength:  "invalid_request_error",
	transform.ErrContentPolicy:  "invalid_request_error",
	transform.ErrAuthentication: "authentication_error",
	transform.ErrPermission:     "permission_error",
	transform.ErrQuota:          "rate_limit_error",
	transform.ErrNotFound:       "not_found_error",
	transform.ErrConflict:       "conflict_error",
	transform.ErrTooLarge:       "request_too_large",
	transform.ErrMediaType:      "invalid_request_error",
	transform.ErrTimeout:        "timeout_error",
	transform.ErrRateLimit:      "rate_limit_error",
	transform.ErrUpstream:       "api_error",
	transform.ErrOverloaded:     "overloaded_error",
	transform.ErrCancelled:      "api_error",
	transform.ErrUnimplemented:  "invalid_request_error",
}

// Status is the HTTP status with which a client of this format is answered. The
// 503 of others becomes 529; what is no error status, such as the 200 of an
// answer that failed later, becomes the kind's own.
func (Codec) Status(e *transform.Error) int {
	status := e.Status
	if status < 400 || status > 599 {
		status = (&transform.Error{Kind: e.Kind}).HTTPStatus()
	}
	if status == http.StatusServiceUnavailable {
		return statusOverloaded
	}
	return status
}

// typeOf is the type of an error. It goes with the status: clients decide by
// both whether to try again.
func typeOf(e *transform.Error) string {
	status := Codec{}.Status(e)
	switch {
	case e.Type == "billing_error" && e.Kind == transform.ErrQuota, status == http.StatusPaymentRequired:
		return "billing_error"
	case status == http.StatusBadRequest && (e.Kind == transform.ErrQuota || e.Kind == transform.ErrNotFound):
		return "invalid_request_error"
	case status == http.StatusForbidden:
		return "permission_error" // whatever it was that is not permitted
	case status == statusOverloaded:
		return "overloaded_error"
	case int(e.Kind) < len(kindTypes):
		return kindTypes[e.Kind]
	}
	return "api_error"
}

// tooLong is what Claude Code looks for to compact a conversation.
const tooLong = "prompt is too long"

func messageOfError(e *transform.Error) string {
	message := e.Message
	if message == "" {
		message = "the request failed" // SDKs print the whole body without one
	}
	if e.Kind == transform.ErrContextLength && !strings.Contains(strings.ToLower(message), tooLong) {
		return tooLong + ": " + overrun(message) + message
	}
	return message
}

// AppendError writes {"type":"error","error":{type,message,details},"request_id"}.
// A machine code that says more than the type is where version 2026-10-21 has
// one: error.details.error_code.
func (Codec) AppendError(dst []byte, e *transform.Error, requestID string) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(dst, typeOf(e)...)
	dst = append(dst, `","message":`...)
	dst = jsonbytes.AppendString(dst, messageOfError(e))
	if reason := e.Reason(); reason != "" {
		dst = append(dst, `,"details":{"error_code":`...)
		dst = jsonbytes.AppendString(dst, reason)
		dst = append(dst, '}')
	}
	dst = append(dst, `},"request_id":`...)
	dst = appendOrNull(dst, requestID)
	return append(dst, '}')
}

// AppendStreamError writes an error as the last event of a stream.
func (c Codec) AppendStreamError(dst []byte, e *transform.Error, requestID string) []byte {
	dst = append(dst, "event: error\ndata: "...)
	dst = c.AppendError(dst, e, requestID)
	return append(dst, "\n\n"...)
}

// IsError tells whether a body is an error as clients of this format read it.
// That of Anthropic's edge, which lacks the outer type, is not.
func (Codec) IsError(body []byte) bool {
	if jsonbytes.Check(body, 0) != nil {
		return false
	}
	v := jsonbytes.Parse(body)
	inner := v.Get("error")
	return v.Get("type").Is("error") && inner.Get("type").HasText() && inner.Get("message").Kind() == jsonbytes.String
}

func appendOrNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return jsonbytes.AppendString(dst, s)
}
