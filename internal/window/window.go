// Package window holds the part of a stream that has arrived and is not taken
// yet, for readers that cut streams into events.
package window

import (
	"errors"
	"io"

	"github.com/caddyllm/llmproxy/internal/sse"
)

var errBadRead = errors.New("window: reader returned an impossible count")

const (
	defaultMax  = 16 << 20
	initialSize = 4 << 10
	minimalRead = 1 << 10  // less free space than this is not worth a read
	keepSize    = 64 << 10 // what Reset keeps for the next stream
)

// Window is bytes between what was taken and what has not arrived. The zero
// value is ready for use.
type Window struct {
	text []byte
	from int // all before was taken
}

// Reset makes the window ready for another stream. It keeps at most 64 KiB of memory.
func (w *Window) Reset() {
	w.from = 0
	if w.text = w.text[:0]; cap(w.text) > keepSize {
		w.text = nil
	}
}

// Rest is what has arrived and was not taken. It is valid until the next Fill.
func (w *Window) Rest() []byte { return w.text[w.from:len(w.text):len(w.text)] }

// Take returns the next n bytes of the rest and moves past them. They are valid
// until the next Fill.
func (w *Window) Take(n int) []byte {
	taken := w.text[w.from : w.from+n : w.from+n]
	w.from += n
	return taken
}

// Fill reads once from r and returns what Read returned. At most limit bytes are
// held, 16 MiB where it is 0; if as many wait to be taken the error is [sse.ErrTooLarge].
func (w *Window) Fill(r io.Reader, limit int) (int, error) {
	if limit <= 0 {
		limit = defaultMax
	}
	w.makeRoom(limit)
	size := min(cap(w.text), limit)
	if len(w.text) >= size {
		return 0, sse.ErrTooLarge
	}
	free := w.text[len(w.text):size]
	n, err := r.Read(free)
	if n < 0 || n > len(free) {
		return 0, errBadRead
	}
	w.text = w.text[:len(w.text)+n]
	return n, err
}

// makeRoom frees space if there is any to be had. Bytes are moved only when at
// least as many are dropped or the memory doubles, so that the work stays linear.
func (w *Window) makeRoom(limit int) {
	pending, size := len(w.text)-w.from, min(cap(w.text), limit)
	switch {
	case w.from >= pending && size > 0:
		w.shift(w.text[:0])
	case size-len(w.text) >= minimalRead:
	case w.from > 0 && pending <= size/2:
		w.shift(w.text[:0])
	case size < limit:
		w.shift(make([]byte, 0, min(max(2*size, initialSize), limit)))
	case w.from > 0:
		w.shift(w.text[:0])
	}
}

func (w *Window) shift(memory []byte) {
	w.text = append(memory, w.text[w.from:]...)
	w.from = 0
}
