package gateway_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// quiet observes nothing.
type quiet struct{}

func (quiet) Started()                                 {}
func (quiet) Settled(_ *http.Request, _ *usage.Record) {}

// sink takes an answer and keeps nothing of it.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// BenchmarkCall measures a call to a provider that answers within the process, with
// and without limits of its key.
func BenchmarkCall(b *testing.B) {
	large := []limits.Limit{
		{Name: "rpm", Kind: limits.Requests, Amount: 1 << 40, Window: limits.PerMinute},
		{Name: "tpm", Kind: limits.Tokens, Amount: 1 << 50, Window: limits.PerMinute},
		{Name: "concurrency", Kind: limits.Concurrency, Amount: 1 << 20},
		{Name: "budget per day", Kind: limits.Money, Amount: 1 << 50, Window: limits.PerDay},
	}
	for name, own := range map[string][]limits.Limit{"without limits": nil, "with 3 limits": large[:3], "with 3 limits and a budget": large} {
		b.Run(name, func(b *testing.B) {
			store, err := limits.NewMemory(limits.MemoryOptions{})
			if err != nil {
				b.Fatal(err)
			}
			limiter := limits.NewLimiter(store)
			defer limiter.Close()
			key := auth.Key{ID: "app", Digests: []auth.Digest{auth.DigestOf(quotaKey)}}
			if own != nil {
				key.Limits = rules(own...)
				key.Limits.Unpriced = true
			}
			var gw *gateway.Gateway
			setup{
				upstreams: []*providers.Upstream{load(b, "mock", "mock", "")}, keys: []auth.Key{key},
				change: func(g *gateway.Gateway) {
					gw = g
					g.Catalog = priced(b)
					g.Quotas = &gateway.Quotas{Limiter: func(context.Context) *limits.Limiter { return limiter }}
				},
			}.start(b)
			gw.Observer = quiet{}
			question := ask("mock/echo")
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, chatPath, strings.NewReader(question))
				r.Header.Set("Authorization", "Bearer "+quotaKey)
				w := sink{header: make(http.Header)}
				if !gw.ServeHTTP(&w, r) || w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
	}
}
