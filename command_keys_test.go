package llmproxy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// keys runs a command of caddy llm-proxy keys.
func keys(t *testing.T, stdin string, args ...string) (output string, err error) {
	t.Helper()
	cmd := command(t, t.TempDir(), nil, append([]string{"llm-proxy", "keys"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func TestNewKeysFitIntoEveryConfig(t *testing.T) {
	output, err := keys(t, "", "new", "--id", "app", "--models", "smart,mock/*", "--group", "staff", "--expires", "2036-01-01")
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	secret := regexp.MustCompile(`llmp_\w+`).FindString(output)
	_, rest, _ := strings.Cut(output, "within auth:\n\n")
	line, yaml, _ := strings.Cut(rest, "\n\nIn YAML, within keys:\n\n")
	digest, err := keys(t, secret+"\n", "hash")
	if err != nil || !strings.Contains(line, strings.TrimSpace(digest)) || strings.Count(output, secret) != 1 {
		t.Errorf("%s: the digest of %q is %q", output, secret, digest)
	}
	caddyfile := ":8080 {\nllm_proxy {\nprovider mock\nauth {\ngroup staff\n" + line + "\n}\n}\n}\n"
	inCaddyfile, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, caddyfile)
	}
	inYAML, _, err := caddyconfig.GetAdapter("llm_proxy").Adapt([]byte("auth:\n  keys:\n    "+yaml), nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, yaml)
	}
	key := func(config []byte) (key any) {
		if err := json.Unmarshal(regexp.MustCompile(`"app":(\{[^}]*\})`).FindSubmatch(config)[1], &key); err != nil {
			t.Fatal(err)
		}
		return key
	}
	if a, b := key(inCaddyfile), key(inYAML); !reflect.DeepEqual(a, b) {
		t.Errorf("the Caddyfile says %v, the YAML %v", a, b)
	}
}

func TestNewKeysWithoutAnIDHaveAPartOfTheSecret(t *testing.T) {
	output, err := keys(t, "", "new")
	if found := regexp.MustCompile(`llmp_(\w{8})_\w+\n`).FindStringSubmatch(output); err != nil || found == nil || !strings.Contains(output, "\nkey "+found[1]+" sha256:") {
		t.Errorf("%v: %s", err, output)
	}
	for _, args := range [][]string{{"new", "--id", "two words"}, {"new", "--expires", "soon"}, {"new", "secret"}} {
		if output, err := keys(t, "", args...); err == nil {
			t.Errorf("%v: %s", args, output)
		}
	}
}

func TestSecretsAreHashedFromTheInputOnly(t *testing.T) {
	const want = "sha256:ce51607f374ece5f166298f96915cc438a357bc9912d61325b55ca06feb564f1\n"
	for _, stdin := range []string{"not-a-secret-just-an-example", "not-a-secret-just-an-example\r\n"} {
		if output, err := keys(t, stdin, "hash"); err != nil || output != want {
			t.Errorf("%q becomes %q (%v)", stdin, output, err)
		}
	}
	for stdin, arg := range map[string]string{"": "", "canary": "", "llmp_canary-canary": "", "good-enough": "canary-secret"} {
		args := []string{"hash"}
		if arg != "" {
			args = append(args, arg)
		}
		if output, err := keys(t, stdin, args...); err == nil || strings.Contains(output, "canary") {
			t.Errorf("%q, %q: %v: %s", stdin, arg, err, output)
		}
	}
}

func TestKeysAreListed(t *testing.T) {
	e := newExample(t, "keys-file.Caddyfile")
	e.start(t)
	socket := ""
	for _, variable := range e.cmd.Env {
		if address, ok := strings.CutPrefix(variable, "CADDY_ADMIN="); ok {
			socket = address
		}
	}
	for _, args := range [][]string{
		{"list", "--address", socket},
		{"list", "--config", filepath.Join(e.dir, "examples", "keys.yaml")},
	} {
		output, err := keys(t, "", args...)
		if err != nil || strings.Contains(output, "sha256") || strings.Contains(output, adminKey) {
			t.Errorf("%v: %v: %s", args, err, output)
		}
		for _, line := range []string{`batch +staff .* valid`, `former .* disabled`, `rotating +contractors +smart .* 2036-01-01T00:00:00Z +2 +valid`} {
			if !regexp.MustCompile("(?m)^" + line + "$").MatchString(output) {
				t.Errorf("%v: no line %q in\n%s", args, line, output)
			}
		}
	}
	if status, answer := e.configure(t, "GET", "/llm_proxy/keys", ""); status != 200 || !strings.Contains(answer, `"id":"admin"`) || strings.Contains(answer, "sha256") {
		t.Errorf("the admin API says %d %s", status, answer)
	}
	config := filepath.Join(t.TempDir(), "llm.yaml")
	if err := os.WriteFile(config, []byte("auth: { keys: { app: { secret: a-good-secret } } }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := keys(t, "", "list", "--config", config); err != nil || !strings.Contains(output, "app ") {
		t.Errorf("%v: %s", err, output)
	}
}
