package llmproxy_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// spans are what a collector of traces gets by OTLP.
type spans struct {
	*httptest.Server
	arrived chan *tracepb.Span
}

func collectSpans(t *testing.T) *spans {
	t.Helper()
	s := &spans{arrived: make(chan *tracepb.Span, 1000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &export)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("an export to %s: %v", r.URL.Path, err)
		}
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					s.arrived <- span
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(s.Close)
	return s
}

// environment has Caddy send its spans here.
func (s *spans) environment() []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_BSP_SCHEDULE_DELAY=50",
	}
}

// next waits for so many spans, in the order of their beginnings.
func (s *spans) next(t *testing.T, n int) (list []*tracepb.Span) {
	t.Helper()
	timeout := time.After(patience)
	for len(list) < n {
		select {
		case span := <-s.arrived:
			list = append(list, span)
		case <-timeout:
			t.Fatalf("%d spans have arrived, not %d: %v", len(list), n, list)
		}
	}
	slices.SortFunc(list, func(a, b *tracepb.Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	return list
}

// facts are the attributes of a span as text.
func facts(span *tracepb.Span) map[string]string {
	found := make(map[string]string, len(span.Attributes))
	for _, fact := range span.Attributes {
		switch v := fact.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			found[fact.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			found[fact.Key] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_DoubleValue:
			found[fact.Key] = fmt.Sprint(v.DoubleValue)
		case *common.AnyValue_BoolValue:
			found[fact.Key] = fmt.Sprint(v.BoolValue)
		case *common.AnyValue_ArrayValue:
			for _, element := range v.ArrayValue.Values {
				found[fact.Key] += element.GetStringValue() + " "
			}
		}
	}
	return found
}

func wantFacts(t *testing.T, span *tracepb.Span, want map[string]string) {
	t.Helper()
	found := facts(span)
	for name, value := range want {
		if found[name] != value {
			t.Errorf("%s of %q is %q, not %q", name, span.Name, found[name], value)
		}
	}
}

func testTracing(t *testing.T, e *example) {
	seen := collectSpans(t)
	e.replace(t, e.name, "https://llm.example.com", e.provider.URL)
	e.env = seen.environment()
	e.start(t)
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	request := func(stream bool) {
		e.provider.Script(testllm.Reply{Status: 529}, testllm.Reply{Text: "by the other one", Model: "qwen3", Usage: testllm.Usage{Input: 20, Output: 4}})
		got := exchange(t, e.client, http.MethodPost, e.base+"/v1/chat/completions", chatBody("smart", "a question", stream),
			"Traceparent", "00-"+trace+"-"+parent+"-01", "Baggage", "team=search")
		got.says(t, 200, "other")
	}
	for i, stream := range []bool{false, true} {
		request(stream)
		list := seen.next(t, 3)
		for _, span := range list {
			if id := hex.EncodeToString(span.TraceId); id != trace {
				t.Errorf("the trace of %q is %s", span.Name, id)
			}
		}
		call := list[0]
		if call.Name != "POST /v1/chat/completions" || call.Kind != tracepb.Span_SPAN_KIND_SERVER || hex.EncodeToString(call.ParentSpanId) != parent {
			t.Errorf("the first span is %v", call)
		}
		wantFacts(t, call, map[string]string{
			"user.id": "anonymous", "http.response.status_code": "200", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "vllm",
			"gen_ai.request.model": "smart", "gen_ai.response.model": "qwen3", "gen_ai.response.finish_reasons": "stop ",
			"gen_ai.usage.input_tokens": "20", "gen_ai.usage.output_tokens": "4", "error.type": "",
			"llm_proxy.route": "smart", "llm_proxy.attempts": "2", "llm_proxy.ending": "complete",
		})
		for _, attempt := range list[1:] {
			if attempt.Kind != tracepb.Span_SPAN_KIND_CLIENT || string(attempt.ParentSpanId) != string(call.SpanId) {
				t.Errorf("an attempt is %v", attempt)
			}
		}
		failed, served := list[1], list[2]
		if failed.Name != "chat claude-sonnet-5" || failed.Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR {
			t.Errorf("the failed attempt is %v", failed)
		}
		wantFacts(t, failed, map[string]string{
			"gen_ai.provider.name": "anthropic", "http.response.status_code": "529", "error.type": "overloaded", "llm_proxy.attempt": "1",
		})
		if served.Name != "chat qwen3-32b" || served.Status.GetCode() != tracepb.Status_STATUS_CODE_UNSET {
			t.Errorf("the attempt that served is %v", served)
		}
		wantFacts(t, served, map[string]string{
			"gen_ai.provider.name": "vllm", "http.response.status_code": "200", "gen_ai.usage.output_tokens": "4", "error.type": "", "llm_proxy.attempt": "2",
		})
		calls := e.provider.Calls()[2*i:]
		if value := calls[0].Header.Get("Traceparent") + calls[0].Header.Get("Baggage"); value != "" {
			t.Errorf("a provider that is not to know of the trace is told %s", value)
		}
		if value := calls[1].Header.Get("Traceparent"); value != "00-"+trace+"-"+hex.EncodeToString(served.SpanId)+"-01" || calls[1].Header.Get("Baggage") != "team=search" {
			t.Errorf("the provider is told %q, %q", value, calls[1].Header.Get("Baggage"))
		}
		if text := fmt.Sprint(list); strings.Contains(text, "question") || strings.Contains(text, "other one") || strings.Contains(text, "key-for-tests") {
			t.Errorf("the spans are %s", text)
		}
	}
	e.stop(t)
}
