//go:build !race

package routing_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/routing"
)

// ofModels is a table of so many aliases.
func ofModels(t testing.TB, n int) *routing.Table {
	list := upstreams(t, "a:mock", "b:mock")
	routes := make([]*routing.Route, n)
	for i := range routes {
		routes[i] = route(t, list, fmt.Sprint("alias-", i), "a/m b/m", "")
	}
	table, err := routing.NewTable(list, routes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestAPlanAllocatesItselfAndItsTargets(t *testing.T) {
	table, now := ofModels(t, 500), time.Now()
	var call routing.Call = asking{}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := table.Plan("alias-250", call, now); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("%v allocations", n)
	}
}

// Both are measured in the same run, the best of several tries.
func TestAPlanTakesAsLongAmongThousandsOfModels(t *testing.T) {
	call, now := asking{}, time.Now()
	took := func(table *routing.Table, name string) time.Duration {
		begun := time.Now()
		for range 1000 {
			if _, err := table.Plan(name, call, now); err != nil {
				t.Fatal(err)
			}
		}
		return time.Since(begun)
	}
	few, many := ofModels(t, 1), ofModels(t, 5000)
	alone, among := time.Hour, time.Hour
	for range 10 {
		alone, among = min(alone, took(few, "alias-0")), min(among, took(many, "alias-2500"))
	}
	if among > 4*alone {
		t.Errorf("%v among 5000 models, %v alone", among, alone)
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1, 500} {
		b.Run(fmt.Sprint(n, " models"), func(b *testing.B) {
			table, now := ofModels(b, n), time.Now()
			var call routing.Call = asking{}
			name := fmt.Sprint("alias-", n/2)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Plan(name, call, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
