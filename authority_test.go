package llmproxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// sharedSite has its auth in a file of the app, whose keys are in another file.
const sharedSite = `{
	llm_proxy {
		config app.yaml
	}
}
http://localhost:%s {
	llm_auth
	header >X-Early "{http.auth.user.id}"
	llm_proxy
}
`

func TestSharedKeysAreReloadedEverywhere(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const withFile = "providers: { mock: {} }\nauth: { keys_file: keys.yaml }\n"
	write("Caddyfile", fmt.Sprintf(sharedSite, port))
	write("app.yaml", withFile)
	write("keys.yaml", "keys: { one: { secret: secret-of-one } }\n")
	s := start(t, dir, nil, "--config", "Caddyfile")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	chat := func(key string, status int, early string) {
		t.Helper()
		var header []string
		if key != "" {
			header = []string{"X-Api-Key", key}
		}
		got := exchange(t, client, http.MethodPost, "http://localhost:"+port+"/v1/chat/completions", chatBody("mock/echo", "Hello there", false), header...)
		if got.says(t, status); status == 200 && got.header.Get("X-Early") != early {
			t.Errorf("early it is %q", got.header.Get("X-Early"))
		}
	}
	edit := func(name, text, logged string) {
		t.Helper()
		mark := s.mark()
		write(name, text)
		s.awaitAfter(t, mark, logged)
	}
	chat("secret-of-one", 200, "one")
	chat("secret-of-two", 401, "")
	edit("keys.yaml", "keys: { one: { secret: secret-of-two } }\n", "key file reloaded")
	chat("secret-of-one", 401, "")
	chat("secret-of-two", 200, "one")
	edit("app.yaml", "providers: { mock: {} }\nauth: { anonymous: true }\n", "config file reloaded")
	chat("", 200, "anonymous")
	edit("app.yaml", "providers: { mock: {} }\nauth: { keys_file: none.yaml }\n", "config file refused")
	edit("app.yaml", "providers: { mock: {} }\n", "config file refused") // which no site can do without
	chat("", 200, "anonymous")
	edit("app.yaml", withFile, "config file reloaded")
	chat("", 401, "")
	chat("secret-of-two", 200, "one")
	edit("keys.yaml", "keys: { two: { secret: secret-of-two } }\n", "key file reloaded")
	chat("secret-of-two", 200, "two")
}

const tokenSite = `{
	llm_proxy {
		provider mock
		retries %d
		auth {
			jwt {
				jwks %s/jwks
				issuer https://issuer.example
				audience llm
			}
		}
	}
}
http://localhost:%s {
	llm_proxy
}
`

// Nothing is asked before a token comes, and what was answered outlives the config.
func TestKeysOfAnIssuerSurviveAReload(t *testing.T) {
	var asked atomic.Int64
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.ServeFile(w, r, filepath.Join("examples", "jwks.json"))
	}))
	defer issuer.Close()
	dir, port := t.TempDir(), freePort(t)
	config := func(retries int) string { return fmt.Sprintf(tokenSite, retries, issuer.URL, port) }
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, nil, "--config", "Caddyfile")
	if asked.Load() != 0 {
		t.Error("the issuer is asked before there is a token")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for retries := range 3 {
		got := exchange(t, client, http.MethodPost, "http://localhost:"+port+"/v1/chat/completions", chatBody("mock/echo", "Hello there", false),
			"Authorization", "Bearer "+exampleToken(t, "jane"))
		got.says(t, 200, echoed)
		issuer.Close()
		loaded := exchange(t, s.admin, http.MethodPost, "http://localhost/load", config(retries), "Content-Type", "text/caddyfile")
		loaded.says(t, 200)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}
