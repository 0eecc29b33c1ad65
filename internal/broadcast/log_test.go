package broadcast

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rest reads to the end.
func rest(t testing.TB, r *Reader) (string, error) {
	t.Helper()
	var all []byte
	for {
		events, err := r.Next(t.Context())
		if err != nil {
			return string(all), err
		}
		if len(events) == 0 {
			t.Fatal("nothing was read, and no error")
		}
		all = append(all, events...)
	}
}

func numbered(n int) (events [][]byte) {
	for i := range n {
		events = append(events, fmt.Appendf(nil, "event %d %s;", i+1, strings.Repeat("x", i*i%5000)))
	}
	return events
}

func TestReadersBeginAfterAnyEvent(t *testing.T) {
	events := numbered(300)
	log := New(4<<20, nil)
	for _, event := range events {
		if !log.Append(event) {
			t.Fatal("an event was not kept")
		}
	}
	log.Close(nil)
	for after := range len(events) + 1 {
		r, err := log.NewReader(after)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rest(t, r); got != string(bytes.Join(events[after:], nil)) || !errors.Is(err, io.EOF) {
			t.Fatalf("after %d: %d bytes, %v", after, len(got), err)
		}
	}
	for _, after := range []int{-1, len(events) + 1} {
		if _, err := log.NewReader(after); !errors.Is(err, ErrNoEvent) {
			t.Errorf("after %d: %v", after, err)
		}
	}
}

func TestReadersFollowAndFindTheOutcome(t *testing.T) {
	broke := errors.New("broke")
	for _, outcome := range []error{nil, broke} {
		synctest.Test(t, func(t *testing.T) {
			events := numbered(50)
			log := New(1<<20, nil)
			var readers sync.WaitGroup
			for range 20 {
				r, err := log.NewReader(0)
				if err != nil {
					t.Fatal(err)
				}
				readers.Go(func() {
					got, err := rest(t, r)
					if want := cmpOutcome(outcome); got != string(bytes.Join(events, nil)) || !errors.Is(err, want) {
						t.Errorf("%d bytes, %v, want %v", len(got), err, want)
					}
				})
			}
			for _, event := range events {
				time.Sleep(time.Second)
				log.Append(event)
			}
			time.Sleep(time.Second)
			log.Close(outcome)
			log.Close(errors.New("too late"))
			readers.Wait()
			if log.Append([]byte("too late")) {
				t.Error("a closed log took an event")
			}
		})
	}
}

func cmpOutcome(outcome error) error {
	if outcome == nil {
		return io.EOF
	}
	return outcome
}

func TestReaderThatWaitsCanBeCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := New(1<<20, nil)
		r, err := log.NewReader(0)
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(why) })
		if _, err := r.Next(ctx); !errors.Is(err, why) {
			t.Errorf("the wait ended with %v", err)
		}
		log.Append([]byte("a")) // which it can still read
		if got, err := r.Next(t.Context()); string(got) != "a" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestLogStopsAtItsBound(t *testing.T) {
	for _, test := range []struct {
		name  string
		limit int
		grow  func(*int) func(int) bool
	}{
		{"its own", 100 << 10, func(*int) func(int) bool { return nil }},
		{"somebody else's", 1 << 30, func(taken *int) func(int) bool {
			return func(n int) bool { *taken += n; return *taken <= 100<<10 }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			taken := 0
			log := New(test.limit, test.grow(&taken))
			early, _ := log.NewReader(0)
			event, kept := bytes.Repeat([]byte("e"), 999), 0
			for log.Append(event) {
				kept++
			}
			if kept < 40 || log.Size() > 100<<10 {
				t.Errorf("%d events in %d bytes", kept, log.Size())
			}
			if _, err := log.NewReader(0); !errors.Is(err, ErrTruncated) {
				t.Errorf("a late reader gets %v", err)
			}
			log.Close(nil)
			if got, err := rest(t, early); len(got) != kept*len(event) || !errors.Is(err, ErrTruncated) {
				t.Errorf("the early reader got %d bytes of %d, then %v", len(got), kept*len(event), err)
			}
		})
	}
}

func TestShortEventsAreBoundedToo(t *testing.T) {
	log, n := New(64<<10, nil), 0
	for log.Append([]byte("x")) {
		n++
	}
	if n > 64<<10/bytesPerEnd {
		t.Errorf("%d events of one byte were kept", n)
	}
}

func TestManyReadWhileOneWrites(t *testing.T) {
	events := numbered(400)
	log := New(8<<20, nil)
	var readers sync.WaitGroup
	begin := func(after int) {
		r, err := log.NewReader(after)
		if err != nil {
			t.Error(err)
			return
		}
		readers.Go(func() {
			if got, err := rest(t, r); got != string(bytes.Join(events[after:], nil)) || !errors.Is(err, io.EOF) {
				t.Errorf("after %d: %d bytes, %v", after, len(got), err)
			}
		})
	}
	for i, event := range events {
		log.Append(event)
		if i%20 == 0 {
			begin(i / 2)
			begin(i + 1)
		}
	}
	log.Close(nil)
	readers.Wait()
}

// FuzzLog holds the log against a list.
func FuzzLog(f *testing.F) {
	f.Add([]byte{0, 10, 1, 0, 2, 0, 0, 200, 2, 0, 3, 0})
	f.Add([]byte{1, 0, 0, 255, 0, 255, 0, 255, 0, 255, 2, 0, 1, 2, 2, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		const limit = 16 << 10
		log := New(limit, nil)
		var list [][]byte
		var full, closed bool
		type pair struct {
			*Reader
			at int // events read
		}
		var readers []*pair
		for ; len(script) >= 2; script = script[2:] {
			n := int(script[1])
			switch script[0] % 4 {
			case 0:
				event := bytes.Repeat([]byte{byte(len(list))}, 1+n*n/16)
				kept := log.Append(event)
				if kept && (full || closed) {
					t.Fatal("kept after the end")
				}
				if kept {
					list = append(list, event)
				} else if !closed {
					full = true
				}
			case 1:
				r, err := log.NewReader(n)
				switch {
				case full:
					if !errors.Is(err, ErrTruncated) {
						t.Fatal(err)
					}
				case n > len(list):
					if !errors.Is(err, ErrNoEvent) {
						t.Fatal(err)
					}
				case err != nil:
					t.Fatal(err)
				default:
					readers = append(readers, &pair{r, n})
				}
			case 2:
				if len(readers) == 0 {
					continue
				}
				r := readers[n%len(readers)]
				events, _, outcome := r.look()
				for len(events) > 0 {
					if r.at == len(list) || !bytes.HasPrefix(events, list[r.at]) {
						t.Fatalf("event %d is %q", r.at, events)
					}
					events = events[len(list[r.at]):]
					r.at++
				}
				if outcome != nil && (r.at != len(list) || errors.Is(outcome, ErrTruncated) != full) {
					t.Fatalf("%v after %d of %d events", outcome, r.at, len(list))
				}
			case 3:
				log.Close(nil)
				closed = closed || !full
			}
			if log.Size() > limit {
				t.Fatalf("%d bytes", log.Size())
			}
		}
		if log.outcome == nil {
			log.Close(nil)
		}
		for _, r := range readers {
			if got, _ := rest(t, r.Reader); got != string(slices.Concat(list[r.at:]...)) {
				t.Fatalf("the rest is %q", got)
			}
		}
	})
}
