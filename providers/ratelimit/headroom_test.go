package ratelimit

import (
	"testing"
	"time"
)

func TestEmpty(t *testing.T) {
	soon, late, past := in(10*time.Second), in(time.Minute), in(-time.Second)
	for _, test := range []struct {
		name             string
		have             Headroom
		requests, tokens int64
		until            time.Time
	}{
		{"nothing known", Headroom{}, 1, 100, never},
		{"enough", Headroom{Requests: budget(5, 10, soon), Tokens: budget(100, 900, soon)}, 1, 100, never},
		{"no request left", Headroom{Requests: budget(0, 10, soon)}, 1, 100, soon},
		{"too few tokens", Headroom{Tokens: budget(99, 900, soon)}, 1, 100, soon},
		{"both, the later counts", Headroom{Requests: budget(0, 10, late), Tokens: budget(0, 900, soon)}, 1, 100, late},
		{"reset since", Headroom{Requests: budget(0, 10, past)}, 1, 100, never},
		{"reset just now", Headroom{Requests: budget(0, 10, now)}, 1, 100, never},
		{"no reset said", Headroom{Requests: budget(0, 10, never)}, 1, 100, never},
		{"no input left", Headroom{Input: budget(0, 900, soon)}, 1, 100, soon},
		{"little input left", Headroom{Input: budget(5, 900, soon)}, 1, 100, never},
		{"no output left", Headroom{Output: budget(0, 900, late)}, 1, 100, late},
		{"more than ever fits", Headroom{Tokens: budget(50, 90, soon)}, 1, 100, never},
		{"more than ever fits and nothing left", Headroom{Tokens: budget(0, 90, soon)}, 1, 100, soon},
		{"nothing needed", Headroom{Requests: budget(0, 10, soon), Tokens: budget(0, 10, soon), Input: budget(0, 10, soon)}, 0, 0, never},
	} {
		until, empty := test.have.Empty(now, test.requests, test.tokens)
		if empty != !test.until.IsZero() || !until.Equal(test.until) {
			t.Errorf("%s: %v %v, want %v", test.name, until, empty, test.until)
		}
	}
}

func TestShare(t *testing.T) {
	soon := in(10 * time.Second)
	for _, test := range []struct {
		name string
		have Headroom
		at   time.Duration
		want float64
	}{
		{"nothing known", Headroom{}, 0, 1},
		{"the least counts", Headroom{Requests: budget(50, 100, soon), Tokens: budget(10, 100, soon), Input: budget(90, 100, soon)}, 0, 0.1},
		{"output", Headroom{Output: budget(25, 100, soon)}, 0, 0.25},
		{"more than the limit", Headroom{Requests: budget(500, 100, soon)}, 0, 1},
		{"no limit said", Headroom{Requests: budget(5, 0, soon)}, 0, 1},
		{"reset since", Headroom{Requests: budget(5, 100, soon)}, 11 * time.Second, 1},
		{"no reset said", Headroom{Requests: budget(5, 100, never)}, 59 * time.Second, 0.05},
		{"no reset said and long ago", Headroom{Requests: budget(5, 100, never)}, time.Minute, 1},
	} {
		test.have.At = now
		if got := test.have.Share(in(test.at)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestLeft(t *testing.T) {
	for _, test := range []struct {
		name  string
		have  Budget
		left  int64
		known bool
	}{
		{"not said", Budget{}, 0, false},
		{"as said", budget(5, 10, in(time.Second)), 5, true},
		{"without a reset", budget(5, 10, never), 5, true},
		{"reset since", budget(0, 10, in(-time.Second)), 10, true},
		{"reset since, and nobody knows to what", budget(3, 0, in(-time.Second)), 3, true},
	} {
		if left, known := test.have.Left(now); left != test.left || known != test.known {
			t.Errorf("%s: %d %v, want %d %v", test.name, left, known, test.left, test.known)
		}
	}
}

func TestRenewKeepsWhatIsNotSpokenOf(t *testing.T) {
	h := Headroom{Requests: budget(5, 10, never), Tokens: budget(7, 70, never), At: now}
	h.Renew(&Headroom{Tokens: budget(6, 70, never), At: in(time.Second)})
	if want := (Headroom{Requests: budget(5, 10, never), Tokens: budget(6, 70, never), At: in(time.Second)}); h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
}
