package llmproxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// limitedSite is a gateway with limits in front of one provider.
type limitedSite struct {
	*server
	t        *testing.T
	provider *testllm.Server
	port     string
	dir      string
}

// newLimitedSite starts a gateway with lines in its block. home is where Caddy keeps its data.
func newLimitedSite(t *testing.T, provider *testllm.Server, lines string, env ...string) *limitedSite {
	t.Helper()
	s := &limitedSite{t: t, provider: provider, port: freePort(t), dir: t.TempDir()}
	s.write(lines)
	s.server = start(t, s.dir, append([]string{"APP_KEY=app-key-for-tests"}, env...), "--config", "Caddyfile")
	return s
}

func (s *limitedSite) caddyfile(lines string) string {
	prices := filepath.Join(s.dir, "prices.yaml")
	if err := os.WriteFile(prices, []byte("prices:\n  fake/m: { input: 1000, output: 1000 }\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return "http://127.0.0.1:" + s.port + " {\n\tllm_proxy {\n" + lines + "\n\t\tprices " + prices +
		"\n\t\tprovider fake openai {\n\t\t\tbase_url " + s.provider.URL + "/v1\n\t\t\tapi_key k\n\t\t}\n\t}\n}\n"
}

func (s *limitedSite) write(lines string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "Caddyfile"), []byte(s.caddyfile(lines)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *limitedSite) load(lines string) reply {
	s.t.Helper()
	return exchange(s.t, s.admin, http.MethodPost, "http://localhost/load", s.caddyfile(lines), "Content-Type", "text/caddyfile")
}

func (s *limitedSite) chat(header ...string) reply {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return exchange(s.t, client, http.MethodPost, "http://127.0.0.1:"+s.port+"/v1/chat/completions",
		`{"model":"fake/m","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`, append([]string{"Authorization", "Bearer app-key-for-tests"}, header...)...)
}

// redisServer is a redis-server of this test.
func redisServer(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: limits over several instances are not tested")
	}
	port, dir := freePort(t), t.TempDir()
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if output, err := exec.Command("redis-cli", "-p", port, "ping").Output(); err == nil && strings.Contains(string(output), "PONG") {
			return "redis://127.0.0.1:" + port
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
}

// L-01
func TestL01_TwoInstancesAdmitExactlyTheLimit(t *testing.T) {
	url, provider := redisServer(t), testllm.New(t)
	lines := "\t\tauth anonymous\n\t\tlimits {\n\t\t\trequests 50 hour\n\t\t}\n\t\tstate redis {env.REDIS} {\n\t\t\tinstances 2\n\t\t\ttimeout 5s\n\t\t}"
	sites := []*limitedSite{newLimitedSite(t, provider, lines, "REDIS="+url), newLimitedSite(t, provider, lines, "REDIS="+url)}
	var admitted, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			response, err := client.Post("http://127.0.0.1:"+sites[i%2].port+"/v1/chat/completions", "application/json", strings.NewReader(chatBody("fake/m", "hi", false)))
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
			switch response.StatusCode {
			case http.StatusOK:
				admitted.Add(1)
			case http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Errorf("the status is %d", response.StatusCode)
			}
		})
	}
	group.Wait()
	if admitted.Load() != 50 || refused.Load() != 150 || len(provider.Calls()) != 50 {
		t.Errorf("%d admitted, %d refused, %d calls at the provider", admitted.Load(), refused.Load(), len(provider.Calls()))
	}
}

const budgetLines = "\t\tauth {\n\t\t\tkey app {env.APP_KEY} {\n\t\t\t\tlimits {\n\t\t\t\t\tbudget %s month\n\t\t\t\t\trpm 100\n\t\t\t\t}\n\t\t\t}\n\t\t}"

// usageOfKey is what the admin API says of a limit of the key app.
func (s *limitedSite) usageOfKey(limit string) (used, remaining string) {
	s.t.Helper()
	status, text := s.configure(s.t, http.MethodGet, "/llm_proxy/usage?scope=key&id=app", "")
	var report []struct {
		Limits []struct {
			Scope, ID, Limit string
			Used, Remaining  json.Number
		}
	}
	if err := json.Unmarshal([]byte(text), &report); err != nil || status != 200 || len(report) != 1 {
		s.t.Fatalf("%d %s: %v", status, text, err)
	}
	for _, l := range report[0].Limits {
		if l.Limit == limit {
			return l.Used.String(), l.Remaining.String()
		}
	}
	s.t.Fatalf("no %s in %s", limit, text)
	return "", ""
}

func TestBudgetsOutlastReloadsAndRestarts(t *testing.T) {
	provider, home := testllm.New(t), t.TempDir()
	provider.Script(testllm.Reply{Usage: testllm.Usage{Input: 100, Output: 100}}) // 20 cents
	data := "XDG_DATA_HOME=" + home
	s := newLimitedSite(t, provider, fmt.Sprintf(budgetLines, "0.50"), data)
	s.chat().says(t, 200)
	if used, left := s.usageOfKey("budget per month"); used != "0.2" || left != "0.3" {
		t.Errorf("%s is used, %s left", used, left)
	}
	if used, _ := s.usageOfKey("rpm"); used != "1" {
		t.Errorf("%s calls", used)
	}
	// A config beside it is valid, whoever has the file.
	if output, err := s.validate(data); err != nil {
		t.Errorf("caddy validate beside it: %v\n%s", err, output)
	}
	// A second process on the same data says that it cannot be.
	other := &limitedSite{t: t, provider: provider, port: freePort(t), dir: t.TempDir()}
	other.write(fmt.Sprintf(budgetLines, "0.50"))
	second := command(t, other.dir, []string{"APP_KEY=app-key-for-tests", data, "CADDY_ADMIN=unix/" + filepath.Join(shortDir(t), "admin")}, "run", "--config", "Caddyfile")
	if output, err := second.CombinedOutput(); err == nil || !strings.Contains(string(output), "another process has it open") {
		t.Errorf("a second process: %v\n%s", err, output)
	}
	s.load(fmt.Sprintf(budgetLines, "0.41")).says(t, 200, "")
	if used, left := s.usageOfKey("budget per month"); used != "0.2" || left != "0.21" {
		t.Errorf("after the reload %s is used, %s left", used, left)
	}
	s.chat().says(t, 200)
	s.stop(t)

	again := &limitedSite{t: t, provider: provider, port: s.port, dir: s.dir}
	again.write(fmt.Sprintf(budgetLines, "0.41"))
	again.server = start(t, s.dir, []string{"APP_KEY=app-key-for-tests", data}, "--config", "Caddyfile")
	if used, _ := again.usageOfKey("budget per month"); used != "0.4" {
		t.Errorf("after the restart %s is used", used)
	}
	got := again.chat()
	got.says(t, 429, "insufficient_quota", "budget of this API key")
	if got.header.Get("X-Should-Retry") != "false" {
		t.Errorf("%v", got.header)
	}
	if calls := len(provider.Calls()); calls != 2 {
		t.Errorf("%d calls at the provider", calls)
	}
	again.await(t, `"limited_by":["key/budget"]`)
	_, metrics := again.configure(t, http.MethodGet, "/metrics", "")
	for _, line := range []string{`limit_refusals_total{limit="budget",scope="key"} 1`, "limit_reservations_open 0", "limit_store_degraded 0"} {
		if !strings.Contains(metrics, "caddy_llm_proxy_"+line) {
			t.Errorf("%s is not in the metrics", line)
		}
	}
}

func (s *limitedSite) validate(env ...string) (string, error) {
	began := time.Now()
	output, err := command(s.t, s.dir, append([]string{"APP_KEY=app-key-for-tests"}, env...), "validate", "--config", "Caddyfile").CombinedOutput()
	if time.Since(began) > patience/2 {
		s.t.Error("caddy validate hangs")
	}
	return string(output), err
}

func TestKeysAreSwitchedOffAndOn(t *testing.T) {
	provider := testllm.New(t)
	lines := fmt.Sprintf(budgetLines, "100")
	s := newLimitedSite(t, provider, lines)
	change := func(path string, want int) {
		t.Helper()
		if status, answer := s.configure(t, http.MethodPost, "/llm_proxy/keys/"+path, ""); status != want {
			t.Errorf("%s answers %d: %s", path, status, answer)
		}
	}
	s.chat().says(t, 200)
	change("app/disable", 200)
	s.chat().says(t, 401, "invalid_api_key")
	s.load(strings.Replace(lines, "rpm 100", "rpm 101", 1)).says(t, 200, "")
	s.chat().says(t, 401, "invalid_api_key")
	if _, keys := s.configure(t, http.MethodGet, "/llm_proxy/keys", ""); !strings.Contains(keys, `"disabled":true`) {
		t.Error(keys)
	}
	change("app/enable", 200)
	s.chat().says(t, 200)
	change("nobody/disable", 404)
	change("app/remove", 404)
	change("app", 404)
}

// While Redis is away budgets refuse, and everything else goes on; nothing hangs.
func TestL04_RedisThatIsAway(t *testing.T) {
	provider := testllm.New(t)
	url := "redis://127.0.0.1:" + freePort(t)
	s := newLimitedSite(t, provider, "\t\tauth anonymous\n\t\tlimits {\n\t\t\trpm 100\n\t\t}\n\t\tstate redis "+url)
	began := time.Now()
	got := s.chat("Authorization", "")
	got.says(t, 200)
	if got.header.Get("X-Ratelimit-Limit-Requests") != "" || time.Since(began) > 3*time.Second {
		t.Errorf("after %s: %v", time.Since(began), got.header)
	}
	s.load("\t\tauth anonymous\n\t\tlimits {\n\t\t\tbudget 5 day\n\t\t}\n\t\tstate redis "+url).says(t, 200, "")
	got = s.chat("Authorization", "")
	got.says(t, 503, "limiter_unavailable")
	if got.header.Get("Retry-After") != "5" {
		t.Errorf("%v", got.header)
	}
}
