package llmproxy

import (
	"maps"
	"net/http"
	"slices"

	"go.uber.org/zap/zapcore"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/usage"
)

// loggedRecord is a usage record as it is logged: the same fields on the usage
// logger and in the access log, none of them secret, none of them a prompt.
type loggedRecord usage.Record

// MarshalLogObject writes the record. Fields that do not apply are left out.
func (r *loggedRecord) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddString("request_id", r.RequestID)
	addString(e, "user_id", r.Principal)
	addString(e, "group", r.Group)
	if len(r.Metadata) > 0 {
		if err := e.AddObject("metadata", stringMap(r.Metadata)); err != nil {
			return err
		}
	}
	e.AddString("operation", r.Operation)
	addString(e, "requested_model", r.RequestedModel)
	addString(e, "route", r.Route)
	addString(e, "provider", r.Provider)
	addString(e, "model", r.Model)
	addString(e, "fallback", r.Fallback)
	addString(e, "upstream_request_id", r.UpstreamRequestID)
	e.AddBool("stream", r.Stream)
	e.AddInt("status", r.Status)
	e.AddString("ending", string(r.Ending))
	addString(e, "error", r.Error)
	addInt(e, "error_status", int64(r.ErrorStatus))
	addString(e, "cause", r.Cause)
	if call := (*usage.Record)(r); level(call) > zapcore.InfoLevel {
		addString(e, "advice", adviceOn(call))
	}
	addString(e, "finish_reason", r.Finish)
	addString(e, "cache", r.Cache)
	addString(e, "cache_reason", r.CacheReason)
	e.AddInt("attempts", r.Attempts)
	if r.PossibleDuplicate {
		e.AddBool("possible_duplicate", true)
	}
	if len(r.Failures) > 0 {
		if err := e.AddArray("failures", failures(r.Failures)); err != nil {
			return err
		}
	}
	if len(r.Dropped) > 0 {
		if err := e.AddArray("dropped", stringArray(r.Dropped)); err != nil {
			return err
		}
	}
	e.AddInt64("input_tokens", r.Tokens.Input)
	e.AddInt64("output_tokens", r.Tokens.Output)
	addInt(e, "cache_read_tokens", r.Tokens.CacheRead)
	addInt(e, "cache_write_tokens", r.Tokens.CacheWrite)
	addInt(e, "reasoning_tokens", r.Tokens.Reasoning)
	if r.Tokens.Estimated {
		e.AddBool("tokens_estimated", true)
	}
	if r.Tokens.CostKnown {
		e.AddFloat64("cost_usd", r.Tokens.Cost.Dollars())
	}
	if len(r.Limits) > 0 {
		if err := e.AddArray("limited_by", limitNames(r.Limits)); err != nil {
			return err
		}
	}
	if r.Disbelieved {
		e.AddBool("usage_disbelieved", true)
	}
	if r.Queued > 0 {
		e.AddFloat64("queued_ms", float64(r.Queued.Microseconds())/1e3)
	}
	if r.FirstToken > 0 {
		e.AddFloat64("ttft_ms", float64(r.FirstToken.Microseconds())/1e3)
	}
	e.AddFloat64("overhead_ms", float64((*usage.Record)(r).Overhead().Microseconds())/1e3)
	e.AddFloat64("duration_ms", float64(r.Duration.Microseconds())/1e3)
	e.AddInt64("bytes_in", r.BytesIn)
	e.AddInt64("bytes_out", r.BytesOut)
	return nil
}

// level is how loud a call is: what the gateway or a provider did wrong is an
// error, even if the answer's status was 200 by then, what the client did wrong is
// not. In between is what the operator's own account or orders brought about.
func level(r *usage.Record) zapcore.Level {
	switch {
	case r.Error == "" || r.Ending == usage.ClientGone || r.Error == "not_cached": // which the client asked for
		return zapcore.InfoLevel
	case r.Error == "gateway_stopping":
		return zapcore.WarnLevel
	case r.Ending == usage.Broken || r.ErrorStatus >= http.StatusInternalServerError:
		return zapcore.ErrorLevel
	case r.Ending == usage.Failed && r.ErrorStatus == http.StatusTooManyRequests:
		return zapcore.WarnLevel
	}
	return zapcore.InfoLevel
}

// adviceOn says what can be done about a call's error. A provider's own code may be
// any: the kind of the last failure is one of ours.
func adviceOn(r *usage.Record) string {
	if known := advice[r.Error]; known != "" || len(r.Failures) == 0 {
		return known
	}
	return advice[r.Failures[len(r.Failures)-1].Kind]
}

// advice is what an operator can do about an error, by its code or kind.
var advice = map[string]string{
	"upstream_auth_error":        "check the provider's credential, and what its account may use",
	"invalid_api_key":            "check the provider's credential, and what its account may use",
	"permission_denied":          "check what the provider's credential may use",
	"overloaded":                 "the provider is overloaded; a second target or a fallback keeps calls going",
	"timeout":                    "the provider is slow or silent: give it more time with timeout of the model, or another target",
	"upstream_error":             "see cause; check base_url, the way there, and the provider's own status; a second target or a fallback keeps calls going",
	"upstream_timeout":           "the provider is slow or silent: give it more time with timeout of the model, or another target",
	"upstream_stream_error":      "the provider or something on the way cut the stream: see whether it is always after the same time",
	"upstream_protocol_error":    "see cause; check that base_url leads to the API of the provider's type, and not to a page or a proxy",
	"event_too_large":            "the provider sent an event above the bound; ask for less at once",
	"no_healthy_upstream":        "GET /llm_proxy/status of the admin API says why no target can be asked; add a target or a fallback",
	"rate_limit_exceeded":        "the provider's limits are reached: add keys or targets, or hold calls back with limits and queue",
	"insufficient_quota":         "the account at the provider is out of money or quota",
	"internal_error":             "the line \"a call panicked\" of this request_id says where: report it",
	"authentication_unavailable": "the issuer's keys cannot be had: see the lines about them",
	"limiter_unavailable":        "the store of limits cannot be reached: check state",
	"gateway_stopping":           "a longer grace_period lets calls end",
}

func addString(e zapcore.ObjectEncoder, name, value string) {
	if value != "" {
		e.AddString(name, value)
	}
}

func addInt(e zapcore.ObjectEncoder, name string, n int64) {
	if n != 0 {
		e.AddInt64(name, n)
	}
}

// failures are the attempts of a call that came to nothing.
type failures []usage.Failure

func (f failures) MarshalLogArray(e zapcore.ArrayEncoder) error {
	for i := range f {
		if err := e.AppendObject((*failure)(&f[i])); err != nil {
			return err
		}
	}
	return nil
}

type failure usage.Failure

func (f *failure) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddString("provider", f.Provider)
	e.AddString("model", f.Model)
	e.AddString("error", f.Error)
	addString(e, "kind", f.Kind)
	addString(e, "cause", f.Cause)
	addInt(e, "input_tokens", f.Tokens.Input)
	addInt(e, "output_tokens", f.Tokens.Output)
	if f.Tokens.Cost > 0 {
		e.AddFloat64("cost_usd", f.Tokens.Cost.Dollars())
	}
	return nil
}

// limitNames are the limits that stood in the way, such as key/requests.
type limitNames []usage.Limit

func (l limitNames) MarshalLogArray(e zapcore.ArrayEncoder) error {
	for _, limit := range l {
		e.AppendString(limit.Scope + "/" + limit.Kind)
	}
	return nil
}

// stringMap is logged in the order of its names.
type stringMap map[string]string

func (m stringMap) MarshalLogObject(e zapcore.ObjectEncoder) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		e.AddString(name, m[name])
	}
	return nil
}

type stringArray []string

func (a stringArray) MarshalLogArray(e zapcore.ArrayEncoder) error {
	for _, s := range a {
		e.AppendString(s)
	}
	return nil
}

// loggedPanic is a panic with what is known of its call: places, and no content.
type loggedPanic gateway.Panic

// MarshalLogObject writes the panic.
func (p *loggedPanic) MarshalLogObject(e zapcore.ObjectEncoder) error {
	r := p.Call
	e.AddString("request_id", r.RequestID)
	addString(e, "user_id", r.Principal)
	e.AddString("operation", r.Operation)
	addString(e, "requested_model", r.RequestedModel)
	addString(e, "route", r.Route)
	addString(e, "provider", r.Provider)
	addString(e, "model", r.Model)
	e.AddInt("attempts", r.Attempts)
	e.AddString("panic", p.What)
	e.AddByteString("stack", p.Stack)
	return nil
}
