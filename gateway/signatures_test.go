package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
)

const signature = "c2lnbmF0dXJlLWZyb20tdGhlLXByb3ZpZGVy"

// loopRequest goes on with a conversation in which the model thinks and calls tools.
const loopRequest = `{"model":%q,"stream":%v,"max_tokens":4000,"reasoning_effort":"high","tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],
"messages":[{"role":"user","content":"weather?"}%s]}`

// toolLoop has the model call two tools, and returns what a client says next
// that keeps to OpenAI's members: calls and results, no reasoning, no signatures.
func toolLoop(t *testing.T, g *gate, srv *testllm.Server, model string, stream bool, key string) string {
	t.Helper()
	srv.Script(testllm.Reply{Thinking: "let me think about caf\u00e9s", Signature: signature, Chunks: []string{"I shall look. "}, Tools: twoTools})
	got := listen(t, g.chat(t, fmt.Sprintf(loopRequest, model, stream, ""), "X-Api-Key", key))
	if len(got.tools) != 2 {
		t.Fatalf("the client heard %+v", got)
	}
	next := fmt.Sprintf(`,{"role":"assistant","content":"I shall look. ","tool_calls":[%s,%s]}`, plainCall(got.tools[0]), plainCall(got.tools[1]))
	for _, call := range got.tools {
		next += fmt.Sprintf(`,{"role":"tool","tool_call_id":%q,"content":"sunny"}`, call.ID)
	}
	return next
}

func lastBody(srv *testllm.Server) string {
	calls := srv.Calls()
	return string(calls[len(calls)-1].Body)
}

func TestSignaturesComeBackForClientsThatDropThem(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		srv := testllm.New(t)
		g := setup{
			upstreams: []*providers.Upstream{load(t, "p", module, srv.URL)},
			keys:      []auth.Key{{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}}, {ID: "other", Digests: []auth.Digest{auth.DigestOf(narrow)}}},
		}.start(t)
		next := toolLoop(t, g, srv, model, stream, appKey)
		srv.Script(testllm.Reply{})
		for _, streamNext := range []bool{false, true} {
			g.chat(t, fmt.Sprintf(loopRequest, model, streamNext, next), "X-Api-Key", appKey)
			body := lastBody(srv)
			equal(t, "signatures sent back", strings.Count(body, signature), 1)
			if module == "anthropic" {
				thinking, call := strings.Index(body, "let me think about caf"), strings.Index(body, `"tool_use"`)
				if thinking < 0 || thinking > call {
					t.Errorf("the thinking is not back before the calls: %s", body)
				}
			}
		}
		// To others, and to those who changed the id of the call, they are not given.
		g.chat(t, fmt.Sprintf(loopRequest, model, stream, next), "X-Api-Key", narrow)
		equal(t, "signatures sent for another principal", strings.Count(lastBody(srv), signature), 0)
	})
}

func TestSignaturesThatTheClientKeepsAreNotDoubled(t *testing.T) {
	g, srv := foreign(t, "anthropic", nil)
	model := "p/claude-sonnet-4-5"
	next := toolLoop(t, g, srv, model, false, "x")
	kept := fmt.Sprintf(`,"reasoning_details":[{"type":"reasoning.text","text":"let me think about caf\u00e9s","signature":%q,"format":"anthropic-claude-v1","index":0}]`, signature)
	next = strings.Replace(next, `"tool_calls"`, kept[1:]+`,"tool_calls"`, 1)
	srv.Script(testllm.Reply{})
	g.chat(t, fmt.Sprintf(loopRequest, model, false, next))
	equal(t, "signatures sent back", strings.Count(lastBody(srv), signature), 1)
	equal(t, "thoughts sent back", strings.Count(lastBody(srv), "let me think"), 1)
}

func TestSignaturesOfABrokenStreamAreNotKept(t *testing.T) {
	g, srv := foreign(t, "anthropic", nil)
	model := "p/claude-sonnet-4-5"
	srv.Script(testllm.Reply{Thinking: "hm", Signature: signature, Chunks: []string{}, Tools: []testllm.Tool{{ID: "toolu_7", Name: "weather"}}, NoTerminator: true})
	g.chat(t, fmt.Sprintf(loopRequest, model, true, ""))
	srv.Script(testllm.Reply{})
	g.chat(t, fmt.Sprintf(loopRequest, model, false, `,{"role":"assistant","tool_calls":[{"id":"toolu_7","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"toolu_7","content":"sunny"}`))
	equal(t, "signatures sent back", strings.Count(lastBody(srv), signature), 0)
}

func TestSignaturesGoToTheirVendorOnly(t *testing.T) {
	for i, f := range foreigners {
		srv, elsewhere := testllm.New(t), testllm.New(t)
		other := foreigners[1-i]
		g := setup{upstreams: []*providers.Upstream{load(t, "p", f.module, srv.URL), load(t, "q", other.module, elsewhere.URL), load(t, "o", "openai", elsewhere.URL)}}.start(t)
		next := toolLoop(t, g, srv, f.model, false, "x")
		for _, model := range []string{"q" + other.model[1:], "o/gpt-6"} {
			g.chat(t, fmt.Sprintf(loopRequest, model, false, next))
			equal(t, "signatures sent to "+model, strings.Count(lastBody(elsewhere), signature), 0)
		}
	}
}

func TestSignaturesAreBounded(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, nil)
		huge := strings.Repeat("c2ln", 100<<10)
		srv.Script(testllm.Reply{Thinking: "hm", Signature: huge, Chunks: []string{}, Tools: twoTools})
		got := listen(t, g.chat(t, fmt.Sprintf(loopRequest, model, stream, "")))
		next := fmt.Sprintf(`,{"role":"assistant","tool_calls":[%s]},{"role":"tool","tool_call_id":%q,"content":"sunny"}`, plainCall(got.tools[0]), got.tools[0].ID)
		srv.Script(testllm.Reply{})
		g.chat(t, fmt.Sprintf(loopRequest, model, stream, next))
		if n := len(lastBody(srv)); n > 10_000 {
			t.Errorf("the provider got %d bytes", n)
		}
	})
}

func TestNoSignaturesAreKeptWithoutAStore(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, model string, stream bool) {
		g, srv := foreign(t, module, func(g *gateway.Gateway) { g.Memory = nil })
		next := toolLoop(t, g, srv, model, stream, "x")
		srv.Script(testllm.Reply{})
		equal(t, "status", g.chat(t, fmt.Sprintf(loopRequest, model, stream, next)).status, 200)
		equal(t, "signatures sent back", strings.Count(lastBody(srv), signature), 0)
	})
}
