package gateway

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

func newReader(b *buffer) (*bodyReader, *atomic.Bool) {
	r := b.read(new(bodyReader))
	return r, &r.touched
}

func TestBodyReaderReadsItAllAndTellsThatItWasRead(t *testing.T) {
	b := newBuffer()
	b.bytes = append(b.bytes, "a request's bytes"...)
	r, touched := newReader(b)
	if touched.Load() {
		t.Error("it counts as read before it is")
	}
	if err := iotest.TestReader(r, []byte("a request's bytes")); err != nil {
		t.Error(err)
	}
	if !touched.Load() {
		t.Error("nobody knows that it was read")
	}
}

func TestClosedBodyIsNotReadAgain(t *testing.T) {
	b := newBuffer()
	b.bytes = append(b.bytes, "secret"...)
	r, touched := newReader(b)
	for range 2 { // net/http may close twice
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := r.Read(make([]byte, 10)); n != 0 || !errors.Is(err, errBodyClosed) {
		t.Errorf("read %d bytes (%v)", n, err)
	}
	if touched.Load() {
		t.Error("a closed body counts as read")
	}
	if owners := b.owners.Load(); owners != 1 {
		t.Errorf("the buffer has %d owners, want the call alone", owners)
	}
}

// A transport may still read a body when the call that it belongs to is over
// and its memory serves another.
func TestMemoryIsNotReusedWhileABodyIsRead(t *testing.T) {
	const size = 32 << 10
	var all sync.WaitGroup
	for i := range 200 {
		b := newBuffer()
		b.bytes = append(b.bytes, bytes.Repeat([]byte{byte(i)}, size)...)
		r, _ := newReader(b)
		reading := make(chan struct{})
		all.Go(func() {
			first, p := true, make([]byte, 512)
			for {
				n, err := r.Read(p)
				if bytes.Count(p[:n], []byte{byte(i)}) != n {
					t.Error("the body holds another's bytes")
				}
				if first {
					first = false
					close(reading)
				}
				if err != nil {
					return
				}
			}
		})
		<-reading
		b.release() // the call is over
		if i%2 == 0 {
			all.Go(func() { _ = r.Close() })
		} else {
			all.Go(func() { _, _ = io.Copy(io.Discard, r); _ = r.Close() })
		}
	}
	all.Wait()
}

func TestLargeBuffersAreNotKept(t *testing.T) {
	b := newBuffer()
	b.bytes = make([]byte, 0, 2*keepBuffer)
	b.release()
	for range 10 {
		if got := newBuffer(); got == b {
			t.Error("a large buffer went back to the pool")
		}
	}
	var none *buffer
	none.release() // a call that was refused before it had a body
}

func TestReadAllStopsAtTheLimit(t *testing.T) {
	const limit = 1000
	for _, n := range []int{0, 1, limit - 1, limit, limit + 1, 100 * limit} {
		text := bytes.Repeat([]byte("x"), n)
		for name, r := range map[string]io.Reader{
			"at once": bytes.NewReader(text), "byte by byte": iotest.OneByteReader(bytes.NewReader(text)), "with its end": iotest.DataErrReader(bytes.NewReader(text)),
		} {
			got, err := readAll(make([]byte, 0, 8), r, limit)
			if n > limit && !errors.Is(err, errTooMuch) || n <= limit && (err != nil || !bytes.Equal(got, text)) || len(got) > 3*limit {
				t.Errorf("%d bytes %s: read %d (%v)", n, name, len(got), err)
			}
		}
	}
	if _, err := readAll(nil, iotest.ErrReader(io.ErrUnexpectedEOF), limit); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v", err)
	}
}
