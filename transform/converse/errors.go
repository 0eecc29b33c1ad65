package converse

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/blocks"
)

// DecodeError reads the body of a failed answer, {"message":"…"}. The type of the
// error stands in a header only, so that the status and the words must do here.
func (Codec) DecodeError(status int, body []byte) *transform.Error {
	if jsonbytes.Check(body, 0) != nil {
		body = nil
	}
	value := jsonbytes.Parse(body)
	message := value.Get("message")
	if message == nil {
		message = value.Get("Message") // of what stands before Bedrock
	}
	return decodeError(status, message)
}

// decodeError makes an error of a status, 0 for one inside of a 200, and words.
func decodeError(status int, message jsonbytes.Value) *transform.Error {
	e := &transform.Error{Kind: kindOf(status), Status: status}
	if status == http.StatusFailedDependency {
		e.Status = http.StatusBadGateway // whose clients' SDKs know what to do
	}
	text, _ := message.Text()
	text = strings.TrimSpace(text)
	refine(e, strings.ToLower(text))
	e.Message = blocks.ErrorMessage(e.Status, text)
	return e
}

func kindOf(status int) transform.ErrorKind {
	switch status {
	case http.StatusFailedDependency: // the model failed
		return transform.ErrUpstream
	case http.StatusRequestTimeout: // the model took too long
		return transform.ErrTimeout
	}
	return transform.KindOfStatus(status)
}

// exceptions are the types of errors inside of streams, with the kind and the
// status that they would have as answers.
var exceptions = map[string]struct {
	kind   transform.ErrorKind
	status int
}{
	"validationException":           {transform.ErrBadRequest, http.StatusBadRequest},
	"throttlingException":           {transform.ErrRateLimit, http.StatusTooManyRequests},
	"modelNotReadyException":        {transform.ErrOverloaded, http.StatusTooManyRequests},
	"serviceUnavailableException":   {transform.ErrOverloaded, http.StatusServiceUnavailable},
	"internalServerException":       {transform.ErrUpstream, http.StatusInternalServerError},
	"modelStreamErrorException":     {transform.ErrUpstream, http.StatusBadGateway},
	"modelErrorException":           {transform.ErrUpstream, http.StatusBadGateway},
	"modelTimeoutException":         {transform.ErrTimeout, http.StatusRequestTimeout},
	"accessDeniedException":         {transform.ErrPermission, http.StatusForbidden},
	"resourceNotFoundException":     {transform.ErrNotFound, http.StatusNotFound},
	"serviceQuotaExceededException": {transform.ErrQuota, http.StatusBadRequest},
}

// exceptionOf is the type in the name of an event that is an exception or an error.
func exceptionOf(name []byte) (typ string, ok bool) {
	if rest, found := bytes.CutPrefix(name, []byte("exception:")); found {
		return string(rest), true
	}
	if rest, found := bytes.CutPrefix(name, []byte("error:")); found {
		return string(rest), true
	}
	return "", false
}

// decodeException reads an exception inside of a stream.
func decodeException(typ string, data []byte) *transform.Error {
	if jsonbytes.Check(data, 0) != nil {
		data = nil
	}
	known, ok := exceptions[lowerFirst(typ)]
	if !ok {
		known.kind = transform.ErrUpstream
	}
	e := &transform.Error{Kind: known.kind}
	text, _ := jsonbytes.Parse(data).Get("message").Text()
	text = strings.TrimSpace(text)
	e.Status = known.status
	refine(e, strings.ToLower(text))
	e.Message = blocks.ErrorMessage(e.Status, text)
	return e
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// tooLong are the words for a prompt that is longer than the model's window.
var tooLong = [...]string{
	"input is too long", "input tokens exceeded", "prompt is too long", "too many input tokens", "exceed context limit",
	"maximum context length", "context length", "context window", "maximum number of input tokens", "exceeds the maximum number of tokens",
	"maximum input length", "reduce the length of",
}

// refine finds out what the status is too coarse for. message is in lower case.
func refine(e *transform.Error, message string) {
	has := func(words ...string) bool { return transform.Mentions(message, words...) }
	switch e.Kind {
	case transform.ErrBadRequest, transform.ErrTooLarge:
		switch {
		case has(tooLong[:]...):
			e.Kind = transform.ErrContextLength
		case has("content filtering policy", "content filter", "blocked by guardrail"):
			e.Kind = transform.ErrContentPolicy
		case has("service quota", "quota exceeded", "exceed your account"):
			e.Kind = transform.ErrQuota
		case has("model identifier is invalid"):
			e.Kind, e.Code = transform.ErrNotFound, "model_not_found"
		}
	case transform.ErrPermission:
		if has("security token", "signature", "credential", "api key", "bearer token", "authentication") {
			e.Kind = transform.ErrAuthentication
		}
	case transform.ErrNotFound:
		if has("model") {
			e.Code = "model_not_found"
		}
	case transform.ErrRateLimit:
		switch {
		case has("not ready", "being loaded"):
			e.Kind = transform.ErrOverloaded
		case transform.OfDays(message):
			e.RetryAfter = transform.LongWait
		}
	}
}
