package anthropic

import (
	"net/http"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// DecodeError reads the body of a failed answer: Anthropic's own errors, those
// of its edge and of the clouds, and anything else by the status alone.
func (Codec) DecodeError(status int, body []byte) *transform.Error {
	if jsonbytes.Check(body, 0) != nil {
		body = nil
	}
	return decodeError(status, jsonbytes.Parse(body))
}

// decodeError reads an error. The status is 0 for one that came in a stream.
func decodeError(status int, body jsonbytes.Value) *transform.Error {
	if first, ok := firstElement(body); ok {
		body = first // Vertex wraps the errors of streams in an array
	}
	inner := body.Get("error")
	e := &transform.Error{Status: status}
	message := text(inner)
	e.Type, _ = inner.Get("type").Text()
	e.Code, _ = inner.Get("details").Get("error_code").Text()
	for _, candidate := range [...]jsonbytes.Value{inner.Get("message"), body.Get("message"), body.Get("Message"), body.Get("detail")} {
		if message == "" {
			message = text(candidate)
		}
	}
	e.Kind = kindOf(status, e.Type)
	e.RetryAfter = transform.ReadGoogleDetails(inner.Get("details")).RetryAfter // of Vertex
	refine(e, message)
	e.Message = blocks.ErrorMessage(e.Status, message)
	return e
}

func firstElement(value jsonbytes.Value) (jsonbytes.Value, bool) {
	for _, element := range value.Elements() {
		return element, true
	}
	return nil, false
}

func text(value jsonbytes.Value) string {
	s, _ := value.Text()
	return strings.TrimSpace(s)
}

// kindOf goes by the type, then by the status.
func kindOf(status int, typ string) transform.ErrorKind {
	switch typ {
	case "invalid_request_error":
		return transform.ErrBadRequest
	case "authentication_error":
		return transform.ErrAuthentication
	case "billing_error":
		return transform.ErrQuota
	case "permission_error":
		return transform.ErrPermission
	case "not_found_error":
		return transform.ErrNotFound
	case "conflict_error":
		return transform.ErrConflict
	case "request_too_large":
		return transform.ErrTooLarge
	case "rate_limit_error":
		return transform.ErrRateLimit
	case "timeout_error":
		return transform.ErrTimeout
	case "overloaded_error":
		return transform.ErrOverloaded
	case "api_error":
		return transform.ErrUpstream
	}
	if status == http.StatusFailedDependency {
		return transform.ErrUpstream // Bedrock: the model failed
	}
	return transform.KindOfStatus(status)
}

// refine finds out what the type is too coarse for.
func refine(e *transform.Error, message string) {
	lower := strings.ToLower(message)
	has := func(part string) bool { return strings.Contains(lower, part) }
	switch e.Kind {
	case transform.ErrBadRequest:
		switch {
		case has("prompt is too long"), has("exceed context limit"), has("input is too long"):
			e.Kind = transform.ErrContextLength
		case has("content filtering policy"):
			e.Kind = transform.ErrContentPolicy
		case transform.OutOfMoney(lower), has("usage limits"):
			e.Kind = transform.ErrQuota
		}
	case transform.ErrRateLimit:
		switch {
		case e.Code == "enforced_spend_limit_reached", transform.OutOfMoney(lower):
			e.Kind = transform.ErrQuota
		case transform.OfDays(lower): // as Bedrock words it
			e.RetryAfter = max(e.RetryAfter, transform.LongWait)
		case has("not ready for inference"): // Bedrock's model
			e.Kind = transform.ErrOverloaded
		}
	case transform.ErrNotFound:
		if e.Code == "" && strings.HasPrefix(lower, "model:") {
			e.Code = "model_not_found"
		}
	}
}
