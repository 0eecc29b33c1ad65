package routing_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/routing"
)

const conversations = 20_000

// firsts is where each of many conversations goes.
func firsts(p routing.Policy, list []routing.Target) []string {
	got := make([]string, conversations)
	for i := range got {
		ordered := slices.Clone(list)
		p.Order(asking{conversation: uint64(i)}, ordered)
		got[i] = ordered[0].Model
	}
	return got
}

func share(got []string, model string) float64 {
	n := 0
	for _, m := range got {
		if m == model {
			n++
		}
	}
	return float64(n) / float64(len(got))
}

func wantShare(t *testing.T, got []string, model string, want float64) {
	t.Helper()
	if share := share(got, model); share < want-0.02 || share > want+0.02 {
		t.Errorf("%s gets %.3f of the calls, want %.3f", model, share, want)
	}
}

func TestStickyKeepsConversationsAtTheirTarget(t *testing.T) {
	list := targets("a b c d")
	before := firsts(new(routing.Sticky), list)
	for _, model := range []string{"a", "b", "c", "d"} {
		wantShare(t, before, model, 0.25)
	}
	// Another gateway, whose config names them in another order, agrees.
	slices.Reverse(list)
	if !slices.Equal(before, firsts(new(routing.Sticky), list)) {
		t.Error("the order in which targets are written matters")
	}
}

func TestStickyMovesNoCallsButThoseOfATargetThatLeaves(t *testing.T) {
	before := firsts(new(routing.Sticky), targets("a b c d"))
	without := firsts(new(routing.Sticky), targets("a b d"))
	for i := range before {
		if before[i] != "c" && before[i] != without[i] {
			t.Fatalf("conversation %d has moved from %s to %s", i, before[i], without[i])
		}
	}
	for _, model := range []string{"a", "b", "d"} { // which share its calls
		wantShare(t, without, model, 1./3)
	}
	if !slices.Equal(before, firsts(new(routing.Sticky), targets("a b c d"))) {
		t.Error("its calls do not come back with it")
	}
}

func TestStickySharesByWeight(t *testing.T) {
	got := firsts(new(routing.Sticky), targets("a6 b3 c1"))
	wantShare(t, got, "a", 0.6)
	wantShare(t, got, "b", 0.3)
	wantShare(t, got, "c", 0.1)
}

// begun gives targets states, with so many attempts on their way.
func begun(list []routing.Target, inFlight ...int) []routing.Target {
	for i, n := range inFlight {
		list[i].State = new(routing.Health).Model(list[i].Model)
		for range n {
			_, _ = list[i].State.Begin(true, time.Now())
		}
	}
	return list
}

func TestStickyPassesOverWhatIsLoadedTooMuch(t *testing.T) {
	for _, test := range []struct {
		targets  string
		inFlight []int
		over     string
	}{
		{"a b c d", []int{0, 0, 0, 0}, ""},
		{"a b c d", []int{2, 0, 0, 0}, "a"},     // of 3 with this call, 0.94 each, at most one
		{"a b c d", []int{12, 10, 10, 10}, ""},  // of 43 at most 14
		{"a b c d", []int{15, 10, 10, 10}, "a"}, // of 46 at most 15, and with this call it would have 16
		{"a b c d", []int{20, 20, 0, 0}, "ab"},
		{"a3 b1", []int{3, 0}, ""},
		{"a3 b1", []int{30, 2}, ""},
		{"a3 b1", []int{60, 2}, "a"},
	} {
		list := begun(targets(test.targets), test.inFlight...)
		got := firsts(new(routing.Sticky), list)
		for _, target := range list {
			if over := strings.Contains(test.over, target.Model); over != (share(got, target.Model) == 0) {
				t.Errorf("%s with %v: %s gets %.2f of the calls", test.targets, test.inFlight, target.Model, share(got, target.Model))
			}
		}
	}
}

// Under even load each has its room: no target is passed over by more than the bound.
func TestStickyLoadIsBounded(t *testing.T) {
	list := begun(targets("a b c d"), 0, 0, 0, 0)
	for i := range 400 {
		ordered := slices.Clone(list)
		(&routing.Sticky{}).Order(asking{conversation: uint64(i % 3)}, ordered) // three conversations, all day
		_, _ = ordered[0].State.Begin(true, time.Now())
	}
	for _, target := range list {
		if n := target.State.InFlight(); n > 126 {
			t.Errorf("%s has %d of 400 calls, more than 1.25 times the mean", target.Model, n)
		}
	}
}

func TestStickyOrdersLoadedTargetsByHash(t *testing.T) {
	list := begun(targets("a b c d e f g h i j k l"), 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	last := make(map[string]int)
	for i := range 300 {
		ordered := slices.Clone(list)
		new(routing.Sticky).Order(asking{conversation: uint64(i)}, ordered)
		last[ordered[len(ordered)-1].Model]++
	}
	if len(last) != 3 {
		t.Errorf("the last are %v, want each of the three that are loaded", last)
	}
}

func TestStickyBy(t *testing.T) {
	request := func(tenant string) *http.Request { return &http.Request{Header: http.Header{"X-Tenant": {tenant}}} }
	for name, test := range map[string]struct {
		policy *routing.Sticky
		call   func(i int) asking
		moves  bool
	}{
		"conversation":             {&routing.Sticky{}, func(i int) asking { return asking{conversation: uint64(i)} }, true},
		"user not asked for":       {&routing.Sticky{}, func(i int) asking { return asking{user: strconv.Itoa(i), principal: strconv.Itoa(i)} }, false},
		"user":                     {&routing.Sticky{By: "user"}, func(i int) asking { return asking{user: strconv.Itoa(i)} }, true},
		"one user":                 {&routing.Sticky{By: "user"}, func(i int) asking { return asking{user: "u", principal: strconv.Itoa(i), conversation: uint64(i)} }, false},
		"key where no user":        {&routing.Sticky{By: "user"}, func(i int) asking { return asking{principal: strconv.Itoa(i)} }, true},
		"header":                   {&routing.Sticky{By: "header", Header: "X-Tenant"}, func(i int) asking { return asking{r: request(strconv.Itoa(i))} }, true},
		"one header":               {&routing.Sticky{By: "header", Header: "X-Tenant"}, func(i int) asking { return asking{r: request("t"), conversation: uint64(i)} }, false},
		"conversation, no header":  {&routing.Sticky{By: "header", Header: "X-Tenant"}, func(i int) asking { return asking{r: request(""), conversation: uint64(i)} }, true},
		"same conversation always": {&routing.Sticky{By: "conversation"}, func(int) asking { return asking{conversation: 7} }, false},
	} {
		seen := make(map[string]bool)
		for i := range 100 {
			list := targets("a b c d")
			test.policy.Order(test.call(i), list)
			seen[list[0].Model] = true
		}
		if test.moves != (len(seen) == 4) || !test.moves && len(seen) != 1 {
			t.Errorf("%s: the first are %v", name, seen)
		}
	}
}

func TestStickyOptions(t *testing.T) {
	for _, test := range []struct {
		policy routing.Sticky
		want   string
	}{
		{routing.Sticky{}, ""},
		{routing.Sticky{By: "user"}, ""},
		{routing.Sticky{By: "header", Header: "x-tenant"}, ""},
		{routing.Sticky{By: "header"}, "needs the name"},
		{routing.Sticky{By: "user", Header: "x"}, "goes with by header"},
		{routing.Sticky{By: "moon"}, `not "moon"`},
	} {
		err := test.policy.Provision(caddy.Context{})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: %v, want %q", test.policy, err, test.want)
		}
	}
}
