package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

// A message whose only part the target cannot take is not an empty message.
func TestMessageOfNothingButWhatIsRefusedNamesIt(t *testing.T) {
	g, srv := foreign(t, "anthropic", nil)
	got := g.chat(t, `{"model":"p/claude-sonnet-4-5","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]}`)
	wantError(t, got, http.StatusBadRequest, "unsupported_parameter")
	if !strings.Contains(got.body, "/messages/0/content/0") {
		t.Errorf("the answer is %s", got.body)
	}
	wantCalls(t, srv, 0)
}

// Some servers that speak a client's format have errors of their own making:
// an SDK that looks for "error" would show nothing of them.
func TestErrorThatTheClientCannotReadIsToldInItsFormat(t *testing.T) {
	for name, body := range map[string]string{
		"flat":   `{"object":"error","message":"Bad: temperature","type":"invalid_request_error","param":null,"code":null}`,
		"detail": `{"detail":"Bad: temperature"}`,
		"text":   `{"error":"Bad: temperature"}`,
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := single(t, nil)
			srv.Script(testllm.Reply{Status: http.StatusBadRequest, Body: []byte(body), ContentType: "application/json"})
			got := g.chat(t, ask("openai/x"))
			equal(t, "status", got.status, http.StatusBadRequest)
			if !strings.HasPrefix(got.body, `{"error":{"message":"Bad: temperature"`) {
				t.Errorf("the answer is %s", got.body)
			}
		})
	}
}
