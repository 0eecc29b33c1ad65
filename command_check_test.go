package llmproxy_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

func TestCheckTellsWhatAConfigHas(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("examples")); err != nil {
		t.Fatal(err)
	}
	llm(t, dir, exampleEnv, "", "check", "--config", "production.Caddyfile").is(t, `
production.Caddyfile is valid.

Server srv0 at :443, callers: keys

PROVIDER   TYPE       ADDRESS                    KEYS
openai     openai     https://api.openai.com/v1     1
anthropic  anthropic  https://api.anthropic.com     1

MODEL  TARGET                         WINDOW  $/M IN  $/M OUT
embed  openai/text-embedding-3-small    8192    0.02        -
smart  anthropic/claude-sonnet-5          1M       2       10
smart  openai/gpt-6                        -       -        -
`[1:])
	llm(t, dir, exampleEnv, "", "check", "--config", "llm.yaml", "--adapter", "llm_proxy").has(t, "llm.yaml is valid\\.")
	llm(t, dir, exampleEnv, "", "check", "--config", "gateway.json").has(t, "gateway.json is valid\\.")
}

func TestCheckWarnsOfWhatIsWorthASecondLook(t *testing.T) {
	dir := writeConfig(t, "Caddyfile", `
:8080 {
	log
	llm_proxy {
		provider openai {
			api_key canary-key
		}
		model mystery openai/nobody-knows
		auth anonymous {
			key ada {env.ADA} {
				limits {
					budget 5 day
				}
			}
		}
	}
}
`)
	env := []string{"ADA=canary-secret"}
	found := llm(t, dir, env, "", "check")
	found.has(t, "Caddyfile is valid\\.", "- the credential of provider openai stands in the config, .*", "- whoever reaches :8080 may call without a key: .*",
		"- nobody knows what openai/nobody-knows costs, .*", `- the access log default of server srv0 keeps the keys that clients send as X-Api-Key, Api-Key, X-Goog-Api-Key, \?key=: .*`)
	if strings.Contains(found.out+found.notes, "canary") || strings.Count(found.out, "\n- ") != 4 || found.notes != "" {
		t.Errorf("%s%s", found.out, found.notes)
	}
	var report struct {
		OK       bool
		Warnings []string
	}
	if err := json.Unmarshal([]byte(llm(t, dir, env, "", "check", "--json").out), &report); err != nil || !report.OK || len(report.Warnings) != 4 {
		t.Errorf("%v: %+v", err, report)
	}
}

func TestCheckKnowsWhichLogsKeepKeys(t *testing.T) {
	const headers = "request>headers>X-Api-Key delete\nrequest>headers>Api-Key delete\n"
	const all = headers + "request>headers>X-Goog-Api-Key delete\nrequest>uri query {\nreplace key REDACTED\n}\n"
	for _, test := range []struct{ name, global, log, warning string }{
		{"none", "", "", ""},
		{"a filter", "", "log {\nformat filter {\n" + all + "}\n}", ""},
		{"half a filter", "", "log {\nformat filter {\n" + headers + "}\n}", "log0 of server srv0 keeps the keys that clients send as X-Goog-Api-Key, ?key="},
		{"headers deleted", "", "log {\nformat filter {\nrequest>headers delete\n}\n}", "send as ?key=:"},
		{"all of the request deleted", "", "log {\nformat filter {\nrequest delete\n}\n}", ""},
		{"another output", "", "log {\noutput stdout\n}", "log0 of server srv0"},
		{"no output", "", "log {\noutput discard\n}", ""},
		{"the filter in the default log", "{\nlog {\nformat filter {\n" + all + "}\n}\n}\n", "log", ""},
		{"a copy", "{\nlog copy {\noutput file copy.log\ninclude http.log.access\n}\n}\n", "log {\nformat filter {\n" + all + "}\n}", "copy of server srv0"},
	} {
		dir := writeConfig(t, "Caddyfile", test.global+"localhost:8080 {\n"+test.log+"\nllm_proxy {\nprovider mock\nauth anonymous\n}\n}\n")
		found := llm(t, dir, nil, "", "check")
		if strings.Contains(found.out, "the access log") != (test.warning != "") || !strings.Contains(found.out, test.warning) || found.code != 0 {
			t.Errorf("%s: %s%s", test.name, found.out, found.notes)
		}
	}
}

func TestCheckRefusesWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		text  string
		words []string
	}{
		{":8080 {\nllm_proxy {\nprovider mock\ncolour red\n}\n}\n", []string{"Caddyfile:4", `unrecognized subdirective "colour"`}},
		{":8080 {\nllm_proxy {\nprovider mock\nmodel x nobody/y\nauth anonymous\n}\n}\n", []string{`Caddyfile: llm_proxy of server srv0: model "x": target "nobody/y"`}},
		{":8080 {\nllm_proxy {\nconfig more.yaml\n}\n}\n", []string{"more.yaml:2:"}},
	} {
		dir := writeConfig(t, "Caddyfile", test.text)
		if err := os.WriteFile(filepath.Join(dir, "more.yaml"), []byte("providers: { mock: {} }\ncolour: red\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		llm(t, dir, nil, "", "check").fails(t, test.words...)
		if found := llm(t, dir, nil, "", "check", "--json"); found.code != 1 || !strings.Contains(found.out, `"ok": false`) || found.notes != "" {
			t.Errorf("%+v", found)
		}
	}
	llm(t, t.TempDir(), nil, "", "check").fails(t, "--config")
	llm(t, writeConfig(t, "Caddyfile", ":8080\n"), nil, "", "check").has(t, "- the config has no llm_proxy at any site")
}

func TestCheckAsksProvidersWithTheirKeys(t *testing.T) {
	good, bad := testllm.New(t), testllm.New(t)
	for _, provider := range []*testllm.Server{good, bad} {
		provider.On(func(c *testllm.Call) testllm.Reply {
			if key := c.Header.Get("Authorization") + c.Header.Get("X-Api-Key"); !strings.HasSuffix(key, "canary-good") {
				return testllm.Reply{Status: http.StatusUnauthorized}
			}
			return testllm.Reply{}
		})
	}
	dir := writeConfig(t, "Caddyfile", `
localhost:8080 {
	llm_proxy {
		provider mock
		provider openai {
			api_key {env.GOOD}
			base_url `+good.URL+`/v1
		}
		provider anthropic {
			api_key {env.GOOD} {env.BAD}
			base_url `+bad.URL+`
		}
		provider away openai_compatible {
			base_url http://127.0.0.1:1/v1
		}
		auth anonymous
	}
}
localhost:8081 {
	llm_proxy {
		provider openai {
			api_key {env.GOOD}
			base_url `+good.URL+`/v1
		}
		auth anonymous
	}
}
`)
	env := []string{"GOOD=canary-good", "BAD=canary-bad"}
	found := llm(t, dir, env, "", "check", "--credentials")
	if found.code != 1 || strings.Contains(found.out+found.notes, "canary") || strings.Count(found.out, "\nopenai  ") != 3 { // at two sites, and once asked
		t.Errorf("%+v", found)
	}
	found.code = 0
	found.has(t, `PROVIDER +KEY +FINGERPRINT +RESULT +BY +TOOK +DETAIL`, `mock +- +- +ok +chat +.*`, `openai +0 +[0-9a-f]{8} +ok +models +.*`,
		`anthropic +0 +[0-9a-f]{8} +ok +models .*`, `anthropic +1 +[0-9a-f]{8} +refused +models .* HTTP 401, invalid_api_key`, `away +- +- +unreachable +models .* the connection is refused`)
	var report struct {
		OK          bool
		Credentials []struct{ Provider, Result string }
	}
	if err := json.Unmarshal([]byte(llm(t, dir, env, "", "check", "--credentials", "--json").out), &report); err != nil || report.OK || len(report.Credentials) != 5 {
		t.Errorf("%v: %+v", err, report)
	}
}
