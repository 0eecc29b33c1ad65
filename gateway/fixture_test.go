package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/cache"
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

func TestMain(m *testing.M) {
	// Caddy's logger is no test's to end.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// patience bounds every wait: far above what a healthy test needs.
const patience = 10 * time.Second

// providerKey is the credential of every provider here. No client may see it. It
// does not look like a key, so that only who knows it can keep it secret.
const providerKey = "canary/of+the;provider"

// setup is the config of a gateway: who is not told otherwise may call anonymously.
type setup struct {
	upstreams []*providers.Upstream
	aliases   []alias
	keys      []auth.Key
	origins   []string
	catalog   *catalog.Catalog
	health    func(*providers.Upstream) *routing.Health
	change    func(*gateway.Gateway)
	http2     bool // between client and gateway
	inMemory  bool // the network between them: see pipe_test.go
}

// alias is a model name and the targets behind it, tried in their order.
type alias struct {
	name     string
	to       []string
	fallback []string
	policy   routing.Policy // nil: first
	budget   *routing.RetryBudget
	on       routing.Conditions // what the fallback is for; 0: the default
	edit     func(*routing.Route)
}

// gate is a gateway behind a socket, and what its observer was told.
type gate struct {
	URL string
	*witness
	client  *http.Client
	handler http.Handler
	// around is a handler before the gateway; nil: there is none.
	around *atomic.Pointer[func(http.Handler) http.Handler]
}

func (s setup) start(t testing.TB) *gate {
	t.Helper()
	seen := &witness{began: make(chan struct{}, 10_000), arrived: make(chan struct{}, 10_000)}
	gw := s.gateway(t, seen)
	around := new(atomic.Pointer[func(http.Handler) http.Handler])
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !gw.ServeHTTP(w, r) {
			http.Error(w, "the next handler", http.StatusTeapot)
		}
	})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first := around.Load(); first != nil {
			(*first)(serve).ServeHTTP(w, r)
			return
		}
		serve(w, r)
	})
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	transport := &http.Transport{DisableCompression: true}
	if s.http2 {
		speakHTTP2(srv.Config, transport)
	}
	if s.inMemory {
		_ = srv.Listener.Close()
		srv.Listener, transport.DialContext = listenPipe(), dialPipe
	}
	srv.Start()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close() // waits for its handlers
		if seen.started != len(seen.settled) {
			t.Errorf("%d calls began, %d were settled", seen.started, len(seen.settled))
		}
	})
	return &gate{URL: srv.URL, witness: seen, client: &http.Client{Transport: transport}, handler: handler, around: around}
}

// gateway is one without a socket.
func (s setup) gateway(t testing.TB, observer gateway.Observer) *gateway.Gateway {
	t.Helper()
	who, err := auth.New(auth.Settings{Anonymous: len(s.keys) == 0, Keys: s.keys, Origins: s.origins})
	if err != nil {
		t.Fatal(err)
	}
	gw := &gateway.Gateway{
		Surface: gateway.Surface{OpenAI: true, Health: true},
		Auth:    who, Routes: s.table(t), Observer: observer,
		Limits: gateway.DefaultLimits(), Retries: gateway.DefaultRetries,
		Backoff: gateway.Backoff{Transient: time.Millisecond, Throttled: time.Millisecond, Most: time.Second}, Breaker: routing.DefaultBreaker,
		Streams: new(gateway.Streams), Memory: signatures{cache.NewShortLived[*gateway.Remembered](100, time.Hour, nil)},
		Pins: cache.NewShortLived[gateway.Pin](100, time.Hour, nil),
	}
	if s.change != nil {
		s.change(gw)
	}
	return gw
}

func (s setup) table(t testing.TB) *routing.Table {
	t.Helper()
	var routes []*routing.Route
	for _, a := range s.aliases {
		route := &routing.Route{Name: a.name, Policy: routing.First{}, Fallback: a.fallback, Retries: -1, Budget: a.budget}
		if a.policy != nil {
			route.Policy = a.policy
		}
		if a.on != 0 {
			route.FallbackOn = a.on
		}
		for _, address := range a.to {
			target, err := routing.ParseTarget(s.upstreams, address)
			if err != nil {
				t.Fatal(err)
			}
			route.Targets = append(route.Targets, target)
		}
		if a.edit != nil {
			a.edit(route)
		}
		routes = append(routes, route)
	}
	table, err := routing.NewTable(s.upstreams, routes, s.health)
	if err != nil {
		t.Fatal(err)
	}
	if s.catalog != nil {
		table.Consult(s.catalog)
	}
	return table
}

// load makes a provider of its module, as a config does. More members of that
// are written with a comma before each.
func load(t testing.TB, name, module, baseURL string, more ...string) *providers.Upstream {
	t.Helper()
	config := fmt.Sprintf(`{"base_url":%q,"api_key":%q%s}`, baseURL, providerKey, strings.Join(more, ""))
	if module == "mock" {
		config = `{}`
	}
	return loadConfig(t, name, module, config)
}

// loadKeys is an OpenAI-like provider with several keys.
func loadKeys(t testing.TB, name, baseURL, keys string) *providers.Upstream {
	t.Helper()
	return loadConfig(t, name, "openai", fmt.Sprintf(`{"base_url":%q,"api_key":%s}`, baseURL, keys))
}

func loadConfig(t testing.TB, name, module, config string) *providers.Upstream {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	loaded, err := ctx.LoadModuleByID(providers.Namespace+"."+module, json.RawMessage(config))
	if err != nil {
		t.Fatal(err)
	}
	return providers.NewUpstream(name, loaded.(providers.Provider))
}

// single is a gateway before one provider of the OpenAI format, called openai.
func single(t testing.TB, change func(*gateway.Gateway)) (*gate, *testllm.Server) {
	t.Helper()
	srv := testllm.New(t)
	return setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", srv.URL+"/v1")}, change: change}.start(t), srv
}

// pair is a gateway whose model m is served by a, and after it by b.
func pair(t testing.TB, change func(*gateway.Gateway)) (g *gate, a, b *testllm.Server) {
	t.Helper()
	a, b = testllm.New(t), testllm.New(t)
	return setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/model-a", "b/model-b"}}},
		change:    change,
	}.start(t), a, b
}

// answer is an answer as a client got it.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // how the body ended
}

// open sends a request and does not wait for the body of its answer.
func (g *gate) open(ctx context.Context, method, path, body string, header ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, g.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return g.client.Do(r)
}

func (g *gate) do(t testing.TB, method, path, body string, header ...string) answer {
	t.Helper()
	response, err := g.open(t.Context(), method, path, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(read), err}
}

const chatPath = "/v1/chat/completions"

func (g *gate) chat(t testing.TB, body string, header ...string) answer {
	t.Helper()
	return g.do(t, http.MethodPost, chatPath, body, header...)
}

// ask is a short request for an answer, askStream for a stream.
func ask(model string) string       { return string(testllm.ChatRequest(model, false, "hi")) }
func askStream(model string) string { return string(testllm.ChatRequest(model, true, "hi")) }

// wantError checks the status and the code of an error in OpenAI's shape.
func wantError(t testing.TB, a answer, status int, code string) {
	t.Helper()
	var body struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != status || body.Error.Code != code ||
		body.Error.Message == "" || body.Error.Type == "" {
		t.Errorf("answer is %d %s, want %d with code %q", a.status, a.body, status, code)
	}
}

func wantText(t testing.TB, a answer, text string) {
	t.Helper()
	if a.err != nil || a.status != http.StatusOK || !strings.Contains(a.body, text) {
		t.Errorf("answer is %d %q (%v), want 200 with %q", a.status, a.body, a.err, text)
	}
}

func wantCalls(t testing.TB, srv *testllm.Server, n int) {
	t.Helper()
	if calls := srv.Calls(); len(calls) != n {
		t.Errorf("the provider was asked %d times, want %d", len(calls), n)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// witness is an observer that keeps what it is told.
type witness struct {
	mu             sync.Mutex
	started        int
	settled        []*usage.Record
	began, arrived chan struct{}
}

func (w *witness) Started() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started++
	w.began <- struct{}{}
}

func (w *witness) Settled(_ *http.Request, r *usage.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settled = append(w.settled, r)
	w.arrived <- struct{}{}
}

// record waits for the next record. A call is settled after its answer, so the
// client may be ahead.
func (w *witness) record(t testing.TB) *usage.Record {
	t.Helper()
	select {
	case <-w.arrived:
	case <-time.After(patience):
		t.Fatal("the call was not settled")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settled[len(w.settled)-len(w.arrived)-1]
}

// signatures is a store as the module has it.
type signatures struct {
	*cache.ShortLived[*gateway.Remembered]
}

func (s signatures) Find(key string) *gateway.Remembered {
	found, _ := s.ShortLived.Find(key)
	return found
}

// bodyTo copies a request's body.
func bodyTo(w io.Writer, r *http.Request) (int64, error) { return io.Copy(w, r.Body) }
