package http1

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
)

func TestWarmConnectionsServeTheFirstRequests(t *testing.T) {
	s := serve(t, say(ok))
	transport := newTransport(t, Options{})
	to, err := url.Parse(s.URL + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := transport.Warm(t.Context(), to, 3); err != nil || transport.waiting() != 3 {
		t.Fatalf("%d connections wait, error %v", transport.waiting(), err)
	}
	for range 5 {
		must(t, transport, s.URL, "x", "ok")
	}
	if n := s.accepted(); n != 3 {
		t.Errorf("there were %d connections", n)
	}
	_ = s.Close()
	if err := transport.Warm(t.Context(), to, 2); err == nil {
		t.Error("a host that is not there is warm")
	}
}

func TestWhatIsAnotherTransportsIsNotWarmed(t *testing.T) {
	s := serve(t, say(ok))
	var asked atomic.Bool
	transport := newTransport(t, Options{Proxy: func(*http.Request) (*url.URL, error) { asked.Store(true); return url.Parse("http://proxy.invalid") }})
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := transport.Warm(t.Context(), to, 3); err != nil || !asked.Load() || s.accepted() != 0 {
		t.Errorf("error %v, %d connections", err, s.accepted())
	}
}
