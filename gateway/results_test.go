package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
)

func TestResultsThatComeTwiceGoOnce(t *testing.T) {
	result := `{"functionResponse":{"id":"c1","name":"read","response":{"output":"one"}}}`
	other := `{"functionResponse":{"id":"c2","name":"read","response":{"output":"two"}}}`
	body := `{"contents":[{"role":"user","parts":[{"text":"hi"}]},
		{"role":"model","parts":[{"functionCall":{"id":"c1","name":"read","args":{}}},{"functionCall":{"id":"c2","name":"read","args":{}}}]},
		{"role":"user","parts":[` + result + `,` + result + `,` + other + `]},{"role":"user","parts":[` + other + `]},
		{"role":"model","parts":[{"text":"done"}]},{"role":"user","parts":[{"text":"more"}]}]}`
	g, srv := vendors(t, nil)
	srv.Script(testllm.Reply{Text: "ok"})
	got := g.do(t, http.MethodPost, "/v1beta/models/chat/m:generateContent", body)
	equal(t, "status", got.status, 200)
	equal(t, "dropped", got.header.Get("X-Llm-Dropped"), "")
	sent := string(srv.WaitCalls(t, 1)[0].Body)
	for _, want := range []string{`"tool_call_id":"c1"`, `"tool_call_id":"c2"`, `"one"`, `"two"`} {
		equal(t, want, strings.Count(sent, want), 1)
	}
}

func TestCallsWithoutResultsGetOneThatSaysSo(t *testing.T) {
	g, srv := vendors(t, nil)
	srv.Script(testllm.Reply{Text: "ok"})
	got := g.do(t, http.MethodPost, "/v1/messages", `{"model":"chat/m","max_tokens":64,"messages":[{"role":"user","content":"hi"},
		{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"read","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"c9","content":"of nobody"},{"type":"text","text":"go on"}]}]}`,
		"anthropic-version", "2023-06-01")
	equal(t, "status", got.status, 200)
	equal(t, "dropped", got.header.Get("X-Llm-Dropped"), "/messages/2/content/0/tool_use_id")
	sent := string(srv.WaitCalls(t, 1)[0].Body)
	for _, want := range []string{`"tool_call_id":"c1"`, "No result was given for this call.", "not part of this conversation", "of nobody"} {
		equal(t, want, strings.Count(sent, want), 1)
	}
	equal(t, "the stranger", strings.Contains(sent, `"c9"`), false)
}
