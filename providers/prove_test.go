package providers_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/providers"
)

// upstream provisions a provider of a type at an address, with a key.
func upstream(t *testing.T, kind, address string) *providers.Upstream {
	t.Helper()
	config, err := json.Marshal(map[string]any{"base_url": address, "api_key": "canary-key"})
	if err != nil {
		t.Fatal(err)
	}
	if kind == "mock" {
		config = []byte(`{}`)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID(providers.Namespace+"."+kind, config)
	if err != nil {
		t.Fatal(err)
	}
	return providers.NewUpstream("name", module.(providers.Provider))
}

// asked is what a provider was asked, as "method path" words.
type asked struct{ calls []string }

func (a *asked) serve(t *testing.T, answer func(r *http.Request, signed bool) int) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed := false
		for _, values := range r.Header {
			signed = signed || strings.Contains(values[0], "canary-key")
		}
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost && (!json.Valid(body) || !strings.Contains(string(body), "Hi")) {
			t.Errorf("the body is %s", body)
		}
		a.calls = append(a.calls, r.Method+" "+r.URL.Path)
		w.WriteHeader(answer(r, signed))
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestCredentialsAreProvenByWhatCostsLeast(t *testing.T) {
	onlySigned := func(_ *http.Request, signed bool) int {
		if signed {
			return 200
		}
		return 401
	}
	onlyPosts := func(status int) func(*http.Request, bool) int {
		return func(r *http.Request, _ bool) int {
			if r.Method == http.MethodPost {
				return status
			}
			return 404
		}
	}
	always := func(status int) func(*http.Request, bool) int {
		return func(*http.Request, bool) int { return status }
	}
	for _, test := range []struct {
		name, kind string
		model      string
		answer     func(*http.Request, bool) int
		want       providers.Standing
		by         string
		calls      string
	}{
		{"a list that needs a key", "openai", "", onlySigned, providers.Accepted, "models", "GET /models, GET /models"},
		{"Anthropic's", "anthropic", "", onlySigned, providers.Accepted, "models", "GET /v1/models, GET /v1/models"},
		{"Gemini's", "gemini", "", onlySigned, providers.Accepted, "models", "GET /v1beta/models, GET /v1beta/models"},
		{"Cohere's", "cohere", "", onlySigned, providers.Accepted, "models", "GET /v1/models, GET /v1/models"},
		{"Ollama's", "ollama", "", onlySigned, providers.Accepted, "models", "GET /api/tags, GET /api/tags"},
		{"Azure's", "azure_openai", "", onlySigned, providers.Accepted, "models", "GET /openai/v1/models, GET /openai/v1/models"},
		{"a list for everybody", "groq", "m", always(200), providers.Accepted, "chat", "GET /models, GET /models, POST /chat/completions"},
		{"a list for everybody and no model", "groq", "", always(200), providers.Unproven, "models", "GET /models, GET /models"},
		{"no list", "perplexity", "m", onlyPosts(200), providers.Accepted, "chat", "GET /models, POST /chat/completions"},
		{"no list, tokens to count", "anthropic", "m", onlyPosts(200), providers.Accepted, "count", "GET /v1/models, POST /v1/messages/count_tokens"},
		{"a key that is unknown", "openai", "", always(401), providers.Refused, "models", "GET /models"},
		{"a key without rights", "openai", "", always(403), providers.Refused, "models", "GET /models"},
		{"a key that may not list", "groq", "m", notToList, providers.Accepted, "chat", "GET /models, POST /chat/completions"},
		{"a key that is used up for now", "openai", "", always(429), providers.Throttled, "models", "GET /models"},
		{"an account without money", "groq", "m", onlyPosts(402), providers.Penniless, "chat", "GET /models, POST /chat/completions"},
		{"a provider in trouble", "openai", "", always(500), providers.Failing, "models", "GET /models"},
		{"a model that is unknown", "groq", "m", onlyPosts(404), providers.Failing, "chat", "GET /models, POST /chat/completions"},
		{"a request that it does not like", "groq", "m", onlyPosts(400), providers.Unproven, "chat", "GET /models, POST /chat/completions"},
	} {
		var a asked
		u := upstream(t, test.kind, a.serve(t, test.answer))
		proof := u.Prove(t.Context(), u.Base().Key(0), test.model)
		if got := strings.Join(a.calls, ", "); proof.Standing != test.want || proof.By != test.by || got != test.calls {
			t.Errorf("%s: %+v after %s", test.name, proof, got)
		}
		if strings.Contains(proof.Detail, "canary") {
			t.Errorf("%s: %s", test.name, proof.Detail)
		}
	}
}

func TestTheMockProviderNeedsNoProof(t *testing.T) {
	u := upstream(t, "mock", "")
	if proof := u.Prove(t.Context(), "", "echo"); proof.Standing != providers.Accepted || proof.By != "chat" {
		t.Errorf("%+v", proof)
	}
}

func TestWhoDoesNotAnswerIsUnreachable(t *testing.T) {
	server := httptest.NewServer(nil)
	u := upstream(t, "openai", server.URL)
	server.Close()
	if proof := u.Prove(t.Context(), "k", ""); proof.Standing != providers.Unreachable || proof.Detail != "the connection is refused" {
		t.Errorf("%+v", proof)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if proof := u.Prove(ctx, "k", ""); proof.Standing != providers.Unreachable || proof.Detail != "no answer in time" {
		t.Errorf("%+v", proof)
	}
}

// notToList is a provider whose key is for answers alone.
func notToList(r *http.Request, _ bool) int {
	if r.Method == http.MethodGet {
		return http.StatusForbidden
	}
	return http.StatusOK
}
