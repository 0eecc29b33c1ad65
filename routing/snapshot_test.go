package routing_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/providers/ratelimit"
	"github.com/caddyllm/llmproxy/routing"
)

func TestSnapshotShowsWhereTheBreakerStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := new(routing.Health), routing.DefaultBreaker
		s := h.Model("m")
		position := func(want routing.Position) {
			t.Helper()
			if got := h.Snapshot(noKeys, time.Now()).Models[0].Breaker; got != want {
				t.Errorf("the breaker is at %d, want %d", got, want)
			}
		}
		position(routing.BreakerClosed)
		for range b.Consecutive {
			report(s, routing.Report{Outcome: failed})
		}
		position(routing.BreakerOpen)
		time.Sleep(b.Open)
		position(routing.BreakerProbing)
		began := time.Now()
		probe, ok := s.Begin(false, began)
		if !probe || !ok {
			t.Fatal("no probe may be made")
		}
		position(routing.BreakerProbing)
		s.End(&b, routing.Report{Outcome: succeeded, Probe: true, Began: began}, time.Now())
		position(routing.BreakerClosed)
	})
}

func TestSnapshotHasTheLatestHeadroomOfAKey(t *testing.T) {
	now := time.Now()
	said := func(requests, tokens int64, after time.Duration) ratelimit.Headroom {
		h := ratelimit.Headroom{Requests: ratelimit.Budget{Known: true, Remaining: requests}, At: now.Add(after)}
		if tokens >= 0 {
			h.Tokens = ratelimit.Budget{Known: true, Remaining: tokens}
		}
		return h
	}
	h := new(routing.Health)
	h.Model("a").Observe(keyA, said(1, 10, time.Second))
	h.Model("b").Observe(keyA, said(2, 20, 2*time.Second))
	h.Model("c").Observe(keyA, said(3, -1, 3*time.Second))
	h.Model("a").Observe(keyB, said(9, 90, time.Second))
	keys := h.Snapshot(keysABC, now).Keys
	for i, want := range [][2]int64{{3, 20}, {9, 90}, {0, 0}} {
		if got := keys[i].Headroom; got.Requests.Remaining != want[0] || got.Tokens.Remaining != want[1] {
			t.Errorf("key %d has %+v, want %v", i, got, want)
		}
	}
}

func TestNamedAreTheModelsThatTheConfigSpellsOut(t *testing.T) {
	list := upstreams(t, "a:openai listed gpt-*", "b:anthropic")
	table, err := routing.NewTable(list, []*routing.Route{
		route(t, list, "smart", "a/x b/y", "spare b/z gpt-9"),
		route(t, list, "spare", "a/w", ""),
		route(t, list, "team-*", "b/*", ""),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Plan("a/made-up", rights(everything), time.Now()); err != nil {
		t.Fatal(err)
	}
	named := table.Named()
	for i, want := range [][]string{{"gpt-*", "gpt-9", "listed", "w", "x"}, {"*", "y", "z"}} {
		if got := slices.Sorted(maps.Keys(named[list[i]])); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", list[i].Name, got, want)
		}
	}
}

func TestSnapshotsTellTheLatestErrorAndWhatIsLeftOfEachKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(routing.Health)
		s := h.Model("m")
		report(s, routing.Report{Outcome: failed, Error: "overloaded"})
		time.Sleep(time.Second)
		report(s, routing.Report{Outcome: throttled, Key: keyB, Error: "rate_limit_exceeded"})
		at := time.Now()
		time.Sleep(time.Second)
		report(s, routing.Report{Outcome: succeeded})
		s.Observe(keyB, ratelimit.Headroom{Requests: ratelimit.Budget{Known: true, Remaining: 3, Limit: 10}, At: time.Now()})
		found := h.Snapshot(keysABC, time.Now()).Models
		if len(found) != 1 || found[0].Failed != (routing.LastError{Class: "rate_limit_exceeded", At: at}) {
			t.Fatalf("the snapshot is %+v", found)
		}
		if room := found[0].Headroom; len(room) != 1 || room[0].Index != 1 || room[0].Requests.Remaining != 3 || room[0].At != time.Now() {
			t.Errorf("the headroom is %+v", room)
		}
	})
}
