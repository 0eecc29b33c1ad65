package llmproxy_test

import (
	"net/http"
	"strings"
	"testing"
)

func testCache(t *testing.T, e *example) {
	e.start(t)
	want := func(r reply, status string) {
		t.Helper()
		r.says(t, 200, echoed)
		if got := r.header.Get("Cache-Status"); !strings.Contains(got, status) {
			t.Errorf("Cache-Status is %q, want %q", got, status)
		}
	}
	want(e.chat(t, "demo"), "fwd=miss")
	want(e.chat(t, "demo"), "hit; ttl=")
	e.await(t, "http.handlers.llm_proxy.usage", `"cache":"hit"`, `"attempts":0`, `"cost_usd":0`)
	want(e.chat(t, "fresh"), "fwd=bypass; detail=off")
	want(e.chat(t, "fresh"), "fwd=bypass; detail=off")
	want(e.chat(t, "brief"), "fwd=miss")
	want(e.chat(t, "brief"), "hit; ttl=29")
	reload := command(t, e.dir, append(exampleEnv, e.cmd.Env...), "reload", "--config", "examples/cache.Caddyfile", "--force")
	if output, err := reload.CombinedOutput(); err != nil {
		t.Fatalf("caddy reload: %v\n%s", err, output)
	}
	want(e.chat(t, "demo"), "hit")

	says := func(method, path, body string, parts ...string) {
		t.Helper()
		status, answer := e.configure(t, method, path, body)
		for _, part := range parts {
			if status != 200 || !strings.Contains(answer, part) {
				t.Errorf("%s %s answers %d, without %q: %s", method, path, status, part, answer)
			}
		}
	}
	says(http.MethodPost, "/llm_proxy/explain", `{"body":`+chatBody("demo", "Hello there", false)+`}`, `"result": "hit"`)
	says(http.MethodPost, "/llm_proxy/explain", `{"body":`+chatBody("fresh", "Hello there", false)+`}`, `"result": "bypass"`, `"reason": "off"`)
	says(http.MethodGet, "/llm_proxy/status", "", `"store":"memory"`, `"entries":2`)
	says(http.MethodGet, "/metrics", "", `caddy_llm_proxy_cache_requests_total{result="hit"} 3`, `caddy_llm_proxy_cache_entries 2`,
		`caddy_llm_proxy_cache_rejected_total{reason="off"} 2`)
	says(http.MethodPost, "/llm_proxy/cache/purge", `{"model":"demo"}`, `"purged":1`)
	want(e.chat(t, "demo"), "fwd=miss")
	want(e.chat(t, "brief"), "hit")
	says(http.MethodPost, "/llm_proxy/cache/purge", "", `"purged":2`)
	if status, _ := e.configure(t, http.MethodPost, "/llm_proxy/cache/purge", `{"colour":"red"}`); status != 400 {
		t.Errorf("an unknown member answers %d", status)
	}
}
