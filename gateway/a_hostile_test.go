package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/providers"
)

// rawProvider answers every request with bytes of the test's choice, and closes.
func rawProvider(t *testing.T, answer func(io.Writer)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(conn)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

func TestA16HostileProviders(t *testing.T) {
	const begin = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	const events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	valid := `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	say := func(text string) func(io.Writer) {
		return func(w io.Writer) { _, _ = io.WriteString(w, text) }
	}
	endless := func(begin, more string) func(io.Writer) {
		return func(w io.Writer) {
			_, err := io.WriteString(w, begin)
			for sent := 0; err == nil && sent < 1<<30; sent += len(more) {
				_, err = io.WriteString(w, more)
			}
		}
	}
	for _, test := range []struct {
		name   string
		answer func(io.Writer)
		stream bool
		status int
		says   string
	}{
		{"a header without end", endless(begin+"X-A: ", strings.Repeat("x", 1<<16)), false, 502, ""},
		{"header fields without end", endless(begin, strings.Repeat("X-A: "+strings.Repeat("x", 1<<10)+"\r\n", 64)), false, 502, ""},
		{"1xx without end", endless("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 1000)), false, 502, ""},
		{"no HTTP", say("SSH-2.0-OpenSSH_9.9\r\n"), false, 502, ""},
		{"a chunk size that is none", say(begin + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + valid + "\r\n0\r\n\r\n"), false, 502, ""},
		{"a chunk size that overflows", say(begin + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + valid + "\r\n0\r\n\r\n"), false, 502, ""},
		{"a negative chunk size", say(begin + "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + valid + "\r\n0\r\n\r\n"), false, 502, ""},
		{"two lengths", say(begin + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + valid), false, 502, ""},
		{"a negative length", say(begin + "Content-Length: -1\r\n\r\n" + valid), false, 502, ""},
		{"a length that is too large", say(begin + "Content-Length: 9223372036854775807\r\n\r\n" + valid), false, 502, "upstream_protocol_error"},
		{"an answer without end", endless(begin+"\r\n"+`{"a":"`, strings.Repeat("x", 1<<16)), false, 502, "upstream_protocol_error"},
		{"gzip unasked", say(begin + "Content-Encoding: gzip\r\n\r\n" + gzipped(valid)), false, 502, "upstream_protocol_error"},
		{"a gzip bomb unasked", say(begin + "Content-Encoding: gzip\r\n\r\n" + gzipped(strings.Repeat(" ", 64<<20))), false, 502, "upstream_protocol_error"},
		{"gzip unasked, as a stream", say(strings.Replace(events, "\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n", 1) + chunk(gzipped(begun+doneEvent)) + "0\r\n\r\n"), true, 502, ""},
		{"a bad chunk size within a stream", say(events + chunk(begun) + "zz\r\n"), true, 502, "upstream_stream_error"},
		{"switching protocols", say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), false, 502, ""},
		{"a cookie", say(begin + "Set-Cookie: a=b\r\nSet-Cookie2: a=b\r\nLocation: /x\r\nRefresh: 0; url=/x\r\n\r\n" + valid), false, 200, "chat.completion"},
		{"header fields beside a trailer", say(begin + "Trailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(valid) + "0\r\nSet-Cookie: a=b\r\n\r\n"), false, 200, "chat.completion"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := setup{
				upstreams: []*providers.Upstream{load(t, "a", "openai", rawProvider(t, test.answer)+"/v1")},
				change:    func(g *gateway.Gateway) { g.Limits.Answer, g.Retries = 4<<20, 0 },
			}.start(t)
			request := ask("a/x")
			if test.stream {
				request = askStream("a/x")
			}
			begin := time.Now()
			got := g.chat(t, request)
			if got.err != nil || got.status != test.status || !strings.Contains(got.body, test.says) {
				t.Errorf("the answer is %d %.300q (%v), want %d with %s", got.status, got.body, got.err, test.status, test.says)
			}
			if strings.Contains(got.body, "127.0.0.1") || strings.Contains(got.body, "[DONE]") {
				t.Errorf("the answer is %.300q", got.body)
			}
			for _, name := range []string{"Set-Cookie", "Set-Cookie2", "Location", "Refresh", "Content-Encoding", "Trailer"} {
				if got.header[name] != nil {
					t.Errorf("the client got %s: %s", name, got.header[name])
				}
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestA16RedirectsAreNotFollowed(t *testing.T) {
	var followed atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer inside.Close()
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		for _, request := range []string{ask("a/x"), askStream("a/x")} {
			answer := fmt.Sprintf("HTTP/1.1 %d Moved\r\nLocation: %s/v1/chat/completions\r\nContent-Length: 0\r\n\r\n", status, inside.URL)
			url := rawProvider(t, func(w io.Writer) { _, _ = io.WriteString(w, answer) })
			g := setup{upstreams: []*providers.Upstream{load(t, "a", "openai", url)}, change: func(g *gateway.Gateway) { g.Retries = 0 }}.start(t)
			got := g.chat(t, request)
			if got.status != 502 || got.header["Location"] != nil || strings.Contains(got.body, "127.0.0.1") {
				t.Errorf("%d is answered with %d %v %s", status, got.status, got.header, got.body)
			}
		}
	}
	equal(t, "redirects that were followed", followed.Load(), 0)
}
