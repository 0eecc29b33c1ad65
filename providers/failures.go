package providers

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/providers/ratelimit"
	"github.com/caddyllm/llmproxy/transform"
)

// DecodeError reads a failed answer: its body, and what stands in the header
// alone. How long to wait is believed first where it is a member of the body,
// then in the header, and in a message for people where it is nowhere else.
func (e *Endpoint) DecodeError(status int, header http.Header, body []byte, now time.Time) *transform.Error {
	err := e.Codec.DecodeError(status, body)
	if types := header["X-Amzn-Errortype"]; len(types) == 1 {
		refineByType(err, types[0])
	}
	if err.RetryAfter == 0 {
		err.RetryAfter = ratelimit.RetryAfter(header, now)
	}
	if err.RetryAfter > 0 || err.Kind != transform.ErrRateLimit && err.Kind != transform.ErrOverloaded {
		return err
	}
	if err.RetryAfter = ratelimit.Hint(err.Message); err.RetryAfter == 0 && transform.OfDays(strings.ToLower(err.Message)) {
		err.RetryAfter = transform.LongWait
	}
	return err
}

// amazonTypes are the types of Amazon's errors that say more than their status.
// https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
var amazonTypes = map[string]transform.ErrorKind{
	"ThrottlingException":           transform.ErrRateLimit,
	"TooManyRequestsException":      transform.ErrRateLimit,
	"ServiceQuotaExceededException": transform.ErrQuota,
	"ModelNotReadyException":        transform.ErrOverloaded,
	"ServiceUnavailableException":   transform.ErrOverloaded,
	"ModelTimeoutException":         transform.ErrTimeout,
	"ModelErrorException":           transform.ErrUpstream,
	"ModelStreamErrorException":     transform.ErrUpstream,
	"InternalServerException":       transform.ErrUpstream,
	"ResourceNotFoundException":     transform.ErrNotFound,
	"AccessDeniedException":         transform.ErrPermission,
	"UnrecognizedClientException":   transform.ErrAuthentication,
	"InvalidSignatureException":     transform.ErrAuthentication,
	"IncompleteSignature":           transform.ErrAuthentication,
	"MissingAuthenticationToken":    transform.ErrAuthentication,
	"InvalidClientTokenId":          transform.ErrAuthentication,
	"ExpiredTokenException":         transform.ErrAuthentication,
}

// refineByType takes the kind from a type such as "ThrottlingException:http://…".
// What the words made of an error that they were sure of stays: of trouble with
// a credential the type tells less.
func refineByType(e *transform.Error, typ string) {
	name, _, _ := strings.Cut(typ, ":")
	kind, ok := amazonTypes[name[strings.LastIndexByte(name, '#')+1:]]
	if ok && !(kind == transform.ErrPermission && e.Kind == transform.ErrAuthentication) {
		e.Kind = kind
	}
}
