package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

func TestNamesAreThoseOfTheConventions(t *testing.T) {
	if traceSchema != semconv.SchemaURL {
		t.Errorf("the schema is %s, not %s", traceSchema, semconv.SchemaURL)
	}
	for own, theirs := range map[attribute.Key]attribute.Key{
		keyOperation: semconv.GenAIOperationNameKey, keyProviderName: semconv.GenAIProviderNameKey,
		keyRequestModel: semconv.GenAIRequestModelKey, keyStream: semconv.GenAIRequestStreamKey,
		keyResponseModel: semconv.GenAIResponseModelKey, keyResponseID: semconv.GenAIResponseIDKey,
		keyFinish: semconv.GenAIResponseFinishReasonsKey, keyFirstChunk: semconv.GenAIResponseTimeToFirstChunkKey,
		keyInput: semconv.GenAIUsageInputTokensKey, keyOutput: semconv.GenAIUsageOutputTokensKey,
		keyCacheRead: semconv.GenAIUsageCacheReadInputTokensKey, keyCacheWrite: semconv.GenAIUsageCacheCreationInputTokensKey,
		keyReasoning: semconv.GenAIUsageReasoningOutputTokensKey, keyErrorType: semconv.ErrorTypeKey,
		keyStatus: semconv.HTTPResponseStatusCodeKey, keyServer: semconv.ServerAddressKey, keyPort: semconv.ServerPortKey,
	} {
		if own != theirs {
			t.Errorf("%s is called %s", own, theirs)
		}
	}
	for kind, theirs := range map[string]attribute.KeyValue{
		"openai": semconv.GenAIProviderNameOpenAI, "azure_openai": semconv.GenAIProviderNameAzureAIOpenAI,
		"anthropic": semconv.GenAIProviderNameAnthropic, "bedrock": semconv.GenAIProviderNameAWSBedrock,
		"gemini": semconv.GenAIProviderNameGCPGemini, "vertex": semconv.GenAIProviderNameGCPVertexAI,
		"cohere": semconv.GenAIProviderNameCohere, "mistral": semconv.GenAIProviderNameMistralAI,
		"deepseek": semconv.GenAIProviderNameDeepseek, "groq": semconv.GenAIProviderNameGroq,
		"perplexity": semconv.GenAIProviderNamePerplexity, "xai": semconv.GenAIProviderNameXAI,
	} {
		if own := vendorInTraces(kind); own != theirs.Value.AsString() {
			t.Errorf("%s is called %s, not %s", kind, theirs.Value.AsString(), own)
		}
	}
	for operation, theirs := range map[string]attribute.KeyValue{
		opChat.String(): semconv.GenAIOperationNameChat, opEmbeddings.String(): semconv.GenAIOperationNameEmbeddings,
		completionsPath[1:]: semconv.GenAIOperationNameTextCompletion,
	} {
		if own := operationInTraces(operation); own != theirs.Value.AsString() {
			t.Errorf("%s is called %s, not %s", operation, theirs.Value.AsString(), own)
		}
	}
}

// untold is a provider that is told of no trace.
type untold struct {
	providers.Provider
	settings providers.Settings
}

func (u *untold) Base() *providers.Settings { return &u.settings }

// hooks are all that a call has to do with traces.
func hooks(c *call, a *attempt, ctx context.Context, event []byte) {
	c.trace = nil
	c.beginTrace()
	_ = a.beginSpan(ctx)
	a.propagate(c.r)
	a.span.responded(http.StatusOK, "id")
	a.span.opened(time.Time{}, true)
	a.look(event)
	a.endSpan(nil, true)
	c.endTrace()
}

// unrecorded are a call and its attempt whose span, if there is one, nobody records.
func unrecorded(spans bool) (*call, *attempt) {
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
	if spans {
		ctx, _ := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())).Tracer("").Start(r.Context(), "request")
		r = r.WithContext(ctx)
	}
	c := &call{r: r, g: &Gateway{}}
	return c, &attempt{call: c, target: &routing.Target{Upstream: &providers.Upstream{Name: "a", Provider: new(untold)}}}
}

func TestTracesCostNothingWhereNobodyRecords(t *testing.T) {
	for name, spans := range map[string]bool{"without spans": false, "of a call that is not sampled": true} {
		t.Run(name, func(t *testing.T) {
			c, a := unrecorded(spans)
			ctx, event := c.r.Context(), []byte(`{"model":"m"}`)
			if trace.SpanFromContext(ctx).IsRecording() {
				t.Fatal("the span is recorded")
			}
			if n := testing.AllocsPerRun(100, func() { hooks(c, a, ctx, event) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func BenchmarkTracesWhereNobodyRecords(b *testing.B) {
	c, a := unrecorded(false)
	ctx, event := c.r.Context(), []byte(`{"model":"m"}`)
	b.ReportAllocs()
	for b.Loop() {
		hooks(c, a, ctx, event)
	}
}
