package gateway

import (
	"context"
	"sync"
)

// attemptContext is the context of an attempt: it has the values of the client's
// request, and ends when the gateway says so. It comes with the attempt's own
// memory, and without the channel that most transports do not ask for.
type attemptContext struct {
	context.Context // of the client's request, without its end

	mu    sync.Mutex
	cause error
	done  chan struct{}
	// after are the functions that wait for the end; nil where one was stopped.
	after []func()
	few   [2]func()
}

// attemptContextKey finds the attempt's own context in one that was derived from it.
type attemptContextKey struct{}

// cancel ends the context, for a reason that is not nil. Only the first counts.
func (c *attemptContext) cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	if c.cause = cause; cause == nil {
		c.cause = context.Canceled
	}
	if c.done != nil {
		close(c.done)
	}
	for _, f := range c.after {
		if f != nil {
			go f()
		}
	}
	c.after = nil
}

// Done implements [context.Context].
func (c *attemptContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.cause != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements [context.Context].
func (c *attemptContext) Err() error {
	if c.reason() != nil {
		return context.Canceled
	}
	return nil
}

func (c *attemptContext) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Value implements [context.Context].
func (c *attemptContext) Value(key any) any {
	if key == (attemptContextKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// AfterFunc is what [context.AfterFunc] and derived contexts use instead of a
// goroutine that waits.
func (c *attemptContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = c.few[:0]
	}
	at := len(c.after)
	c.after = append(c.after, f)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cause != nil || c.after[at] == nil {
			return false
		}
		c.after[at] = nil
		return true
	}
}

// canceler is what can be ended for a reason.
type canceler interface{ cancel(cause error) }

type cancelFunc context.CancelCauseFunc

func (f cancelFunc) cancel(cause error) { f(cause) }

// causeOf is why a context ended, nil if it has not.
func causeOf(ctx context.Context) error {
	if own, ok := ctx.Value(attemptContextKey{}).(*attemptContext); ok {
		if cause := own.reason(); cause != nil {
			return cause
		}
	}
	return context.Cause(ctx)
}
