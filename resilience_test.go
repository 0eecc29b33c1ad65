package llmproxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// asked are the models that a provider was asked for an answer of, from a call on.
func asked(provider *testllm.Server, from int) (models []string) {
	for _, call := range provider.Calls()[from:] {
		if call.Operation != testllm.Models {
			models = append(models, call.Model)
		}
	}
	return models
}

func testResilience(t *testing.T, e *example) {
	e.start(t)
	wants := func(what string, models ...string) func(reply) {
		t.Helper()
		from := len(e.provider.Calls())
		return func(got reply) {
			t.Helper()
			if got := asked(e.provider, from); !slices.Equal(got, models) {
				t.Errorf("%s: the providers were asked for %q, not %q", what, got, models)
			}
		}
	}
	wants("the canary", "gpt-7")(e.chat(t, "smart", "X-Canary", "yes"))
	wants("the tenant", "claude-sonnet-5")(e.chat(t, "smart", "X-Tenant", "acme"))
	if body := string(last(e.provider).Body); !strings.Contains(body, `"metadata":{"user_id":"acme"}`) {
		t.Errorf("the tenant's request is %s", body)
	}
	wants("everybody else", "gpt-6")(e.chat(t, "smart"))
	if body := string(last(e.provider).Body); !strings.Contains(body, `"temperature":0.7`) {
		t.Errorf("the request is %s", body)
	}

	explain := func(header string, parts ...string) {
		t.Helper()
		status, answer := e.configure(t, http.MethodPost, "/llm_proxy/explain", `{"header":{`+header+`},"body":`+chatBody("smart", "Hello there", false)+`}`)
		reply{status: status, body: answer}.says(t, 200, parts...)
	}
	explain(`"X-Canary":"yes"`, `"target": "openai/gpt-7"`)
	explain(`"X-Tenant":"acme"`, `"target": "anthropic/claude-sonnet-5"`, `"user_id": "acme"`)
	explain(``, `"target": "openai/gpt-6"`, `"temperature": 0.7`)

	busy := testllm.Reply{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"90"}}}
	e.provider.Script(busy, busy, testllm.Reply{Text: "steady as she goes"})
	check := wants("when all of OpenAI is busy", "gpt-6", "gpt-6-mini", "claude-sonnet-5")
	got := e.chat(t, "smart")
	got.says(t, 200, "steady as she goes")
	check(got)
	wants("while it is", "claude-sonnet-5")(e.chat(t, "smart"))
	if status, _ := e.configure(t, http.MethodPost, "/llm_proxy/providers/openai/reset", ""); status != 200 {
		t.Errorf("the reset is %d", status)
	}

	tooLong := testllm.Reply{Status: http.StatusBadRequest, Error: testllm.Error{Code: "context_length_exceeded", Message: "too long"}}
	e.provider.Script(tooLong, testllm.Reply{Text: "room for all"})
	check = wants("what is too long", "gpt-6-mini", "claude-sonnet-5")
	got = e.chat(t, "small")
	got.says(t, 200, "room for all")
	check(got)
	e.provider.Script(testllm.Reply{Status: http.StatusNotImplemented})
	for range 3 {
		e.chat(t, "small")
	}
	if answer := e.get(t, "/health/ready?model=small"); answer.status != 503 {
		t.Errorf("after failures in a row small is %d %s", answer.status, answer.body)
	}
	e.get(t, "/health/ready").says(t, 200, `"small":"unavailable"`, `"smart":"ready"`, `"steady":"ready"`)
}

func last(provider *testllm.Server) testllm.Call {
	calls := provider.Calls()
	return calls[len(calls)-1]
}

// ward is a provider of which a test says whether it is well.
type ward struct {
	*httptest.Server
	ill    atomic.Bool
	probed atomic.Int32
}

func newWard(t *testing.T) *ward {
	w := new(ward)
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/healthz":
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"from the ward"},"finish_reason":"stop"}]}`)
		case r.Header.Get("Authorization") != "Bearer ward-key":
			rw.WriteHeader(http.StatusUnauthorized)
		case w.ill.Load():
			w.probed.Add(1)
			rw.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.probed.Add(1)
		}
	}))
	t.Cleanup(w.Close)
	return w
}

// hospital is a gateway whose model m is served by a ward, and after it by the mock.
type hospital struct {
	*server
	*ward
	base, config string
}

const hospitalSite = `http://127.0.0.1:%s {
	llm_proxy {
		auth anonymous
		provider ward openai {
			base_url %s/v1
			api_key ward-key
			%s
		}
		provider mock
		model m ward/m mock/echo
	}
}
`

const healthCheck = "health {\nuri /healthz\ninterval 100ms\n}"

func newHospital(t *testing.T) *hospital {
	h := &hospital{ward: newWard(t)}
	port := freePort(t)
	h.base = "http://127.0.0.1:" + port
	h.config = fmt.Sprintf(hospitalSite, port, h.URL, healthCheck)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(h.config), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := command(t, dir, nil, "validate", "--config", "Caddyfile").CombinedOutput(); err != nil {
		t.Fatalf("caddy validate: %v\n%s", err, output)
	}
	if n := h.probed.Load(); n != 0 {
		t.Errorf("to validate a config the provider was asked %d times", n)
	}
	h.server = start(t, dir, nil, "--config", "Caddyfile")
	return h
}

func (h *hospital) chat(t *testing.T) reply {
	t.Helper()
	// A connection that a reload closes is no failure.
	client := &http.Client{Transport: patient{&http.Transport{DisableKeepAlives: true}}}
	return exchange(t, client, http.MethodPost, h.base+"/v1/chat/completions", chatBody("m", "Hello there", false))
}

// state is the ward's, as the admin API says.
func (h *hospital) state(t *testing.T) string {
	t.Helper()
	_, text := h.configure(t, http.MethodGet, "/llm_proxy/status", "")
	var report struct {
		Handlers []struct {
			Providers []struct{ Name, State string }
		}
	}
	if err := json.Unmarshal([]byte(text), &report); err != nil || len(report.Handlers) != 1 || report.Handlers[0].Providers[0].Name != "ward" {
		t.Fatalf("the status is %s (%v)", text, err)
	}
	return report.Handlers[0].Providers[0].State
}

func (h *hospital) awaitState(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(patience); h.state(t) != want; {
		if time.Now().After(deadline) {
			t.Fatalf("the ward is %s, not %s", h.state(t), want)
		}
	}
}

func (h *hospital) load(t *testing.T, config string) {
	t.Helper()
	if got := exchange(t, h.admin, http.MethodPost, "http://localhost/load", config, "Content-Type", "text/caddyfile"); got.status != http.StatusOK {
		t.Fatalf("loading answered %d: %s", got.status, got.body)
	}
}

func TestProviderThatIsDownIsPassedOver(t *testing.T) {
	h := newHospital(t)
	h.awaitState(t, "ready")
	h.chat(t).says(t, 200, "from the ward")
	h.ill.Store(true)
	h.await(t, "a provider is down", `"provider":"ward"`, "its status is 503")
	h.awaitState(t, "down")
	h.chat(t).says(t, 200, echoed)

	// So it stays over a reload, of which the second has another check.
	h.load(t, strings.ReplaceAll(h.config, "auth anonymous", "auth anonymous\nretries 1"))
	h.awaitState(t, "down")
	h.load(t, strings.ReplaceAll(h.config, "100ms", "200ms"))
	h.awaitState(t, "down")
	h.ill.Store(false)
	h.await(t, "a provider is up again", `"provider":"ward"`)
	h.chat(t).says(t, 200, "from the ward")

	// Without a check nothing is known.
	h.ill.Store(true)
	h.awaitState(t, "down")
	h.load(t, strings.ReplaceAll(h.config, healthCheck, ""))
	h.awaitState(t, "ready")
	h.chat(t).says(t, 200, "from the ward")
	h.stop(t)
}

func TestAdminAPIChangesProviders(t *testing.T) {
	h := newHospital(t)
	change := func(method, path string, want int, parts ...string) {
		t.Helper()
		status, answer := h.configure(t, method, "/llm_proxy/"+path, "")
		reply{status: status, body: answer}.says(t, want, parts...)
		if strings.Contains(answer, "ward-key") || strings.Contains(answer, h.URL) {
			t.Errorf("%s tells what it must not: %s", path, answer)
		}
	}
	h.chat(t).says(t, 200, "from the ward")
	for range 2 {
		change(http.MethodPost, "providers/ward/disable", 200, `{"provider":"ward","action":"disable","handlers":1}`)
	}
	h.chat(t).says(t, 200, echoed)
	change(http.MethodGet, "models", 200, `"name":"m","policy":"first"`, `{"target":"ward/m","type":"openai","weight":1,"state":"disabled"}`, `{"target":"mock/echo","type":"mock","weight":1,"state":"ready"`)
	h.load(t, strings.ReplaceAll(h.config, "auth anonymous", "auth anonymous\nretries 1"))
	h.chat(t).says(t, 200, echoed)
	change(http.MethodPost, "providers/mock/disable", 200)
	h.chat(t).says(t, 503)
	change(http.MethodPost, "providers/mock/enable", 200)
	for range 2 {
		change(http.MethodPost, "providers/ward/enable", 200)
	}
	change(http.MethodPost, "providers/ward/reset", 200)
	h.chat(t).says(t, 200, "from the ward")
	change(http.MethodGet, "status", 200, `"in_flight":0`, `"name":"ward","type":"openai","state":"ready"`, `"keys":[{"index":0,"fingerprint":"`, `{"model":"m","state":"ready","in_flight":0,"latency_ms":`)

	change(http.MethodPost, "providers/nobody/disable", 404, `there is no provider`)
	change(http.MethodPost, "providers/ward/explode", 404, "enable, disable or reset")
	change(http.MethodPost, "providers/", 404)
	change(http.MethodGet, "providers/ward/disable", 405, "only POST")
	change(http.MethodPost, "status", 405)
	change(http.MethodPost, "models", 405)
}
