package http1

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority is a certificate for 127.0.0.1, and what trusts it.
func authority(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	borrowed := httptest.NewTLSServer(nil)
	defer borrowed.Close()
	pool := x509.NewCertPool()
	pool.AddCert(borrowed.Certificate())
	return &tls.Config{Certificates: borrowed.TLS.Certificates}, &tls.Config{RootCAs: pool}
}

// secured puts TLS over a handler of raw connections.
func secured(config *tls.Config, handle func(int, *tls.Conn, *bufio.Reader)) func(int, net.Conn, *bufio.Reader) {
	return func(n int, c net.Conn, _ *bufio.Reader) {
		secure := tls.Server(c, config)
		defer secure.Close()
		if secure.Handshake() == nil {
			handle(n, secure, bufio.NewReader(secure))
		}
	}
}

func (s *server) secureURL() string { return strings.Replace(s.URL, "http:", "https:", 1) }

func TestTLS(t *testing.T) {
	theirs, ours := authority(t)
	theirs.NextProtos = []string{"h2", "http/1.1"}
	var resumed, protocols atomic.Int64
	s := serve(t, secured(theirs, func(_ int, c *tls.Conn, in *bufio.Reader) {
		state := c.ConnectionState()
		if state.DidResume {
			resumed.Add(1)
		}
		if state.NegotiatedProtocol == "http/1.1" {
			protocols.Add(1)
		}
		for range 5 {
			text, err := take(in)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			if len(text) > 5 {
				text = text[:5]
			}
			_, _ = io.WriteString(c, "5\r\n"+text+"\r\n0\r\n\r\n")
		}
	}))
	transport := newTransport(t, Options{TLS: ours})
	for _, size := range []int{5, record, writeAside, 1 << 20, 6} {
		must(t, transport, s.secureURL(), long(size), "xxxxx")
	}
	time.Sleep(20 * time.Millisecond)
	for range 5 { // the server has said goodbye to the first connection
		must(t, transport, s.secureURL(), "hello", "hello")
	}
	if s.accepted() != 2 || resumed.Load() != 1 || protocols.Load() != 2 {
		t.Errorf("%d connections, %d resumed, %d of HTTP/1.1", s.accepted(), resumed.Load(), protocols.Load())
	}
}

func TestTLSOfStrangers(t *testing.T) {
	theirs, _ := authority(t)
	s := serve(t, secured(theirs, func(_ int, c *tls.Conn, in *bufio.Reader) { t.Error("somebody was spoken to") }))
	transport := newTransport(t, Options{})
	r, m := post(t.Context(), s.secureURL(), "x")
	_, err := transport.RoundTrip(r)
	var unknown *tls.CertificateVerificationError
	if !errors.As(err, &unknown) || m.taken != 0 {
		t.Errorf("the error is %v", err)
	}
	m.mustBeClosed(t)
}

// What comes within a record after the answer is nobody's answer either.
func TestUnaskedAnswersWithinARecord(t *testing.T) {
	theirs, ours := authority(t)
	sent := make(chan struct{}, 4)
	s := serve(t, secured(theirs, func(_ int, c *tls.Conn, in *bufio.Reader) {
		if _, err := take(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 8192\r\n\r\n"+long(8192)+"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
		sent <- struct{}{}
		hung(c)
	}))
	transport := newTransport(t, Options{TLS: ours})
	for range 3 {
		r, _ := post(t.Context(), s.secureURL(), "x")
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		<-sent
		// A long read goes past the buffer, and so leaves the rest of the record where it is.
		p := make([]byte, 64<<10)
		for err == nil {
			_, err = response.Body.Read(p)
		}
		if !errors.Is(err, io.EOF) || response.ContentLength != 8192 {
			t.Errorf("the answer is %+v, %v", response, err)
		}
	}
	if n := s.accepted(); n != 3 {
		t.Errorf("there were %d connections", n)
	}
}

func TestCancellationOverTLS(t *testing.T) {
	theirs, ours := authority(t)
	for name, handle := range map[string]func(int, net.Conn, *bufio.Reader){
		"handshake": func(_ int, c net.Conn, _ *bufio.Reader) { hung(c) },
		"header":    secured(theirs, func(_ int, c *tls.Conn, _ *bufio.Reader) { hung(c) }),
		"body": secured(theirs, func(_ int, c *tls.Conn, _ *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nab")
			hung(c)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, handle)
			cancelSoon(t, newTransport(t, Options{TLS: ours}), s.secureURL(), 10)
		})
	}
}

func TestHostsWithoutHTTP1(t *testing.T) {
	theirs, ours := authority(t)
	settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0}
	for name, protocols := range map[string][]string{"an alert": {"other"}, "a frame of HTTP/2": {"h2"}} {
		t.Run(name, func(t *testing.T) {
			config := theirs.Clone()
			config.NextProtos = protocols
			s := serve(t, secured(config, func(_ int, c *tls.Conn, _ *bufio.Reader) {
				_, _ = c.Write(settings)
				hung(c)
			}))
			other := new(fallback)
			transport := newTransport(t, Options{TLS: ours, Fallback: other})
			for range 3 {
				if response, _, err := do(t, transport, s.secureURL(), "x"); err != nil || response.StatusCode != http.StatusTeapot {
					t.Errorf("the answer is %+v, %v", response, err)
				}
			}
			if other.asked != 3 || s.accepted() != 1 {
				t.Errorf("the other was asked %d times, after %d connections", other.asked, s.accepted())
			}
		})
	}
}

func TestEarlyAnswersOverTLS(t *testing.T) {
	theirs, ours := authority(t)
	s := serve(t, secured(theirs, func(_ int, c *tls.Conn, in *bufio.Reader) {
		_, _ = in.Peek(1)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
		time.Sleep(50 * time.Millisecond)
	}))
	transport := newTransport(t, Options{TLS: ours})
	response, got, err := do(t, transport, s.secureURL(), long(30<<20))
	if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || got != "no!" || transport.waiting() != 0 {
		t.Errorf("the answer is %+v %q, error %v", response, got, err)
	}
}
