package routing_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// planning is a table whose targets can be obstructed.
type planning struct {
	t     *testing.T
	list  []*providers.Upstream
	table *routing.Table
	// on is what every fallback is for; 0: the default.
	on routing.Conditions
}

// models makes a table of routes, each written as <name>: <target>... > <fallback>...
func models(t *testing.T, on routing.Conditions, specs ...string) *planning {
	t.Helper()
	p := &planning{t: t, on: on, list: upstreams(t, "a:mock", "b:mock", "c:mock", "d:mock", "e:mock")}
	var routes []*routing.Route
	for _, spec := range specs {
		name, rest, _ := strings.Cut(spec, ":")
		targets, fallback, _ := strings.Cut(rest, ">")
		r := route(t, p.list, name, targets, fallback)
		r.FallbackOn = on
		routes = append(routes, r)
	}
	var err error
	if p.table, err = routing.NewTable(p.list, routes, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *planning) health(name string) *routing.Health {
	for _, u := range p.list {
		if u.Name == name {
			return p.table.Health(u)
		}
	}
	p.t.Fatalf("there is no %s", name)
	return nil
}

// break opens the breaker of a target.
func (p *planning) broken(addresses ...string) {
	for _, address := range addresses {
		provider, model, _ := strings.Cut(address, "/")
		for range routing.DefaultBreaker.Consecutive {
			report(p.health(provider).Model(model), routing.Report{Outcome: failed})
		}
	}
}

// limited has a target ask for time.
func (p *planning) limited(wait time.Duration, addresses ...string) {
	for _, address := range addresses {
		provider, model, _ := strings.Cut(address, "/")
		report(p.health(provider).Model(model), routing.Report{Outcome: throttled, Wait: wait})
	}
}

func (p *planning) plan(name string) *routing.Plan {
	p.t.Helper()
	plan, err := p.table.Plan(name, rights(everything), time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	return plan
}

// want checks the targets of a plan, and which of them can be the first.
func want(t *testing.T, plan *routing.Plan, targets, obstructed, begins string) {
	t.Helper()
	var against []routing.Target
	for _, o := range plan.Obstructed {
		against = append(against, o.Target)
	}
	if got := addresses(plan.Targets); got != targets {
		t.Errorf("targets are %q, want %q", got, targets)
	}
	if got := addresses(against); got != obstructed {
		t.Errorf("obstructed are %q, want %q", got, obstructed)
	}
	var first []routing.Target
	for _, target := range plan.Targets {
		if plan.Begins(&target) {
			first = append(first, target)
		}
	}
	if got := addresses(first); got != begins {
		t.Errorf("the first can be %q, want %q", got, begins)
	}
}

func find(t *testing.T, plan *routing.Plan, address string) *routing.Target {
	t.Helper()
	for i := range plan.Targets {
		if addresses(plan.Targets[i:i+1]) == address {
			return &plan.Targets[i]
		}
	}
	for i := range plan.Obstructed {
		if addresses([]routing.Target{plan.Obstructed[i].Target}) == address {
			return &plan.Obstructed[i].Target
		}
	}
	t.Fatalf("%s is not in the plan", address)
	return nil
}

// wantNext checks what may follow a target that ended on a condition.
func wantNext(t *testing.T, plan *routing.Plan, from string, on routing.Conditions, next string) {
	t.Helper()
	var got []routing.Target
	for i := range plan.Targets {
		if to := &plan.Targets[i]; to != find(t, plan, from) && plan.Leads(find(t, plan, from), to, on) {
			got = append(got, *to)
		}
	}
	if got := addresses(got); got != next {
		t.Errorf("%s on %b is followed by %q, want %q", from, on, got, next)
	}
}

func TestObstructedTargetsStandAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := models(t, 0, "m: a/x b/x c/x@1 d/x@1 > n", "n: e/x")
		want(t, p.plan("m"), "a/x b/x c/x d/x e/x", "", "a/x b/x c/x d/x")
		p.broken("a/x")
		p.limited(2*time.Second, "c/x")
		p.health("d").Disable(true)
		want(t, p.plan("m"), "b/x e/x", "d/x c/x a/x", "b/x e/x") // the soonest first; what is disabled has no time
		wantNext(t, p.plan("m"), "b/x", routing.OnError, "e/x")
		time.Sleep(2 * time.Second)
		want(t, p.plan("m"), "b/x c/x e/x", "d/x a/x", "b/x c/x e/x")
		time.Sleep(3 * time.Second)
		want(t, p.plan("m"), "a/x b/x c/x e/x", "d/x", "a/x b/x c/x e/x")
	})
}

func TestObstructedDirectTargets(t *testing.T) {
	p := models(t, 0)
	p.broken("a/x")
	plan := p.plan("a/x")
	want(t, plan, "", "a/x", "")
	if !plan.Begins(&plan.Obstructed[0].Target) || plan.Budget == nil {
		t.Errorf("plan is %+v", plan)
	}
	want(t, p.plan("a/y"), "a/y", "", "a/y")
}

func TestFallbacksBeginForWhatStandsAgainstTheModel(t *testing.T) {
	for _, test := range []struct {
		on      routing.Conditions
		limited bool
		begins  string
	}{
		{0, false, "b/x"},
		{0, true, "b/x"},
		{routing.OnError, false, "b/x"},
		{routing.OnError, true, ""},
		{routing.OnRateLimit, false, ""},
		{routing.OnRateLimit, true, "b/x"},
		{routing.OnContextLength, false, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := models(t, test.on, "m: a/x > n", "n: b/x")
			if test.limited {
				p.limited(time.Second, "a/x")
			} else {
				p.broken("a/x")
			}
			want(t, p.plan("m"), "b/x", "a/x", test.begins)
		})
	}
}

func TestConditionsLeadToFallbacks(t *testing.T) {
	const context = routing.OnContextLength
	p := models(t, context|routing.OnRateLimit, "m: a/1 a/2 > n o", "n: b/1 b/2 > nn", "nn: c/1", "o: d/1")
	plan := p.plan("m")
	want(t, plan, "a/1 a/2 b/1 b/2 c/1 d/1", "", "a/1 a/2")
	for _, test := range []struct {
		from string
		on   routing.Conditions
		next string
	}{
		{"a/1", routing.OnError, "a/2"}, // no condition of the fallbacks
		{"a/1", routing.OnTimeout, "a/2"},
		{"a/1", routing.OnRateLimit, "a/2 b/1 b/2 d/1"},
		{"a/1", context, "b/1 b/2 d/1"}, // the model's other targets have the same length
		{"a/1", routing.OnContentFilter, ""},
		{"a/1", 0, ""},
		{"b/1", routing.OnRateLimit, "b/2 c/1 d/1"}, // its own fallbacks, and those of what led to it
		{"b/1", context, "c/1 d/1"},
		{"b/1", routing.OnError, "b/2"},
		{"c/1", context, "d/1"},
		{"d/1", routing.OnRateLimit, ""}, // there is no way back
	} {
		wantNext(t, plan, test.from, test.on, test.next)
	}
}

// A fallback that is obstructed itself is passed over for its own fallbacks.
func TestObstructedFallbacksArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := models(t, 0, "m: a/x > n", "n: b/x > o", "o: c/x > q", "q: d/x")
		p.broken("b/x")
		plan := p.plan("m")
		want(t, plan, "a/x c/x d/x", "b/x", "a/x")
		wantNext(t, plan, "a/x", routing.OnError, "c/x")
		p.broken("a/x")
		want(t, p.plan("m"), "c/x d/x", "a/x b/x", "c/x")
		p.broken("c/x")
		want(t, p.plan("m"), "d/x", "a/x b/x c/x", "d/x")
	})
	synctest.Test(t, func(t *testing.T) { // but only for what its own fallbacks are for
		p := models(t, routing.OnRateLimit, "m: a/x > n", "n: b/x > o", "o: c/x")
		p.limited(time.Second, "a/x")
		p.broken("b/x")
		want(t, p.plan("m"), "c/x", "a/x b/x", "")
		p = models(t, routing.OnRateLimit, "m: a/x > n", "n: b/x > o", "o: c/x")
		p.limited(time.Second, "a/x", "b/x")
		want(t, p.plan("m"), "c/x", "a/x b/x", "c/x")
	})
}

func TestFallbacksKeepTheirPolicyAndMatch(t *testing.T) {
	list := upstreams(t, "a:mock", "b:mock", "c:mock")
	special := func(r *http.Request) bool { return r.Header.Get("X-Special") != "" }
	first := route(t, list, "n", "b/special", "")
	first.Match = special
	table, err := routing.NewTable(list, []*routing.Route{route(t, list, "m", "a/x", "n c/direct"), first, route(t, list, "n", "b/ordinary", "")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{"": "a/x b/ordinary c/direct", "yes": "a/x b/special c/direct"} {
		call := asking{r: &http.Request{Header: http.Header{"X-Special": {header}}}}
		plan, err := table.Plan("m", call, time.Now())
		if err != nil || addresses(plan.Targets) != want {
			t.Errorf("plan is %s (%v), want %s", addresses(plan.Targets), err, want)
		}
		if last := plan.Targets[len(plan.Targets)-1]; last.Route == nil || last.Route.Name != "m" {
			t.Error("a model that is addressed by a fallback does not keep to the route's settings")
		}
	}
}

// A fallback whose route exists, but not for this request, leads where its name leads otherwise.
func TestFallbackThatMatchesNothing(t *testing.T) {
	list := upstreams(t, "a:mock", "b:mock")
	n := route(t, list, "n", "b/x", "")
	n.Match = func(*http.Request) bool { return false }
	table, err := routing.NewTable(list, []*routing.Route{route(t, list, "m", "a/x", "n"), n}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := table.Plan("m", asking{}, time.Now())
	if err != nil || addresses(plan.Targets) != "a/x" {
		t.Errorf("plan is %+v (%v)", plan, err)
	}
}

func TestObstructedFallbacksNeedTheCallersRightToo(t *testing.T) {
	p := models(t, 0, "m: a/x > n", "n: b/x")
	p.broken("b/x")
	plan, err := p.table.Plan("m", rights(func(model string) bool { return model != "n" }), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want(t, plan, "a/x", "", "a/x")
}

// asking is a call of which a policy may know everything.
type asking struct {
	r            *http.Request
	conversation uint64
	principal    string
	user         string
	streams      bool
}

func (a asking) Request() *http.Request { return a.r }
func (asking) MayUse(string) bool       { return true }
func (a asking) Principal() string      { return a.principal }
func (a asking) User() string           { return a.user }
func (a asking) Streams() bool          { return a.streams }
func (a asking) Conversation() uint64   { return a.conversation }
func (asking) InputTokens() int64       { return 0 }
func (asking) OutputTokens() int64      { return 0 }
