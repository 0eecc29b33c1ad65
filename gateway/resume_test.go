package gateway_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/sse"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// keeping makes a gateway keep its streams.
func keeping(g *gateway.Gateway) {
	g.Stream.Resumable, g.Kept = time.Minute, gateway.NewKeptStreams()
}

// events are the events of a stream, one by one.
func events(stream string) (list []string) {
	for block := range sse.Blocks([]byte(stream)) {
		list = append(list, string(block))
	}
	return list
}

const streamID = "X-Llm-Stream-Id"

// resume comes back to a stream after so many events.
func (g *gate) resume(t testing.TB, path, id string, after int, header ...string) answer {
	t.Helper()
	return g.do(t, http.MethodPost, path, "", append(header, streamID, id, "Last-Event-ID", strconv.Itoa(after))...)
}

// lostStream is a stream whose connection the client lost.
type lostStream struct {
	id    string
	begin string
}

// lose opens a stream and loses the connection after what it begins with.
func (g *gate) lose(t testing.TB, path, request string, events int, header ...string) lostStream {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	response, err := g.open(ctx, http.MethodPost, path, request, header...)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lost := lostStream{id: response.Header.Get(streamID)}
	for strings.Count(lost.begin, "\n\n") < events {
		one := make([]byte, 1)
		if _, err := response.Body.Read(one); err != nil {
			t.Fatalf("after %q: %v", lost.begin, err)
		}
		lost.begin += string(one)
	}
	return lost
}

func TestTheTwoHalvesOfAStreamAreTheWhole(t *testing.T) {
	for _, d := range dialects {
		for _, model := range []string{"chat/m", "claude/claude-opus-4-5", "google/gemini-3-pro"} {
			t.Run(d.name+" to "+model, func(t *testing.T) {
				g, srv := vendors(t, keeping)
				srv.Script(testllm.Reply{Text: "one two three four", Usage: exact})
				path := forModel(d.streamPath, model)
				whole := g.do(t, http.MethodPost, path, forModel(d.streamBody, model), d.header...)
				wantText(t, whole, d.ends)
				first := g.record(t)
				list := events(whole.body)
				id := whole.header.Get(streamID)
				if len(id) < 26 || len(list) < 4 {
					t.Fatalf("stream %q has %d events", id, len(list))
				}
				for i, event := range list {
					if numbered := strings.HasPrefix(event, fmt.Sprintf("id: %d\n", i+1)); numbered != (d.name != "gemini") {
						t.Errorf("event %d is %q", i+1, event)
					}
				}
				for after := range len(list) + 1 {
					half := g.resume(t, path, id, after, d.header...)
					if half.status != 200 || half.err != nil || strings.Join(list[:after], "")+half.body != whole.body {
						t.Fatalf("after %d of %d events comes %d %q", after, len(list), half.status, half.body)
					}
					equal(t, "content type", half.header.Get("Content-Type"), whole.header.Get("Content-Type"))
					equal(t, "stream", half.header.Get(streamID), id)
					record := g.record(t)
					equal(t, "operation", record.Operation, "resume")
					equal(t, "ending", record.Ending, usage.Complete)
					equal(t, "tokens", record.Tokens, usage.Tokens{})
					equal(t, "attempts", record.Attempts, 0)
					equal(t, "model", record.RequestedModel, first.RequestedModel)
				}
				equal(t, "output", first.Tokens.Output, 7)
				wantCalls(t, srv, 1)
			})
		}
	}
}

func TestClientComesBackToALiveStream(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := single(t, func(g *gateway.Gateway) { keeping(g); g.Streams = streams })
	srv.Script(testllm.Reply{RawEvents: []string{begun, textChunk("more") + finishChunk + exactChunk + doneEvent}, StallAfter: 1})
	lost := g.lose(t, chatPath, askStream("openai/x"), 2)
	until(t, "nobody to listen", func() bool { return streams.Unheard() == 1 })
	equal(t, "begin", lost.begin, "id: 1\n"+skeletonChunk+"id: 2\n"+textChunk("caf\u00e9 "))
	back := make(chan answer)
	go func() { back <- g.resume(t, chatPath, lost.id, 2) }()
	<-g.began
	<-g.began
	srv.Release()
	got := <-back
	equal(t, "rest", got.body, "id: 3\n"+textChunk("\U0001F600")+"id: 4\n"+textChunk("more")+"id: 5\n"+finishChunk+"id: 6\n"+doneEvent)
	for range 2 {
		record := g.record(t)
		if record.Operation == "resume" {
			equal(t, "ending", record.Ending, usage.Complete)
			equal(t, "tokens", record.Tokens, usage.Tokens{})
			continue
		}
		equal(t, "ending", record.Ending, usage.ClientGone)
		equal(t, "tokens", [2]int64{record.Tokens.Input, record.Tokens.Output}, [2]int64{30, 7})
		equal(t, "estimated", record.Tokens.Estimated, false)
	}
	wantCalls(t, srv, 1)
}

func TestSeveralReadOneStream(t *testing.T) {
	g, srv := single(t, keeping)
	srv.Script(testllm.Reply{RawEvents: []string{begun, textChunk("more") + finishChunk + doneEvent}, StallAfter: 1})
	response, err := g.open(t.Context(), http.MethodPost, chatPath, askStream("openai/x"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	const others = 5
	got := make(chan answer)
	for range others {
		go func() { got <- g.resume(t, chatPath, response.Header.Get(streamID), 0) }()
	}
	for range others + 1 {
		<-g.began
	}
	srv.Release()
	whole, err := io.ReadAll(response.Body)
	if err != nil || len(events(string(whole))) != 6 {
		t.Fatalf("the first reader got %q (%v)", whole, err)
	}
	for range others {
		equal(t, "what another reader got", (<-got).body, string(whole))
	}
	wantCalls(t, srv, 1)
}

func TestStreamGoesOnForAClientThatIsAwayForAWhile(t *testing.T) {
	streams := new(gateway.Streams)
	g, srv := single(t, func(g *gateway.Gateway) {
		keeping(g)
		g.Stream.Resumable, g.Streams = 300*time.Millisecond, streams
	})
	srv.Script(testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1})
	lost := g.lose(t, chatPath, askStream("openai/x"), 3)
	until(t, "nobody to listen", func() bool { return streams.Unheard() == 1 })
	ctx, leave := context.WithCancel(t.Context())
	response, err := g.open(ctx, http.MethodPost, chatPath, "", streamID, lost.id, "Last-Event-ID", "3")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "calls for nobody", streams.Unheard(), 0)
	time.Sleep(400 * time.Millisecond) // somebody listens: no time runs
	equal(t, "cancelled", srv.Calls()[0].Cancelled, false)
	since := time.Now()
	leave()
	response.Body.Close()
	srv.WaitCancelled(t, 1)
	if after := time.Since(since); after < 250*time.Millisecond {
		t.Errorf("it went on for %v", after)
	}
	for range 2 {
		equal(t, "ending", g.record(t).Ending, usage.ClientGone)
	}
	wantError(t, g.resume(t, chatPath, lost.id, 3), 404, "stream_not_found")
}

func TestStreamsAreKeptForAWhile(t *testing.T) {
	g, _ := single(t, func(g *gateway.Gateway) { keeping(g); g.Stream.Resumable = 100 * time.Millisecond })
	whole := g.chat(t, askStream("openai/x"))
	id := whole.header.Get(streamID)
	equal(t, "again", g.resume(t, chatPath, id, 0).body, whole.body)
	until(t, "the end of it", func() bool { return g.resume(t, chatPath, id, 0).status == 404 })
}

func TestNobodyElseGetsAStream(t *testing.T) {
	srv := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL+"/v1")},
		keys:      []auth.Key{{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}}, {ID: "narrow", Digests: []auth.Digest{auth.DigestOf(narrow)}}},
		change:    func(g *gateway.Gateway) { keeping(g); g.Surface.Anthropic, g.Surface.Gemini = true, true },
	}.start(t)
	mine, theirs := []string{"Authorization", "Bearer " + appKey}, []string{"Authorization", "Bearer " + narrow}
	whole := g.chat(t, askStream("a/x"), mine...)
	id, n := whole.header.Get(streamID), len(events(whole.body))
	equal(t, "mine", g.resume(t, chatPath, id, 0, mine...).body, whole.body)
	unknown := g.resume(t, chatPath, "str_unknown", 0, theirs...)
	wantError(t, unknown, 404, "stream_not_found")
	if !strings.Contains(unknown.body, "kept for 1m0s") {
		t.Errorf("it does not say for how long: %s", unknown.body)
	}
	for name, got := range map[string]answer{
		"another's":           g.resume(t, chatPath, id, 0, theirs...),
		"of another path":     g.resume(t, "/v1/completions", id, 0, mine...),
		"of another format":   g.resume(t, "/v1/responses", id, 0, mine...),
		"an event to come":    g.resume(t, chatPath, id, n+1, mine...),
		"an empty name":       g.resume(t, chatPath, "", 0, mine...),
		"another's last one":  g.resume(t, chatPath, id, n, theirs...),
		"another's and later": g.resume(t, chatPath, id, n+1, theirs...),
	} {
		if got.status != unknown.status || got.body != unknown.body {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	equal(t, "of Anthropic's", g.resume(t, "/v1/messages", id, 0, mine...).status, 404)
	equal(t, "as an array", g.resume(t, "/v1beta/models/a/x:streamGenerateContent", id, 0, mine...).status, 404)
	wantError(t, g.resume(t, chatPath, id, 0), 401, "invalid_api_key")
	for _, last := range []string{"x", "-1", "1.5", "1 2"} {
		wantError(t, g.do(t, http.MethodPost, chatPath, "", append(mine, streamID, id, "Last-Event-ID", last)...), 400, "invalid_value")
	}
	wantCalls(t, srv, 1)
}

func TestBrokenStreamBreaksAgain(t *testing.T) {
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			g, srv := vendors(t, keeping)
			srv.Script(testllm.Reply{Text: "one two", CutAfter: 2})
			path := forModel(d.streamPath, "chat/m")
			whole := g.do(t, http.MethodPost, path, forModel(d.streamBody, "chat/m"), d.header...)
			equal(t, "ending", g.record(t).Ending, usage.Broken)
			if !strings.Contains(whole.body, "Upstream stream ended unexpectedly.") {
				t.Fatalf("the stream is %q", whole.body)
			}
			equal(t, "again", g.resume(t, path, whole.header.Get(streamID), 0, d.header...).body, whole.body)
			record := g.record(t)
			equal(t, "ending", record.Ending, usage.Broken)
			equal(t, "error", record.Error, "upstream_stream_error")
		})
	}
}

func TestOddEventsAreNumberedToo(t *testing.T) {
	g, srv := single(t, keeping)
	odd := ": hello\r\n\r\n" + "id: theirs\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n" + finishChunk + doneEvent
	srv.Script(testllm.Reply{RawEvents: []string{odd}, WritesOf: 1})
	whole := g.chat(t, askStream("openai/x"))
	numbered := strings.NewReplacer("id: theirs\r\n", "id: 1\n", finishChunk, "id: 2\n"+finishChunk, doneEvent, "id: 3\n"+doneEvent).Replace(odd)
	equal(t, "stream", whole.body, numbered)
	equal(t, "again", g.resume(t, chatPath, whole.header.Get(streamID), 0).body, strings.TrimPrefix(numbered, ": hello\r\n\r\n"))
}

func TestWhatIsNotResumableHasNoName(t *testing.T) {
	g, _ := vendors(t, keeping)
	for _, got := range []answer{
		g.chat(t, ask("chat/m")),
		g.do(t, http.MethodPost, "/v1beta/models/google/m:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`),
	} {
		if got.status != 200 || got.header[streamID] != nil || strings.Contains(got.body, "id: 1") {
			t.Errorf("%d %v %s", got.status, got.header, got.body)
		}
	}
	off, srv := single(t, nil)
	whole := off.chat(t, askStream("openai/x"))
	if whole.header[streamID] != nil || strings.Contains(whole.body, "id: 1") {
		t.Errorf("%v %s", whole.header, whole.body)
	}
	wantError(t, off.resume(t, chatPath, "x", 0), 404, "stream_not_found")
	wantCalls(t, srv, 1)
}

func TestResumedStreamIsKeptAlive(t *testing.T) {
	g, srv := single(t, func(g *gateway.Gateway) { keeping(g); g.Stream.Heartbeat = 20 * time.Millisecond })
	srv.Script(testllm.Reply{RawEvents: []string{begun, doneEvent}, StallAfter: 1})
	lost := g.lose(t, chatPath, askStream("openai/x"), 3)
	response, err := g.open(t.Context(), http.MethodPost, chatPath, "whatever", streamID, lost.id, "Last-Event-ID", "3")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	beats := strings.Repeat(": keep-alive\n\n", 3)
	first := make([]byte, len(beats))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != beats {
		t.Fatalf("the stream begins with %q (%v)", first, err)
	}
	srv.Release()
	rest, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(rest), "upstream_stream_error") && !strings.HasSuffix(string(rest), doneEvent) {
		t.Errorf("the rest is %q (%v)", rest, err)
	}
}

func TestStreamThatGrowsTooLargeIsNotKept(t *testing.T) {
	g, srv := single(t, keeping)
	large := textChunk(strings.Repeat("x", 100<<10))
	srv.Script(testllm.Reply{RawEvents: append(append([]string{begun}, slices.Repeat([]string{large}, 90)...), finishChunk+doneEvent), StallAfter: 1})
	response, err := g.open(t.Context(), http.MethodPost, chatPath, askStream("openai/x"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	id := response.Header.Get(streamID)
	other := make(chan answer)
	go func() { other <- g.resume(t, chatPath, id, 0) }()
	<-g.began
	<-g.began
	first := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		t.Fatal(err)
	}
	srv.Release()
	whole, err := io.ReadAll(response.Body)
	list := events(string(whole))
	if err != nil || len(list) != 3+90+2 || list[94] != "id: 95\n"+doneEvent {
		t.Errorf("the stream has %d events, %v", len(list), err)
	}
	got := <-other
	if !strings.Contains(got.body, "stream_not_kept") || len(got.body) > 9<<20 || len(got.body) < 7<<20 {
		t.Errorf("another reader got %d bytes, ending in %q", len(got.body), got.body[max(0, len(got.body)-300):])
	}
	wantError(t, g.resume(t, chatPath, id, 0), 404, "stream_not_found")
}

func TestSDKReadsNumberedStreams(t *testing.T) {
	g, _ := single(t, keeping)
	config := goopenai.DefaultConfig("sk-client")
	config.BaseURL, config.HTTPClient = g.URL+"/v1", g.client
	request := sdkRequest
	request.Model = "openai/x"
	stream, err := goopenai.NewClientWithConfig(config).CreateChatCompletionStream(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	text := ""
	for {
		chunk, err := stream.Recv()
		if err != nil {
			equal(t, "end", err, io.EOF)
			break
		}
		for _, choice := range chunk.Choices {
			text += choice.Delta.Content
		}
	}
	equal(t, "text", text, "Hello from the test provider.")
}

// Many clients on a bad network, each with its own luck: what they get in pieces
// is what there was.
func TestManyClientsComeBackAgainAndAgain(t *testing.T) {
	g, srv := single(t, keeping)
	srv.On(func(*testllm.Call) testllm.Reply {
		return testllm.Reply{RawEvents: append(append([]string{begun}, slices.Repeat([]string{textChunk("word ")}, 30)...), finishChunk+doneEvent), ChunkDelay: time.Millisecond}
	})
	want := ""
	for i, event := range events(begun + strings.Repeat(textChunk("word "), 30) + finishChunk + doneEvent) {
		want += fmt.Sprintf("id: %d\n", i+1) + event
	}
	const clients = 20
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			got, id, returns := "", "", 0
			for ; !strings.HasSuffix(got, doneEvent) && returns < 100; returns++ {
				var header []string
				if id != "" {
					header = []string{streamID, id, "Last-Event-ID", strconv.Itoa(strings.Count(got, "\n\n"))}
				}
				ctx, leave := context.WithCancel(t.Context())
				response, err := g.open(ctx, http.MethodPost, chatPath, askStream("openai/x"), header...)
				if err != nil {
					t.Error(err)
					leave()
					return
				}
				id = response.Header.Get(streamID)
				part := make([]byte, rand.IntN(1500))
				n, _ := io.ReadFull(response.Body, part)
				leave()
				response.Body.Close()
				got += string(part[:strings.LastIndex("\n\n"+string(part[:n]), "\n\n")]) // whole events
			}
			if got != want {
				t.Errorf("after %d returns a client has %q", returns, got)
			}
		})
	}
	all.Wait()
	wantCalls(t, srv, clients)
}
