package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

// early commits after 20 ms of silence.
func early(g *gateway.Gateway) {
	g.Stream.CommitEarly, g.Retries = 20*time.Millisecond, 1
	g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
}

const alive = ": keep-alive\n\n"

// afterSilence opens a stream, reads the first sign of life, and only then does
// what makes it go on.
func (g *gate) afterSilence(t *testing.T, path, request, sign string, then func()) answer {
	t.Helper()
	response, err := g.open(t.Context(), http.MethodPost, path, request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len(sign))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != sign {
		t.Fatalf("the stream begins with %q (%v)", first, err)
	}
	then()
	rest, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(rest), err}
}

func TestSilentProviderMayStillAnswerAfterTheHeader(t *testing.T) {
	g, a, _ := pair(t, early)
	a.Script(testllm.Reply{RawEvents: []string{begun, finishChunk + doneEvent}, Hold: true})
	got := g.afterSilence(t, chatPath, askStream("m"), alive, a.Release)
	equal(t, "status", got.status, 200)
	equal(t, "type", got.header.Get("Content-Type"), "text/event-stream; charset=utf-8")
	equal(t, "caching", got.header.Get("Cache-Control"), "no-cache, no-transform")
	equal(t, "stream", got.body, begun+finishChunk+doneEvent)
	record := g.record(t)
	equal(t, "ending", record.Ending, usage.Complete)
	equal(t, "status", record.Status, 200)
	if record.FirstToken < 20*time.Millisecond {
		t.Errorf("the first token came after %v", record.FirstToken)
	}
}

func TestFailoverGoesOnAfterTheHeader(t *testing.T) {
	for name, reply := range map[string]testllm.Reply{
		"refused":                {Hold: true, Status: http.StatusServiceUnavailable},
		"cut":                    {Hold: true, ResetConnection: true},
		"ended without content":  {StallAfter: 1, RawEvents: []string{skeletonChunk}},
		"an error in the stream": {StallAfter: 1, RawEvents: []string{skeletonChunk, `data: {"error":{"message":"Overloaded","code":"overloaded","type":"server_error"}}` + "\n\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, a, b := pair(t, early)
			a.Script(reply)
			b.Script(testllm.Reply{RawEvents: []string{begun, finishChunk + doneEvent}})
			got := g.afterSilence(t, chatPath, askStream("m"), alive, a.Release)
			equal(t, "stream", got.body, begun+finishChunk+doneEvent)
			record := g.record(t)
			equal(t, "attempts", record.Attempts, 2)
			equal(t, "provider", record.Provider, "b")
			equal(t, "ending", record.Ending, usage.Complete)
		})
	}
}

func TestErrorsAfterTheHeaderAreTheStreamsOwn(t *testing.T) {
	for _, test := range []struct{ path, request, sign, end string }{
		{chatPath, askStream("m"), alive, "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\",\"param\":null,\"code\":\"overloaded\"}}\n\n"},
		{"/v1/messages", askStream("m"), "event: ping\ndata: {\"type\":\"ping\"}\n\n", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}"},
		{"/v1/responses", `{"model":"m","input":"hi","stream":true}`, alive, "event: error\ndata: {\"type\":\"error\""},
	} {
		g, a, b := pair(t, early)
		a.Script(testllm.Reply{Hold: true, Status: 503, Error: testllm.Error{Message: "Overloaded", Type: "overloaded_error", Code: "overloaded"}})
		b.Script(testllm.Reply{Status: http.StatusServiceUnavailable})
		got := g.afterSilence(t, test.path, test.request, test.sign, a.Release)
		if got.status != 200 || got.err != nil || !strings.HasPrefix(got.body, test.end) || strings.Contains(got.body, "[DONE]") {
			t.Errorf("%s ends with %q (%v), want %q", test.path, got.body, got.err, test.end)
		}
		record := g.record(t)
		equal(t, "ending", record.Ending, usage.Failed)
		equal(t, "status", record.Status, 200)
		equal(t, "status of the error", record.ErrorStatus, 503)
		if record.Error == "" {
			t.Error("the record has no error")
		}
	}
}

func TestFastProvidersAreNotCommittedEarly(t *testing.T) {
	g, a, _ := pair(t, func(g *gateway.Gateway) { early(g); g.Stream.CommitEarly = time.Minute })
	a.Script(testllm.Reply{Status: http.StatusBadRequest}, testllm.Reply{})
	equal(t, "status", g.chat(t, askStream("m")).status, 400)
	g.record(t)
	equal(t, "stream", strings.HasPrefix(g.chat(t, askStream("m")).body, "data: "), true)
}

func TestWhatTakesNoSignOfLifeIsNotCommittedEarly(t *testing.T) {
	for _, test := range []struct{ path, request string }{
		{chatPath, ask("m")},
		{"/v1beta/models/m:streamGenerateContent?alt=sse", string(testllm.GeminiRequest("hi"))},
		{"/v1beta/models/m:streamGenerateContent", string(testllm.GeminiRequest("hi"))},
	} {
		g, a, b := pair(t, early)
		busy := testllm.Reply{Status: http.StatusServiceUnavailable, Delay: 60 * time.Millisecond}
		a.Script(busy)
		b.Script(busy)
		if got := g.do(t, http.MethodPost, test.path, test.request); got.status != 503 {
			t.Errorf("%s answers %d %s", test.path, got.status, got.body)
		}
	}
}

func TestClientMayComeBackToAStreamWithoutContent(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := single(t, func(g *gateway.Gateway) { early(g); keeping(g); g.Streams = streams })
	srv.Script(testllm.Reply{RawEvents: []string{begun, finishChunk + exactChunk + doneEvent}, Hold: true})
	lost := g.lose(t, chatPath, askStream("openai/x"), 1)
	equal(t, "begin", lost.begin, alive)
	until(t, "nobody to listen", func() bool { return streams.Unheard() == 1 })
	srv.Release()
	record := g.record(t)
	equal(t, "ending", record.Ending, usage.ClientGone)
	equal(t, "estimated", record.Tokens.Estimated, false)
	got := g.resume(t, chatPath, lost.id, 0)
	equal(t, "events", len(events(got.body)), 5)
	wantCalls(t, srv, 1)
}
