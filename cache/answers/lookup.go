package answers

import (
	"context"
	"time"
)

// Lookup is what a store has for a question.
type Lookup struct {
	// Entry answers it; nil: there is none that may.
	Entry *Entry
	// Spare is one that may be served if no target answers; nil: there is none.
	Spare *Entry
	// Forward is why a provider must be asked, if there is no Entry.
	Forward Forward
}

// Look looks for an answer that the client may be given.
func Look(ctx context.Context, s Store, key Key, c *Control, now time.Time) (l Lookup) {
	if !c.Look() {
		return Lookup{Forward: ForwardRequest}
	}
	e := s.Get(ctx, key)
	switch {
	case e == nil:
		l.Forward = ForwardMiss
		return l
	case c.Fresh(e, now):
		l.Entry = e
		return l
	case e.Age(now) < e.TTL: // the client wants a younger one
		l.Forward = ForwardRequest
	default:
		l.Forward = ForwardStale
	}
	if c.InNeed(e, now) {
		l.Spare = e
	}
	return l
}
