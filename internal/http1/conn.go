package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// bufferSize is what a connection reads into. Larger reads go past it.
const bufferSize = 4 << 10

// Bounds of writing.
const (
	// copyBelow is the length from which a body is not copied behind its head. Over
	// TLS it is a record's.
	copyBelow = 8 << 10
	record    = 16 << 10
	// writeAside is the length from which a request is written on a goroutine of its
	// own. What is shorter fits into the buffers of the two systems: to write it
	// does not depend on the host's reading.
	writeAside = 96 << 10
	// lastWrites is how long the writing may take to end once the whole answer is
	// there, for the connection to be used again.
	lastWrites = 20 * time.Millisecond
	// lastWords is how long a host that broke off a request may take to answer it.
	lastWords = time.Second
)

// conn is one connection. It serves one request at a time, on its caller's goroutine.
type conn struct {
	host   *host
	socket *socket
	stream net.Conn  // the socket, or TLS over it
	secure *tls.Conn // nil: plain
	since  uint64    // the tick at which it began to wait
	limit  int       // of a header

	// buf[r:w] was received and not used yet.
	buf  []byte
	r, w int
	// burst is memory in place of buf's own, which is small meanwhile.
	burst *burst
	small []byte
	// dry keeps fill from waiting for more.
	dry bool

	interrupt func()
	pieces    net.Buffers
	both      [2][]byte

	// Of the request that is under way:

	ctx    context.Context //nolint:containedctx // of the request under way
	stop   func() bool     // of the watch on ctx
	reused bool
	// began is what the socket had taken before the request.
	began int64
	// answered tells that something came since.
	answered bool
	// spent tells that the connection serves no further request.
	spent bool
	// deliveredNothing tells, once a request has failed on a connection that was used
	// before, that nobody saw it.
	deliveredNothing bool
	aside            *aside
}

// aside is a request that is written on its own goroutine.
type aside struct {
	done chan struct{}
	err  error
}

// ends tells whether the writing ends well, within so much time.
func (a *aside) ends(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-a.done:
		return a.err == nil
	case <-timer.C:
		return false
	}
}

// failed is why the writing failed, if it has.
func (a *aside) failed() error {
	if a == nil {
		return nil
	}
	select {
	case <-a.done:
		return a.err
	default:
		return nil
	}
}

// isQuiet tells that a connection that waited is as it was left.
func (c *conn) isQuiet() bool {
	if !c.socket.isQuiet() {
		return false
	}
	if c.secure == nil {
		return true
	}
	// What TLS has read of the network and not given out yet.
	c.socket.probing = true
	n, err := c.secure.Read(c.space())
	c.socket.probing = false
	var timeout net.Error
	return n == 0 && errors.As(err, &timeout) && timeout.Timeout()
}

// exchange sends a request and reads the head of the answer. If it fails the
// connection is gone.
func (c *conn) exchange(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
	c.ctx, c.answered, c.spent, c.aside = r.Context(), false, false, nil
	c.began = c.socket.taken.Load()
	c.stop = afterFunc(c.ctx, c.interrupt)
	err := c.send(r)
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
	}
	if err != nil && c.socket.taken.Load() == c.began {
		c.fail(err)
		return nil, err
	}
	if err != nil { // it may have been answered before it was whole
		c.spent = true
		c.readUntil(time.Now().Add(lastWords))
	}
	answer, failed := c.readAnswer(r, trace)
	if failed != nil {
		if err == nil {
			err = c.aside.failed()
		}
		c.fail(failed)
		if err == nil || c.answered {
			err = failed
		}
		return nil, err
	}
	if err != nil && c.ctx != nil { // an answer without a body is over
		c.readUntil(time.Time{})
	}
	return answer, nil
}

// afterFunc is [context.AfterFunc], and nil for what never ends. A context that has
// such a method need not make a channel.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if own, ok := ctx.(interface {
		AfterFunc(f func()) (stop func() bool)
	}); ok {
		return own.AfterFunc(f)
	}
	if ctx.Done() == nil {
		return nil
	}
	return context.AfterFunc(ctx, f)
}

// readUntil bounds reading, unless the request has been given up.
func (c *conn) readUntil(deadline time.Time) {
	_ = c.socket.SetReadDeadline(deadline)
	if c.ctx.Err() != nil {
		c.interrupt()
	}
}

// fail ends a request that was not answered, after an error of writing or reading.
func (c *conn) fail(because error) {
	if c.aside != nil {
		c.interrupt()
		<-c.aside.done
	}
	if c.stop != nil {
		c.stop()
	}
	switch {
	case c.answered || !c.reused:
	case c.socket.taken.Load() == c.began:
		c.deliveredNothing = true
	case errors.Is(because, io.EOF) || errors.Is(because, io.ErrUnexpectedEOF):
		c.deliveredNothing = c.socket.tookNothing(c.began)
	}
	c.discard()
	c.shrink()
}

// release ends a request that was answered. A connection in order waits for the next.
func (c *conn) release(whole bool) {
	if c.stop != nil && !c.stop() {
		whole = false // it is interrupted, or will be
	}
	c.stop, c.ctx = nil, nil
	if c.aside != nil {
		whole = whole && !c.spent && c.aside.ends(lastWrites)
		c.aside = nil
	}
	if whole = whole && !c.spent && c.r == c.w; !whole {
		c.discard()
	}
	c.shrink()
	if whole {
		c.host.put(c)
	}
}

// discard closes the connection at once.
func (c *conn) discard() { _ = c.socket.Close() }

// leave closes a connection that waits, as is polite.
func (c *conn) leave() { _ = c.stream.Close() }

// send writes the request. Its body is closed as soon as it is written.
func (c *conn) send(r *http.Request) error {
	var payload []byte
	out := outputs.Get().(*output)
	body, _ := r.Body.(Body)
	if body != nil {
		payload = body.Take()
	}
	var err error
	if r.ContentLength > 0 && r.ContentLength != int64(len(payload)) {
		err = errLength
	} else {
		out.bytes, err = appendHead(out.bytes[:0], r, len(payload))
	}
	if err == nil && len(payload) > writeAside {
		c.sendAside(out, payload, body)
		return nil
	}
	if err == nil {
		err = c.write(out, payload)
	}
	out.release()
	if body != nil {
		_ = body.Close()
	}
	return err
}

// sendAside writes a long request while its answer is waited for: the host may
// refuse it before it has read it all.
func (c *conn) sendAside(out *output, payload []byte, body Body) {
	a := &aside{done: make(chan struct{})}
	c.aside = a
	ctx := c.ctx
	go func() {
		defer close(a.done)
		if a.err = c.write(out, payload); a.err != nil {
			_ = c.socket.SetReadDeadline(time.Now().Add(lastWords))
			if ctx.Err() != nil {
				c.interrupt()
			}
		}
		out.release()
		_ = body.Close()
	}()
}

// write writes head and body with as few calls as can be.
func (c *conn) write(out *output, payload []byte) error {
	if c.secure == nil && len(payload) > copyBelow {
		c.both = [2][]byte{out.bytes, payload}
		c.pieces = c.both[:]
		n, err := c.pieces.WriteTo(c.socket.TCPConn)
		c.both = [2][]byte{}
		c.socket.taken.Add(n)
		return err
	}
	first := len(payload)
	if c.secure != nil && len(out.bytes) < record {
		first = min(first, record-len(out.bytes))
	}
	out.bytes = append(out.bytes, payload[:first]...)
	_, err := c.stream.Write(out.bytes)
	if err == nil && first < len(payload) {
		_, err = c.stream.Write(payload[first:])
	}
	return err
}

// errDry is that there is no more without waiting.
var errDry = errors.New("nothing more is buffered")

// space is the free part of the buffer.
func (c *conn) space() []byte {
	if c.buf == nil {
		c.buf = make([]byte, bufferSize)
	}
	if c.r == c.w {
		c.r, c.w = 0, 0
	} else if c.w == len(c.buf) && c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	return c.buf[c.w:]
}

// fill receives more, at least a byte.
func (c *conn) fill() error {
	if c.dry {
		return errDry
	}
	space := c.space()
	if len(space) == 0 {
		return io.ErrShortBuffer
	}
	n, err := c.receive(space)
	if c.w += n; n == len(space) && c.burst == nil {
		c.expand()
		if c.secure == nil {
			c.w += c.socket.readReady(c.buf[c.w:])
		}
	}
	return err
}

// burst is a buffer for an answer that comes faster than it is read, so that it is
// read, and passed on, with fewer calls.
type burst [32 << 10]byte

var bursts = sync.Pool{New: func() any { return new(burst) }}

func (c *conn) expand() {
	if len(c.buf) != bufferSize {
		return // it has grown with a header
	}
	c.burst, c.small = bursts.Get().(*burst), c.buf
	c.w = copy(c.burst[:], c.buf[c.r:c.w])
	c.r, c.buf = 0, c.burst[:]
}

// shrink gives back what was needed for one answer.
func (c *conn) shrink() {
	c.r, c.w = 0, 0
	if c.burst != nil {
		bursts.Put(c.burst)
		c.burst, c.buf, c.small = nil, c.small, nil
	}
	if len(c.buf) > bufferSize {
		c.buf = nil
	}
}

// receive reads past the buffer, which must be empty or have its free part for p.
func (c *conn) receive(p []byte) (int, error) {
	if c.dry {
		return 0, errDry
	}
	for {
		n, err := c.stream.Read(p)
		if n > 0 {
			c.answered = true
			return n, nil // an error comes again
		}
		if err != nil {
			return 0, err
		}
	}
}
