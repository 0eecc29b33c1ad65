package gateway_test

import (
	"net/http"
	"strings"
	"testing"
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
