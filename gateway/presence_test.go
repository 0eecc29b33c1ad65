package gateway_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

// until waits for what must come about, and has no other way to be told.
func until(t testing.TB, what string, isSo func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !isSo(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// visit sends a request, reads the beginning of its answer, and leaves once the
// provider has it.
func (g *gate) visit(t testing.TB, srv *testllm.Server, path, request, begin string) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	arrived := len(srv.Calls()) + 1
	left := make(chan error)
	go func() {
		response, err := g.open(ctx, http.MethodPost, path, request)
		if err == nil {
			_, err = io.ReadFull(response.Body, make([]byte, len(begin)))
			leave()
			response.Body.Close()
		}
		left <- err
	}()
	srv.WaitCalls(t, arrived)
	if begin == "" {
		leave()
	}
	if err := <-left; (err == nil) != (begin != "") {
		t.Fatalf("the client's call ended with %v", err)
	}
}

var exactChunk = `data: {"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":7,"total_tokens":37}}` + "\n\n"

// exact is what the provider says in the tests below.
var exact = testllm.Usage{Input: 30, Output: 7}

func TestDrainedCallsAreSettledAtWhatTheProviderSays(t *testing.T) {
	for _, test := range []struct {
		name, request string
		reply         testllm.Reply
		begin         string
		status        int
	}{
		{"before the header of an answer", ask("m"), testllm.Reply{Hold: true, Usage: exact}, "", 499},
		{"before the end of an answer", ask("m"), testllm.Reply{Header: http.Header{"Content-Length": nil}, StallAfter: 1, Usage: exact}, "", 499},
		{"before the header of a stream", askStream("m"), testllm.Reply{Hold: true, Usage: exact}, "", 499},
		{"before the first event", askStream("m"), testllm.Reply{StallAfter: testllm.AtOnce, Usage: exact}, "", 499},
		{"before the first content", askStream("m"), testllm.Reply{RawEvents: []string{skeletonChunk, textChunk("x"), finishChunk + exactChunk + doneEvent}, StallAfter: 1}, "", 499},
		{"in the middle of a stream", askStream("m"), testllm.Reply{RawEvents: []string{begun, finishChunk + exactChunk + doneEvent}, StallAfter: 1}, begun, 200},
		{"in a stream of many events", askStream("m"), testllm.Reply{RawEvents: append(slices.Repeat([]string{begun}, 200), finishChunk+exactChunk+doneEvent), StallAfter: 1}, begun, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			streams := new(gateway.Streams)
			g, a, b := pair(t, func(g *gateway.Gateway) { g.Stream.Drain, g.Streams = time.Minute, streams })
			a.Script(test.reply)
			g.visit(t, a, chatPath, test.request, test.begin)
			until(t, "a call for nobody", func() bool { return streams.Unheard() == 1 })
			a.Release()
			record := g.record(t)
			equal(t, "ending", record.Ending, usage.ClientGone)
			equal(t, "error", record.Error, "client_closed_request")
			equal(t, "status", record.Status, test.status)
			equal(t, "tokens", [2]int64{record.Tokens.Input, record.Tokens.Output}, [2]int64{30, 7})
			equal(t, "estimated", record.Tokens.Estimated, false)
			equal(t, "calls for nobody", streams.Unheard(), 0)
			a.WaitFinished(t, 1)
			wantCalls(t, b, 0)
		})
	}
}

func TestDrainEndsAfterItsTime(t *testing.T) {
	for _, test := range []struct{ request, begin string }{{ask("openai/x"), ""}, {askStream("openai/x"), ""}, {askStream("openai/x"), begun}} {
		g, srv := single(t, func(g *gateway.Gateway) { g.Stream.Drain = 50 * time.Millisecond })
		reply := testllm.Reply{Hold: true}
		if test.begin != "" {
			reply = testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1}
		}
		srv.Script(reply)
		since := time.Now()
		g.visit(t, srv, chatPath, test.request, test.begin)
		srv.WaitCancelled(t, 1)
		if after := time.Since(since); after < 50*time.Millisecond {
			t.Errorf("it was drained for %v", after)
		}
		record := g.record(t)
		equal(t, "ending", record.Ending, usage.ClientGone)
		if !record.Tokens.Estimated || record.Tokens.Input == 0 {
			t.Errorf("tokens are %+v", record.Tokens)
		}
	}
}

func TestClientThatIsGoneGetsNoOtherTarget(t *testing.T) {
	for name, reply := range map[string]testllm.Reply{
		"refused":  {Hold: true, Status: http.StatusServiceUnavailable},
		"cut":      {Hold: true, ResetConnection: true},
		"bad key":  {Hold: true, Status: http.StatusUnauthorized},
		"no words": {Hold: true, RawEvents: []string{skeletonChunk}},
	} {
		t.Run(name, func(t *testing.T) {
			streams := new(gateway.Streams)
			g, a, b := pair(t, func(g *gateway.Gateway) { g.Stream.Drain, g.Streams = time.Minute, streams })
			a.Script(reply)
			g.visit(t, a, chatPath, askStream("m"), "")
			until(t, "a call for nobody", func() bool { return streams.Unheard() == 1 })
			a.Release()
			record := g.record(t)
			equal(t, "ending", record.Ending, usage.ClientGone)
			equal(t, "attempts", record.Attempts, 1)
			wantCalls(t, b, 0)
		})
	}
}

func TestDrainsAreBounded(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := single(t, func(g *gateway.Gateway) { g.Stream.Drain, g.Streams = time.Minute, streams })
	srv.On(func(*testllm.Call) testllm.Reply { return testllm.Reply{Hold: true} })
	for range gateway.MaxDrains {
		g.visit(t, srv, chatPath, askStream("openai/x"), "")
	}
	until(t, "all drains", func() bool { return streams.Unheard() == gateway.MaxDrains })
	g.visit(t, srv, chatPath, askStream("openai/x"), "")
	for i, call := range srv.WaitCancelled(t, 1) {
		equal(t, "call is cancelled", call.Cancelled, i == gateway.MaxDrains)
	}
	streams.Refuse() // as when the process stops
	srv.WaitCancelled(t, gateway.MaxDrains+1)
	for range gateway.MaxDrains + 1 {
		equal(t, "ending", g.record(t).Ending, usage.ClientGone)
	}
	equal(t, "status of a later call", g.chat(t, ask("openai/x")).status, http.StatusServiceUnavailable)
	g.record(t)
}

func TestWhatIsNotPaidByTokensIsNotDrained(t *testing.T) {
	g, srv := single(t, func(g *gateway.Gateway) { g.Stream.Drain = time.Minute })
	srv.On(func(*testllm.Call) testllm.Reply { return testllm.Reply{Hold: true} })
	g.visit(t, srv, "/v1/audio/speech", `{"model":"openai/x","input":"hi"}`, "")
	srv.WaitCancelled(t, 1)
	equal(t, "ending", g.record(t).Ending, usage.ClientGone)
}

func TestProviderIsCancelledWhereverTheClientLeaves(t *testing.T) {
	g, srv := single(t, nil)
	events := append([]string{skeletonChunk}, slices.Repeat([]string{textChunk("word ")}, 40)...)
	var late []time.Duration
	for i := range 40 {
		read := rand.IntN(len(events))
		srv.Script(testllm.Reply{RawEvents: append(events, doneEvent), StallAfter: read + 1})
		begin := strings.Join(events[:read+1], "")
		if read == 0 {
			begin = "" // nothing goes out before content
		}
		g.visit(t, srv, chatPath, askStream("openai/x"), begin)
		since := time.Now()
		srv.WaitCancelled(t, i+1)
		late = append(late, time.Since(since))
		equal(t, "ending", g.record(t).Ending, usage.ClientGone)
	}
	slices.Sort(late)
	// The machine's own hiccups are not the gateway's.
	if median := late[len(late)/2]; median > 100*time.Millisecond {
		t.Errorf("the provider worked on for %v", median)
	}
}
