package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// verdict says what a failed attempt means for the next target.
type verdict uint8

const (
	// final: the fault is the request's, only a fallback for that can help.
	final verdict = iota
	// skipped: the target cannot take such a request, and was not asked.
	skipped
	// unsent: nothing was sent that the provider could act on.
	unsent
	// refused: the provider did no work and says that it could not.
	refused
	// transient: the provider failed, very likely without work: the same target may
	// be asked once more.
	transient
	// ambiguous: the provider may have done the work: at most one more try, elsewhere.
	ambiguous
)

// failure is a failed attempt.
type failure struct {
	err     *transform.Error
	verdict verdict
	// kind is what the provider said was wrong, before that was put into words for the client.
	kind transform.ErrorKind
	// ofKey tells that another key of the provider may fare better.
	ofKey bool
	// body is the provider's own error, to be passed on as it is, with its own
	// status; nil: write err.
	body        []byte
	status      int
	contentType []string
}

// inItsOwnWords passes the provider's error on as it came.
func (f *failure) inItsOwnWords(status int, contentType []string, body []byte) {
	f.body, f.status, f.contentType = body, status, contentType
}

func (f *failure) Error() string { return f.err.Message }
func (f *failure) Unwrap() error { return f.err }

// final tells whether a client that asks again would get the same answer.
func (f *failure) final() bool { return f.verdict == final || f.verdict == skipped }

// failureOf makes a failure of an error, whose kind speaks for itself.
func failureOf(err *transform.Error, v verdict) *failure {
	return &failure{err: err, verdict: v, kind: err.Kind}
}

// condition is what a fallback may be for.
func (f *failure) condition() routing.Conditions {
	switch {
	case f.kind == transform.ErrContextLength:
		return routing.OnContextLength
	case f.kind == transform.ErrContentPolicy:
		return routing.OnContentFilter
	case f.verdict == final:
		return 0
	case f.kind == transform.ErrRateLimit, f.kind == transform.ErrQuota:
		return routing.OnRateLimit
	case f.kind == transform.ErrTimeout:
		return routing.OnTimeout
	}
	return routing.OnError
}

// outcome is what a failure shows of its target.
func (f *failure) outcome() routing.Outcome {
	switch {
	case f.final(), f.kind == transform.ErrAuthentication, f.kind == transform.ErrPermission, f.kind == transform.ErrQuota:
		return routing.Neutral
	case f.kind == transform.ErrRateLimit:
		return routing.Throttled
	case f.verdict == unsent:
		return routing.Unreachable
	}
	return routing.Failed
}

// class is a word for the error if it is the target's, so that operators know what
// to look for; empty for those that are the client's to mend.
func (f *failure) class() string {
	if f.verdict == skipped {
		return ""
	}
	switch f.kind {
	case transform.ErrAuthentication, transform.ErrPermission, transform.ErrQuota, transform.ErrNotFound:
		return f.kind.String() // clients are told less of our credentials
	}
	if f.final() {
		return ""
	}
	return f.err.Class()
}

// sendFailure judges an error of the transport: what was not sent can be sent
// elsewhere, what may have arrived is ambiguous.
func (a *attempt) sendFailure(ctx context.Context, err error) *failure {
	a.record.Cause = err.Error()
	sent := a.sent()
	if a.unheard() {
		// The provider may be at work on it, and will charge for that.
		a.accepted = a.accepted || sent
		return a.clientGone()
	}
	cause := timeoutOf(ctx)
	switch {
	case cause == errStopping: //nolint:errorlint // a sentinel of this package
		a.accepted = a.accepted || sent
		return failureOf(cause, final)
	case cause != nil && sent:
		a.accepted = true
		return failureOf(cause, ambiguous)
	case cause != nil:
		return failureOf(cause, unsent)
	case sent:
		return failureOf(errUpstreamBroken, ambiguous)
	}
	return failureOf(errUpstreamConnect, unsent)
}

// unsigned is a request for which the gateway had no credential to sign with.
func (a *attempt) unsigned(ctx context.Context, err error) *failure {
	a.record.Cause = err.Error()
	if a.unheard() {
		return a.clientGone()
	}
	if cause := timeoutOf(ctx); cause != nil {
		return failureOf(cause, unsent)
	}
	f := failureOf(errNoUpstreamCredential, unsent)
	f.kind = transform.ErrAuthentication
	return f
}

func (a *attempt) clientGone() *failure {
	a.record.Ending = usage.ClientGone
	return failureOf(errClientGone, final)
}

// timeoutOf is the watchdog's reason, nil if it did not bark.
func timeoutOf(ctx context.Context) *transform.Error {
	var e *transform.Error
	if errors.As(causeOf(ctx), &e) {
		return e
	}
	return nil
}

// maxErrorBody bounds what is read of a failed answer.
const maxErrorBody = 64 << 10

// statusFailure reads a provider's error and judges it.
func (a *attempt) statusFailure(ctx context.Context, response *http.Response) *failure {
	body, err := readAll(nil, io.LimitReader(response.Body, maxErrorBody), maxErrorBody)
	if err != nil && a.unheard() {
		return a.clientGone()
	}
	if cause := timeoutOf(ctx); cause != nil {
		return failureOf(cause, transient)
	}
	e := a.endpoint.DecodeError(response.StatusCode, response.Header, body, time.Now())
	if response.StatusCode < 400 {
		return failureOf(errUpstreamProtocol, transient)
	}
	a.hideEchoes(e)
	f := failureOf(e, verdictOf(response.StatusCode, e.Kind))
	f.ofKey = blamesKey(e.Kind)
	a.present(f, response, body)
	return f
}

// present decides how a provider's error is shown to the client: a readable error
// of the client's own format as it is, anything else in our words. Our own
// credential's trouble is never a 401 or 403, which would be the client's.
func (a *attempt) present(failed *failure, response *http.Response, body []byte) {
	ours := failed.hideCredential()
	login := response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden
	switch {
	case ours && login:
	case a.same && a.client.IsError(body) && a.mayPass(body):
		failed.inItsOwnWords(response.StatusCode, contentType(true, response.Header), body)
	case !ours:
		a.putIntoOurWords(failed.err)
	}
}

// putIntoOurWords takes out of a provider's error what is not for clients. A
// type of another format means nothing to them.
func (a *attempt) putIntoOurWords(e *transform.Error) {
	e.Message = a.redact(e.Message)
	if !a.same {
		e.Type = ""
	}
}

// hideCredential keeps trouble with our own credential from looking like the client's.
func (f *failure) hideCredential() bool {
	if !ofCredential(f.err) {
		return false
	}
	f.err = errUpstreamAuth
	return true
}

// blamesKey tells the errors that another key of the same provider may not meet.
func blamesKey(kind transform.ErrorKind) bool {
	switch kind {
	case transform.ErrAuthentication, transform.ErrPermission, transform.ErrQuota, transform.ErrRateLimit:
		return true
	}
	return false
}

// ofCredential tells whether a provider's error is about the credential it got.
func ofCredential(e *transform.Error) bool {
	return e.Kind == transform.ErrAuthentication || e.Kind == transform.ErrPermission
}

// verdictOf judges an HTTP status, with the kind of error in its body.
func verdictOf(status int, kind transform.ErrorKind) verdict {
	switch kind {
	case transform.ErrAuthentication, transform.ErrPermission, transform.ErrQuota, transform.ErrRateLimit, transform.ErrOverloaded:
		return refused
	case transform.ErrContextLength, transform.ErrContentPolicy:
		return final
	}
	switch {
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		return ambiguous // something in between may have delivered it
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusFailedDependency, // Bedrock's model failed
		status == http.StatusConflict, status == http.StatusTooEarly:
		return transient
	}
	return final
}
