package routing_test

import (
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

var (
	keyA, keyB, keyC = providers.Fingerprint{1}, providers.Fingerprint{2}, providers.Fingerprint{3}
	keysABC          = []providers.Fingerprint{keyA, keyB, keyC}
)

func wantStanding(t *testing.T, s *routing.State, keys []providers.Fingerprint, obstacle routing.Obstacle, wait time.Duration) {
	t.Helper()
	found := s.Available(keys, time.Now())
	got := time.Duration(0)
	if !found.Until.IsZero() {
		got = time.Until(found.Until)
	}
	if found.Obstacle != obstacle || got != wait {
		t.Errorf("obstacle is %d for %v, want %d for %v", found.Obstacle, got, obstacle, wait)
	}
}

// report makes an attempt that ends at once.
func report(s *routing.State, r routing.Report) {
	b := routing.DefaultBreaker
	r.Began = time.Now()
	r.Probe, _ = s.Begin(true, r.Began)
	s.End(&b, r, time.Now())
}

func TestWaitsAreOfKeysWhereARateLimitAsksForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(routing.Health)
		s, other := h.Model("m"), h.Model("other")
		report(s, routing.Report{Outcome: throttled, Key: keyA, Wait: 7 * time.Second})
		wantStanding(t, s, keysABC, routing.Clear, 0)
		wantStanding(t, s, keysABC[:1], routing.Limited, 7*time.Second)
		wantStanding(t, other, keysABC[:1], routing.Clear, 0) // its limits are its own
		report(s, routing.Report{Outcome: throttled, Key: keyB, Wait: 3 * time.Second})
		report(s, routing.Report{Outcome: throttled, Key: keyC, Wait: 5 * time.Second})
		wantStanding(t, s, keysABC, routing.Limited, 3*time.Second)
		time.Sleep(3 * time.Second)
		wantStanding(t, s, keysABC, routing.Clear, 0)
		wantStanding(t, s, keysABC[2:], routing.Limited, 2*time.Second)
	})
}

func TestWaitsAreOfTheTargetWhereItFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(routing.Health).Model("m")
		report(s, routing.Report{Outcome: failed, Key: keyA, Wait: 7 * time.Second})
		wantStanding(t, s, keysABC, routing.Busy, 7*time.Second)
		time.Sleep(7 * time.Second)
		wantStanding(t, s, keysABC, routing.Clear, 0)
	})
}

func TestWaitsAreBoundedAndNeedAReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(routing.Health).Model("m")
		for _, outcome := range []routing.Outcome{neutral, succeeded, unreachable} {
			report(s, routing.Report{Outcome: outcome, Key: keyA, Wait: 7 * time.Second})
		}
		report(s, routing.Report{Outcome: throttled, Key: keyA})
		report(s, routing.Report{Outcome: throttled, Key: keyA, Wait: -time.Second})
		wantStanding(t, s, keysABC[:1], routing.Clear, 0)
		report(s, routing.Report{Outcome: throttled, Key: keyA, Wait: 24 * time.Hour})
		wantStanding(t, s, keysABC[:1], routing.Limited, 5*time.Minute)
		report(s, routing.Report{Outcome: failed, Wait: 24 * time.Hour})
		wantStanding(t, s, keysABC, routing.Busy, 5*time.Minute)
	})
}

func TestRefusedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(routing.Health)
		s, other := h.Model("m"), h.Model("other")
		h.RefuseKey(keyA, time.Now().Add(10*time.Minute))
		s.RefuseKey(keyB, time.Now().Add(time.Minute))
		wantStanding(t, s, keysABC, routing.Clear, 0)
		wantStanding(t, s, keysABC[:1], routing.Keyless, 10*time.Minute)
		wantStanding(t, other, keysABC[:1], routing.Keyless, 10*time.Minute)
		wantStanding(t, s, keysABC[1:2], routing.Keyless, time.Minute)
		wantStanding(t, other, keysABC[1:2], routing.Clear, 0)
		wantStanding(t, s, keysABC[:2], routing.Keyless, time.Minute) // the soonest to end
		time.Sleep(10 * time.Minute)
		wantStanding(t, s, keysABC[:1], routing.Clear, 0)
	})
}

func TestKeysTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(routing.Health)
		s := h.Model("m")
		turns := func() (got [3]int) {
			for range 300 {
				got[s.Key(keysABC, 0, routing.Need{}, time.Now())]++
			}
			return got
		}
		if got := turns(); got != [3]int{100, 100, 100} {
			t.Errorf("the keys were used %v times", got)
		}
		h.RefuseKey(keyA, time.Now().Add(time.Minute))
		if got := turns(); got != [3]int{0, 150, 150} {
			t.Errorf("without the first the keys were used %v times", got)
		}
		s.RefuseKey(keyB, time.Now().Add(time.Second))
		if got := turns(); got != [3]int{0, 0, 300} {
			t.Errorf("without two of them the keys were used %v times", got)
		}
		s.RefuseKey(keyC, time.Now().Add(2*time.Second))
		if got := turns(); got != [3]int{0, 300, 0} {
			t.Errorf("of three that are blocked the keys were used %v times, want the soonest to be free", got)
		}
	})
}

func TestKeysThatWereTriedComeLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(routing.Health).Model("m")
		want := func(tried uint64, other bool, allowed ...int) {
			t.Helper()
			if got := s.OtherKey(keysABC, tried, time.Now()); got != other {
				t.Errorf("after %b there is another key: %v", tried, got)
			}
			for range 6 {
				got, ok := s.Key(keysABC, tried, routing.Need{}, time.Now()), false
				for _, key := range allowed {
					ok = ok || got == key
				}
				if !ok {
					t.Errorf("after %b key %d was picked, want one of %v", tried, got, allowed)
				}
			}
		}
		want(0b000, true, 0, 1, 2)
		want(0b001, true, 1, 2)
		want(0b011, true, 2)
		want(0b111, false, 0, 1, 2)
		// One that is blocked is no better than one that was tried.
		s.RefuseKey(keyC, time.Now().Add(time.Minute))
		want(0b011, false, 0, 1)
		want(0b001, true, 1)
		s.RefuseKey(keyA, time.Now().Add(time.Second))
		s.RefuseKey(keyB, time.Now().Add(time.Hour))
		want(0b001, false, 0)
	})
}

// Only so many keys are told apart by their bits: those beyond do not count as
// another one for ever.
func TestManyKeys(t *testing.T) {
	s := new(routing.Health).Model("m")
	keys := make([]providers.Fingerprint, 100)
	for i := range keys {
		keys[i][0] = byte(i + 1)
	}
	seen := make(map[int]int)
	for range 200 {
		seen[s.Key(keys, 0, routing.Need{}, time.Now())]++
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 keys were used", len(seen))
	}
	if s.OtherKey(keys, ^uint64(0), time.Now()) {
		t.Error("there is always another key")
	}
}

func TestDisabledProviders(t *testing.T) {
	h := new(routing.Health)
	s := h.Model("m")
	h.Disable(true)
	if _, ok := s.Begin(false, time.Now()); ok || !h.Disabled() {
		t.Error("an attempt began")
	}
	wantStanding(t, s, noKeys, routing.Disabled, 0)
	h.Reset() // which is no word of the operator about that
	wantStanding(t, s, noKeys, routing.Disabled, 0)
	h.Disable(false)
	wantStanding(t, s, noKeys, routing.Clear, 0)
}

func TestResetForgets(t *testing.T) {
	h := new(routing.Health)
	s, other := h.Model("m"), h.Model("other")
	h.RefuseKey(keyA, time.Now().Add(time.Hour))
	other.RefuseKey(keyB, time.Now().Add(time.Hour))
	for range 5 {
		report(s, routing.Report{Outcome: failed, Wait: time.Minute})
	}
	running, ok := other.Begin(false, time.Now())
	h.Reset()
	wantStanding(t, s, noKeys, routing.Clear, 0)
	wantStanding(t, other, keysABC[:1], routing.Clear, 0)
	wantStanding(t, other, keysABC[1:2], routing.Clear, 0)
	if running || !ok || other.InFlight() != 1 {
		t.Errorf("%d attempts are on their way, want 1", other.InFlight())
	}
}

func TestModelsAreBoundedAndThoseInUseKept(t *testing.T) {
	h := new(routing.Health)
	used := make(map[string]*routing.State)
	for i := range 100 {
		name := "used-" + strconv.Itoa(i)
		used[name] = h.Model(name)
		_, _ = used[name].Begin(false, time.Now())
	}
	distinct := make(map[*routing.State]bool)
	for i := range 5000 {
		distinct[h.Model("made-up-"+strconv.Itoa(i))] = true
	}
	for name, s := range used {
		if h.Model(name) != s {
			t.Fatalf("%s was forgotten", name)
		}
	}
	known := 0
	for i := range 5000 {
		if distinct[h.Model("made-up-"+strconv.Itoa(i))] {
			known++
		}
	}
	if known > 1024 {
		t.Errorf("%d models were kept", known)
	}
}

// What is held against a model must not be forgotten because clients make up names.
func TestModelsWithAnOpenBreakerAreKept(t *testing.T) {
	h := new(routing.Health)
	s := h.Model("m")
	for range 5 {
		report(s, routing.Report{Outcome: failed})
	}
	for i := range 5000 {
		h.Model("made-up-" + strconv.Itoa(i))
	}
	if h.Model("m") != s {
		t.Error("the model was forgotten")
	}
}

// The race detector is the judge.
func TestHealthUnderParallelUse(t *testing.T) {
	h, b := new(routing.Health), routing.DefaultBreaker
	outcomes := []routing.Outcome{neutral, succeeded, throttled, failed, unreachable}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 2000 {
				s, now := h.Model("m"+strconv.Itoa(i%5)), time.Now()
				s.Available(keysABC, now)
				key := s.Key(keysABC, uint64(i%8), routing.Need{}, now)
				s.OtherKey(keysABC, 0, now)
				if probe, ok := s.Begin(i%7 == 0, now); ok {
					s.Latency(i%2 == 0, now)
					s.End(&b, routing.Report{
						Outcome: outcomes[(i+n)%len(outcomes)], Probe: probe, Began: now, Stream: i%2 == 0,
						Latency: time.Millisecond, Wait: time.Duration(i%3) * time.Millisecond, Key: keysABC[key],
					}, time.Now())
				}
				switch i % 100 {
				case 0:
					h.Reset()
				case 1:
					h.RefuseKey(keysABC[n%3], now.Add(time.Millisecond))
				case 2:
					s.RefuseKey(keysABC[n%3], now.Add(time.Millisecond))
				case 3:
					h.Disable(true)
				case 4:
					h.Disable(false)
				}
				h.Budget.Called(now)
				if h.Budget.Take(now) {
					h.Budget.Done(time.Now(), i%2 == 0)
				}
			}
		})
	}
	all.Wait()
	for i := range 5 {
		if n := h.Model("m" + strconv.Itoa(i)).InFlight(); n != 0 {
			t.Errorf("%d attempts are on their way", n)
		}
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(routing.Health).Model("m")
		want := func(stream bool, want time.Duration) {
			t.Helper()
			if got := s.Latency(stream, time.Now()); got < want*999/1000 || got > want*1001/1000 {
				t.Errorf("the latency of streams (%v) is %v, want %v", stream, got, want)
			}
		}
		answer := func(outcome routing.Outcome, stream bool, latency, wait time.Duration) {
			report(s, routing.Report{Outcome: outcome, Stream: stream, Latency: latency, Wait: wait})
		}
		want(true, time.Second) // unknown
		answer(succeeded, true, 200*time.Millisecond, 0)
		want(true, 200*time.Millisecond)
		want(false, time.Second) // whole answers are another matter
		answer(succeeded, false, 9*time.Second, 0)
		want(false, 9*time.Second)

		time.Sleep(30 * time.Second) // what is not measured is forgotten
		want(false, 3311*time.Millisecond)
		answer(succeeded, true, 600*time.Millisecond, 0)
		want(true, 453*time.Millisecond) // 200/e + 600(1-1/e)
		answer(neutral, true, time.Hour, 0)
		answer(succeeded, true, 0, 0) // what has no latency tells none
		want(true, 453*time.Millisecond)

		time.Sleep(time.Hour)
		want(true, 0)
		answer(failed, true, 0, 0) // failing is as good as slow
		want(true, 5*time.Second)
		time.Sleep(time.Hour)
		answer(throttled, true, 0, time.Minute)
		want(true, time.Minute)
		time.Sleep(time.Hour)
		answer(throttled, true, 0, time.Hour)
		want(true, 300*time.Second)
		time.Sleep(time.Second)
		answer(failed, true, 0, 0) // and no way to become faster
		want(true, 299_680*time.Millisecond)
	})
}
