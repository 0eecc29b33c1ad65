package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a connection that says what it is told, and then ends.
type script struct {
	net.Conn
	text  *bytes.Reader
	piece int // how much of it at once; 0: all
}

func (s *script) Read(p []byte) (int, error) {
	if s.piece > 0 && len(p) > s.piece {
		p = p[:s.piece]
	}
	return s.text.Read(p)
}

// readPieces reads one answer of a connection that says text, so much at once.
func readPieces(text []byte, piece int) (*http.Response, *body, error) {
	c := &conn{stream: &script{text: bytes.NewReader(text), piece: piece}, limit: 1 << 20}
	head, err := c.readHead(c.limit, nil)
	if err != nil {
		return nil, nil, err
	}
	var r http.Response
	f, err := parseHead(head, &r)
	c.r += len(head)
	return &r, &body{conn: c, framing: f, left: max(r.ContentLength, 0)}, err
}

// all reads a body without what belongs to a connection.
func (b *body) all(size int) (text []byte, err error) {
	if b.framing == (framing{}) {
		return nil, nil
	}
	p := make([]byte, size)
	for {
		n, err := b.read(p)
		text = append(text, p[:n]...)
		if errors.Is(err, io.EOF) {
			return text, nil
		} else if err != nil {
			return text, err
		}
	}
}

func compareBodies(t *testing.T, text []byte, ours *body, theirs *http.Response, piece byte) {
	t.Helper()
	size := 7
	if piece%2 == 0 {
		size = 2 * bufferSize // which goes past the buffer
	}
	ourText, ourErr := ours.all(size)
	theirText, theirErr := io.ReadAll(theirs.Body)
	if ourErr == nil && theirErr != nil {
		t.Fatalf("%q: the body is taken, in spite of: %v", text, theirErr)
	}
	if ourErr == nil && !bytes.Equal(ourText, theirText) {
		t.Fatalf("%q: the body is %q here, %q there", text, ourText, theirText)
	}
	// Longer lines and trailers than here are taken there, and so are some trailers.
	if ourErr != nil && theirErr == nil && !errors.Is(ourErr, errTrailer) && len(text) < maxChunkLine {
		t.Fatalf("%q: the body is refused: %v", text, ourErr)
	}
}

// memory is a request's body.
type memory struct {
	io.Reader
	text   []byte
	mu     sync.Mutex
	taken  int
	closed int
}

func (m *memory) Take() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taken++
	return m.text
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

// fallback is the other transport, which must not be asked unless it is expected.
type fallback struct {
	mu    sync.Mutex
	asked int
}

func (f *fallback) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.asked++
	f.mu.Unlock()
	closeBody(r)
	return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody, Request: r}, nil
}

func newTransport(t testing.TB, options Options) *Transport {
	t.Helper()
	if options.Fallback == nil {
		options.Fallback = new(fallback)
	}
	transport := New(options)
	t.Cleanup(transport.Close)
	return transport
}

func post(ctx context.Context, url, text string) (*http.Request, *memory) {
	m := &memory{text: []byte(text)}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, m)
	if err != nil {
		panic(err)
	}
	r.ContentLength = int64(len(text))
	r.GetBody = func() (io.ReadCloser, error) { return &memory{text: []byte(text)}, nil }
	r.Header["Content-Type"] = []string{"application/json"}
	return r, m
}

// server serves raw connections, one goroutine each.
type server struct {
	net.Listener
	URL     string
	running sync.WaitGroup
	mu      sync.Mutex
	conns   []net.Conn
}

// serve starts a server. Each connection is handed over with its number, from 0,
// and closed afterwards.
func serve(t testing.TB, handle func(n int, c net.Conn, in *bufio.Reader)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l, URL: "http://" + l.Addr().String()}
	s.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			n := len(s.conns)
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.running.Go(func() {
				defer c.Close()
				handle(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.running.Wait()
	})
	return s
}

func (s *server) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// take reads one request, and returns its body.
func take(in *bufio.Reader) (string, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// say answers every request of a connection with the same text.
func say(text string) func(int, net.Conn, *bufio.Reader) {
	return func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			if _, err := take(in); err != nil {
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// do sends a request and reads the answer.
func do(t testing.TB, transport *Transport, url, text string) (*http.Response, string, error) {
	t.Helper()
	r, m := post(t.Context(), url, text)
	response, err := transport.RoundTrip(r)
	if err != nil {
		m.mustBeClosed(t)
		return nil, "", err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return response, string(read), err
}

func (m *memory) closings() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

func (m *memory) mustBeClosed(t testing.TB) {
	t.Helper()
	if n := m.closings(); n != 1 {
		t.Errorf("the request's body was closed %d times", n)
	}
}

func must(t testing.TB, transport *Transport, url, text, want string) {
	t.Helper()
	response, got, err := do(t, transport, url, text)
	if err != nil || response.StatusCode != http.StatusOK || got != want {
		t.Fatalf("the answer is %+v %.80q, error %v", response, got, err)
	}
}

func (t *Transport) waiting() int { return int(t.idle.Load()) }

func hung(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func within(t testing.TB, limit time.Duration, what string, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if took := time.Since(begin); took > limit {
		t.Errorf("%s took %v", what, took)
	}
}

func long(n int) string { return strings.Repeat("x", n) }
