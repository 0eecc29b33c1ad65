package providers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/providers"
)

func TestWhereCallsToAzureGo(t *testing.T) {
	const dated = `,"api_version":"2025-04-01-preview"`
	for _, test := range []struct{ name, more, model, chat, embeddings string }{
		{"v1", ``, "gpt-x", "/openai/v1/chat/completions", "/openai/v1/embeddings"},
		{"v1's preview", `,"api_version":"preview"`, "gpt-x", "/openai/v1/chat/completions?api-version=preview", "/openai/v1/embeddings?api-version=preview"},
		{"a version", dated, "gpt-x", "/openai/deployments/gpt-x/chat/completions?api-version=2025-04-01-preview", "/openai/deployments/gpt-x/embeddings?api-version=2025-04-01-preview"},
		{"a deployment", dated + `,"deployment":{"gpt-x":"mine"}`, "gpt-x", "/openai/deployments/mine/chat/completions?api-version=2025-04-01-preview", "/openai/deployments/mine/embeddings?api-version=2025-04-01-preview"},
		{"a deployment of another model", dated + `,"deployment":{"gpt-y":"mine"}`, "gpt-x", "/openai/deployments/gpt-x/chat/completions?api-version=2025-04-01-preview", "/openai/deployments/gpt-x/embeddings?api-version=2025-04-01-preview"},
		{"out of its place", dated, "../x?y", "/openai/deployments/..%2Fx%3Fy/chat/completions?api-version=2025-04-01-preview", "/openai/deployments/..%2Fx%3Fy/embeddings?api-version=2025-04-01-preview"},
		{"dots", dated, "..", "/openai/deployments/%2E%2E/chat/completions?api-version=2025-04-01-preview", "/openai/deployments/%2E%2E/embeddings?api-version=2025-04-01-preview"},
	} {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			for _, end := range []string{"", "/", "/openai", "/openai/v1", "/openai/v1/"} {
				const base = "https://r.openai.azure.com"
				p := mustLoad(t, "azure_openai", `{"api_key":"k","base_url":"`+base+end+`"`+test.more+`}`)
				if got := p.Chat(chatCall(test.model)).URL.String(); got != base+test.chat {
					t.Errorf("chat goes to %s, want %s", got, test.chat)
				}
				if got := p.(providers.Embedder).Embeddings(providers.Call{Model: test.model}).URL.String(); got != base+test.embeddings {
					t.Errorf("embeddings come from %s, want %s", got, test.embeddings)
				}
				images := base + "/openai/v1/images/generations"
				if strings.HasSuffix(test.chat, "?api-version=preview") { // a version of the v1 API itself
					images += "?api-version=preview"
				}
				if got := p.(providers.Forwarder).Forward(providers.Call{Model: test.model}, "/images/generations").URL.String(); got != images {
					t.Errorf("images come from %s", got)
				}
			}
		})
	}
}

func TestAzureIsToldTheDeployment(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com/")
	p := mustLoad(t, "azure_openai", `{"api_key":"k","deployment":{"gpt-x":"mine"}}`)
	if set := p.(providers.Forwarder).Forward(providers.Call{Model: "gpt-x"}, "/audio/speech").Edits.Set; len(set) != 1 || string(set[0].Value) != `"mine"` {
		t.Errorf("a call that is passed on has %v", set)
	}
	if set := p.Chat(chatCall("gpt-x")).Edits.Set; len(set) != 1 || set[0].Name != "model" || string(set[0].Value) != `"mine"` {
		t.Errorf("sets %v", set)
	}
	if set := p.Chat(chatCall("gpt-y")).Edits.Set; len(set) != 0 {
		t.Errorf("sets %v", set)
	}
	for version, asks := range map[string]bool{"": true, "preview": true, "2024-06-01": false, "2024-09-01-preview": true, "2025-04-01": true} {
		p := mustLoad(t, "azure_openai", `{"api_key":"k","api_version":"`+version+`"}`)
		if got := p.Chat(chatCall("m")).Edits.AskUsage; got != asks {
			t.Errorf("version %q is asked for usage: %v", version, got)
		}
	}
}

func sign(t *testing.T, p providers.Provider) (http.Header, error) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1", nil)
	err := p.(providers.Signer).Sign(r, nil, p.Base().Key(0))
	return r.Header, err
}

func TestAzuresKeysAndTokens(t *testing.T) {
	clearEnvironment(t)
	var asked atomic.Int32
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_ = r.ParseForm()
		form = r.Form
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/tenant/oauth2/v2.0/token" || r.Form.Get("client_secret") != "s" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"`+canary+`"}`)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"fetched","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	t.Setenv("AZURE_AUTHORITY_HOST", server.URL+"/")
	t.Setenv("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com")

	if h, err := sign(t, mustLoad(t, "azure_openai", `{"api_key":"k"}`)); err != nil || h.Get("Api-Key") != "k" || len(h) != 1 {
		t.Errorf("header is %v (%v)", h, err)
	}
	t.Setenv("AZURE_OPENAI_API_KEY", "not-meant")
	t.Setenv("SECRET", "s")
	p := mustLoad(t, "azure_openai", `{"tenant_id":"tenant","client_id":"c","client_secret":"{env.SECRET}"}`)
	if asked.Load() != 0 || p.Base().HasLiteralKey() {
		t.Error("a config that is loaded asks nobody")
	}
	for range 2 {
		if h, err := sign(t, p); err != nil || h.Get("Authorization") != "Bearer fetched" || len(h) != 1 {
			t.Errorf("header is %v (%v)", h, err)
		}
	}
	if asked.Load() != 1 || form.Get("scope") != "https://cognitiveservices.azure.com/.default" || form.Get("grant_type") != "client_credentials" || form.Get("client_id") != "c" {
		t.Errorf("%d tokens were fetched with %v", asked.Load(), form)
	}
	refused := mustLoad(t, "azure_openai", `{"tenant_id":"tenant","client_id":"c","client_secret":"`+canary+`"}`)
	if _, err := sign(t, refused); err == nil || !strings.Contains(err.Error(), `status 401, "invalid_client"`) || strings.Contains(err.Error(), canary) {
		t.Errorf("error is %v", err)
	}
	if !refused.Base().HasLiteralKey() {
		t.Error("a secret in the config is a literal one")
	}
}

func TestBadAzureOptionsAreRefused(t *testing.T) {
	for _, test := range []struct{ name, config, err string }{
		{"no address", `{"api_key":"k"}`, "base_url is missing: set AZURE_OPENAI_ENDPOINT"},
		{"no key", `{"base_url":"https://r"}`, "api_key is missing: set AZURE_OPENAI_API_KEY"},
		{"half an application", `{"base_url":"https://r","tenant_id":"t","client_secret":"` + canary + `"}`, "all of tenant_id, client_id and client_secret"},
		{"a key and an application", `{"base_url":"https://r","api_key":"` + canary + `","tenant_id":"t","client_id":"c","client_secret":"s"}`, "either api_key or"},
		{"a secret of an unset variable", `{"base_url":"https://r","tenant_id":"t","client_id":"c","client_secret":"{env.UNSET_SECRET}"}`, "resolving client_secret"},
	} {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			t.Setenv("AZURE_OPENAI_ENDPOINT", "")
			_, err := load(t, "azure_openai", test.config)
			if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), canary) {
				t.Errorf("error is %v, want %q", err, test.err)
			}
		})
	}
}

func TestAzureBlocks(t *testing.T) {
	for _, test := range []struct{ name, block, want, err string }{
		{"all", "azure_openai {\n base_url https://r\n api_version v\n deployment a b\n deployment c d\n}", `{"api_version":"v","base_url":"https://r","deployment":{"a":"b","c":"d"}}`, ""},
		{"an application", "azure_openai {\n tenant_id t\n client_id c\n client_secret {env.S}\n}", `{"client_id":"c","client_secret":"{env.S}","tenant_id":"t"}`, ""},
		{"half a deployment", "azure_openai {\n deployment a\n}", "", "deployment <model> <deployment>"},
		{"a deployment twice", "azure_openai {\n deployment a b\n deployment a c\n}", "", "the deployment of a is set twice"},
		{"a secret with too much", "azure_openai {\n client_secret " + canary + " " + canary + "\n}", "", "client_secret takes one value"},
		{"unknown", "azure_openai {\n version x\n}", "", "header, models, api, api_version, client_id, client_secret, deployment, tenant_id, limits, transport, warm_connections, trace_context and health"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p providers.AzureOpenAI
			err := p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(test.block))
			checkBlock(t, &p, err, test.want, test.err)
		})
	}
}
