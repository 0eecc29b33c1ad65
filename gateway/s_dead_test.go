package gateway_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// dead is a provider that answers the first request of a connection, and closes
// the connection on the next, once it has read it.
type dead struct {
	mu     sync.Mutex
	seen   map[string]int // requests, by connection
	header []http.Header
	reset  bool
}

func (d *dead) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	d.mu.Lock()
	d.seen[r.RemoteAddr]++
	dead := d.seen[r.RemoteAddr] > 1
	d.header = append(d.header, r.Header.Clone())
	d.mu.Unlock()
	if !dead {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}`)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && d.reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// onAmbiguous makes a route fail what may have been answered, or send it elsewhere.
func onAmbiguous(fail bool) func(*routing.Route) {
	return func(r *routing.Route) { r.FailAmbiguous = fail }
}

// With an idempotency key Go's transport sends a request again by itself, unseen.
func TestS24DeadConnectionsAreNotResentTo(t *testing.T) {
	for _, test := range []struct {
		name          string
		reset, resend bool
	}{{"closed", false, false}, {"reset", true, false}, {"closed, to be sent elsewhere", false, true}, {"reset, to be sent elsewhere", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			upstream := &dead{seen: make(map[string]int), reset: test.reset}
			a, b := httptest.NewServer(upstream), testllm.New(t)
			defer a.Close()
			g := setup{
				upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
				aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}, edit: onAmbiguous(!test.resend)}},
			}.start(t)
			keys := []string{"Idempotency-Key", "k1", "X-Idempotency-Key", "k2"}
			equal(t, "status", g.chat(t, ask("m"), keys...).status, 200)
			g.record(t)
			got := g.chat(t, ask("m"), keys...)
			r := g.record(t)
			if test.resend {
				equal(t, "status", got.status, 200)
				equal(t, "attempts", r.Attempts, 2)
				equal(t, "possible duplicate", r.PossibleDuplicate, true)
				wantCalls(t, b, 1)
			} else {
				wantError(t, got, http.StatusBadGateway, "upstream_error")
				equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
				equal(t, "attempts", r.Attempts, 1)
				equal(t, "possible duplicate", r.PossibleDuplicate, false)
				wantCalls(t, b, 0)
			}
			upstream.mu.Lock()
			defer upstream.mu.Unlock()
			equal(t, "connections", len(upstream.seen), 1)
			equal(t, "requests", len(upstream.header), 2)
			for _, h := range append(upstream.header, headersOf(b)...) {
				if h.Get("Idempotency-Key") != "" || h.Get("X-Idempotency-Key") != "" {
					t.Errorf("the provider got %v", h)
				}
			}
		})
	}
}

func headersOf(srv *testllm.Server) (all []http.Header) {
	for _, call := range srv.Calls() {
		all = append(all, call.Header)
	}
	return all
}
