package window

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddyllm/llmproxy/internal/sse"
)

func TestWhatWasNotTakenStaysInOrder(t *testing.T) {
	for _, size := range []int{1, 7, 1000, 100_000} {
		source := bytes.Repeat([]byte("0123456789abcde"), 20_000)
		var w Window
		var got []byte
		from := bytes.NewReader(source)
		for err := error(nil); err == nil; {
			_, err = w.Fill(from, 0)
			for len(w.Rest()) > size {
				got = append(got, w.Take(size)...)
			}
		}
		if got = append(got, w.Rest()...); !bytes.Equal(got, source) {
			t.Errorf("taken by %d: %d of %d bytes", size, len(got), len(source))
		}
	}
}

func TestLimit(t *testing.T) {
	var w Window
	from := strings.NewReader(strings.Repeat("x", 100_000))
	var err error
	for err == nil {
		_, err = w.Fill(from, 5000)
	}
	if !errors.Is(err, sse.ErrTooLarge) || len(w.Rest()) != 5000 || cap(w.text) > 10_000 {
		t.Errorf("%v after %d bytes in %d", err, len(w.Rest()), cap(w.text))
	}
	w.Take(4999)
	if n, err := w.Fill(from, 5000); err != nil || n != 4999 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestResetKeepsBoundedMemory(t *testing.T) {
	var w Window
	from := strings.NewReader(strings.Repeat("x", 1<<20))
	for err := error(nil); err == nil; {
		_, err = w.Fill(from, 0)
	}
	if w.Reset(); cap(w.text) > keepSize || len(w.Rest()) > 0 {
		t.Errorf("%d bytes kept", cap(w.text))
	}
}

type impossible int

func (n impossible) Read([]byte) (int, error) { return int(n), nil }

func TestErrorsOfTheReader(t *testing.T) {
	var w Window
	for _, n := range []impossible{-1, 1 << 30} {
		if _, err := w.Fill(n, 0); err == nil {
			t.Error("accepted an impossible count")
		}
	}
	n, err := w.Fill(iotest.DataErrReader(strings.NewReader("abc")), 0)
	if n != 3 || err != io.EOF || string(w.Rest()) != "abc" {
		t.Errorf("%d, %v, %q", n, err, w.Rest())
	}
}
