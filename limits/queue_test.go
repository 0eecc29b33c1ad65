package limits

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// waitTest runs a test in virtual time with a limiter over memory.
func waitTest(t *testing.T, test func(t *testing.T, l *Limiter)) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewMemory(MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		l := NewLimiter(m)
		defer l.Close()
		test(t, l)
		synctest.Wait()
		if n := l.Waiting(); n != 0 {
			t.Errorf("%d still wait", n)
		}
		if len(l.lines.all) != 0 {
			t.Errorf("%d lines are left", len(l.lines.all))
		}
	})
}

func TestWaitingCallsTakeTurnsByKeyAndStayInOrder(t *testing.T) {
	one := &Limit{Name: "concurrency", Kind: Concurrency, Amount: 1}
	waitTest(t, func(t *testing.T, l *Limiter) {
		c := claim("handler", one, 1)
		first := granted(t, l, c)
		var order []string
		var mu sync.Mutex
		var calls sync.WaitGroup
		for _, who := range []string{"a1", "a2", "a3", "b1", "c1", "b2"} {
			calls.Go(func() {
				d, err := l.Wait(t.Context(), NewID(), []Claim{c}, Queue{Wait: time.Minute, Key: who[:1]})
				if err != nil || !d.Granted() {
					t.Errorf("%s: %+v, %v", who, d, err)
					return
				}
				mu.Lock()
				order = append(order, who)
				mu.Unlock()
				time.Sleep(time.Second)
				settle(t, l, d.Reservation, Actual{})
			})
			synctest.Wait()
		}
		settle(t, l, first, Actual{})
		start := time.Now()
		calls.Wait()
		if want := []string{"a1", "b1", "c1", "a2", "b2", "a3"}; !slices.Equal(order, want) {
			t.Errorf("%v, want %v", order, want)
		}
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("the slot was idle: %v", took)
		}
	})
}

func TestWaitEndsAtTheComputedTime(t *testing.T) {
	one := &Limit{Name: "rps", Kind: Requests, Amount: 1, Window: PerSecond}
	waitTest(t, func(t *testing.T, l *Limiter) {
		c := claim("a", one, 1)
		granted(t, l, c)
		wait := refused(t, l, c).RetryAfter
		start := time.Now()
		d, err := l.Wait(t.Context(), NewID(), []Claim{c}, Queue{Wait: 5 * time.Second})
		if err != nil || !d.Granted() || time.Since(start) != wait {
			t.Errorf("%v after %v, want %v; %v", d.Granted(), time.Since(start), wait, err)
		}
	})
}

func TestWaitThatIsInVainRefusesAtOnce(t *testing.T) {
	waitTest(t, func(t *testing.T, l *Limiter) {
		spent := claim("a", &Limit{Name: "budget", Kind: Money, Amount: 1, Window: Window{Length: time.Hour}}, 1)
		granted(t, l, spent)
		start := time.Now()
		for _, c := range []Claim{spent, claim("a", tpm, 5000)} {
			d, err := l.Wait(t.Context(), NewID(), []Claim{c}, Queue{Wait: time.Minute})
			if err != nil || d.Granted() || d.Refusal() == nil || time.Since(start) != 0 {
				t.Errorf("%+v, %v after %v", d, err, time.Since(start))
			}
		}
	})
}

func TestWaitIsBoundedInTimeAndLength(t *testing.T) {
	one := &Limit{Name: "concurrency", Kind: Concurrency, Amount: 1}
	waitTest(t, func(t *testing.T, l *Limiter) {
		c := claim("a", one, 1)
		r := granted(t, l, c)
		q := Queue{Wait: 10 * time.Second, Length: 2}
		start := time.Now()
		var calls sync.WaitGroup
		for i := range 4 {
			calls.Go(func() {
				d, err := l.Wait(t.Context(), NewID(), []Claim{c}, q)
				if err != nil || d.Granted() || d.Refusal().Limit != one || d.Refusal().RetryAfter < time.Second {
					t.Errorf("%d: %+v, %v", i, d, err)
				}
				if took := time.Since(start); i < 2 && took != q.Wait || i >= 2 && took != 0 {
					t.Errorf("%d: refused after %v", i, took)
				}
			})
			synctest.Wait()
		}
		calls.Wait()
		settle(t, l, r, Actual{})
		granted(t, l, c)
	})
}

func TestWaitEndsWithItsContextAndPassesTheTurnOn(t *testing.T) {
	one := &Limit{Name: "concurrency", Kind: Concurrency, Amount: 1}
	waitTest(t, func(t *testing.T, l *Limiter) {
		c := claim("a", one, 1)
		r := granted(t, l, c)
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, err := l.Wait(ctx, NewID(), []Claim{c}, Queue{Wait: time.Hour}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		calls.Go(func() {
			start := time.Now()
			d, err := l.Wait(t.Context(), NewID(), []Claim{c}, Queue{Wait: time.Hour})
			if err != nil || !d.Granted() || time.Since(start) != 0 {
				t.Errorf("%+v, %v after %v", d, err, time.Since(start))
			}
		})
		synctest.Wait()
		before := runtime.NumGoroutine()
		cancel()
		synctest.Wait()
		if l.Waiting() != 1 || runtime.NumGoroutine() != before-1 {
			t.Errorf("%d wait", l.Waiting())
		}
		settle(t, l, r, Actual{})
		calls.Wait()
	})
}

// A call that another limit refuses meanwhile must not hold up the line of the first.
func TestWaitMovesToTheLineOfTheLimitThatRefuses(t *testing.T) {
	one := &Limit{Name: "concurrency", Kind: Concurrency, Amount: 1}
	waitTest(t, func(t *testing.T, l *Limiter) {
		handler, own := claim("handler", one, 1), claim("a", one, 1)
		first, busy := granted(t, l, handler), (*Reservation)(nil)
		times := map[string]time.Duration{}
		var mu sync.Mutex
		start := time.Now()
		var calls sync.WaitGroup
		for who, claims := range map[string][]Claim{"a": {handler, own}, "b": {handler}} {
			calls.Go(func() {
				if who == "b" {
					time.Sleep(time.Second)
				}
				d, err := l.Wait(t.Context(), NewID(), claims, Queue{Wait: time.Minute, Key: who})
				if err != nil || !d.Granted() {
					t.Errorf("%s: %+v, %v", who, d, err)
					return
				}
				mu.Lock()
				times[who] = time.Since(start)
				mu.Unlock()
				settle(t, l, d.Reservation, Actual{})
			})
		}
		time.Sleep(2 * time.Second)
		busy = granted(t, l, own)
		settle(t, l, first, Actual{})
		time.Sleep(10*time.Second + time.Millisecond)
		settle(t, l, busy, Actual{})
		calls.Wait()
		if fmt.Sprint(times) != "map[a:12.001s b:2s]" {
			t.Error(times)
		}
	})
}

// L-03: whatever way calls end, nothing stays behind.
func TestL03NothingIsLeftOfTenThousandEnds(t *testing.T) {
	run := func(t *testing.T, store Store, calls, workers int) {
		l := NewLimiter(store)
		defer l.Close()
		limit := &Limit{Name: "concurrency", Kind: Concurrency, Amount: 7}
		var work sync.WaitGroup
		for w := range workers {
			work.Go(func() {
				for i := range calls / workers {
					endSomehow(t, l, limit, w, i)
				}
			})
		}
		work.Wait()
		if got := left(t, l, claim("all", limit, 1)); got != 7 {
			t.Errorf("%d of 7 places are left", got)
		}
		if l.Waiting() != 0 || len(l.lines.all) != 0 {
			t.Errorf("%d still wait", l.Waiting())
		}
		for i := range l.kept.parts {
			if n := len(l.kept.parts[i].all); n != 0 {
				t.Errorf("%d are still renewed", n)
			}
		}
	}
	t.Run("memory", func(t *testing.T) {
		m, err := NewMemory(MemoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		run(t, m, 10_000, 32)
		if n := m.Stats().Open; n != 0 {
			t.Errorf("%d open", n)
		}
	})
	t.Run("redis", func(t *testing.T) {
		run(t, openRedis(t, RedisOptions{Patience: patient, URL: sharedRedis(t).url(), Prefix: newPrefix()}), 10_000, 16)
	})
}

func endSomehow(t *testing.T, l *Limiter, limit *Limit, w, i int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%3)*time.Millisecond)
	defer cancel()
	claims := []Claim{claim("all", limit, 1), claim(fmt.Sprint(w), tpm, 1)}
	d, err := l.Wait(ctx, NewID(), claims, Queue{Wait: 2 * time.Millisecond, Key: fmt.Sprint(w % 3), Length: 3})
	if err != nil || !d.Granted() {
		return
	}
	ended := context.WithoutCancel(ctx)
	if i%2 == 0 {
		cancel()
		ended = ctx // a client that has gone
	}
	if i%5 == 0 {
		<-ctx.Done()
	}
	switch i % 4 {
	case 0:
		l.Settle(ended, d.Reservation, used(1, 1))
	case 1:
		l.Release(ended, d.Reservation, RefundAll)
	case 2:
		l.Settle(ended, d.Reservation, Actual{})
		l.Settle(ended, d.Reservation, Actual{})
	case 3:
		l.Release(ended, d.Reservation, RefundNone)
		l.Settle(ended, d.Reservation, used(5, 5))
	}
}

func TestLimiterRenewsWhatIsUnderWay(t *testing.T) {
	waitTest(t, func(t *testing.T, l *Limiter) {
		c := claim("a", conc, 1)
		r := granted(t, l, c)
		time.Sleep(5 * time.Hour)
		if got := left(t, l, c); got != 1 {
			t.Errorf("%d left", got)
		}
		if done := settle(t, l, r, Actual{}); done.Late || done.Repeated {
			t.Errorf("%+v", done)
		}
		// One whose owner has forgotten it is not renewed for ever.
		granted(t, l, c)
		time.Sleep(26 * time.Hour)
		if got := left(t, l, c); got != 2 {
			t.Errorf("%d left", got)
		}
	})
}

func TestWaitOverRedisPolls(t *testing.T) {
	o := RedisOptions{Patience: patient, URL: sharedRedis(t).url(), Prefix: newPrefix()}
	l, other := NewLimiter(openRedis(t, o)), openRedis(t, o)
	defer l.Close()
	one := &Limit{Name: "concurrency", Kind: Concurrency, Amount: 1}
	c := claim("a", one, 1)
	r := granted(t, other, c)
	time.AfterFunc(100*time.Millisecond, func() { other.Settle(context.Background(), r, Actual{}) })
	start := time.Now()
	d, err := l.Wait(t.Context(), NewID(), []Claim{c}, Queue{Wait: 5 * time.Second})
	if took := time.Since(start); err != nil || !d.Granted() || took < 90*time.Millisecond || took > 2*time.Second {
		t.Errorf("%+v, %v after %v", d, err, took)
	}
}
