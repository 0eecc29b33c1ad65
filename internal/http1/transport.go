// Package http1 is an HTTP/1.1 client for few hosts that take many requests. It
// does all its work on the goroutine of its caller: net/http's transport has two
// of its own for each connection, and handing a request and its answer from one
// to the other costs more than the rest of a call.
//
// It takes plain requests alone, whose bodies are memory. Whatever else is asked,
// a proxy, another method, a host that speaks no HTTP/1.1, is another transport's.
//
// # What is used again
//
// A connection, with its buffer, serves one request after another. Nothing else is
// shared by two requests: an answer, its header and its body reader are made anew,
// because their owner may look at them long after the connection has moved on. The
// body reader gives up the connection when it has read the last byte or is closed,
// whichever comes first, and never touches it afterwards.
//
// A connection is used again only if it is known to be in order: the request was
// written whole, the answer read whole, nothing came after it, neither side asked
// for the end, and the request's context was not cancelled meanwhile. Just before
// it is used again the system is asked whether anything came while it was idle,
// such as its end.
//
// # What is sent again
//
// A request is sent again, once and over a new connection, only if the connection
// was used before, failed before the first byte of an answer, and is known to have
// delivered nothing of the request: either the system took none of its bytes, or
// (on Linux) the peer ended the connection before any of them came.
package http1

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Options are those of a transport. The zero value is complete but for Fallback.
type Options struct {
	// Fallback takes the requests that are not for this transport. It is required.
	Fallback http.RoundTripper
	// DialTimeout bounds a dial. Default: 5s.
	DialTimeout time.Duration
	// FallbackDelay is that of [net.Dialer].
	FallbackDelay time.Duration
	// ProbeInterval is between TCP's keep-alive probes; negative: none. Default: 30s.
	ProbeInterval time.Duration
	// IdleTimeout is how long a connection may wait for its next request; negative:
	// for ever. Default: 2m.
	IdleTimeout time.Duration
	// MaxIdlePerHost is how many connections to a host may wait. Default: 512.
	MaxIdlePerHost int
	// MaxIdle is how many may wait in all. Default: no limit.
	MaxIdle int
	// MaxHeader bounds the header of an answer, in bytes. Default: 1 MiB.
	MaxHeader int
	// Proxy says which requests go through a proxy, and so to Fallback. Default:
	// [http.ProxyFromEnvironment].
	Proxy func(*http.Request) (*url.URL, error)
	// TLS is what connections over TLS begin from. Default: the system's roots.
	TLS *tls.Config
}

// handshakeTimeout bounds a TLS handshake.
const handshakeTimeout = 10 * time.Second

// Transport is an [http.RoundTripper]. It must be closed.
type Transport struct {
	Options
	dialer   net.Dialer
	sessions tls.ClientSessionCache

	// hosts is replaced as a whole, so that it can be read without the lock.
	hosts atomic.Pointer[map[hostKey]*host]
	// idle counts what waits for all hosts.
	idle atomic.Int64

	mu     sync.Mutex
	closed bool
}

// New makes a transport.
func New(options Options) *Transport {
	setDefault(&options.DialTimeout, 5*time.Second)
	setDefault(&options.ProbeInterval, 30*time.Second)
	setDefault(&options.IdleTimeout, 2*time.Minute)
	setDefault(&options.MaxIdlePerHost, 512)
	setDefault(&options.MaxHeader, 1<<20)
	if options.Proxy == nil {
		options.Proxy = http.ProxyFromEnvironment
	}
	t := &Transport{
		Options: options,
		dialer: net.Dialer{
			Timeout: options.DialTimeout, FallbackDelay: options.FallbackDelay, KeepAlive: options.ProbeInterval,
			KeepAliveConfig: net.KeepAliveConfig{Enable: options.ProbeInterval > 0, Interval: options.ProbeInterval},
		},
		sessions: tls.NewLRUClientSessionCache(64),
	}
	t.hosts.Store(new(map[hostKey]*host))
	return t
}

func setDefault[T comparable](option *T, value T) {
	var zero T
	if *option == zero {
		*option = value
	}
}

// Close closes all connections that wait, and lets none wait from now on.
// Requests under way go on, and new ones may still be made.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	for _, h := range *t.hosts.Load() {
		h.close()
	}
}

// RoundTrip implements [http.RoundTripper]. The request's body is closed, whatever
// comes of it.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	h := t.host(request)
	if h == nil || h.elsewhere.Load() || !isPlain(request) {
		return t.Fallback.RoundTrip(request)
	}
	ctx := request.Context()
	trace := httptrace.ContextClientTrace(ctx)
	for again := false; ; again = true {
		c, err := h.connection(ctx, trace, again)
		if speaksOtherwise(err) {
			h.elsewhere.Store(true)
			return t.Fallback.RoundTrip(request)
		}
		if err != nil {
			closeBody(request)
			return nil, reason(ctx, err)
		}
		response, err := c.exchange(request, trace)
		if err == nil {
			return response, nil
		}
		// In both cases nobody has acted on it.
		otherwise := speaksOtherwise(err)
		if again || !c.deliveredNothing && !otherwise {
			return nil, reason(ctx, err)
		}
		if request, err = rewind(request, err); err != nil {
			return nil, reason(ctx, err)
		}
		if otherwise {
			h.elsewhere.Store(true)
			return t.Fallback.RoundTrip(request)
		}
	}
}

// reason is why a request failed: that it was given up, if it was.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
