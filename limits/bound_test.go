package limits

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

func splitLines(s string) []string { return strings.Split(strings.ReplaceAll(s, "\r", ""), "\n") }

// Whatever the arrivals, no span of the window's length admits more than the limit; and a
// caller that comes when it was told to is admitted.
func TestNoWindowAdmitsMoreThanTheLimit(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		h := clockedMemory(t)
		length := time.Duration(1+rnd.IntN(100)) * 777 * time.Millisecond
		length = max(length, time.Second)
		limit := &Limit{Name: "r", Kind: Requests, Amount: int64(1 + rnd.IntN(50)), Window: Window{Length: length}}
		type admission struct{ at, n int64 }
		var admitted []admission
		for range 3000 {
			c := claim("a", limit, 1+rnd.Int64N(min(3, limit.Amount)))
			d := mustReserve(t, h, c)
			if d.Granted() {
				admitted = append(admitted, admission{h.now(), c.Cost})
			} else if rnd.IntN(3) == 0 {
				h.advance(d.Refusal().RetryAfter)
				granted(t, h, c)
				admitted = append(admitted, admission{h.now(), c.Cost})
			}
			h.advance(time.Duration(rnd.Int64N(int64(length) / 20)).Truncate(time.Microsecond))
		}
		width := int64(length / time.Microsecond)
		first, sum := 0, int64(0)
		for _, a := range admitted {
			sum += a.n
			for admitted[first].at <= a.at-width {
				sum -= admitted[first].n
				first++
			}
			if sum > limit.Amount {
				t.Fatalf("seed %d: %d in a window of %v, limit %d", seed, sum, length, limit.Amount)
			}
		}
	}
}

// The calendar of the scripts is that of Go.
func TestCalendarOfScripts(t *testing.T) {
	admin := sharedRedis(t).admin(t)
	rnd := rand.New(rand.NewPCG(1, 1))
	text := commonLua + `
local out = {}
for i = 2, #ARGV do
  local at = tonumber(ARGV[i])
  local s = slotof(ARGV[1], at)
  out[#out + 1] = s
  out[#out + 1] = ending(ARGV[1], s, at)
end
return out`
	end := time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)
	for word, w := range map[string]Window{"d": PerDay, "w": PerWeek, "m": PerMonth, itoa(PerSecond.span().width): PerSecond, itoa(Window{Length: 7 * time.Hour}.span().width): {Length: 7 * time.Hour}} {
		args := []string{"EVAL", text, "0", word}
		var times []int64
		for i := range 1500 {
			at := rnd.Int64N(min(end.UnixMicro(), 1<<53))
			if i%3 > 0 { // at an edge
				at = w.span().end(w.span().slot(at)) - int64(i%3) + 1
			}
			times = append(times, at)
			args = append(args, fmt.Sprint(at))
		}
		out, err := do(t, admin, args...).AsIntSlice()
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range times {
			slot := w.span().slot(at)
			if out[2*i] != slot || out[2*i+1] != w.span().end(slot) {
				t.Fatalf("%s at %v: %d until %d, want %d until %d", word, time.UnixMicro(at).UTC(), out[2*i], out[2*i+1], slot, w.span().end(slot))
			}
		}
	}
}

// Many goroutines, few buckets: sums come out even, and nothing is left.
func TestManyAtOnce(t *testing.T) {
	run := func(t *testing.T, s Store, calls int) {
		large := &Limit{Name: "tokens", Kind: Tokens, Amount: 1 << 40, Window: PerMonth}
		few := &Limit{Name: "concurrency", Kind: Concurrency, Amount: 8}
		var work sync.WaitGroup
		var mu sync.Mutex
		var total int64
		for w := range 16 {
			work.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(w), 1))
				var mine int64
				for range calls / 16 {
					claims := []Claim{claim("x", large, 100), claim(fmt.Sprint(rnd.IntN(3)), few, 1), claim("y", few, 1)}
					rnd.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
					d, err := s.Reserve(context.Background(), NewID(), claims)
					if err != nil {
						t.Error(err)
					} else if d.Granted() {
						n := rnd.Int64N(300)
						s.Settle(context.Background(), d.Reservation, used(n, 0))
						mine += n
					}
				}
				mu.Lock()
				total += mine
				mu.Unlock()
			})
		}
		work.Wait()
		if got := 1<<40 - left(t, s, claim("x", large, 0)); got != total {
			t.Errorf("%d charged, %d used", got, total)
		}
		if got := left(t, s, claim("y", few, 0)); got != 8 {
			t.Errorf("%d places left", got)
		}
	}
	t.Run("memory", func(t *testing.T) {
		m := clockedMemory(t).Store.(*Memory)
		stop := make(chan struct{})
		var sweeper sync.WaitGroup
		sweeper.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					m.collect()
				}
			}
		})
		run(t, m, 20_000)
		close(stop)
		sweeper.Wait()
	})
	t.Run("redis", func(t *testing.T) {
		run(t, openRedis(t, RedisOptions{Patience: patient, URL: sharedRedis(t).url(), Prefix: newPrefix()}), 3_000)
	})
}

func TestMemoryForgetsWhatIsOver(t *testing.T) {
	h := clockedMemory(t)
	m := h.Store.(*Memory)
	for i := range 1000 {
		r := granted(t, h, claim(fmt.Sprint(i), rpm, 1), claim(fmt.Sprint(i), conc, 1))
		if i%2 == 0 {
			settle(t, h, r, Actual{})
		}
	}
	if s := m.Stats(); s.Buckets != 2000 || s.Open != 500 {
		t.Fatalf("%+v", s)
	}
	h.advance(2 * time.Minute)
	m.collect()
	if s := m.Stats(); s.Buckets != 1000 { // those of open reservations
		t.Errorf("%+v", s)
	}
	h.advance(defaultTTL)
	m.collect()
	if s := m.Stats(); s.Buckets != 0 || s.Open != 0 || s.Expired != 500 {
		t.Errorf("%+v", s)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m, err := NewMemory(MemoryOptions{MaxBuckets: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	granted(t, m, claim("a", rpm, 1), claim("a", tpm, 1))
	if _, err := m.Reserve(t.Context(), NewID(), []Claim{claim("b", rpm, 1), claim("b", tpm, 1)}); err == nil {
		t.Error("a fourth bucket")
	}
	granted(t, m, claim("a", rpm, 1), claim("b", rpm, 1)) // made before that call was refused
	if n := m.Stats().Buckets; n > 3 {
		t.Errorf("%d buckets", n)
	}
}

// FuzzReserve: whatever is asked for, a store stays within its bounds.
func FuzzReserve(f *testing.F) {
	f.Add(uint8(1), int64(10), int64(3), int64(5), int64(60_000_000), true)
	f.Add(uint8(3), int64(-1), int64(1<<62), int64(-600), int64(1), false)
	f.Add(uint8(2), int64(1<<51), int64(-1<<63), int64(1<<63-1), int64(1<<40), true)
	f.Fuzz(func(t *testing.T, kind uint8, amount, cost, actual, wait int64, partial bool) {
		limit := &Limit{Name: "x", Kind: Kind(kind % 4), Amount: amount, Window: Window{Length: time.Duration(wait)}}
		if limit.Kind == Concurrency {
			limit.Window = Window{}
		}
		if limit.Validate() != nil {
			return
		}
		h := clockedMemory(t)
		c := claim("a", limit, cost)
		c.Partial = partial
		for range 4 {
			d := mustReserve(t, h, c)
			s := d.States[0]
			if s.Remaining < 0 || s.Remaining > amount || s.Charged < 0 || s.Charged > amount || s.Reset < 0 || s.RetryAfter < 0 {
				t.Fatalf("%+v", s)
			}
			if s.Refused == d.Granted() || s.Refused && s.Charged != 0 {
				t.Fatalf("%+v", s)
			}
			if d.Granted() {
				settle(t, h, d.Reservation, used(actual, actual))
			} else {
				h.advance(s.RetryAfter)
			}
			if n := left(t, h, c); n < 0 || n > amount {
				t.Fatalf("%d of %d left", n, amount)
			}
		}
	})
}
