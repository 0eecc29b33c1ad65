package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

func textChunk(text string) string {
	return fmt.Sprintf("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", text)
}

const finishChunk = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"

// begun is a stream after its first words.
var begun = skeletonChunk + textChunk("caf\u00e9 ") + textChunk("\U0001F600")

const brokenOff = `data: {"error":{"message":"Upstream stream ended unexpectedly.","type":"api_error","param":null,"code":"upstream_stream_error"}}` + "\n\n"

// after opens a stream, reads its beginning, and only then does what makes it go
// on: what comes later cannot come in the same read.
func (g *gate) after(t *testing.T, begin, request string, then func()) answer {
	t.Helper()
	response, err := g.open(t.Context(), http.MethodPost, chatPath, request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len(begin))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != begin {
		t.Fatalf("the stream begins with %q (%v)", first, err)
	}
	then()
	rest, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(rest), err}
}

func TestStreamThatBreaksOffEndsWithAnError(t *testing.T) {
	said := `data: {"error":{"message":"Overloaded, sorry","type":"server_error","code":"x"},"more":1.0}` + "\n\n"
	ours := func(message, kind, code string) string {
		return fmt.Sprintf("data: {\"error\":{\"message\":%q,\"type\":%q,\"param\":null,\"code\":%q}}\n\n", message, kind, code)
	}
	stalled := ours("Upstream stream stalled.", "timeout_error", "upstream_timeout")
	for _, test := range []struct {
		name  string
		reply testllm.Reply // after the beginning
		end   string
		code  string
	}{
		{"end", testllm.Reply{}, brokenOff, "upstream_stream_error"},
		{"cut", testllm.Reply{Cut: testllm.FIN}, brokenOff, "upstream_stream_error"},
		{"reset", testllm.Reply{Cut: testllm.Reset}, brokenOff, "upstream_stream_error"},
		{"half an event", testllm.Reply{RawEvents: []string{finishChunk[:40]}}, brokenOff, "upstream_stream_error"},
		{"half an end", testllm.Reply{RawEvents: []string{"data: [DON"}}, brokenOff, "upstream_stream_error"},
		{"cut within a rune", testllm.Reply{RawEvents: []string{"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\xc3"}, Cut: testllm.FIN}, brokenOff, "upstream_stream_error"},
		{"the provider's error", testllm.Reply{RawEvents: []string{said, textChunk("more"), doneEvent}}, said + textChunk("more") + doneEvent, "x"},
		{"the provider's error and no more", testllm.Reply{RawEvents: []string{strings.TrimSpace(said)}}, said[:len(said)-2], "x"},
		{"a named error", testllm.Reply{RawEvents: []string{"event: error\n" + said, doneEvent}}, "event: error\n" + said + doneEvent, "x"},
		{"an error that tells a secret", testllm.Reply{RawEvents: []string{strings.Replace(said, "sorry", providerKey, 1), doneEvent}}, ours("Overloaded, [redacted]", "server_error", "x"), "x"},
		{"our own credential", testllm.Reply{RawEvents: []string{strings.Replace(said, `"code":"x"`, `"code":"invalid_api_key"`, 1)}},
			ours("The provider refused this gateway's own credential: the operator must check the provider's api_key.", "api_error", "upstream_auth_error"), "upstream_auth_error"},
		{"garbage", testllm.Reply{RawEvents: []string{"data: {\n\n", doneEvent}}, ours("The provider's answer could not be read.", "api_error", "upstream_protocol_error"), "upstream_protocol_error"},
		{"an endless event", testllm.Reply{RawEvents: []string{"data: " + strings.Repeat("x", 80<<10)}},
			ours("An event of the upstream stream is larger than this gateway takes.", "api_error", "event_too_large"), "event_too_large"},
		{"stall", testllm.Reply{Hold: true}, stalled, "upstream_timeout"},
		{"stall within an event", testllm.Reply{RawEvents: []string{doneEvent[:9]}, Hold: true}, stalled, "upstream_timeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, a, b := pair(t, func(g *gateway.Gateway) { g.Limits.Idle, g.Limits.Event = patience, 64<<10 })
			reply := test.reply
			reply.RawEvents, reply.StallAfter = append([]string{begun}, reply.RawEvents...), 1
			goOn := a.Release
			if reply.Hold { // there rather than before the answer
				g, a, b = pair(t, func(g *gateway.Gateway) { g.Limits.Idle = 80 * time.Millisecond })
				reply.Hold, reply.StallAfter, goOn = false, len(reply.RawEvents), func() {}
			}
			a.Script(reply)
			got := g.after(t, begun, askStream("m"), goOn)
			equal(t, "end", got.body, test.end)
			equal(t, "how it ended", got.err, nil)
			wantCalls(t, b, 0)
			record := g.record(t)
			equal(t, "ending", record.Ending, usage.Broken)
			equal(t, "error", record.Error, test.code)
			equal(t, "status", record.Status, http.StatusOK)
			if !record.Tokens.Estimated || record.Tokens.Input == 0 || record.Tokens.Output < 2 {
				t.Errorf("tokens are %+v", record.Tokens)
			}
		})
	}
}

func TestStreamThatIsGivenUpIsCancelledUpstream(t *testing.T) {
	g, a, _ := pair(t, func(g *gateway.Gateway) { g.Limits.Idle = 50 * time.Millisecond })
	a.Script(testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1})
	g.chat(t, askStream("m"))
	a.WaitCancelled(t, 1)
}

func TestStreamsThatEndedWellAreComplete(t *testing.T) {
	for _, test := range []struct {
		name   string
		events []string
	}{
		{"done", []string{begun, finishChunk, doneEvent}},
		{"no [DONE]", []string{begun, finishChunk}},
		{"no blank line", []string{begun, finishChunk, "data: [DONE]"}},
		{"no blank line, no [DONE]", []string{begun, strings.TrimSpace(finishChunk)}},
		{"no finish reason", []string{begun, doneEvent}},
		{"more after the end", []string{begun, finishChunk, doneEvent, ": bye\n\n"}},
		{"an unknown event", []string{`data: {"object":"novel"}` + "\n\n", doneEvent}},
		{"two choices", []string{begun, strings.Replace(textChunk("b"), `"index":0`, `"index":1`, 1), finishChunk, strings.Replace(finishChunk, `"index":0`, `"index":1`, 1)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, srv := single(t, nil)
			srv.Script(testllm.Reply{RawEvents: test.events})
			got := g.chat(t, askStream("openai/x"))
			equal(t, "stream", got.body, strings.Join(test.events, ""))
			equal(t, "how it ended", got.err, nil)
			equal(t, "ending", g.record(t).Ending, usage.Complete)
		})
	}
}

func TestOneOfTwoChoicesIsNoEnd(t *testing.T) {
	g, srv := single(t, nil)
	two := begun + strings.Replace(textChunk("b"), `"index":0`, `"index":1`, 1)
	srv.Script(testllm.Reply{RawEvents: []string{two, finishChunk}, StallAfter: 1})
	equal(t, "end", g.after(t, two, askStream("openai/x"), srv.Release).body, finishChunk+brokenOff)
}

func TestS01SlicesOfAStreamDoNotMatter(t *testing.T) {
	events := append(append([]string{}, oddEvents...), textChunk("caf\u00e9 \U0001F600"), usageChunk, doneEvent)
	want := strings.Join(oddEvents, "") + textChunk("caf\u00e9 \U0001F600") + doneEvent
	g, srv := single(t, nil)
	for size := 1; size < 70; size++ {
		srv.Script(testllm.Reply{RawEvents: events, WritesOf: size})
		if got := g.chat(t, askStream("openai/x")); got.body != want {
			t.Fatalf("in slices of %d bytes the stream is %q", size, got.body)
		}
	}
}

func TestProviderThatKeepsTheConnectionOpenHoldsNobodyUp(t *testing.T) {
	t.Parallel() // it takes the time that is granted for closing
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{RawEvents: []string{begun, finishChunk, doneEvent}, StallAfter: 3})
	got := g.chat(t, askStream("openai/x"))
	equal(t, "stream", got.body, begun+finishChunk+doneEvent)
	record := g.record(t)
	equal(t, "ending", record.Ending, usage.Complete)
	if record.Duration > 4*time.Second {
		t.Errorf("the client was held up for %v", record.Duration)
	}
	srv.WaitCancelled(t, 1)
}

func TestS10SilentTargetsFailOver(t *testing.T) {
	for name, reply := range map[string]testllm.Reply{
		"no header": {Hold: true},
		"no event":  {StallAfter: testllm.AtOnce},
	} {
		t.Run(name, func(t *testing.T) {
			g, a, b := pair(t, func(g *gateway.Gateway) { g.Limits.FirstToken = 50 * time.Millisecond })
			a.Script(reply)
			b.Script(testllm.Reply{Chunks: []string{foundText}, Delay: 150 * time.Millisecond}) // the last may take its time
			wantText(t, g.chat(t, askStream("m")), foundText)
			a.WaitCancelled(t, 1)
			equal(t, "possible duplicate", g.record(t).PossibleDuplicate, true)
		})
	}
}

func TestTimeRunsOutUntilTheAnswerCommits(t *testing.T) {
	for _, test := range []struct {
		name, request string
		reply         testllm.Reply
	}{
		{"no header", ask("m"), testllm.Reply{Hold: true}},
		{"no body", ask("m"), testllm.Reply{StallAfter: testllm.AtOnce}},
		{"no end of the body", ask("m"), testllm.Reply{Header: http.Header{"Content-Length": nil}, StallAfter: 1}},
		{"no header of a stream", askStream("m"), testllm.Reply{Hold: true}},
		{"no event", askStream("m"), testllm.Reply{StallAfter: testllm.AtOnce}},
		{"skeleton only", askStream("m"), testllm.Reply{StallAfter: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, a, b := pair(t, func(g *gateway.Gateway) { g.Limits.Total = 60 * time.Millisecond })
			a.Script(test.reply)
			got := g.chat(t, test.request)
			wantError(t, got, http.StatusGatewayTimeout, "upstream_timeout")
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
			a.WaitCancelled(t, 1)
			wantCalls(t, b, 0)
			record := g.record(t)
			equal(t, "attempts", record.Attempts, 1)
			if record.Tokens.Input == 0 || !record.Tokens.Estimated {
				t.Errorf("tokens are %+v", record.Tokens)
			}
		})
	}
}

func TestTimeDoesNotRunOutWhileAnAnswerComes(t *testing.T) {
	g, srv := single(t, func(g *gateway.Gateway) { g.Limits.Total = 100 * time.Millisecond })
	srv.Script(testllm.Reply{RawEvents: []string{begun, finishChunk + doneEvent}, ChunkDelay: 200 * time.Millisecond})
	equal(t, "stream", g.chat(t, askStream("openai/x")).body, begun+finishChunk+doneEvent)
}

func TestMuchSkeletonIsAnAnswer(t *testing.T) {
	g, a, b := pair(t, nil)
	long := ": " + strings.Repeat("x", 70<<10) + "\n\n"
	a.Script(testllm.Reply{RawEvents: []string{long}, StallAfter: 1})
	equal(t, "end", g.after(t, long, askStream("m"), a.Release).body, brokenOff)
	wantCalls(t, b, 0)
}

func TestS12SilentStreamIsKeptAlive(t *testing.T) {
	g, srv := single(t, func(g *gateway.Gateway) { g.Stream.Heartbeat = 20 * time.Millisecond })
	srv.Script(testllm.Reply{RawEvents: []string{begun + textChunk("x")[:20], textChunk("x")[20:] + doneEvent}, StallAfter: 1})
	response, err := g.open(t.Context(), http.MethodPost, chatPath, askStream("openai/x"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	beats, rest := 0, ""
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if line := lines.Text(); line == ": keep-alive" {
			lines.Scan() // its blank line
			if beats++; beats == 3 {
				srv.Release()
			}
		} else {
			rest += line + "\n"
		}
	}
	equal(t, "stream without its signs of life", rest, begun+textChunk("x")+doneEvent)
}

func TestS20StoppingProcessEndsStreamsHonestly(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := single(t, func(g *gateway.Gateway) { g.Streams = streams })
	srv.Script(testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1})
	got := g.after(t, begun, askStream("openai/x"), streams.End)
	equal(t, "end", got.body, `data: {"error":{"message":"The gateway is stopping: ask again.","type":"overloaded_error","param":null,"code":"gateway_stopping"}}`+"\n\n")
	equal(t, "error", g.record(t).Error, "gateway_stopping")
}
