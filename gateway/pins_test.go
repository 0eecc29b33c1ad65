package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

const responsesPath = "/v1/responses"

// accounts is a gateway before two providers with two keys each, used in turn.
func accounts(t *testing.T) (g *gate, a, b *testllm.Server) {
	t.Helper()
	a, b = testllm.New(t), testllm.New(t)
	for _, srv := range []*testllm.Server{a, b} {
		srv.Script(testllm.Reply{Thinking: "hm", Signature: "sealed by " + srv.URL, Tools: []testllm.Tool{{ID: "call_of_" + srv.URL[len(srv.URL)-5:], Name: "look"}}})
	}
	account := func(name, baseURL string) *providers.Upstream {
		return loadConfig(t, name, "openai", fmt.Sprintf(`{"base_url":%q,"api_key":["one","two"],"api":"responses"}`, baseURL+"/v1"))
	}
	s := setup{
		upstreams: []*providers.Upstream{account("a", a.URL), account("b", b.URL)},
		aliases:   []alias{{name: "m", to: []string{"a/o9", "b/o9"}, policy: new(routing.RoundRobin)}},
		change:    func(g *gateway.Gateway) { g.Surface.Anthropic = true },
	}
	return s.start(t), a, b
}

// follow asks n times and checks that the place of the first answer got every call.
func follow(t *testing.T, g *gate, a, b *testllm.Server, path string, body string) {
	t.Helper()
	calls := a.Calls()
	if len(calls) != 1 {
		t.Fatalf("the first call went elsewhere: %d", len(calls))
	}
	for range 4 {
		if got := g.do(t, http.MethodPost, path, body, "Anthropic-Version", "2023-06-01"); got.status != http.StatusOK {
			t.Fatalf("answer is %d %s", got.status, got.body)
		}
	}
	wantCalls(t, b, 0)
	for _, call := range a.Calls() {
		equal(t, "key", call.Header.Get("Authorization"), calls[0].Header.Get("Authorization"))
	}
}

func TestR15FollowUpsGoToWhereTheResponseWasMade(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprint("stream ", stream), func(t *testing.T) {
			g, a, b := accounts(t)
			first := g.do(t, http.MethodPost, responsesPath, fmt.Sprintf(`{"model":"m","stream":%v,"input":"hi"}`, stream))
			equal(t, "status", first.status, 200)
			follow(t, g, a, b, responsesPath, `{"model":"m","input":"and?","previous_response_id":"resp_1"}`)
		})
	}
}

func TestR15ItemsAndEncryptedReasoningGoToWhereTheyWereMade(t *testing.T) {
	for _, input := range []string{
		`{"type":"item_reference","id":"reasoning_1_0"}`,
		`{"type":"reasoning","id":"reasoning_1_0","summary":[],"encrypted_content":"other"}`,
		`{"type":"reasoning","summary":[],"encrypted_content":"sealed by %s"}`,
	} {
		for _, stream := range []bool{false, true} {
			g, a, b := accounts(t)
			g.do(t, http.MethodPost, responsesPath, fmt.Sprintf(`{"model":"m","stream":%v,"input":"hi"}`, stream))
			item := strings.ReplaceAll(input, "%s", a.URL)
			follow(t, g, a, b, responsesPath, `{"model":"m","input":[`+item+`,{"role":"user","content":"and?"}]}`)
		}
	}
}

func TestR15EncryptedReasoningOfOtherClientsGoesToWhereItWasMade(t *testing.T) {
	t.Run("sealed", func(t *testing.T) {
		for _, stream := range []bool{false, true} {
			g, a, b := accounts(t)
			first := g.do(t, http.MethodPost, "/v1/messages", fmt.Sprintf(`{"model":"m","stream":%v,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, stream), "Anthropic-Version", "2023-06-01")
			_, rest, _ := strings.Cut(first.body, `"signature":"bGxt`)
			signature, _, _ := strings.Cut(rest, `"`)
			follow(t, g, a, b, "/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[`+
				`{"type":"thinking","thinking":"hm","signature":"bGxt`+signature+`"},{"type":"text","text":"x"}]},{"role":"user","content":"and?"}]}`)
		}
	})
	t.Run("kept for the client", func(t *testing.T) {
		for _, stream := range []bool{false, true} {
			g, a, b := accounts(t)
			const tools = `"reasoning_effort":"low","tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]`
			first := g.chat(t, fmt.Sprintf(`{"model":"m","stream":%v,%s,"messages":[{"role":"user","content":"hi"}]}`, stream, tools))
			equal(t, "status", first.status, 200)
			id := "call_of_" + a.URL[len(a.URL)-5:]
			follow(t, g, a, b, chatPath, `{"model":"m",`+tools+`,"messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[`+
				`{"id":"`+id+`","type":"function","function":{"name":"look","arguments":"{}"}}]},{"role":"tool","tool_call_id":"`+id+`","content":"x"}]}`)
		}
	})
}

func TestR15PinsAreOfOneCaller(t *testing.T) {
	a, b := testllm.New(t), testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/o9", "b/o9"}, policy: new(routing.RoundRobin)}},
		keys:      []auth.Key{{ID: "mine", Digests: []auth.Digest{auth.DigestOf("secret-1")}}, {ID: "theirs", Digests: []auth.Digest{auth.DigestOf("secret-2")}}},
	}.start(t)
	g.do(t, http.MethodPost, responsesPath, `{"model":"m","input":"hi"}`, "Authorization", "Bearer secret-1")
	g.do(t, http.MethodPost, responsesPath, `{"model":"m","input":"x","previous_response_id":"resp_1"}`, "Authorization", "Bearer secret-2")
	wantCalls(t, b, 1)
	g.do(t, http.MethodPost, responsesPath, `{"model":"m","input":"x","previous_response_id":"resp_1"}`, "Authorization", "Bearer secret-1")
	wantCalls(t, a, 2)
}

func TestR15APinnedCallDoesNotGoElsewhereWhenItFails(t *testing.T) {
	g, a, b := accounts(t)
	g.do(t, http.MethodPost, responsesPath, `{"model":"m","input":"hi"}`)
	a.Script(testllm.Reply{Status: 503}, testllm.Reply{Status: 503}, testllm.Reply{Status: 503})
	got := g.do(t, http.MethodPost, responsesPath, `{"model":"m","input":"x","previous_response_id":"resp_1"}`)
	equal(t, "status", got.status, 503)
	wantCalls(t, a, 4)
	wantCalls(t, b, 0)
}
