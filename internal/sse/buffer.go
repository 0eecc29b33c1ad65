package sse

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLarge says that one event takes more bytes than the buffer's Max.
var ErrTooLarge = errors.New("sse: event too large")

var errBadRead = errors.New("sse: reader returned an impossible count")

const (
	defaultMax  = 16 << 20
	initialSize = 4 << 10
	burstSize   = 32 << 10 // a stream that comes in bursts gets so much, to take a burst in few reads
	minimalRead = 1 << 10  // less free space than this is not worth a read
	keepSize    = 64 << 10 // what Reset keeps for the next stream
)

var byteOrderMark = []byte("\xEF\xBB\xBF")

// Event is one block of a stream. Its slices are valid until the next Fill or Reset.
type Event struct {
	// Raw is every byte of the block, its closing blank line included. Further blank lines between two
	// blocks, and a byte order mark, stand at the front of the Raw that follows them.
	Raw []byte
	// Name is the value of the event field, nil if there is none.
	Name []byte
	// Data is the data lines joined by LF, nil if the block has none (a comment or keep-alive).
	Data []byte
}

// Buffer collects what a provider sends and hands out whole events only.
// Call Fill, then Next until it is false, and so on: events left in the buffer count as one too large
// when they fill it. The zero value is ready for use.
type Buffer struct {
	// Max is how many bytes one event may take; 0 means 16 MiB.
	Max int

	text    []byte // what has arrived and is not dropped yet
	first   int    // the first event returned since the last Fill begins here
	next    int    // the current block begins here; all before was returned
	block   block
	lines   lines
	started bool   // past the place of a byte order mark
	hungry  bool   // the last read filled all the space there was
	joined  []byte // data of events with several data lines
}

// Reset makes the buffer ready for another stream. It keeps Max and at most 128 KiB of memory.
func (b *Buffer) Reset() {
	*b = Buffer{Max: b.Max, text: kept(b.text), joined: kept(b.joined)}
}

func kept(memory []byte) []byte {
	if cap(memory) > keepSize {
		return nil
	}
	return memory[:0]
}

// Fill reads from r and returns what Read returned. It reads once, or a few times while r says by a
// method Ready that there is more at hand. It invalidates all events returned so far. The error is
// [ErrTooLarge] if the current event fills Max bytes and is still not whole.
func (b *Buffer) Fill(r io.Reader) (int, error) {
	limit := b.Max
	if limit <= 0 {
		limit = defaultMax
	}
	b.dropJoined()
	b.makeRoom(limit)
	b.first = b.next
	size := min(cap(b.text), limit)
	if len(b.text) >= size {
		return 0, ErrTooLarge
	}
	free := b.text[len(b.text):size]
	n, err := r.Read(free)
	if n < 0 || n > len(free) {
		return 0, errBadRead
	}
	b.hungry = n == len(free)
	b.text = b.text[:len(b.text)+n]
	if err == nil && b.hungry && size < min(burstSize, limit) {
		if ready, ok := r.(interface{ Ready() bool }); ok && ready.Ready() {
			more, err := b.Fill(r)
			return n + more, err
		}
	}
	return n, err
}

// makeRoom frees space if there is any to be had. Bytes are moved only when at least as many are
// dropped or the memory doubles, so that the work stays linear.
func (b *Buffer) makeRoom(limit int) {
	pending, size := len(b.text)-b.next, min(cap(b.text), limit)
	switch {
	case b.hungry && size < min(burstSize, limit):
		b.shift(make([]byte, 0, min(2*size, limit)))
	case b.next >= pending && size > 0:
		b.shift(b.text[:0])
	case size-len(b.text) >= minimalRead:
	case b.next > 0 && pending <= size/2:
		b.shift(b.text[:0])
	case size < limit:
		b.shift(make([]byte, 0, min(max(2*size, initialSize), limit)))
	case b.next > 0:
		b.shift(b.text[:0])
	}
}

// shift moves the current block to the front of memory, which may be the buffer's own.
func (b *Buffer) shift(memory []byte) {
	b.text = append(memory, b.text[b.next:]...)
	b.lines.move(b.next)
	b.next = 0
}

// Next returns the next whole event in the buffer, false if more bytes are needed.
func (b *Buffer) Next() (event Event, ok bool) {
	if !b.started && !b.start() {
		return event, false
	}
	for {
		from, to, ok := b.lines.next(b.text)
		if !ok {
			return event, false
		}
		if from < to {
			b.addLine(from, to)
		} else if b.block.open {
			b.finish(&event, b.lines.at)
			b.next = b.lines.at
			return event, true
		}
	}
}

// start steps over a byte order mark, false if it may still be on its way.
func (b *Buffer) start() bool {
	if len(b.text) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, b.text) {
		return false
	}
	b.started = true
	if bytes.HasPrefix(b.text, byteOrderMark) {
		b.lines = linesFrom(len(byteOrderMark))
	}
	return true
}

// Whole returns the bytes of all events returned by Next since the last Fill, as one piece.
func (b *Buffer) Whole() []byte { return b.text[b.first:b.next:b.next] }

// Tail takes the unterminated last block at the end of a stream, parsed as if a blank line followed.
// It is false if only blank lines are left; Raw holds those nevertheless, so that no byte is lost.
// Call it once Next is false; Whole does not include it.
func (b *Buffer) Tail() (event Event, ok bool) {
	b.started = true
	from, to, _ := b.lines.next(b.text)
	if from < to {
		b.addLine(from, to)
	}
	ok = b.block.open
	b.finish(&event, len(b.text))
	b.text = b.text[:b.next]
	b.lines = linesFrom(b.next)
	return event, ok
}
