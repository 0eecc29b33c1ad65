package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// traces are the spans of a gateway's calls.
type traces struct {
	*tracetest.SpanRecorder
	ended chan struct{} // for each call's own span
}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// trace puts a handler before the gateway that makes spans as Caddy's does.
func (g *gate) trace(t testing.TB, sampler sdktrace.Sampler) *traces {
	t.Helper()
	seen := &traces{tracetest.NewSpanRecorder(), make(chan struct{}, 100)}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(seen.SpanRecorder), sdktrace.WithSampler(sampler))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	around := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
			ctx, span := provider.Tracer("caddy").Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
			defer func() {
				span.End()
				seen.ended <- struct{}{}
			}()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	g.around.Store(&around)
	return seen
}

// next waits for the end of a call and returns its own span and those of its
// attempts. Each has begun and ended once, in the same trace.
func (s *traces) next(t testing.TB) (call span, attempts []span) {
	t.Helper()
	<-s.ended
	if begun, ended := len(s.Started()), len(s.Ended()); begun != ended {
		t.Errorf("%d spans began, %d ended", begun, ended)
	}
	for _, ended := range s.Ended() {
		if ended.SpanKind() == trace.SpanKindServer {
			call = span{ended}
		} else {
			attempts = append(attempts, span{ended})
		}
	}
	s.Reset()
	slices.SortFunc(attempts, func(a, b span) int { return int(a.int("llm_proxy.attempt") - b.int("llm_proxy.attempt")) })
	for _, attempt := range attempts {
		equal(t, "kind", attempt.SpanKind(), trace.SpanKindClient)
		equal(t, "parent", attempt.Parent().SpanID(), call.SpanContext().SpanID())
		equal(t, "trace", attempt.SpanContext().TraceID(), call.SpanContext().TraceID())
		equal(t, "scope", attempt.InstrumentationScope().Name, "github.com/caddyllm/llmproxy")
	}
	return call, attempts
}

type span struct{ sdktrace.ReadOnlySpan }

func (s span) attribute(key string) attribute.Value {
	for _, fact := range s.Attributes() {
		if string(fact.Key) == key {
			return fact.Value
		}
	}
	return attribute.Value{}
}

func (s span) int(key string) int64 { return s.attribute(key).AsInt64() }

// has fails unless the span has the attributes, each a name and a value; nil: it has
// no such attribute.
func (s span) has(t testing.TB, facts ...any) {
	t.Helper()
	for i := 0; i < len(facts); i += 2 {
		name := facts[i].(string)
		got := s.attribute(name)
		if want := facts[i+1]; want == nil && got.Type() != attribute.EMPTY || want != nil && got.String() != fmt.Sprint(want) {
			t.Errorf("%s of %s is %q, want %v", name, s.Name(), got.String(), want)
		}
	}
}

// tells fails unless the span of a call says what the record says.
func (s span) tells(t testing.TB, r *usage.Record) {
	t.Helper()
	or := func(value string) any {
		if value == "" {
			return nil
		}
		return value
	}
	s.has(t, "llm_proxy.request_id", r.RequestID, "gen_ai.request.model", or(r.RequestedModel), "llm_proxy.route", or(r.Route),
		"llm_proxy.provider", or(r.Provider), "llm_proxy.attempts", r.Attempts, "llm_proxy.ending", r.Ending,
		"llm_proxy.cache", or(r.Cache), "error.type", or(r.Error))
	if r.Tokens.Total() > 0 {
		s.has(t, "gen_ai.usage.input_tokens", r.Tokens.Input, "gen_ai.usage.output_tokens", r.Tokens.Output)
	}
	if cost, known := r.Cost(); known {
		s.has(t, "llm_proxy.cost_usd", cost.Dollars())
	}
}

func TestAnAttemptIsASpan(t *testing.T) {
	for _, d := range dialects {
		for provider, vendor := range map[string]string{"chat": "openai_compatible", "claude": "anthropic", "google": "gcp.gemini"} {
			t.Run(d.name+" to "+provider, func(t *testing.T) {
				g, srv := vendors(t, nil)
				seen := g.trace(t, sdktrace.AlwaysSample())
				address, _ := url.Parse(srv.URL)
				for _, stream := range []bool{false, true} {
					path, body := d.path, d.body
					if stream {
						path, body = d.streamPath, d.streamBody
					}
					srv.Script(testllm.Reply{Model: "real-name", Usage: testllm.Usage{Input: 100, CacheRead: 40, Output: 50}})
					g.do(t, http.MethodPost, forModel(path, provider+"/m"), forModel(body, provider+"/m"), d.header...)
					r := g.record(t)
					call, attempts := seen.next(t)
					call.tells(t, r)
					call.has(t, "gen_ai.operation.name", "chat", "gen_ai.provider.name", vendor, "gen_ai.response.finish_reasons", `["stop"]`, "gen_ai.response.model", "real-name")
					equal(t, "status", call.Status().Code, codes.Unset)
					if len(attempts) != 1 {
						t.Fatalf("there are %d spans", len(attempts))
					}
					attempt := attempts[0]
					equal(t, "name", attempt.Name(), "chat m")
					equal(t, "status", attempt.Status().Code, codes.Unset)
					attempt.has(t, "gen_ai.operation.name", "chat", "gen_ai.provider.name", vendor, "gen_ai.request.model", "m",
						"gen_ai.response.model", "real-name", "gen_ai.response.finish_reasons", `["stop"]`,
						"gen_ai.usage.input_tokens", r.Tokens.Input, "gen_ai.usage.output_tokens", r.Tokens.Output, "gen_ai.usage.cache_read.input_tokens", 40,
						"http.response.status_code", 200, "server.address", address.Hostname(), "server.port", address.Port(),
						"llm_proxy.provider", provider, "llm_proxy.attempt", 1, "llm_proxy.ending", "complete", "error.type", nil)
					if attempt.attribute("gen_ai.response.id").AsString() == "" {
						t.Error("the answer has no id")
					}
					if !stream {
						attempt.has(t, "gen_ai.request.stream", nil, "gen_ai.response.time_to_first_chunk", nil)
						equal(t, "events", len(attempt.Events()), 0)
						continue
					}
					call.has(t, "gen_ai.request.stream", true)
					attempt.has(t, "gen_ai.request.stream", true)
					if len(attempt.Events()) != 1 || attempt.Events()[0].Name != "llm_proxy.first_token" {
						t.Errorf("the events are %v", attempt.Events())
					}
					if first := attempt.attribute("gen_ai.response.time_to_first_chunk").AsFloat64(); first <= 0 || first > attempt.EndTime().Sub(attempt.StartTime()).Seconds() {
						t.Errorf("the first chunk came after %v s", first)
					}
				}
			})
		}
	}
}

func TestOtherOperationsAreSpansToo(t *testing.T) {
	g, _ := vendors(t, func(g *gateway.Gateway) { g.Surface.OpenAI = true })
	seen := g.trace(t, sdktrace.AlwaysSample())
	const form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nchat/m\r\n--b--\r\n"
	for _, test := range []struct {
		path, body, operation string
		header                []string
		attempts              int
	}{
		{"/v1/embeddings", `{"model":"chat/m","input":"hi"}`, "embeddings", nil, 1},
		{"/v1/messages/count_tokens", `{"model":"claude/m","messages":[{"role":"user","content":"hi"}]}`, "count_tokens", nil, 1},
		{"/v1/messages/count_tokens", `{"model":"chat/m","messages":[{"role":"user","content":"hi"}]}`, "count_tokens", nil, 0}, // estimated
		{"/v1/completions", `{"model":"chat/m","prompt":"hi"}`, "text_completion", nil, 1},
		{"/v1/images/generations", `{"model":"chat/m","prompt":"a cat"}`, "images", nil, 1},
		{"/v1/audio/transcriptions", form, "audio", []string{"Content-Type", "multipart/form-data; boundary=b"}, 1},
	} {
		t.Run(test.path, func(t *testing.T) {
			g.do(t, http.MethodPost, test.path, test.body, test.header...)
			r := g.record(t)
			call, attempts := seen.next(t)
			call.tells(t, r)
			call.has(t, "gen_ai.operation.name", test.operation)
			if len(attempts) != test.attempts {
				t.Fatalf("there are %d spans", len(attempts))
			}
			for _, attempt := range attempts {
				equal(t, "name", attempt.Name(), test.operation+" m")
				attempt.has(t, "gen_ai.operation.name", test.operation)
			}
		})
	}
}

func TestEachAttemptOfAFailoverIsASpan(t *testing.T) {
	for _, request := range []string{ask("m"), askStream("m")} {
		for name, test := range map[string]struct {
			reply       testllm.Reply
			kind, class string
			status      any
		}{
			"overloaded":         {testllm.Reply{Status: 503}, "overloaded", "", 503},
			"throttled":          {testllm.Reply{Status: 429, Error: testllm.Error{Message: "the words of " + providerKey, Code: "too_fast"}}, "rate_limit_exceeded", "too_fast", 429},
			"a refused key":      {testllm.Reply{Status: 401, Error: testllm.Error{Message: "no such key: " + providerKey}}, "invalid_api_key", "upstream_auth_error", 401},
			"a reset connection": {testllm.Reply{ResetConnection: true}, "upstream_error", "", nil},
			"no answer":          {testllm.Reply{Body: []byte("<html>"), ContentType: "text/html"}, "upstream_error", "upstream_protocol_error", 200},
		} {
			t.Run(name, func(t *testing.T) {
				g, a, b := pair(t, nil)
				seen := g.trace(t, sdktrace.AlwaysSample())
				a.Script(test.reply, test.reply)
				b.Script(testllm.Reply{Usage: testllm.Usage{Input: 7, Output: 3}})
				g.chat(t, request)
				r := g.record(t)
				call, attempts := seen.next(t)
				call.tells(t, r)
				equal(t, "status", call.Status().Code, codes.Unset)
				equal(t, "spans", len(attempts), r.Attempts)
				if len(attempts) != len(r.Failures)+1 {
					t.Fatalf("there are %d spans of %d failures", len(attempts), len(r.Failures))
				}
				for i, f := range r.Failures {
					attempts[i].has(t, "llm_proxy.attempt", i+1, "llm_proxy.provider", "a", "error.type", f.Kind, "llm_proxy.ending", "failed", "http.response.status_code", test.status)
					equal(t, "kind", f.Kind, test.kind)
					if test.class != "" {
						attempts[i].has(t, "llm_proxy.error", test.class)
					}
					if f.Tokens.Total() > 0 {
						attempts[i].has(t, "gen_ai.usage.input_tokens", f.Tokens.Input, "gen_ai.usage.output_tokens", f.Tokens.Output)
					}
					equal(t, "status", attempts[i].Status(), sdktrace.Status{Code: codes.Error, Description: f.Error})
				}
				last := attempts[len(attempts)-1]
				last.has(t, "llm_proxy.provider", "b", "error.type", nil, "gen_ai.usage.input_tokens", 7, "gen_ai.usage.output_tokens", 3)
				holdNoSecret(t, append(attempts, call))
			})
		}
	}
}

// holdNoSecret fails if anything in the spans is the provider's key or of a conversation.
func holdNoSecret(t testing.TB, spans []span) {
	t.Helper()
	for _, s := range spans {
		text := fmt.Sprint(s.Name(), s.Attributes(), s.Status(), s.Events())
		for _, secret := range []string{providerKey, mistake, "the words of"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the span: %s", secret, text)
			}
		}
	}
}

func TestSpansHoldNoSecretThatAProviderRepeats(t *testing.T) {
	const secret = "a_key_that_looks_like_a_word"
	a, b := testllm.New(t), testllm.New(t)
	for _, request := range []string{ask("m"), askStream("m")} {
		g := setup{
			upstreams: []*providers.Upstream{loadKeys(t, "a", a.URL+"/v1", `"`+secret+`"`), loadKeys(t, "b", b.URL+"/v1", `"`+secret+`"`)},
			aliases:   []alias{{name: "m", to: []string{"a/model-a", "b/model-b"}}},
		}.start(t)
		seen := g.trace(t, sdktrace.AlwaysSample())
		for _, reply := range []testllm.Reply{
			{Status: 400, Error: testllm.Error{Code: secret, Type: secret}},
			{Body: []byte(`{"error":{"message":"no","code":"` + secret + `"}}`)},
			{Model: secret, Header: http.Header{"X-Request-Id": {secret}}},
			{RawEvents: []string{strings.ReplaceAll(begun, `"model":"m"`, `"model":"`+secret+`"`), `data: {"error":{"message":"no","code":"` + secret + `"}}` + "\n\n"}, ChunkDelay: 1e7},
		} {
			a.Script(reply, reply)
			b.Script(reply, reply)
			got := g.chat(t, request)
			r := g.record(t)
			call, attempts := seen.next(t)
			equal(t, "spans", len(attempts), r.Attempts)
			if text := fmt.Sprint(call.Attributes(), call.Status(), r, got.header); strings.Contains(text, secret) {
				t.Errorf("the secret is in %s", text)
			}
			for _, attempt := range attempts {
				if text := fmt.Sprint(attempt.Attributes(), attempt.Status()); strings.Contains(text, secret) {
					t.Errorf("the secret is in %s", text)
				}
			}
			if reply.Status == 400 && strings.Contains(got.body, secret) {
				t.Errorf("the client is told %s", got.body)
			}
		}
	}
}

func TestSpansOfStreamsThatEndBadly(t *testing.T) {
	for name, test := range map[string]struct {
		reply  testllm.Reply
		ending usage.Ending
		kind   string
	}{
		"cut":               {testllm.Reply{RawEvents: []string{begun}, CutAfter: 1}, usage.Broken, "upstream_error"},
		"error in a stream": {testllm.Reply{Text: "one two three", ErrorAfter: 2, ChunkDelay: 1e7}, usage.Broken, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := single(t, nil)
			seen := g.trace(t, sdktrace.AlwaysSample())
			srv.Script(test.reply)
			g.chat(t, askStream("openai/x"))
			r := g.record(t)
			equal(t, "ending", r.Ending, test.ending)
			call, attempts := seen.next(t)
			call.tells(t, r)
			equal(t, "status", call.Status(), sdktrace.Status{Code: codes.Error, Description: r.Error})
			if len(attempts) != 1 {
				t.Fatalf("there are %d spans", len(attempts))
			}
			attempts[0].has(t, "llm_proxy.ending", "broken", "gen_ai.usage.input_tokens", r.Tokens.Input, "gen_ai.usage.output_tokens", r.Tokens.Output, "llm_proxy.tokens_estimated", true)
			if test.kind != "" {
				attempts[0].has(t, "error.type", test.kind)
			}
			equal(t, "status", attempts[0].Status(), sdktrace.Status{Code: codes.Error, Description: r.Error})
		})
	}
}

func TestSpanOfAnAnswerThatIsCutShort(t *testing.T) {
	g, srv := single(t, nil)
	seen := g.trace(t, sdktrace.AlwaysSample())
	srv.Script(testllm.Reply{Body: []byte("sound, sound, sound"), ContentType: "audio/mpeg", CutBytes: 8})
	response, err := g.open(t.Context(), http.MethodPost, "/v1/audio/speech", `{"model":"openai/x","input":"hi"}`)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	r := g.record(t)
	call, attempts := seen.next(t)
	call.tells(t, r)
	if len(attempts) != 1 {
		t.Fatalf("there are %d spans", len(attempts))
	}
	equal(t, "status", attempts[0].Status().Code, codes.Error)
	attempts[0].has(t, "llm_proxy.ending", r.Ending)
}

func TestAClientThatLeavesIsNoErrorOfTheAttempt(t *testing.T) {
	for name, reply := range map[string]testllm.Reply{
		"before": {Hold: true}, "within": {RawEvents: []string{begun, doneEvent}, StallAfter: 1},
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := single(t, nil)
			seen := g.trace(t, sdktrace.AlwaysSample())
			srv.Script(reply)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				response, err := g.open(ctx, http.MethodPost, chatPath, askStream("openai/x"))
				if err == nil {
					_, _ = io.ReadFull(response.Body, make([]byte, len(begun)))
					leave()
					response.Body.Close()
				}
			}()
			srv.WaitCalls(t, 1)
			if name == "before" {
				leave()
			}
			<-gone
			r := g.record(t)
			call, attempts := seen.next(t)
			call.tells(t, r)
			equal(t, "status", call.Status().Code, codes.Unset)
			if len(attempts) != 1 {
				t.Fatalf("there are %d spans", len(attempts))
			}
			attempts[0].has(t, "llm_proxy.ending", "client_gone", "error.type", nil)
			equal(t, "status", attempts[0].Status().Code, codes.Unset)
		})
	}
}

func TestPanicsEndTheSpan(t *testing.T) {
	srv := testllm.New(t)
	loaded := load(t, "a", "openai", srv.URL)
	sound := loaded.Provider
	g := setup{upstreams: []*providers.Upstream{loaded}}.start(t)
	seen := g.trace(t, sdktrace.AlwaysSample())
	for _, test := range []struct {
		name, stage, request string
		reply                testllm.Reply
		attempts             int
		ending               string
	}{
		{"before there is an attempt", "chat", ask("a/x"), testllm.Reply{}, 0, ""},
		{"in a credential", "authorize", ask("a/x"), testllm.Reply{}, 1, "failed"},
		{"in an answer", "", ask("a/x"), testllm.Reply{}, 1, "failed"},
		{"after content", "", askStream("a/x"), testllm.Reply{RawEvents: []string{begun, textChunk("panic")}, ChunkDelay: 1e7}, 1, "broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			loaded.Provider = fragile{Provider: sound, stage: test.stage}
			srv.Script(test.reply)
			g.chat(t, test.request)
			r := g.record(t)
			call, attempts := seen.next(t)
			call.tells(t, r)
			equal(t, "status", call.Status(), sdktrace.Status{Code: codes.Error, Description: "internal_error"})
			equal(t, "spans", len(attempts), test.attempts)
			for _, attempt := range attempts {
				attempt.has(t, "error.type", "internal_error", "llm_proxy.ending", test.ending)
				equal(t, "status", attempt.Status().Code, codes.Error)
			}
			holdNoSecret(t, append(attempts, call))
		})
	}
}

func TestWithoutAnAttemptThereIsNoSpanOfOne(t *testing.T) {
	t.Run("refused by a limit", func(t *testing.T) {
		l := limit(t, rules(oneCall))
		seen := l.gate.trace(t, sdktrace.AlwaysSample())
		for want := 1; want >= 0; want-- {
			l.ask(t, ask("fake/priced"))
			r := l.record(t)
			call, attempts := seen.next(t)
			call.tells(t, r)
			equal(t, "spans", len(attempts), want)
		}
	})
	t.Run("from the cache", func(t *testing.T) {
		g, _ := single(t, cached(t))
		seen := g.trace(t, sdktrace.AlwaysSample())
		for want := 1; want >= 0; want-- {
			g.chat(t, ask("openai/m"))
			r := g.record(t)
			call, attempts := seen.next(t)
			call.tells(t, r)
			call.has(t, "llm_proxy.cache", map[int]string{1: "miss", 0: "hit"}[want], "gen_ai.provider.name", "openai")
			equal(t, "spans", len(attempts), want)
		}
	})
	t.Run("of an unknown model", func(t *testing.T) {
		g, _ := single(t, nil)
		seen := g.trace(t, sdktrace.AlwaysSample())
		g.chat(t, ask("nobody"))
		r := g.record(t)
		call, attempts := seen.next(t)
		call.tells(t, r)
		call.has(t, "gen_ai.provider.name", nil, "llm_proxy.ending", "refused", "error.type", "model_not_found")
		equal(t, "status", call.Status().Code, codes.Unset)
		equal(t, "spans", len(attempts), 0)
	})
}

// traceFields are what a client may send of a trace of its own.
var traceFields = []string{
	"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tracestate", "vendor=of-the-client", "Baggage", "tenant=of-the-client",
}

func TestProvidersAreToldOfTracesOnlyWhereTheyAreMeantTo(t *testing.T) {
	for _, told := range []bool{false, true} {
		srv := testllm.New(t)
		more := ""
		if told {
			more = `,"trace_context":true`
		}
		g := setup{
			upstreams: []*providers.Upstream{load(t, "chat", "openai", srv.URL+"/v1", more), load(t, "claude", "anthropic", srv.URL, more)},
			change: func(g *gateway.Gateway) {
				g.Propagator = propagator
				g.Surface = gateway.Surface{OpenAI: true, Anthropic: true}
			},
		}.start(t)
		const form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nchat/m\r\n--b--\r\n"
		send := func(model string) *testllm.Call {
			t.Helper()
			before := len(srv.Calls())
			if model == "form" {
				g.do(t, http.MethodPost, "/v1/audio/transcriptions", form, append(traceFields, "Content-Type", "multipart/form-data; boundary=b")...)
			} else {
				g.chat(t, ask(model), traceFields...)
			}
			g.record(t)
			if calls := srv.Calls(); len(calls) == before+1 {
				return &calls[before]
			}
			t.Fatal("the provider was not asked")
			return nil
		}
		silent := func(call *testllm.Call) {
			t.Helper()
			for i := 0; i < len(traceFields); i += 2 {
				if value := call.Header.Get(traceFields[i]); value != "" {
					t.Errorf("the provider is told %s: %s", traceFields[i], value)
				}
			}
		}
		silent(send("chat/m")) // nothing makes spans
		for _, sampler := range []sdktrace.Sampler{sdktrace.AlwaysSample(), sdktrace.NeverSample()} {
			seen := g.trace(t, sampler)
			for _, model := range []string{"chat/m", "claude/m", "form"} {
				call := send(model)
				own, attempts := seen.next(t)
				if !told {
					silent(call)
					continue
				}
				parent := call.Header.Get("Traceparent")
				equal(t, "baggage", call.Header.Get("Baggage"), "tenant=of-the-client")
				equal(t, "state", call.Header.Get("Tracestate"), "vendor=of-the-client")
				if sampler.Description() == sdktrace.NeverSample().Description() {
					if !strings.HasPrefix(parent, "00-0af7651916cd43dd8448eb211c80319c-") || !strings.HasSuffix(parent, "-00") {
						t.Errorf("the parent is %s", parent)
					}
					continue
				}
				equal(t, "trace", own.SpanContext().TraceID().String(), "0af7651916cd43dd8448eb211c80319c")
				equal(t, "parent", parent, "00-0af7651916cd43dd8448eb211c80319c-"+attempts[0].SpanContext().SpanID().String()+"-01")
			}
		}
	}
}
