// Package awsstream reads Amazon's binary event stream,
// application/vnd.amazon.eventstream, from a provider that sends it piece by
// piece, and hands out its messages as server-sent events are.
//
// A frame is [total length][headers length][CRC of these two], headers, a
// payload and a CRC of everything before it; numbers are big-endian and of four
// bytes: https://smithy.io/2.0/aws/amazon-eventstream.html. The SDK's decoder
// copies payload and headers of every frame; here events point into the buffer.
package awsstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/caddyllm/llmproxy/internal/sse"
)

// ErrCorrupt says that what came is no event stream, or was damaged on the way.
var ErrCorrupt = errors.New("awsstream: corrupt frame")

var errBadRead = errors.New("awsstream: reader returned an impossible count")

const (
	defaultMax  = 16 << 20
	initialSize = 4 << 10
	burstSize   = 32 << 10 // a stream that comes in bursts gets so much, to take a burst in few reads
	minimalRead = 1 << 10  // less free space than this is not worth a read
	keepSize    = 64 << 10 // what Reset keeps for the next stream
)

// The parts of a frame.
const (
	preludeSize  = 12
	checksumSize = 4
	frameSize    = preludeSize + checksumSize // of an empty message
)

// Buffer collects what a provider sends and hands out whole, undamaged messages
// only. Call Fill, then Next until it is false, and so on. The zero value is
// ready for use. Events are valid until the next Fill or Reset.
type Buffer struct {
	// Max is how many bytes one frame may take; 0 means 16 MiB.
	Max int
	// Chunks tells that each message holds an event of Anthropic's in base64, as
	// InvokeModelWithResponseStream wraps them: they are handed out unwrapped,
	// with a Raw that is a server-sent event.
	Chunks bool

	data   []byte // what has arrived and is not dropped yet
	next   int    // the current frame begins here; all before was returned
	hungry bool   // the last read filled all the space there was
	made   []byte // what of the events does not stand in data
	text   []byte // of the last chunk
	err    error
}

// Reset makes the buffer ready for another stream. It keeps Max and Chunks and
// at most 192 KiB of memory.
func (b *Buffer) Reset() {
	*b = Buffer{Max: b.Max, Chunks: b.Chunks, data: kept(b.data), made: kept(b.made), text: kept(b.text)}
}

func kept(memory []byte) []byte {
	if cap(memory) > keepSize {
		return nil
	}
	return memory[:0]
}

// Fill reads once from r and returns what Read returned. It invalidates all
// events returned so far. The error is [sse.ErrTooLarge] if a frame takes more
// than Max bytes, and wraps [ErrCorrupt] once Next has come upon a bad one.
func (b *Buffer) Fill(r io.Reader) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.made = kept(b.made)
	limit := b.limit()
	b.makeRoom(limit)
	size := min(cap(b.data), limit)
	if len(b.data) >= size {
		b.err = sse.ErrTooLarge
		return 0, b.err
	}
	free := b.data[len(b.data):size]
	n, err := r.Read(free)
	if n < 0 || n > len(free) {
		return 0, errBadRead
	}
	b.hungry = n == len(free)
	b.data = b.data[:len(b.data)+n]
	return n, err
}

func (b *Buffer) limit() int {
	if b.Max > 0 {
		return b.Max
	}
	return defaultMax
}

// makeRoom frees space if there is any to be had. Bytes are moved at most once
// for a frame and once for each time the memory doubles, so that the work stays
// linear.
func (b *Buffer) makeRoom(limit int) {
	pending, size := len(b.data)-b.next, min(cap(b.data), limit)
	switch {
	case size < limit && (b.hungry && size < burstSize || size-pending < minimalRead):
		b.shift(make([]byte, 0, min(max(2*size, initialSize), limit)))
	case b.next > 0 && (pending == 0 || size-len(b.data) < minimalRead):
		b.shift(b.data[:0])
	}
}

// shift moves the current frame to the front of memory, which may be the buffer's own.
func (b *Buffer) shift(memory []byte) {
	b.data = append(memory, b.data[b.next:]...)
	b.next = 0
}

// Next returns the next event, false if more bytes are needed or the stream is
// damaged: see Err.
func (b *Buffer) Next() (event sse.Event, ok bool) {
	for b.err == nil {
		frame, whole := b.frame()
		if !whole {
			break
		}
		if ok, b.err = b.read(&event, frame); ok {
			return event, true
		}
	}
	return sse.Event{}, false
}

// Tail is false: a frame that is not whole is no event.
func (b *Buffer) Tail() (event sse.Event, ok bool) { return sse.Event{}, false }

// Err is why there are no more events, nil if there may be.
func (b *Buffer) Err() error { return b.err }

// frame takes the next frame, false if it is not whole yet or no frame.
func (b *Buffer) frame() ([]byte, bool) {
	pending := b.data[b.next:]
	if len(pending) < preludeSize {
		return nil, false
	}
	total, headers := uint64(binary.BigEndian.Uint32(pending)), uint64(binary.BigEndian.Uint32(pending[4:]))
	switch {
	case crc32.ChecksumIEEE(pending[:8]) != binary.BigEndian.Uint32(pending[8:]):
		b.err = fmt.Errorf("%w: the checksum of a prelude is wrong", ErrCorrupt)
		return nil, false
	case total < frameSize || headers > total-frameSize:
		b.err = fmt.Errorf("%w: the lengths of a prelude are wrong", ErrCorrupt)
		return nil, false
	case total > uint64(b.limit()):
		b.err = sse.ErrTooLarge
		return nil, false
	case uint64(len(pending)) < total:
		return nil, false
	}
	frame := pending[:total:total]
	end := total - checksumSize
	if crc32.ChecksumIEEE(frame[:end]) != binary.BigEndian.Uint32(frame[end:]) {
		b.err = fmt.Errorf("%w: the checksum of a message is wrong", ErrCorrupt)
		return nil, false
	}
	b.next += int(total)
	return frame, true
}
