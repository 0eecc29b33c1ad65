package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/usage"
)

// Traces. If the request comes with a span that is recorded, as Caddy's handler
// tracing makes one, that span is told what the record says of the call, and every
// attempt gets a span below it. If it does not, all of this is one look into the
// request's context. Spans hold no text of a conversation and no credential.

// tracerName is the instrumentation scope of the attempts' spans.
const tracerName = "github.com/caddyllm/llmproxy"

// traced is a call that is recorded in a trace.
type traced struct {
	// span is the one that the call came with.
	span trace.Span
	// model is what the answer calls the model, empty if it does not say.
	model string
}

// beginTrace looks whether the call is recorded.
func (c *call) beginTrace() {
	if span := trace.SpanFromContext(c.r.Context()); span.IsRecording() {
		c.trace = &traced{span: span}
	}
}

// endTrace tells the span that the call came with what became of it.
func (c *call) endTrace() {
	if c.trace == nil {
		return
	}
	span, r := c.trace.span, &c.record
	facts := make([]attribute.KeyValue, 0, 24)
	facts = append(facts, keyOperation.String(operationInTraces(r.Operation)), keyRequestID.String(r.RequestID), keyEnding.String(string(r.Ending)), keyAttempts.Int(r.Attempts))
	facts = appendString(facts, keyRequestModel, r.RequestedModel)
	facts = appendString(facts, keyRoute, r.Route)
	if r.Provider != "" {
		facts = append(facts, keyProvider.String(r.Provider), keyProviderName.String(c.providerInTraces()))
	}
	if r.Ending == usage.Complete && c.trace.model == "" {
		c.trace.model = r.Model
	}
	facts = appendString(facts, keyResponseModel, c.trace.model)
	if r.Stream {
		facts = append(facts, keyStream.Bool(true))
	}
	facts = appendString(facts, keyCache, r.Cache)
	facts = appendTokens(facts, r.Tokens)
	if r.Finish != "" {
		facts = append(facts, keyFinish.StringSlice([]string{r.Finish}))
	}
	if r.FirstToken > 0 {
		facts = append(facts, keyFirstToken.Float64(milliseconds(r.FirstToken)))
	}
	if r.Queued > 0 {
		facts = append(facts, keyQueued.Float64(milliseconds(r.Queued)))
	}
	facts = appendString(facts, keyErrorType, r.Error)
	span.SetAttributes(facts...)
	if r.Ending == usage.Broken || r.Status >= http.StatusInternalServerError || r.Ending == usage.Failed && r.Status < http.StatusBadRequest {
		span.SetStatus(codes.Error, r.Error)
	}
}

// providerInTraces is what the conventions call the provider of the record.
func (c *call) providerInTraces() string {
	if upstream := c.g.Routes.Upstream(c.record.Provider); upstream != nil {
		return vendorInTraces(upstream.Type())
	}
	return c.record.Provider
}

// attemptSpan is the span of one attempt.
type attemptSpan struct {
	trace.Span
	began time.Time
	// model and id are the answer's own; looks counts where they were looked for.
	model, id string
	looks     int
}

// maxLooks is how many events of a stream are searched for the model: all formats
// name it in the first one.
const maxLooks = 3

// beginSpan begins the span of the attempt, of which the returned context knows.
func (a *attempt) beginSpan(ctx context.Context) context.Context {
	if a.trace == nil {
		return ctx
	}
	operation, model := operationInTraces(a.operationName()), a.target.Model
	facts := make([]attribute.KeyValue, 0, 8)
	facts = append(facts,
		keyOperation.String(operation), keyProviderName.String(vendorInTraces(a.target.Upstream.Type())), keyRequestModel.String(model),
		keyProvider.String(a.target.Upstream.Name), keyAttempt.Int(len(a.record.Failures)+1),
	)
	if a.streams {
		facts = append(facts, keyStream.Bool(true))
	}
	// A name of .invalid is of a provider that is nowhere, RFC 6761, 6.4.
	if host := a.endpoint.URL.Hostname(); host != "" && !strings.HasSuffix(host, ".invalid") {
		facts = append(facts, keyServer.String(host), keyPort.Int(portOf(a.endpoint.URL.Scheme, a.endpoint.URL.Port())))
	}
	tracer := a.trace.span.TracerProvider().Tracer(tracerName, trace.WithSchemaURL(traceSchema))
	ctx, span := tracer.Start(ctx, operation+" "+model, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(facts...))
	a.span = &attemptSpan{Span: span, began: time.Now()}
	return ctx
}

func portOf(scheme, port string) int {
	if n, err := strconv.Atoi(port); err == nil {
		return n
	}
	if scheme == "http" {
		return 80
	}
	return 443
}

// propagate tells the provider which trace the request belongs to, if it is one that
// the operator lets know. What the client says of that never goes there by itself.
// The fields are not part of a signature: what is on the way may replace them.
func (a *attempt) propagate(request *http.Request) {
	if a.g.Propagator != nil && a.target.Upstream.Base().TraceContext {
		a.g.Propagator.Inject(request.Context(), propagation.HeaderCarrier(request.Header))
	}
}

// responded notes the head of the provider's answer.
func (s *attemptSpan) responded(status int, requestID string) {
	if s == nil {
		return
	}
	s.SetAttributes(keyStatus.Int(status))
	if requestID != "" {
		s.SetAttributes(keyUpstreamID.String(requestID))
	}
}

// opened notes that the answer goes to the client from now on.
func (s *attemptSpan) opened(now time.Time, stream bool) {
	if s == nil || !stream {
		return
	}
	s.AddEvent(eventFirstToken, trace.WithTimestamp(now))
	s.SetAttributes(keyFirstChunk.Float64(now.Sub(s.began).Seconds()))
}

// look notes the names that an answer, or an event of one, gives itself. It is on the
// way of every event.
func (a *attempt) look(data []byte) {
	if a.span != nil {
		a.lookCloser(data)
	}
}

func (a *attempt) lookCloser(data []byte) {
	if s := a.span; s.model == "" && s.looks < maxLooks && data != nil {
		s.looks++
		s.model, s.id = a.namesIn(data)
	}
}

// namesIn finds the names where any of the formats has them.
func (a *attempt) namesIn(data []byte) (model, id string) {
	answer := jsonbytes.Parse(data)
	for _, v := range [...]jsonbytes.Value{answer, answer.Get("message"), answer.Get("response")} {
		for _, name := range [...]string{"model", "modelVersion"} {
			if model == "" {
				model = a.name(v.Get(name))
			}
		}
		for _, name := range [...]string{"id", "responseId"} {
			if id == "" {
				id = a.name(v.Get(name))
			}
		}
	}
	return model, id
}

// maxName bounds what of a provider's words becomes a name in traces.
const maxName = 256

func (a *attempt) name(v jsonbytes.Value) string {
	if len(v) > maxName {
		return ""
	}
	name, ok := v.Text()
	if !ok || a.echoes(name) {
		return ""
	}
	return name
}

// endSpan ends the span of the attempt, which may have panicked, and tells it what
// became of the attempt.
func (a *attempt) endSpan(failed *failure, returned bool) {
	s := a.span
	if s == nil {
		return
	}
	a.span = nil
	defer s.End()
	ending := a.endingOf(failed)
	facts := make([]attribute.KeyValue, 0, 16)
	facts = append(facts, keyEnding.String(string(ending)))
	if returned || a.record.Ending != "" {
		facts = appendTokens(facts, a.bill())
	}
	facts = appendString(facts, keyResponseModel, s.model)
	facts = appendString(facts, keyResponseID, s.id)
	if a.committed {
		a.trace.model = s.model
		if a.record.Finish != "" {
			facts = append(facts, keyFinish.StringSlice([]string{a.record.Finish}))
		}
	}
	if ending == usage.Failed || ending == usage.Broken {
		kind, class := a.errorOf(failed)
		facts = append(facts, keyErrorType.String(kind))
		if class != kind {
			facts = append(facts, keyError.String(class))
		}
		s.SetStatus(codes.Error, class)
	}
	s.SetAttributes(facts...)
}

// endingOf is how the attempt ended. A client that leaves is no failure of the provider.
func (a *attempt) endingOf(failed *failure) usage.Ending {
	switch {
	case a.record.Ending == usage.ClientGone && a.whole:
		return usage.Complete // and nobody heard all of it
	case a.record.Ending != "":
		return a.record.Ending
	case failed == nil && a.committed: // a panic
		return usage.Broken
	}
	return usage.Failed
}

// errorOf is what went wrong: one of a few words, and the error's own code.
func (a *attempt) errorOf(failed *failure) (kind, class string) {
	switch {
	case failed != nil:
		return failed.kind.String(), failed.err.Class()
	case a.record.Ending == "":
		return errInternal.Kind.String(), errInternal.Class()
	case a.endedBy != nil:
		return a.endedBy.Kind.String(), a.endedBy.Class()
	}
	return a.record.Error, a.record.Error
}

func appendString(facts []attribute.KeyValue, key attribute.Key, value string) []attribute.KeyValue {
	if value == "" {
		return facts
	}
	return append(facts, key.String(value))
}

// appendTokens tells what was consumed, if anything was.
func appendTokens(facts []attribute.KeyValue, t usage.Tokens) []attribute.KeyValue {
	if t.Total() > 0 {
		facts = append(facts, keyInput.Int64(t.Input), keyOutput.Int64(t.Output))
	}
	for _, part := range [...]struct {
		key attribute.Key
		n   int64
	}{{keyCacheRead, t.CacheRead}, {keyCacheWrite, t.CacheWrite}, {keyReasoning, t.Reasoning}} {
		if part.n > 0 {
			facts = append(facts, part.key.Int64(part.n))
		}
	}
	if t.Estimated {
		facts = append(facts, keyEstimated.Bool(true))
	}
	if t.CostKnown {
		facts = append(facts, keyCost.Float64(t.Cost.Dollars()))
	}
	return facts
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
