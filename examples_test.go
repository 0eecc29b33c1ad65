package llmproxy_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// Secrets that the examples expect in the environment.
const (
	appKey   = "app-key-for-tests"
	adminKey = "admin-key-for-tests"
)

var exampleEnv = []string{
	"OPENAI_API_KEY=openai-key-for-tests", "ANTHROPIC_API_KEY=anthropic-key-for-tests", "GEMINI_API_KEY=gemini-key-for-tests",
	"AZURE_OPENAI_API_KEY=azure-key-for-tests", "APP_KEY=" + appKey, "ADMIN_KEY=" + adminKey,
}

// exampleTests is what each example must do once it runs.
var exampleTests = map[string]func(*testing.T, *example){
	"quickstart.Caddyfile":           testQuickstart,
	"beside-respond.Caddyfile":       testBesideRespond,
	"beside-catch-all.Caddyfile":     testBesideCatchAll,
	"beside-spa.Caddyfile":           testBesideSPA,
	"beside-reverse-proxy.Caddyfile": testBesideReverseProxy,
	"mount.Caddyfile":                testMount,
	"rate-limit.Caddyfile":           testRateLimit,
	"failover.Caddyfile":             testFailover,
	"resilience.Caddyfile":           testResilience,
	"keys.Caddyfile":                 testKeys,
	"limits.Caddyfile":               testLimits,
	"keys-file.Caddyfile":            testKeysFile,
	"jwt.Caddyfile":                  testJWT,
	"shared.Caddyfile":               testShared,
	"local-models.Caddyfile":         testLocalModels,
	"production.Caddyfile":           testProduction,
	"watched.Caddyfile":              testWatched,
	"agents.Caddyfile":               testAgents,
	"resumable.Caddyfile":            testResumable,
	"cache.Caddyfile":                testCache,
	"clouds.Caddyfile":               testClouds,
	"tracing.Caddyfile":              testTracing,
	"status-page.Caddyfile":          testStatusPage,
	"llm.yaml":                       testYAML,
	"logs.Caddyfile":                 testLogs,
	"gateway.json":                   testJSON,

	"observability/observability.Caddyfile": testObservability,
}

// parts are files that an example is made of, and folders with one and what belongs to it.
var parts = []string{"watched.yaml", "keys.yaml", "limits.prices.yaml", "jwks.json", "spa", "observability"}

func TestEveryExampleIsTested(t *testing.T) {
	entries, err := os.ReadDir("examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if exampleTests[entry.Name()] == nil && !slices.Contains(parts, entry.Name()) {
			t.Errorf("examples/%s has no test", entry.Name())
		}
	}
}

func TestExamplesAreFormattedAndSayHowToRunThem(t *testing.T) {
	for name := range exampleTests {
		text, err := os.ReadFile(filepath.Join("examples", name))
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(name) {
		case ".Caddyfile":
			if warning, differs := caddyfile.FormattingDifference(name, text); differs {
				t.Errorf("%s:%d is not as caddy fmt wants it", name, warning.Line)
			}
		case ".json":
			continue // has no comments
		}
		comment, _, _ := strings.Cut(string(text), "\n\n")
		if !strings.HasPrefix(comment, "# ") || !strings.Contains(string(text), "run --config examples/"+name) {
			t.Errorf("%s does not begin with a comment that says how to run it", name)
		}
	}
}

func TestExamples(t *testing.T) {
	for name, test := range exampleTests {
		t.Run(name, func(t *testing.T) { test(t, newExample(t, name)) })
	}
}

const echoed = `"content":"Hello there"`

func testQuickstart(t *testing.T, e *example) {
	e.start(t)
	e.chat(t, "mock/echo").says(t, 200, echoed)
	e.chat(t, "demo").says(t, 200, echoed)
	e.get(t, "/v1/models").says(t, 200, `"demo"`, `"mock/echo"`)
	e.get(t, "/else").is(t, 404, "Not found")
	for _, name := range []string{"mock", "openai", "anthropic", "gemini"} {
		if _, status := e.configure(t, http.MethodGet, "/llm_proxy/status", ""); !strings.Contains(status, fmt.Sprintf("%q", name)) {
			t.Errorf("provider %s is not in %s", name, status)
		}
	}
	if status, plan := e.configure(t, http.MethodPost, "/llm_proxy/explain", `{"body":`+chatBody("demo", "hi", false)+`}`); status != 200 || !strings.Contains(plan, `"target": "mock/echo"`) {
		t.Errorf("the explanation is %d %s", status, plan)
	}
	for _, bad := range []string{`{"bodi":1}`, `{"body":{},"path":"/elsewhere"}`, `{"key":"nobody","body":{}}`} {
		if status, answer := e.configure(t, http.MethodPost, "/llm_proxy/explain", bad); status < 400 || !strings.Contains(answer, "error") {
			t.Errorf("the explanation of %s is %d %s", bad, status, answer)
		}
	}
	events := openStream(t, e.base, chatBody("mock/echo", "one two three", true)).rest(t)
	if text := strings.Join(events, ""); !strings.Contains(text, `"content":"two "`) || events[len(events)-1] != "[DONE]" {
		t.Errorf("the stream is %s", text)
	}
}

func testBesideRespond(t *testing.T, e *example) {
	e.start(t)
	e.chat(t, "mock/echo").says(t, 200, echoed)
	for _, path := range []string{"/", "/hello", "/v1/chat", "/v1/chat/completions/", "/V1/models"} {
		e.get(t, path).is(t, 200, "Hello from the site.")
	}
}

func testBesideCatchAll(t *testing.T, e *example) {
	e.start(t)
	e.chat(t, "mock/echo").says(t, 200, echoed)
	e.get(t, "/about").is(t, 200, "About the site.")
	e.get(t, "/any/other/path").is(t, 200, "The catch-all.")
}

func testBesideSPA(t *testing.T, e *example) {
	e.start(t)
	e.chat(t, "mock/echo", "Origin", e.base).says(t, 200, echoed)
	e.chat(t, "mock/echo", "Origin", "http://elsewhere.example").says(t, 403, "origin_not_allowed")
	for path, file := range map[string]string{"/": "index.html", "/settings/profile": "index.html", "/app.js": "app.js"} {
		text, err := os.ReadFile(filepath.Join("examples", "spa", file))
		if err != nil {
			t.Fatal(err)
		}
		e.get(t, path).is(t, 200, string(text))
	}
	e.get(t, "/v1/unknown").is(t, 404, "Not found")
}

func testBesideReverseProxy(t *testing.T, e *example) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s by the backend", r.Method, r.URL.Path)
	}))
	defer backend.Close()
	e.replace(t, e.name, "localhost:9000", strings.TrimPrefix(backend.URL, "http://"))
	e.start(t)
	e.chat(t, "mock/echo").says(t, 200, echoed)
	e.get(t, "/api/orders").is(t, 200, "GET /api/orders by the backend")
	exchange(t, e.client, http.MethodPost, e.base+"/v1/orders", `{"model":"mock/echo"}`).is(t, 200, "POST /v1/orders by the backend")
}

func testMount(t *testing.T, e *example) {
	e.start(t)
	exchange(t, e.client, http.MethodPost, e.base+"/llm/v1/chat/completions", chatBody("mock/echo", "Hello there", false)).says(t, 200, echoed)
	e.get(t, "/llm/v1/models").says(t, 200, "mock/echo")
	e.get(t, "/llm/else").is(t, 404, "Not found")
	e.get(t, "/v1/models").is(t, 200, "The site.")
}

func testRateLimit(t *testing.T, e *example) {
	e.start(t)
	const batchKey = "not-a-secret-just-an-example"
	refused := func(got reply, parts ...string) {
		t.Helper()
		got.says(t, 429, append(parts, "Too many requests")...)
		if got.header.Get("Retry-After") == "" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("the header of the 429 is %v", got.header)
		}
	}
	for range 5 {
		e.chat(t, "mock/echo", "X-Api-Key", appKey).says(t, 200, echoed)
	}
	refused(e.chat(t, "mock/echo", "X-Api-Key", appKey), `"code":"rate_limit_exceeded"`, `"param":null`)
	post := func(path, body, key string) reply {
		return exchange(t, e.client, http.MethodPost, e.base+path, body, "X-Api-Key", key)
	}
	refused(post("/v1/messages", `{"model":"mock/echo","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, appKey), `"type":"error"`, `"type":"rate_limit_error"`, `"request_id":"req_`)
	refused(post("/v1beta/models/mock%2Fecho:generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, appKey), `"code":429`, `"status":"RESOURCE_EXHAUSTED"`, `"retryDelay":`)
	e.get(t, "/v1/models", "X-Api-Key", appKey).says(t, 200, "mock/echo") // not in the zone
	e.chat(t, "mock/echo", "X-Api-Key", batchKey).says(t, 200, echoed)
	e.await(t, "http.handlers.llm_auth.usage", `"user_id":"app"`, `"error":"rate_limit_exceeded"`, `"metadata":{"team":"search"}`)

	e.chat(t, "mock/echo", "X-Api-Key", "wrong").says(t, 401, "Invalid API key.")
	e.chat(t, "mock/echo").says(t, 401, "API key missing")
	for range 30 { // more than the address may
		post("/v1/messages", "", "wrong")
	}
	refused(e.chat(t, "mock/echo", "X-Api-Key", "wrong"), `"rate_limit_exceeded"`)
}

func testKeysFile(t *testing.T, e *example) {
	e.start(t)
	const batchKey = "not-a-secret-just-an-example"
	e.chat(t, "smart", "X-Api-Key", batchKey).says(t, 200, echoed)
	e.await(t, "usage", `"user_id":"batch"`, `"group":"staff"`, `"metadata":{"department":"research","owner":"jane@example.com"}`)
	e.chat(t, "internal-search", "X-Api-Key", batchKey).says(t, 403, "model_not_allowed")
	e.chat(t, "internal-search", "X-Api-Key", adminKey).says(t, 200, echoed)

	mark := e.mark()
	e.replace(t, "keys.yaml", "  batch:\n    digest", "  batch:\n    dijest")
	e.awaitAfter(t, mark, "key file refused", `keys.yaml:12:5: unknown member \"dijest\"`)
	e.chat(t, "smart", "X-Api-Key", batchKey).says(t, 200, echoed)
	mark = e.mark()
	e.replace(t, "keys.yaml", "  batch:\n    dijest", "  batch:\n    disabled: true\n    digest")
	e.awaitAfter(t, mark, "key file reloaded")
	e.chat(t, "smart", "X-Api-Key", batchKey).says(t, 401, "Invalid API key.")
	e.chat(t, "smart", "X-Api-Key", adminKey).says(t, 200, echoed)
}

func testJWT(t *testing.T, e *example) {
	e.start(t)
	token := func(sub string, groups ...string) string { return exampleToken(t, sub, groups...) }
	for _, test := range []struct {
		token, model string
		status       int
		says         string
	}{
		{token("jane", "other", "staff"), "smart", 200, echoed},
		{token("jane", "staff"), "internal-search", 403, "model_not_allowed"},
		{token("jane", "admins"), "internal-search", 200, echoed},
		{token("jane", "other"), "smart", 403, "model_not_allowed"},
		{token("intern", "admins"), "smart", 200, echoed},
		{token("intern", "admins"), "mock/echo", 403, "model_not_allowed"},
		{token("jane", "staff") + "A", "smart", 401, "Invalid API key."},
	} {
		e.chat(t, test.model, "Authorization", "Bearer "+test.token).says(t, test.status, test.says)
	}
	e.await(t, "usage", `"user_id":"jane"`, `"group":"staff"`)
	e.await(t, "usage", `"user_id":"jane"`, `"metadata":{"role":"admin"}`)
	if strings.Contains(e.text(), token("jane", "staff")[:40]) {
		t.Error("a token stands in the log")
	}
	mark := e.mark()
	e.replace(t, "jwks.json", `"kid": "example"`, `"kid": "another"`)
	e.awaitAfter(t, mark, "key set reloaded")
}

func testFailover(t *testing.T, e *example) {
	e.replace(t, e.name, "https://llm.example.com", e.provider.URL)
	e.start(t)
	tried := func() (models []string) {
		for _, call := range e.provider.Calls() {
			models = append(models, string(call.Format)+" "+call.Model)
		}
		return models
	}
	busy := testllm.Reply{Status: http.StatusTooManyRequests}
	e.provider.Script(busy, busy, testllm.Reply{Text: "third time lucky"})
	e.chat(t, "smart").says(t, 200, "third time lucky")
	want := []string{"anthropic claude-sonnet-5", "openai gpt-6"}
	if got := tried(); len(got) != 3 || !slices.Equal(got[:2], want) {
		t.Errorf("smart tried %q, not %q and one of fast", got, want)
	}

	e.provider.Script(busy, testllm.Reply{Text: "by the backup"})
	e.chat(t, "team-gpt-6").says(t, 200, "by the backup")
	if got := tried()[3:]; !slices.Equal(got, []string{"openai gpt-6", "openai gpt-6"}) {
		t.Errorf("team-gpt-6 tried %q", got)
	}
	keys := func(from int) (keys []string) {
		for _, call := range e.provider.Calls()[from:] {
			keys = append(keys, call.Header.Get("X-Api-Key")+call.Header.Get("X-Goog-Api-Key")+call.Header.Get("Authorization"))
		}
		return keys
	}
	if got := keys(0)[:2]; !slices.Equal(got, []string{"anthropic-key-for-tests", "Bearer openai-key-for-tests"}) {
		t.Errorf("the keys of the first calls are %q", got)
	}
}

func testKeys(t *testing.T, e *example) {
	e.start(t)
	const batchKey = "not-a-secret-just-an-example"
	e.chat(t, "smart").says(t, 401, "invalid_api_key")
	e.chat(t, "smart", "Authorization", "Bearer wrong-key").says(t, 401, "invalid_api_key")
	e.chat(t, "smart", "Authorization", "Bearer "+appKey).says(t, 200, echoed)
	e.chat(t, "mock/echo", "Authorization", "Bearer "+appKey).says(t, 200, echoed)
	e.chat(t, "internal-search", "Authorization", "Bearer "+appKey).says(t, 403, "model_not_allowed")
	e.chat(t, "smart", "X-Api-Key", batchKey).says(t, 200, echoed)
	e.chat(t, "mock/echo", "X-Api-Key", batchKey).says(t, 403, "model_not_allowed")
	e.chat(t, "internal-search", "Api-Key", adminKey).says(t, 200, echoed)
	for _, secret := range []string{appKey, adminKey, batchKey} {
		if _, config := e.configure(t, http.MethodGet, "/config/", ""); strings.Contains(config, secret) || strings.Contains(e.text(), secret) {
			t.Errorf("the secret %s shows in the config or the log", secret)
		}
	}
}

func testLimits(t *testing.T, e *example) {
	e.start(t)
	app := []string{"Authorization", "Bearer " + appKey}
	for left := range 3 {
		answer := e.chat(t, "smart", app...)
		answer.says(t, 200, echoed)
		if got := answer.header.Get("X-Ratelimit-Remaining-Requests"); got != strconv.Itoa(2-left) {
			t.Errorf("%q requests remain, not %d", got, 2-left)
		}
	}
	refused := e.chat(t, "smart", app...)
	refused.says(t, 429, "rate_limit_exceeded")
	if refused.header.Get("Retry-After") == "" {
		t.Error("the refusal does not say when to come back")
	}
	e.chat(t, "smart", "Authorization", "Bearer "+adminKey).says(t, 200, echoed)
	if status, use := e.configure(t, http.MethodGet, "/llm_proxy/usage", ""); status != 200 || !strings.Contains(use, "interns") {
		t.Errorf("the use of limits is %d %s", status, use)
	}
	if status, _ := e.configure(t, http.MethodPost, "/llm_proxy/keys/app/disable", ""); status != 200 {
		t.Errorf("the key is disabled with %d", status)
	}
	e.chat(t, "smart", app...).says(t, 401, "invalid_api_key")
}

func testShared(t *testing.T, e *example) {
	other := freePort(t)
	e.replace(t, e.name, ":8081", ":"+other)
	e.start(t)
	e.chat(t, "demo").says(t, 401, "invalid_api_key")
	e.chat(t, "demo", "Authorization", "Bearer "+appKey).says(t, 200, echoed)
	e.chat(t, "sandbox", "Authorization", "Bearer "+appKey).says(t, 404, "model_not_found")
	e.base = "http://localhost:" + other
	e.chat(t, "demo").says(t, 200, echoed)
	e.get(t, "/v1/models").says(t, 200, `"demo"`, `"sandbox"`)
}

func testLocalModels(t *testing.T, e *example) {
	e.replace(t, e.name,
		"http://127.0.0.1:8000", e.provider.URL,
		"http://127.0.0.1:1234", e.provider.URL,
		"provider ollama-v1 {", "provider ollama-v1 {\nbase_url "+e.provider.URL+"/v1",
	)
	e.start(t)
	e.provider.Script(testllm.Reply{Text: "from the house"})
	for _, model := range []string{"qwen3", "llama3.3", "openai/gpt-oss-20b", "gpu/anything", "other/anything"} {
		e.chat(t, model).says(t, 200, "from the house")
	}
	var asked []string
	for _, call := range e.provider.Calls() {
		asked = append(asked, call.Model)
	}
	if want := []string{"qwen3", "llama3.3", "openai/gpt-oss-20b", "anything", "anything"}; !slices.Equal(asked, want) {
		t.Errorf("the servers were asked for %q, not %q", asked, want)
	}
	if team := e.provider.Calls()[2].Header.Get("X-Team"); team != "research" {
		t.Errorf("the header of gpu is %q", team)
	}
	e.provider.Script(testllm.Reply{Status: http.StatusServiceUnavailable}, testllm.Reply{Text: "from the laptop"})
	e.chat(t, "chat").says(t, 200, "from the laptop")
}

func testProduction(t *testing.T, e *example) {
	port := freePort(t)
	e.base = "https://localhost:" + port
	e.replace(t, e.name,
		"llm.example.com {", "localhost:"+port+" {",
		"grace_period 2m", "grace_period 2m\nhttp_port "+freePort(t)+"\nskip_install_trust",
	)
	e.start(t)
	e.await(t, "certificate obtained successfully")
	awaitHandshake(t, "localhost:"+port)
	e.provider.Script(testllm.Reply{Text: "over TLS"})
	e.chat(t, "smart", "Authorization", "Bearer "+appKey).says(t, 200, "over TLS")
	for name, path := range map[string]string{"X-Api-Key": "", "Api-Key": "", "X-Goog-Api-Key": "", "": "?key=" + appKey} {
		header := []string{name, appKey}
		if name == "" {
			header = nil
		}
		mark := e.mark()
		e.get(t, "/v1/models"+path, header...).says(t, 200, `"smart"`)
		e.awaitAfter(t, mark, "http.log.access", "/v1/models")
	}
	if strings.Contains(e.text(), appKey) || strings.Contains(e.text(), "anthropic-key-for-tests") {
		t.Error("a key stands in the log")
	}
	if _, metrics := e.configure(t, http.MethodGet, "/metrics", ""); !strings.Contains(metrics, `caddy_llm_proxy_requests_total{ending="complete",model="smart",operation="chat",provider="anthropic",status="200"} 1`) {
		t.Errorf("the call is not in the metrics: %s", metrics)
	}
	e.await(t, "http.handlers.llm_proxy.usage", `"user_id":"app"`, `"route":"smart"`)
	e.stop(t)
}

func testLogs(t *testing.T, e *example) {
	e.start(t, "--adapter", "caddyfile")
	for _, header := range [][]string{{"Authorization", "Bearer " + appKey}, {"X-Api-Key", appKey}, {"Api-Key", appKey}, {"X-Goog-Api-Key", appKey}} {
		mark := e.mark()
		e.chat(t, "mock/echo", header...).says(t, 200, echoed)
		e.awaitAfter(t, mark, "http.log.access", `"user_id":"app"`, `"requested_model":"mock/echo"`)
	}
	mark := e.mark()
	inGemini := `{"contents":[{"role":"user","parts":[{"text":"Hello there"}]}]}`
	exchange(t, e.client, http.MethodPost, e.base+"/v1beta/models/mock/echo:generateContent?key="+appKey+"&alt=json", inGemini).says(t, 200, "Hello there")
	e.awaitAfter(t, mark, "http.log.access", "key=REDACTED", "alt=json", `"user_id":"app"`)
	e.stop(t)
	for name, want := range map[string][]string{
		"usage.log":    {`"logger":"http.handlers.llm_proxy.usage"`, `"ending":"complete"`},
		"payloads.log": {`"logger":"http.handlers.llm_proxy.payloads"`, `"request":"{\"`, `"answer":"`, "Hello there"},
	} {
		text, err := os.ReadFile(filepath.Join(e.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), appKey) || strings.Count(string(text), "\n") != 5 {
			t.Errorf("%s is\n%s", name, text)
		}
		for line := range strings.Lines(string(text)) {
			if _, found := lineWith(line, want); !found {
				t.Errorf("%s has %s", name, line)
			}
		}
	}
	for _, elsewhere := range []string{"Hello there", appKey, `"logger":"http.handlers.llm_proxy.`} {
		if strings.Contains(e.text(), elsewhere) {
			t.Errorf("%q is in the log of all", elsewhere)
		}
	}
}

// awaitHandshake waits until a server has its certificate at hand, which is a
// moment after it was issued.
func awaitHandshake(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test's own certificate
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func testWatched(t *testing.T, e *example) {
	e.start(t)
	e.get(t, "/v1/models").says(t, 200, `"demo"`, `"patient"`)
	e.chat(t, "demo").says(t, 200, echoed)
	openStream(t, e.base, chatBody("patient", strings.Repeat("word ", 40), true))
	e.replace(t, "watched.yaml", "  demo:", "  renamed:")
	e.await(t, "config file reloaded")
	if _, status := e.configure(t, http.MethodGet, "/llm_proxy/status", ""); !strings.Contains(status, `"in_flight":1,`) {
		t.Errorf("the stream of the old config is not in the status: %s", status)
	}
	e.chat(t, "renamed").says(t, 200, echoed)
	e.chat(t, "demo").says(t, 404, "model_not_found")
	e.replace(t, "watched.yaml", "mock/echo]", "nobody/echo]")
	e.await(t, "config file refused", "watched.yaml:", `no provider \"nobody\"`)
	e.chat(t, "renamed").says(t, 200, echoed)
}

func testAgents(t *testing.T, e *example) {
	e.start(t)
	for _, agent := range []struct{ name, path, body, key, says string }{
		{"Claude Code", "/v1/messages?beta=true", `{"model":"coder","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, "Authorization", "event: message_stop"},
		{"Claude Code in the background", "/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "X-Api-Key", `"type":"message"`},
		{"Codex", "/v1/responses", `{"model":"coder","stream":true,"store":false,"input":[{"role":"user","content":"hi"}]}`, "Authorization", "event: response.completed"},
		{"Gemini CLI", "/v1beta/models/coder:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, "X-Goog-Api-Key", `"finishReason":"STOP"`},
	} {
		secret := appKey
		if agent.key == "Authorization" {
			secret = "Bearer " + appKey
		}
		answer := exchange(t, e.client, http.MethodPost, e.base+agent.path, agent.body, agent.key, secret)
		answer.says(t, 200, agent.says)
		exchange(t, e.client, http.MethodPost, e.base+agent.path, agent.body, agent.key, "wrong").says(t, 401)
		if strings.Contains(answer.body, `"error":{`) {
			t.Errorf("%s got %s", agent.name, answer.body)
		}
	}
	var asked []string
	for _, call := range e.provider.Calls() {
		asked = append(asked, string(call.Format)+" "+call.Model)
	}
	if want := []string{"anthropic claude-sonnet-5", "responses gpt-6-mini", "anthropic claude-sonnet-5", "anthropic claude-sonnet-5"}; !slices.Equal(asked, want) {
		t.Errorf("the providers were asked for %q, not %q", asked, want)
	}
}

func testClouds(t *testing.T, e *example) {
	e.replace(t, e.name,
		"https://my-resource.openai.azure.com", e.provider.URL,
		"provider vertex {", "provider vertex {\nbase_url "+e.provider.URL+"\naccess_token vertex-token-for-tests",
		"provider bedrock {", "provider bedrock {\nbase_url "+e.provider.URL+"\naccess_key_id AKIDEXAMPLE\nsecret_access_key aws-secret-for-tests",
	)
	e.start(t)
	e.chat(t, "gpt", "Authorization", "Bearer "+appKey).says(t, 200, `"object":"chat.completion"`)
	e.chat(t, "gemini", "Authorization", "Bearer "+appKey).says(t, 200, `"object":"chat.completion"`)
	claude := `{"type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"from the cloud"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`
	e.provider.Script(testllm.Reply{Body: []byte(claude), ContentType: "application/json"})
	e.chat(t, "claude", "Authorization", "Bearer "+appKey).says(t, 200, "from the cloud")
	nova := `{"output":{"message":{"role":"assistant","content":[{"text":"from the other"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2}}`
	e.provider.Script(testllm.Reply{Body: []byte(nova), ContentType: "application/json"})
	e.chat(t, "nova", "Authorization", "Bearer "+appKey).says(t, 200, "from the other")
	for i, want := range []struct{ path, header, value string }{
		{"/openai/v1/chat/completions", "Api-Key", "azure-key-for-tests"},
		{"/v1/projects/my-project/locations/global/publishers/google/models/gemini-3.5-flash:generateContent", "Authorization", "Bearer vertex-token-for-tests"},
		{"/model/eu.anthropic.claude-sonnet-5-v1:0/invoke", "Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"},
		{"/model/eu.amazon.nova-pro-v1:0/converse", "Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"},
	} {
		call := e.provider.Calls()[i]
		if call.Path != want.path || !strings.HasPrefix(call.Header.Get(want.header), want.value) {
			t.Errorf("call %d went to %s with %s %q", i, call.Path, want.header, call.Header.Get(want.header))
		}
	}
	if model := e.provider.Calls()[0].Model; model != "production-gpt-6" {
		t.Errorf("Azure was asked for %q", model)
	}
}

func testObservability(t *testing.T, e *example) {
	e.start(t)
	e.chat(t, "demo", "X-Api-Key", appKey).says(t, 200, echoed)
	e.chat(t, "shaky").says(t, 200, echoed)
	e.chat(t, "hopeless").says(t, 200, echoed)
	events := openStream(t, e.base, chatBody("broken", "Hello there", true)).rest(t)
	if last := events[len(events)-1]; !strings.Contains(last, "upstream_stream_error") {
		t.Errorf("the stream ends with %s", last)
	}
	e.get(t, "/v1/models?key="+appKey).says(t, 200, `"demo"`, `"slow"`)
	if _, metrics := e.configure(t, http.MethodGet, "/metrics", ""); !strings.Contains(metrics, `caddy_llm_proxy_failed_attempts_total{error="overloaded",model="shaky",provider="mock"} 1`) ||
		!strings.Contains(metrics, `caddy_llm_proxy_cost_usd_total{model="shaky",provider="backup"}`) {
		t.Errorf("the calls are not in the metrics: %s", metrics)
	}
	e.stop(t) // and writes what it has

	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(e.dir, "logs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if records := read("usage.json"); strings.Count(records, "\n") != 4 || strings.Count(records, `"logger":"http.handlers.llm_proxy.usage"`) != 4 {
		t.Errorf("the records of four calls are %s", records)
	}
	if access := read("access.json"); strings.Count(access, "handled request") != 5 || strings.Contains(access, appKey) || !strings.Contains(access, "key=REDACTED") {
		t.Errorf("the access log is %s", access)
	}
	if strings.Contains(e.text(), "llm_proxy.usage") {
		t.Errorf("records are in the other log too: %s", e.text())
	}
}

func testYAML(t *testing.T, e *example) {
	e.start(t, "--adapter", "llm_proxy")
	e.provider.Script(testllm.Reply{Text: "one of two"})
	e.chat(t, "smart").says(t, 401, "invalid_api_key")
	e.chat(t, "smart", "Authorization", "Bearer "+appKey).says(t, 200, "one of two")
	e.chat(t, "demo", "Authorization", "Bearer "+appKey).says(t, 200, echoed)
	if other := e.get(t, "/else"); other.status != 404 {
		t.Errorf("/else is %d", other.status)
	}
}

func testJSON(t *testing.T, e *example) {
	e.start(t)
	e.chat(t, "demo", "Authorization", "Bearer "+appKey).says(t, 200, echoed)
	e.provider.Script(testllm.Reply{Status: http.StatusInternalServerError})
	e.chat(t, "smart", "Authorization", "Bearer "+appKey).says(t, 200, echoed)
	if calls := e.provider.Calls(); len(calls) != 1 || calls[0].Model != "gpt-6" {
		t.Errorf("the first target got %v", calls)
	}
}
