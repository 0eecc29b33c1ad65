package gateway_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// flood is a provider that says more than any buffer on the way holds.
type flood struct {
	*httptest.Server
	said      atomic.Int64
	cancelled chan struct{}
}

const flooded = 64 << 20

func newFlood(t testing.TB) *flood {
	t.Helper()
	f := &flood{cancelled: make(chan struct{}, 1000)}
	word := textChunk(strings.Repeat("word ", 200))
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		defer func() { f.cancelled <- struct{}{} }()
		switch {
		case strings.HasSuffix(r.URL.Path, "/speech"):
			w.Header().Set("Content-Type", "audio/mpeg")
			f.pour(w, strings.Repeat("\xff", 1000))
		case strings.Contains(string(body), `"stream":true`):
			w.Header().Set("Content-Type", "text/event-stream")
			f.pour(w, word)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"choices":[{"index":0,"message":{"content":"%s"},"finish_reason":"stop"}]}`, strings.Repeat("word ", 6<<20))
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *flood) pour(w http.ResponseWriter, text string) {
	for range flooded / len(text) {
		n, err := io.WriteString(w, text)
		f.said.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func (f *flood) gate(t testing.TB, limit time.Duration) *gate {
	t.Helper()
	return setup{
		upstreams: []*providers.Upstream{load(t, "openai", "openai", f.URL+"/v1")},
		change:    func(g *gateway.Gateway) { g.Limits.WriteStall = limit },
	}.start(t)
}

const speech = `{"model":"openai/tts-1","input":"hello"}`

// dial sends a request on a connection of which the test decides how it is read.
func dial(t testing.TB, g *gate, path, body string) *net.TCPConn {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	tcp := connection.(*net.TCPConn)
	_, err = fmt.Fprintf(tcp, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	return tcp
}

func wantStalled(t testing.TB, g *gate) {
	t.Helper()
	record := g.record(t)
	equal(t, "ending", record.Ending, usage.ClientGone)
	equal(t, "error", record.Error, "client_stalled")
	equal(t, "status", record.Status, http.StatusOK)
	if record.Tokens.Input == 0 {
		t.Errorf("tokens are %+v", record.Tokens)
	}
}

func TestS17SlowClientStallsTheProviderAndIsClosed(t *testing.T) {
	for _, test := range []struct{ name, path, request string }{
		{"a stream", chatPath, askStream("openai/x")},
		{"an answer", chatPath, ask("openai/x")},
		{"sound", "/v1/audio/speech", speech},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFlood(t)
			g := f.gate(t, 400*time.Millisecond)
			client := dial(t, g, test.path, test.request)
			stop := make(chan struct{})
			go func() { // one byte now and then
				for one := make([]byte, 1); ; time.Sleep(20 * time.Millisecond) {
					select {
					case <-stop:
						return
					default:
						_, _ = client.Read(one)
					}
				}
			}()
			wantStalled(t, g)
			close(stop)
			<-f.cancelled
			if said := f.said.Load(); said >= flooded/2 {
				t.Errorf("the provider was read on for %d bytes", said)
			}
			// What the client gets now is what was on its way, and then the end.
			_ = client.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, client); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the connection was not closed: %v", err)
			}
		})
	}
}

func TestS17SlowClientOfHTTP2IsReset(t *testing.T) {
	f := newFlood(t)
	g := f.gateOver2(t, 300*time.Millisecond)
	response, err := g.open(t.Context(), http.MethodPost, chatPath, askStream("openai/x"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	wantStalled(t, g)
	<-f.cancelled
	if _, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Error("the stream that was given up ended well")
	}
}

// Over HTTP/2 a deadline that was set would pass in the silence after a write.
func TestSilenceIsNoStall(t *testing.T) {
	f := newFlood(t)
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			_, _ = io.WriteString(w, textChunk("a"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(250 * time.Millisecond)
		}
		_, _ = io.WriteString(w, finishChunk+doneEvent)
	})
	for _, g := range []*gate{f.gate(t, 100*time.Millisecond), f.gateOver2(t, 100*time.Millisecond)} {
		got := g.chat(t, askStream("openai/x"))
		equal(t, "stream", got.body, textChunk("a")+textChunk("a")+textChunk("a")+finishChunk+doneEvent)
		equal(t, "how it ended", got.err, nil)
	}
}

// A client may take long for all of it if it takes some now and then.
func TestSteadyClientIsNoStall(t *testing.T) {
	f := newFlood(t)
	g := f.gate(t, time.Second)
	client := dial(t, g, chatPath, ask("openai/x"))
	_ = client.SetReadDeadline(time.Now().Add(4 * patience))
	total, piece := 0, make([]byte, 512<<10)
	for begun := time.Now(); total < 30<<20; {
		n, err := io.ReadFull(client, piece)
		total += n
		if err != nil {
			t.Fatalf("after %d bytes and %v: %v", total, time.Since(begun), err)
		}
		time.Sleep(40 * time.Millisecond)
	}
	equal(t, "ending", g.record(t).Ending, usage.Complete)
}

// gateOver2 is a gateway that speaks HTTP/2.
func (f *flood) gateOver2(t testing.TB, limit time.Duration) *gate {
	t.Helper()
	return f.gate(t, limit).over2(t)
}

func TestS17MemoryOfStreamsThatNobodyReadsIsBounded(t *testing.T) {
	f := newFlood(t)
	g := f.gate(t, time.Minute)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const streams = 40
	clients := make([]*net.TCPConn, streams)
	for i := range clients {
		clients[i] = dial(t, g, chatPath, askStream("openai/x"))
	}
	for last := int64(-1); last != f.said.Load(); time.Sleep(300 * time.Millisecond) {
		last = f.said.Load() // until nothing moves any more
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	// Both ends of both connections are in this process.
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / streams
	t.Logf("%d KiB of heap for each stream, provider and client included; %d KiB were said", each>>10, f.said.Load()>>10/streams)
	if each > 256<<10 {
		t.Errorf("a stream that is not read holds %d bytes", each)
	}
	for _, c := range clients {
		_ = c.Close()
	}
	for range clients {
		g.record(t)
	}
}

// over2 is the same gateway behind TLS and HTTP/2.
func (g *gate) over2(t testing.TB) *gate {
	t.Helper()
	srv := httptest.NewUnstartedServer(g.handler)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} //nolint:gosec // of a test
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
	})
	return &gate{URL: srv.URL, witness: g.witness, client: &http.Client{Transport: transport}, handler: g.handler}
}
