package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:4700::1111": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "203.0.113.9": false,
		"::1": false, "::": false, "fe80::1": false, "fd00::1": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
		"::7f00:1": false, "fec0::1": false, "64:ff9b:1::1": false, "100::1": false, "4000::1": false,
		"2001:db8::1": false, "fd00:ec2::254": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %v, want %v", address, got, want)
		}
	}
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	for _, url := range []string{srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), strings.Replace(srv.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		if _, _, err := NewPublicFetcher().Fetch(context.Background(), url); !errors.Is(err, errNotPublic) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// mediaServer serves media on this machine, and a fetcher that may go there.
func mediaServer(t *testing.T) (*httptest.Server, *PublicFetcher) {
	png := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 100)...)
	mux := http.NewServeMux()
	serve := func(path, contentType string, data []byte) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if len(r.Header["Cookie"])+len(r.Header["Authorization"]) > 0 {
				t.Error("a fetch has a credential")
			}
			w.Header()["Content-Type"] = []string{contentType}
			_, _ = w.Write(data)
		})
	}
	serve("/image", "image/png", png)
	serve("/untyped", "application/octet-stream", png)
	serve("/page", "text/html; charset=utf-8", []byte("<html>"))
	serve("/drawing", "image/svg+xml", []byte("<svg/>"))
	serve("/huge", "image/png", bytes.Repeat([]byte("x"), maxMedia+1))
	mux.HandleFunc("/referred", func(w http.ResponseWriter, r *http.Request) {
		if r.Header["Referer"] != nil {
			t.Errorf("a redirect tells of %q", r.Header["Referer"])
		}
		http.Redirect(w, r, "/image", http.StatusFound)
	})
	mux.HandleFunc("/wide", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Padding"] = []string{strings.Repeat("x", 2*maxMediaHeader)}
	})
	mux.Handle("/elsewhere", http.RedirectHandler("/referred", http.StatusFound))
	mux.Handle("/moved", http.RedirectHandler("/image", http.StatusFound))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	mux.Handle("/down", http.RedirectHandler("http://127.0.0.1/image", http.StatusFound))
	srv := httptest.NewTLSServer(mux)
	t.Cleanup(srv.Close)
	fetcher := newFetcher(func(netip.Addr) bool { return true })
	transport := fetcher.client.Transport.(*http.Transport)
	transport.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return srv, fetcher
}

func TestMediaIsFetchedWithinBounds(t *testing.T) {
	srv, fetcher := mediaServer(t)
	for _, test := range []struct{ path, want, err string }{
		{"/image", "image/png", ""},
		{"/untyped", "image/png", ""},
		{"/moved", "image/png", ""},
		{"/elsewhere", "image/png", ""},
		{"/wide", "", "header"},
		{"/page", "", "no image"},
		{"/drawing", "", "no image"},
		{"/huge", "", "larger than"},
		{"/none", "", "answered 404"},
		{"/round", "", "too many redirects"},
		{"/down", "", "not a plain https"},
	} {
		media, data, err := fetcher.Fetch(context.Background(), srv.URL+test.path+"?signature=canary")
		if err != nil && (strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), srv.URL)) {
			t.Errorf("%s: the error tells the address: %v", test.path, err)
		}
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: error is %v, want %q", test.path, err, test.err)
			}
			continue
		}
		if err != nil || media != test.want || len(data) != 108 {
			t.Errorf("%s: %s, %d bytes, %v", test.path, media, len(data), err)
		}
	}
	for _, url := range []string{"http://example.com/x", "file:///etc/passwd", "https://user:pass@example.com/", "https://", "::"} {
		if _, _, err := fetcher.Fetch(context.Background(), url); err == nil {
			t.Errorf("%s was fetched", url)
		}
	}
}
