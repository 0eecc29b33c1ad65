package llmproxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func TestStatusOfARunningGateway(t *testing.T) {
	e := newExample(t, "quickstart.Caddyfile")
	e.start(t)
	e.chat(t, "demo").says(t, 200)
	e.chat(t, "mock/fail-429").says(t, 429)
	e.chat(t, "mock/fail-400").says(t, 400) // which is the client's to mend
	status := llm(t, e.dir, nil, "", "status", "--address", adminOf(e.server))
	status.has(t,
		"0 calls in flight, 1 gateway in use", "Server srv0",
		"PROVIDER +TYPE +STATE +IN FLIGHT +KEYS READY", "mock +mock +ready +0 +-", "openai +openai +ready +0 +1 of 1",
		"MODEL +STATE +.*IN FLIGHT +ANSWER +LAST ERROR", "mock/echo +ready +0 +0ms +-", `mock/fail-429 .* rate_limit_exceeded, \d+s ago`, "mock/fail-400 .* -")
	var report struct {
		Handlers []struct{ Server string }
	}
	asJSON := llm(t, e.dir, nil, "", "status", "--json", "--address", adminOf(e.server))
	if err := json.Unmarshal([]byte(asJSON.out), &report); err != nil || len(report.Handlers) != 1 {
		t.Errorf("%v: %s", err, asJSON.out)
	}
}

// sampleStatus is of a gateway in trouble, at times around now.
func sampleStatus() string {
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339Nano) }
	return fmt.Sprintf(`{"in_flight":3,"generations":2,"handlers":[{"server":"srv0","models":[],"providers":[
		{"name":"openai","type":"openai","state":"ready","in_flight":3,
			"keys":[{"index":0,"fingerprint":"0a0b0c0d","state":"keyless","until":%q},{"index":1,"fingerprint":"1a1b1c1d","state":"ready"}],
			"targets":[{"model":"gpt\u001b[2J","state":"limited","until":%q,"in_flight":3,"latency_ms":1234,"ttft_ms":250,
				"limited_keys":[{"index":1,"fingerprint":"1a1b1c1d","state":"limited","until":%q}],
				"headroom":[{"key":1,"limit":"tokens","remaining":0,"max":200000,"resets_at":%q,"at":%q}],
				"last_error":{"class":"rate_limit_exceeded","at":%q}}]}]}],
		"caches":[{"store":"memory","hits":5,"misses":3,"stored":2,"entries":2,"bytes":954,"capacity":268435456}]}`,
		at(9*time.Minute+30*time.Second), at(150*time.Second), at(150*time.Second), at(150*time.Second), at(-3*time.Minute), at(-3*time.Minute))
}

func TestStatusShowsWhatStandsInTheWay(t *testing.T) {
	llm(t, t.TempDir(), nil, "", "status", "--address", adminSays(t, map[string]string{"/llm_proxy/status": sampleStatus()})).is(t, `
3 calls in flight, 1 gateway in use, 1 replaced config with calls under way

Server srv0

PROVIDER  TYPE    STATE  IN FLIGHT  KEYS READY
openai    openai  ready          3      1 of 2

MODEL           STATE    UNTIL  IN FLIGHT  ANSWER  FIRST TOKEN  LAST ERROR
openai/gpt?[2J  limited  in 2m          3    1.2s        250ms  rate_limit_exceeded, 3m ago

PROVIDER KEY  FINGERPRINT  FOR         STATE    UNTIL
openai 0      0a0b0c0d     all models  refused  in 9m
openai 1      1a1b1c1d     gpt?[2J     limited  in 2m

MODEL           KEY  PROVIDER'S LIMIT  LEFT      OF  RESETS  SAID
openai/gpt?[2J    1  tokens               0  200000  in 2m   3m ago

CACHE   ENTRIES  BYTES   CAPACITY  HITS  MISSES  STORED
memory        2    954  268435456     5       3       2
`[1:])
}

func TestStatusIsWatchedUntilAnInterrupt(t *testing.T) {
	address := adminSays(t, map[string]string{"/llm_proxy/status": `{"in_flight":1,"generations":1,"handlers":[]}`})
	for _, format := range []struct {
		args []string
		line string
	}{{nil, "1 call in flight"}, {[]string{"--json"}, `{"in_flight":1,`}} {
		cmd := command(t, t.TempDir(), nil, append([]string{"llm-proxy", "status", "--watch", "--every", "100ms", "--address", address}, format.args...)...)
		seen := newLines()
		cmd.Stdout, cmd.Stderr = seen, seen
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		seen.await(t, format.line)
		seen.awaitAfter(t, seen.mark(), format.line)
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil || strings.Contains(seen.text(), "\x1b") {
			t.Errorf("%v: %q", err, seen.text())
		}
	}
}

func TestUsageIsInDollars(t *testing.T) {
	reset := time.Now().Add(5*time.Hour + time.Minute).UTC().Format(time.RFC3339)
	limits := `{"scope":"key","id":"ada","limit":"budget per day","kind":"budget","window":"day","max":5,"used":0.0012,"remaining":4.9988,"resets_at":"` + reset + `"},
		{"scope":"provider_key","id":"openai/0a0b0c0d","limit":"rpm","kind":"requests","window":"minute","max":60,"used":0,"remaining":60}`
	address := adminSays(t, map[string]string{"/llm_proxy/usage": `[{"server":"srv0","limits":[` + limits + `]},{"server":"srv1","limits":[` + limits + `]}]`})
	dir := t.TempDir()
	llm(t, dir, nil, "", "usage", "--address", address).is(t, `
SERVER  OF            NAME             LIMIT              USED    MAX   LEFT  RESETS
srv0    key           ada              budget per day  $0.0012  $5.00  $5.00  in 5h
srv0    provider key  openai/0a0b0c0d  rpm                   0     60     60  -
`[1:])
	llm(t, dir, nil, "", "usage", "--by", "key", "--address", address).has(t, "srv0 +key +ada .*")
	if only := llm(t, dir, nil, "", "usage", "--by", "provider", "--json", "--address", address); strings.Contains(only.out, "ada") || !strings.Contains(only.out, "0a0b0c0d") {
		t.Error(only.out)
	}
	llm(t, dir, nil, "", "usage", "--by", "model", "--address", address).is(t, "There is no limit, so nothing is counted.\n")
}

func TestUsageOfARunningGateway(t *testing.T) {
	port := freePort(t)
	dir := writeConfig(t, "Caddyfile", ":"+port+" {\nllm_proxy {\nprovider mock\nauth anonymous\nlimits {\nrpd 10\nbudget 5 month\nunpriced allow\n}\n}\n}\n")
	s := start(t, dir, nil, "--config", "Caddyfile")
	exchange(t, http.DefaultClient, "POST", "http://localhost:"+port+"/v1/chat/completions", chatBody("mock/echo", "hi", false)).says(t, 200)
	llm(t, dir, nil, "", "usage", "--address", adminOf(s)).has(t, `handler +srv0/1 +rpd +1 +10 +9 +in .*`, `handler +srv0/1 +budget per month +\$0.00 +\$5.00 +\$5.00.*`)
}
