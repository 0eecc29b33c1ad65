package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

type hostKey struct {
	scheme, host string // as they stand in the URL
}

// host keeps the connections to one host. The one that was used last is used
// next, so that those that are not needed grow old.
type host struct {
	transport *Transport
	name      string
	address   string
	secure    *tls.Config // nil: plain
	// elsewhere tells that the host is not for this package.
	elsewhere atomic.Bool

	mu     sync.Mutex
	idle   []*conn // by age, the oldest first
	closed bool
	// The clock of a host ticks only while connections wait.
	clock *time.Timer
	ticks uint64
	runs  bool
}

// maxHosts bounds the hosts that are remembered. A provider has one or two.
const maxHosts = 256

// host finds where a request goes, nil if the package has nothing to do with it.
func (t *Transport) host(r *http.Request) *host {
	if r.URL == nil {
		return nil
	}
	key := hostKey{r.URL.Scheme, r.URL.Host}
	if h := (*t.hosts.Load())[key]; h != nil {
		return h
	}
	return t.newHost(key, r)
}

func (t *Transport) newHost(key hostKey, r *http.Request) *host {
	port := r.URL.Port()
	switch {
	case !isPlainHost(key.host) || r.URL.Hostname() == "":
		return nil
	case key.scheme == "http" && port == "":
		port = "80"
	case key.scheme == "https" && port == "":
		port = "443"
	case key.scheme != "http" && key.scheme != "https":
		return nil
	}
	h := &host{transport: t, name: r.URL.Hostname(), address: net.JoinHostPort(r.URL.Hostname(), port)}
	if key.scheme == "https" {
		h.secure = t.secure(h.name)
	}
	if proxy, err := t.Proxy(r); proxy != nil || err != nil {
		h.elsewhere.Store(true)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.hosts.Load()
	if other := known[key]; other != nil {
		return other
	}
	if len(known) >= maxHosts {
		return nil
	}
	hosts := maps.Clone(known)
	if hosts == nil {
		hosts = make(map[hostKey]*host)
	}
	hosts[key], h.closed = h, t.closed
	t.hosts.Store(&hosts)
	return h
}

// secure is how TLS begins. HTTP/1.1 alone is offered, and sessions are resumed.
func (t *Transport) secure(name string) *tls.Config {
	config := new(tls.Config)
	if t.TLS != nil {
		config = t.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = name
	}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = t.sessions
	}
	config.NextProtos = []string{"http/1.1"}
	return config
}

// isPlainHost tells the names that mean the same to everybody as they stand:
// letters, digits and addresses.
func isPlainHost(host string) bool {
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return host != ""
}

// connection is one to send a request over: one that waits, unless it must be new.
func (h *host) connection(ctx context.Context, trace *httptrace.ClientTrace, anew bool) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(h.address)
	}
	for !anew {
		c := h.take()
		if c == nil {
			break
		}
		if c.isQuiet() {
			c.reused = true
			if trace != nil && trace.GotConn != nil {
				trace.GotConn(httptrace.GotConnInfo{Conn: c.stream, Reused: true, WasIdle: true})
			}
			return c, nil
		}
		c.discard()
	}
	c, err := h.dial(ctx, trace)
	if err == nil && trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: c.stream})
	}
	return c, err
}

func (h *host) dial(ctx context.Context, trace *httptrace.ClientTrace) (*conn, error) {
	dialled, err := h.transport.dialer.DialContext(ctx, "tcp", h.address)
	if err != nil {
		return nil, err
	}
	s, err := newSocket(dialled)
	if err != nil {
		_ = dialled.Close()
		return nil, err
	}
	c := &conn{host: h, socket: s, stream: s, limit: h.transport.MaxHeader}
	c.interrupt = s.interrupt
	if h.secure == nil {
		return c, nil
	}
	c.secure = tls.Client(s, h.secure)
	c.stream = c.secure
	if err := handshake(ctx, trace, c.secure); err != nil {
		_ = s.Close()
		return nil, err
	}
	return c, nil
}

func handshake(ctx context.Context, trace *httptrace.ClientTrace, secure *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if trace != nil && trace.TLSHandshakeStart != nil {
		trace.TLSHandshakeStart()
	}
	err := secure.HandshakeContext(ctx)
	if trace != nil && trace.TLSHandshakeDone != nil {
		trace.TLSHandshakeDone(secure.ConnectionState(), err)
	}
	return err
}

// errOtherwise is an answer that only a speaker of HTTP/2 gives.
var errOtherwise = errors.New("the host answered in HTTP/2")

// speaksOtherwise tells that a host has no HTTP/1.1. The alert has no type that
// could be asked for.
func speaksOtherwise(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, errOtherwise) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && op.Err.Error() == "tls: no application protocol"
}

// take is the connection that was used last, nil if none waits.
func (h *host) take() *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.idle)
	if n == 0 {
		return nil
	}
	c := h.idle[n-1]
	h.idle[n-1] = nil
	h.idle = h.idle[:n-1]
	h.transport.idle.Add(-1)
	return c
}

// put lets a connection wait, or closes it if there are enough of them.
func (h *host) put(c *conn) {
	t := h.transport
	most := int64(t.MaxIdle)
	h.mu.Lock()
	if h.closed || len(h.idle) >= t.MaxIdlePerHost || most > 0 && t.idle.Load() >= most {
		h.mu.Unlock()
		c.leave()
		return
	}
	c.since = h.ticks
	h.idle = append(h.idle, c)
	t.idle.Add(1)
	if !h.runs && t.IdleTimeout > 0 {
		h.runs = true
		if h.clock == nil {
			h.clock = time.AfterFunc(t.IdleTimeout/2, h.tick)
		} else {
			h.clock.Reset(t.IdleTimeout / 2)
		}
	}
	h.mu.Unlock()
}

// tick closes what has waited for a whole tick, which is half the time that is
// allowed: nothing waits for longer than two.
func (h *host) tick() {
	h.mu.Lock()
	old := 0
	for old < len(h.idle) && h.idle[old].since < h.ticks {
		old++
	}
	gone := append([]*conn(nil), h.idle[:old]...)
	h.idle = append(h.idle[:0], h.idle[old:]...)
	clear(h.idle[len(h.idle):cap(h.idle)])
	h.transport.idle.Add(int64(-old))
	h.ticks++
	if h.runs = len(h.idle) > 0 && !h.closed; h.runs {
		h.clock.Reset(h.transport.IdleTimeout / 2)
	}
	h.mu.Unlock()
	for _, c := range gone {
		c.leave()
	}
}

func (h *host) close() {
	h.mu.Lock()
	h.closed = true
	gone := h.idle
	h.idle = nil
	h.transport.idle.Add(int64(-len(gone)))
	if h.clock != nil {
		h.clock.Stop()
	}
	h.mu.Unlock()
	for _, c := range gone {
		c.leave()
	}
}
