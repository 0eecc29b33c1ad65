package llmproxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// passwordHash is of the password open-sesame.
const passwordHash = "$2a$04$waiHLEDfPA5ESWRQxKGYN.9CvsocDYECWK2a4rVlwjWjfsIU8nkZG"

// identitySites are sites that know callers in different ways, by their ports.
const identitySites = `{
	llm_proxy {
		provider mock
		auth caddy {
			key app app-key-for-tests {
				metadata team search
			}
			key jane {
				models mock/echo
			}
		}
	}
}
# basic_auth, then the gateway
http://localhost:%[1]s {
	basic_auth {
		jane %[6]s
		joe %[6]s
	}
	llm_proxy
}
# llm_auth stands before basic_auth and leaves to it what is its own
http://localhost:%[2]s {
	log
	llm_auth
	@nobody vars {http.auth.user.id} ""
	basic_auth @nobody {
		jane %[6]s
	}
	header >X-Seen "{http.auth.user.id} {http.auth.user.team}"
	llm_proxy
}
# a header that forward_auth copies
http://localhost:%[3]s {
	forward_auth %[5]s {
		uri /check
		copy_headers X-User
	}
	llm_proxy {
		auth caddy {http.request.header.X-User}
	}
}
# llm_auth before a site's own keys, and before a server of another kind
http://localhost:%[4]s {
	route {
		llm_auth
		reverse_proxy /v1/completions %[5]s
		error /v1/audio/* 413
		llm_proxy {
			auth {
				key own app-key-for-tests
			}
		}
	}
}
`

func TestIdentities(t *testing.T) {
	var seen http.Header
	var target string
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen, target = r.Header.Clone(), r.URL.RequestURI()
		if user := r.Header.Get("Cookie"); strings.HasPrefix(user, "user=") {
			w.Header().Set("X-User", user[len("user="):])
		}
		fmt.Fprint(w, "by the backend")
	}))
	defer backend.Close()
	ports := [4]string{}
	for i := range ports {
		ports[i] = freePort(t)
	}
	dir := t.TempDir()
	config := fmt.Sprintf(identitySites, ports[0], ports[1], ports[2], ports[3], strings.TrimPrefix(backend.URL, "http://"), passwordHash)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, nil, "--config", "Caddyfile")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(site int, path, model string, header ...string) reply {
		t.Helper()
		return exchange(t, client, http.MethodPost, "http://localhost:"+ports[site]+path, chatBody(model, "Hello there", false), header...)
	}
	chat := func(site int, model string, header ...string) reply {
		t.Helper()
		return ask(site, "/v1/chat/completions", model, header...)
	}
	const jane, joe, wrong = "Basic amFuZTpvcGVuLXNlc2FtZQ==", "Basic am9lOm9wZW4tc2VzYW1l", "Basic amFuZTpjbG9zZWQ="

	t.Run("basic_auth", func(t *testing.T) {
		chat(0, "mock/echo", "Authorization", jane).says(t, 200, echoed)
		s.await(t, "llm_proxy.usage", `"user_id":"jane"`)
		chat(0, "mock/slow", "Authorization", jane).says(t, 403, "model_not_allowed")
		chat(0, "mock/fail-418", "Authorization", joe).says(t, 418)
		if got := chat(0, "mock/echo", "Authorization", wrong); got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("a wrong password is answered with %d %v", got.status, got.header)
		}
		chat(0, "mock/echo", "Authorization", jane, "Origin", "https://evil.example").says(t, 403, "origin_not_allowed")
		chat(0, "mock/echo", "Authorization", jane, "X-Api-Key", "wrong").says(t, 401, "Invalid API key.")
	})

	t.Run("llm_auth before basic_auth", func(t *testing.T) {
		if got := chat(1, "mock/echo", "X-Api-Key", appKey); got.status != 200 || got.header.Get("X-Seen") != "app search" {
			t.Errorf("the answer is %d %v", got.status, got.header)
		}
		s.await(t, "http.log.access", `"user_id":"app"`)
		chat(1, "mock/echo", "Authorization", jane).says(t, 200, echoed)
		chat(1, "mock/slow", "Authorization", jane).says(t, 403, "model_not_allowed")
		chat(1, "mock/echo", "X-Api-Key", "wrong").says(t, 401, "Invalid API key.")
		got := ask(1, "/v1/messages", "mock/echo", "Authorization", wrong)
		got.says(t, 401, `{"type":"error","error":{"type":"authentication_error"`)
		if !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("the header is %v", got.header)
		}
	})

	t.Run("a header of forward_auth", func(t *testing.T) {
		chat(2, "mock/echo", "Cookie", "user=ann").says(t, 200, echoed)
		s.await(t, "llm_proxy.usage", `"user_id":"ann"`)
		chat(2, "mock/echo").says(t, 401, "API key missing")
		for _, name := range []string{"X-User", "X_User", "X-Llm-User", "X-Forwarded-User", "Remote-User"} {
			chat(2, "mock/echo", name, "ann").says(t, 401, "API key missing")
		}
	})

	t.Run("what stands between", func(t *testing.T) {
		chat(3, "mock/echo", "X-Api-Key", appKey).says(t, 200, echoed)
		s.await(t, "llm_proxy.usage", `"user_id":"own"`)
		ask(3, "/v1/audio/speech", "mock/echo", "X-Api-Key", appKey).says(t, 413, "request_too_large")
	})
	t.Run("no credential goes on", func(t *testing.T) {
		for _, name := range []string{"X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Authorization"} {
			value := appKey
			if name == "Authorization" {
				value = "Bearer " + appKey
			}
			seen = nil
			if got := ask(3, "/v1/completions?a=b&key="+appKey, "m", name, value); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if seen == nil || strings.Contains(fmt.Sprint(seen, target), appKey) || target != "/v1/completions?a=b" {
				t.Errorf("the backend sees %s %v", target, seen)
			}
		}
	})
}

func TestLLMAuthNeedsAuthOfTheApp(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(":8080 {\n\tllm_auth\n\tllm_proxy {\n\t\tauth anonymous\n\t}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := command(t, dir, nil, "validate", "--config", "Caddyfile").CombinedOutput()
	if err == nil || !strings.Contains(string(output), "llm_auth serves the auth of the global llm_proxy block") {
		t.Errorf("%v: %s", err, output)
	}
}
