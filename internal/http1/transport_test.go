package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestRequestsAreWritten(t *testing.T) {
	seen := make(chan *http.Request, 1)
	s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			text, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(text))
			seen <- r
			_, _ = io.WriteString(c, ok)
		}
	})
	transport := newTransport(t, Options{})
	for _, size := range []int{0, 1, 1000, copyBelow, copyBelow + 1, writeAside, writeAside + 1, 5 << 20} {
		r, m := post(t.Context(), s.URL+"/v1/a%2Fb?x=y", long(size))
		r.Header["X-Two"] = []string{"a", " b "}
		r.Header["Host"] = []string{"elsewhere"}
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if string(text) != "ok" || err != nil {
			t.Errorf("the answer is %q, %v", text, err)
		}
		_ = response.Body.Close()
		got := <-seen
		body, _ := io.ReadAll(got.Body)
		if got.RequestURI != "/v1/a%2Fb?x=y" || got.Method != "POST" || got.Host != strings.TrimPrefix(s.URL, "http://") || string(body) != long(size) || got.ContentLength != int64(size) {
			t.Errorf("the request is %+v", got)
		}
		if got.Header.Get("Content-Type") != "application/json" || fmt.Sprint(got.Header["X-Two"]) != "[a b]" || got.Header["Host"] != nil {
			t.Errorf("its header is %v", got.Header)
		}
		m.mustBeClosed(t)
	}
	get, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	response, err := transport.RoundTrip(get)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // what has come is passed over
	if got := <-seen; got.RequestURI != "/" || got.Header["Content-Length"] != nil || got.Method != "GET" {
		t.Errorf("the request is %+v", got)
	}
	if n := s.accepted(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

func TestInvalidRequestsAreNotSent(t *testing.T) {
	s := serve(t, say(ok))
	transport := newTransport(t, Options{})
	for name, change := range map[string]func(*http.Request){
		"value":  func(r *http.Request) { r.Header["A"] = []string{"b\r\nC: d"} },
		"name":   func(r *http.Request) { r.Header["A\r\nB"] = []string{"c"} },
		"query":  func(r *http.Request) { r.URL.RawQuery = "a b" },
		"length": func(r *http.Request) { r.ContentLength++ },
	} {
		r, m := post(t.Context(), s.URL, "body")
		change(r)
		if response, err := transport.RoundTrip(r); err == nil {
			t.Errorf("%s: the answer is %+v", name, response)
		}
		m.mustBeClosed(t)
	}
}

func TestAnswersAreRead(t *testing.T) {
	big := long(1 << 20)
	for name, test := range map[string]struct{ answer, want string }{
		"length":        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		"no body":       {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		"chunks":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n", "hello"},
		"trailer":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", "hello"},
		"announced":     {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		"long":          {fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(big), big), big},
		"long chunk":    {fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(big), big), big},
		"long header":   {"HTTP/1.1 200 OK\r\nA: " + long(100_000) + "\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		"many fields":   {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 900) + "Content-Length: 5\r\n\r\nhello", "hello"},
		"kept by 1.0":   {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", "hello"},
		"lines of LF":   {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "hello"},
		"byte by chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 5000) + "0\r\n\r\n", long(5000)},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, say(test.answer))
			transport := newTransport(t, Options{})
			for range 3 {
				must(t, transport, s.URL, "x", test.want)
			}
			if n := s.accepted(); n != 1 || transport.waiting() != 1 {
				t.Errorf("there were %d connections, %d wait", n, transport.waiting())
			}
		})
	}
}

func TestAnswersComeInPieces(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\n\r\nhello",
	} {
		for piece := 1; piece <= len(text); piece++ {
			_, b, err := readPieces([]byte(text), piece)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := b.all(7); string(got) != "hello" || err != nil {
				t.Errorf("in pieces of %d: %q, %v", piece, got, err)
			}
		}
	}
}

// An event that has arrived is not held back for the next one.
func TestStreamsAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		_, _ = take(in)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range 3 {
			_, _ = io.WriteString(c, "5\r\nevent\r\n")
			<-next
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
		<-next
	})
	transport := newTransport(t, Options{})
	r, _ := post(t.Context(), s.URL, "x")
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 64<<10)
	for range 3 {
		if n, err := response.Body.Read(p); n != 5 || err != nil {
			t.Errorf("read %q, %v", p[:n], err)
		}
		next <- struct{}{}
	}
	if n, err := response.Body.Read(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %q, %v", p[:n], err)
	}
	if n, err := response.Body.Read(p); n != 0 || !errors.Is(err, io.EOF) || transport.waiting() != 1 {
		t.Errorf("then read %q, %v; %d wait", p[:n], err, transport.waiting())
	}
	close(next)
}

// What ends with the answer, or is in doubt, serves no further request.
func TestConnectionsThatAreNotUsedAgain(t *testing.T) {
	for name, answer := range map[string]string{
		"asked to close":  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"1.0":             "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"two lengths":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"more than asked": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
		"after chunks":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
		"empty and more":  "HTTP/1.1 204 OK\r\nContent-Length: 3\r\n\r\nbad",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, say(answer))
			transport := newTransport(t, Options{})
			for i := range 3 {
				_, got, err := do(t, transport, s.URL, "x")
				if err != nil || got != "ok" && !strings.Contains(answer, " 204 ") || transport.waiting() != 0 || s.accepted() != i+1 {
					t.Errorf("the answer is %q, %v; %d wait of %d", got, err, transport.waiting(), s.accepted())
				}
			}
		})
	}
}

// Bytes that come later, while a connection waits, are nobody's answer.
func TestUnaskedAnswersAreNobodys(t *testing.T) {
	sent := make(chan struct{}, 8)
	s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		if _, err := take(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, ok)
		time.Sleep(10 * time.Millisecond)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
		sent <- struct{}{}
		hung(c)
	})
	transport := newTransport(t, Options{})
	for range 3 {
		must(t, transport, s.URL, "x", "ok")
		<-sent
	}
	if n := s.accepted(); n != 3 {
		t.Errorf("there were %d connections", n)
	}
}

func TestBrokenAnswersAreErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing": "", "garbage": "\x00\x01garbage", "another protocol": "SSH-2.0-x\r\n", "half a line": "HTTP/1.1 2", "half a header": "HTTP/1.1 200 OK\r\nContent-Le",
		"header too large": "HTTP/1.1 200 OK\r\nA: " + long(1<<20) + "\r\n\r\n", "switched": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"announced for ever": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100), "empty line first": "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"short": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "no last chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
		"short chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", "no last line": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
		"long chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokx\r\n0\r\n\r\n", "chunk's LF": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n",
		"chunk's size":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
		"negative size":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n0\r\n\r\n",
		"huge size":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nok\r\n0\r\n\r\n",
		"long chunk line": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;" + long(5000) + "\r\nok\r\n0\r\n\r\n",
		"little data":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+long(1000)+"\r\nx\r\n", 100) + "0\r\n\r\n",
		"bad trailer":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nno field\r\n\r\n",
		"long trailer":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" + strings.Repeat("A: b\r\n", 5000) + "\r\n",
	} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reset %t", name, reset), func(t *testing.T) {
				s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
					_, _ = take(in)
					_, _ = io.WriteString(c, answer)
					if reset {
						time.Sleep(5 * time.Millisecond)
						_ = c.(*net.TCPConn).SetLinger(0)
					}
				})
				transport := newTransport(t, Options{})
				_, got, err := do(t, transport, s.URL, "x")
				if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || transport.waiting() != 0 || s.accepted() != 1 {
					t.Errorf("the answer is %q, %v; %d wait of %d", got, err, transport.waiting(), s.accepted())
				}
			})
		}
	}
}

var errGivenUp = errors.New("given up")

func TestCancellationEndsEveryWait(t *testing.T) {
	for name, handle := range map[string]func(int, net.Conn, *bufio.Reader){
		"for the header":        func(_ int, c net.Conn, _ *bufio.Reader) { hung(c) },
		"for the header's rest": func(_ int, c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, "HTTP/1.1 2"); hung(c) },
		"for the body": func(_ int, c net.Conn, _ *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nab")
			hung(c)
		},
		"for a chunk": func(_ int, c net.Conn, _ *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2")
			hung(c)
		},
		"for room to write": func(int, net.Conn, *bufio.Reader) { time.Sleep(200 * time.Millisecond) },
		"for room, being answered": func(_ int, c net.Conn, _ *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 413 No\r\n\r\n")
			time.Sleep(200 * time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, handle)
			size := 10
			if strings.Contains(name, "room") {
				size = 30 << 20
			}
			cancelSoon(t, newTransport(t, Options{}), s.URL, size)
		})
	}
}

// cancelSoon sends a request, cancels it when it waits, and expects it to end at
// once. A machine that is busy has several tries.
func cancelSoon(t *testing.T, transport *Transport, url string, size int) {
	t.Helper()
	const soon, tries = 20 * time.Millisecond, 5
	for try := 1; ; try++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		r, m := post(ctx, url, long(size))
		var cancelled time.Time
		timer := time.AfterFunc(50*time.Millisecond, func() {
			cancelled = time.Now()
			cancel(errGivenUp)
		})
		response, err := transport.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		took := time.Since(cancelled)
		timer.Stop()
		if !errors.Is(err, errGivenUp) || transport.waiting() != 0 {
			t.Fatalf("the error is %v; %d wait", err, transport.waiting())
		}
		for range 1000 {
			if m.closings() > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		m.mustBeClosed(t)
		if took <= soon {
			return
		}
		if try == tries {
			t.Fatalf("it ended after %v", took)
		}
	}
}

func TestCancelledRequestsAreNotSent(t *testing.T) {
	s := serve(t, say(ok))
	transport := newTransport(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errGivenUp)
	r, m := post(ctx, s.URL, "x")
	if _, err := transport.RoundTrip(r); !errors.Is(err, errGivenUp) || m.taken != 0 || s.accepted() != 0 {
		t.Errorf("the error is %v", err)
	}
	m.mustBeClosed(t)
}

// A connection whose request is cancelled just as its answer ends is not used again.
func TestLateCancellationTakesTheConnectionAlong(t *testing.T) {
	s := serve(t, say(ok))
	transport := newTransport(t, Options{})
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := post(ctx, s.URL, "x")
		go cancel()
		if response, err := transport.RoundTrip(r); err == nil {
			_, _ = io.ReadAll(response.Body)
			_ = response.Body.Close()
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		cancel()
		must(t, transport, s.URL, "x", "ok")
	}
}

// A host may refuse a request before it has read it.
func TestEarlyAnswersAreRead(t *testing.T) {
	const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!"
	for _, size := range []int{1000, writeAside, 30 << 20} {
		for name, end := range map[string]func(c net.Conn){
			"and closed":      func(net.Conn) {},
			"and reset":       func(c net.Conn) { time.Sleep(20 * time.Millisecond); _ = c.(*net.TCPConn).SetLinger(0) },
			"and half closed": func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite(); time.Sleep(50 * time.Millisecond) },
			"and hung":        func(net.Conn) { time.Sleep(100 * time.Millisecond) },
			"and read":        hung,
		} {
			t.Run(fmt.Sprintf("%d bytes, %s", size, name), func(t *testing.T) {
				s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
					_, _ = in.Peek(1)
					_, _ = io.WriteString(c, refusal)
					end(c)
				})
				transport := newTransport(t, Options{})
				response, got, err := do(t, transport, s.URL, long(size))
				if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || got != "no!" {
					t.Errorf("the answer is %+v %q, error %v", response, got, err)
				}
				if transport.waiting() != 0 {
					t.Error("the connection waits")
				}
			})
		}
	}
}

// None is sent twice, however connections end while they wait, and none is lost but
// where the host resets the connection: it may have read the request before.
func TestConnectionsEndWhileTheyWait(t *testing.T) {
	var mu sync.Mutex
	came := make(map[string]int)
	s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			text, err := take(in)
			if err != nil {
				return
			}
			mu.Lock()
			came[text]++
			mu.Unlock()
			if _, err := io.WriteString(c, ok); err != nil {
				return
			}
			patience := time.Duration(rand.Int64N(int64(400 * time.Microsecond)))
			_ = c.SetReadDeadline(time.Now().Add(patience))
			if _, err := in.Peek(1); err != nil {
				return
			}
			_ = c.SetReadDeadline(time.Time{})
		}
	})
	transport := newTransport(t, Options{})
	var callers sync.WaitGroup
	var resent atomic.Int64
	lost := make([][]string, 4)
	for caller := range lost {
		callers.Go(func() {
			for i := range 1000 {
				mark := fmt.Sprintf("%d-%d", caller, i)
				r, _ := post(t.Context(), s.URL, mark)
				again := r.GetBody
				r.GetBody = func() (io.ReadCloser, error) { resent.Add(1); return again() }
				response, err := transport.RoundTrip(r)
				if err != nil {
					lost[caller] = append(lost[caller], mark+": "+err.Error())
					continue
				}
				if text, err := io.ReadAll(response.Body); string(text) != "ok" || err != nil {
					t.Errorf("the answer is %q, %v", text, err)
				}
				_ = response.Body.Close()
				time.Sleep(time.Duration(rand.Int64N(int64(300 * time.Microsecond))))
			}
		})
	}
	callers.Wait()
	mu.Lock()
	defer mu.Unlock()
	for mark, n := range came {
		if n > 1 {
			t.Errorf("%s came %d times", mark, n)
		}
	}
	t.Logf("%d connections, %d requests sent again", s.accepted(), resent.Load())
	for _, marks := range lost {
		t.Logf("%d were reset", len(marks))
		for _, mark := range marks {
			name, why, _ := strings.Cut(mark, ": ")
			if came[name] > 0 || knowsWhatArrived && !strings.Contains(why, "reset") {
				t.Errorf("%s was lost, came %d times: %s", name, came[name], why)
			}
		}
	}
}

func TestTakenRequestsAreNotSentAgain(t *testing.T) {
	for _, reset := range []bool{false, true} {
		for _, read := range []bool{false, true} {
			t.Run(fmt.Sprintf("reset %t, read %t", reset, read), func(t *testing.T) {
				s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
					_, _ = take(in)
					_, _ = io.WriteString(c, ok)
					_, _ = in.Peek(1)
					if read {
						_, _ = take(in)
					}
					if reset {
						_ = c.(*net.TCPConn).SetLinger(0)
					}
				})
				transport := newTransport(t, Options{})
				must(t, transport, s.URL, "x", "ok")
				if _, got, err := do(t, transport, s.URL, "x"); err == nil || s.accepted() != 1 {
					t.Errorf("the answer is %q, of %d connections", got, s.accepted())
				}
			})
		}
	}
}

func TestOldConnectionsAreClosed(t *testing.T) {
	gone := make(chan struct{}, 8)
	s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		say(ok)(0, c, in)
		gone <- struct{}{}
	})
	transport := newTransport(t, Options{IdleTimeout: 40 * time.Millisecond})
	for range 2 {
		must(t, transport, s.URL, "x", "ok")
		begin := time.Now()
		<-gone
		if took := time.Since(begin); took < 15*time.Millisecond || transport.waiting() != 0 {
			t.Errorf("it was closed after %v, %d wait", took, transport.waiting())
		}
	}
}

func TestWaitingConnectionsAreBounded(t *testing.T) {
	for name, options := range map[string]Options{"per host": {MaxIdlePerHost: 3}, "in all": {MaxIdle: 3}} {
		t.Run(name, func(t *testing.T) {
			var together sync.WaitGroup
			together.Add(10)
			s := serve(t, func(n int, c net.Conn, in *bufio.Reader) {
				if _, err := take(in); err != nil {
					return
				}
				together.Done()
				together.Wait()
				_, _ = io.WriteString(c, ok)
				hung(c)
			})
			transport := newTransport(t, options)
			var callers sync.WaitGroup
			for range 10 {
				callers.Go(func() { must(t, transport, s.URL, "x", "ok") })
			}
			callers.Wait()
			if n := transport.waiting(); n != 3 {
				t.Errorf("%d wait", n)
			}
		})
	}
}

func TestClosedTransportsKeepNothing(t *testing.T) {
	before := descriptors(t)
	release := make(chan struct{})
	s := serve(t, func(n int, c net.Conn, in *bufio.Reader) {
		_, _ = take(in)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
		<-release
		_, _ = io.WriteString(c, "k")
		hung(c)
	})
	transport := newTransport(t, Options{})
	r, _ := post(t.Context(), s.URL, "x")
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	transport.Close()
	close(release)
	if text, err := io.ReadAll(response.Body); string(text) != "ok" || err != nil {
		t.Errorf("a stream that was under way ended with %q, %v", text, err)
	}
	_ = response.Body.Close()
	must(t, transport, s.URL, "x", "ok")
	_ = s.Listener.Close()
	s.running.Wait()
	if after := descriptors(t); after > before || transport.waiting() != 0 {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// descriptors counts what is open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not list descriptors")
	}
	return len(list)
}

func TestClosingABody(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		kept   int
	}{
		"that has arrived":           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1},
		"whose chunks have arrived":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1},
		"that goes on":               {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 0},
		"whose chunks go on":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0},
		"that ends with the network": {"HTTP/1.1 200 OK\r\n\r\nhello", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, say(test.answer))
			transport := newTransport(t, Options{})
			r, _ := post(t.Context(), s.URL, "x")
			response, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			within(t, 100*time.Millisecond, "closing", func() { _ = response.Body.Close() })
			if n := transport.waiting(); n != test.kept {
				t.Errorf("%d wait", n)
			}
			if n, err := response.Body.Read(make([]byte, 5)); n != 0 || err == nil {
				t.Errorf("a closed body gives %d bytes, %v", n, err)
			}
		})
	}
}

func TestClosingABodyThatIsRead(t *testing.T) {
	s := serve(t, say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"))
	transport := newTransport(t, Options{})
	r, _ := post(t.Context(), s.URL, "x")
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := io.ReadAll(response.Body)
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	_ = response.Body.Close()
	if err := <-ended; err == nil || transport.waiting() != 0 {
		t.Errorf("the reading ended with %v, %d wait", err, transport.waiting())
	}
}

// What belongs to one answer stays as it is when its connection serves the next.
func TestAnswersShareNothing(t *testing.T) {
	var n atomic.Int64
	s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			if _, err := take(in); err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: 2\r\n\r\nok", n.Add(1))
		}
	})
	transport := newTransport(t, Options{})
	var all []*http.Response
	for range 5 {
		response, _, err := do(t, transport, s.URL, "x")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, response)
	}
	for i, response := range all {
		if got := response.Header.Get("X-Number"); got != fmt.Sprint(i+1) {
			t.Errorf("answer %d has become %s", i+1, got)
		}
		if n, err := response.Body.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("answer %d goes on: %v", i+1, err)
		}
		_ = response.Body.Close()
	}
	if s.accepted() != 1 || transport.waiting() != 1 {
		t.Errorf("there were %d connections, %d wait", s.accepted(), transport.waiting())
	}
}

func TestWhatIsNotForThisTransport(t *testing.T) {
	s := serve(t, say(ok))
	for name, change := range map[string]func(*http.Request){
		"method":   func(r *http.Request) { r.Method = http.MethodPut },
		"scheme":   func(r *http.Request) { r.URL.Scheme = "ftp" },
		"host":     func(r *http.Request) { r.URL.Host = "bücher.example" },
		"name":     func(r *http.Request) { r.Host = "bücher.example" },
		"body":     func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("x")) },
		"length":   func(r *http.Request) { r.ContentLength = -1 },
		"upgrade":  func(r *http.Request) { r.Header["Upgrade"] = []string{"x"} },
		"expect":   func(r *http.Request) { r.Header["Expect"] = []string{"100-continue"} },
		"closing":  func(r *http.Request) { r.Close = true },
		"opaque":   func(r *http.Request) { r.URL.Opaque = "//x/y" },
		"trailers": func(r *http.Request) { r.Trailer = http.Header{"A": nil} },
	} {
		other := new(fallback)
		transport := newTransport(t, Options{Fallback: other})
		r, _ := post(t.Context(), s.URL, "x")
		change(r)
		response, err := transport.RoundTrip(r)
		if err != nil || response.StatusCode != http.StatusTeapot || other.asked != 1 {
			t.Errorf("%s: the answer is %+v, %v", name, response, err)
		}
	}
}

func TestProxiesAreForTheOtherTransport(t *testing.T) {
	s := serve(t, say(ok))
	other := new(fallback)
	transport := newTransport(t, Options{Fallback: other, Proxy: http.ProxyURL(httptest.NewRequest("GET", "http://proxy.example", nil).URL)})
	for range 2 {
		if response, _, err := do(t, transport, s.URL, "x"); err != nil || response.StatusCode != http.StatusTeapot {
			t.Errorf("the answer is %+v, %v", response, err)
		}
	}
	if other.asked != 2 || s.accepted() != 0 {
		t.Errorf("the other was asked %d times", other.asked)
	}
}

func TestUnreachableHosts(t *testing.T) {
	s := serve(t, say(ok))
	_ = s.Listener.Close()
	transport := newTransport(t, Options{})
	r, m := post(t.Context(), s.URL, "x")
	if _, err := transport.RoundTrip(r); err == nil || !strings.Contains(err.Error(), "refused") || m.taken != 0 {
		t.Errorf("the error is %v", err)
	}
	m.mustBeClosed(t)
}

func TestTraces(t *testing.T) {
	s := serve(t, say(ok))
	transport := newTransport(t, Options{})
	for _, reused := range []bool{false, true} {
		var told []string
		r, m := post(t.Context(), s.URL, "x")
		ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GetConn:      func(string) { told = append(told, "get") },
			ConnectStart: func(string, string) { told = append(told, "connect") },
			GotConn: func(info httptrace.GotConnInfo) {
				if info.Reused != reused || m.taken != 0 {
					t.Errorf("the connection is %+v", info)
				}
				told = append(told, "got")
			},
			WroteRequest:         func(httptrace.WroteRequestInfo) { told = append(told, "wrote") },
			GotFirstResponseByte: func() { told = append(told, "first") },
		})
		response, err := transport.RoundTrip(r.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(response.Body)
		want := "[get connect got wrote first]"
		if reused {
			want = "[get got wrote first]"
		}
		if fmt.Sprint(told) != want {
			t.Errorf("told %v, want %s", told, want)
		}
	}
}

// Many at once, of which some are cancelled, some closed early and some read whole.
func TestManyAtOnce(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		for piece := range bytes.SplitSeq(text, []byte(" ")) {
			_, _ = w.Write(piece)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer srv.Close()
	transport := newTransport(t, Options{MaxIdlePerHost: 16})
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for i := range 50 {
				want := fmt.Sprintf("%d %d %s", caller, i, long(i*100))
				ctx, cancel := context.WithCancel(t.Context())
				r, _ := post(ctx, srv.URL, want)
				response, err := transport.RoundTrip(r)
				if err != nil {
					t.Errorf("the error is %v", err)
					cancel()
					continue
				}
				switch i % 3 {
				case 0:
					go cancel()
					_, _ = io.ReadAll(response.Body)
				case 1:
					_ = response.Body.Close()
				default:
					if got, err := io.ReadAll(response.Body); string(got) != strings.ReplaceAll(want, " ", "") || err != nil {
						t.Errorf("the answer is %.50q, %v; want %.50q", got, err, want)
					}
				}
				_ = response.Body.Close()
				cancel()
			}
		})
	}
	callers.Wait()
}
