package llmproxy_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// example is one example with addresses of its own.
type example struct {
	*server
	name string
	dir  string
	base string // of the gateway
	// client keeps no connection: servers come and go.
	client *http.Client
	// provider stands in for every provider that is elsewhere.
	provider *testllm.Server
	// env is of its environment what other examples do not need.
	env []string
}

// newExample copies the examples. Nothing is replaced but addresses.
func newExample(t *testing.T, name string) *example {
	t.Helper()
	e := &example{
		name: name, dir: t.TempDir(), provider: testllm.New(t),
		client: &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // Caddy's own test certificate
		}},
	}
	if err := os.CopyFS(filepath.Join(e.dir, "examples"), os.DirFS("examples")); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	e.base = "http://localhost:" + port
	url := e.provider.URL
	e.replace(t, name,
		":8080", ":"+port,
		"provider openai {", "provider openai {\nbase_url "+url+"/v1",
		"provider anthropic {", "provider anthropic {\nbase_url "+url,
		"provider gemini {", "provider gemini {\nbase_url "+url,
		"  openai:\n", "  openai:\n    base_url: "+url+"/v1\n",
		"  anthropic:\n", "  anthropic:\n    base_url: "+url+"\n",
		`"provider": "openai",`, `"provider": "openai", "base_url": "`+url+`/v1",`,
	)
	return e
}

// replace changes the copy of a file.
func (e *example) replace(t *testing.T, file string, oldnew ...string) {
	t.Helper()
	path := filepath.Join(e.dir, "examples", file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(oldnew...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start validates and starts the example.
func (e *example) start(t *testing.T, args ...string) {
	t.Helper()
	args = append([]string{"--config", "examples/" + e.name}, args...)
	env := slices.Concat(exampleEnv, e.env)
	if output, err := command(t, e.dir, env, append([]string{"validate"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("caddy validate: %v\n%s", err, output)
	}
	e.server = start(t, e.dir, env, args...)
}

func (e *example) get(t *testing.T, path string, header ...string) reply {
	t.Helper()
	return exchange(t, e.client, http.MethodGet, e.base+path, "", header...)
}

func (e *example) chat(t *testing.T, model string, header ...string) reply {
	t.Helper()
	return exchange(t, e.client, http.MethodPost, e.base+"/v1/chat/completions", chatBody(model, "Hello there", false), header...)
}

// says fails unless an answer has the status and holds all parts.
func (r reply) says(t *testing.T, status int, parts ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("the status is %d, not %d: %s", r.status, status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			t.Errorf("%q is not in the answer: %s", part, r.body)
		}
	}
}

// is fails unless an answer is exactly the text: a neighbour's, not the gateway's.
func (r reply) is(t *testing.T, status int, text string) {
	t.Helper()
	if r.status != status || r.body != text {
		t.Errorf("the answer is %d %q, not %d %q", r.status, r.body, status, text)
	}
	if r.header.Get("X-Request-Id") != "" {
		t.Errorf("the gateway left its mark on the answer of another: %v", r.header)
	}
}
