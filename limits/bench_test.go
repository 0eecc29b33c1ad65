package limits

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
)

func benchClaims(key string) []Claim {
	big := func(l *Limit) *Limit {
		b := *l
		b.Amount = maxAmount
		if l.Kind == Concurrency {
			b.Amount = maxLease
		}
		return &b
	}
	return []Claim{claim(key, big(rpm), 1), claim(key, big(tpm), 1000), claim(key, big(budget), 1000), claim("handler", big(conc), 1)}
}

func benchStore(b *testing.B, s Store) {
	claims := benchClaims("a")
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d, err := s.Reserve(ctx, strconv.Itoa(i), claims)
		if errors.Is(err, ErrUnavailable) {
			continue // the machine was busy with something else
		}
		if err != nil || !d.Granted() {
			b.Fatal(d, err)
		}
		s.Settle(ctx, d.Reservation, used(900, 900))
	}
}

func BenchmarkMemoryReserveAndSettleFourLimits(b *testing.B) {
	m, err := NewMemory(MemoryOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	b.Run("store", func(b *testing.B) { benchStore(b, m) })
	l := NewLimiter(m)
	defer l.Close()
	b.Run("limiter", func(b *testing.B) { benchStore(b, l) })
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			id := NewID()
			claims := benchClaims(id)
			for i := 0; pb.Next(); i++ {
				d, err := l.Reserve(context.Background(), id+strconv.Itoa(i), claims)
				if err != nil || !d.Granted() {
					b.Fatal(d, err)
				}
				l.Settle(context.Background(), d.Reservation, used(900, 900))
			}
		})
	})
}

func BenchmarkMemoryWithFile(b *testing.B) {
	m := openKept(b, b.TempDir()+"/state")
	benchStore(b, m)
}

func BenchmarkMemoryRefusal(b *testing.B) {
	m, err := NewMemory(MemoryOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	claims := []Claim{claim("a", rpm, 1), claim("a", tpm, 10)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Reserve(context.Background(), strconv.Itoa(i), claims)
	}
}

func BenchmarkRedisReserveAndSettleFourLimits(b *testing.B) {
	s := openRedis(b, RedisOptions{URL: sharedRedis(b).url(), Prefix: newPrefix()})
	admin := sharedRedis(b).admin(b)
	do(b, admin, "CONFIG", "RESETSTAT")
	benchStore(b, s)
	stats, _ := do(b, admin, "INFO", "commandstats").ToString()
	var calls, micros int64
	for _, line := range splitLines(stats) {
		if n, _ := fmt.Sscanf(line, "cmdstat_evalsha:calls=%d,usec=%d,", &calls, &micros); n == 2 {
			b.ReportMetric(float64(micros)/float64(calls), "µs-in-redis/script")
		}
	}
}

func BenchmarkBucket(b *testing.B) {
	for b.Loop() {
		NewBucket(ScopeKey, "some-key-id", rpm)
	}
}
