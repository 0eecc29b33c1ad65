package llmproxy_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// scrape is what a Caddy's metrics say, by series as they are written.
type scrape map[string]float64

var seriesLine = regexp.MustCompile(`(?m)^caddy_llm_proxy_(\w+(?:\{.*\})?) (\S+)$`)

func (s *server) scrape(t *testing.T) scrape {
	t.Helper()
	status, text := s.configure(t, http.MethodGet, "/metrics", "")
	if status != http.StatusOK {
		t.Fatalf("the metrics answer %d: %s", status, text)
	}
	found := make(scrape)
	for _, line := range seriesLine.FindAllStringSubmatch(text, -1) {
		value, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if _, double := found[line[1]]; double {
			t.Errorf("%s is there twice", line[1])
		}
		found[line[1]] = value
	}
	return found
}

// sum is that of all series of a metric whose labels have all of these, such as model="m".
func (s scrape) sum(metric string, labels ...string) (sum float64) {
	for series, value := range s {
		name, rest, _ := strings.Cut(series, "{")
		matches := name == metric
		for _, label := range labels {
			matches = matches && strings.Contains(","+strings.TrimSuffix(rest, "}")+",", ","+label+",")
		}
		if matches {
			sum += value
		}
	}
	return sum
}

// says checks sums within what floats can tell.
func (s scrape) says(t *testing.T, want float64, metric string, labels ...string) {
	t.Helper()
	if got := s.sum(metric, labels...); math.Abs(got-want) > 1e-9 {
		t.Errorf("%s%q is %v, want %v", metric, labels, got, want)
	}
}

const ledgerSite = `http://127.0.0.1:%s {
	llm_proxy {
		id gw
		auth anonymous
		breaker off
		prices %s
		retries 2
		provider a openai {
			base_url %s/v1
			api_key k
		}
		provider b anthropic {
			base_url %s
			api_key k
		}
		model m a/x {
			fallback spare
		}
		model spare b/z
	}
}
`

// accounts are a gateway before two providers, and what its clients got.
type accounts struct {
	*server
	a, b     *testllm.Server
	base     string
	statuses map[int]int
	streams  int
}

func openAccounts(t *testing.T) *accounts {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	acc := &accounts{a: testllm.New(t), b: testllm.New(t), base: "http://127.0.0.1:" + port, statuses: make(map[int]int)}
	prices := filepath.Join(dir, "prices.yaml")
	site := fmt.Sprintf(ledgerSite, port, prices, acc.a.URL, acc.b.URL)
	for name, text := range map[string]string{prices: "prices:\n  a/x: { input: 1000, output: 2000 }\n  b/z: { input: 3000, output: 4000 }\n", filepath.Join(dir, "Caddyfile"): site} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	acc.server = start(t, dir, nil, "--config", "Caddyfile")
	return acc
}

// ask makes one call, whose number is in its text.
func (acc *accounts) ask(t *testing.T, number int, model string, stream bool) {
	t.Helper()
	client := http.Client{Transport: patient{http.DefaultTransport.(*http.Transport)}}
	body := chatBody(model, fmt.Sprintf("call %d.", number), stream)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, acc.base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	acc.statuses[response.StatusCode]++
	if stream && response.StatusCode == http.StatusOK {
		acc.streams++
	}
}

// settled waits until so many calls are settled, which they are after their answers.
func (acc *accounts) settled(t *testing.T, calls int) scrape {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		found := acc.scrape(t)
		if n := found.sum("requests_total"); n == float64(calls) && found["requests_in_flight"] == 0 {
			return found
		} else if time.Now().After(deadline) {
			t.Fatalf("%v calls are settled, of %d", n, calls)
		}
	}
}

// The numbers are those of the providers' own books, over a reload.
func TestMetricsAgreeWithTheProviders(t *testing.T) {
	t.Parallel()
	acc := openAccounts(t)
	dice := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // to be repeated
	failures := make(map[string]float64)
	answer := func(name string, share int) testllm.Reply {
		if dice.IntN(100) < share {
			failures[name]++
			return testllm.Reply{Status: []int{500, 503, 529}[dice.IntN(3)]}
		}
		words := 1 + dice.IntN(9)
		return testllm.Reply{
			Chunks: strings.SplitAfter(strings.TrimSpace(strings.Repeat("word ", words)), " "),
			Usage:  testllm.Usage{Input: 5 + dice.IntN(50), Output: words},
		}
	}
	acc.a.On(func(*testllm.Call) testllm.Reply { return answer("a", 30) })
	acc.b.On(func(*testllm.Call) testllm.Reply { return answer("b", 20) })
	const calls = 120
	for n := range calls {
		acc.ask(t, n, "m", n%2 == 0)
		if n == calls/2 {
			status, _ := acc.configure(t, http.MethodPatch, "/id/gw/retries", "3")
			if status != http.StatusOK {
				t.Fatalf("the reload answers %d", status)
			}
		}
	}
	found := acc.settled(t, calls)

	for status, n := range acc.statuses {
		found.says(t, float64(n), "requests_total", `model="m"`, fmt.Sprintf("status=%q", strconv.Itoa(status)))
	}
	found.says(t, float64(acc.streams), "stream_endings_total", `ending="complete"`)
	found.says(t, float64(acc.streams), "time_to_first_token_seconds_count")
	found.says(t, calls, "gateway_overhead_seconds_count", `operation="chat"`)
	found.says(t, 0, "unpriced_calls_total")
	attempts, onFallback, cost := 0.0, make(map[string]bool), 0.0
	number := regexp.MustCompile(`call \d+\.`)
	for name, provider := range map[string]*testllm.Server{"a": acc.a, "b": acc.b} {
		input, output := 0, 0
		booked := provider.Calls()
		for _, call := range booked {
			input, output = input+call.Prompt, output+call.Completion
			if call.Model == "z" {
				onFallback[string(number.Find(call.Body))] = true
			}
		}
		label := fmt.Sprintf("provider=%q", name)
		attempts += float64(len(booked))
		found.says(t, float64(len(booked)), "attempts_total", label)
		found.says(t, failures[name], "failed_attempts_total", label)
		found.says(t, float64(input), "tokens_total", label, `kind="input"`)
		found.says(t, float64(output), "tokens_total", label, `kind="output"`)
		price := map[string][2]float64{"a": {.001, .002}, "b": {.003, .004}}[name]
		spent := float64(input)*price[0] + float64(output)*price[1]
		found.says(t, spent, "cost_usd_total", label)
		cost += spent
	}
	found.says(t, attempts-calls, "retries_total", `model="m"`)
	found.says(t, float64(len(onFallback)), "fallbacks_total", `model="m"`, `fallback="spare"`)
	if failures["a"] == 0 || failures["b"] == 0 || len(onFallback) == 0 || acc.streams == 0 || cost == 0 || len(acc.statuses) < 2 {
		t.Errorf("the run is not mixed: %v failures, %d fallbacks, statuses %v", failures, len(onFallback), acc.statuses)
	}
	found.says(t, 2, "config_reloads_total", `result="success"`)
}

func TestMetricsOfStreamsThatDoNotEndWell(t *testing.T) {
	t.Parallel()
	acc := openAccounts(t)
	long := testllm.Reply{Chunks: []string{"one ", "two ", "three ", "four"}, ChunkDelay: 5 * time.Millisecond}
	cut, wrong := long, long
	cut.CutAfter, cut.Cut = 3, testllm.Reset
	wrong.ErrorAfter = 2
	for n, reply := range []testllm.Reply{cut, wrong, long} {
		acc.a.Script(reply)
		acc.ask(t, n, "a/unpriced", true)
	}
	found := acc.settled(t, 3)
	for _, ending := range []string{"cut", "provider_error", "complete"} {
		found.says(t, 1, "stream_endings_total", `model="other"`, `provider="a"`, `ending="`+ending+`"`)
	}
	found.says(t, 3, "unpriced_calls_total", `model="other"`, `provider="a"`)
	found.says(t, 1, "time_per_output_token_seconds_count", `model="other"`, `provider="a"`)
}

func TestMetricsShowTheLiveStateOfTheConfigInUse(t *testing.T) {
	t.Parallel()
	provider, port, dir := testllm.New(t), freePort(t), t.TempDir()
	site := fmt.Sprintf("http://127.0.0.1:%s {\n\tllm_proxy {\n\t\tauth anonymous\n\t\tretries 0\n\t\tprovider first openai {\n\t\t\tbase_url %s/v1\n\t\t\tapi_key k\n\t\t}\n\t\tmodel m first/x\n\t}\n}\n", port, provider.URL)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, nil, "--config", "Caddyfile")
	chat := func(model string) {
		t.Helper()
		exchange(t, http.DefaultClient, http.MethodPost, "http://127.0.0.1:"+port+"/v1/chat/completions", chatBody(model, "hi", false))
	}
	const first, named, other = `provider="first"`, `model="x"`, `model="other"`
	provider.Script(testllm.Reply{Header: http.Header{"X-Ratelimit-Remaining-Requests": {"41"}, "X-Ratelimit-Remaining-Tokens": {"900"}}})
	chat("m")
	found := s.scrape(t)
	found.says(t, 41, "provider_headroom", first, `key="0"`, `limit="requests"`)
	found.says(t, 900, "provider_headroom", first, `key="0"`, `limit="tokens"`)
	found.says(t, 1, "provider_available", first)
	found.says(t, 0, "breaker_state")
	found.says(t, 0, "target_cooldown_seconds")

	provider.Script(testllm.Reply{Status: 500})
	for range 5 {
		chat("first/made-up-by-a-client")
	}
	found = s.scrape(t)
	found.says(t, 2, "breaker_state", first, other)
	found.says(t, 0, "breaker_state", first, named)
	if left := found.sum("target_cooldown_seconds", first, other); left <= 0 || left > 5 {
		t.Errorf("%v seconds are left", left)
	}
	for series := range found {
		if strings.Contains(series, "made-up") {
			t.Errorf("a client made %s", series)
		}
	}

	if status, answer := s.configure(t, http.MethodPost, "/llm_proxy/providers/first/disable", ""); status != 200 {
		t.Fatalf("disabling answers %d: %s", status, answer)
	}
	s.scrape(t).says(t, 0, "provider_available", first)

	renamed := strings.NewReplacer("provider first", "provider second", "first/x", "second/x").Replace(site)
	exchange(t, s.admin, http.MethodPost, "http://localhost/load", renamed, "Content-Type", "text/caddyfile").says(t, 200)
	found = s.scrape(t)
	found.says(t, 1, "provider_available", `provider="second"`)
	for series := range found {
		for _, metric := range []string{"breaker_state", "target_cooldown", "provider_available", "provider_headroom"} {
			if strings.HasPrefix(series, metric) && strings.Contains(series, first) {
				t.Errorf("%s is of a config that is gone", series)
			}
		}
	}
	found.says(t, 6, "requests_total", first) // counts go on
}

func TestMetricsOfReloads(t *testing.T) {
	t.Parallel()
	s := newStorm(t)
	began := float64(time.Now().Add(-time.Minute).Unix())
	check := func(success, refused, last float64) {
		t.Helper()
		found := s.gateway.scrape(t)
		found.says(t, success, "config_reloads_total", `result="success"`)
		found.says(t, refused, "config_reloads_total", `result="refused"`)
		found.says(t, last, "config_last_reload_successful")
		if at := found["config_last_reload_success_timestamp_seconds"]; at < began || at > float64(time.Now().Unix()+1) {
			t.Errorf("the last success was at %v", at)
		}
	}
	check(1, 0, 1)
	s.editYAML("models: { storm: { to: nobody/m } }", "config file refused")
	check(1, 1, 0)
	s.editYAML("models: { storm: { to: fake/m2 } }", "config file reloaded")
	check(2, 1, 1)
	s.load(s.caddyfile(9), true)
	check(3, 1, 1)
	s.load(strings.Replace(s.caddyfile(1), "auth anonymous", "", 1), false) // Caddy's to count
	check(3, 1, 1)
	s.editYAML("models: { storm: { to: nobody/m } }", "config file refused")
	check(3, 2, 0)
	s.writeYAML("models: { storm: { to: fake/m2 } }") // as it was: nothing is reloaded, and nothing wrong any more
	for deadline := time.Now().Add(patience); s.gateway.scrape(t)["config_last_reload_successful"] != 1; {
		if time.Now().After(deadline) {
			t.Fatal("a file that was put right still counts as refused")
		}
	}
	check(3, 2, 1)
}

func TestCostIsToldThroughCaddy(t *testing.T) {
	t.Parallel()
	provider, port, dir := testllm.New(t), freePort(t), t.TempDir()
	provider.On(func(*testllm.Call) testllm.Reply {
		return testllm.Reply{Chunks: []string{"one ", "two"}, Usage: testllm.Usage{Input: 10, Output: 5}}
	})
	files := map[string]string{
		"prices.yaml": "prices:\n  fake/m: { input: 1000, output: 2000 }\n",
		"more.yaml":   "cost_header: true\n",
		"Caddyfile": "{\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\nhttp://127.0.0.1:" + port + " {\n\tencode gzip zstd\n\tllm_proxy {\n\t\tauth anonymous\n" +
			"\t\tconfig more.yaml\n\t\tprices prices.yaml\n\t\tcache memory\n\t\tprovider fake openai {\n\t\t\tbase_url " + provider.URL + "/v1\n\t\t\tapi_key k\n\t\t}\n\t}\n}\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, dir, nil, "--config", "Caddyfile")
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!http2)
		transport.Protocols.SetUnencryptedHTTP2(http2)
		client := &http.Client{Transport: transport}
		for _, test := range []struct {
			model    string
			stream   bool
			told, at string
		}{
			{"fake/m", false, "0.02", "0"}, {"fake/m", true, "0.02", "0"}, {"fake/nobody", false, "", "0"}, {"fake/nobody", true, "", "0"},
		} {
			text := fmt.Sprint("hi, ", http2, test.stream)
			for _, want := range []string{test.told, test.at} { // the second is from the cache
				response, err := client.Post("http://127.0.0.1:"+port+"/v1/chat/completions", "application/json", strings.NewReader(chatBody(test.model, text, test.stream)))
				if err != nil {
					t.Fatal(err)
				}
				announced, header := response.Trailer, response.Header.Get("X-Llm-Cost")
				body, err := io.ReadAll(response.Body)
				if err != nil || response.ProtoMajor == 2 != http2 {
					t.Errorf("%s: %v", response.Proto, err)
				}
				response.Body.Close()
				trailer := response.Trailer.Get("X-Llm-Cost")
				if test.stream {
					if _, ok := announced["X-Llm-Cost"]; !ok || header != "" || !bytes.HasSuffix(body, []byte("data: [DONE]\n\n")) {
						t.Errorf("%s: the stream announces %v, with header %q, and is %s", response.Proto, announced, header, body)
					}
					header = trailer
				}
				if header != want {
					t.Errorf("%s %s, stream %v: it costs %q, want %q", response.Proto, test.model, test.stream, header, want)
				}
			}
		}
		transport.CloseIdleConnections()
	}
}
