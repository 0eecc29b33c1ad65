package llmproxy_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const siteWithSlowNeighbour = `:%PORT% {
	forward_auth %AUTH% {
		uri /
	}
	llm_proxy {
		id gateway
		provider mock
		auth anonymous
	}
}
`

// Caddy cleans a config's handlers up as soon as the next one serves, while
// requests that came before are still with the handlers in front of this one.
func TestRequestThatIsOnItsWayDuringAReloadIsServed(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	neighbour := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-goOn
	}))
	defer neighbour.Close()
	dir, port := t.TempDir(), freePort(t)
	site := strings.NewReplacer("%PORT%", port, "%AUTH%", neighbour.URL).Replace(siteWithSlowNeighbour)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, nil, "--config", "Caddyfile")

	done := make(chan reply, 1)
	go func() {
		defer close(done)
		done <- exchange(t, http.DefaultClient, http.MethodPost, "http://localhost:"+port+"/v1/chat/completions", chatBody("mock/echo", "Hello there", false))
	}()
	<-asked
	if status, answer := s.configure(t, http.MethodPut, "/id/gateway/retries", "1"); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	close(goOn)
	(<-done).says(t, 200, echoed)
}
