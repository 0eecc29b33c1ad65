package limits

import (
	"context"
	"math"
	"testing"
	"time"
)

func TestSixtyAMinuteAtOnceAndNeverMoreInAnyMinute(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		c := claim("a", rpm, 1)
		for i := range 60 {
			d := mustReserve(t, h, c)
			if !d.Granted() || d.States[0].Remaining != int64(59-i) {
				t.Fatalf("call %d: %+v", i, d.States[0])
			}
		}
		s := refused(t, h, c)
		if s.RetryAfter <= 59*time.Second || s.RetryAfter > 61*time.Second || s.Remaining != 0 {
			t.Fatalf("%+v", s)
		}
		h.advance(s.RetryAfter - time.Microsecond)
		if s := refused(t, h, c); s.RetryAfter != time.Microsecond {
			t.Fatalf("just before: %+v", s)
		}
		h.advance(time.Microsecond)
		granted(t, h, c)
	})
}

func TestCalendarPeriodsEndWhereTheyEnd(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		for _, w := range []Window{PerDay, PerWeek, PerMonth} {
			limit := &Limit{Name: "r", Kind: Requests, Amount: 1, Window: w}
			c := claim("a", limit, 1)
			granted(t, h, c)
			wait := refused(t, h, c).RetryAfter
			end := time.UnixMicro(h.now()).UTC().Add(wait)
			if end.Hour()+end.Minute()+end.Second()+end.Nanosecond() != 0 || w == PerWeek && end.Weekday() != time.Monday || w == PerMonth && end.Day() != 1 {
				t.Errorf("%v ends %v", w, end)
			}
			h.advance(wait - time.Microsecond)
			refused(t, h, c)
			h.advance(time.Microsecond)
			granted(t, h, c)
		}
	})
}

// L-02: what is refused by one limit is charged nowhere.
func TestL02RefusalConsumesNothing(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		all := []Claim{claim("a", rpm, 1), claim("a", tpm, 100), claim("a", budget, Dollar), claim("a", conc, 1)}
		granted(t, h, all...)
		granted(t, h, all...)
		for range 5 {
			if s := refused(t, h, all...); s.Limit != conc || s.RetryAfter != time.Second {
				t.Fatalf("%+v", s)
			}
		}
		for i, want := range []int64{58, 800, 8 * Dollar, 0} {
			if got := left(t, h, all[i]); got != want {
				t.Errorf("%s: %d left, want %d", all[i].Limit.Name, got, want)
			}
		}
	})
}

func TestReservingAgainIsTheSameReservation(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		all := []Claim{claim("a", rpm, 1), claim("a", tpm, 100), claim("a", conc, 1)}
		id := NewID()
		for range 3 {
			d, err := h.Reserve(context.Background(), id, all)
			if err != nil || !d.Granted() || d.States[1].Charged != 100 {
				t.Fatalf("%+v, %v", d, err)
			}
		}
		if a, b, c := left(t, h, all[0]), left(t, h, all[1]), left(t, h, all[2]); a != 59 || b != 900 || c != 1 {
			t.Errorf("left %d, %d, %d", a, b, c)
		}
	})
}

func TestSettleBooksTheDifferenceOnce(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		tokens, money := claim("a", tpm, 500), claim("a", budget, 4*Dollar)
		r := granted(t, h, tokens, money, claim("a", conc, 1))
		h.advance(5 * time.Second)
		if done := settle(t, h, r, used(200, 5*Dollar)); done != (Settlement{}) {
			t.Errorf("%+v", done)
		}
		for range 2 {
			if done := settle(t, h, r, used(0, 0)); !done.Repeated {
				t.Errorf("again: %+v", done)
			}
			release(t, h, r, RefundAll)
		}
		if a, b, c := left(t, h, tokens), left(t, h, money), left(t, h, claim("a", conc, 1)); a != 800 || b != 5*Dollar || c != 2 {
			t.Errorf("left %d, %d, %d", a, b, c)
		}
	})
}

func TestDebtIsWaitedFor(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		c := claim("a", tpm, 100)
		settle(t, h, granted(t, h, c), used(5000, 0))
		s := refused(t, h, c)
		if s.Remaining != 0 || s.RetryAfter < 59*time.Second || s.RetryAfter > 61*time.Second {
			t.Fatalf("%+v", s)
		}
		h.advance(s.RetryAfter)
		if d := mustReserve(t, h, c); !d.Granted() || d.States[0].Remaining != 900 {
			t.Fatalf("%+v", d.States[0])
		}
	})
}

// L-10: a limit that a reload lowers holds at once for what was used, and shows nothing negative.
func TestL10LimitLoweredDuringDebt(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		c := claim("a", tpm, 600)
		granted(t, h, c)
		h.advance(30 * time.Second)
		settle(t, h, granted(t, h, Claim{Bucket: c.Bucket, Limit: tpm, Cost: 300}), used(900, 0))
		low := *tpm
		low.Amount = 500
		c.Limit, c.Cost = &low, 100
		s := refused(t, h, c)
		if s.Remaining != 0 || left(t, h, c) != 0 {
			t.Errorf("%+v", s)
		}
		h.advance(31 * time.Second) // the first 600 are over, 900 are not
		if s := refused(t, h, c); s.Remaining != 0 || s.RetryAfter > 31*time.Second {
			t.Errorf("%+v", s)
		}
		h.advance(30 * time.Second)
		if d := mustReserve(t, h, c); !d.Granted() || d.States[0].Remaining != 400 {
			t.Errorf("%+v", d.States[0])
		}
	})
}

// L-07: usage that can't be true is not believed; the estimate stands.
func TestL07HostileUsage(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		for _, n := range []int64{-600, math.MinInt64, 1 << 31, 1 << 53, math.MaxInt64} {
			c, other := claim("a"+itoa(n), tpm, 100), claim("b", tpm, 100)
			if done := settle(t, h, granted(t, h, c), Actual{Tokens: n, TokensKnown: true}); !done.Disbelieved {
				t.Errorf("%d is believed", n)
			}
			if got := left(t, h, c); got != 900 {
				t.Errorf("%d: %d left", n, got)
			}
			if got := left(t, h, other); got != 1000 {
				t.Errorf("another key has %d left", got)
			}
		}
		// Missing usage settles at the estimate.
		c := claim("missing", tpm, 100)
		settle(t, h, granted(t, h, c), Actual{})
		if got := left(t, h, c); got != 900 {
			t.Errorf("%d left", got)
		}
		// As large as is believed, many times: sums stay within their bounds.
		big := &Limit{Name: "budget", Kind: Money, Amount: maxAmount, Window: PerDay}
		c = claim("big", big, 1)
		for range 5 {
			if d := mustReserve(t, h, c); d.Granted() {
				settle(t, h, d.Reservation, used(0, Money.most()))
			}
		}
		if got := left(t, h, c); got != 0 {
			t.Errorf("%d left", got)
		}
	})
}

func TestReleaseGivesBackWhatItSays(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		for refund, want := range map[Refund][4]int64{RefundAll: {60, 1000, 10 * Dollar, 2}, RefundTokens: {59, 1000, 10 * Dollar, 2}, RefundNone: {59, 900, 9 * Dollar, 2}} {
			name := itoa(int64(refund))
			all := []Claim{claim(name, rpm, 1), claim(name, tpm, 100), claim(name, budget, Dollar), claim(name, conc, 1)}
			r := granted(t, h, all...)
			release(t, h, r, refund)
			release(t, h, r, RefundAll)
			for i := range all {
				if got := left(t, h, all[i]); got != want[i] {
					t.Errorf("refund %d, %s: %d left, want %d", refund, all[i].Limit.Name, got, want[i])
				}
			}
		}
	})
}

func TestExpiredReservationChargesItsEstimateAndSettlesLate(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		long := &Limit{Name: "tokens", Kind: Tokens, Amount: 1000, Window: Window{Length: 100 * time.Hour}}
		c, place := claim("a", long, 300), claim("a", conc, 1)
		r := granted(t, h, c, place)
		h.advance(LeaseTime)
		if got := left(t, h, place); got != 2 {
			t.Errorf("the lease did not end: %d", got)
		}
		h.advance(defaultTTL)
		if got := left(t, h, c); got != 700 {
			t.Errorf("%d left", got)
		}
		if done := settle(t, h, r, used(400, 0)); !done.Late {
			t.Errorf("%+v", done)
		}
		if done := settle(t, h, r, used(400, 0)); !done.Repeated {
			t.Errorf("%+v", done)
		}
		if got := left(t, h, c); got != 600 {
			t.Errorf("%d left after", got)
		}
		if s := h.Stats(); s.Late != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestLeaseEndsAtItsTime(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		c := claim("a", conc, 1)
		granted(t, h, c)
		granted(t, h, c)
		h.advance(LeaseTime - time.Microsecond)
		refused(t, h, c)
		h.advance(time.Microsecond)
		granted(t, h, c)
		granted(t, h, c)
		refused(t, h, c)
	})
}

func TestRenewKeepsWhatIsUnderWay(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		c := claim("a", conc, 1)
		r, s := granted(t, h, c), granted(t, h, c)
		for range 60 {
			h.advance(20 * time.Second)
			if err := h.Renew(context.Background(), []*Reservation{r}); err != nil {
				t.Fatal(err)
			}
		}
		if got := left(t, h, c); got != 1 { // s was not renewed
			t.Errorf("%d left", got)
		}
		if done := settle(t, h, r, Actual{}); done.Late {
			t.Error("renewed, and late")
		}
		if done := settle(t, h, s, Actual{}); !done.Late {
			t.Error("not renewed, and not late")
		}
		if err := h.Renew(context.Background(), []*Reservation{r, s}); err != nil {
			t.Fatal(err)
		}
		if got := left(t, h, c); got != 2 {
			t.Errorf("%d left", got)
		}
	})
}

func TestMoreThanTheWholeLimitIsRefusedForEver(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		if s := refused(t, h, claim("a", tpm, 1001)); !s.Never || s.RetryAfter != 0 || s.Remaining != 1000 {
			t.Errorf("%+v", s)
		}
		none := &Limit{Name: "none", Kind: Requests, Window: PerMinute}
		if s := refused(t, h, claim("a", none, 1)); !s.Never {
			t.Errorf("%+v", s)
		}
	})
}

func TestPartialTakesWhatIsLeft(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		c := claim("a", budget, 64*Dollar)
		c.Partial = true
		granted(t, h, claim("a", budget, 9*Dollar))
		d := mustReserve(t, h, c)
		if !d.Granted() || d.States[0].Charged != Dollar || d.States[0].Remaining != 0 {
			t.Fatalf("%+v", d.States[0])
		}
		if s := refused(t, h, c); s.Never || s.Charged != 0 {
			t.Errorf("%+v", s)
		}
		settle(t, h, d.Reservation, used(0, Dollar/2))
		if got := left(t, h, c); got != Dollar/2 {
			t.Errorf("%d left", got)
		}
	})
}

func TestClaimsThatCantBe(t *testing.T) {
	both(t, func(t *testing.T, h *harness) {
		c := claim("a", rpm, 1)
		for name, claims := range map[string][]Claim{"one bucket twice": {c, c}, "no limit": {{}}, "too many": make([]Claim, maxClaims+1)} {
			if _, err := h.Reserve(context.Background(), NewID(), claims); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if _, err := h.Reserve(context.Background(), "", []Claim{c}); err == nil {
			t.Error("no id: no error")
		}
		d := mustReserve(t, h)
		if !d.Granted() {
			t.Fatal("a call without limits is refused")
		}
		settle(t, h, d.Reservation, Actual{})
		if got := left(t, h, c); got != 60 {
			t.Errorf("%d left", got)
		}
	})
}
