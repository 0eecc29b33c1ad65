package llmproxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/usage"
)

// plainRecord is of a call as most are.
func plainRecord(stream bool) *usage.Record {
	return &usage.Record{
		Start: time.Now(), RequestID: "req_1", Principal: "app", Operation: "chat", RequestedModel: "smart", Route: "bench", Provider: "openai", Model: "gpt-6",
		Stream: stream, Status: 200, Attempts: 1, Finish: "stop", Ending: usage.Complete,
		Tokens:     usage.Tokens{Input: 900, CacheRead: 100, Output: 120, Cost: 4_000_000, CostKnown: true, Known: true},
		FirstToken: 300 * time.Millisecond, Duration: 2 * time.Second,
	}
}

func BenchmarkCount(b *testing.B) {
	for name, stream := range map[string]bool{"whole": false, "stream": true} {
		b.Run(name, func(b *testing.B) {
			record := plainRecord(stream)
			count(record)
			b.ReportAllocs()
			for b.Loop() {
				count(record)
			}
		})
	}
}

func BenchmarkSettled(b *testing.B) {
	o := &observer{log: zap.NewNop()}
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/chat/completions", nil)
	record := plainRecord(false)
	b.ReportAllocs()
	for b.Loop() {
		o.Settled(r, record)
	}
}
