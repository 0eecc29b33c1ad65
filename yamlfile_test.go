package llmproxy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestYAMLSaysWhatTheCaddyfileSays(t *testing.T) {
	const inCaddyfile = `llm_proxy {
		providers env
		surface openai health
		provider openai {
			api_key {env.OPENAI_API_KEY}
		}
		provider claude anthropic {
			base_url https://api.anthropic.com
			api_key {env.KEY_1} {file./run/secrets/key2}
			header X-Team research
			models claude-* opus
			transport http {
				dial_timeout 2s
			}
			health {
				uri /v1/models
				interval 10s
			}
		}
		model smart {
			to claude/claude-sonnet-5 weight 3
			to openai/gpt-6 weight 1 priority 2
			policy round_robin
			fallback fast
			fallback_on error context_length
			retries 0
			timeout {
				first_token 20s
				total 2m
			}
			on_ambiguous fail
			set temperature 0.5
			default metadata.team {env.TEAM}
		}
		model fast {
			match header X-Canary yes
			to openai/gpt-7-mini
			policy sticky header X-User
		}
		model fast openai/gpt-6-mini
		model team-* openai/*
		auth anonymous {
			key app1 sha256:ce51607f374ece5f166298f96915cc438a357bc9912d61325b55ca06feb564f1 {
				models smart fast
			}
			key app2 {env.APP_KEY}
			key app3 very-literal-secret
			origins https://app.example.com
		}
		stream {
			heartbeat 10s
			on_disconnect drain 30s
			commit_early 20s
			resumable 5m
		}
		retries 3
		max_body 16MiB
		log_payloads sampled 0.5
		breaker {
			failures 3
			open 2s
		}
	}`
	const inYAML = `
discover: env
surface: [openai, health]
providers:
  openai: { api_key: "{env.OPENAI_API_KEY}" }
  claude:
    provider: anthropic
    base_url: https://api.anthropic.com
    api_key: ["{env.KEY_1}", "{file./run/secrets/key2}"]
    header: { X-Team: research }
    models: [claude-*, opus]
    transport: { protocol: http, dial_timeout: 2000000000 }
    health: { uri: /v1/models, interval: 10000000000 }
models:
  smart:
    to: [ {target: claude/claude-sonnet-5, weight: 3}, {target: openai/gpt-6, weight: 1, priority: 2} ]
    policy: { policy: round_robin }
    fallback: [fast]
    fallback_on: [error, context_length]
    retries: 0
    timeout: { first_token: 20s, total: 2m }
    on_ambiguous: fail
    set: { temperature: 0.5 }
    default: { metadata.team: "{env.TEAM}" }
  fast:
    - { match: [ { header: { X-Canary: [ "yes" ] } } ], to: openai/gpt-7-mini, policy: { policy: sticky, by: header, header: X-User } }
    - { to: [ openai/gpt-6-mini ] }
  team-*: { to: [ {target: openai/*} ] }
auth:
  anonymous: true
  keys:
    app1: { digest: "sha256:ce51607f374ece5f166298f96915cc438a357bc9912d61325b55ca06feb564f1", models: [smart, fast] }
    app2: { secret: "{env.APP_KEY}" }
    app3: { secret: very-literal-secret }
  origins: [https://app.example.com]
stream: { heartbeat: 10s, on_disconnect: drain, drain: 30s, commit_early: 20s, resumable: 5m }
retries: 3
log_payloads: { mode: sampled, ratio: 0.5 }
max_body: 16777216
breaker: { failures: 3, open: 2s }
`
	var fromCaddyfile Config
	if err := fromCaddyfile.UnmarshalCaddyfile(caddyfile.NewTestDispenser(inCaddyfile)); err != nil {
		t.Fatal(err)
	}
	file, err := parseConfigFile("llm.yaml", []byte(inYAML))
	if err != nil {
		t.Fatal(err)
	}
	// The type of a provider is implied by its name in a file.
	want, got := asTree(t, fromCaddyfile), asTree(t, file.Config)
	delete(want["providers"].(map[string]any)["openai"].(map[string]any), "provider")
	if !reflect.DeepEqual(want, got) {
		t.Errorf("the Caddyfile says\n%v\nthe file says\n%v", want, got)
	}
}

func asTree(t *testing.T, value any) map[string]any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestYAMLKeepsTheOrderOfProviders(t *testing.T) {
	for text, want := range map[string]string{
		"providers: {zai: {}, openai: {}, anthropic: {}}":                                    "zai openai anthropic",
		"providers: {zai: {}, openai: {}, anthropic: {}}\nprovider_order: [openai]":          "openai anthropic zai",
		"providers:\n  mock: {}\n  b: {provider: mock}\n  a: {provider: mock}\nretries: 1\n": "mock b a",
	} {
		file, err := parseConfigFile("llm.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(file.Config.order(), " "); got != want {
			t.Errorf("%q orders the providers %q, not %q", text, got, want)
		}
	}
}

func TestYAMLLiteralSecretBecomesItsDigest(t *testing.T) {
	const secret = "canary-secret-value"
	file, err := parseConfigFile("llm.yaml", []byte("auth: {keys: {app: {secret: "+secret+"}}}"))
	if err != nil {
		t.Fatal(err)
	}
	key := file.Config.Auth.Keys["app"]
	if key.Secret != nil || len(key.Digest) != 1 || !strings.HasPrefix(key.Digest[0], "sha256:") {
		t.Errorf("the key is %+v", key)
	}
	if adapted, _, err := (yamlAdapter{}).Adapt([]byte("auth: {keys: {app: {secret: "+secret+"}}}"), nil); err != nil || strings.Contains(string(adapted), secret) {
		t.Errorf("adapted: %s %v", adapted, err)
	}
}

func TestYAMLValuesMayBeShared(t *testing.T) {
	file, err := parseConfigFile("llm.yaml", []byte("models:\n  a: &a {to: [mock/echo]}\n  b: *a\n"))
	if err != nil {
		t.Fatal(err)
	}
	if to := file.Config.Models["b"][0].To; len(to) != 1 || to[0].Target != "mock/echo" {
		t.Errorf("b is %v", to)
	}
}

func TestConfigFileInABlockIsNoWholeConfig(t *testing.T) {
	for text, want := range map[string]string{
		"retries: 1\nlisten: \":1\"\n":     "x.yaml:2:1: listen is for files that are the whole config",
		"retries: 1\nconfig: other.yaml\n": "x.yaml:2:1: a config file cannot name another one",
		"retries: 1\n\"@id\": gw\n":        "x.yaml:2:1: an @id is for Caddy's config",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readConfigFile(filepath.Join(dir, "x.yaml")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, which does not say %q", err, want)
		}
	}
}

func TestYAMLAdapterWritesAWholeConfig(t *testing.T) {
	const text = `
listen: "localhost:8123"
providers: { mock: {} }
models: { demo: { to: [mock/echo] } }
auth: { keys: { app: { secret: "{env.APP_KEY}" } } }
`
	const want = `{"apps":{"http":{"servers":{"llm_proxy":{"automatic_https":{"disable":true},"listen":["localhost:8123"],` +
		`"routes":[{"handle":[{"handler":"llm_proxy"},{"handler":"static_response","status_code":404}]}]}}},` +
		`"llm_proxy":{"auth":{"keys":{"app":{"secret":"{env.APP_KEY}"}}},"models":{"demo":{"to":[{"target":"mock/echo"}]}},` +
		`"provider_order":["mock"],"providers":{"mock":{}}}}}`
	adapted, warnings, err := caddyconfig.GetAdapter("llm_proxy").Adapt([]byte(text), map[string]any{"filename": "llm.yaml"})
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	var got, wanted any
	if json.Unmarshal(adapted, &got) != nil || json.Unmarshal([]byte(want), &wanted) != nil || !reflect.DeepEqual(got, wanted) {
		t.Errorf("adapted:\n%s\nnot\n%s", adapted, want)
	}
	if _, _, err := caddyconfig.GetAdapter("llm_proxy").Adapt([]byte("colour: red"), map[string]any{"filename": "llm.yaml"}); err == nil || err.Error() != `llm.yaml:1:1: unknown member "colour"` {
		t.Errorf("the error is %v", err)
	}
}
