package sdk_test

import (
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
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/providers"
	_ "github.com/caddyllm/llmproxy/providers/bedrock"
	_ "github.com/caddyllm/llmproxy/providers/vertex"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

// provider is one of the gateway's, and what the clients must know of it.
type provider struct {
	Name string `json:"name"`
	// Model is the model's address, with * for the scenario.
	Model string `json:"model"`
	// Embed is the address of a model with embeddings; empty: there are none.
	Embed string `json:"embed"`
	// Cached and Reasoning tell which of the counts of tokens the format has,
	// Counts whether the provider counts a request's tokens.
	Cached    bool `json:"cached"`
	Reasoning bool `json:"reasoning"`
	Counts    bool `json:"counts"`
	// Speaks are the clients' formats that it speaks itself.
	Speaks []string `json:"speaks"`
	// module and config are as in a config; $ is the stand-in's address.
	module, config string
}

const (
	openAIModel = "gpt-5.4-sdk-*"
	claudeModel = "claude-opus-4-8-sdk-*"
	geminiModel = "gemini-3.5-flash-sdk-*"
)

var gatewayProviders = []provider{
	{
		Name: "openai", Model: "openai/" + openAIModel, Embed: "openai/text-embedding-3-small",
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"chat", "responses"},
		module: "openai", config: `{"base_url":"$/openai/v1","api_key":"KEY"}`,
	},
	{
		Name: "openai-responses", Model: "openai-responses/" + openAIModel,
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"responses"},
		module: "openai", config: `{"base_url":"$/openai/v1","api_key":"KEY","api":"responses"}`,
	},
	{
		Name: "azure", Model: "azure/" + openAIModel, Embed: "azure/text-embedding-3-small",
		Cached: true, Reasoning: true, Speaks: []string{"chat", "responses"},
		module: "azure_openai", config: `{"base_url":"$/azure","api_key":"KEY","api_version":"2025-04-01-preview"}`,
	},
	{
		Name: "compat", Model: "compat/some-model-sdk-*", Embed: "compat/some-embedding",
		Cached: true, Reasoning: true, Speaks: []string{"chat"},
		module: "openai_compatible", config: `{"base_url":"$/compat/v1","api_key":"KEY"}`,
	},
	{
		Name: "anthropic", Model: "anthropic/" + claudeModel,
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"messages"},
		module: "anthropic", config: `{"base_url":"$/anthropic","api_key":"KEY"}`,
	},
	{
		// No output_config and no adaptive thinking: both are emulated or budgeted.
		Name: "claude-4", Model: "anthropic/claude-sonnet-4-20250514-sdk-*",
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"messages"},
	},
	{
		Name: "vertex-claude", Model: "vertex/" + claudeModel,
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"messages"},
	},
	{
		Name: "bedrock-claude", Model: "bedrock/us.anthropic." + claudeModel,
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"messages"},
	},
	{
		Name: "gemini", Model: "gemini/" + geminiModel, Embed: "gemini/gemini-embedding-001",
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"gemini"},
		module: "gemini", config: `{"base_url":"$/gemini","api_key":"KEY"}`,
	},
	{
		// Calls have no ids, thinking has a budget.
		Name: "gemini-2.5", Model: "gemini/gemini-2.5-flash-sdk-*",
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"gemini"},
	},
	{
		Name: "vertex", Model: "vertex/" + geminiModel, Embed: "vertex/gemini-embedding-001",
		Cached: true, Reasoning: true, Counts: true, Speaks: []string{"gemini"},
		module: "vertex", config: `{"base_url":"$/vertex","project":"p","location":"us-central1","access_token":"KEY"}`,
	},
	{
		Name: "bedrock", Model: "bedrock/amazon.nova-2-lite-v1:0-sdk-*", Embed: "bedrock/cohere.embed-v4:0",
		Cached: true,
		module: "bedrock", config: `{"base_url":"$/bedrock","region":"us-east-1","access_key_id":"` + awsKeyID + `","secret_access_key":"secret"}`,
	},
	{
		Name: "cohere", Model: "cohere/command-a-reasoning-sdk-*", Embed: "cohere/embed-v4.0",
		Cached: true,
		module: "cohere", config: `{"base_url":"$/cohere","api_key":"KEY"}`,
	},
	{
		Name: "mistral", Model: "mistral/magistral-medium-sdk-*", Embed: "mistral/mistral-embed",
		Cached: true, Speaks: []string{"chat"},
		module: "mistral", config: `{"base_url":"$/mistral/v1","api_key":"KEY"}`,
	},
	{
		Name: "ollama", Model: "ollama/qwen3-sdk-*", Embed: "ollama/nomic-embed-text",
		module: "ollama", config: `{"base_url":"$/ollama"}`,
	},
}

// direct are the stand-in's own addresses for clients of the same format: they
// show that client and stand-in agree without a gateway between them.
var direct = []provider{
	{Name: "direct openai", Model: openAIModel, Embed: "text-embedding-3-small", Cached: true, Reasoning: true, Counts: true},
	{Name: "direct anthropic", Model: claudeModel, Cached: true, Reasoning: true, Counts: true},
	{Name: "direct gemini", Model: geminiModel, Embed: "gemini-embedding-001", Cached: true, Reasoning: true, Counts: true},
}

// startGateway serves all formats before the stand-in.
func startGateway(t *testing.T, standIn string) (address string) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	var upstreams []*providers.Upstream
	for _, p := range gatewayProviders {
		if p.module == "" {
			continue // shares a provider with another
		}
		config := strings.NewReplacer("$", standIn, "KEY", providerKey).Replace(p.config)
		loaded, err := ctx.LoadModuleByID(providers.Namespace+"."+p.module, json.RawMessage(config))
		if err != nil {
			t.Fatalf("provider %s: %v", p.Name, err)
		}
		upstreams = append(upstreams, providers.NewUpstream(p.Name, loaded.(providers.Provider)))
	}
	alias := &routing.Route{Name: "alias", Policy: routing.First{}, Retries: -1}
	target, err := routing.ParseTarget(upstreams, strings.ReplaceAll(gatewayProviders[0].Model, "*", "text"))
	if err != nil {
		t.Fatal(err)
	}
	alias.Targets = []routing.Target{target}
	table, err := routing.NewTable(upstreams, []*routing.Route{alias}, nil)
	if err != nil {
		t.Fatal(err)
	}
	who, err := auth.New(auth.Settings{Keys: []auth.Key{{ID: "sdk", Digests: []auth.Digest{auth.DigestOf(clientKey)}}}})
	if err != nil {
		t.Fatal(err)
	}
	gw := &gateway.Gateway{
		Surface: gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true},
		Catalog: catalog.New(nil), CostHeader: true, // whose trailer disturbs no client
		Auth: who, Routes: table, Observer: unobserved{}, Limits: gateway.DefaultLimits(),
		Streams: new(gateway.Streams), Memory: remembered{cache.NewShortLived[*gateway.Remembered](10000, time.Hour, nil)},
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !gw.ServeHTTP(w, r) {
			http.NotFound(w, r)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

// unobserved is an observer that looks away.
type unobserved struct{}

func (unobserved) Started()                             {}
func (unobserved) Settled(*http.Request, *usage.Record) {}

// remembered keeps what clients cannot carry, as the module does.
type remembered struct {
	*cache.ShortLived[*gateway.Remembered]
}

func (s remembered) Find(key string) *gateway.Remembered {
	found, _ := s.ShortLived.Find(key)
	return found
}
