package gemini

import (
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/internal/duration"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeError reads the body of a failed answer: {"error":{code, message,
// status, details}}, which failed streams of Vertex wrap in an array. What is
// not of this shape, such as a proxy's HTML, is an error of the status alone.
func (Codec) DecodeError(status int, body []byte) *transform.Error {
	text := jsonbytes.Parse(body)
	if jsonbytes.Check(text, 0) == nil {
		if text.Kind() == jsonbytes.Array {
			for _, first := range text.Elements() {
				text = first
				break
			}
		}
		if e := text.Get("error"); e != nil {
			return decodeError(status, e)
		}
	}
	return decodeError(status, nil)
}

// decodeError reads an error object. status is that of the HTTP answer, 0 in
// streams, where the object's own code counts.
func decodeError(status int, v jsonbytes.Value) *transform.Error {
	if code, ok := v.Get("code").Int(); ok && status < 400 && code >= 400 && code < 600 {
		status = int(code)
	}
	e := &transform.Error{Kind: transform.KindOfStatus(status)}
	if status >= 400 {
		e.Status = status
	}
	message, _ := v.Get("message").Text()
	if v.Kind() == jsonbytes.String {
		message, _ = v.Text()
	}
	e.Type, _ = v.Get("status").Text()
	d := transform.ReadGoogleDetails(v.Get("details"))
	if kind, ok := errorKind(e.Type, message, d.Reason); ok {
		e.Kind = kind
	}
	e.RetryAfter = d.RetryAfter
	if e.RetryAfter == 0 && e.Kind == transform.ErrRateLimit {
		e.RetryAfter = delayIn(message)
	}
	if e.Message = transform.Scrub(message); e.Message == "" {
		e.Message = transform.NoReason(status)
	}
	return e
}

// errorKind refines what the HTTP status tells.
func errorKind(status, message, reason string) (transform.ErrorKind, bool) {
	switch status {
	case "INVALID_ARGUMENT", "OUT_OF_RANGE":
		// A bad key is no 401 but an argument like any other.
		switch {
		case reason == "API_KEY_INVALID", strings.HasPrefix(message, "API key not valid"),
			strings.HasPrefix(message, "API key expired"):
			return transform.ErrAuthentication, true
		case tooLong(message):
			return transform.ErrContextLength, true
		case transform.Mentions(message, "Responsible AI", "usage guidelines"):
			return transform.ErrContentPolicy, true
		case strings.Contains(message, "payload size exceeds"):
			return transform.ErrTooLarge, true
		}
		return transform.ErrBadRequest, true
	case "FAILED_PRECONDITION":
		switch {
		case strings.Contains(message, "billing"):
			return transform.ErrQuota, true
		case strings.Contains(message, "location is not supported"):
			return transform.ErrPermission, true
		}
		return transform.ErrBadRequest, true
	case "UNAUTHENTICATED":
		return transform.ErrAuthentication, true
	case "PERMISSION_DENIED":
		if reason == "BILLING_DISABLED" {
			return transform.ErrQuota, true
		}
		return transform.ErrPermission, true
	case "NOT_FOUND":
		return transform.ErrNotFound, true
	case "ABORTED", "ALREADY_EXISTS":
		return transform.ErrConflict, true
	case "RESOURCE_EXHAUSTED":
		if transform.OutOfMoney(strings.ToLower(message)) {
			return transform.ErrQuota, true
		}
		return transform.ErrRateLimit, true
	case "DEADLINE_EXCEEDED":
		return transform.ErrTimeout, true
	case "UNAVAILABLE":
		return transform.ErrOverloaded, true
	case "CANCELLED":
		return transform.ErrCancelled, true
	case "UNIMPLEMENTED":
		return transform.ErrUnimplemented, true
	case "INTERNAL", "UNKNOWN", "DATA_LOSS":
		return transform.ErrUpstream, true
	}
	return 0, false
}

// tooLong knows the wordings of the Gemini API ("The input token count (N)
// exceeds the maximum number of tokens allowed (M).") and of Vertex ("… because
// the input token count is N but model only supports up to M.").
func tooLong(message string) bool {
	message = strings.ToLower(message)
	return transform.Mentions(message, "exceeds the maximum number of tokens", "input context is too long") ||
		strings.Contains(message, "token count") && transform.Mentions(message, "exceeds the maximum", "only supports up to")
}

// delayIn finds the delay in a message that ends with "Please retry in 48.9s.",
// for errors without RetryInfo.
func delayIn(message string) time.Duration {
	_, after, _ := strings.Cut(message, "Please retry in ")
	if wait, ok := duration.Prefix(after); ok && wait <= transform.MaxWait {
		return wait
	}
	return 0
}
