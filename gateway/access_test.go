package gateway_test

import (
	"net/http"
	"testing"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

const (
	appKey   = "sk-app-canary-1"
	narrow   = "sk-narrow-canary-2"
	nobody   = `{"error":{"message":"Invalid API key.","type":"authentication_error","param":null,"code":"invalid_api_key"}}`
	forbids  = `{"error":{"message":"This API key may not use the requested model.","type":"permission_error","param":"model","code":"model_not_allowed"}}`
	listed   = "https://app.example"
	unlisted = "https://evil.example"
)

// guarded is a gateway with keys: app may use everything, narrow only m. The
// model m is served by a, and falls back to spare, which b serves.
func guarded(t *testing.T) (g *gate, a, b *testllm.Server) {
	t.Helper()
	a, b = testllm.New(t), testllm.New(t)
	return setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x"}, fallback: []string{"spare"}}, {name: "spare", to: []string{"b/x"}}},
		keys:      []auth.Key{{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}}, {ID: "narrow", Digests: []auth.Digest{auth.DigestOf(narrow)}, Rights: auth.Rights{Models: []string{"m"}}}},
		origins:   []string{listed},
	}.start(t), a, b
}

func TestA01CallersWithoutAGoodKeyAreRefused(t *testing.T) {
	g, a, b := guarded(t)
	for _, test := range []struct {
		name   string
		header []string
		status int
		body   string
		code   string
	}{
		{"bad key", []string{"Authorization", "Bearer sk-bad"}, 401, nobody, "invalid_api_key"},
		{"bad key in another place", []string{"X-Goog-Api-Key", "sk-bad"}, 401, nobody, "invalid_api_key"},
		{"stored digest", []string{"Authorization", "Bearer " + auth.DigestOf(appKey).String()}, 401, nobody, "invalid_api_key"},
		{"beginning of a key", []string{"Authorization", "Bearer " + appKey[:len(appKey)-1]}, 401, nobody, "invalid_api_key"},
		{"other scheme", []string{"Authorization", "Basic " + appKey}, 401, nobody, "invalid_api_key"},
		{"none", nil, 401, "", "invalid_api_key"},
		{"none from a listed page", []string{"Origin", listed}, 401, "", "invalid_api_key"},
		{"two keys", []string{"Authorization", "Bearer " + appKey, "X-Api-Key", narrow}, 400, "", "ambiguous_credentials"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := g.chat(t, ask("m"), test.header...)
			wantError(t, got, test.status, test.code)
			if test.body != "" {
				equal(t, "body", got.body, test.body)
			}
			if test.status == 401 {
				equal(t, "WWW-Authenticate", got.header.Get("WWW-Authenticate"), "Bearer")
			}
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
			record := g.record(t)
			equal(t, "principal", record.Principal, "")
			equal(t, "ending", record.Ending, usage.Refused)
			equal(t, "status in the record", record.Status, test.status)
		})
	}
	wantCalls(t, a, 0)
	wantCalls(t, b, 0)
}

func TestRefusalsAreTheSameWhetherOrNotTheModelExists(t *testing.T) {
	g, a, b := guarded(t)
	for _, model := range []string{"spare", "a/x", "b/x", "unheard-of", "gpt-6"} {
		got := g.chat(t, ask(model), "Authorization", "Bearer "+narrow)
		equal(t, "status", got.status, http.StatusForbidden)
		equal(t, "body", got.body, forbids)
		record := g.record(t)
		equal(t, "principal", record.Principal, "narrow")
		equal(t, "error", record.Error, "model_not_allowed")
	}
	wantError(t, g.chat(t, ask("unheard-of"), "Authorization", "Bearer "+appKey), http.StatusNotFound, "model_not_found")
	wantCalls(t, a, 0)
	wantCalls(t, b, 0)
}

func TestRightsCountForEachFallbackModel(t *testing.T) {
	g, a, b := guarded(t)
	a.Script(testllm.Reply{Status: 503, Error: testllm.Error{Message: "a is down"}})
	b.Script(testllm.Reply{Chunks: []string{foundText}})
	for _, request := range []string{ask("m"), askStream("m")} {
		wantError(t, g.chat(t, request, "X-Api-Key", narrow), 503, "")
		wantCalls(t, b, 0)
	}
	wantText(t, g.chat(t, ask("m"), "X-Api-Key", appKey), foundText)

	// The targets behind an alias are implied by the right to it.
	a.Script(testllm.Reply{Chunks: []string{"of a"}})
	wantText(t, g.chat(t, ask("m"), "X-Api-Key", narrow), "of a")
}

func TestClientKeysStayHere(t *testing.T) {
	g, a, _ := guarded(t)
	for _, header := range []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
		value := appKey
		if header == "Authorization" {
			value = "Bearer " + value
		}
		equal(t, "status", g.chat(t, ask("m"), header, value).status, http.StatusOK)
		equal(t, "principal", g.record(t).Principal, "app")
	}
	equal(t, "status", g.do(t, http.MethodPost, chatPath+"?key="+appKey, ask("m")).status, http.StatusOK)
	for _, call := range a.Calls() {
		if call.Has(appKey) {
			t.Errorf("the provider got the client's key: %+v", call)
		}
	}
	wantCalls(t, a, 5)
}

func TestPagesCallAnonymouslyOnlyFromListedOrigins(t *testing.T) {
	srv := testllm.New(t)
	g := setup{upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL)}, origins: []string{listed}}.start(t)
	for _, origin := range []string{unlisted, "null", listed + ".evil.example", "http://app.example"} {
		got := g.chat(t, ask("a/x"), "Origin", origin)
		wantError(t, got, http.StatusForbidden, "origin_not_allowed")
		equal(t, "Access-Control-Allow-Origin", got.header.Get("Access-Control-Allow-Origin"), "")
	}
	wantCalls(t, srv, 0)
	got := g.chat(t, ask("a/x"), "Origin", listed)
	equal(t, "status", got.status, http.StatusOK)
	equal(t, "Access-Control-Allow-Origin", got.header.Get("Access-Control-Allow-Origin"), listed)
	equal(t, "Vary", got.header.Get("Vary"), "Origin")
	equal(t, "no page at all", g.chat(t, ask("a/x")).status, http.StatusOK)
}

func TestErrorsCanBeReadByListedPages(t *testing.T) {
	g, _, _ := guarded(t)
	got := g.chat(t, ask("m"), "Origin", listed, "X-Api-Key", "bad")
	equal(t, "status", got.status, http.StatusUnauthorized)
	equal(t, "Access-Control-Allow-Origin", got.header.Get("Access-Control-Allow-Origin"), listed)
}

func TestPreflights(t *testing.T) {
	g, a, _ := guarded(t)
	for _, path := range []string{chatPath, "/v1/embeddings", "/v1/models", "/v1/models/m", "/openai/v1/chat/completions", "/health/live"} {
		asked := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization, x-stainless-os"}
		got := g.do(t, http.MethodOptions, path, "", append(asked, "Origin", listed)...)
		equal(t, "status", got.status, http.StatusNoContent)
		equal(t, "origin", got.header.Get("Access-Control-Allow-Origin"), listed)
		equal(t, "methods", got.header.Get("Access-Control-Allow-Methods"), "GET, POST")
		equal(t, "headers", got.header.Get("Access-Control-Allow-Headers"), "authorization, x-stainless-os")

		got = g.do(t, http.MethodOptions, path, "", append(asked, "Origin", unlisted)...)
		equal(t, "status", got.status, http.StatusNoContent)
		for name := range got.header {
			if len(name) > 14 && name[:14] == "Access-Control" {
				t.Errorf("an unlisted origin got %s", name)
			}
		}
	}
	wantCalls(t, a, 0)
}

// Routers and providers take models to ask in place of the first, and tools that
// ask one. A key for some models must not reach the others that way.
func TestA02FurtherModelsInARequestNeedTheirOwnRight(t *testing.T) {
	srv := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "router", "openrouter", srv.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"router/cheap"}}},
		keys: []auth.Key{
			{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}},
			{ID: "narrow", Digests: []auth.Digest{auth.DigestOf(narrow)}, Rights: auth.Rights{Models: []string{"m", "router/cheap/*"}}},
		},
	}.start(t)
	with := func(member string) string { return ask("m")[:len(ask("m"))-1] + "," + member + "}" }
	for member, allowed := range map[string]bool{
		`"models":["cheap/b","dear/a"]`:                                        false,
		`"models":["dear/a"]`:                                                  false,
		`"mod\u0065ls":["dear/a"]`:                                             false,
		`"models":["cheap/a","cheap/b"]`:                                       true,
		`"fallbacks":[{"model":"dear/a"}]`:                                     false,
		`"tools":[{"type":"advisor","model":"dear/a"}]`:                        false,
		`"tools":[{"type":"function","function":{"name":"f","model":"dear"}}]`: true,
		`"tools":[{"type":"function","function":{"name":"f"}}],"models":null`:  true,
		`"metadata":{"models":["dear/a"]}`:                                     true,
	} {
		before := len(srv.Calls())
		got := g.chat(t, with(member), "X-Api-Key", narrow)
		if !allowed {
			wantError(t, got, 403, "model_not_allowed")
		}
		if asked := len(srv.Calls()) > before; asked != allowed {
			t.Errorf("%s: the provider was asked: %v, answer %d %s", member, asked, got.status, got.body)
		}
		equal(t, "status for all models", g.chat(t, with(member), "X-Api-Key", appKey).status, 200)
	}
}

func TestA09ModelNamesThatMeanAnotherPlaceAreRefused(t *testing.T) {
	g, srv := vendors(t, nil)
	for _, name := range []string{"..", "google/..", "google/../x", "google/..;/x", "google/x%2Fy", "google//x", "google/x/", "/x", "google/x?y", "google/x#", "google/x\\\\..", "google/x y"} {
		wantError(t, g.chat(t, ask(name)), http.StatusBadRequest, "invalid_value")
	}
	wantCalls(t, srv, 0)
}
