package llmproxy_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

func readmeText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fences are the README's blocks of a language, without their indentation.
func fences(t *testing.T, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^( *)```" + language + "\n(.*?)^ *```$")
	var blocks []string
	for _, found := range fence.FindAllStringSubmatch(readmeText(t), -1) {
		blocks = append(blocks, strings.ReplaceAll("\n"+found[2], "\n"+found[1], "\n")[1:])
	}
	if len(blocks) == 0 {
		t.Fatalf("the README has no block of %s", language)
	}
	return blocks
}

func TestReadmeConfigsAdapt(t *testing.T) {
	for _, text := range fences(t, "caddyfile") {
		if warning, differs := caddyfile.FormattingDifference("README.md", []byte(text)); differs {
			t.Errorf("line %d is not as caddy fmt wants it:\n%s", warning.Line, text)
		}
		if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
	for _, text := range fences(t, "yaml") {
		if strings.HasPrefix(text, "prices:") { // a file of its own kind
			if _, err := catalog.ParsePrices("prices.yaml", []byte(text)); err != nil {
				t.Error(err)
			}
			continue
		}
		if _, _, err := caddyconfig.GetAdapter("llm_proxy").Adapt([]byte(text), nil); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}

// The syntax in the README is a config, once its words have values.
func TestReadmeSyntaxIsTheGrammar(t *testing.T) {
	syntax := fences(t, "text")[0]
	values := strings.NewReplacer(
		"llm_proxy [<matcher>]", "llm_proxy", "transport <module> {\n\t\t\t…\n", "transport http {\n",
		"provider <name> [<type>]", "provider mine openai", "[<provider>/<model>...]", "mock/echo", "<provider>/<model>", "mock/echo",
		"[weight <n>] [priority <n>]", "weight 2 priority 1", "<name or glob>", "alias", "<fallback>", "alias",
		"<policy> [<arguments>]", "sticky header X-User", "<matcher> <arguments>", "header X-A 1",
		"fallback_on [error] [rate_limit] [timeout] [context_length] [content_filter]", "fallback_on error rate_limit timeout context_length content_filter",
		"failover_once|fail", "fail", "failover|pass", "pass", "default  <member>", "default seed", "<percent>", "60%", "<path>", "/v1/models", "<status>", "2xx", "<method>", "GET",
		"[anonymous]", "anonymous", "[caddy [<placeholder>]]", "caddy {http.request.header.X-User}", "<id> [<secret|digest>...]", "app {env.APP_KEY}",
		"not_before <date>", "not_before 2029-01-01", "<date>", "2030-01-01", "<id>", "staff", "<url|file>", "https://example.com/jwks", "<issuer>", "x", "<audience>...", "a b", "<claim>", "c",
		"<duration> [<length>]", "10s 5", "allow|refuse", "allow", "<usd> <window>", "20 day", "<n> <window>", "3 hour", "<redis>", "redis://localhost", "<prefix>", "p:",
		"<duration>|off", "off", "memory|redis <url>|off {", "redis redis://localhost {", "\t\tmax_size       <size>\n", "", "key|group|shared", "group", "on|off", "off", "cancel|drain [<duration>]", "drain 30s", "<duration>", "10s", "<member>", "metadata", "<value>", "x", "<size>", "1MiB", "<n>", "3", "<url>", "https://example.com", "<secret>...", "{env.A} {env.B}",
		"<name> <value>", "X-A b", "<id or glob>...", "a b-*", "<model>...", "a b", "<glob>...", "a b-*", "<origin>...", "https://example.com",
		"off|sampled <ratio>|on", "sampled 0.5", "<file.yaml>", "models.yaml", "<file>", "prices.yaml", "<name>", "mine", "auto|chat|responses", "chat", "drop|error|skip", "skip", "fetch|refuse", "fetch",
	).Replace(syntax)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(":8080 {\n"+values+"}\n"), nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, values)
	}
	for _, member := range []string{"@id", "config", "surface", "discover", "base_url", "api_key", "header", "models", "transport", "weight", "priority", "policy", "fallback", "retries", "anonymous", "caddy", "keys", "groups", "group", "not_before", "expires", "metadata", "disabled", "keys_file", "jwt", "jwks", "issuer", "audience", "key_claim", "models_claim", "group_claim", "origins", "heartbeat", "on_disconnect", "drain", "commit_early", "resumable", "cost_header", "max_body", "media", "prices", "log_payloads", "mode", "ratio", "on_unsupported", "api",
		"trace_context", "health", "uri", "interval", "status", "method", "failures", "match", "fallback_on", "timeout", "connect", "first_token", "idle", "total", "on_ambiguous", "on_empty",
		"limits", "requests", "rpm", "rpd", "tokens", "tpm", "concurrency", "budget", "queue", "unpriced", "per_key", "state", "prefix", "instances", "cluster",
		"set", "default", "cache", "ttl", "max_entry", "scope", "stale_if_error", "secret", "only_deterministic", "respect_upstream", "tool_calls", "ignore_client", "breaker", "success_rate", "samples", "window", "open", "max_open"} {
		if !strings.Contains(string(adapted), `"`+member+`"`) {
			t.Errorf("%s is not in %s", member, adapted)
		}
	}
}

// So are the options that only some types of providers have.
func TestReadmeOptionsOfProvidersAreTheirs(t *testing.T) {
	value := regexp.MustCompile(`<\w+>`)
	for block := range strings.SplitSeq(fences(t, "text")[1], "provider <name> ") {
		kind, options, found := strings.Cut(block, " ")
		if !found {
			continue
		}
		config := ":8080 {\nllm_proxy {\nprovider mine " + kind + " " + value.ReplaceAllString(options, "x") + "}\n}\n"
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil)
		if err != nil {
			t.Errorf("%v in\n%s", err, config)
		}
		for line := range strings.Lines(strings.TrimSpace(options)) {
			if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); len(name) > 1 && !strings.Contains(string(adapted), name) {
				t.Errorf("%s is not in %s", name, adapted)
			}
		}
	}
}

func TestReadmeNamesWhatThereIs(t *testing.T) {
	text := readmeText(t)
	for _, module := range caddy.GetModules("llm_proxy.providers") {
		name := strings.TrimSuffix(strings.TrimSuffix(module.ID.Name(), "-cn"), "-us")
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("provider %s is not in the README", name)
		}
	}
	for _, file := range []string{"records.go", "payloads.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?:\(e, |e\.Add\w+\()"(\w+)"`).FindAllSubmatch(source, -1) {
			if !strings.Contains(text, "`"+string(found[1])+"`") {
				t.Errorf("%s of %s is not in the README", found[1], file)
			}
		}
	}
	for name := range exampleTests {
		if !strings.Contains(text, "examples/"+name) {
			t.Errorf("the example %s is not in the README", name)
		}
	}
	for _, found := range regexp.MustCompile(`\]\(([\w./-]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.FromSlash(found[1])); err != nil {
			t.Errorf("a link leads nowhere: %v", err)
		}
	}
}

func TestCIRunsTheCommandOfTheReadme(t *testing.T) {
	script, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(readmeText(t), "All tests, without network:\n\n```sh\n")
	command, _, _ := strings.Cut(after, "\n")
	if command == "" || !strings.Contains(string(script), "\n"+command+"\n") {
		t.Errorf(".ci/run does not run %q", command)
	}
}

func TestLiveConfigOfTheReadme(t *testing.T) {
	e := newExample(t, "quickstart.Caddyfile")
	e.start(t)
	change := func(method, path, body string, want int) {
		t.Helper()
		if status, answer := e.configure(t, method, path, body); status != want {
			t.Errorf("%s %s answers %d: %s", method, path, status, answer)
		}
	}
	change(http.MethodGet, "/id/gateway/models", "", 200)
	change(http.MethodPatch, "/id/gateway/models/demo", `{"to":["mock/fail-418"]}`, 200)
	e.chat(t, "demo").says(t, 418, "asked to fail")
	change(http.MethodPut, "/id/gateway/models/extra", `{"to":["mock/echo"]}`, 200)
	e.chat(t, "extra").says(t, 200, echoed)
	change(http.MethodDelete, "/id/gateway/models/extra", "", 200)
	e.chat(t, "extra").says(t, 404, "model_not_found")
	change(http.MethodPatch, "/id/gateway/models/demo", `{"to":["nobody/echo"]}`, 500)
	change(http.MethodPatch, "/id/gateway/models/demo", `{"colour":"red"}`, 500)
	e.chat(t, "demo").says(t, 418, "asked to fail")
	reload := command(t, e.dir, append(exampleEnv, e.cmd.Env...), "reload", "--config", "examples/quickstart.Caddyfile", "--force")
	if output, err := reload.CombinedOutput(); err != nil {
		t.Fatalf("caddy reload: %v\n%s", err, output)
	}
	e.chat(t, "demo").says(t, 200, echoed)
	// The counts are of the process, not of a config.
	if _, metrics := e.configure(t, http.MethodGet, "/metrics", ""); !strings.Contains(metrics, `model="demo",operation="chat",provider="mock",status="418"} 2`) {
		t.Errorf("the metrics are\n%s", metrics)
	}
}

func TestEncodeHoldsBackNoEvent(t *testing.T) {
	provider, port, dir := testllm.New(t), freePort(t), t.TempDir()
	site := ":" + port + " {\n encode gzip zstd\n" + strings.TrimPrefix(block("auth anonymous\nprovider openai {\n base_url "+provider.URL+"/v1\n api_key k\n}"), ":8080 {\n")
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, nil, "--config", "Caddyfile")
	provider.Script(testllm.Reply{Chunks: []string{"one ", "two"}, StallAfter: 2})
	s := openStream(t, "http://localhost:"+port, chatBody("openai/m", "hi", true))
	for data := ""; !strings.Contains(data, "one "); {
		var err error
		if data, err = s.next(); err != nil {
			t.Fatal(err)
		}
	}
	provider.Release()
	if events := s.rest(t); len(events) == 0 || events[len(events)-1] != "[DONE]" {
		t.Errorf("the rest is %q", events)
	}
}
