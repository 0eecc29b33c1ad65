package providers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/goleak"

	"github.com/caddyllm/llmproxy/internal/http1"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// canary is in every secret here. No error may hold it.
const canary = "sEcReT/c4nary"

func load(t *testing.T, kind, config string) (providers.Provider, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID(providers.Namespace+"."+kind, json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return module.(providers.Provider), nil
}

func mustLoad(t *testing.T, kind, config string) providers.Provider {
	t.Helper()
	p, err := load(t, kind, config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clearEnvironment unsets every variable that a provider reads.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, module := range caddy.GetModules(providers.Namespace) {
		if p, ok := module.New().(providers.Discoverable); ok {
			for _, name := range p.Environment() {
				t.Setenv(name, "")
			}
		}
	}
	for _, name := range []string{"CLOUDFLARE_ACCOUNT_ID", "DATABRICKS_HOST", "AZURE_OPENAI_ENDPOINT", "AZURE_AUTHORITY_HOST"} {
		t.Setenv(name, "")
	}
}

func TestKeysComeFromTheConfigOrTheEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, kind, config string
		env                map[string]string
		want               string
		literal            bool
	}{
		{"literal", "openai", `{"api_key":"k1"}`, nil, "k1", true},
		{"placeholder", "openai", `{"api_key":"{env.MY_KEY}"}`, map[string]string{"MY_KEY": " k2\n"}, "k2", false},
		{"file", "openai", `{"api_key":"{file.` + file + `}"}`, nil, "from-a-file", false},
		{"usual variable", "openai", `{}`, map[string]string{"OPENAI_API_KEY": "k3"}, "k3", false},
		{"first variable that is set", "gemini", `{}`, map[string]string{"GOOGLE_API_KEY": "k4"}, "k4", false},
		{"first of two variables", "gemini", `{}`, map[string]string{"GEMINI_API_KEY": "k5", "GOOGLE_API_KEY": "k4"}, "k5", false},
		{"config before environment", "anthropic", `{"api_key":"k6"}`, map[string]string{"ANTHROPIC_API_KEY": "k7"}, "k6", true},
		{"several are used in turn", "openai", `{"api_key":["a","b","{env.MY_KEY}"]}`, map[string]string{"MY_KEY": "c"}, "a b c", true},
		{"the name that Cohere's SDKs read", "cohere", `{}`, map[string]string{"CO_API_KEY": "k9"}, "k9", false},
		{"Ollama needs none", "ollama", `{}`, nil, "", false},
		{"Ollama's cloud does", "ollama", `{}`, map[string]string{"OLLAMA_API_KEY": "k10"}, "k10", false},
		{"none is needed", "openai_compatible", `{"base_url":"http://x"}`, nil, "", false},
		{"none is needed but one is set", "vllm", `{}`, map[string]string{"VLLM_API_KEY": "k8"}, "k8", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			s := mustLoad(t, test.kind, test.config).Base()
			got := s.Keys()
			if len(s.Fingerprints()) != max(1, len(got)) {
				t.Errorf("%d keys have %d fingerprints", len(got), len(s.Fingerprints()))
			}
			if strings.Join(got, " ") != test.want || s.HasLiteralKey() != test.literal {
				t.Errorf("keys are %q, literal %v", got, s.HasLiteralKey())
			}
		})
	}
}

func TestBadSettingsAreRefusedWithoutTellingSecrets(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("EMPTY", "")
	t.Setenv("SECRET", canary)
	for _, test := range []struct{ name, kind, config, err string }{
		{"no key", "openai", `{}`, "api_key is missing: set OPENAI_API_KEY, or write api_key {env.YOUR_VARIABLE}"},
		{"no key of two variables", "gemini", `{}`, "set GEMINI_API_KEY, or"},
		{"no key for Cohere", "cohere", `{}`, "set COHERE_API_KEY, or"},
		{"empty key", "openai", `{"api_key":""}`, "api_key 1 is empty"},
		{"blank key", "openai", `{"api_key":["` + canary + `","  "]}`, "api_key 2 is empty"},
		{"unset variable", "openai", `{"api_key":["` + canary + `","{env.EMPTY}"]}`, "resolving api_key 2"},
		{"unknown placeholder", "openai", `{"api_key":"{nonsense.x}"}`, "resolving api_key 1"},
		{"missing file", "openai", `{"api_key":"{file./nonexistent/key}"}`, "api_key 1"},
		{"key with a line end", "openai", `{"api_key":"` + canary + `\nX: y"}`, "api_key 1 has characters"},
		{"key in a variable with a line end", "openai", `{"api_key":"{env.SECRET}\u0000"}`, "api_key 1 has characters"},
		{"key of a wrong type", "openai", `{"api_key":{"k":"` + canary + `"}}`, "a string or a list of strings"},
		{"list of a wrong type", "openai", `{"api_key":["` + canary + `",1]}`, "a string or a list of strings"},
		{"no base_url", "openai_compatible", `{"api_key":"` + canary + `"}`, "base_url is missing"},
		{"base_url without a scheme", "openai", `{"api_key":"` + canary + `","base_url":"api.example.com/v1"}`, "must start with http"},
		{"base_url of another scheme", "openai", `{"api_key":"x","base_url":"ftp://` + canary + `"}`, "must start with http"},
		{"base_url without a host", "openai", `{"api_key":"x","base_url":"https:///` + canary + `"}`, "name a host"},
		{"base_url that is none", "openai", `{"api_key":"x","base_url":"https://` + canary + `%zz\u007f"}`, "base_url is not a URL"},
		{"base_url with a user", "openai", `{"api_key":"x","base_url":"https://u:` + canary[:6] + `@host"}`, "must not have a user"},
		{"base_url with a query", "openai", `{"api_key":"x","base_url":"https://host?key=` + canary + `"}`, "must not have a user, a query"},
		{"base_url with a fragment", "openai", `{"api_key":"x","base_url":"https://host#` + canary + `"}`, "fragment"},
		{"base_url of an unset variable", "openai", `{"api_key":"x","base_url":"https://{env.EMPTY}/v1"}`, "resolving base_url"},
		{"preset that needs an account", "cloudflare", `{"api_key":"` + canary + `"}`, "env.CLOUDFLARE_ACCOUNT_ID"},
		{"header with a line end", "openai", `{"api_key":"x","header":{"X-A":"` + canary + `\r\nX: y"}}`, `header "X-A" is not`},
		{"header name with a space", "openai", `{"api_key":"x","header":{"X A":"` + canary + `"}}`, `header "X A" is not`},
		{"header of an unset variable", "openai", `{"api_key":"x","header":{"X-A":"{env.EMPTY}"}}`, "resolving header X-A"},
		{"unknown member", "openai", `{"api_key":"` + canary + `","bse_url":"x"}`, "bse_url"},
		{"unknown transport", "openai", `{"api_key":"` + canary + `","transport":{"protocol":"nonsense"}}`, "transport"},
		{"mock with a key", "mock", `{"api_key":"` + canary + `"}`, "the mock provider takes no base_url"},
		{"mock with an address", "mock", `{"base_url":"https://` + canary + `"}`, "it never leaves the process"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.kind, test.config)
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error is %v, want %q", err, test.err)
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), canary[:6]) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestWhereCallsGo(t *testing.T) {
	for _, test := range []struct{ kind, base, model, chat, stream, embeddings string }{
		{"openai", "", "gpt-6", "https://api.openai.com/v1/chat/completions", "", "https://api.openai.com/v1/embeddings"},
		{"openai", "http://h:1/x/v1/", "gpt-6", "http://h:1/x/v1/chat/completions", "", "http://h:1/x/v1/embeddings"},
		{"groq", "", "x", "https://api.groq.com/openai/v1/chat/completions", "", "https://api.groq.com/openai/v1/embeddings"},
		{"anthropic", "", "x", "https://api.anthropic.com/v1/messages", "", ""},
		{"anthropic", "https://proxy.example/a//", "x", "https://proxy.example/a/v1/messages", "", ""},
		{"gemini", "", "gemini-x", "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent",
			"https://generativelanguage.googleapis.com/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
			"https://generativelanguage.googleapis.com/v1beta/models/gemini-x:batchEmbedContents"},
		{"cohere", "", "x", "https://api.cohere.com/v2/chat", "", "https://api.cohere.com/v2/embed"},
		{"cohere", "http://h/cohere/", "x", "http://h/cohere/v2/chat", "", "http://h/cohere/v2/embed"},
		{"ollama", "", "x", "http://127.0.0.1:11434/api/chat", "", "http://127.0.0.1:11434/api/embed"},
		{"ollama", "http://h/ollama", "x", "http://h/ollama/api/chat", "", "http://h/ollama/api/embed"},
		{"gemini", "http://h", "tuned/a b?c", "http://h/v1beta/models/tuned/a%20b%3Fc:generateContent", "http://h/v1beta/models/tuned/a%20b%3Fc:streamGenerateContent?alt=sse", "http://h/v1beta/models/tuned/a%20b%3Fc:batchEmbedContents"},
	} {
		config, _ := json.Marshal(map[string]string{"api_key": "k", "base_url": test.base})
		p := mustLoad(t, test.kind, string(config))
		stream := test.stream
		if stream == "" {
			stream = test.chat
		}
		if got := p.Chat(providers.Call{Model: test.model, Client: transform.OpenAIChat}).URL.String(); got != test.chat {
			t.Errorf("%s: chat goes to %s, want %s", test.kind, got, test.chat)
		}
		if got := p.Chat(providers.Call{Model: test.model, Stream: true, Client: transform.OpenAIChat}).URL.String(); got != stream {
			t.Errorf("%s: a stream comes from %s, want %s", test.kind, got, stream)
		}
		embedder, ok := p.(providers.Embedder)
		if ok != (test.embeddings != "") || ok && embedder.Embeddings(providers.Call{Model: test.model}).URL.String() != test.embeddings {
			t.Errorf("%s: embeddings come from elsewhere than %q", test.kind, test.embeddings)
		}
	}
}

func TestHowCallsAreSigned(t *testing.T) {
	for kind, want := range map[string]http.Header{
		"openai":    {"Authorization": {"Bearer k"}},
		"groq":      {"Authorization": {"Bearer k"}},
		"anthropic": {"X-Api-Key": {"k"}},
		"gemini":    {"X-Goog-Api-Key": {"k"}},
		"cohere":    {"Authorization": {"Bearer k"}},
		"ollama":    {"Authorization": {"Bearer k"}},
		"mock":      {},
	} {
		config := `{"api_key":"k"}`
		if kind == "mock" {
			config = `{}`
		}
		got := http.Header{}
		mustLoad(t, kind, config).Authorize(got, "k")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: header is %s, want %s", kind, got, want)
		}
	}
}

func TestTransports(t *testing.T) {
	own := func(config string) (*http1.Transport, bool) {
		t.Helper()
		transport, ok := mustLoad(t, "openai", `{"api_key":"k"`+config+`}`).Base().Transport().(*http1.Transport)
		return transport, ok
	}
	transport, ok := own("")
	if !ok || transport.DialTimeout != 5*time.Second || transport.MaxIdlePerHost != 512 || transport.MaxIdle != 1024 || transport.IdleTimeout != 2*time.Minute {
		t.Errorf("the default transport is %#v", transport)
	}
	theirs, ok := transport.Fallback.(*reverseproxy.HTTPTransport)
	if !ok || !theirs.Transport.DisableCompression || theirs.Transport.MaxIdleConnsPerHost != 512 {
		t.Errorf("the fallback is %#v", transport.Fallback)
	}
	transport, ok = own(`,"transport":{"protocol":"http","dial_timeout":"1s","versions":["1.1"],"keep_alive":{"idle_timeout":"9s","max_idle_conns_per_host":7}}`)
	if !ok || transport.DialTimeout != time.Second || transport.MaxIdlePerHost != 7 || transport.MaxIdle != 0 || transport.IdleTimeout != 9*time.Second {
		t.Errorf("the transport is %#v", transport)
	}
	for _, options := range []string{
		`"tls":{"insecure_skip_verify":true}`, `"versions":["1.1","2"]`, `"versions":["h2c"]`, `"compression":true`, `"max_conns_per_host":1`,
		`"keep_alive":{"enabled":false}`, `"network_proxy":{"from":"none"}`, `"response_header_timeout":"1s"`, `"read_timeout":"1s"`, `"local_address":"127.0.0.1"`,
	} {
		if _, ok := own(`,"transport":{"protocol":"http",` + options + `}`); ok {
			t.Errorf("with %s the transport is not Caddy's", options)
		}
	}
}

func TestFixedHeaderIsResolvedOnce(t *testing.T) {
	t.Setenv("TEAM", "blue")
	p := mustLoad(t, "openai", `{"api_key":"k","header":{"openai-project":"{env.TEAM}"}}`)
	t.Setenv("TEAM", "red")
	if got := p.Base().FixedHeader().Get("OpenAI-Project"); got != "blue" {
		t.Errorf("header is %q", got)
	}
}

func TestListsMayBeStrings(t *testing.T) {
	var s providers.Settings
	if err := json.Unmarshal([]byte(`{"models":"gpt-*","api_key":["a","b"]}`), &s); err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(&s); string(text) != `{"api_key":["a","b"],"models":"gpt-*"}` {
		t.Errorf("settings are %s", text)
	}
}
