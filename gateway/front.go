package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/transform"
)

// Front stands before the handlers that a call goes through on its way to the
// gateway: it authenticates the call for them, and puts what they refuse into
// the words of the client's format. It leaves every other request alone.
type Front struct {
	Surface  Surface
	Auth     *auth.Authenticator
	Observer Observer
	// Authenticated is told who calls, before Next sees the request.
	Authenticated func(*http.Request, *auth.Principal)
	// Next is the handlers that follow. An error of theirs is not answered yet.
	Next func(http.ResponseWriter, *http.Request) error
	// Status is the HTTP status that an error of theirs asks for.
	Status func(error) int
}

// Serve lets a call pass, or refuses it. The error is one of Next's that is not
// ours to answer.
func (f *Front) Serve(w http.ResponseWriter, r *http.Request) error {
	claimed := f.Surface.match(r)
	switch claimed.op {
	case opNone, opLive, opReady, opPreflight:
		return f.Next(w, r)
	}
	principal, err := f.Auth.Early(r)
	if err != nil {
		f.refuse(w, r, claimed, nil, authError(err))
		return nil
	}
	if principal != nil {
		f.Authenticated(r, principal)
		r = f.Auth.HandOn(r, principal)
	}
	return f.pass(w, r, claimed, principal)
}

// pass lets the handlers that follow serve, and answers in their place if they refuse.
func (f *Front) pass(w http.ResponseWriter, r *http.Request, claimed claim, principal *auth.Principal) error {
	answer := &begun{ResponseWriter: w}
	err := f.Next(answer, r)
	if err == nil || answer.begun {
		return err
	}
	refusal := refusalOf(f.Status(err), w.Header())
	if refusal == nil {
		return err
	}
	f.refuse(w, r, claimed, principal, refusal)
	return nil
}

// refuse answers as the gateway would, and books the call as it would.
func (f *Front) refuse(w http.ResponseWriter, r *http.Request, claimed claim, principal *auth.Principal, refusal *transform.Error) {
	c := newCall(&Gateway{Surface: f.Surface, Auth: f.Auth, Observer: f.Observer}, w, r, claimed)
	c.know(principal)
	switch c.op {
	case opListModels, opGetModel, opNotFound, opBadMethod:
		c.writeError(refusal)
		return
	}
	c.g.Observer.Started()
	defer c.settle()
	c.fail(refusal)
}

// What other handlers refuse.
var (
	errNotAuthenticated = &transform.Error{
		Kind: transform.ErrAuthentication, Code: "not_authenticated", NoRetry: true,
		Message: "This site lets in only callers that it knows.",
	}
	errTooManyRequests = &transform.Error{
		Kind: transform.ErrRateLimit, Code: "rate_limit_exceeded",
		Message: "Too many requests: wait and try again.",
	}
)

// refusalOf puts a status into words, nil if it is not ours to say. A Retry-After
// that the refusing handler has set stays.
func refusalOf(status int, h http.Header) *transform.Error {
	switch status {
	case http.StatusUnauthorized:
		return errNotAuthenticated
	case http.StatusRequestEntityTooLarge:
		return errBodyTooLarge
	case http.StatusTooManyRequests:
		refusal := *errTooManyRequests
		if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds > 0 && seconds <= maxRefusal {
			refusal.RetryAfter = time.Duration(seconds) * time.Second
		}
		return &refusal
	}
	return nil
}

// maxRefusal is the longest Retry-After that is read, in seconds: 31 days.
const maxRefusal = 31 * 24 * 60 * 60

// begun knows whether an answer has begun.
type begun struct {
	http.ResponseWriter
	begun bool
}

func (b *begun) WriteHeader(status int) {
	b.begun = b.begun || status >= 200
	b.ResponseWriter.WriteHeader(status)
}

func (b *begun) Write(p []byte) (int, error) {
	b.begun = true
	return b.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }
