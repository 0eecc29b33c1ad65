package answers

import (
	"context"
	"time"

	"github.com/caddyllm/llmproxy/internal/broadcast"
)

// Follower is the side of a caller that follows the call of another.
type Follower struct {
	flight *Flight
	reader *broadcast.Reader
	gone   bool
}

// Arrival is what a follower gets.
type Arrival uint8

// The arrivals.
const (
	// Alone: nothing; the follower must make the call itself.
	Alone Arrival = iota
	// Live: a stream in the manner it wants, from the beginning, to be had from Next.
	Live
	// Landed: the whole answer, in Entry.
	Landed
	// Shared: an error, in Err, that every other call would get too.
	Shared
)

// Wait waits until there is something for a follower that wants the answer in a
// manner. It waits no longer than patience for the first content: the leader's call
// may hang. If the context ends it must go alone, which it will see for itself.
func (f *Follower) Wait(ctx context.Context, want Manner, patience time.Duration) Arrival {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	opened, late := f.flight.opened, timer.C
	for {
		select {
		case <-f.flight.over:
			return f.arrived(want)
		case <-opened:
			if f.isOver() {
				return f.arrived(want)
			}
			if f.flight.head.Manner == want && f.follow() {
				return Live
			}
			opened, late = nil, nil // it goes on, in another manner: the whole will do
		case <-late:
			return Alone
		case <-ctx.Done():
			return Alone
		}
	}
}

func (f *Follower) isOver() bool {
	select {
	case <-f.flight.over:
		return true
	default:
		return false
	}
}

// arrived is what a call that is over has for the follower.
func (f *Follower) arrived(want Manner) Arrival {
	switch {
	case f.flight.err != nil:
		return Shared
	case f.flight.entry != nil:
		return Landed
	case f.flight.landed && f.flight.isOpen() && f.flight.head.Manner == want && f.follow():
		return Live
	}
	return Alone
}

// follow begins to read the stream. It is false if that is not all there.
func (f *Follower) follow() bool {
	reader, err := f.flight.log.NewReader(0)
	f.reader = reader
	return err == nil
}

// Head is what a live stream began with.
func (f *Follower) Head() Head { return f.flight.head }

// Next returns the next events of a live stream, whole; io.EOF after the last one
// if it ended well. Other errors are its end too: it broke off, it was too large to
// be held, or the context ended.
func (f *Follower) Next(ctx context.Context) ([]byte, error) { return f.reader.Next(ctx) }

// Entry is the answer of a call that landed, also once a live stream has ended
// well; nil if there is none.
func (f *Follower) Entry() *Entry {
	if !f.isOver() {
		return nil
	}
	return f.flight.entry
}

// Err is the error that is shared, nil if there is none.
func (f *Follower) Err() error {
	if !f.isOver() {
		return nil
	}
	return f.flight.err
}

// Leave ends following. It must be called; more than once does no harm.
func (f *Follower) Leave() {
	if f.gone {
		return
	}
	f.gone, f.reader = true, nil
	f.flight.set.unfollow(f.flight)
	if f.flight.presence != nil {
		f.flight.presence.Leave()
	}
}

// Shareable tells the statuses of errors that lie in the request alone, so that
// every other call would meet them too.
func Shareable(status int) bool {
	switch status {
	case 400, 413, 415, 422:
		return true
	}
	return false
}
