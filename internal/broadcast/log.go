// Package broadcast keeps the events of one stream for any number of readers,
// each from where it wants to begin. It knows nothing of what the events are.
package broadcast

import (
	"context"
	"errors"
	"io"
	"sync"
)

var (
	// ErrTruncated says that the log stopped at its bound: what came after is not kept.
	ErrTruncated = errors.New("broadcast: the log is full")
	// ErrNoEvent says that the log has not come as far as the event to begin after.
	ErrNoEvent = errors.New("broadcast: no such event yet")
)

const (
	leastChunk = 4 << 10
	mostChunk  = 64 << 10
	// bytesPerEnd is how many bytes of a chunk come to one entry of its index:
	// events that are shorter on average fill the index before the bytes.
	bytesPerEnd = 64
	endSize     = 4
)

// Log is an append-only list of events with one writer and many readers. It
// holds all of them up to its bound; beyond that it holds none: readers that
// follow get what they had coming, later ones are refused.
//
// It has no goroutine. No lock is held while a reader does something with what
// it has read, so that none of them keeps the writer or another one waiting.
type Log struct {
	mu     sync.Mutex
	first  *chunk // nil once the log is truncated
	last   *chunk
	events int
	size   int
	limit  int
	grow   func(bytes int) bool
	// outcome is what readers find after the last event, nil while it goes on.
	outcome error
	// changed is closed at the next change; nil: nobody waits for one.
	changed chan struct{}
}

// chunk is memory for some events, each of them whole. What is written is never
// written again, so that readers need no lock for bytes that they know of.
type chunk struct {
	before int // how many events stand in earlier chunks
	bytes  []byte
	ends   []uint32 // where each event ends
	next   *chunk
}

// New makes a log that takes up to limit bytes of memory. Before it takes more
// than it has it asks grow, if that is not nil; false has it stop there.
func New(limit int, grow func(bytes int) bool) *Log {
	empty := new(chunk)
	return &Log{limit: limit, grow: grow, first: empty, last: empty}
}

// Append adds one whole event, which is copied. It is false if the event is not
// kept: the log is closed, or has come to its bound and is so now.
func (l *Log) Append(event []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcome != nil {
		return false
	}
	c := l.last
	if len(event) > cap(c.bytes)-len(c.bytes) || len(c.ends) >= cap(c.bytes)/bytesPerEnd {
		if c = l.nextChunk(len(event)); c == nil {
			l.close(ErrTruncated)
			l.first, l.last = nil, nil // memory that readers need, they hold
			return false
		}
	}
	c.bytes = append(c.bytes, event...)
	c.ends = append(c.ends, uint32(len(c.bytes))) //nolint:gosec // bounded by the limit
	l.events++
	l.announce()
	return true
}

// nextChunk makes room for an event of so many bytes, nil if there is none.
func (l *Log) nextChunk(least int) *chunk {
	size := max(least, bytesPerEnd, min(max(2*cap(l.last.bytes), leastChunk), mostChunk))
	cost := size + size/bytesPerEnd*endSize
	if cost > l.limit-l.size || l.grow != nil && !l.grow(cost) {
		return nil
	}
	l.size += cost
	c := &chunk{before: l.events, bytes: make([]byte, 0, size)}
	l.last.next, l.last = c, c
	return c
}

// Close ends the log. Readers find the outcome after the last event; nil, for a
// good one, is [io.EOF] to them. Only the first call counts.
func (l *Log) Close(outcome error) {
	if outcome == nil {
		outcome = io.EOF
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcome == nil {
		l.close(outcome)
	}
}

func (l *Log) close(outcome error) {
	l.outcome = outcome
	l.announce()
}

// announce wakes all readers that wait.
func (l *Log) announce() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Size is the memory that the log has taken.
func (l *Log) Size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}

// Reader reads a log from one event on. It is for one goroutine.
type Reader struct {
	log *Log
	at  *chunk
	// offset is where in the chunk the next event begins.
	offset int
}

// NewReader makes a reader of what comes after so many events: 0 is the beginning.
func (l *Log) NewReader(after int) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.first == nil:
		return nil, ErrTruncated
	case after < 0 || after > l.events:
		return nil, ErrNoEvent
	}
	c := l.first
	for c.before+len(c.ends) < after {
		c = c.next
	}
	r := &Reader{log: l, at: c}
	if n := after - c.before; n > 0 {
		r.offset = int(c.ends[n-1])
	}
	return r, nil
}

// Next returns the next events, one or several, whole. It waits for some if
// there are none yet. After the last one it returns the log's outcome. The bytes
// stay as they are, and must not be changed.
func (r *Reader) Next(ctx context.Context) ([]byte, error) {
	for {
		events, changed, outcome := r.look()
		switch {
		case len(events) > 0:
			return events, nil
		case outcome != nil:
			return nil, outcome
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// look is what there is to read, else how the log ended, else what to wait for.
func (r *Reader) look() (events []byte, changed <-chan struct{}, outcome error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for r.offset == len(r.at.bytes) && r.at.next != nil {
		r.at, r.offset = r.at.next, 0
	}
	if end := len(r.at.bytes); end > r.offset {
		events = r.at.bytes[r.offset:end:end]
		r.offset = end
		return events, nil, nil
	}
	if l.outcome == nil && l.changed == nil {
		l.changed = make(chan struct{})
	}
	return nil, l.changed, l.outcome
}
