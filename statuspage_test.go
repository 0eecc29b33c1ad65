package llmproxy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// statusUser is whom the tests' basic_auth lets in.
const (
	statusUser = "Basic b3BzOmV4YW1wbGU=" // ops:example
	statusHash = "$2a$10$dKxvEGuYCnXWMVGIxRPu2eZwjBJ6o8lYKwW458ePmVDwpmacxE0Be"
)

// counts are sums as the page has them.
type counts struct {
	Requests       int64   `json:"requests"`
	Errors         int64   `json:"errors"`
	FailedAttempts int64   `json:"failed_attempts"`
	Input          int64   `json:"input"`
	Output         int64   `json:"output"`
	Cost           float64 `json:"cost"`
	Unpriced       int64   `json:"unpriced"`
	CacheAsked     int64   `json:"cache_asked"`
	CacheHits      int64   `json:"cache_hits"`
}

type pageOverview struct {
	CallsPerMinute int64  `json:"calls_per_minute"`
	Today          counts `json:"today"`
	Status         struct {
		InFlight int64 `json:"in_flight"`
		Handlers []struct {
			Providers []struct{ Name, State string }
		}
	} `json:"status"`
	Routes []struct {
		Models []struct{ Name string }
	} `json:"routes"`
}

type pageReport struct {
	All    struct{ Sum counts }
	Series []struct {
		Name string
		Sum  counts
	}
}

type pageCall struct {
	Key            string
	RequestedModel string `json:"requested_model"`
	Provider       string
	Ending, Cache  string
	Status         int
	Attempts       int
	Failures       []struct{ Provider, Model, Kind string }
}

// shown reads data of a page.
func shown[T any](t *testing.T, page, name string) (data T) {
	t.Helper()
	r := exchange(t, http.DefaultClient, http.MethodGet, page+"data/"+name, "", "Authorization", statusUser)
	if r.status != 200 || r.header.Get("Content-Type") != "application/json" || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s is %d %v %s", name, r.status, r.header, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &data); err != nil {
		t.Fatalf("%s: %v in %s", name, err, r.body)
	}
	return data
}

func testStatusPage(t *testing.T, e *example) {
	e.start(t)
	for _, path := range []string{"/llm-status", "/llm-status/", "/llm-status/page.js", "/llm-status/data/calls"} {
		if r := e.get(t, path); r.status != 401 || strings.Contains(r.body, "LLM") {
			t.Errorf("without a password %s is %d %s", path, r.status, r.body)
		}
	}
	e.get(t, "/llm-status/", "Authorization", statusUser).says(t, 200, "<title>LLM gateway status</title>")
	e.chat(t, "careful", "Authorization", "Bearer "+appKey).says(t, 200, echoed)
	page := e.base + "/llm-status/"
	calls := shown[[]pageCall](t, page, "calls")
	if len(calls) != 1 || calls[0].Key != "app" || calls[0].RequestedModel != "careful" || calls[0].Attempts != 2 || calls[0].Failures[0].Model != "fail-529" {
		t.Errorf("the calls are %+v", calls)
	}
	if overview := shown[pageOverview](t, page, "overview"); overview.CallsPerMinute != 1 || overview.Status.Handlers[0].Providers[0].Name != "mock" ||
		overview.Routes[0].Models[0].Name != "careful" {
		t.Errorf("the overview is %+v", overview)
	}
	exchange(t, e.client, http.MethodGet, page+"data/limits", "", "Authorization", statusUser).says(t, 200, `"id":"app","limit":"rpm"`, `"used":1`)
	e.get(t, "/else").is(t, 404, "Not found")
}

// statusSite starts a gateway of mocks with a page, or several; it returns the site's address.
func statusSite(t *testing.T, pages string) (*server, string, func(pages string) string) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	prices := filepath.Join(dir, "prices.yaml")
	if err := os.WriteFile(prices, []byte("prices:\n  east/echo: { input: 1000, output: 3000 }\n  west/echo: { input: 10, output: 20 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(pages string) string {
		return "http://127.0.0.1:" + port + " {\n" + pages + `
	llm_proxy {
		prices ` + prices + `
		provider east mock
		provider west mock
		model smart east/echo
		model careful east/fail-529 west/echo
		model bad west/fail-418
		model cut east/die-mid-stream
		model kept west/echo {
			cache on
		}
		cache memory {
			ttl 1m
		}
		auth anonymous {
			key ada ada-secret-of-the-test
			key bob bob-secret-of-the-test {
				limits {
					rpm 3
				}
			}
		}
	}
}`
	}
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config(pages)), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, dir, nil, "--config", "Caddyfile"), "http://127.0.0.1:" + port, config
}

const onePage = "\thandle_path /llm-status/* {\n\t\tbasic_auth {\n\t\t\tops " + statusHash + "\n\t\t}\n\t\tllm_status\n\t}\n"

// mixedLoad sends calls of many kinds.
func mixedLoad(t *testing.T, base string) {
	t.Helper()
	send := func(model, text string, stream bool, key string) {
		header := []string{"Authorization", "Bearer " + key}
		if key == "" {
			header = nil
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/chat/completions", strings.NewReader(chatBody(model, text, stream)))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = bufio.NewReader(response.Body).WriteTo(discard{}) // one of them breaks off
		response.Body.Close()
	}
	for i := range 5 {
		send("smart", "prompt-that-nobody-sees "+strconv.Itoa(i), i%2 == 0, "ada-secret-of-the-test")
		send("careful", "a few more words here", false, "bob-secret-of-the-test") // two of five are too many
		send("kept", "the same", false, "")
		send("bad", "x", false, "")
	}
	send("cut", "one two three four", true, "")
	send("nobody/knows", "x", false, "")
	send("smart", "x", false, "wrong-secret")
	send("west/echo", "direct", true, "ada-secret-of-the-test")
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// metric is one line of /metrics.
type metric struct {
	labels map[string]string
	value  float64
}

func metricsOf(t *testing.T, s *server, name string) (list []metric) {
	t.Helper()
	_, text := s.configure(t, http.MethodGet, "/metrics", "")
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "caddy_llm_proxy_"+name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		cut := strings.LastIndexByte(strings.TrimSpace(rest), ' ')
		m := metric{labels: map[string]string{}}
		for _, found := range label.FindAllStringSubmatch(rest[:cut], -1) {
			m.labels[found[1]] = found[2]
		}
		if _, err := fmt.Sscan(rest[cut+1:], &m.value); err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

// metricSums are what the page should show, by a label; "": all together.
func metricSums(t *testing.T, s *server, label string) map[string]counts {
	t.Helper()
	sums := map[string]counts{}
	each := func(name string, add func(*counts, metric)) {
		for _, m := range metricsOf(t, s, name) {
			key := m.labels[label]
			sum := sums[key]
			add(&sum, m)
			sums[key] = sum
		}
	}
	each("requests_total", func(c *counts, m metric) {
		c.Requests += int64(m.value)
		switch m.labels["ending"] {
		case "refused", "failed", "broken":
			c.Errors += int64(m.value)
		}
	})
	each("failed_attempts_total", func(c *counts, m metric) { c.FailedAttempts += int64(m.value) })
	each("unpriced_calls_total", func(c *counts, m metric) { c.Unpriced += int64(m.value) })
	each("cost_usd_total", func(c *counts, m metric) { c.Cost += m.value })
	each("tokens_total", func(c *counts, m metric) {
		switch m.labels["kind"] {
		case "input":
			c.Input += int64(m.value)
		case "output":
			c.Output += int64(m.value)
		}
	})
	return sums
}

// same compares what metrics know too.
func (c counts) same(o counts) bool {
	near := c.Cost-o.Cost < 1e-9 && o.Cost-c.Cost < 1e-9
	c.Cost, o.Cost, c.CacheAsked, c.CacheHits = 0, 0, o.CacheAsked, o.CacheHits
	return near && c == o
}

func TestStatusPageShowsWhatTheMetricsSay(t *testing.T) {
	s, base, _ := statusSite(t, onePage)
	mixedLoad(t, base)
	page := base + "/llm-status/"
	for _, label := range []string{"model", "provider"} {
		want := metricSums(t, s, label)
		for _, span := range []string{"1h", "6h", "24h"} {
			report := shown[pageReport](t, page, "history?range="+span+"&by="+label)
			for _, series := range report.Series {
				if !series.Sum.same(want[series.Name]) {
					t.Errorf("%s %q is %+v, the metrics say %+v", label, series.Name, series.Sum, want[series.Name])
				}
			}
			if len(report.Series) != len(want) {
				t.Errorf("the page has %d of %d: %+v", len(report.Series), len(want), want)
			}
		}
	}
	all := metricSums(t, s, "")[""]
	overview := shown[pageOverview](t, page, "overview")
	if report := shown[pageReport](t, page, "history?range=1h&by=key"); !report.All.Sum.same(all) || !overview.Today.same(all) || all.Requests != 24 {
		t.Errorf("all are %+v, today %+v, the metrics say %+v", report.All.Sum, overview.Today, all)
	}
	hits := int64(0)
	for _, m := range metricsOf(t, s, "cache_requests_total") {
		if m.labels["result"] != "miss" && m.labels["result"] != "bypass" {
			hits += int64(m.value)
		}
	}
	if overview.Today.CacheHits != hits || hits < 4 || overview.Status.InFlight != 0 || overview.CallsPerMinute != 24 {
		t.Errorf("the overview is %+v", overview)
	}
	keys := map[string]int64{}
	for _, series := range shown[pageReport](t, page, "history?range=1h&by=key").Series {
		keys[series.Name] = series.Sum.Requests
	}
	if keys["ada"] != 6 || keys["bob"] != 5 || keys["anonymous"] != 12 || keys[""] != 1 {
		t.Errorf("the keys are %v", keys)
	}
}

func TestStatusPageShowsNoPromptAndNoSecret(t *testing.T) {
	_, base, _ := statusSite(t, onePage)
	mixedLoad(t, base)
	for _, name := range []string{"", "data/overview", "data/history?range=1h&by=key", "data/calls", "data/limits"} {
		r := exchange(t, http.DefaultClient, http.MethodGet, base+"/llm-status/"+name, "", "Authorization", statusUser)
		r.says(t, 200)
		for _, secret := range []string{"prompt-that-nobody-sees", "secret-of-the-test", "wrong-secret", statusHash} {
			if strings.Contains(r.body, secret) {
				t.Errorf("%s shows %q", name, secret)
			}
		}
	}
}

func TestStatusPageStandsUnderAnyPath(t *testing.T) {
	_, base, _ := statusSite(t, onePage+`
	@plain path /plain /plain/*
	llm_status @plain
	route /routed* {
		llm_status
	}
	handle_path /cut* {
		llm_status
	}
	llm_status /deep/er/status/*
`)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) reply {
		return exchange(t, client, http.MethodGet, base+path, "", "Authorization", statusUser)
	}
	for _, mount := range []string{"/llm-status/", "/plain/", "/routed/", "/cut/", "/deep/er/status/"} {
		get(mount).says(t, 200, "<title>")
		for _, part := range regexp.MustCompile(`(?:href|src)="([\w.]+)"`).FindAllStringSubmatch(get(mount).body, -1) {
			if r := get(mount + part[1]); r.status != 200 || r.header.Get("Content-Type") == "" {
				t.Errorf("%s%s is %d", mount, part[1], r.status)
			}
		}
		get(mount+"data/overview").says(t, 200, `"calls_per_minute":0`)
		get(mount+"nothing.txt").says(t, 404)
		get(mount+"data/nothing").says(t, 404)
		get(mount+"page.html").says(t, 404)
		get(mount+"data/history?range=2h&by=model").says(t, 400)
		get(mount+"data/history").says(t, 400)
		if r := exchange(t, client, http.MethodPost, base+mount, "", "Authorization", statusUser); r.status != 405 || r.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s is %d %v", mount, r.status, r.header)
		}
		if r := exchange(t, client, http.MethodHead, base+mount+"data/calls", "", "Authorization", statusUser); r.status != 200 || r.body != "" {
			t.Errorf("HEAD %s is %d %q", mount, r.status, r.body)
		}
	}
	for _, bare := range []string{"/plain", "/routed", "/cut"} {
		if r := get(bare); r.status != 308 || r.header.Get("Location") != "."+bare+"/" {
			t.Errorf("%s is %d to %q", bare, r.status, r.header.Get("Location"))
		}
	}
	get("/llm-status/else").says(t, 404)
	// No address leads to another host.
	for _, path := range []string{"/plain//elsewhere", "/plain/x:y", "/plain/%2F%2Felsewhere"} {
		if r := get(path); r.status == 308 && !strings.HasPrefix(r.header.Get("Location"), "./") {
			t.Errorf("%s leads to %q", path, r.header.Get("Location"))
		}
	}
}

func TestStatusPageIsGuarded(t *testing.T) {
	_, base, _ := statusSite(t, onePage)
	for _, name := range []string{"", "page.js", "page.css", "data/calls"} {
		r := exchange(t, http.DefaultClient, http.MethodGet, base+"/llm-status/"+name, "", "Authorization", statusUser)
		policy := r.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%q of %q is not in %q", part, name, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("the header of %q is %v", name, r.header)
		}
	}
	r := exchange(t, http.DefaultClient, http.MethodGet, base+"/llm-status/", "", "Authorization", statusUser)
	if regexp.MustCompile(`(?i)<style|style=|\son\w+="|<script>|https?://`).MatchString(r.body) {
		t.Errorf("something is inline, or from elsewhere: %s", r.body)
	}
	again := exchange(t, http.DefaultClient, http.MethodGet, base+"/llm-status/", "", "Authorization", statusUser, "If-None-Match", r.header.Get("Etag"))
	if again.status != 304 {
		t.Errorf("what is known already is answered with %d", again.status)
	}
}

func TestStatusPageIsKeptOverReloads(t *testing.T) {
	s, base, config := statusSite(t, onePage)
	load := func(pages string) {
		t.Helper()
		exchange(t, s.admin, http.MethodPost, "http://localhost/load", config(pages), "Content-Type", "text/caddyfile", "Cache-Control", "must-revalidate").says(t, 200)
	}
	seen := func() int64 {
		return shown[pageReport](t, base+"/llm-status/", "history?range=1h&by=model").All.Sum.Requests
	}
	mixedLoad(t, base)
	load(onePage)
	load(onePage + "\tllm_status /second/*\n")
	if n := seen(); n != 24 {
		t.Errorf("after a reload %d calls are there", n)
	}
	load("")
	mixedLoad(t, base) // nobody looks
	load(onePage)
	if n := seen(); n != 0 {
		t.Errorf("without a page %d calls were gathered", n)
	}
	mixedLoad(t, base)
	if n := seen(); n != 24 {
		t.Errorf("anew there are %d calls", n)
	}
}

// Of very many keys those are shown that call.
func TestStatusPageShowsTheLimitsOfKeysThatCall(t *testing.T) {
	var keys strings.Builder
	for i := range 130 {
		fmt.Fprintf(&keys, "key k%03d secret-of-k%03d {\nlimits {\nrpm 9\n}\n}\n", i, i)
	}
	_, base, _ := statusSite(t, onePage+"handle_path /many/* {\nllm_proxy {\nprovider mock\nauth {\n"+keys.String()+"}\n}\n}\n")
	type report struct {
		Reports []struct{ Limits []struct{ ID string } }
		Omitted int
	}
	ids := func() (list []string, omitted int) {
		r := shown[report](t, base+"/llm-status/", "limits")
		for _, one := range r.Reports {
			for _, limit := range one.Limits {
				list = append(list, limit.ID)
			}
		}
		return list, r.Omitted
	}
	all, omitted := ids()
	if len(all) != 100 || omitted != 31 { // one key is of the other handler
		t.Errorf("%d limits are shown, %d are not", len(all), omitted)
	}
	for i := range 130 {
		if id := fmt.Sprintf("k%03d", i); !slices.Contains(all, id) {
			exchange(t, http.DefaultClient, http.MethodPost, base+"/many/v1/chat/completions", chatBody("mock/echo", "hi", false), "Authorization", "Bearer secret-of-"+id).says(t, 200)
			if all, omitted = ids(); !slices.Contains(all, id) || omitted != 30 {
				t.Errorf("%s called, and is not among %d; %d are left out", id, len(all), omitted)
			}
			return
		}
	}
}

func TestStatusPageShowsWhatProvidersSayIsLeft(t *testing.T) {
	provider := testllm.New(t)
	_, base, _ := statusSite(t, onePage+"handle_path /more/* {\nllm_proxy {\nprovider north openai {\nbase_url "+provider.URL+"/v1\napi_key k\n}\nauth anonymous\n}\n}\n")
	provider.Script(testllm.Reply{Header: http.Header{"X-Ratelimit-Remaining-Requests": {"41"}, "X-Ratelimit-Limit-Requests": {"60"}, "X-Ratelimit-Remaining-Tokens": {"900"}}})
	exchange(t, http.DefaultClient, http.MethodPost, base+"/more/v1/chat/completions", chatBody("north/m", "hi", false)).says(t, 200)
	exchange(t, http.DefaultClient, http.MethodGet, base+"/llm-status/data/overview", "", "Authorization", statusUser).says(t, 200,
		`"headroom":[{"key":0,"limit":"requests","remaining":41,"max":60,`, `{"key":0,"limit":"tokens","remaining":900,`)
}

func TestStatusPageWithoutAnyGateway(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte("http://127.0.0.1:"+port+" {\n\tllm_status\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, dir, nil, "--config", "Caddyfile")
	page := "http://127.0.0.1:" + port + "/"
	if overview := shown[pageOverview](t, page, "overview"); len(overview.Status.Handlers) != 0 || overview.CallsPerMinute != 0 {
		t.Errorf("the overview is %+v", overview)
	}
	if calls := shown[[]pageCall](t, page, "calls"); len(calls) != 0 {
		t.Errorf("the calls are %+v", calls)
	}
	exchange(t, http.DefaultClient, http.MethodGet, page+"data/limits", "").says(t, 200, `"reports":[]`)
}

func TestStatusPageAnswersAtOnce(t *testing.T) {
	_, base, _ := statusSite(t, onePage)
	for range 10 {
		mixedLoad(t, base)
	}
	shown[[]pageCall](t, base+"/llm-status/", "calls") // the first password costs what later ones do not
	began, bytes := time.Now(), 0
	for _, name := range []string{"", "page.css", "icon.svg", "page.js", "format.js", "plot.js", "tables.js",
		"data/overview", "data/calls", "data/limits", "data/history?range=24h&by=model"} {
		r := exchange(t, http.DefaultClient, http.MethodGet, base+"/llm-status/"+name, "", "Authorization", statusUser)
		r.says(t, 200)
		bytes += len(r.body)
	}
	t.Logf("the page, its parts and its data, %d bytes in all, take %v one after the other", bytes, time.Since(began))
}
