package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// Explanation is what would become of a request at this moment, found by the code
// that serves requests, without asking any provider. It holds no secret.
type Explanation struct {
	// Claimed tells whether the gateway answers such a path at all.
	Claimed   bool   `json:"claimed"`
	Operation string `json:"operation,omitempty"`
	// Format is the client's API format.
	Format string `json:"format,omitempty"`
	// Principal is who would be calling.
	Principal string `json:"principal,omitempty"`
	Model     string `json:"model,omitempty"`
	// Route is the alias or glob that claims the model, "other" if it is addressed directly.
	Route  string `json:"route,omitempty"`
	Stream bool   `json:"stream,omitempty"`
	// InputTokens is estimated, MaxOutputTokens is what the request allows; 0: it sets no bound.
	InputTokens     int64 `json:"input_tokens,omitempty"`
	MaxOutputTokens int64 `json:"max_output_tokens,omitempty"`
	// Attempts is the most requests that would be sent.
	Attempts int `json:"attempts,omitempty"`
	// Pinned is the provider that the request is bound to.
	Pinned string `json:"pinned,omitempty"`
	// Limits are those that the call would have to fit, and what it would reserve.
	Limits []ExplainedLimit `json:"limits,omitempty"`
	// Cache is what the cache has for the request; nil: there is none.
	Cache *ExplainedCache `json:"cache,omitempty"`
	// Targets would be tried in this order.
	Targets []ExplainedTarget `json:"targets,omitempty"`
	// Unavailable targets would not be asked now.
	Unavailable []ExplainedTarget `json:"unavailable,omitempty"`
	// Error is what the client would be told at once.
	Error *ExplainedError `json:"error,omitempty"`
}

// ExplainedTarget is a target and what is known of it.
type ExplainedTarget struct {
	Target   string `json:"target"`
	Weight   int    `json:"weight"`
	Priority int    `json:"priority,omitempty"`
	// Fallback tells that the target is one of a fallback model, asked only if
	// what went before failed on a condition of that.
	Fallback bool `json:"fallback,omitempty"`
	// Obstacle is why it would not be asked, and until when.
	Obstacle string     `json:"obstacle,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
	InFlight int64      `json:"in_flight"`
	// LatencyMS estimates the time to the first content.
	LatencyMS float64 `json:"latency_ms"`
	// Request is what would be sent.
	Request *ExplainedRequest `json:"request,omitempty"`
	// Limits are those of the provider and its keys.
	Limits []ExplainedLimit `json:"limits,omitempty"`
	// Dropped are the members of the request that the target would not be given.
	Dropped []string `json:"dropped,omitempty"`
	// Error is why the target cannot be given the request.
	Error *ExplainedError `json:"error,omitempty"`
}

// ExplainedCache is what would become of a request at the cache. It says nothing
// of the key under which answers stand.
type ExplainedCache struct {
	// Result is hit, stale, miss or bypass.
	Result string `json:"result"`
	// Reason is why an answer to such a request is not kept.
	Reason string `json:"reason,omitempty"`
	// TTLSeconds is how long the stored answer is fresh still.
	TTLSeconds int64 `json:"ttl_s,omitempty"`
}

// ExplainedRequest is a request to a provider, without its credential.
type ExplainedRequest struct {
	Method string              `json:"method"`
	URL    string              `json:"url"`
	Header map[string][]string `json:"header"`
	Body   json.RawMessage     `json:"body,omitempty"`
}

// ExplainedError is an error as a client is told it.
type ExplainedError struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ErrUnknownKey is a key that the config does not have.
var ErrUnknownKey = errors.New("there is no such key")

// Explain tells what would become of a request of the key with this id. An empty
// id is anybody: who calls without a key where that is allowed, else a key with
// all rights.
func (g *Gateway) Explain(r *http.Request, keyID string) (*Explanation, error) {
	quiet := *g
	quiet.Media, quiet.Queue = nil, nil // which would wait, and ask the network
	principal, ok := g.Auth.Principal(keyID)
	if !ok {
		return nil, ErrUnknownKey
	}
	c := &call{g: &quiet, w: new(discard), r: r, claim: g.Surface.match(r), principal: principal}
	c.record.Start = time.Now()
	x := &Explanation{Operation: c.op.String(), Principal: principal.ID}
	switch c.op {
	case opChat, opEmbeddings, opCount, opForward:
	case opNone:
		return x, nil
	default:
		x.Claimed = true
		return x, nil
	}
	x.Claimed, x.Format = true, string(c.client.Format())
	c.body = newBuffer()
	defer func() { c.body.release() }()
	if err := c.prepare(); err != nil {
		x.Error = explainError(c, err)
		return x, nil
	}
	x.describe(c)
	return x, nil
}

func (x *Explanation) describe(c *call) {
	call := (*planned)(c)
	x.Model, x.Route, x.Stream = c.routing.model, c.plan.Label, c.routing.stream
	x.InputTokens, x.MaxOutputTokens = call.InputTokens(), call.OutputTokens()
	x.explainLimits(c)
	if status, _, on := c.lookUp(); on {
		x.Cache = &ExplainedCache{Result: status.Word(), Reason: status.Detail.String(), TTLSeconds: int64(status.TTL / time.Second)}
	}
	t := c.newTries()
	x.Attempts = t.most
	for i := range c.plan.Targets {
		target := &c.plan.Targets[i]
		explained := explainTarget(c, target)
		explained.explainLimits(c, target)
		explained.ask(c, target)
		x.Targets = append(x.Targets, explained)
	}
	for i := range c.plan.Obstructed {
		o := &c.plan.Obstructed[i]
		explained := explainTarget(c, &o.Target)
		explained.Obstacle = o.Obstacle.String()
		if !o.Until.IsZero() {
			explained.Until = &o.Until
		}
		x.Unavailable = append(x.Unavailable, explained)
	}
	if c.pinned != nil && len(c.plan.Targets)+len(c.plan.Obstructed) > 0 {
		all := slices.Concat(x.Targets, x.Unavailable)
		x.Pinned = all[0].Target
	}
	if t.fresh() >= 0 {
		return
	}
	if target, waiting := t.forcible(); target == nil {
		if waiting {
			t.first = t.obstructed()
		}
		x.Error = explainError(c, t.failure())
	}
}

func explainTarget(c *call, target *routing.Target) ExplainedTarget {
	latency := target.State.Latency(c.routing.stream, time.Now())
	return ExplainedTarget{
		Target: target.Upstream.Name + "/" + target.Model, Weight: target.Weight, Priority: target.Priority,
		Fallback: target.Fallback(), InFlight: target.State.InFlight(), LatencyMS: float64(latency.Microseconds()) / 1e3,
	}
}

// ask makes the request to the target, and sends it nowhere.
func (x *ExplainedTarget) ask(c *call, target *routing.Target) {
	a := &attempt{call: c, target: target, timeouts: c.timeouts(target)}
	if failed := a.locate(); failed != nil {
		x.Error = explainError(c, failed)
		return
	}
	if a.endpoint.URL == nil {
		return // a count that is estimated here
	}
	body, err := a.upstreamBody()
	x.Dropped = slices.Clone(c.record.Dropped)
	if err != nil {
		x.Error = explainError(c, err)
		return
	}
	defer body.release()
	request := a.unsignedRequest(context.Background(), body)
	defer request.Body.Close()
	x.Request = &ExplainedRequest{Method: request.Method, URL: request.URL.String(), Header: request.Header.Clone()}
	for name := range a.target.Upstream.Base().FixedHeader() {
		x.Request.Header[name] = []string{"[redacted]"} // the operator's own, which may be a secret
	}
	if json.Valid(body.bytes) {
		x.Request.Body = json.RawMessage(slices.Clone(body.bytes))
	}
}

func explainError(c *call, err error) *ExplainedError {
	var e *transform.Error
	if !errors.As(err, &e) {
		e = errInternal
	}
	return &ExplainedError{Status: c.client.Status(e), Code: e.Class(), Message: e.Message}
}

// discard is the writer of an answer that nobody gets.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header {
	if d.header == nil {
		d.header = make(http.Header)
	}
	return d.header
}
func (*discard) Write(p []byte) (int, error) { return len(p), nil }
func (*discard) WriteHeader(int)             {}

// Interface guard
var _ http.ResponseWriter = (*discard)(nil)
