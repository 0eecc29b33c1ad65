// Package redisconn is a connection to a Redis or Valkey server that callers may
// always use: it never keeps them waiting for long, and while the server is away
// it tells them so at once.
package redisconn

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrAway is the error of a call that did not reach the server: it is known to be
// away, not connected yet, or has too much to do. Nothing was sent.
var ErrAway = errors.New("redis: the server is away")

// Options are for [Open].
type Options struct {
	// URL is redis://[user:password@]host:port[/db], or rediss:// for TLS.
	URL string
	// Cluster looks for a cluster behind the URL.
	Cluster bool
	// Patience is what a call may take; 0: 50 ms.
	Patience time.Duration
	// MaxCalls bounds the calls under way; 0: 512.
	MaxCalls int
	// Probe tells whether the server does its work; nil: it answers a PING.
	Probe func(context.Context, rueidis.Client) error
}

const (
	patience = 50 * time.Millisecond
	maxCalls = 512 // below what the client queues without blocking
	// maxFailures in a row close the way to the server.
	maxFailures = 5
	// probeGap is how often a server that is away is tried.
	probeGap = time.Second
)

// Conn is a connection, and what is known of the server's health.
type Conn struct {
	o      Options
	client rueidis.ClientOption
	slots  chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once

	ready    chan struct{} // closed after the first attempt to connect
	open     atomic.Pointer[rueidis.Client]
	failures atomic.Int32
	down     atomic.Bool
}

// Open makes a connection. It connects in the background, and again whenever that
// is needed; calls in the first moments wait for it within their time.
func Open(o Options) (*Conn, error) {
	client, err := rueidis.ParseURL(o.URL)
	if err != nil {
		return nil, errors.New("the address of Redis must be like redis://user:password@host:6379/0") // the URL holds a password
	}
	if o.Patience <= 0 {
		o.Patience = patience
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = maxCalls
	}
	if o.Probe == nil {
		o.Probe = func(ctx context.Context, c rueidis.Client) error { return c.Do(ctx, c.B().Ping().Build()).Error() }
	}
	client.ForceSingleClient = !o.Cluster
	client.DisableRetry = true
	client.DisableCache = true
	client.ClientSetInfo = rueidis.DisableClientSetInfo
	client.Dialer.Timeout = time.Second // of the background; calls have their own
	client.Dialer.KeepAlive = 5 * time.Second
	client.ConnWriteTimeout = time.Second
	c := &Conn{o: o, client: client, slots: make(chan struct{}, o.MaxCalls), ready: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.done.Go(func() { c.watch(ctx) })
	return c, nil
}

// Close ends the connection. Calls after it find the server away.
func (c *Conn) Close() {
	c.once.Do(func() {
		c.cancel()
		c.done.Wait()
		c.down.Store(true)
		if client := c.open.Load(); client != nil {
			(*client).Close()
		}
	})
}

// Ready is closed once the first attempt to connect is over.
func (c *Conn) Ready() <-chan struct{} { return c.ready }

// Away tells whether the server is known to be away.
func (c *Conn) Away() bool { return c.down.Load() }

// Do has call ask the server, within the time that a call has. The context's end
// does not cut it short: an answer that nobody waits for must not be left lying in
// a connection that others use. An error that the call returns counts against the
// server's health; what says nothing of that is not for it to return.
func (c *Conn) Do(ctx context.Context, call func(context.Context, rueidis.Client) error) error {
	if c.down.Load() {
		return ErrAway
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.Patience)
	defer cancel()
	select {
	case <-c.ready:
	case <-ctx.Done():
		return ErrAway
	}
	client := c.open.Load()
	if client == nil || c.down.Load() {
		return ErrAway
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return ErrAway // crowded: no word about the server
	}
	err := call(ctx, *client)
	c.record(err)
	return err
}

// Slowly has call ask the server without that limit: for what an operator does.
func (c *Conn) Slowly(ctx context.Context, call func(context.Context, rueidis.Client) error) error {
	client := c.open.Load()
	if client == nil || c.down.Load() {
		return ErrAway
	}
	return call(ctx, *client)
}

func (c *Conn) record(err error) {
	if err == nil {
		if c.failures.Load() != 0 {
			c.failures.Store(0)
		}
		return
	}
	if c.failures.Add(1) >= maxFailures {
		c.down.Store(true)
	}
}

// watch connects, and looks whether a server that was away is back.
func (c *Conn) watch(ctx context.Context) {
	tick := time.NewTicker(probeGap)
	defer tick.Stop()
	c.connect(ctx)
	close(c.ready)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.down.Load() {
			c.connect(ctx)
		}
	}
}

func (c *Conn) connect(ctx context.Context) {
	away := c.probe(ctx) != nil
	c.failures.Store(0)
	c.down.Store(away)
}

func (c *Conn) probe(ctx context.Context) error {
	client := c.open.Load()
	if client == nil {
		made, err := rueidis.NewClient(c.client)
		if err != nil {
			return err
		}
		client = &made
		c.open.Store(client)
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Patience)
	defer cancel()
	return c.o.Probe(ctx, *client)
}
