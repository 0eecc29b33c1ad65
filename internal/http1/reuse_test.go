package http1

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

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
