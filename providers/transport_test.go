package providers_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/providers"
)

// A config that is replaced leaves no connection behind.
func TestConnectionsEndWithTheConfig(t *testing.T) {
	gone := make(chan struct{}, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			gone <- struct{}{}
		}
	}
	srv.Start()
	defer srv.Close()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	module, err := ctx.LoadModuleByID(providers.Namespace+".openai", json.RawMessage(`{"api_key":"k","base_url":"`+srv.URL+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	transport := module.(providers.Provider).Base().Transport()
	for range 2 {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	select {
	case <-gone:
		t.Fatal("the connection was not used again")
	default:
	}
	cancel()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the connection is open still")
	}
}
