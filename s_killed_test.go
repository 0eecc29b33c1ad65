package llmproxy_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// S-21: of two gateways that share one Redis, one is killed in the middle of a
// stream. Its slot is free within a minute, what it had reserved is charged, and
// the other one goes on meanwhile.
func TestS21_SlotsOfAKilledGatewayAreFreedAndItsReservationIsCharged(t *testing.T) {
	if os.Getenv("LLMPROXY_LONG") == "" {
		t.Skip("LLMPROXY_LONG is not set: a lease takes a minute to expire")
	}
	t.Parallel()
	url, provider := redisServer(t), testllm.New(t)
	const lines = "\t\tauth {\n\t\t\tkey app {env.APP_KEY} {\n\t\t\t\tlimits {\n\t\t\t\t\tconcurrency 1\n\t\t\t\t\ttokens 100000 hour\n\t\t\t\t}\n\t\t\t}\n\t\t\tkey other {env.OTHER_KEY}\n\t\t}\n" +
		"\t\tstate redis {env.REDIS} {\n\t\t\tinstances 2\n\t\t}"
	env := []string{"REDIS=" + url, "OTHER_KEY=other-key-for-tests"}
	killed, left := newLimitedSite(t, provider, lines, env...), newLimitedSite(t, provider, lines, env...)

	provider.Script(testllm.Reply{Text: "one two three", StallAfter: 2}, testllm.Reply{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:"+killed.port+"/v1/chat/completions",
		strings.NewReader(`{"model":"fake/m","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer app-key-for-tests")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the stream did not begin: %v %v", response, err)
	}
	defer response.Body.Close()
	left.chat().says(t, http.StatusTooManyRequests, "rate_limit_exceeded")

	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	<-killed.exited
	for left.chat().status != http.StatusOK {
		if time.Since(died) > 65*time.Second {
			t.Fatal("the slot is still held")
		}
		left.chat("Authorization", "Bearer other-key-for-tests").says(t, http.StatusOK)
		time.Sleep(time.Second) // between two looks at what takes a minute
	}
	t.Logf("the slot was free after %s", time.Since(died).Round(time.Second))
	used, _ := left.usageOfKey("tokens per hour")
	if len(used) < 3 { // 500 and the prompt were reserved by the one that is dead
		t.Errorf("only %s tokens are charged", used)
	}
}
