package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
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
