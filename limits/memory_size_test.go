package limits_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/limits"
)

// What ten thousand keys with three limits each take, all of them in use.
func TestMemoryOfManyKeysIsSmall(t *testing.T) {
	const keys, most = 10_000, 20 << 20
	store, err := limits.NewMemory(limits.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	minute := limits.Window{Length: time.Minute}
	rules := []*limits.Limit{
		{Name: "rpm", Kind: limits.Requests, Amount: 60, Window: minute},
		{Name: "tpm", Kind: limits.Tokens, Amount: 100_000, Window: minute},
		{Name: "budget", Kind: limits.Money, Amount: 20 * limits.Dollar, Window: limits.PerDay},
	}
	before := heap()
	for i := range keys {
		var claims []limits.Claim
		for _, rule := range rules {
			claims = append(claims, limits.Claim{Bucket: limits.NewBucket(limits.ScopeKey, fmt.Sprint("key", i), rule), Limit: rule, Cost: 1})
		}
		d, err := store.Reserve(t.Context(), limits.NewID(), claims)
		if err != nil || !d.Granted() {
			t.Fatalf("key %d: %+v (%v)", i, d, err)
		}
		if _, err := store.Settle(t.Context(), d.Reservation, limits.Actual{}); err != nil {
			t.Fatal(err)
		}
	}
	used := heap() - before
	t.Logf("%d keys take %.1f MiB", keys, float64(used)/(1<<20))
	if used > most {
		t.Errorf("%d keys take %d bytes, more than %d", keys, used, int64(most))
	}
	runtime.KeepAlive(store)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
