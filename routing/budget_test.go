package routing_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/routing"
)

// grants counts how many retries are granted that all come to nothing.
func grants(b *routing.RetryBudget, now time.Time) int {
	for n := 0; ; n++ {
		if !b.Take(now) || n > 10_000 {
			return n
		}
		b.Done(now, false)
	}
}

func TestRetryBudgetIsAShareOfTheCalls(t *testing.T) {
	now := time.Unix(1000, 0)
	for calls, want := range map[int]int{0: 3, 1: 4, 5: 4, 6: 5, 100: 23, 1000: 203} {
		b := new(routing.RetryBudget)
		for range calls {
			b.Called(now)
		}
		if got := grants(b, now); got != want {
			t.Errorf("%d calls may be retried %d times in vain, want %d", calls, got, want)
		}
		if got := grants(b, now.Add(9*time.Second)); got != 0 {
			t.Errorf("within ten seconds %d more were granted", got)
		}
		if got := grants(b, now.Add(10*time.Second)); got != 3 {
			t.Errorf("after that %d were granted, want 3", got)
		}
	}
}

func TestRetriesThatBringAnAnswerCostNothing(t *testing.T) {
	b, now := new(routing.RetryBudget), time.Unix(1000, 0)
	for i := range 1000 {
		if !b.Take(now) {
			t.Fatalf("retry %d was not granted", i)
		}
		b.Done(now, true)
	}
	if got := grants(b, now); got != 3 {
		t.Errorf("%d were granted in vain, want 3", got)
	}
}

func TestRetriesOnTheirWayCount(t *testing.T) {
	b, now := new(routing.RetryBudget), time.Unix(1000, 0)
	for range 3 {
		if !b.Take(now) {
			t.Fatal("a retry was not granted")
		}
	}
	if b.Take(now.Add(time.Hour)) {
		t.Error("a fourth was granted while three are on their way")
	}
	b.Done(now.Add(time.Hour), true)
	if !b.Take(now.Add(time.Hour)) {
		t.Error("none was granted after one had come to its end")
	}
}

// Callers take the time before they hold the lock, and a call begins long before
// its body is read: time does not come in order.
func TestRetryBudgetRemembersWhenTimeComesOutOfOrder(t *testing.T) {
	b, now := new(routing.RetryBudget), time.Unix(1000, 0)
	if got := grants(b, now); got != 3 {
		t.Fatalf("%d were granted, want 3", got)
	}
	for i := range 15 {
		b.Called(now.Add(-time.Duration(i) * time.Second))
	}
	if got := grants(b, now); got != 3 {
		t.Errorf("%d were granted for 15 calls, want 3", got)
	}
	// A clock that is put back by far is another matter.
	if got := grants(b, now.Add(-time.Hour)); got != 3 {
		t.Errorf("an hour before %d were granted, want 3", got)
	}
}

// Whatever comes in whatever order: when a retry begins that will be in vain,
// there are of those that began in the ten seconds up to then at most three and
// a fifth of the calls of the same ten seconds. So no ten seconds have more of
// them than three and a fifth of the calls in them and in the nine before.
func TestRetriesInVainAreBounded(t *testing.T) {
	for seed := range uint64(300) {
		checkBudget(t, rand.New(rand.NewPCG(seed, 1)))
	}
}

func checkBudget(t *testing.T, random *rand.Rand) {
	t.Helper()
	type retry struct {
		began, ends time.Time
		answered    bool
	}
	b, now := new(routing.RetryBudget), time.Unix(1000, 0)
	var calls []time.Time
	var running, vain []retry
	rate, failing, slow := 1+random.IntN(200), random.Float64(), time.Duration(1+random.IntN(20_000))*time.Millisecond
	for range 4000 {
		now = now.Add(time.Duration(random.ExpFloat64() / float64(rate) * float64(time.Second)))
		running = slices.DeleteFunc(running, func(r retry) bool {
			if r.ends.After(now) {
				return false
			}
			b.Done(r.ends, r.answered)
			return true
		})
		if random.IntN(2) == 0 {
			b.Called(now)
			calls = append(calls, now)
			continue
		}
		if !b.Take(now) {
			continue
		}
		r := retry{now, now.Add(time.Duration(random.Int64N(int64(slow)))), random.Float64() > failing}
		running = append(running, r)
		if r.answered {
			continue
		}
		vain = append(vain, r)
		since := now.Truncate(time.Second).Add(-9 * time.Second)
		within := 0
		for i := len(vain) - 1; i >= 0 && !vain[i].began.Before(since); i-- {
			within++
		}
		called := 0
		for i := len(calls) - 1; i >= 0 && !calls[i].Before(since); i-- {
			called++
		}
		if float64(within) > math.Ceil(3+0.2*float64(called)) {
			t.Fatalf("%d retries in vain for %d calls", within, called)
		}
	}
}

func TestRetryBudgetOfParallelCallers(t *testing.T) {
	b, now := new(routing.RetryBudget), time.Unix(1000, 0)
	var all sync.WaitGroup
	var mu sync.Mutex
	granted := 0
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				b.Called(now)
				if b.Take(now) {
					b.Done(now, i%2 == 0)
					mu.Lock()
					granted += i % 2
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if granted > 1603 {
		t.Errorf("%d were granted in vain, want at most 1603", granted)
	}
	if got := granted + grants(b, now); got != 1603 {
		t.Errorf("%d were granted in all, want 1603: some have not been given back", got)
	}
}
