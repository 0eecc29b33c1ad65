package gateway_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

func TestErrorIsNotGluedToALastEventWithoutItsBlankLine(t *testing.T) {
	g, srv := single(t, nil)
	torn := strings.TrimSpace(textChunk("b"))
	srv.Script(testllm.Reply{RawEvents: []string{begun, torn}, StallAfter: 1})
	equal(t, "end", g.after(t, begun, askStream("openai/x"), srv.Release).body, torn+"\n\n"+brokenOff)
}

func TestChoiceThatEndsBeforeAnotherBeginsIsNoEnd(t *testing.T) {
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{RawEvents: []string{begun, finishChunk}, StallAfter: 1})
	request := strings.Replace(askStream("openai/x"), "{", `{"n":2,`, 1)
	equal(t, "end", g.after(t, begun, request, srv.Release).body, finishChunk+brokenOff)
	equal(t, "ending", g.record(t).Ending, usage.Broken)
}

// A key that was revoked is no reason to leave the provider.
func TestAnotherKeyOfTheProviderIsTried(t *testing.T) {
	srv := testllm.New(t)
	srv.On(func(c *testllm.Call) testllm.Reply {
		if c.Header.Get("Authorization") == "Bearer key-revoked" {
			return testllm.Reply{Status: http.StatusUnauthorized}
		}
		return testllm.Reply{Text: "fine"}
	})
	g := setup{upstreams: []*providers.Upstream{loadKeys(t, "p", srv.URL+"/v1", `["key-revoked","key-good"]`)}}.start(t)
	var attempts []int
	for range 4 {
		equal(t, "status", g.chat(t, ask("p/x")).status, http.StatusOK)
		attempts = append(attempts, g.record(t).Attempts)
	}
	if !slices.Contains(attempts, 2) {
		t.Errorf("the revoked key was never met: %v", attempts)
	}
}

// What became unavailable while it was asked is so with every key.
func TestProviderThatIsTakenOutOfUseIsNotAskedWithAnotherKey(t *testing.T) {
	a, b := testllm.New(t), testllm.New(t)
	var gw *gateway.Gateway
	upstreams := []*providers.Upstream{loadKeys(t, "a", a.URL+"/v1", `["one","two"]`), load(t, "b", "openai", b.URL+"/v1")}
	a.On(func(*testllm.Call) testllm.Reply {
		gw.Routes.Health(upstreams[0]).Disable(true)
		return testllm.Reply{Status: http.StatusTooManyRequests}
	})
	g := setup{
		upstreams: upstreams, aliases: []alias{{name: "m", to: []string{"a/x", "b/x"}}},
		change: func(g *gateway.Gateway) { gw = g },
	}.start(t)
	equal(t, "status", g.chat(t, ask("m")).status, http.StatusOK)
	wantCalls(t, a, 1)
	wantCalls(t, b, 1)
}

func TestHTMLIsNotServedAsSuch(t *testing.T) {
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{Text: "x", Header: http.Header{"Content-Type": {"text/html"}}})
	got := g.chat(t, ask("openai/x"))
	equal(t, "status", got.status, http.StatusOK)
	equal(t, "content type", got.header.Get("Content-Type"), "application/json")
}

// What a provider says in the very event that fails is said: the encoder has
// begun it, and what closes the stream must fit.
func TestContentThatComesWithAnErrorIsKept(t *testing.T) {
	g, srv := vendors(t, nil)
	const failed = `data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look","arguments":"{"}}]},"finish_reason":"error"}]}` + "\n\n"
	srv.Script(testllm.Reply{RawEvents: []string{begun, failed}, StallAfter: 1})
	request := strings.Replace(forModel(dialects[2].streamBody, "chat/m"), `"max_tokens"`, `"tools":[{"name":"look","input_schema":{"type":"object"}}],"max_tokens"`, 1)
	response, err := g.open(t.Context(), http.MethodPost, "/v1/messages", request, dialects[2].header...)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	srv.Release()
	var body strings.Builder
	_, _ = io.Copy(&body, response.Body)
	for _, word := range []string{`"name":"look"`, "event: error"} {
		if !strings.Contains(body.String(), word) {
			t.Errorf("the stream has no %s: %s", word, body.String())
		}
	}
	equal(t, "ending", g.record(t).Ending, usage.Broken)
}
