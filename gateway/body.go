package gateway

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// keepBuffer is the largest buffer that goes back to the pool: one request with
// images must not hold its megabytes for ever.
const keepBuffer = 1 << 20

var buffers = sync.Pool{New: func() any { return &buffer{bytes: make([]byte, 0, 8<<10)} }}

// buffer is memory from a pool, shared by the call and the transports that read
// from it: a transport may still be sending when the call is over.
type buffer struct {
	bytes  []byte
	owners atomic.Int32
	// members is memory for those of a request, enough for all but odd ones.
	members [24]jsonbytes.Member
}

func newBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.bytes = b.bytes[:0]
	b.owners.Store(1)
	return b
}

// release gives up one ownership. The last one returns the memory.
func (b *buffer) release() {
	if b != nil && b.owners.Add(-1) == 0 && cap(b.bytes) <= keepBuffer {
		buffers.Put(b)
	}
}

// read has r read the buffer's bytes, as one more owner.
func (b *buffer) read(r *bodyReader) *bodyReader {
	b.owners.Add(1)
	r.buffer = b
	return r
}

// bodyReader reads a shared buffer until it is closed. net/http may close a
// request's body while another goroutine of its reads it.
type bodyReader struct {
	mu     sync.Mutex
	buffer *buffer // nil once closed
	at     int
	// touched is set by the first read.
	touched atomic.Bool
}

var errBodyClosed = errors.New("request body is closed")

func (r *bodyReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buffer == nil {
		return 0, errBodyClosed
	}
	r.touched.Store(true)
	n := copy(p, r.buffer.bytes[r.at:])
	if r.at += n; r.at == len(r.buffer.bytes) {
		return n, io.EOF
	}
	return n, nil
}

// Take returns all that is left to read, without a copy. It stays as it is until
// the reader is closed.
func (r *bodyReader) Take() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buffer == nil {
		return nil
	}
	r.touched.Store(true)
	rest := r.buffer.bytes[r.at:]
	r.at = len(r.buffer.bytes)
	return rest
}

func (r *bodyReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buffer.release()
	r.buffer = nil
	return nil
}

// leastWindow is the zstd window that every decoder should take (RFC 8878,
// 3.1.1.1.2): compressors ask for more than a short body needs.
const leastWindow = 8 << 20

// readBody reads the whole request, decoded, into b. It reads to the end of the
// body, without which net/http does not notice that a client leaves.
func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request, b *buffer) error {
	limit := g.Limits.Body
	if r.ContentLength > limit {
		return errBodyTooLarge
	}
	body := r.Body
	if r.ContentLength < 0 { // else net/http reads no more than that
		body = http.MaxBytesReader(w, body, limit)
	}
	var err error
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
		if n := r.ContentLength; n >= int64(cap(b.bytes)) {
			b.bytes = make([]byte, 0, n+1)
		}
		b.bytes, err = readAll(b.bytes, body, limit)
	case "gzip":
		var decoder *gzip.Reader
		if decoder, err = gzip.NewReader(body); err == nil {
			b.bytes, err = readAll(b.bytes, decoder, limit)
		}
	case "zstd":
		var decoder *zstd.Decoder
		window := max(uint64(limit)+1, leastWindow) //nolint:gosec // limit is positive
		if decoder, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(window)); err == nil {
			b.bytes, err = readAll(b.bytes, decoder, limit)
			decoder.Close()
		}
	default:
		return errEncoding
	}
	return bodyError(err)
}

// bodyError puts what went wrong into words. An outer handler may bound bodies
// too: whatever wraps net/http's error means the same.
func bodyError(err error) error {
	if err == nil {
		return nil
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errTooMuch),
		errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return errBodyTooLarge
	}
	return errBodyUnreadable
}

var errTooMuch = errors.New("more bytes than allowed")

// readAll appends all of r to dst, at most limit bytes.
func readAll(dst []byte, r io.Reader, limit int64) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case int64(len(dst)) > limit:
			return dst, errTooMuch
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}
