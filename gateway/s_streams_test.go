package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// The rows of the streaming tests. What a row asks of every format is tried with
// every client's and every provider's; the provider's ledger is the witness of
// what must be paid. S-01, S-10, S-12 and S-13 are beside what they test.

var providerModels = []string{"chat/m", "claude/claude-opus-4-5", "google/gemini-3-pro"}

const (
	manyWords = "one two three four five six seven eight nine"
	// soon is long enough that what comes after it does not come in the same read.
	soon = 3 * time.Millisecond
)

// eachWay runs a test of streams for every client's format and every provider's.
func eachWay(t *testing.T, change func(*gateway.Gateway), test func(t *testing.T, g *gate, srv *testllm.Server, model string, ask func() answer)) {
	for _, d := range dialects {
		for _, model := range providerModels {
			t.Run(d.name+" to "+model, func(t *testing.T) {
				g, srv := vendors(t, change)
				test(t, g, srv, model, func() answer {
					got := g.do(t, http.MethodPost, forModel(d.streamPath, model), forModel(d.streamBody, model), d.header...)
					if got.status != http.StatusOK || got.err != nil || strings.Contains(got.body, d.ends) || !strings.Contains(got.body, "rror") {
						t.Errorf("the stream that broke off is %d %q (%v)", got.status, got.body, got.err)
					}
					if events := strings.Split(strings.TrimSpace(got.body), "\n\n"); strings.HasSuffix(got.body, "\n\n") && strings.Count(events[len(events)-1], "data: ") != 1 {
						t.Errorf("the error is part of another event: %q", events[len(events)-1])
					}
					return got
				})
			})
		}
	}
}

// wantBroken checks the record of a stream that broke off, against what the
// provider bills.
func wantBroken(t *testing.T, g *gate, srv *testllm.Server, code string) {
	t.Helper()
	r, billed := g.record(t), srv.Calls()[0]
	equal(t, "ending", r.Ending, usage.Broken)
	equal(t, "error", r.Error, code)
	equal(t, "attempts", r.Attempts, 1)
	if r.Tokens.Input == 0 || r.Tokens.Output == 0 || billed.Completion > 0 && r.Tokens.Output*2 < int64(billed.Completion) {
		t.Errorf("tokens are %+v, the provider bills %d", r.Tokens, billed.Completion)
	}
	wantCalls(t, srv, 1)
}

func TestS02LinesOfEveryKindSayTheSame(t *testing.T) {
	const first, second = `{"choices":[{"index":0,"delta":{"content":"caf\u00e9 "},"finish_reason":null}]}`, `{"choices":[{"index":0,"delta":{"content":"noir"},"finish_reason":"stop"}]}`
	for name, stream := range map[string]string{
		"LF":              "data: " + first + "\n\ndata: " + second + "\n\ndata: [DONE]\n\n",
		"CRLF":            "data: " + first + "\r\n\r\ndata: " + second + "\r\n\r\ndata: [DONE]\r\n\r\n",
		"CR":              "data: " + first + "\r\rdata: " + second + "\r\rdata: [DONE]\r\r",
		"mixed":           "data: " + first + "\r\n\ndata: " + second + "\n\r\ndata: [DONE]\r\n\r\n",
		"byte order mark": "\ufeffdata: " + first + "\n\ndata: " + second + "\n\ndata: [DONE]\n\n",
		"no space":        "data:" + first + "\n\ndata:" + second + "\n\ndata:[DONE]\n\n",
		"comments":        ": a\n\n:\n\ndata: " + first + "\n: b\n\ndata: " + second + "\n\n: c\n\ndata: [DONE]\n\n",
		"unknown fields":  "id: 1\nretry: 5\nx: y\ndata: " + first + "\n\nzz\ndata: " + second + "\n\ndata: [DONE]\n\n",
		"lines of data":   "data: " + strings.Replace(first, ",", ",\ndata: ", 1) + "\n\ndata: " + second + "\n\ndata: [DONE]\n\n",
	} {
		for _, size := range []int{1, 7, 1000} {
			t.Run(name, func(t *testing.T) {
				g, srv := vendors(t, nil)
				reply := testllm.Reply{RawEvents: []string{stream}, WritesOf: size}
				srv.Script(reply, reply)
				equal(t, "passed on", g.chat(t, askStream("chat/m")).body, stream)
				got := g.do(t, http.MethodPost, "/v1/messages", forModel(dialects[2].streamBody, "chat/m"), dialects[2].header...)
				wantText(t, got, `"text":"caf\u00e9 "`)
				wantText(t, got, `"text":"noir"`)
				wantText(t, got, dialects[2].ends)
			})
		}
	}
}

func TestS03LongLinesPassAndLongerOnesAreRefused(t *testing.T) {
	const whole, tooLong = 12 << 20, 17 << 20
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{RawEvents: []string{textChunk("a"), textChunk(strings.Repeat("x", whole)), finishChunk, doneEvent}})
	got := g.chat(t, askStream("openai/x"))
	if len(got.body) < whole || !strings.HasSuffix(got.body, doneEvent) {
		t.Fatalf("got %d bytes that end with %q", len(got.body), got.body[max(0, len(got.body)-100):])
	}
	equal(t, "ending", g.record(t).Ending, usage.Complete)

	srv.Script(testllm.Reply{RawEvents: []string{begun, textChunk(strings.Repeat("x", tooLong))}})
	got = g.chat(t, askStream("openai/x"))
	if !strings.HasPrefix(got.body, begun) || !strings.Contains(got.body[len(begun):], "event_too_large") || len(got.body) > 2000 {
		t.Errorf("got %d bytes: %.500q", len(got.body), got.body)
	}
	r := g.record(t)
	equal(t, "ending", r.Ending, usage.Broken)
	equal(t, "error", r.Error, "event_too_large")
	if r.Tokens.Output == 0 {
		t.Errorf("tokens are %+v", r.Tokens)
	}
}

func TestS04EventWithoutAnEndIsGivenUp(t *testing.T) {
	const offered = 1 << 30
	var said atomic.Int64
	done := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer close(done)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, begun+"data: ")
		for piece := []byte(strings.Repeat("x", 64<<10)); said.Load() < offered; {
			n, err := w.Write(piece)
			if said.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer upstream.Close()
	g := setup{upstreams: []*providers.Upstream{load(t, "openai", "openai", upstream.URL+"/v1")}}.start(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := g.chat(t, askStream("openai/x"))
	<-done
	runtime.ReadMemStats(&after)
	if !strings.HasPrefix(got.body, begun) || !strings.Contains(got.body, "event_too_large") {
		t.Errorf("got %.500q", got.body)
	}
	const buffers = 16 << 20 // of the two sockets
	if n := said.Load(); n > gateway.DefaultMaxEvent+buffers {
		t.Errorf("%d bytes were read", n)
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 120<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	equal(t, "error", g.record(t).Error, "event_too_large")
}

func TestS05ResetAfterContentEndsWithTheClientsError(t *testing.T) {
	eachWay(t, nil, func(t *testing.T, g *gate, srv *testllm.Server, _ string, ask func() answer) {
		srv.Script(testllm.Reply{Text: manyWords, CutAfter: 6, Cut: testllm.Reset, ChunkDelay: soon})
		wantText(t, ask(), "one")
		wantBroken(t, g, srv, "upstream_stream_error")
	})
}

func TestS06CutWithinAnEventLeavesAnErrorThatCanBeRead(t *testing.T) {
	eachWay(t, nil, func(t *testing.T, g *gate, srv *testllm.Server, _ string, ask func() answer) {
		srv.Script(testllm.Reply{Text: manyWords, CutBytes: 1000, Cut: testllm.FIN, ChunkDelay: soon})
		wantText(t, ask(), "one")
		wantBroken(t, g, srv, "upstream_stream_error")
	})
}

func TestS07EndWithoutATerminatorIsACut(t *testing.T) {
	eachWay(t, nil, func(t *testing.T, g *gate, srv *testllm.Server, model string, ask func() answer) {
		reply := testllm.Reply{Text: manyWords, NoTerminator: true, ChunkDelay: soon}
		if model == providerModels[0] { // where a finish reason is an end, [DONE] or not
			reply = testllm.Reply{RawEvents: []string{textChunk("one "), textChunk("two "), textChunk("nine")}, ChunkDelay: soon}
		}
		srv.Script(reply)
		wantText(t, ask(), "nine")
		wantBroken(t, g, srv, "upstream_stream_error")
	})
}

func TestS08ErrorBeforeContentFailsOver(t *testing.T) {
	for i, model := range providerModels {
		srv, second := testllm.New(t), testllm.New(t)
		g := setup{
			upstreams: []*providers.Upstream{
				load(t, "chat", "openai_compatible", srv.URL+"/v1"), load(t, "claude", "anthropic", srv.URL), load(t, "google", "gemini", srv.URL),
				load(t, "second", "anthropic", second.URL),
			},
			aliases: []alias{{name: "m", to: []string{model, "second/claude-sonnet-4-5"}}},
			change: func(g *gateway.Gateway) {
				g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
			},
		}.start(t)
		d := dialects[2]
		srv.Script(testllm.Reply{Text: lostText, ErrorAfter: testllm.AtOnce})
		second.Script(testllm.Reply{Chunks: []string{foundText}})
		got := g.do(t, http.MethodPost, d.streamPath, forModel(d.streamBody, "m"), d.header...)
		wantText(t, got, foundText)
		wantText(t, got, d.ends)
		if strings.Contains(got.body, "rror") || strings.Contains(got.body, lostText) {
			t.Errorf("%d: the client saw the first target: %s", i, got.body)
		}
		r := g.record(t)
		equal(t, "ending", r.Ending, usage.Complete)
		equal(t, "output", r.Tokens.Output, int64(second.Calls()[0].Completion))
		equal(t, "billed by the first", srv.Calls()[0].Completion, 0)
	}
}

func TestS09ErrorAfterContentIsTheEnd(t *testing.T) {
	eachWay(t, nil, func(t *testing.T, g *gate, srv *testllm.Server, _ string, ask func() answer) {
		srv.Script(testllm.Reply{Text: manyWords, ErrorAfter: 2, ChunkDelay: soon, Error: testllm.Error{Message: "Too busy, sorry."}})
		got := ask()
		wantText(t, got, "one")
		wantText(t, got, "Too busy, sorry.")
		r := g.record(t)
		equal(t, "ending", r.Ending, usage.Broken)
		equal(t, "attempts", r.Attempts, 1)
		if r.Tokens.Output == 0 {
			t.Errorf("tokens are %+v", r.Tokens)
		}
		wantCalls(t, srv, 1)
	})
}

func TestS11SilenceWithinAStreamIsGivenUp(t *testing.T) {
	eachWay(t, func(g *gateway.Gateway) { g.Limits.Idle = 60 * time.Millisecond }, func(t *testing.T, g *gate, srv *testllm.Server, _ string, ask func() answer) {
		srv.Script(testllm.Reply{Text: manyWords, StallAfter: 6})
		wantText(t, ask(), "one")
		srv.WaitCancelled(t, 1)
		wantBroken(t, g, srv, "upstream_timeout")
	})
}
