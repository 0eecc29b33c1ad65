package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

func TestHealthNeedsNoKeyAndTellsNoSecret(t *testing.T) {
	g := listing(t)
	for path, want := range map[string]string{
		"/health/live":  `{"status":"ok"}`,
		"/health/ready": `{"status":"ok","models":{"smart":"ready","team/*":"ready"}}`,
	} {
		got := g.do(t, http.MethodGet, path, "")
		equal(t, "status", got.status, http.StatusOK)
		equal(t, "body", got.body, want)
		equal(t, "caching", got.header.Get("Cache-Control"), "no-store")
	}
	empty := setup{}.start(t)
	equal(t, "live", empty.do(t, http.MethodGet, "/health/live", "").status, http.StatusOK)
	equal(t, "ready", empty.do(t, http.MethodGet, "/health/ready", "").status, http.StatusServiceUnavailable)
}

func TestReadyIsWhoHasATargetToAsk(t *testing.T) {
	srv := testllm.New(t)
	a, b := load(t, "a", "openai", srv.URL+"/v1"), load(t, "b", "openai", srv.URL+"/v1")
	health := map[*providers.Upstream]*routing.Health{a: new(routing.Health), b: new(routing.Health)}
	g := setup{
		upstreams: []*providers.Upstream{a, b},
		aliases: []alias{
			{name: "both", to: []string{"a/m", "b/m"}}, {name: "single", to: []string{"a/m"}},
			{name: "backed", to: []string{"a/m"}, fallback: []string{"behind"}}, {name: "behind", to: []string{"b/n"}},
			{name: "long", to: []string{"a/m"}, fallback: []string{"behind"}, edit: func(r *routing.Route) { r.FallbackOn = routing.OnContextLength }},
			{name: "x-*", to: []string{"a/*"}},
		},
		health: func(u *providers.Upstream) *routing.Health { return health[u] },
	}.start(t)
	wants := func(query string, status int, body string) {
		t.Helper()
		got := g.do(t, http.MethodGet, "/health/ready"+query, "")
		if got.status != status || got.body != body {
			t.Errorf("%q is %d %s, want %d %s", query, got.status, got.body, status, body)
		}
		if strings.Contains(got.body, srv.URL) || strings.Contains(got.body, providerKey) {
			t.Errorf("the answer tells what it must not: %s", got.body)
		}
	}
	const all = `{"status":"ok","models":{"backed":"ready","behind":"ready","both":"ready","long":"ready","single":"ready","x-*":"ready"}}`
	wants("", 200, all)
	wants("?model=single", 200, `{"status":"ok","models":{"single":"ready"}}`)
	wants("?model=a/anything", 200, `{"status":"ok","models":{"a/anything":"ready"}}`)
	wants("?model=x-1", 200, `{"status":"ok","models":{"x-1":"ready"}}`)
	wants("?model=unheard-of", 404, `{"status":"unknown"}`)
	wants("?model=", 404, `{"status":"unknown"}`)
	wants("?model=a/%3Cscript%3E", 404, `{"status":"unknown"}`)

	health[a].Model("m").End(&routing.Breaker{Consecutive: 1, Window: time.Minute, Open: time.Hour, MaxOpen: time.Hour, Samples: 9},
		routing.Report{Outcome: routing.Unreachable}, time.Now())
	wants("", 200, `{"status":"ok","models":{"backed":"fallback","behind":"ready","both":"ready","long":"unavailable","single":"unavailable","x-*":"ready"}}`)
	wants("?model=single", 503, `{"status":"unavailable","models":{"single":"unavailable"}}`)
	wants("?model=backed", 200, `{"status":"ok","models":{"backed":"fallback"}}`)
	wants("?model=a/m", 503, `{"status":"unavailable","models":{"a/m":"unavailable"}}`)
	wants("?model=x-m", 503, `{"status":"unavailable","models":{"x-m":"unavailable"}}`)
	wants("?model=a/other", 200, `{"status":"ok","models":{"a/other":"ready"}}`)

	health[a].Disable(true)
	health[b].Disable(true)
	wants("", 503, strings.ReplaceAll(strings.ReplaceAll(all, `"ok"`, `"unavailable"`), `"ready"`, `"unavailable"`))
	wants("?model=a/other", 503, `{"status":"unavailable","models":{"a/other":"unavailable"}}`)
	health[b].Disable(false)
	wants("?model=both", 200, `{"status":"ok","models":{"both":"ready"}}`)
	wantCalls(t, srv, 0)
}

func TestReadyWithoutAliasesIsWhoHasAProvider(t *testing.T) {
	srv := testllm.New(t)
	var health routing.Health
	a := load(t, "a", "openai", srv.URL+"/v1")
	g := setup{
		upstreams: []*providers.Upstream{a},
		health:    func(*providers.Upstream) *routing.Health { return &health },
	}.start(t)
	equal(t, "ready", g.do(t, http.MethodGet, "/health/ready", "").body, `{"status":"ok"}`)
	health.Disable(true)
	equal(t, "ready", g.do(t, http.MethodGet, "/health/ready", "").body, `{"status":"unavailable"}`)
	health.Disable(false)
	health.RefuseKey(a.Base().Fingerprints()[0], time.Now().Add(time.Hour))
	equal(t, "ready", g.do(t, http.MethodGet, "/health/ready", "").status, http.StatusServiceUnavailable)
}
