package gateway

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/usage"
)

// stallGuard writes to a client and gives up one that does not take what is
// written, so that nobody holds a provider's stream, a slot and memory by not
// reading. It waits for the bytes themselves: what is long goes out in pieces,
// each of which has the time that is allowed.
//
// A deadline before every write would do the same, at the price of setting and
// clearing it for each event, and would overrule the server's own: over HTTP/2 a
// deadline resets the stream when it passes, written or not. So a timer looks
// once in a while how long the write that is under way has taken, and sets a
// deadline, one that has passed, only to break off a write that is stuck. Until
// then http.Server.WriteTimeout and Caddy's write timeouts hold as they are.
type stallGuard struct {
	w       http.ResponseWriter // nil: nothing is watched
	control http.ResponseController
	limit   time.Duration
	start   time.Time

	// since is when the write that is under way began, in nanoseconds after
	// start; 0: none is.
	since   atomic.Int64
	stalled atomic.Bool

	// mu keeps the timer from touching the writer once the handler has returned.
	mu    sync.Mutex
	timer *time.Timer
	over  bool
}

// stallPiece is how much is written at once. Who takes longer for that than the
// limit is not reading.
const stallPiece = 64 << 10

// leastGuarded is what net/http keeps back, after a flush, without writing. It
// does not block.
const leastGuarded = 2 << 10

// guard watches what is written from here on, until the call is over.
func (c *call) guard() {
	if limit := c.g.Limits.WriteStall; limit > 0 {
		c.stall.w, c.stall.control = c.w, *http.NewResponseController(c.w)
		c.stall.limit, c.stall.start = limit, time.Now()
		c.w = &c.stall
	}
}

// Header implements [http.ResponseWriter].
func (g *stallGuard) Header() http.Header { return g.w.Header() }

// WriteHeader implements [http.ResponseWriter].
func (g *stallGuard) WriteHeader(status int) { g.w.WriteHeader(status) }

// Unwrap is for [http.ResponseController].
func (g *stallGuard) Unwrap() http.ResponseWriter { return g.w }

// Write implements [http.ResponseWriter].
func (g *stallGuard) Write(p []byte) (written int, err error) {
	if len(p) <= leastGuarded {
		return g.w.Write(p) // it waits for the flush
	}
	for {
		g.begin()
		n, err := g.w.Write(p[written:min(written+stallPiece, len(p))])
		g.since.Store(0)
		if written += n; err != nil || written >= len(p) {
			return written, err
		}
	}
}

// FlushError is what [http.ResponseController] calls.
func (g *stallGuard) FlushError() error {
	g.begin()
	defer g.since.Store(0)
	return g.control.Flush()
}

// begin starts the clock. Writes come one at a time.
func (g *stallGuard) begin() {
	g.since.Store(int64(time.Since(g.start)) | 1)
	if g.timer == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.timer = time.AfterFunc(g.limit, g.look)
	}
}

// look breaks off a write that has taken too long.
func (g *stallGuard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return
	}
	next := g.limit
	if since := g.since.Load(); since != 0 {
		if next -= time.Since(g.start) - time.Duration(since); next <= 0 {
			g.stalled.Store(true)
			_ = g.control.SetWriteDeadline(time.Unix(1, 0)) // what cannot do that, cannot be stuck
			return
		}
	}
	g.timer.Reset(next)
}

// stop ends the watching, before the handler returns.
func (g *stallGuard) stop() {
	if g.w == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	if g.timer != nil {
		g.timer.Stop()
	}
}

// noteGone notes that the client is gone, or was given up.
func (c *call) noteGone() {
	c.record.Ending, c.record.Error = usage.ClientGone, errClientGone.Class()
	if c.stall.stalled.Load() {
		c.record.Error = errClientStalled.Class()
	}
}
