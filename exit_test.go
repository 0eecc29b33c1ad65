package llmproxy_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

const stoppingSite = `{
	grace_period %s
}
http://127.0.0.1:%s {
	llm_proxy {
		id gw
		auth anonymous
		provider fake openai {
			base_url %s/v1
			api_key k
		}
	}
}
`

// stopping is a Caddy before a provider that falls silent in the middle of its
// answers.
func stopping(t *testing.T, grace string) (s *server, base string, provider *testllm.Server) {
	t.Helper()
	provider = testllm.New(t)
	provider.On(func(c *testllm.Call) testllm.Reply {
		if !c.Stream {
			return testllm.Reply{Hold: true}
		}
		return testllm.Reply{Chunks: []string{"one ", "two ", "three"}, StallAfter: 2}
	})
	port, config := freePort(t), filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, stoppingSite, grace, port, provider.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, filepath.Dir(config), nil, "--config", config), "http://127.0.0.1:" + port, provider
}

// wantLastWords checks that a stream ended with an error, and the record of it.
func wantLastWords(t *testing.T, s *server, open *stream) {
	t.Helper()
	events := open.rest(t)
	if len(events) == 0 || !strings.Contains(events[len(events)-1], "gateway_stopping") {
		t.Errorf("the stream ended in %q", events)
	}
	line := s.await(t, "llm_proxy.usage", `"error":"gateway_stopping"`, `"stream":true`)
	if !strings.Contains(line, `"ending":"broken"`) || strings.Contains(line, `"input":0`) {
		t.Errorf("the record is %s", line)
	}
}

func TestS20StreamOfAnOlderConfigEndsHonestlyAtExit(t *testing.T) {
	s, base, _ := stopping(t, "1s")
	old := openStream(t, base, chatBody("fake/m", "go", true))
	if status, answer := s.configure(t, http.MethodPut, "/id/gw/retries", "1"); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	s.stop(t) // no stream of the present config is open
	wantLastWords(t, s, old)
}

func TestS20CallsThatAreUnderWayEndHonestlyAtExit(t *testing.T) {
	s, base, provider := stopping(t, "1s")
	streaming := openStream(t, base, chatBody("fake/m", "go", true))
	whole := make(chan reply, 1)
	go func() {
		defer close(whole)
		whole <- exchange(t, http.DefaultClient, http.MethodPost, base+"/v1/chat/completions", chatBody("fake/m", "go", false))
	}()
	provider.WaitCalls(t, 2)
	s.stop(t)
	wantLastWords(t, s, streaming)
	got := <-whole
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, "gateway_stopping") {
		t.Errorf("the call was answered %+v", got)
	}
	s.await(t, "llm_proxy.usage", `"error":"gateway_stopping"`, `"stream":false`)
}

func TestS20StreamsMayEndWithinTheGracePeriod(t *testing.T) {
	s, base, provider := stopping(t, "20s")
	open := openStream(t, base, chatBody("fake/m", "go", true))
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.await(t, "grace period initiated")
	provider.Release()
	if events := open.rest(t); len(events) == 0 || events[len(events)-1] != "[DONE]" {
		t.Errorf("the stream ended in %q", events)
	}
	<-s.exited
	s.await(t, "llm_proxy.usage", `"ending":"complete"`)
}
