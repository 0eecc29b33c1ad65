package vertex

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestKeysAndTokensAreSentAsTheyAre(t *testing.T) {
	clearEnvironment(t)
	if h := header(t, mustLoad(t, `{`+base+`}`)); h.Get("Authorization") != "Bearer t" || len(h) != 1 {
		t.Errorf("header is %v", h)
	}
	if h := header(t, mustLoad(t, `{"api_key":"k"}`)); h.Get("X-Goog-Api-Key") != "k" || len(h) != 1 {
		t.Errorf("header is %v", h)
	}
	if p := mustLoad(t, `{`+base+`}`); !p.HasLiteralKey() || len(p.Secrets()) != 1 {
		t.Error("a token in the config is a literal secret")
	}
}

// serviceAccount writes the key file of an account whose tokens come from url.
func serviceAccount(t *testing.T, url string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	file, _ := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "of-the-file", "client_email": "a@example.com", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": url,
	})
	name := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTokensOfAServiceAccount(t *testing.T) {
	clearEnvironment(t)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"fetched","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()
	name := serviceAccount(t, server.URL)
	p := mustLoad(t, `{"credentials_file":"`+name+`"}`)
	if asked.Load() != 0 {
		t.Error("a config that is loaded asks nobody")
	}
	if !strings.Contains(p.root, "/projects/of-the-file/") {
		t.Errorf("paths begin with %s", p.root)
	}
	for range 3 {
		if h := header(t, p); h.Get("Authorization") != "Bearer fetched" {
			t.Errorf("header is %v", h)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("%d tokens were fetched", asked.Load())
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", name)
	t.Setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "billed")
	if h := header(t, mustLoad(t, `{"project":"p"}`)); h.Get("Authorization") != "Bearer fetched" || h.Get("X-Goog-User-Project") != "billed" {
		t.Errorf("with default credentials the header is %v", h)
	}
}

func TestARefusedTokenIsAnErrorWithoutSecrets(t *testing.T) {
	clearEnvironment(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":"invalid_grant","error_description":"`+canary+`"}`, http.StatusBadRequest)
	}))
	defer server.Close()
	p := mustLoad(t, `{"credentials_file":"`+serviceAccount(t, server.URL)+`"}`)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1", nil)
	err := p.Sign(r, nil, "")
	if err == nil || !strings.Contains(err.Error(), "status 400") || strings.Contains(err.Error(), canary) {
		t.Errorf("error is %v", err)
	}
}

func TestAClientThatLeavesDoesNotWaitForAToken(t *testing.T) {
	clearEnvironment(t)
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	p := mustLoad(t, `{"credentials_file":"`+serviceAccount(t, server.URL)+`"}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1", nil)
	if err := p.Sign(r, nil, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestFilesThatAreNoCredentials(t *testing.T) {
	clearEnvironment(t)
	for _, test := range []struct{ text, err string }{
		{canary, "does not hold Google credentials"},
		{`{"type":"` + canary + `"}`, "does not hold Google credentials"},
		{`{"installed":{"client_secret":"` + canary + `"}}`, "does not hold Google credentials"},
		{`{"type":"service_account","private_key":"` + canary + `"}`, "incomplete or damaged"},
	} {
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(t, `{"project":"p","credentials_file":"`+name+`"}`); err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error is %v", test.text, err)
		}
	}
}
