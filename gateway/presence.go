package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// maxDrains bounds how many calls of a process are read to their end for nobody.
const maxDrains = 100

// presence is who listens to a call: its client, and clients that came back to
// its stream. When nobody does, the provider's call goes on for as long as the
// config says, and is cancelled then.
type presence struct {
	// left is set once the call's own client is known to be gone.
	left atomic.Bool

	mu        sync.Mutex
	listeners int
	// current is the attempt under way.
	current *attempt
	// timer ends the patience, while nobody listens.
	timer *time.Timer
	// forsaken is set once nobody is waited for any longer.
	forsaken bool
	over     bool
	// following ends the reading of another call's stream; nil: none is read.
	following context.CancelCauseFunc
	unwatch   func() bool
}

// gone tells whether the call's own client has left. Nothing new is begun for it then.
func (c *call) gone() bool { return c.left.Load() || c.r.Context().Err() != nil }

// attend begins to watch the client, until over. What is at hand is written
// without that: a write finds a client that is gone.
func (c *call) attend() { c.unwatch = context.AfterFunc(c.r.Context(), c.depart) }

// disperse ends it: nothing goes on for anybody after the call.
func (c *call) disperse() {
	if c.unwatch != nil {
		c.unwatch()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.stopWaiting()
}

// beginContext begins the context of an attempt. It does not end with the client's
// request by itself: presence decides.
func (a *attempt) beginContext() *attemptContext {
	a.ctx.Context = context.WithoutCancel(a.r.Context())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = a
	if a.forsaken {
		a.ctx.cancel(errClientGone)
	}
	return &a.ctx
}

// depart notes that the call's own client is gone.
func (c *call) depart() {
	if !c.left.Swap(true) {
		c.leave()
	}
}

// join is a client that came back to the call's stream.
func (c *call) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners++
	c.stopWaiting()
}

// leave is one listener fewer.
func (c *call) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners--
	c.waitForListeners()
}

// reconsider waits anew, where the reason to wait may be gone.
func (c *call) reconsider() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopWaiting()
	c.waitForListeners()
}

func (c *call) stopWaiting() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
		c.g.Streams.heard(c)
	}
}

func (c *call) waitForListeners() {
	if c.listeners > 0 || c.over || c.forsaken {
		return
	}
	if patience := c.patience(); patience > 0 {
		c.timer = time.AfterFunc(patience, c.abandon)
	} else {
		c.forsake()
	}
}

// abandon cancels the provider's call if nobody listens.
func (c *call) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listeners == 0 && !c.over {
		c.stopWaiting()
		c.forsake()
	}
}

func (c *call) forsake() {
	c.forsaken = true
	if c.current != nil {
		c.current.ctx.cancel(errClientGone)
	}
	if c.following != nil {
		c.following(errClientGone)
	}
}

// isForsaken tells whether nobody is waited for any longer.
func (c *call) isForsaken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forsaken
}

// patience is how long the provider's call goes on for nobody: for a client that
// may come back, or to learn what it will have cost.
func (c *call) patience() time.Duration {
	var wait time.Duration
	if c.kept.Load() != nil {
		wait = c.g.Stream.Resumable
	}
	atWork := c.current != nil && c.current.sent()
	if drain := c.g.Stream.Drain; drain > wait && atWork && c.isPaidByTokens() && c.g.Streams.unheard(c, true) {
		return drain
	}
	if wait > 0 && c.g.Streams.unheard(c, false) {
		return wait
	}
	return 0
}

// isPaidByTokens tells the calls whose answer says what they cost.
func (c *call) isPaidByTokens() bool {
	return c.op == opChat || c.op == opEmbeddings || c.path == completionsPath
}

// forNobody tells whether an answer that has not begun is read for what it costs alone.
func (c *call) forNobody() bool { return c.kept.Load() == nil && c.unheard() }

// heardOut is an answer that the provider finished before any of it was sent,
// for a client that had left. What it cost is known.
func (a *attempt) heardOut() *failure {
	a.whole = true
	return a.clientGone()
}
