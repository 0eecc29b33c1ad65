package gemini

import (
	"net/http"
	"strconv"
	"time"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// Status is the HTTP status with which clients of this format are told of the
// error.
func (Codec) Status(e *transform.Error) int { return e.KnownStatus() }

// statusWord is Google's word for an HTTP status. Several share one; the
// provider's own word is kept if it is one of these.
// https://cloud.google.com/apis/design/errors#handling_errors
func statusWord(status int, own string) string {
	word := "INVALID_ARGUMENT"
	switch status {
	case http.StatusBadRequest:
		if own == "FAILED_PRECONDITION" || own == "OUT_OF_RANGE" {
			return own
		}
	case http.StatusUnauthorized:
		word = "UNAUTHENTICATED"
	case http.StatusForbidden:
		word = "PERMISSION_DENIED"
	case http.StatusNotFound, http.StatusGone:
		word = "NOT_FOUND"
	case http.StatusConflict:
		if word = "ABORTED"; own == "ALREADY_EXISTS" {
			return own
		}
	case http.StatusPaymentRequired, http.StatusTooManyRequests:
		word = "RESOURCE_EXHAUSTED"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		word = "DEADLINE_EXCEEDED"
	case 499:
		word = "CANCELLED"
	case http.StatusNotImplemented:
		word = "UNIMPLEMENTED"
	case http.StatusServiceUnavailable:
		word = "UNAVAILABLE"
	default:
		if status < 500 {
			break
		}
		if word = "INTERNAL"; own == "UNKNOWN" || own == "DATA_LOSS" {
			return own
		}
	}
	return word
}

// IsError tells whether a body is an error as clients of this format read it:
// {"error":{code, message, status}}, or that in an array.
func (Codec) IsError(body []byte) bool {
	text := jsonbytes.Parse(body)
	if jsonbytes.Check(text, 0) != nil {
		return false
	}
	for _, first := range text.Elements() {
		text = first
		break
	}
	e := text.Get("error")
	return e.Get("code").Kind() == jsonbytes.Number || e.Get("status").Kind() == jsonbytes.String
}

// AppendError writes {"error":{code, message, status, details}}. A machine code
// that says more than the status is the reason of an ErrorInfo, the time to wait
// a RetryInfo. The request id goes into a header, not into the body.
func (c Codec) AppendError(dst []byte, e *transform.Error, _ string) []byte {
	status := c.Status(e)
	message := e.Message
	if message == "" {
		message = "the request failed"
	}
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, `,"message":`...)
	dst = jsonbytes.AppendString(dst, message)
	dst = append(dst, `,"status":"`...)
	dst = append(dst, statusWord(status, e.Type)...)
	dst = append(dst, '"')
	dst = appendDetails(dst, e, message)
	return append(dst, `}}`...)
}

// appendDetails writes what the error's message and status do not say, if there
// is anything.
func appendDetails(dst []byte, e *transform.Error, message string) []byte {
	before, begun := len(dst), `,"details":[`
	open := func(kind string) {
		dst = append(dst, begun...)
		dst = append(dst, `{"@type":"type.googleapis.com/google.rpc.`...)
		dst = append(dst, kind...)
		begun = ","
	}
	if reason := e.Reason(); reason != "" {
		open(`ErrorInfo","reason":`)
		dst = append(jsonbytes.AppendString(dst, reason), '}')
	}
	if e.RetryAfter > 0 {
		open(`RetryInfo","retryDelay":"`)
		dst = append(appendSeconds(dst, e.RetryAfter), `"}`...)
	}
	if e.Param != "" {
		open(`BadRequest","fieldViolations":[{"field":`)
		dst = jsonbytes.AppendString(dst, e.Param)
		dst = append(dst, `,"description":`...)
		dst = append(jsonbytes.AppendString(dst, message), `}]}`...)
	}
	if len(dst) > before {
		dst = append(dst, ']')
	}
	return dst
}

// appendSeconds writes a duration as Google's JSON has it: 34s, 0.5s.
func appendSeconds(dst []byte, d time.Duration) []byte {
	dst = strconv.AppendFloat(dst, d.Seconds(), 'f', -1, 64)
	return append(dst, 's')
}

// AppendStreamError writes an error as the last event of a stream. In an array
// it is the last element: others stand before it, or the answer would not have
// been committed.
func (c Codec) AppendStreamError(dst []byte, e *transform.Error, requestID string) []byte {
	if c.Array {
		dst = append(dst, elementBetween...)
		dst = c.AppendError(dst, e, requestID)
		return append(append(dst, elementEnd...), arrayEnd...)
	}
	dst = append(dst, eventBegin...)
	dst = c.AppendError(dst, e, requestID)
	return append(dst, eventEnd...)
}
