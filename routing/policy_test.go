package routing_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// targets makes one target for each letter, with its weight behind it.
func targets(spec string) []routing.Target {
	var list []routing.Target
	for _, word := range strings.Fields(spec) {
		weight := 1
		if len(word) > 1 {
			weight = int(word[1] - '0')
		}
		list = append(list, routing.Target{Upstream: &providers.Upstream{Name: "p"}, Model: word[:1], Weight: weight})
	}
	return list
}

func order(p routing.Policy, list []routing.Target) string {
	list = slices.Clone(list)
	p.Order(nil, list)
	var out strings.Builder
	for _, target := range list {
		out.WriteString(target.Model)
	}
	return out.String()
}

func TestFirstLeavesTheOrder(t *testing.T) {
	for range 10 {
		if got := order(routing.First{}, targets("c a b")); got != "cab" {
			t.Errorf("order is %s", got)
		}
	}
}

func TestRoundRobinStartsWithEachInTurn(t *testing.T) {
	p := new(routing.RoundRobin)
	var got []string
	for range 7 {
		got = append(got, order(p, targets("a b c")))
	}
	if want := "abc bca cab abc bca cab abc"; strings.Join(got, " ") != want {
		t.Errorf("orders are %s, want %s", got, want)
	}
	for _, few := range []string{"", "a"} {
		if got := order(p, targets(few)); got != few {
			t.Errorf("order of %q is %q", few, got)
		}
	}
}

func TestRoundRobinTakesTurnsWithinEachPriority(t *testing.T) {
	list := upstreams(t, "a:mock", "b:mock")
	r := route(t, list, "m", "a/1 b/1 a/2@1 b/2@1", "")
	r.Policy = new(routing.RoundRobin)
	table, err := routing.NewTable(list, []*routing.Route{r}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		plan, _ := table.Plan("m", rights(everything), time.Now())
		want := []string{"a/1 b/1 a/2 b/2", "b/1 a/1 b/2 a/2"}[i%2]
		if got := addresses(plan.Targets); got != want {
			t.Errorf("call %d goes to %s, want %s", i, got, want)
		}
	}
}

func TestRoundRobinIsFairToParallelCallers(t *testing.T) {
	p := new(routing.RoundRobin)
	var mu sync.Mutex
	var all sync.WaitGroup
	first := make(map[byte]int)
	for range 6 {
		all.Go(func() {
			for range 100 {
				got := order(p, targets("a b c"))
				mu.Lock()
				first[got[0]]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if first['a'] != 200 || first['b'] != 200 || first['c'] != 200 {
		t.Errorf("the first were %v", first)
	}
}

func TestWeightedDrawsAsOftenAsTheWeightsSay(t *testing.T) {
	const draws = 40_000
	seen := make(map[string]int)
	for range draws {
		got := order(routing.Weighted{}, targets("a6 b3 c1"))
		seen[got]++
	}
	if len(seen) != 6 {
		t.Errorf("the orders were %v", seen)
	}
	// The second is what the draw would have been without the first.
	for order, share := range map[string]float64{
		"abc": 0.6 * 0.75, "acb": 0.6 * 0.25, "bac": 0.3 * 6 / 7, "bca": 0.3 / 7, "cab": 0.1 * 2 / 3, "cba": 0.1 / 3,
	} {
		// Five standard deviations: wrong once in a million runs.
		if got := float64(seen[order]) / draws; got < share-0.0125 || got > share+0.0125 {
			t.Errorf("%s came in %.3f of the draws, want %.3f", order, got, share)
		}
	}
}

func TestPlansDoNotDisturbEachOther(t *testing.T) {
	list := upstreams(t, "a:mock")
	r := route(t, list, "m-*", "a/x-* a/y-* a/z-*", "")
	r.Policy = routing.Weighted{}
	table, err := routing.NewTable(list, []*routing.Route{r}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, name := range []string{"1", "2", "3", "4"} {
		all.Go(func() {
			for range 200 {
				plan, err := table.Plan("m-"+name, rights(everything), time.Now())
				if err != nil || strings.Count(addresses(plan.Targets)+" ", "-"+name+" ") != 3 {
					t.Errorf("plan is %+v (%v)", plan, err)
				}
			}
		})
	}
	all.Wait()
	if got := addresses(r.Targets); got != "a/x-* a/y-* a/z-*" {
		t.Errorf("the route has become %s", got)
	}
}
