package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeySetAddresses(t *testing.T) {
	for _, good := range []string{"https://issuer.example/jwks", "http://localhost:8080/jwks", "http://127.0.0.1/jwks", "http://[::1]:1/jwks"} {
		if err := ParseKeySetAddress(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"http://issuer.example/jwks", "http://127.0.0.1.example/jwks", "http://localhost.example/x", "ftp://localhost/x", "https://", "https://u:p@issuer.example/x", "https://issuer.example/#x", "://"} {
		if err := ParseKeySetAddress(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// remote stands in for an issuer's address.
type remote struct {
	mu     sync.Mutex
	status int
	text   []byte
	delay  time.Duration
	asked  atomic.Int64
}

func (r *remote) RoundTrip(request *http.Request) (*http.Response, error) {
	r.asked.Add(1)
	r.mu.Lock()
	status, text, delay := r.status, r.text, r.delay
	r.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Location": {"https://evil.example"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: request}, nil
}

func (r *remote) answer(status int, text []byte, delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.text, r.delay = status, text, delay
}

// fetched is a key set at a remote address, and how often a fetch has failed.
func fetched(t *testing.T) (*KeySet, *remote, *atomic.Int64) {
	t.Helper()
	r, failures := &remote{status: 200, text: theIssuer().set}, new(atomic.Int64)
	s := FetchedKeySet("https://issuer.example/jwks", func(error) { failures.Add(1) })
	s.client.Transport = r
	t.Cleanup(func() { _ = s.Destruct() })
	return s, r, failures
}

func expect(t *testing.T, s *KeySet, id string, want error) {
	t.Helper()
	if key, err := s.find(t.Context(), id, "EdDSA"); !errors.Is(err, want) || (err == nil) != (key != nil) {
		t.Errorf("the key %s is %v (%v), not %v", id, key, err, want)
	}
}

func TestKeysAreFetchedWhenATokenComes(t *testing.T) {
	theIssuer()
	synctest.Test(t, func(t *testing.T) {
		s, r, _ := fetched(t)
		time.Sleep(time.Hour)
		if r.asked.Load() != 0 {
			t.Error("the issuer is asked before there is a token")
		}
		expect(t, s, "ed", nil)
		expect(t, s, "ed", nil)
		if n := r.asked.Load(); n != 1 {
			t.Errorf("the issuer is asked %d times", n)
		}
	})
}

func TestUnknownKeysDoNotFloodTheIssuer(t *testing.T) {
	theIssuer()
	synctest.Test(t, func(t *testing.T) {
		s, r, _ := fetched(t)
		r.answer(200, theIssuer().set, time.Second)
		expect(t, s, "ed", nil)
		for round := int64(2); round < 5; round++ {
			time.Sleep(leastBetween)
			for range 50 {
				go expect(t, s, "nobody", ErrInvalidKey)
			}
			time.Sleep(leastBetween / 2)
			for range 50 {
				expect(t, s, "nobody", ErrInvalidKey)
			}
			if n := r.asked.Load(); n != round {
				t.Errorf("the issuer is asked %d times in %d rounds", n, round)
			}
		}
	})
}

func TestARequestWaitsALittleForKeys(t *testing.T) {
	theIssuer()
	synctest.Test(t, func(t *testing.T) {
		s, r, failures := fetched(t)
		r.answer(200, theIssuer().set, 5*time.Second)
		start := time.Now()
		expect(t, s, "ed", ErrUnavailable)
		if waited := time.Since(start); waited != patience {
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.find(ctx, "ed", "EdDSA"); !errors.Is(err, ErrUnavailable) || time.Since(start) != patience {
			t.Errorf("a client that is gone waited: %v", err)
		}
		time.Sleep(4 * time.Second)
		expect(t, s, "ed", nil)
		if r.asked.Load() != 1 || failures.Load() != 0 {
			t.Errorf("%d fetches, %d failures", r.asked.Load(), failures.Load())
		}
	})
}

func TestTheLastGoodKeysServeForADay(t *testing.T) {
	theIssuer()
	synctest.Test(t, func(t *testing.T) {
		s, r, failures := fetched(t)
		expect(t, s, "ed", nil)
		for _, bad := range []struct {
			status int
			text   []byte
			delay  time.Duration
		}{
			{500, theIssuer().set, 0}, {302, theIssuer().set, 0}, {200, []byte(`{"keys":[]}`), 0}, {200, []byte("x"), 0},
			{200, append(bytes.Repeat([]byte(" "), maxKeySet), theIssuer().set...), 0}, {200, theIssuer().set, time.Minute},
		} {
			r.answer(bad.status, bad.text, bad.delay)
			before := failures.Load()
			time.Sleep(refreshAfter + time.Second)
			expect(t, s, "ed", nil) // without waiting
			time.Sleep(fetchTimeout + time.Second)
			if failures.Load() != before+1 {
				t.Errorf("%d %.20q: %d failures", bad.status, bad.text, failures.Load()-before)
			}
		}
		time.Sleep(keptFor)
		expect(t, s, "ed", ErrUnavailable)
		r.answer(200, theIssuer().set, 0)
		time.Sleep(leastBetween)
		expect(t, s, "ed", nil)
	})
}

func TestNewKeysOfTheIssuerAreFound(t *testing.T) {
	theIssuer()
	synctest.Test(t, func(t *testing.T) {
		s, r, _ := fetched(t)
		r.answer(200, bytes.Replace(theIssuer().set, []byte(`"kid":"ed"`), []byte(`"kid":"old"`), 1), 0)
		expect(t, s, "old", nil)
		r.answer(200, theIssuer().set, 0)
		expect(t, s, "ed", ErrInvalidKey) // too soon
		time.Sleep(leastBetween)
		expect(t, s, "ed", nil)
		expect(t, s, "old", ErrInvalidKey)
	})
}

func TestNoFetchOutlivesTheKeySet(t *testing.T) {
	theIssuer()
	synctest.Test(t, func(t *testing.T) {
		s, r, failures := fetched(t)
		r.answer(200, theIssuer().set, fetchTimeout/2)
		start := time.Now()
		go expect(t, s, "ed", ErrUnavailable)
		time.Sleep(time.Second)
		_ = s.Destruct()
		synctest.Wait()
		if time.Since(start) != time.Second || s.now != nil || failures.Load() != 0 {
			t.Errorf("the fetch is still under way, or its end is a failure")
		}
	})
}

func TestKeysAreFetchedOverHTTP(t *testing.T) {
	var redirected atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/jwks":
			_, _ = w.Write(theIssuer().set)
		case "/moved":
			http.Redirect(w, r, "/jwks?moved", http.StatusFound)
			redirected.Store(true)
		}
	}))
	defer server.Close()
	for path, want := range map[string]error{"/jwks": nil, "/moved": ErrUnavailable} {
		s := FetchedKeySet(server.URL+path, func(err error) {
			if strings.Contains(err.Error(), "ed25519") {
				t.Error(err)
			}
		})
		expect(t, s, "ed", want)
		_ = s.Destruct()
	}
	if !redirected.Load() {
		t.Error("the redirect was not asked for")
	}
}

func TestAGivenKeySetNeedsNoRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := GivenKeySet(theIssuer().set)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * keptFor)
		expect(t, s, "ed", nil)
		expect(t, s, "nobody", ErrInvalidKey)
		if s.Replace([]byte("{}")) == nil {
			t.Error("a set without keys is accepted")
		}
		expect(t, s, "ed", nil)
		_ = s.Destruct()
	})
}

func TestATokenWithoutAKeyIDNeedsASetOfOne(t *testing.T) {
	one := []byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	s, err := GivenKeySet(one)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, s, "", nil)
	if _, err := s.find(t.Context(), "", "ES256"); !errors.Is(err, ErrInvalidKey) {
		t.Errorf("another algorithm: %v", err)
	}
}
