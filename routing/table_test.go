package routing_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// upstreams makes providers, each written as <name>:<type> and what it serves.
func upstreams(t testing.TB, specs ...string) []*providers.Upstream {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	var list []*providers.Upstream
	for _, spec := range specs {
		words := strings.Fields(spec)
		name, kind, _ := strings.Cut(words[0], ":")
		config := map[string]any{"api_key": "x"}
		if kind == "mock" {
			config = map[string]any{}
		}
		if len(words) > 1 {
			config["models"] = words[1:]
		}
		raw, _ := json.Marshal(config)
		module, err := ctx.LoadModuleByID(providers.Namespace+"."+kind, raw)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, providers.NewUpstream(name, module.(providers.Provider)))
	}
	return list
}

// route makes a route of targets, each <provider>/<model> and maybe @<priority>.
func route(t testing.TB, list []*providers.Upstream, name, targets, fallback string) *routing.Route {
	t.Helper()
	r := &routing.Route{Name: name, Policy: routing.First{}, Fallback: strings.Fields(fallback), Retries: -1}
	for _, address := range strings.Fields(targets) {
		address, priority, _ := strings.Cut(address, "@")
		target, err := routing.ParseTarget(list, address)
		if err != nil {
			t.Fatal(err)
		}
		if priority != "" {
			target.Priority = int(priority[0] - '0')
		}
		r.Targets = append(r.Targets, target)
	}
	return r
}

func addresses(targets []routing.Target) string {
	var list []string
	for _, target := range targets {
		list = append(list, target.Upstream.Name+"/"+target.Model)
	}
	return strings.Join(list, " ")
}

// rights are a call that may use some models.
type rights func(model string) bool

func (rights) Request() *http.Request     { return nil }
func (r rights) MayUse(model string) bool { return r(model) }
func (rights) Principal() string          { return "" }
func (rights) User() string               { return "" }
func (rights) Streams() bool              { return false }
func (rights) Conversation() uint64       { return 0 }
func (rights) InputTokens() int64         { return 0 }
func (rights) OutputTokens() int64        { return 0 }

func everything(string) bool { return true }

func TestNamesLeadToTargets(t *testing.T) {
	list := upstreams(t, "mock:mock echo pool-*", "second:mock echo", "openai:openai", "azure:openai special", "anthropic:anthropic", "google:gemini", "groq:groq")
	table, err := routing.NewTable(list, []*routing.Route{
		route(t, list, "smart", "anthropic/claude-x openai/gpt-x", ""),
		route(t, list, "*", "mock/echo", ""),
		route(t, list, "team-*", "openai/gpt-* azure/*-eu", ""),
		route(t, list, "team-a-*", "groq/*", ""),
		route(t, list, "deep/*", "groq/*", ""),
		route(t, list, "openai/gpt-claimed", "azure/gpt-claimed", ""),
		route(t, list, "anthropic/*", "mock/never", ""),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, want, label string }{
		{"smart", "anthropic/claude-x openai/gpt-x", "smart"},
		{"smart2", "mock/echo", "*"},
		{"team-5", "openai/gpt-5 azure/5-eu", "team-*"},
		{"team-", "openai/gpt- azure/-eu", "team-*"},
		{"team-a-llama", "groq/llama", "team-a-*"}, // the longer beginning decides
		{"deep/a/b", "groq/a/b", "deep/*"},
		{"team-5/x", "mock/echo", "*"}, // a * in a segment ends with it
		{"openai/gpt-claimed", "azure/gpt-claimed", "openai/gpt-claimed"},
		{"openai/gpt-6", "openai/gpt-6", routing.Other}, // a direct address comes before globs
		{"anthropic/claude-y", "anthropic/claude-y", routing.Other},
		{"groq/meta/llama", "groq/meta/llama", routing.Other},
		{"echo", "mock/echo", "*"},
		{"gpt-6", "mock/echo", "*"},
		{"nobody/gpt-6", "mock/echo", "*"},
	} {
		plan, err := table.Plan(test.name, rights(everything), time.Now())
		if err != nil || addresses(plan.Targets) != test.want || plan.Label != test.label {
			t.Errorf("%s leads to %+v (%v), want %s by %s", test.name, plan, err, test.want, test.label)
		}
	}
}

func TestBareNamesGoToWhoListsThemThenToTheirFamily(t *testing.T) {
	list := upstreams(t, "second:mock echo pool-*", "first:mock echo gpt-own", "my-openai:openai", "openai2:openai", "claude:anthropic", "google:gemini", "groq:groq")
	table, err := routing.NewTable(list, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"echo":                   "second/echo", // in config order
		"pool-7":                 "second/pool-7",
		"gpt-own":                "first/gpt-own", // before the family
		"gpt-6":                  "my-openai/gpt-6",
		"o3-mini":                "my-openai/o3-mini",
		"text-embedding-3-small": "my-openai/text-embedding-3-small",
		"claude-sonnet-5":        "claude/claude-sonnet-5",
		"gemini-3-pro":           "google/gemini-3-pro",
		"text-embedding-004":     "google/text-embedding-004", // the longer prefix decides
	} {
		plan, err := table.Plan(name, rights(everything), time.Now())
		if err != nil || addresses(plan.Targets) != want || plan.Label != routing.Other || plan.Route != nil {
			t.Errorf("%s leads to %+v (%v), want %s", name, plan, err, want)
		}
	}
	for _, name := range []string{"", "unheard-of", "pool", "GPT-6", "grok-4", "groq/", "/gpt-6", "nobody/gpt-6", "pool-7/x", "*"} {
		if plan, err := table.Plan(name, rights(everything), time.Now()); !errors.Is(err, routing.ErrUnknownModel) {
			t.Errorf("%q leads to %+v (%v)", name, plan, err)
		}
	}
}

func TestPrioritiesOrderGroups(t *testing.T) {
	list := upstreams(t, "a:mock", "b:mock")
	table, err := routing.NewTable(list, []*routing.Route{route(t, list, "m", "a/late@2 b/late@2 a/first b/middle@1 b/first", "")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, _ := table.Plan("m", rights(everything), time.Now())
	if got := addresses(plan.Targets); got != "a/first b/first b/middle a/late b/late" {
		t.Errorf("order is %s", got)
	}
}

func TestFallbacksFollowTheTargetsWithinTheCallersRights(t *testing.T) {
	list := upstreams(t, "a:mock", "b:mock", "openai:openai")
	table, err := routing.NewTable(list, []*routing.Route{
		route(t, list, "top", "a/1 a/2", "middle gpt-6 b/direct star-9"),
		route(t, list, "middle", "a/3@1 b/3", "bottom"),
		route(t, list, "bottom", "b/4", ""),
		route(t, list, "star-*", "b/star-*", ""),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const all = "a/1 a/2 b/3 a/3 b/4 openai/gpt-6 b/direct b/star-9"
	for _, test := range []struct{ forbidden, want string }{
		{"", all},
		{"top", all}, // judged before
		{"middle", "a/1 a/2 openai/gpt-6 b/direct b/star-9"},
		{"bottom", "a/1 a/2 b/3 a/3 openai/gpt-6 b/direct b/star-9"},
		{"gpt-6 star-9", "a/1 a/2 b/3 a/3 b/4 b/direct"},
		{"b/direct star-*", "a/1 a/2 b/3 a/3 b/4 openai/gpt-6 b/star-9"},
		{"a/1 b/3 b/4", all}, // the targets behind a name are implied by it
		{"middle bottom gpt-6 b/direct star-9", "a/1 a/2"},
	} {
		plan, err := table.Plan("top", rights(func(model string) bool { return !slices.Contains(strings.Fields(test.forbidden), model) }), time.Now())
		if err != nil || addresses(plan.Targets) != test.want || plan.Label != "top" {
			t.Errorf("without %q: %s (%v), want %s", test.forbidden, addresses(plan.Targets), err, test.want)
		}
	}
}

func TestTablesThatMakeNoSense(t *testing.T) {
	list := upstreams(t, "a:mock", "openai:openai")
	for _, test := range []struct {
		name   string
		routes []*routing.Route
		err    string
	}{
		{"no targets", []*routing.Route{{Name: "m", Policy: routing.First{}}}, `model "m" has no targets: write to <provider>/<model>`},
		{"unknown fallback", []*routing.Route{route(t, list, "m", "a/x", "nowhere")}, `model "m": fallback "nowhere" is neither`},
		{"fallback at an unknown provider", []*routing.Route{route(t, list, "m", "a/x", "nobody/x")}, `fallback "nobody/x" is neither`},
		{"itself", []*routing.Route{route(t, list, "m", "a/x", "m")}, "m -> m"},
		{"a circle of two", []*routing.Route{route(t, list, "m", "a/x", "n"), route(t, list, "n", "a/x", "m")}, "m -> n -> m"},
		{"a circle of three", []*routing.Route{route(t, list, "k", "a/x", "m"), route(t, list, "m", "a/x", "n"), route(t, list, "n", "a/x", "k")}, "k -> m -> n -> k"},
		{"a circle behind it", []*routing.Route{route(t, list, "k", "a/x", "m"), route(t, list, "m", "a/x", "m")}, "m -> m"},
		{"a circle through a glob", []*routing.Route{route(t, list, "m-*", "a/*", "n"), route(t, list, "n", "a/x", "m-7")}, "m-* -> n -> m-*"},
	} {
		_, err := routing.NewTable(list, test.routes, nil)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: error is %v, want %q", test.name, err, test.err)
		}
	}
	diamond := []*routing.Route{route(t, list, "k", "a/x", "m n"), route(t, list, "m", "a/x", "o"), route(t, list, "n", "a/x", "o"), route(t, list, "o", "a/x", "gpt-6")}
	if _, err := routing.NewTable(list, diamond, nil); err != nil {
		t.Errorf("two ways to one fallback are no circle: %v", err)
	}
}

func TestTargetsAreAddressed(t *testing.T) {
	list := upstreams(t, "a:mock", "b:mock")
	target, err := routing.ParseTarget(list, "b/meta/llama")
	if err != nil || addresses([]routing.Target{target}) != "b/meta/llama" || target.Weight != 1 {
		t.Errorf("target is %+v (%v)", target, err)
	}
	for address, want := range map[string]string{
		"b": `target "b" must be <provider>/<model>`, "b/": "must be <provider>/<model>", "": "must be", "c/x": `there is no provider "c", only a, b`,
	} {
		if _, err := routing.ParseTarget(list, address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", address, err, want)
		}
	}
}

func TestModelsAreListedOnce(t *testing.T) {
	list := upstreams(t, "mock:mock slow own many-*", "openai:openai gpt-6")
	table, err := routing.NewTable(list, []*routing.Route{
		route(t, list, "zeta", "mock/x", ""), route(t, list, "alpha", "mock/x", ""), route(t, list, "team-*", "mock/*", ""), route(t, list, "openai/gpt-6", "mock/x", ""),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "alpha openai/gpt-6 zeta mock/slow mock/own mock/echo mock/fail-429 mock/die-mid-stream"
	if got := strings.Join(table.Models(), " "); got != want {
		t.Errorf("models are %s, want %s", got, want)
	}
	if !slices.Equal(table.Upstreams(), list) {
		t.Error("the providers are not in config order")
	}
}

func TestGlobsDoNotLeadOutOfTheirPlace(t *testing.T) {
	list := upstreams(t, "g:gemini")
	table, err := routing.NewTable(list, []*routing.Route{route(t, list, "any-*", "g/*", ""), route(t, list, "all/*", "g/v/*", "")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"any-x": 1, "any-..": 0, "any-.": 0, "all/x/y": 1, "any-...": 1} {
		plan, err := table.Plan(name, rights(everything), time.Now())
		if err != nil || len(plan.Targets) != want {
			t.Errorf("%s: %+v, %v", name, plan, err)
		}
	}
}
