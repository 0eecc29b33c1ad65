package recorded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/cache"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/providers"
	_ "github.com/caddyllm/llmproxy/providers/bedrock"
	_ "github.com/caddyllm/llmproxy/providers/vertex"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

// providerConfigs are the gateway's providers: name, module and config, in which
// BASE is the replay server's address.
var providerConfigs = [...][3]string{
	{"openai", "openai", `{"base_url":"BASE/openai/v1","api_key":"KEY"}`},
	{"responses", "openai", `{"base_url":"BASE/openai/v1","api_key":"KEY","api":"responses"}`},
	{"compat", "openai_compatible", `{"base_url":"BASE/compat/v1","api_key":"KEY"}`},
	{"anthropic", "anthropic", `{"base_url":"BASE/anthropic","api_key":"KEY"}`},
	{"foundry", "anthropic", `{"base_url":"BASE/foundry/anthropic","api_key":"KEY"}`},
	{"gemini", "gemini", `{"base_url":"BASE/gemini","api_key":"KEY"}`},
	{"vertex", "vertex", `{"base_url":"BASE/vertex","project":"p","location":"us-central1","access_token":"KEY"}`},
	{"bedrock", "bedrock", `{"base_url":"BASE/bedrock","region":"us-east-1","access_key_id":"AKIDTEST","secret_access_key":"testsecret"}`},
	{"azure", "azure_openai", `{"base_url":"BASE/azure","api_key":"KEY","api_version":"2025-04-01-preview"}`},
	{"azure_responses", "azure_openai", `{"base_url":"BASE/azure","api_key":"KEY","api":"responses"}`},
	{"azure_chat", "azure_openai", `{"base_url":"BASE/azure","api_key":"KEY","api":"chat"}`},
	{"xai_chat", "xai", `{"base_url":"BASE/xai/v1","api_key":"KEY","api":"chat"}`},
	{"cohere", "cohere", `{"base_url":"BASE/cohere","api_key":"KEY"}`},
	{"mistral", "mistral", `{"base_url":"BASE/mistral/v1","api_key":"KEY"}`},
	{"ollama", "ollama", `{"base_url":"BASE/ollama"}`},
	{"groq", "groq", `{"base_url":"BASE/groq/openai/v1","api_key":"KEY"}`},
	{"deepseek", "deepseek", `{"base_url":"BASE/deepseek","api_key":"KEY"}`},
	{"xai", "xai", `{"base_url":"BASE/xai/v1","api_key":"KEY"}`},
	{"openrouter", "openrouter", `{"base_url":"BASE/openrouter/api/v1","api_key":"KEY"}`},
	{"perplexity", "perplexity", `{"base_url":"BASE/perplexity","api_key":"KEY"}`},
	{"together", "together", `{"base_url":"BASE/together/v1","api_key":"KEY"}`},
	{"cerebras", "cerebras", `{"base_url":"BASE/cerebras/v1","api_key":"KEY"}`},
}

// providerKey is the credential of every provider here. No client may see it.
const providerKey = "canary/of+the;provider"

// gate is a gateway in front of a server that stands for all providers.
type gate struct {
	url    string
	client *http.Client
}

// openGate starts a gateway whose providers are all played by h.
func openGate(t testing.TB, h http.Handler) *gate {
	t.Helper()
	upstream := httptest.NewServer(h)
	t.Cleanup(upstream.Close)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	var upstreams []*providers.Upstream
	for _, p := range providerConfigs {
		config := strings.NewReplacer("BASE", upstream.URL, "KEY", providerKey).Replace(p[2])
		loaded, err := ctx.LoadModuleByID(providers.Namespace+"."+p[1], json.RawMessage(config))
		if err != nil {
			t.Fatal(err)
		}
		upstreams = append(upstreams, providers.NewUpstream(p[0], loaded.(providers.Provider)))
	}
	table, err := routing.NewTable(upstreams, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	who, err := auth.New(auth.Settings{Anonymous: true})
	if err != nil {
		t.Fatal(err)
	}
	gw := &gateway.Gateway{
		Surface: gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true},
		Auth:    who, Routes: table, Observer: observer{}, Limits: gateway.DefaultLimits(),
		Streams: new(gateway.Streams),
		Memory:  signatures{cache.NewShortLived[*gateway.Remembered](100, time.Hour, nil)},
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !gw.ServeHTTP(w, r) {
			http.Error(w, "the next handler", http.StatusTeapot)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
	})
	return &gate{url: srv.URL, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// send sends a body as a client of a format.
func (g *gate) send(t testing.TB, dialect, path string, body []byte) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = clientHeader(dialect)
	response, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("the answer broke off: %v", err)
	}
	if bytes.Contains(read, []byte(providerKey)) {
		t.Errorf("the answer holds the provider's key")
	}
	return answer{response.StatusCode, response.Header, read}
}

// ask sends a plain question.
func (g *gate) ask(t testing.TB, dialect string, q question) answer {
	t.Helper()
	return g.send(t, dialect, clientPath(dialect, q.model, q.stream), q.body(dialect))
}

type observer struct{}

func (observer) Started()                             {}
func (observer) Settled(*http.Request, *usage.Record) {}

type signatures struct {
	*cache.ShortLived[*gateway.Remembered]
}

func (s signatures) Find(key string) *gateway.Remembered {
	found, _ := s.ShortLived.Find(key)
	return found
}
