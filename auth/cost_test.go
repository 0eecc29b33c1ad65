//go:build !race

package auth

import (
	"fmt"
	"testing"
	"time"
)

// ofKeys is an authenticator of so many keys.
func ofKeys(t testing.TB, n int) *Authenticator {
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = Key{ID: fmt.Sprint("key", i), Digests: []Digest{DigestOf(fmt.Sprint("a-long-enough-secret-", i))}}
	}
	return authenticator(t, Settings{Keys: keys})
}

func TestCheckingAKeyDoesNotAllocate(t *testing.T) {
	a := ofKeys(t, 1)
	r := withKey("a-long-enough-secret-0")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := a.Authenticate(r); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is compared is measured in the same run, the best of several tries, and the
// bound is generous: it is the kind of growth that is tested, not the machine.
func TestCheckingAKeyTakesAsLongAmongTenThousand(t *testing.T) {
	took := func(a *Authenticator, secret string) time.Duration {
		r := withKey(secret)
		begun := time.Now()
		for range 2000 {
			_, _ = a.Authenticate(r)
		}
		return time.Since(begun)
	}
	few, many := ofKeys(t, 1), ofKeys(t, 10_000)
	alone, among := time.Hour, time.Hour
	for range 10 {
		alone = min(alone, took(few, "a-long-enough-secret-0"))
		among = min(among, took(many, "a-long-enough-secret-5000"))
	}
	if among > 4*alone {
		t.Errorf("%v among 10000 keys, %v alone", among, alone)
	}
}
