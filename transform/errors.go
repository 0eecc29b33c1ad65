package transform

import (
	"net/http"
	"time"
)

// ErrorKind is what went wrong, in the words that all formats share.
type ErrorKind uint8

// The kinds of errors.
const (
	ErrInternal ErrorKind = iota
	ErrBadRequest
	ErrContextLength
	ErrContentPolicy
	ErrAuthentication
	ErrPermission
	// ErrQuota: the account has no money or no quota left.
	ErrQuota
	ErrNotFound
	ErrConflict
	ErrTooLarge
	ErrMediaType
	ErrTimeout
	ErrRateLimit
	// ErrUpstream: the provider failed or answered with what is no answer.
	ErrUpstream
	ErrOverloaded
	ErrCancelled
	ErrUnimplemented
)

// Error is an error in neutral form. As a Go error it is the client's answer:
// its message goes out, so it names no host, no key and no other tenant.
type Error struct {
	Kind ErrorKind
	// Status is the HTTP status that the provider used or that we answer; 0: the kind's own.
	Status int
	// Code is a stable machine code such as model_not_found; empty: the kind's own.
	Code string
	// Type is the type that a provider of the same format gave; empty: the kind's own.
	Type    string
	Message string
	// Param is the request member at fault, as the client's format spells it.
	Param string
	// RetryAfter is how long the provider asks to wait; 0: it does not say. Of a
	// limit over a day or more it is at least [LongWait].
	RetryAfter time.Duration
	// NoRetry tells the client's SDK that trying again cannot help.
	NoRetry bool
}

// LongWait is how long to leave a limit alone that is over a day or more and used
// up, where the provider does not say when it begins anew: not to ask all the
// time, and yet to notice when there is more. Such a limit is [ErrRateLimit], for
// it is one model's as those of a minute are; [ErrQuota] is the account's.
const LongWait = 10 * time.Minute

// MaxWait is the longest wait that a provider is believed.
const MaxWait = 24 * time.Hour

func (e *Error) Error() string { return e.Message }

// HTTPStatus is the status to answer with.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return kindStatus[e.Kind]
}

// KnownStatus is the status for clients who know the usual ones only: Anthropic's
// 529 becomes 503, and what is no error status, such as the 200 of an answer that
// failed later, the kind's own.
func (e *Error) KnownStatus() int {
	switch {
	case e.Status == 529:
		return http.StatusServiceUnavailable
	case e.Status >= 400 && e.Status <= 599:
		return e.Status
	}
	return kindStatus[e.Kind]
}

// Class is a word for the error that is safe to count and log: its code, or
// its kind where a provider gave no code or one of its own.
func (e *Error) Class() string {
	if e.Code != "" && len(e.Code) <= 64 {
		return e.Code
	}
	return kindClass[e.Kind]
}

// String is the word that errors of the kind have in common.
func (k ErrorKind) String() string { return kindClass[k] }

// Reason is the code if it says more than the kind does, else empty.
func (e *Error) Reason() string {
	if int(e.Kind) < len(kindClass) && e.Code == kindClass[e.Kind] {
		return ""
	}
	return e.Code
}

var kindClass = [...]string{
	ErrInternal:       "internal_error",
	ErrBadRequest:     "invalid_request",
	ErrContextLength:  "context_length_exceeded",
	ErrContentPolicy:  "content_policy_violation",
	ErrAuthentication: "invalid_api_key",
	ErrPermission:     "permission_denied",
	ErrQuota:          "insufficient_quota",
	ErrNotFound:       "not_found",
	ErrConflict:       "conflict",
	ErrTooLarge:       "request_too_large",
	ErrMediaType:      "unsupported_media_type",
	ErrTimeout:        "timeout",
	ErrRateLimit:      "rate_limit_exceeded",
	ErrUpstream:       "upstream_error",
	ErrOverloaded:     "overloaded",
	ErrCancelled:      "client_closed_request",
	ErrUnimplemented:  "unimplemented",
}

var kindStatus = [...]int{
	ErrInternal:       http.StatusInternalServerError,
	ErrBadRequest:     http.StatusBadRequest,
	ErrContextLength:  http.StatusBadRequest,
	ErrContentPolicy:  http.StatusBadRequest,
	ErrAuthentication: http.StatusUnauthorized,
	ErrPermission:     http.StatusForbidden,
	ErrQuota:          http.StatusTooManyRequests,
	ErrNotFound:       http.StatusNotFound,
	ErrConflict:       http.StatusConflict,
	ErrTooLarge:       http.StatusRequestEntityTooLarge,
	ErrMediaType:      http.StatusUnsupportedMediaType,
	ErrTimeout:        http.StatusGatewayTimeout,
	ErrRateLimit:      http.StatusTooManyRequests,
	ErrUpstream:       http.StatusBadGateway,
	ErrOverloaded:     http.StatusServiceUnavailable,
	ErrCancelled:      499,
	ErrUnimplemented:  http.StatusNotImplemented,
}

// KindOfStatus guesses the kind from a provider's HTTP status alone.
func KindOfStatus(status int) ErrorKind {
	switch {
	case status == http.StatusUnauthorized:
		return ErrAuthentication
	case status == http.StatusPaymentRequired:
		return ErrQuota
	case status == http.StatusForbidden:
		return ErrPermission
	case status == http.StatusNotFound:
		return ErrNotFound
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return ErrTimeout
	case status == http.StatusConflict:
		return ErrConflict
	case status == http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case status == http.StatusUnsupportedMediaType:
		return ErrMediaType
	case status == http.StatusTooManyRequests:
		return ErrRateLimit
	case status == http.StatusNotImplemented:
		return ErrUnimplemented
	case status == http.StatusServiceUnavailable, status == 529:
		return ErrOverloaded
	case status >= 500:
		return ErrUpstream
	case status >= 400:
		return ErrBadRequest
	}
	return ErrUpstream
}
