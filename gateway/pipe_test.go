package gateway_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// A network of memory, so that tests within a bubble of synctest wait in virtual
// time. Its addresses are names that no other network has.

var (
	pipeListeners sync.Map // by address
	pipeCount     atomic.Int64
)

type pipeListener struct {
	address string
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func listenPipe() *pipeListener {
	l := &pipeListener{address: fmt.Sprintf("pipe-%d:80", pipeCount.Add(1)), dialled: make(chan net.Conn), closed: make(chan struct{})}
	pipeListeners.Store(l.address, l)
	return l
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialled:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() {
		pipeListeners.Delete(l.address)
		close(l.closed)
	})
	return nil
}

func (l *pipeListener) Addr() net.Addr  { return l }
func (l *pipeListener) Network() string { return "pipe" }
func (l *pipeListener) String() string  { return l.address }

// dialPipe waits until the listener accepts, as long as Caddy's transport would.
func dialPipe(ctx context.Context, _, address string) (net.Conn, error) {
	found, ok := pipeListeners.Load(address)
	if !ok {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	l := found.(*pipeListener)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	near, far := net.Pipe()
	select {
	case l.dialled <- far:
		return near, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, fmt.Errorf("dial %s: i/o timeout", address)
}

// overPipes is what a provider's config needs to be reached over such a network.
const overPipes = `,"transport":{"protocol":"pipe"}`

// pipeTransport is Caddy's module of the network.
type pipeTransport struct{ http.Transport }

func init() { caddy.RegisterModule(new(pipeTransport)) }

func (*pipeTransport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.pipe", New: func() caddy.Module {
		return &pipeTransport{http.Transport{DialContext: dialPipe, DisableCompression: true}}
	}}
}

// Cleanup closes what a provider that is gone leaves open.
func (p *pipeTransport) Cleanup() error {
	p.CloseIdleConnections()
	return nil
}

// speakHTTP2 makes a server and a client talk HTTP/2 and nothing else.
func speakHTTP2(srv *http.Server, client *http.Transport) {
	srv.Protocols, client.Protocols = new(http.Protocols), new(http.Protocols)
	srv.Protocols.SetUnencryptedHTTP2(true)
	client.Protocols.SetUnencryptedHTTP2(true)
}
