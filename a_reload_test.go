package llmproxy_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

func TestA15BadReloadsAreRefusedWithTheirPlaceWhileTheOldConfigServes(t *testing.T) {
	t.Parallel()
	const canary = "canary-secret-value-of-a-reload"
	provider, port, dir := testllm.New(t), freePort(t), t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	yaml := write("models.yaml", "models:\n  m: { to: fake/x }\n")
	bad := write("bad.yaml", "models:\n  m: { to: fake/x }\n  n: { to: fake/x, secret: "+canary+" }\n")
	keys := write("keys.yaml", "keys:\n  app: "+canary+" # no mapping\n")
	config := "http://127.0.0.1:" + port + " {\n\tllm_proxy {\n\t\tconfig " + yaml + "\n\t\tprovider fake openai {\n\t\t\tbase_url " + provider.URL +
		"/v1\n\t\t\tapi_key {env.KEY}\n\t\t}\n\t\tauth {\n\t\t\tkey app {env.APP}\n\t\t}\n\t}\n}\n"
	write("Caddyfile", config)
	s := start(t, dir, []string{"KEY=" + canary, "APP=" + appKey}, "--config", "Caddyfile")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, test := range []struct{ name, old, new, says string }{
		{"an option that does not exist", "provider fake", "colour " + canary + "\n\t\tprovider fake", ":4"},
		{"an option of a provider that does not exist", "api_key {env.KEY}", "api_kee " + canary, ":6"},
		{"half a block", "auth {", "auth", "Caddyfile"},
		{"YAML with a mistake", yaml, bad, "bad.yaml:3:"},
		{"YAML that is not there", yaml, filepath.Join(dir, "nowhere.yaml"), "nowhere.yaml"},
		{"YAML that cannot be read", yaml, dir, dir},
		{"a variable that is not set", "{env.KEY}", "{env.NOT_SET_HERE}", "NOT_SET_HERE"},
		{"a file that is not there", "{env.KEY}", "{file." + dir + "/nowhere}", "nowhere"},
		{"a file that cannot be read", "{env.APP}", "{file." + dir + "}", "resolving the secret"},
		{"a key file with a mistake", "key app {env.APP}", "keys_file " + keys, "keys.yaml:2"},
		{"a key file that is not there", "key app {env.APP}", "keys_file " + dir + "/nowhere.yaml", "nowhere.yaml"},
		{"a secret that stands there twice", "{env.APP}", canary + " " + canary, "has the same secret"},
		{"an address with a credential", provider.URL + "/v1", "https://user:" + canary + "@example.com", "base_url"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(config, test.old) {
				t.Fatal("nothing to replace")
			}
			changed := strings.Replace(config, test.old, test.new, 1)
			got := exchange(t, s.admin, http.MethodPost, "http://localhost/load", changed, "Content-Type", "text/caddyfile")
			if got.status != 400 || !strings.Contains(got.body, test.says) {
				t.Errorf("the reload is answered with %d %s, which does not say %s", got.status, got.body, test.says)
			}
			if strings.Contains(got.body, canary) {
				t.Errorf("the answer tells a secret: %s", got.body)
			}
			exchange(t, client, http.MethodPost, "http://127.0.0.1:"+port+"/v1/chat/completions", chatBody("m", "hi", false), "X-Api-Key", appKey).says(t, 200)
		})
	}
	s.stop(t)
	if line, found := lineWith(s.text(), []string{canary}); found {
		t.Errorf("the log tells a secret: %s", line)
	}
}
