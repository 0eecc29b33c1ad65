package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// heard reads the chunks of a stream up to the error that ends it.
func heard(t *testing.T, body string) (*said, string) {
	t.Helper()
	s, failed := new(said), ""
	for event := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		data := strings.TrimPrefix(event, "data: ")
		switch {
		case failed != "":
			t.Errorf("after the error came %q", event)
		case strings.HasPrefix(data, `{"error":{`):
			failed = data
		default:
			s.add(t, data)
		}
	}
	return s, failed
}

func TestForeignStreamThatBreaksOffEndsWithAnError(t *testing.T) {
	for _, f := range foreigners {
		for _, test := range []struct {
			name  string
			reply testllm.Reply
			code  string
		}{
			{"cut", testllm.Reply{CutAfter: 5}, "upstream_stream_error"},
			{"reset", testllm.Reply{CutAfter: 5, Cut: testllm.Reset}, "upstream_stream_error"},
			{"no end", testllm.Reply{NoTerminator: true}, "upstream_stream_error"},
			{"stall", testllm.Reply{StallAfter: 5}, "upstream_timeout"},
			{"the provider's error", testllm.Reply{ErrorAfter: 3, Error: testllm.Error{Message: "sorry " + providerKey}}, ""},
		} {
			t.Run(f.module+" "+test.name, func(t *testing.T) {
				g, srv := foreign(t, f.module, func(g *gateway.Gateway) { g.Limits.Idle = 80 * time.Millisecond })
				reply := test.reply
				reply.Text, reply.ChunkDelay = "one two three four five six seven", 5*time.Millisecond
				srv.Script(reply)
				got := g.chat(t, askStream(f.model))
				equal(t, "status", got.status, http.StatusOK)
				equal(t, "how it ended", got.err, nil)
				s, failed := heard(t, got.body)
				if !strings.HasPrefix("one two three four five six seven", s.text) || s.text == "" || s.finish != "" {
					t.Errorf("the client heard %+v", s)
				}
				if failed == "" || !strings.Contains(failed, `"code":"`+test.code) || strings.Contains(failed, providerKey) {
					t.Errorf("the stream ends with %q", failed)
				}
				record := g.record(t)
				equal(t, "ending", record.Ending, usage.Broken)
				if record.Tokens.Input == 0 || record.Tokens.Output == 0 {
					t.Errorf("tokens are %+v", record.Tokens)
				}
			})
		}
	}
}

func TestForeignFailuresBeforeContentAreUnseen(t *testing.T) {
	eachForeign(t, func(t *testing.T, module, _ string, stream bool) {
		for _, reply := range []testllm.Reply{
			{Status: 529}, {Status: 500}, {Status: 401}, {ResetConnection: true}, {CutAfter: testllm.AtOnce}, {CutBytes: 30},
			{ErrorAfter: testllm.AtOnce, Text: lostText, Status: map[bool]int{false: 503}[stream]},
			{Body: []byte("<html>" + lostText)}, {Body: []byte("{")}, {Body: []byte{}}, {RawEvents: []string{"data: {" + lostText + "\n\n"}},
			{RawEvents: []string{`data: {"error":{"message":"` + lostText + `"}}` + "\n\n"}},
		} {
			a, b := testllm.New(t), testllm.New(t)
			g := setup{
				upstreams: []*providers.Upstream{load(t, "a", module, a.URL), load(t, "b", "openai", b.URL)},
				aliases:   []alias{{name: "m", to: []string{"a/x", "b/y"}}},
			}.start(t)
			a.Script(reply)
			b.Script(testllm.Reply{Chunks: []string{foundText}})
			got := g.chat(t, string(testllm.ChatRequest("m", stream, "hi")))
			wantText(t, got, foundText)
			if strings.Contains(fmt.Sprint(got), lostText) {
				t.Errorf("%+v: the client got %s", reply, got.body)
			}
			equal(t, "provider", g.record(t).Provider, "b")
		}
	})
}

func TestAnyFormatTakesOverFromAnother(t *testing.T) {
	modules := []string{"openai", "anthropic", "gemini"}
	for i, module := range modules {
		a, b := testllm.New(t), testllm.New(t)
		g := setup{
			upstreams: []*providers.Upstream{load(t, "a", module, a.URL), load(t, "b", modules[(i+1)%3], b.URL)},
			aliases:   []alias{{name: "m", to: []string{"a/x", "b/y"}}},
		}.start(t)
		a.Script(testllm.Reply{Status: 503})
		b.Script(testllm.Reply{Text: foundText})
		for _, stream := range []bool{false, true} {
			got := g.chat(t, fmt.Sprintf(`{"model":"m","stream":%v,"messages":[{"role":"user","content":"hi"}],"logit_bias":{"1":2}}`, stream))
			equal(t, "text", listen(t, got).text, foundText)
			want := "/logit_bias"
			if modules[(i+1)%3] == "openai" {
				want = ""
			}
			equal(t, "X-Llm-Dropped", got.header.Get("X-Llm-Dropped"), want)
		}
	}
}

func TestForeignStreamThatIsLeftIsPaidFor(t *testing.T) {
	for _, f := range foreigners {
		g, srv := foreign(t, f.module, nil)
		srv.Script(testllm.Reply{Text: strings.Repeat("many words ", 30), StallAfter: 50, Usage: testllm.Usage{Input: 77, Output: 1000}})
		ctx, leave := context.WithCancel(t.Context())
		response, err := g.open(ctx, http.MethodPost, chatPath, askStream(f.model))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadFull(response.Body, make([]byte, 4000))
		leave()
		response.Body.Close()
		srv.WaitCancelled(t, 1)
		record := g.record(t)
		equal(t, "ending", record.Ending, usage.ClientGone)
		equal(t, "input", record.Tokens.Input, 77)
		if record.Tokens.Output < 10 {
			t.Errorf("tokens are %+v", record.Tokens)
		}
	}
}

func TestForeignCommentsAndStrangersAreLeftOut(t *testing.T) {
	g, srv := foreign(t, "gemini", nil)
	srv.Script(testllm.Reply{RawEvents: []string{
		": hello\n\n", "event: novel\r\ndata: {\"novel\":1}\r\n\r\n",
		`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP"}]}`,
	}})
	got := listen(t, g.chat(t, askStream("p/gemini-2.5-pro")))
	equal(t, "text", got.text, "hi")
	equal(t, "ended", got.ended, true)
	equal(t, "ending", g.record(t).Ending, usage.Complete)
}
