package limits

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// harness is a store under test, whose time the test makes.
type harness struct {
	Store
	second  Store // another instance over the same counts
	advance func(time.Duration)
	now     func() int64
}

// both runs a test against the stores, each with virtual time.
func both(t *testing.T, test func(t *testing.T, h *harness)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m, err := NewMemory(MemoryOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			test(t, &harness{Store: m, second: m, advance: time.Sleep, now: m.now})
		})
	})
	t.Run("redis", func(t *testing.T) { test(t, redisHarness(t)) })
}

func redisHarness(t testing.TB) *harness {
	server := sharedRedis(t)
	prefix := newPrefix()
	admin := server.admin(t)
	now := time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC).UnixMicro()
	key := prefix + "clock"
	set := func() {
		do(t, admin, "HSET", key, "s", fmt.Sprint(now/1e6), "u", fmt.Sprint(now%1e6))
	}
	set()
	o := RedisOptions{Patience: patient, URL: server.url(), Prefix: prefix, clock: fmt.Sprintf("redis.call('HMGET', '%s', 's', 'u')", key)}
	return &harness{
		Store: openRedis(t, o), second: openRedis(t, o),
		advance: func(d time.Duration) { now += int64(d / time.Microsecond); set() },
		now:     func() int64 { return now },
	}
}

// The limits of tests.
var (
	rpm    = &Limit{Name: "rpm", Kind: Requests, Amount: 60, Window: PerMinute}
	tpm    = &Limit{Name: "tpm", Kind: Tokens, Amount: 1000, Window: PerMinute}
	conc   = &Limit{Name: "concurrency", Kind: Concurrency, Amount: 2}
	budget = &Limit{Name: "budget", Kind: Money, Amount: 10 * Dollar, Window: PerDay}
)

func claim(subject string, l *Limit, cost int64) Claim {
	return Claim{Bucket: NewBucket(ScopeKey, subject, l), Limit: l, Cost: cost}
}

func mustReserve(t testing.TB, s Store, claims ...Claim) Decision {
	t.Helper()
	d, err := s.Reserve(context.Background(), NewID(), claims)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func granted(t testing.TB, s Store, claims ...Claim) *Reservation {
	t.Helper()
	d := mustReserve(t, s, claims...)
	if !d.Granted() {
		t.Fatalf("refused by %+v", d.Refusal())
	}
	return d.Reservation
}

func refused(t testing.TB, s Store, claims ...Claim) State {
	t.Helper()
	d := mustReserve(t, s, claims...)
	if d.Granted() {
		t.Fatal("granted")
	}
	return *d.Refusal()
}

func left(t testing.TB, s Store, c Claim) int64 {
	t.Helper()
	states, err := s.Peek(context.Background(), []Claim{c})
	if err != nil {
		t.Fatal(err)
	}
	return states[0].Remaining
}

func settle(t testing.TB, s Store, r *Reservation, actual Actual) Settlement {
	t.Helper()
	done, err := s.Settle(context.Background(), r, actual)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func release(t testing.TB, s Store, r *Reservation, refund Refund) {
	t.Helper()
	if err := s.Release(context.Background(), r, refund); err != nil {
		t.Fatal(err)
	}
}

func used(tokens, money int64) Actual {
	return Actual{Tokens: tokens, TokensKnown: true, Money: money, MoneyKnown: true}
}
