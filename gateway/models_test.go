package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/providers"
)

// listing is a gateway that knows models from an alias and from what a provider lists.
func listing(t *testing.T) *gate {
	t.Helper()
	mock := load(t, "mock", "mock", "")
	mock.Base().Models = []string{"slow", "extra", "many-*"}
	return setup{
		upstreams: []*providers.Upstream{mock},
		aliases:   []alias{{name: "smart", to: []string{"mock/echo"}}, {name: "team/*", to: []string{"mock/*"}}},
		keys: []auth.Key{{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}},
			{ID: "narrow", Digests: []auth.Digest{auth.DigestOf(narrow)}, Rights: auth.Rights{Models: []string{"smart", "mock/s*"}}}},
	}.start(t)
}

func TestModelListHoldsWhatTheCallerMayUse(t *testing.T) {
	g := listing(t)
	for key, want := range map[string]string{
		appKey: "smart mock/slow mock/extra mock/echo mock/fail-429 mock/die-mid-stream",
		narrow: "smart mock/slow",
	} {
		got := g.do(t, http.MethodGet, "/v1/models", "", "Authorization", "Bearer "+key)
		var list struct {
			Object string
			Data   []struct {
				ID, Object, Owner string
				Created           *int64
				OwnedBy           string `json:"owned_by"`
			}
		}
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || list.Object != "list" {
			t.Fatalf("list is %s (%v)", got.body, err)
		}
		var ids []string
		for _, m := range list.Data {
			ids = append(ids, m.ID)
			owner := "mock"
			if m.ID == "smart" {
				owner = "llm_proxy"
			}
			if m.Object != "model" || m.Created == nil || m.OwnedBy != owner {
				t.Errorf("entry is %+v", m)
			}
		}
		equal(t, "models", strings.Join(ids, " "), want)
	}
	wantError(t, g.do(t, http.MethodGet, "/v1/models", ""), http.StatusUnauthorized, "invalid_api_key")
}

func TestModelIsFoundIfTheCallerMayUseIt(t *testing.T) {
	g := listing(t)
	for _, test := range []struct {
		key, model string
		status     int
	}{
		{appKey, "smart", 200}, {appKey, "mock/echo", 200}, {appKey, "mock%2Fecho", 200}, {appKey, "team/echo", 200}, {appKey, "many-1", 200},
		{narrow, "smart", 200}, {narrow, "mock/slow", 200},
		{narrow, "mock/echo", 404}, {narrow, "unheard-of", 404}, {appKey, "unheard-of", 404}, {appKey, "mock/..%2fx", 404}, {appKey, "a%0d%0ab", 404},
	} {
		got := g.do(t, http.MethodGet, "/v1/models/"+test.model, "", "Authorization", "Bearer "+test.key)
		if test.status == 404 {
			wantError(t, got, 404, "model_not_found")
			continue
		}
		equal(t, test.model, got.status, test.status)
		if name := strings.ReplaceAll(test.model, "%2F", "/"); !strings.HasPrefix(got.body, `{"id":"`+name+`","object":"model",`) {
			t.Errorf("model %s is %s", test.model, got.body)
		}
	}
	hidden := g.do(t, http.MethodGet, "/v1/models/mock/echo", "", "X-Api-Key", narrow).body
	unknown := g.do(t, http.MethodGet, "/v1/models/mock/none", "", "X-Api-Key", narrow).body
	equal(t, "answer for a hidden model", strings.ReplaceAll(hidden, "mock/echo", "mock/none"), unknown)
}

func TestMethodsAndPaths(t *testing.T) {
	g := listing(t)
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"HEAD", "/v1/models", 200, ""}, {"HEAD", "/v1/models/smart", 200, ""}, {"HEAD", "/health/live", 200, ""},
		{"GET", "/openai/v1/models", 200, ""}, {"GET", "/openai/models", 200, ""},
		{"GET", chatPath, 405, "POST, OPTIONS"}, {"HEAD", chatPath, 405, "POST, OPTIONS"}, {"PUT", "/v1/embeddings", 405, "POST, OPTIONS"},
		{"DELETE", "/v1/models/smart", 405, "GET, HEAD, OPTIONS"}, {"POST", "/v1/models", 405, "GET, HEAD, OPTIONS"}, {"POST", "/health/ready", 405, "GET, HEAD, OPTIONS"},
		{"PATCH", "/openai/chat/completions", 405, "POST, OPTIONS"},
		{"POST", "/openai/v1/unheard-of", 404, ""}, {"GET", "/openai", 404, ""}, {"OPTIONS", "/openai/x", 404, ""},
		{"POST", "/v1/unheard-of", http.StatusTeapot, ""}, {"GET", "/", http.StatusTeapot, ""}, {"POST", "/openaix/chat/completions", http.StatusTeapot, ""},
	} {
		got := g.do(t, test.method, test.path, "", "Authorization", "Bearer "+appKey)
		equal(t, test.method+" "+test.path, got.status, test.status)
		equal(t, "Allow", got.header.Get("Allow"), test.allow)
		if test.method == "HEAD" && got.body != "" {
			t.Errorf("HEAD %s has a body", test.path)
		}
		if test.status == 405 && test.method != "HEAD" {
			wantError(t, got, 405, "method_not_allowed")
		}
		if test.status == 404 {
			wantError(t, got, 404, "unknown_url")
		}
		if test.status == http.StatusTeapot {
			equal(t, "next handler's answer", got.body+got.header.Get("X-Request-Id"), "the next handler\n")
		}
	}
	equal(t, "metered calls", len(g.settled), 0)
}
