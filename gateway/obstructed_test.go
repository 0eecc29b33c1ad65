package gateway_test

import (
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// A target that is passed over for what it cannot carry leaves those that cannot
// be asked at present: the request itself is not to blame.
func TestSkippedTargetLeavesTheOthers(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		known := new(shared)
		claude, another := testllm.New(t), testllm.New(t)
		upstreams := []*providers.Upstream{load(t, "claude", "anthropic", claude.URL), load(t, "chat", "openai", another.URL+"/v1")}
		g := setup{
			upstreams: upstreams,
			change: func(g *gateway.Gateway) {
				table, err := routing.NewTable(upstreams, []*routing.Route{{
					Name: "m", Policy: routing.First{}, Retries: -1, OnUnsupported: routing.SkipUnsupported,
					Targets: []routing.Target{{Upstream: upstreams[0], Model: "claude-opus-4-5", Weight: 1}, {Upstream: upstreams[1], Model: "x", Weight: 1}},
				}}, known.of)
				if err != nil {
					t.Fatal(err)
				}
				g.Routes = table
			},
		}.start(t)
		if another.Script(testllm.Reply{Status: 500}); refuses {
			another.Close()
		}
		for range 5 { // its breaker opens
			g.chat(t, ask("chat/x"))
		}
		if refuses {
			got := g.chat(t, asked)
			wantError(t, got, 503, "no_healthy_upstream")
			if got.header.Get("Retry-After") == "" {
				t.Error("there is no Retry-After")
			}
			continue
		}
		another.Script(testllm.Reply{})
		equal(t, "status", g.chat(t, asked).status, 200)
		wantCalls(t, claude, 0)
	}
}

func TestNameThatLeadsNowhereIsUnknown(t *testing.T) {
	srv := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL+"/v1")},
		aliases:   []alias{{name: "any-*", to: []string{"a/*"}}},
	}.start(t)
	wantError(t, g.chat(t, ask("any-..")), 404, "model_not_found")
	wantCalls(t, srv, 0)
}

// A fallback of a fallback answers where both before it cannot be asked.
func TestFallbackOfAnObstructedFallback(t *testing.T) {
	known := new(shared)
	s, servers := chainOf(t, 3)
	s.health = known.of
	s.aliases = []alias{
		{name: "m", to: []string{"a/x"}, fallback: []string{"n"}},
		{name: "n", to: []string{"b/x"}, fallback: []string{"o"}},
		{name: "o", to: []string{"c/x"}},
	}
	g := s.start(t)
	known.models["b"].RefuseKey(s.upstreams[1].Base().Fingerprints()[0], time.Now().Add(time.Hour))
	servers[0].Script(testllm.Reply{Status: 500})
	for range 10 {
		equal(t, "status", g.chat(t, ask("m")).status, 200)
	}
	wantCalls(t, servers[1], 0)
	wantCalls(t, servers[2], 10)
}

func TestDisabledProviderIsNotAsked(t *testing.T) {
	known := new(shared)
	s, servers := chainOf(t, 2)
	s.health = known.of
	g := s.start(t)
	known.models["a"].Disable(true)
	equal(t, "status", g.chat(t, ask("m")).status, 200)
	known.models["b"].Disable(true)
	got := g.chat(t, ask("m"))
	wantError(t, got, 503, "no_healthy_upstream")
	equal(t, "Retry-After", got.header.Get("Retry-After"), "")
	wantError(t, g.chat(t, ask("a/x")), 503, "no_healthy_upstream")
	wantCalls(t, servers[0], 0)
	wantCalls(t, servers[1], 1)
}
