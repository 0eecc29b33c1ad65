package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
)

// body reads the body of one answer from its connection. Once it is over it has
// nothing to do with the connection any more, which may serve another request.
type body struct {
	framing
	conn *conn
	ctx  context.Context //nolint:containedctx // of the request
	// left is what is still to come: of a body with a length, or of a chunk.
	left   int64
	chunks chunks

	state atomic.Int32
	err   error // how it ended, once it is over
}

// The states of a body. It may be closed while it is read, by another goroutine.
const (
	isOpen int32 = iota
	isReading
	isClosed
	isOver
)

var (
	errClosed = errors.New("the answer's body is closed")
	errInUse  = errors.New("the answer's body is being read by another")
)

// Read implements [io.Reader]. It returns io.EOF with the last bytes, and waits
// for none while it has some.
func (b *body) Read(p []byte) (int, error) {
	if !b.state.CompareAndSwap(isOpen, isReading) {
		switch b.state.Load() {
		case isOver:
			return 0, b.err
		case isClosed:
			return 0, errClosed
		}
		return 0, errInUse
	}
	n, err := b.read(p)
	if err == nil {
		if !b.state.CompareAndSwap(isReading, isOpen) {
			b.conn.release(false)
			return n, errClosed
		}
		return n, nil
	}
	if b.err = err; !errors.Is(err, io.EOF) {
		b.err = reason(b.ctx, err)
	}
	if !b.state.CompareAndSwap(isReading, isOver) {
		b.conn.release(false)
		return n, errClosed
	}
	b.conn.release(errors.Is(err, io.EOF))
	return n, b.err
}

// Ready tells that the next read does not wait.
func (b *body) Ready() bool {
	switch {
	case b.state.Load() != isOpen:
		return false
	case b.chunked && b.left == 0:
		return b.hasLine()
	}
	return b.conn.r < b.conn.w
}

// Close implements [io.Closer]. If the rest has arrived already the connection
// can be used again.
func (b *body) Close() error {
	switch {
	case b.state.CompareAndSwap(isOpen, isReading):
		whole := b.drain()
		b.conn.release(b.state.CompareAndSwap(isReading, isClosed) && whole)
	case b.state.CompareAndSwap(isReading, isClosed):
		b.conn.interrupt() // the reader lets go of it
	}
	return nil
}

// drain reads what is there, and tells whether that was all.
func (b *body) drain() bool {
	if b.untilEnd {
		return false
	}
	c := b.conn
	c.dry = true
	defer func() { c.dry = false }()
	var scratch [512]byte
	for {
		if _, err := b.read(scratch[:]); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

func (b *body) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.chunked {
		return b.readChunks(p)
	}
	if b.counted && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.conn.read(p)
	if !b.counted {
		return n, err
	}
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	return n, cutShort(err)
}

// read reads what is buffered, or else waits for more.
func (c *conn) read(p []byte) (int, error) {
	if c.r == c.w {
		if len(p) >= bufferSize {
			return c.receive(p)
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	return n, nil
}

// cutShort is what the end of a connection means within a body.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Bounds of chunks.
const (
	maxChunkLine = 1 << 10
	maxTrailer   = 4 << 10
	// maxExcess is how many bytes of framing may come beyond 16 for each chunk and
	// two for each byte of data.
	maxExcess = 16 << 10
)

var (
	errChunk    = errors.New("the answer's chunks are malformed")
	errTrailer  = errors.New("the answer's trailer is malformed or too large")
	errOverhead = errors.New("the answer's chunks hold too little data")
)

// chunks is where the reading of chunks stands (RFC 9112, 7.1).
type chunks struct {
	begun  bool // the end of a chunk is to be read before the next
	excess int64
}

// readChunks gives the data of as many chunks as have arrived.
func (b *body) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if b.left == 0 {
			if n > 0 && !b.hasLine() {
				return n, nil
			}
			if err := b.nextChunk(); err != nil {
				return n, cutShortUnlessOver(err)
			}
			continue
		}
		if n > 0 && b.conn.r == b.conn.w {
			return n, nil
		}
		m, err := b.conn.read(p[n:min(int64(len(p)), int64(n)+b.left)])
		n += m
		b.left -= int64(m)
		if err != nil {
			return n, cutShort(err)
		}
	}
	// The end often comes with the last data.
	if b.left == 0 && b.hasLine() {
		err = cutShortUnlessOver(b.nextChunk())
	}
	return n, err
}

// errOver is the end of the last chunk.
var errOver = errors.New("the last chunk is over")

func cutShortUnlessOver(err error) error {
	if errors.Is(err, errOver) {
		return io.EOF
	}
	return cutShort(err)
}

// hasLine tells whether the line before the next chunk has arrived, and for the
// last one all after it.
func (b *body) hasLine() bool {
	rest := b.conn.buf[b.conn.r:b.conn.w]
	if b.chunks.begun {
		if len(rest) < 3 {
			return false
		}
		rest = rest[2:]
	}
	i := bytes.IndexByte(rest, '\n')
	if i < 0 {
		return false
	}
	return rest[0] != '0' || endOfHead(rest, 0) > 0
}

// nextChunk reads the line before a chunk, and after the last one the trailer.
func (b *body) nextChunk() error {
	if b.chunks.begun {
		line, err := b.conn.line(2)
		if err != nil {
			return err
		}
		if len(line) != 0 {
			return errChunk
		}
		b.chunks.begun = false
	}
	line, err := b.conn.line(maxChunkLine)
	if err != nil {
		return err
	}
	size, err := chunkSize(line)
	if err != nil {
		return err
	}
	b.chunks.excess = max(b.chunks.excess+int64(len(line))+4-16-2*size, 0)
	if b.chunks.excess > maxExcess {
		return errOverhead
	}
	if size == 0 {
		return b.endTrailer()
	}
	b.left, b.chunks.begun = size, true
	return nil
}

// chunkSize reads a size, and leaves out what comes after a semicolon.
func chunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte{';'})
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > 15 {
		return 0, errChunk
	}
	size := int64(0)
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, errChunk
		}
		size = size<<4 | int64(c)
	}
	return size, nil
}

// endTrailer reads past the trailer, which nobody asks for.
func (b *body) endTrailer() error {
	for left := maxTrailer; left > 0; {
		line, err := b.conn.line(left)
		if errors.Is(err, errChunk) {
			return errTrailer
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return errOver
		}
		if left -= len(line) + 2; !canonicalLine(line) {
			return errTrailer
		}
	}
	return errTrailer
}

// line reads a line that ends in CRLF, which it cuts off. The line is valid until
// more is read.
func (c *conn) line(limit int) ([]byte, error) {
	for seen := 0; ; {
		rest := c.buf[c.r:c.w]
		if i := bytes.IndexByte(rest[seen:], '\n'); i >= 0 {
			line := rest[:seen+i+1]
			// No other CR is allowed, and no LF alone.
			if len(line) < 2 || len(line) > limit || bytes.IndexByte(line, '\r') != len(line)-2 {
				return nil, errChunk
			}
			c.r += len(line)
			return line[:len(line)-2], nil
		}
		if seen = len(rest); seen >= limit {
			return nil, errChunk
		}
		if err := c.fill(); errors.Is(err, io.ErrShortBuffer) {
			return nil, errChunk
		} else if err != nil {
			return nil, err
		}
	}
}
