package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

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

// breaking is a connection on which half of what is written goes out.
type breaking struct{ net.Conn }

var errBroken = errors.New("broken")

func (b breaking) Write(p []byte) (int, error) {
	n, err := b.Conn.Write(p[:len(p)/2])
	if err == nil {
		err = errBroken
	}
	return n, err
}

// A request that broke off may have been refused, with a body or without.
func TestAnswersToRequestsThatBrokeOff(t *testing.T) {
	for name, answer := range map[string]string{
		"with a body":    "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!",
		"without a body": "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
				_, _ = in.Peek(1)
				_, _ = io.WriteString(c, answer)
				hung(c)
			})
			transport := newTransport(t, Options{})
			r, _ := post(t.Context(), s.URL, long(1000))
			c, err := transport.host(r).dial(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			c.stream = breaking{c.stream}
			response, err := c.exchange(r, nil)
			if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge {
				t.Fatalf("the answer is %+v, error %v", response, err)
			}
			_ = response.Body.Close()
			if transport.waiting() != 0 {
				t.Error("the connection waits")
			}
		})
	}
}
