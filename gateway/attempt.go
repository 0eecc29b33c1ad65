package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// attempt is one request to one target.
type attempt struct {
	*call
	tries    *tries
	target   *routing.Target
	endpoint providers.Endpoint
	// credential is the key, empty if the provider has none or comes by it otherwise.
	credential  string
	fingerprint providers.Fingerprint
	// same tells that client and provider speak one format.
	same bool
	// streams tells that the provider is asked for a stream.
	streams bool
	// last tells that no other target remains.
	last     bool
	timeouts routing.Timeouts
	// report is what the attempt shows of its target.
	report routing.Report
	// asked is since when the provider is waited for; zero: it is not.
	asked time.Time
	watch watchdog
	ctx   attemptContext
	// upstream is the body as the provider gets it; nil once it is not needed any more.
	upstream *buffer
	// sending is the body that the transport reads; nil once what it read counts for nothing.
	sending atomic.Pointer[bodyReader]
	// reader is the first such body, once it is lent.
	reader bodyReader
	lent   bool
	// resent tells that the transport has begun anew.
	resent bool
	// span is the attempt's in the trace; nil: it is in none.
	span *attemptSpan
}

// attempt asks the target that is next, and reports how that went.
func (t *tries) attempt() (failed *failure) {
	target := &t.targets[t.at]
	a := t.newAttempt()
	a.call, a.tries, a.target, a.credential = t.call, t, target.Target, target.Upstream.Base().Key(target.key)
	a.fingerprint = target.Upstream.Base().Fingerprints()[target.key]
	a.last, a.timeouts = t.last(), t.timeouts(target.Target)
	a.report = routing.Report{Probe: t.probe, Began: time.Now(), Stream: t.routing.stream}
	// A panic, which goes on from here, says nothing of the target.
	defer func() {
		now := time.Now()
		a.heard(now)
		target.State.End(&t.g.Breaker, a.report, now)
	}()
	returned := false
	defer func() { a.endSpan(failed, returned) }()
	defer func() { a.settleTarget(failed, returned) }()
	failed = a.run(t.deadline)
	returned = true
	t.record.PossibleDuplicate = t.record.PossibleDuplicate || t.unsure && a.sent()
	switch {
	case failed != nil:
		a.report.Outcome, a.report.Wait = failed.outcome(), failed.err.RetryAfter
		a.report.Key, a.report.Error = a.fingerprint, failed.class()
		a.blameKey(failed, a.fingerprint)
	case a.record.Ending == usage.Complete && a.sent(): // and not answered by ourselves
		a.report.Outcome = routing.Succeeded
	case a.record.Ending == usage.Broken:
		a.report.Outcome, a.report.Error = routing.Failed, a.record.Error
	}
	return failed
}

// newAttempt takes the memory that comes with the tries, if nothing has used it.
func (t *tries) newAttempt() *attempt {
	if t.only.call == nil {
		return &t.only
	}
	return new(attempt)
}

// answered reports that an answer has begun.
func (a *attempt) answered() {
	a.settleBudget(true)
	now := time.Now()
	a.heard(now)
	a.record.FirstToken = now.Sub(a.record.Start)
	if a.op == opChat { // other answers come faster
		a.report.Latency = now.Sub(a.report.Began)
	}
	a.target.State.Answered(&a.g.Breaker, a.report, now)
	a.span.opened(now, a.routing.stream)
	a.report.Answered = true
}

// heard ends the waiting for the provider, if that has not ended: what comes after it
// is the gateway's own time.
func (a *attempt) heard(now time.Time) {
	if !a.asked.IsZero() {
		a.record.Waited += now.Sub(a.asked)
		a.asked = time.Time{}
	}
}

// How long a key is left alone after the provider refused it.
const (
	keyPause    = 10 * time.Minute
	rightsPause = time.Minute
)

// blameKey leaves a key alone that the provider does not take: for all models
// where it is unknown or has no money left, for this one where it lacks a right.
func (a *attempt) blameKey(f *failure, key providers.Fingerprint) {
	if !f.ofKey {
		return
	}
	switch f.kind {
	case transform.ErrAuthentication, transform.ErrQuota:
		a.g.Routes.Health(a.target.Upstream).RefuseKey(key, time.Now().Add(keyPause))
	case transform.ErrPermission:
		a.target.State.RefuseKey(key, time.Now().Add(rightsPause))
	}
}

// timeouts are those of the target's route, and the gateway's where it sets none.
func (c *call) timeouts(target *routing.Target) routing.Timeouts {
	limits := &c.g.Limits
	own := routing.Timeouts{FirstToken: limits.FirstToken, Idle: limits.Idle, Total: limits.Total}
	if target.Route == nil {
		return own
	}
	set := &target.Route.Timeouts
	own.Connect = set.Connect
	if set.FirstToken > 0 {
		own.FirstToken = set.FirstToken
	}
	if set.Idle > 0 {
		own.Idle = set.Idle
	}
	return own
}

// total bounds the time until the answer commits.
func (c *call) total() time.Duration {
	if c.plan.Route != nil && c.plan.Route.Timeouts.Total > 0 {
		return c.plan.Route.Timeouts.Total
	}
	return c.g.Limits.Total
}

// run sends the request and relays the answer. It returns nil once an answer has
// begun, however it ended.
func (a *attempt) run(deadline time.Time) *failure {
	c := a.call
	c.record.Provider, c.record.Model = a.target.Upstream.Name, a.target.Model
	c.record.Cause, c.record.UpstreamRequestID = "", "" // of an attempt before
	c.record.Fallback = c.plan.FallbackOf(a.target)
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
	a.upstream = body
	defer a.releaseUpstream()

	ctx := a.beginContext()
	defer ctx.cancel(nil)
	c.g.Streams.attach(c, ctx)
	defer c.g.Streams.attach(c, nil)
	a.watch.start(ctx, deadline)
	defer a.watch.stop()
	a.watch.expect(a.silence(), errUpstreamTimeout)

	request, err := a.upstreamRequest(a.traceConnect(a.beginSpan(ctx)), body)
	if err != nil {
		_ = request.Body.Close() // which no transport will do
		return a.unsigned(ctx, err)
	}
	a.propagate(request)
	c.record.Attempts++
	a.asked = time.Now()
	response, err := a.target.Upstream.Base().Transport().RoundTrip(request)
	if err != nil {
		return a.sendFailure(ctx, err)
	}
	defer response.Body.Close()
	c.record.UpstreamRequestID = a.upstreamRequestID(response.Header)
	a.span.responded(response.StatusCode, c.record.UpstreamRequestID)
	if headroom := a.target.Upstream.Headroom(response.Header, time.Now()); headroom.Known() {
		a.target.State.Observe(a.fingerprint, headroom)
	}
	if response.StatusCode != http.StatusOK {
		if c.op == opCount && hasNoCount(response.StatusCode) {
			return a.estimateCount()
		}
		return a.statusFailure(ctx, response)
	}
	c.accepted = true
	c.cache.answering(response.Header)
	switch {
	case c.op == opForward && !a.isJSON(response.Header):
		return a.relayBytes(ctx, response)
	case c.routing.stream && !a.isWhole(response.Header):
		return a.relayStream(ctx, response)
	}
	return a.relayAnswer(ctx, response)
}

// traceConnect gives the connection less time than the answer, if that is asked
// for. The transport has a limit of its own for each address that it dials.
func (a *attempt) traceConnect(ctx context.Context) context.Context {
	if a.timeouts.Connect == 0 {
		return ctx
	}
	a.watch.expect(a.timeouts.Connect, errUpstreamTimeout)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { a.watch.expect(a.silence(), errUpstreamTimeout) },
	})
}

// silence is how long the provider may say nothing at first.
func (a *attempt) silence() time.Duration {
	if a.streams && !a.last {
		return a.timeouts.FirstToken
	}
	return a.timeouts.Total
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
	a.streams = a.routing.stream
	switch a.op {
	case opEmbeddings:
		embedder, ok := upstream.Provider.(providers.Embedder)
		if !ok {
			return failureOf(errNoEmbeddings, skipped)
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
			return failureOf(errNoOperation, skipped)
		}
		a.same = true
		return nil
	default:
		a.endpoint = a.chatEndpoint()
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

// onUnsupported is what the target's route says of what the target cannot be given.
func (a *attempt) onUnsupported() routing.OnUnsupported {
	if a.target.Route == nil {
		return ""
	}
	return a.target.Route.OnUnsupported
}

// asFailure is an error that has nothing to do with the provider.
func (a *attempt) asFailure(err error) *failure {
	var e *transform.Error
	if !errors.As(err, &e) {
		e = errInternal
	}
	if e.Code == codeUnsupported && a.onUnsupported() == routing.SkipUnsupported {
		return failureOf(e, skipped)
	}
	return failureOf(e, final)
}
