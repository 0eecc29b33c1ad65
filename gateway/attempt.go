package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// verdict says what a failed attempt means for the next target.
type verdict uint8

const (
	// final: no other target can help, the fault is the request's.
	final verdict = iota
	// refused: the provider did no work, nothing is owed.
	refused
	// ambiguous: the provider may have done the work: at most one more try, elsewhere.
	ambiguous
)

// failure is a failed attempt.
type failure struct {
	err     *transform.Error
	verdict verdict
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

// attempt is one request to one target.
type attempt struct {
	*call
	target   routing.Target
	endpoint providers.Endpoint
	// same tells that client and provider speak one format.
	same bool
	// last tells that no other target remains.
	last   bool
	watch  *watchdog
	cancel context.CancelCauseFunc
	// touched is set once the transport began to read the body: before that,
	// nothing was sent that a provider could act on.
	touched atomic.Bool
}

// attemptAll tries the targets in turn until one commits an answer. The error
// is the first one: what came after it was makeshift.
func (c *call) attemptAll() error {
	attempts := 1 + c.g.Retries
	if c.plan.Retries >= 0 {
		attempts = 1 + c.plan.Retries
	}
	deadline := c.record.Start.Add(c.g.Limits.Total)
	var first *failure
	unsure := false // whether any of them may have been answered
	targets := c.plan.Targets
	for i := range targets {
		if triedBefore(targets[:i], &targets[i]) {
			continue
		}
		last := c.record.Attempts+1 >= attempts || i == len(targets)-1
		failed := c.attempt(targets[i], last, deadline)
		// A refused credential says nothing about the provider's other ones.
		for keys := len(targets[i].Upstream.Base().Keys()); keys > 1 && failed.refusesKey() && c.record.Attempts < attempts; keys-- {
			failed = c.attempt(targets[i], last, deadline)
		}
		if failed == nil {
			return nil
		}
		if first == nil {
			first = failed
		}
		unsure = unsure || failed.verdict == ambiguous
		if last || c.committed || failed.verdict == final || c.r.Context().Err() != nil || !time.Now().Before(deadline) {
			break
		}
		if failed.verdict == ambiguous {
			if c.record.PossibleDuplicate {
				break
			}
			c.record.PossibleDuplicate = true
		}
	}
	if first == nil {
		return modelNotFound(c.routing.model)
	}
	if unsure {
		// A client's own retry on top would be billed once more.
		e := *first.err
		e.NoRetry = true
		first.err = &e
	}
	return first
}

func triedBefore(before []routing.Target, t *routing.Target) bool {
	for i := range before {
		if before[i].Upstream == t.Upstream && before[i].Model == t.Model {
			return true
		}
	}
	return false
}

// attempt sends the request to one target and relays its answer. It returns
// nil once an answer has begun, however it ended.
func (c *call) attempt(target routing.Target, last bool, deadline time.Time) *failure {
	a := &attempt{call: c, target: target, last: last}
	c.record.Provider, c.record.Model = target.Upstream.Name, target.Model
	if err := a.locate(); err != nil {
		return err
	}
	if a.op == opCount && a.endpoint.URL == nil {
		return a.estimateCount()
	}
	body, err := a.upstreamBody()
	if err != nil {
		return a.asFailure(err)
	}
	defer body.release()

	ctx, cancel := context.WithCancelCause(c.r.Context())
	defer cancel(nil)
	a.cancel = cancel
	a.watch = newWatchdog(cancel, deadline)
	defer a.watch.stop()
	a.watch.expect(a.silence(), errUpstreamTimeout)

	request, err := a.upstreamRequest(ctx, body)
	if err != nil {
		_ = request.Body.Close() // which no transport will do
		return a.unsigned(ctx, err)
	}
	c.record.Attempts++
	response, err := target.Upstream.Base().Transport().RoundTrip(request)
	if err != nil {
		return a.sendFailure(ctx, err)
	}
	defer response.Body.Close()
	c.record.UpstreamRequestID = upstreamRequestID(response.Header)
	if response.StatusCode != http.StatusOK {
		if c.op == opCount && hasNoCount(response.StatusCode) {
			return a.estimateCount()
		}
		return a.statusFailure(ctx, response)
	}
	c.accepted = true
	switch {
	case c.op == opForward && !a.isJSON(response.Header):
		return a.relayBytes(ctx, response)
	case c.routing.stream && !a.isWhole(response.Header):
		return a.relayStream(ctx, response)
	}
	return a.relayAnswer(ctx, response)
}

// silence is how long the provider may say nothing at first.
func (a *attempt) silence() time.Duration {
	if a.routing.stream && !a.last {
		return a.g.Limits.FirstToken
	}
	return a.g.Limits.Total
}

// ask is what the endpoint is asked for.
func (a *attempt) ask() providers.Call {
	return providers.Call{
		Model: a.target.Model, Stream: a.routing.stream, Client: a.client.Format(), Array: isArray(a.client),
		Single: a.op == opEmbeddings && !a.has("requests"),
	}
}

// locate finds where the call goes.
func (a *attempt) locate() *failure {
	upstream := a.target.Upstream
	switch a.op {
	case opEmbeddings:
		embedder, ok := upstream.Provider.(providers.Embedder)
		if !ok {
			return &failure{err: errNoEmbeddings, verdict: refused}
		}
		a.endpoint = embedder.Embeddings(a.ask())
	case opCount:
		if counter, ok := upstream.Provider.(providers.TokenCounter); ok {
			a.endpoint, ok = counter.CountTokens(a.ask())
			if !ok {
				a.endpoint = providers.Endpoint{}
			}
		}
		if a.endpoint.URL == nil {
			return nil // it is estimated
		}
	case opForward:
		if forwarder, ok := upstream.Provider.(providers.Forwarder); ok {
			a.endpoint = forwarder.Forward(a.ask(), a.path)
		}
		if a.endpoint.URL == nil {
			return &failure{err: errNoOperation, verdict: refused}
		}
		a.same = true
		return nil
	default:
		a.endpoint = upstream.Chat(a.ask())
	}
	a.same = a.sameFormat() && !a.namesModelInside() && !a.isForeign()
	return nil
}

// sameFormat tells whether the provider speaks the client's format, even if the
// request cannot be passed on as it is.
func (a *attempt) sameFormat() bool { return a.endpoint.Codec.Format() == a.client.Format() }

// isForeign tells whether the conversation has been with another vendor, and
// holds what this one would refuse, such as signatures of the other.
func (a *attempt) isForeign() bool {
	if a.client.Format() == transform.OpenAIChat || a.resolvedItems {
		return a.resolvedItems
	}
	if client, ok := a.client.(interface{ Foreign(body []byte) bool }); ok {
		return client.Foreign(a.body.bytes)
	}
	return transform.HoldsSealed(a.body.bytes)
}

// namesModelInside tells the requests of Gemini's format whose parts each name
// the model again: to pass them on would ask for the client's name of it.
func (a *attempt) namesModelInside() bool {
	return a.client.Format() == transform.Gemini && a.op != opChat && (a.has("requests") || a.has("generateContentRequest") || a.has("generate_content_request"))
}

// asFailure is an error that has nothing to do with the provider.
func (a *attempt) asFailure(err error) *failure {
	var e *transform.Error
	if !errors.As(err, &e) {
		e = errInternal
	}
	failed := &failure{err: e}
	if e.Code == codeUnsupported && a.plan.OnUnsupported == routing.SkipUnsupported {
		failed.verdict = refused
	}
	return failed
}

// sendFailure judges an error of the transport: what was not sent can be sent
// elsewhere, what may have arrived is ambiguous.
func (a *attempt) sendFailure(ctx context.Context, err error) *failure {
	a.record.Cause = err.Error()
	sent := a.touched.Load()
	if a.r.Context().Err() != nil {
		// The provider may be at work on it, and will charge for that.
		a.accepted = a.accepted || sent
		return a.clientGone()
	}
	cause := timeoutOf(ctx)
	switch {
	case cause != nil && sent:
		a.accepted = true
		return &failure{err: cause, verdict: ambiguous}
	case cause != nil:
		return &failure{err: cause, verdict: refused}
	case sent:
		return &failure{err: errUpstreamBroken, verdict: ambiguous}
	}
	return &failure{err: errUpstreamConnect, verdict: refused}
}

// unsigned is a request for which the gateway had no credential to sign with.
func (a *attempt) unsigned(ctx context.Context, err error) *failure {
	a.record.Cause = err.Error()
	if a.r.Context().Err() != nil {
		return a.clientGone()
	}
	if cause := timeoutOf(ctx); cause != nil {
		return &failure{err: cause, verdict: refused}
	}
	return &failure{err: errNoUpstreamCredential, verdict: refused}
}

func (a *attempt) clientGone() *failure {
	a.record.Ending = usage.ClientGone
	return &failure{err: errClientGone}
}

// timeoutOf is the watchdog's reason, nil if it did not bark.
func timeoutOf(ctx context.Context) *transform.Error {
	var e *transform.Error
	if errors.As(context.Cause(ctx), &e) {
		return e
	}
	return nil
}

// maxErrorBody bounds what is read of a failed answer.
const maxErrorBody = 64 << 10

// statusFailure reads a provider's error and judges it.
func (a *attempt) statusFailure(ctx context.Context, response *http.Response) *failure {
	body, err := readAll(nil, io.LimitReader(response.Body, maxErrorBody), maxErrorBody)
	if err != nil && a.r.Context().Err() != nil {
		return a.clientGone()
	}
	if cause := timeoutOf(ctx); cause != nil {
		return &failure{err: cause, verdict: refused}
	}
	e := a.endpoint.Codec.DecodeError(response.StatusCode, body)
	if e.RetryAfter == 0 {
		e.RetryAfter = retryAfter(response.Header, time.Now())
	}
	failed := &failure{err: e, verdict: verdictOf(response.StatusCode, e.Kind)}
	if response.StatusCode < 400 {
		failed.err, failed.verdict = errUpstreamProtocol, refused
		return failed
	}
	a.present(failed, response, body)
	return failed
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

// refusesKey tells whether the provider took exception to the credential it got.
func (f *failure) refusesKey() bool { return f != nil && f.err == errUpstreamAuth }

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
		return refused
	}
	return final
}
