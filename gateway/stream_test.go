package gateway_test

import (
	"bufio"
	"fmt"
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

func TestStreamThatBreaksOffEndsWithAnError(t *testing.T) {
	said := `data: {"error":{"message":"Overloaded, sorry","type":"server_error","code":"x"},"more":1.0}` + "\n\n"
	for _, test := range []struct {
		name  string
		reply testllm.Reply
		end   string // the whole end, or the code in it
		code  string
	}{
		{"end", testllm.Reply{RawEvents: []string{begun}}, brokenOff, "upstream_stream_error"},
		{"cut", testllm.Reply{RawEvents: []string{begun}, Cut: testllm.FIN}, brokenOff, "upstream_stream_error"},
		{"reset", testllm.Reply{RawEvents: []string{begun, ""}, Cut: testllm.Reset}, brokenOff, "upstream_stream_error"},
		{"half an event", testllm.Reply{RawEvents: []string{begun, finishChunk[:40]}}, brokenOff, "upstream_stream_error"},
		{"half an end", testllm.Reply{RawEvents: []string{begun, "data: [DON"}}, brokenOff, "upstream_stream_error"},
		{"cut within a rune", testllm.Reply{RawEvents: []string{begun, textChunk("\u00e9")[:55]}}, brokenOff, "upstream_stream_error"},
		{"the provider's error", testllm.Reply{RawEvents: []string{begun, said, textChunk("more"), doneEvent}}, said, "x"},
		{"a named error", testllm.Reply{RawEvents: []string{begun, "event: error\n" + said, doneEvent}}, "event: error\n" + said, "x"},
		{"an error that tells a secret", testllm.Reply{RawEvents: []string{begun, strings.Replace(said, "sorry", providerKey, 1), doneEvent}}, "", "x"},
		{"our own credential", testllm.Reply{RawEvents: []string{begun, strings.Replace(said, `"code":"x"`, `"code":"invalid_api_key"`, 1)}}, "", "upstream_auth_error"},
		{"garbage", testllm.Reply{RawEvents: []string{begun, "data: {\n\n", doneEvent}}, "", "upstream_protocol_error"},
		{"an endless event", testllm.Reply{RawEvents: []string{begun, "data: " + strings.Repeat("x", 80<<10)}}, "", "event_too_large"},
		{"stall", testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1}, "", "upstream_timeout"},
		{"stall within an event", testllm.Reply{RawEvents: []string{begun, doneEvent[:9], doneEvent[9:]}, StallAfter: 2}, "", "upstream_timeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, a, b := pair(t, func(g *gateway.Gateway) { g.Limits.Idle, g.Limits.Event = 80*time.Millisecond, 64<<10 })
			a.Script(test.reply)
			got := g.chat(t, askStream("m"))
			end, ok := strings.CutPrefix(got.body, begun)
			if !ok || got.err != nil || got.status != http.StatusOK {
				t.Fatalf("answer is %+v", got)
			}
			if test.end != "" {
				equal(t, "end", end, test.end)
			}
			if !strings.HasPrefix(strings.TrimPrefix(end, "event: error\n"), `data: {"error":{`) || !strings.HasSuffix(end, "}\n\n") ||
				strings.Count(end, "data:") != 1 || !strings.Contains(end, `"code":"`+test.code+`"`) || strings.Contains(end, providerKey) {
				t.Errorf("the stream ends with %q", end)
			}
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
	events := begun + strings.Replace(textChunk("b"), `"index":0`, `"index":1`, 1) + finishChunk
	srv.Script(testllm.Reply{RawEvents: []string{events}})
	equal(t, "stream", g.chat(t, askStream("openai/x")).body, events+brokenOff)
}

func TestSlicesOfAStreamDoNotMatter(t *testing.T) {
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

func TestSilentTargetsFailOver(t *testing.T) {
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
	for name, reply := range map[string]testllm.Reply{
		"no header":     {Hold: true},
		"no event":      {RawEvents: []string{skeletonChunk}, StallAfter: testllm.AtOnce},
		"skeleton only": {RawEvents: []string{skeletonChunk, doneEvent}, StallAfter: 1},
	} {
		g, a, b := pair(t, func(g *gateway.Gateway) { g.Limits.Total = 60 * time.Millisecond })
		a.Script(reply)
		for _, request := range []string{ask("m"), askStream("m")} {
			t.Run(name, func(t *testing.T) {
				got := g.chat(t, request)
				if got.status == http.StatusBadGateway && request == ask("m") && name != "no header" {
					return // a stream is no answer, however slow
				}
				wantError(t, got, http.StatusGatewayTimeout, "upstream_timeout")
				equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
				record := g.record(t)
				equal(t, "attempts", record.Attempts, 1)
				if record.Tokens.Input == 0 || !record.Tokens.Estimated {
					t.Errorf("tokens are %+v", record.Tokens)
				}
			})
		}
		wantCalls(t, b, 0)
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
	a.Script(testllm.Reply{RawEvents: []string{long}})
	equal(t, "stream", g.chat(t, askStream("m")).body, long+brokenOff)
	wantCalls(t, b, 0)
}

func TestSilentStreamIsKeptAlive(t *testing.T) {
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

func TestStoppingProcessEndsStreamsHonestly(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := single(t, func(g *gateway.Gateway) { g.Streams = streams })
	srv.Script(testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1})
	response, err := g.open(t.Context(), http.MethodPost, chatPath, askStream("openai/x"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	streams.End() // the header is there, so the stream is open
	lines := bufio.NewScanner(response.Body)
	last := ""
	for lines.Scan() {
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	if !strings.Contains(last, `"code":"gateway_stopping"`) {
		t.Errorf("the last line is %q", last)
	}
	equal(t, "error", g.record(t).Error, "gateway_stopping")
}
