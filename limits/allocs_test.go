//go:build !race

package limits

import (
	"context"
	"testing"
)

// A call under four limits needs its reservation, and nothing for each limit.
func TestReservingAndSettlingAllocatesLittle(t *testing.T) {
	m, err := NewMemory(MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	claims, ctx := benchClaims("a"), context.Background()
	call := func() {
		d, err := m.Reserve(ctx, "one", claims)
		if err != nil || !d.Granted() {
			t.Fatal(d, err)
		}
		m.Settle(ctx, d.Reservation, used(900, 900))
	}
	call()
	if n := testing.AllocsPerRun(200, call); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
