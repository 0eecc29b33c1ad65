package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caddyllm/llmproxy/cache/answers"
	"github.com/caddyllm/llmproxy/internal/broadcast"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Calls that ask the same at the same time are made once: the first leads, the
// others follow its stream, or wait for its answer. The leader's call goes on for
// them if its own client leaves.

// leading is a call as its followers see it.
type leading call

// Join implements [answers.Presence]. A call to which nobody listens may have thrown
// away some of its answer.
func (l *leading) Join() bool {
	c := (*call)(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.forsaken || c.listeners == 0 {
		return false
	}
	c.listeners++
	return true
}

// Leave implements [answers.Presence].
func (l *leading) Leave() { (*call)(l).leave() }

// unheard tells that the call's own client has left and nobody follows it. Nobody
// may follow it from then on.
func (c *call) unheard() bool {
	if !c.gone() {
		return false
	}
	if c.cache == nil || c.cache.flight == nil {
		return true
	}
	c.depart() // which may not have been noticed yet
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listeners == 0
}

// fromOthers has the answer from a call that asks the same, if there is one. If
// there is none the call goes on by itself, with all that it may take of its limits,
// and others may follow it.
func (c *call) fromOthers() (served bool, err error) {
	follower := c.lead()
	if follower == nil {
		if err := c.reserve(); err != nil {
			return false, err
		}
		c.commitEarly()
		return false, nil
	}
	defer follower.Leave()
	c.commitEarly()
	if served, err := c.fromOther(follower); served || err != nil {
		return served, err
	}
	return false, c.reserve()
}

// lead makes the call one that others may follow, unless there is one to follow.
func (c *call) lead() *answers.Follower {
	k := c.cache
	if k == nil {
		return nil
	}
	flight, follower := c.g.Cache.Flights.Join(k.key, (*leading)(c))
	k.flight = flight
	if follower != nil && !k.control.Look() { // it wants an answer that is new
		follower.Leave()
		return nil
	}
	return follower
}

// fromOther waits for what another call has for this one.
func (c *call) fromOther(follower *answers.Follower) (served bool, err error) {
	k := c.cache
	ctx, cancel := c.followingContext()
	defer cancel(nil)
	c.g.Streams.attach(c, cancelFunc(cancel))
	defer c.g.Streams.attach(c, nil)
	status := answers.Status{Forward: k.forward, Collapsed: true}
	begin := time.Now()
	outcome := follower.Wait(ctx, k.manner, c.patienceToFollow())
	c.record.Waited += time.Since(begin)
	switch outcome {
	case answers.Live:
		if err := c.reserveRequest(); err != nil {
			return false, err
		}
		c.followCall(ctx, follower, status)
		return true, nil
	case answers.Landed:
		now := time.Now()
		if e := follower.Entry(); e.TTL > 0 && e.Age(now) >= e.TTL { // the leader had nothing better
			status = answers.HitStatus(e, now)
		}
		return c.serveCounted(follower.Entry(), status, now)
	case answers.Shared:
		if err := c.reserveRequest(); err != nil {
			return false, err
		}
		c.isServed(status)
		return true, follower.Err()
	}
	if stopped := timeoutOf(ctx); stopped != nil {
		return true, stopped
	}
	if c.gone() {
		return true, errClientGone
	}
	return false, nil
}

// patienceToFollow is how long a call waits for the first content of another one.
func (c *call) patienceToFollow() time.Duration {
	if !c.routing.stream {
		return c.total()
	}
	if route := c.plan.Route; route != nil && route.Timeouts.FirstToken > 0 {
		return route.Timeouts.FirstToken
	}
	return c.g.Limits.FirstToken
}

// followingContext ends once nobody listens to the call any longer.
func (c *call) followingContext() (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(c.r.Context()))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.following = cancel; c.forsaken {
		cancel(errClientGone)
	}
	return ctx, cancel
}

// followCall sends the events of another call's stream as they come.
func (c *call) followCall(ctx context.Context, from *answers.Follower, status answers.Status) {
	head := from.Head()
	c.isServed(status)
	c.tell(func(h http.Header) { status.SetHeader(h, nil, time.Now()) })
	c.record.Provider, c.record.Model = head.Provider, head.Model
	c.openReplay([]string{head.ContentType})
	for {
		events, err := from.Next(ctx)
		if err != nil {
			c.endFollowing(ctx, from, err)
			return
		}
		if !c.send(events) {
			c.noteGone()
			return
		}
	}
}

// endFollowing ends the stream as that of the other call ended.
func (c *call) endFollowing(ctx context.Context, from *answers.Follower, outcome error) {
	var e *transform.Error
	switch {
	case errors.Is(outcome, io.EOF):
		if entry := from.Entry(); entry != nil {
			c.record.Tokens, c.record.Finish, c.record.Dropped = entry.Served(), entry.Finish.String(), entry.Dropped
		}
		c.record.Ending = usage.Complete
		c.endStream(nil, nil)
		return
	case c.isForsaken():
		c.noteGone()
		return
	case errors.Is(outcome, broadcast.ErrTruncated):
		e = errNoFurther
	default:
		if e = timeoutOf(ctx); e == nil {
			e = errStreamBroken
		}
	}
	c.record.Ending, c.record.Error = usage.Broken, e.Class()
	c.endStream(c.client.AppendStreamError(nil, e, c.record.RequestID), e)
}
