package responses

import (
	"math"
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// Errors inside of streams come in two events. The first, error, is flat as
// documented and has the object error too, as OpenAI sends it: only at that do
// its SDKs throw. The second, response.failed, is the end that Codex waits for.

// lastNumber is the last sequence_number of a stream that was passed on
// uncounted. Numbers must rise, and clients may hold them in 32 bits.
const lastNumber = math.MaxInt32

// AppendStreamError writes an error as the last events of a stream. Of the
// response that failed it tells no more than how: the stream was not read.
func (Codec) AppendStreamError(dst []byte, e *transform.Error, requestID string) []byte {
	dst = appendErrorEvent(dst, e, requestID, lastNumber-1)
	end := streamEncoder{envelope: newEnvelope("", "", "", 0, nil), number: lastNumber}
	return end.response(dst, "response.failed", ending{status: failed, err: e}, nil)
}

func appendErrorEvent(dst []byte, e *transform.Error, requestID string, number int64) []byte {
	whole := openai.Codec{}.AppendError(nil, e, requestID)
	inner := jsonbytes.Parse(whole).Get("error")
	dst = append(dst, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":"...)
	dst = appendInt(dst, number)
	for _, name := range [...]string{"code", "message", "param"} {
		dst = append(dst, `,"`...)
		dst = append(dst, name...)
		dst = append(dst, `":`...)
		dst = appendOrNull(dst, inner.Get(name))
	}
	dst = append(dst, `,"error":`...)
	dst = append(dst, inner...)
	return append(dst, "}\n\n"...)
}

// appendFailure writes the error of a failed response, {code, message}.
func appendFailure(dst []byte, e *transform.Error) []byte {
	message := e.Message
	if message == "" {
		message = "The answer broke off. Try again."
	}
	code := failureCode(e)
	if e.RetryAfter > 0 && code == "rate_limit_exceeded" && !strings.Contains(message, "try again in") {
		// Codex reads from the message how long to wait.
		message = strings.TrimRight(message, " ") + " Please try again in " + strconv.FormatFloat(e.RetryAfter.Seconds(), 'f', -1, 64) + "s."
	}
	dst = append(dst, `{"code":`...)
	dst = jsonbytes.AppendString(dst, code)
	dst = append(dst, `,"message":`...)
	dst = jsonbytes.AppendString(dst, message)
	return append(dst, '}')
}

// failureCode is a word by which clients decide what to do.
func failureCode(e *transform.Error) string {
	switch e.Kind {
	case transform.ErrContextLength:
		return "context_length_exceeded"
	case transform.ErrQuota:
		return "insufficient_quota"
	case transform.ErrRateLimit:
		return "rate_limit_exceeded"
	case transform.ErrContentPolicy, transform.ErrBadRequest:
		if e.Code != "" {
			return e.Code
		}
		return "invalid_prompt"
	}
	return "server_error"
}

// failureOf reads an error inside of an answer or of a stream:
//
//	{"type":"error","error":{type,code,message,param}}  OpenAI
//	{"type":"error","code","message","param"}           as documented
//	{"error":{code,message}}                            of a failed response
func failureOf(text []byte) *transform.Error {
	e := openai.Codec{}.DecodeError(0, text)
	if e.Type == "error" {
		e.Type = "" // the event's
	}
	if e.Kind == transform.ErrUpstream {
		switch {
		case e.Code == "invalid_prompt", e.Code == "bio_policy":
			e.Kind = transform.ErrContentPolicy
		case strings.Contains(e.Code, "image") || strings.HasPrefix(e.Code, "invalid_"):
			e.Kind = transform.ErrBadRequest
		}
	}
	return e
}
