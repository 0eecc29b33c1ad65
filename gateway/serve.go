package gateway

import (
	"errors"
	"net/http"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// call is one request on its way.
type call struct {
	g *Gateway
	w http.ResponseWriter
	r *http.Request
	claim
	stall stallGuard // around w, if it is watched

	// names is memory for the header fields that name the request, here and at the provider.
	names [2]string

	principal *auth.Principal
	body      *buffer
	routing   routingFields
	form      *form // of a multipart request
	// resolvedItems tells that the body holds items of answers of the gateway.
	resolvedItems bool
	plan          *routing.Plan
	// pinned is the key that the plan is bound to; nil: any will do.
	pinned *providers.Fingerprint
	// budgeted tells that the retry budget has granted the attempt.
	budgeted bool
	// wasted is what attempts consumed that came to nothing.
	wasted usage.Tokens
	// estimated guesses the tokens of the request; 0: nobody asked yet.
	estimated int64
	// decoded is the request in neutral form, once a target needs it.
	decoded *decodedRequest

	// quota is what the call holds of limits; nil: nothing.
	quota *callQuota

	underWay
	presence
	outlet
	// cache is what the call has to do with the cache; nil: nothing.
	cache *caching
	// hit tells that the answer is stored, or that of another call: no provider is
	// asked for it.
	hit bool
	// resumed tells that the call reads the stream of another one.
	resumed bool
	// payload is what the call says, to be logged; nil: it is not.
	payload *payload
	// committed is set when the first byte of an answer goes to the client,
	// and nowhere but in commit, commitStream and follow: from then on there is no other target.
	committed bool
	// whole tells that the provider ended its answer well.
	whole  bool
	record usage.Record
	// accepted tells that a provider took the request on: it is never settled at zero.
	accepted bool
	// delivered guesses the tokens of an answer whose provider did not count them.
	delivered int64
	// trace is where the call is recorded; nil: nowhere.
	trace *traced
	// endsWithCost tells that the answer's trailer was announced.
	endsWithCost bool
}

// ServeHTTP answers a request, or leaves it alone and returns false if its path
// is not the gateway's.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) bool {
	claimed := g.Surface.match(r)
	if claimed.op == opNone {
		return false
	}
	c := newCall(g, w, r, claimed)
	switch c.op {
	case opLive, opReady:
		g.serveHealth(w, r, c.op)
	case opPreflight:
		g.servePreflight(w, r)
	case opNotFound:
		c.writeError(errUnknownPath)
	case opBadMethod:
		w.Header()["Allow"] = []string{g.Surface.methods(r)}
		c.writeError(errBadMethod)
	case opListModels, opGetModel:
		defer c.rescue()
		c.serveModels()
	default:
		c.serveMetered()
	}
	return true
}

// newCall begins a call: every answer has its id.
func newCall(g *Gateway, w http.ResponseWriter, r *http.Request, claimed claim) *call {
	c := &call{g: g, w: w, r: r, claim: claimed}
	c.record.Start = time.Now()
	c.listeners = 1
	c.record.RequestID = newRequestID()
	c.names[0] = c.record.RequestID
	h := w.Header()
	h["X-Request-Id"] = c.names[:1:1]
	if c.client.Format() == transform.Anthropic {
		h["Request-Id"] = c.names[:1:1]
	}
	g.allowOrigin(w, r)
	return c
}

// serveMetered serves a call that costs something: it is observed and settled
// whatever becomes of it.
func (c *call) serveMetered() {
	c.g.Observer.Started()
	c.beginTrace()
	begun := c.g.Streams.enter(c)
	defer c.g.Streams.leave(c)
	defer c.stall.stop()
	defer c.settle()
	defer c.closeStream()
	defer c.land()
	defer c.rescue()
	err := error(errStopping)
	if begun {
		err = c.serve()
	}
	if err != nil {
		c.fail(err)
	}
}

// serve is the way of a request. An error is the client's answer, unless the
// answer has begun.
func (c *call) serve() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	if c.asksToResume() {
		return c.resume()
	}
	c.body = newBuffer()
	if err := c.prepare(); err != nil {
		return err
	}
	if served, err := c.fromCache(); served || err != nil {
		return err
	}
	c.attend()
	if served, err := c.fromOthers(); served || err != nil {
		return err
	}
	if err := c.queue(); err != nil {
		return err
	}
	return c.orStale(c.attemptAll())
}

// prepare reads the request, once, and finds what may answer it.
func (c *call) prepare() error {
	if err := c.g.readBody(c.w, c.r, c.body); err != nil {
		return err
	}
	c.keepPayload() // not before: net/http looks at the writer when a body is too large
	c.guard()
	if err := c.readRouting(); err != nil {
		return err
	}
	if err := c.resolveItems(); err != nil {
		return err
	}
	if err := c.makePlan(); err != nil {
		return err
	}
	return c.override()
}

func (c *call) authenticate() error {
	principal, err := c.g.Auth.Authenticate(c.r)
	if err != nil {
		return authError(err)
	}
	c.know(principal)
	return nil
}

// know keeps who calls, if that is known.
func (c *call) know(principal *auth.Principal) {
	if principal == nil {
		return
	}
	c.principal = principal
	c.record.Principal, c.record.Group, c.record.Metadata = principal.ID, principal.Group, principal.Metadata
}

func (c *call) makePlan() error {
	if !c.principal.MayUse(c.routing.model) {
		return errModelNotAllowed
	}
	plan, err := c.g.Routes.Plan(c.routing.model, (*planned)(c), time.Now())
	if errors.Is(err, routing.ErrUnknownModel) {
		return modelNotFound(c.routing.model)
	}
	if err != nil {
		return err
	}
	c.plan = plan
	c.record.Route = plan.Label
	if !c.mayName() {
		return errModelNotAllowed
	}
	c.pin()
	c.leaveOutUnpriced()
	return nil
}

// fail answers with an error, or ends in silence what has begun: a relay has
// written its own ending by then.
func (c *call) fail(err error) {
	c.cache.failed(err)
	if c.gone() && !c.committed {
		err, c.record.Ending = errClientGone, usage.ClientGone
	}
	var e *transform.Error
	if !errors.As(err, &e) {
		e = errInternal
	}
	c.record.Error, c.record.ErrorStatus = e.Class(), e.KnownStatus()
	if !c.committed && !c.failInStream(e) {
		c.writeError(err)
	}
}
