package providers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/providers"
)

// checked asks a provider of a module whose base URL is below the server's root.
func checked(t *testing.T, module, health string, answer http.HandlerFunc) error {
	t.Helper()
	srv := httptest.NewServer(answer)
	t.Cleanup(srv.Close)
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	config := fmt.Sprintf(`{"base_url":"%s/below/v1","api_key":"k","header":{"X-Team":"a"},"health":{%s}}`, srv.URL, health)
	loaded, err := ctx.LoadModuleByID(providers.Namespace+"."+module, []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	err = providers.NewUpstream("mine", loaded.(providers.Provider)).CheckHealth(t.Context(), "canary-key")
	if err != nil && (strings.Contains(err.Error(), srv.Listener.Addr().String()) || strings.Contains(err.Error(), "canary")) {
		t.Errorf("the reason tells what it must not: %v", err)
	}
	return err
}

func TestHealthCheckAsksLikeACall(t *testing.T) {
	for module, header := range map[string]string{"openai": "Authorization", "anthropic": "X-Api-Key", "gemini": "X-Goog-Api-Key"} {
		err := checked(t, module, `"uri":"/healthz?deep=1","method":"head"`, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodHead || r.URL.String() != "/healthz?deep=1" || !strings.Contains(r.Header.Get(header), "canary-key") || r.Header.Get("X-Team") != "a" {
				t.Errorf("%s was asked %s %s with %v", module, r.Method, r.URL, r.Header)
			}
		})
		if err != nil {
			t.Errorf("%s is not well: %v", module, err)
		}
	}
}

func TestHealthCheckTakesWhatItIsTold(t *testing.T) {
	for _, c := range []struct {
		health string
		status int
		want   string
	}{
		{`"uri":"/"`, 200, ""}, {`"uri":"/"`, 204, ""}, {`"uri":"/"`, 302, "its status is 302"}, {`"uri":"/"`, 503, "its status is 503"},
		{`"uri":"/","status":"204"`, 204, ""}, {`"uri":"/","status":"204"`, 200, "its status is 200"}, {`"uri":"/","status":"4xx"`, 404, ""},
	} {
		err := checked(t, "openai", c.health, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
		})
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("{%s} with %d is %v, want %q", c.health, c.status, err, c.want)
		}
	}
}

func TestHealthCheckEnds(t *testing.T) {
	err := checked(t, "openai", fmt.Sprintf(`"uri":"/","timeout":%d`, 50*time.Millisecond), func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if err == nil || !strings.Contains(err.Error(), "it did not answer within 50ms") {
		t.Errorf("the reason is %v", err)
	}
	err = checked(t, "openai", `"uri":"/"`, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if err == nil || err.Error() != "it cannot be reached" {
		t.Errorf("the reason is %v", err)
	}
}
