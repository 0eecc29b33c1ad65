package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Bounds of one fetch.
const (
	maxMedia        = 20 << 20
	maxMediaHeader  = 64 << 10
	fetchTimeout    = 20 * time.Second
	maxFetchHops    = 3
	fetchIdle       = 30 * time.Second
	fetchConnecting = 5 * time.Second
)

// PublicFetcher fetches media from the public Internet: over https alone, and
// only from addresses that anyone could reach. The address is checked when it is
// dialled, after the name was resolved, so that a name that changes its mind
// leads nowhere. It has no credentials, no cookies and heeds no proxy.
type PublicFetcher struct {
	client *http.Client
}

// NewPublicFetcher makes a fetcher.
func NewPublicFetcher() *PublicFetcher { return newFetcher(isPublic) }

func newFetcher(allowed func(netip.Addr) bool) *PublicFetcher {
	dialer := &net.Dialer{
		Timeout: fetchConnecting,
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !allowed(to.Addr().Unmap()) {
				return errNotPublic
			}
			return nil
		},
	}
	return &PublicFetcher{client: &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: fetchConnecting,
			IdleConnTimeout: fetchIdle, MaxIdleConns: 16, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: maxMediaHeader,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxFetchHops {
				return errors.New("too many redirects")
			}
			r.Header.Del("Referer") // the address before may be a secret of its own
			return checkMediaURL(r.URL)
		},
	}}
}

var errNotPublic = errors.New("the address is not public")

// notPublic are ranges that netip does not name: shared, special and benchmark
// addresses, and those that carry an IPv4 address inside (RFC 6890 and followers).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("3fff::/20"),
}

// allocated is what is given out of IPv6: all else is special, or will be one day.
var allocated = netip.MustParsePrefix("2000::/3")

func isPublic(a netip.Addr) bool {
	if a.Is6() && !allocated.Contains(a) || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Zone() != "" {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

func checkMediaURL(u *url.URL) error {
	if u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("the URL is not a plain https one")
	}
	return nil
}

// Fetch gets what a URL holds, if that is an image, a sound, a PDF or text.
func (f *PublicFetcher) Fetch(ctx context.Context, address string) (mediaType string, data []byte, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, errors.New("fetching media: the URL cannot be read")
	}
	if err := checkMediaURL(u); err != nil {
		return "", nil, fmt.Errorf("fetching media: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", nil, fmt.Errorf("fetching media: %w", withoutURL(err))
	}
	request.Header["User-Agent"] = headerAgent
	response, err := f.client.Do(request)
	if err != nil {
		return "", nil, fmt.Errorf("fetching media: %w", withoutURL(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("fetching media: the server answered %d", response.StatusCode)
	}
	if response.ContentLength > maxMedia {
		return "", nil, errMediaTooLarge
	}
	data, err = readAll(nil, io.LimitReader(response.Body, maxMedia+1), maxMedia)
	if errors.Is(err, errTooMuch) {
		return "", nil, errMediaTooLarge
	}
	if err != nil {
		return "", nil, fmt.Errorf("fetching media: %w", err)
	}
	if mediaType = typeOfMedia(response.Header, data); mediaType == "" {
		return "", nil, errors.New("fetching media: it is no image, sound, PDF or text")
	}
	return mediaType, data, nil
}

// withoutURL is an error without the address, which is of the client's request
// and often signed: it has no place in a log.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

var errMediaTooLarge = fmt.Errorf("fetching media: it is larger than %d MiB", maxMedia>>20)

// typeOfMedia is what the server calls the data if that is of use, else what it
// looks like.
func typeOfMedia(h http.Header, data []byte) string {
	sniffed, _, _ := strings.Cut(http.DetectContentType(data), ";")
	for _, media := range [...]string{mediaType(h), sniffed} {
		switch top, _, _ := strings.Cut(media, "/"); {
		case media == "image/svg+xml", media == "text/html":
			return "" // no model sees these
		case top == "image", top == "audio", top == "text", media == "application/pdf":
			return media
		}
	}
	return ""
}
