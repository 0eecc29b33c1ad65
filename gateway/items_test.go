package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
)

// lastItem is the id of the last output item of a response, from its JSON or
// from the last event of its stream.
func lastItem(t *testing.T, body string) string {
	t.Helper()
	if at := strings.LastIndex(body, "\ndata: "); at >= 0 {
		body = body[at+len("\ndata: "):]
	}
	type response struct{ Output []struct{ ID string } }
	var answer struct {
		response
		Response response
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	output := append(answer.Output, answer.Response.Output...)
	return output[len(output)-1].ID
}

func TestItemsOfTranslatedAnswersCanBeReferredTo(t *testing.T) {
	for _, stream := range []string{"false", "true"} {
		t.Run("stream "+stream, func(t *testing.T) {
			g, srv := vendors(t, nil)
			srv.Script(testllm.Reply{Text: "I am Claude."}, testllm.Reply{Text: "As I said."})
			first := g.do(t, http.MethodPost, "/v1/responses", `{"model":"claude/claude-opus-4-5","input":"Who are you?","stream":`+stream+`}`)
			id := lastItem(t, first.body)
			second := `{"model":"claude/claude-opus-4-5", "input":[{"role":"user","content":"Who are you?"},{"type":"item_reference","id":"` + id + `"},{"role":"user","content":"Sure?"}]}`
			wantText(t, g.do(t, http.MethodPost, "/v1/responses", second), "As I said.")
			if body := string(srv.Calls()[1].Body); !strings.Contains(body, "I am Claude.") {
				t.Errorf("the provider did not get what it had said: %s", body)
			}
			// An item that nobody knows is the provider's to know, or refused.
			unknown := strings.Replace(second, id, "msg_unknown", 1)
			wantError(t, g.do(t, http.MethodPost, "/v1/responses", unknown), 400, "unsupported_parameter")
		})
	}
}

func TestItemsAreNotKeptForClientsThatKeepThem(t *testing.T) {
	g, srv := vendors(t, nil)
	srv.Script(testllm.Reply{Text: "I am Claude."})
	first := g.do(t, http.MethodPost, "/v1/responses", `{"model":"claude/claude-opus-4-5","input":"Who are you?","store":false}`)
	second := `{"model":"claude/claude-opus-4-5","input":[{"type":"item_reference","id":"` + lastItem(t, first.body) + `"},{"role":"user","content":"Sure?"}]}`
	wantError(t, g.do(t, http.MethodPost, "/v1/responses", second), 400, "unsupported_parameter")
}

func TestItemsThatAreReferredToManyTimesAreBounded(t *testing.T) {
	g, srv := vendors(t, func(g *gateway.Gateway) { g.Limits.Body = 64 << 10 })
	srv.Script(testllm.Reply{Text: strings.Repeat("I am Claude. ", 1000)})
	first := g.do(t, http.MethodPost, "/v1/responses", `{"model":"claude/claude-opus-4-5","input":"Who are you?"}`)
	reference := `,{"type":"item_reference","id":"` + lastItem(t, first.body) + `"}`
	for times, status := range map[int]int{2: 200, 20: 413} {
		srv.Script(testllm.Reply{Text: "Sure."})
		got := g.do(t, http.MethodPost, "/v1/responses", `{"model":"claude/claude-opus-4-5","input":[{"role":"user","content":"Who?"}`+strings.Repeat(reference, times)+`]}`)
		equal(t, "status", got.status, status)
	}
}
