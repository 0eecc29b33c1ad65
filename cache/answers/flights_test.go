package answers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// listeners is who listens to a call, as a gateway counts them: it is given up
// when nobody does.
type listeners struct {
	mu     sync.Mutex
	n      int
	over   bool
	cancel context.CancelFunc
}

func (l *listeners) Join() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.n++
	return true
}

func (l *listeners) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n--; l.n == 0 {
		l.over = true
		l.cancel()
	}
}

// gateway is a fake of one: it answers questions with a stream of events, and
// counts the calls that it makes for that.
type gateway struct {
	flights *Flights
	calls   atomic.Int64
	events  [][]byte
	// first and between are the times to the first event and between events.
	first, between time.Duration
	// fail is how a call ends after so many events, if it does.
	fail      error
	failAfter int
	share     bool
	store     Store
	patience  time.Duration
}

// ask answers one client, whose context ends when it leaves.
func (g *gateway) ask(client context.Context, key Key, want Manner) ([]byte, error) {
	call, cancel := context.WithCancel(context.WithoutCancel(client))
	defer cancel()
	present := &listeners{n: 1, cancel: cancel}
	flight, follower := g.flights.Join(key, present)
	if follower != nil {
		defer follower.Leave()
		got, err, arrived := g.follow(client, follower, want)
		if arrived {
			return got, err
		}
		follower.Leave()
		flight = nil // alone
	}
	defer flight.Close()
	defer context.AfterFunc(client, present.Leave)()
	return g.produce(call, flight, key)
}

func (g *gateway) follow(ctx context.Context, f *Follower, want Manner) (got []byte, err error, arrived bool) {
	switch f.Wait(ctx, want, g.patience) {
	case Live:
		for {
			events, err := f.Next(ctx)
			got = append(got, events...)
			switch {
			case errors.Is(err, io.EOF):
				return got, nil, true
			case err != nil:
				return got, err, true
			}
		}
	case Landed:
		return f.Entry().Body, nil, true
	case Shared:
		return nil, f.Err(), true
	}
	return nil, ctx.Err(), ctx.Err() != nil
}

// produce makes the call. The leader's client may have left: it goes on as long as
// anybody listens.
func (g *gateway) produce(ctx context.Context, flight *Flight, key Key) ([]byte, error) {
	g.calls.Add(1)
	var all []byte
	wait := g.first
	for i, event := range g.events {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			flight.Fail(nil)
			return all, ctx.Err()
		}
		if g.fail != nil && i == g.failAfter {
			if g.share {
				flight.Fail(g.fail)
			}
			return all, g.fail
		}
		if wait = g.between; i == 0 {
			flight.Open(Head{Manner: Stream, Model: "m"})
		}
		flight.Append(event)
		all = append(all, event...)
	}
	if body, ok := flight.Body(); ok && !bytes.Equal(body, all) {
		return nil, errors.New("what was held is something else")
	}
	e := &Entry{Key: key, Manner: Stream, Body: all, TTL: time.Hour, Created: time.Now()}
	flight.Land(e)
	if g.store != nil {
		g.store.Put(ctx, e)
	}
	return all, nil
}

func newGateway(o FlightOptions) *gateway {
	g := &gateway{flights: NewFlights(o), first: time.Second, between: 50 * time.Millisecond, patience: time.Minute}
	for i := range 100 {
		g.events = append(g.events, fmt.Appendf(nil, "data: {\"n\":%d,\"text\":\"%s\"}\n\n", i, word(i)))
	}
	return g
}

// TestC04OneCallForAThousandMisses: callers come all the time while the answer
// streams, and some leave, the one whose call it is among them.
func TestC04OneCallForAThousandMisses(t *testing.T) {
	for _, test := range []struct {
		name  string
		stays func(i int) bool
	}{
		{"the first one leaves", func(i int) bool { return i > 0 }},
		{"every third one leaves", func(i int) bool { return i%3 != 0 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(FlightOptions{})
				want := bytes.Join(g.events, nil)
				var whole, stayed atomic.Int64
				var all sync.WaitGroup
				for i := range 1000 {
					if i > 0 {
						time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
					}
					ctx, leave := context.WithCancel(context.Background())
					if test.stays(i) {
						stayed.Add(1)
					} else {
						time.AfterFunc(time.Duration(1+rand.IntN(6000))*time.Millisecond, leave)
					}
					all.Go(func() {
						defer leave()
						got, err := g.ask(ctx, Key{1}, Stream)
						switch is := err == nil && bytes.Equal(got, want); {
						case is && test.stays(i):
							whole.Add(1)
						case !is && ctx.Err() == nil:
							t.Errorf("a client that stayed got %d bytes of %d: %v", len(got), len(want), err)
						case !bytes.HasPrefix(want, got):
							t.Error("a client that left got something else")
						}
					})
				}
				all.Wait()
				if n := g.calls.Load(); n != 1 || whole.Load() != stayed.Load() {
					t.Errorf("%d calls, %d whole answers for %d who stayed", n, whole.Load(), stayed.Load())
				}
				if s := g.flights.Stats(); s.Flights != 0 || s.Bytes != 0 || s.Led != 1 || s.Followed != 999 {
					t.Errorf("%+v", s)
				}
				t.Logf("%d calls, %d whole answers, %d stayed", g.calls.Load(), whole.Load(), stayed.Load())
			})
		})
	}
}

// TestC04AtFullSpeed is the same without any time: as the race detector likes it.
func TestC04AtFullSpeed(t *testing.T) {
	g := newGateway(FlightOptions{})
	g.first, g.between, g.store = 20*time.Millisecond, 0, newMemory(t, MemoryOptions{})
	want := bytes.Join(g.events, nil)
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			if e := g.store.Get(t.Context(), Key{1}); e != nil {
				return // the call is over: this is no miss
			}
			if got, err := g.ask(t.Context(), Key{1}, [2]Manner{Stream, Whole}[i%2]); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	// Whoever looked just before the answer was stored, and joined just after, calls again.
	if n := g.calls.Load(); n > 2 {
		t.Errorf("%d calls", n)
	}
}

func TestTenantsDoNotFollowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(FlightOptions{})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() { _, _ = g.ask(t.Context(), Key{byte(i)}, Stream) })
		}
		all.Wait()
		if g.calls.Load() != 10 {
			t.Errorf("%d calls for 10 keys", g.calls.Load())
		}
	})
}

func TestFailuresAreNotSharedBlindly(t *testing.T) {
	broke := errors.New("broke")
	for _, test := range []struct {
		name      string
		failAfter int
		share     bool
		want      Manner
		calls     int64
		failed    int64
	}{
		{"before content", 0, false, Stream, 10, 10}, // each of them finds out for itself
		{"before content, of the request", 0, true, Stream, 1, 10},
		{"after content", 50, false, Stream, 1, 10}, // all had a part of it
		{"after content, for those who wait for the whole", 50, false, Whole, 10, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(FlightOptions{})
				g.fail, g.failAfter, g.share = broke, test.failAfter, test.share
				var failed atomic.Int64
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						if _, err := g.ask(t.Context(), Key{1}, test.want); errors.Is(err, broke) || errors.Is(err, ErrBroken) {
							failed.Add(1)
						}
					})
				}
				all.Wait()
				if g.calls.Load() != test.calls || failed.Load() != test.failed {
					t.Errorf("%d calls, %d failed", g.calls.Load(), failed.Load())
				}
			})
		})
	}
}

func TestFollowersWaitForTheFirstContentOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(FlightOptions{})
		g.first, g.patience = time.Hour, 10*time.Second
		begun := time.Now()
		flight, _ := g.flights.Join(Key{1}, nil)
		_, follower := g.flights.Join(Key{1}, nil)
		if got := follower.Wait(t.Context(), Stream, g.patience); got != Alone || time.Since(begun) != g.patience {
			t.Errorf("%d after %v", got, time.Since(begun))
		}
		flight.Open(Head{Manner: Stream})
		time.AfterFunc(time.Hour, func() { flight.Land(&Entry{Manner: Stream}) })
		if got := follower.Wait(t.Context(), Whole, g.patience); got != Landed || time.Since(begun) < time.Hour {
			t.Errorf("%d after %v: the stream goes on, and it did not wait for its end", got, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		other, _ := g.flights.Join(Key{2}, nil)
		_, second := g.flights.Join(Key{2}, nil)
		if got := second.Wait(ctx, Stream, time.Hour); got != Alone {
			t.Errorf("%d for a client that left", got)
		}
		second.Leave()
		other.Close()
		follower.Leave()
		follower.Leave()
		flight.Close()
		if s := g.flights.Stats(); s.Flights != 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestLateFollowersFindWhatHasLanded(t *testing.T) {
	flights := NewFlights(FlightOptions{})
	flight, _ := flights.Join(Key{1}, nil)
	flight.Open(Head{Manner: Stream, Model: "m"})
	flight.Append([]byte("data: 1\n\n"))
	flight.Land(nil) // what may not be stored is not an entry
	flight.Append([]byte("data: 2\n\n"))
	_, live := flights.Join(Key{1}, nil)
	if got := live.Wait(t.Context(), Stream, time.Second); got != Live || live.Head().Model != "m" {
		t.Fatalf("%d", got)
	}
	if events, err := live.Next(t.Context()); string(events) != "data: 1\n\n" || err != nil {
		t.Errorf("%q, %v", events, err)
	}
	if _, err := live.Next(t.Context()); !errors.Is(err, io.EOF) || live.Entry() != nil {
		t.Errorf("%v", err)
	}
	_, whole := flights.Join(Key{1}, nil)
	if got := whole.Wait(t.Context(), Whole, time.Second); got != Alone {
		t.Errorf("%d", got)
	}
	flight.Close()
	if s := flights.Stats(); s.Bytes == 0 {
		t.Error("what is still read does not count")
	}
	live.Leave()
	whole.Leave()
	if s := flights.Stats(); s.Bytes != 0 || s.Flights != 0 {
		t.Errorf("%+v", s)
	}
	if next, _ := flights.Join(Key{1}, nil); next == nil {
		t.Error("nobody can lead after it")
	} else {
		next.Close()
	}
}

func TestCallThatIsGivenUpIsNotJoined(t *testing.T) {
	flights := NewFlights(FlightOptions{})
	gone := &listeners{n: 1, cancel: func() {}}
	first, _ := flights.Join(Key{1}, gone)
	gone.Leave()
	second, follower := flights.Join(Key{1}, &listeners{n: 1, cancel: func() {}})
	if second == nil || follower != nil {
		t.Fatal("a call was joined that nobody makes any more")
	}
	first.Close()
	if _, follower = flights.Join(Key{1}, nil); follower == nil {
		t.Fatal("the end of the first call took the second one away")
	}
	follower.Leave()
	second.Close()
}

func TestFlightsAreBounded(t *testing.T) {
	flights := NewFlights(FlightOptions{Flights: 3, Bytes: 100 << 10, Answer: 64 << 10})
	event := bytes.Repeat([]byte("x"), 1000)
	var open []*Flight
	for i := range 3 {
		flight, _ := flights.Join(Key{byte(i)}, nil)
		open = append(open, flight)
	}
	if flight, follower := flights.Join(Key{9}, nil); flight != nil || follower != nil {
		t.Error("there was room for one more")
	} else {
		flight.Open(Head{}) // a caller that goes alone does the same as a leader
		flight.Append(event)
		flight.Land(nil)
		flight.Fail(nil)
		flight.Close()
	}
	// The first is followed, and grows: the others give way.
	_, follower := flights.Join(Key{0}, nil)
	open[0].Open(Head{Manner: Stream})
	if follower.Wait(t.Context(), Stream, time.Second) != Live {
		t.Fatal("not live")
	}
	for range 40 {
		for _, flight := range open[1:] {
			flight.Append(event)
		}
	}
	for range 40 {
		open[0].Append(event)
	}
	open[0].Land(nil)
	n := 0
	for {
		events, err := follower.Next(t.Context())
		if n += len(events); err != nil {
			if !errors.Is(err, io.EOF) || n != 40*len(event) {
				t.Errorf("%d bytes, then %v", n, err)
			}
			break
		}
	}
	if s := flights.Stats(); s.Bytes > 100<<10 || s.Dropped == 0 {
		t.Errorf("%+v", s)
	}
	for _, flight := range open {
		flight.Close()
	}
	follower.Leave()
	if s := flights.Stats(); s.Bytes != 0 || s.Flights != 0 {
		t.Errorf("%+v", s)
	}
}

func TestStreamThatGrowsTooLargeIsLostToItsFollowers(t *testing.T) {
	flights := NewFlights(FlightOptions{Answer: 64 << 10})
	flight, _ := flights.Join(Key{1}, nil)
	_, follower := flights.Join(Key{1}, nil)
	flight.Open(Head{Manner: Stream})
	follower.Wait(t.Context(), Stream, time.Second)
	for range 100 {
		flight.Append(bytes.Repeat([]byte("x"), 1000))
	}
	if body, ok := flight.Body(); ok || body != nil {
		t.Error("it is held")
	}
	if again, late := flights.Join(Key{1}, nil); late != nil || again == nil {
		t.Error("it can still be followed")
	} else {
		again.Close()
	}
	flight.Land(&Entry{})
	var err error
	for err == nil {
		_, err = follower.Next(t.Context())
	}
	if errors.Is(err, io.EOF) {
		t.Error("half a stream ended well")
	}
	flight.Close()
	follower.Leave()
	if s := flights.Stats(); s.Bytes != 0 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAPanicLeavesNobodyWaiting(t *testing.T) {
	flights := NewFlights(FlightOptions{})
	begun := make(chan *Follower)
	go func() {
		defer func() { _ = recover() }()
		flight, _ := flights.Join(Key{1}, nil)
		defer flight.Close()
		_, follower := flights.Join(Key{1}, nil)
		begun <- follower
		panic("a bug")
	}()
	follower := <-begun
	defer follower.Leave()
	if got := follower.Wait(t.Context(), Whole, time.Minute); got != Alone {
		t.Errorf("%d", got)
	}
}

func TestErrorsThatLieInTheRequest(t *testing.T) {
	var shared []int
	for status := 400; status < 600; status++ {
		if Shareable(status) {
			shared = append(shared, status)
		}
	}
	if !slices.Equal(shared, []int{400, 413, 415, 422}) {
		t.Errorf("%v", shared)
	}
}

func BenchmarkFlight(b *testing.B) {
	flights := NewFlights(FlightOptions{})
	events := newGateway(FlightOptions{}).events
	b.ReportAllocs()
	for b.Loop() {
		flight, _ := flights.Join(Key{1}, nil)
		flight.Open(Head{Manner: Stream})
		for _, event := range events {
			flight.Append(event)
		}
		flight.Land(nil)
		flight.Close()
	}
}
