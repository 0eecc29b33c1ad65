package routing_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/routing"
)

// orders counts which targets come first, and which orders there are.
func orders(p routing.Policy, call asking, list []routing.Target) (first []string, all map[string]int) {
	all = make(map[string]int)
	for range conversations {
		ordered := slices.Clone(list)
		p.Order(call, ordered)
		name := ""
		for _, target := range ordered {
			name += target.Model
		}
		first = append(first, ordered[0].Model)
		all[name]++
	}
	return first, all
}

func TestRandomShufflesEvenly(t *testing.T) {
	first, all := orders(routing.Random{}, asking{}, targets("a9 b1 c1"))
	for _, model := range []string{"a", "b", "c"} {
		wantShare(t, first, model, 1./3)
	}
	if len(all) != 6 {
		t.Errorf("orders are %v", all)
	}
}

func TestLeastConnSortsByLoad(t *testing.T) {
	for _, test := range []struct {
		targets  string
		inFlight []int
		orders   string
	}{
		{"a b c", []int{3, 1, 2}, "bca"},
		{"a b c", []int{1, 1, 2}, "abc bac"},
		{"a4 b1", []int{4, 2}, "ab"}, // 1 and 2 for their weights
		{"a4 b1", []int{9, 2}, "ba"},
	} {
		_, all := orders(routing.LeastConn{}, asking{}, begun(targets(test.targets), test.inFlight...))
		if got := strings.Join(slices.Sorted(maps.Keys(all)), " "); got != test.orders {
			t.Errorf("%s with %v: orders are %s, want %s", test.targets, test.inFlight, got, test.orders)
		}
	}
	first, _ := orders(routing.LeastConn{}, asking{}, begun(targets("a b c"), 0, 0, 0))
	for _, model := range []string{"a", "b", "c"} {
		wantShare(t, first, model, 1./3)
	}
}

// answered gives targets a latency.
func answered(list []routing.Target, stream bool, latencies ...time.Duration) []routing.Target {
	for i, latency := range latencies {
		list[i].State = new(routing.Health).Model(list[i].Model)
		report(list[i].State, routing.Report{Outcome: succeeded, Stream: stream, Latency: latency})
	}
	return list
}

func TestLeastLatencyTakesTheBetterOfTwo(t *testing.T) {
	list := answered(targets("a b c"), true, 300*time.Millisecond, 100*time.Millisecond, 200*time.Millisecond)
	first, all := orders(routing.LeastLatency{}, asking{streams: true}, list)
	wantShare(t, first, "b", 2./3) // it is one of the two in two of three
	wantShare(t, first, "c", 1./3)
	wantShare(t, first, "a", 0)
	if got := strings.Join(slices.Sorted(maps.Keys(all)), " "); got != "bca cba" { // the others are sorted
		t.Errorf("orders are %s", got)
	}
	// For whole answers nothing is known: all are equal.
	first, _ = orders(routing.LeastLatency{}, asking{}, list)
	for _, model := range []string{"a", "b", "c"} {
		wantShare(t, first, model, 1./3)
	}
}

func TestLeastLatencyCountsLoadAndWeight(t *testing.T) {
	for _, test := range []struct {
		targets  string
		inFlight [2]int
		first    string
	}{
		{"a b", [2]int{0, 0}, "a"}, // 100 against 150
		{"a b", [2]int{1, 0}, "b"}, // 200 against 150
		{"a2 b", [2]int{1, 0}, "a"},
		{"a b2", [2]int{0, 0}, "b"},
	} {
		list := answered(targets(test.targets), true, 100*time.Millisecond, 150*time.Millisecond)
		for i, n := range test.inFlight {
			for range n {
				_, _ = list[i].State.Begin(true, time.Now())
			}
		}
		first, _ := orders(routing.LeastLatency{}, asking{streams: true}, list)
		wantShare(t, first, test.first, 1)
	}
}

func TestPoliciesTakeAnyNumberOfTargets(t *testing.T) {
	policies := []routing.Policy{
		routing.First{}, routing.Weighted{}, routing.Random{}, new(routing.RoundRobin),
		routing.LeastConn{}, routing.LeastLatency{}, new(routing.Sticky),
	}
	for _, spec := range []string{"", "a", "a b", "a b c d e f g h i j k l m n o p"} {
		for _, p := range policies {
			list := targets(spec)
			before := len(list)
			p.Order(asking{}, list)
			seen := make(map[string]bool)
			for _, target := range list {
				seen[target.Model] = true
			}
			if len(seen) != before {
				t.Errorf("%T makes %d targets of %d", p, len(seen), before)
			}
		}
	}
}
