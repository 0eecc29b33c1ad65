package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// In virtual time the gateway's own work takes none: what is not waiting would show.
func TestWhatAnAnswerWaitsForIsNoOverhead(t *testing.T) {
	slow := testllm.Reply{Delay: 7 * time.Second, Chunks: []string{"one ", "two"}, ChunkDelay: 3 * time.Second}
	busy := testllm.Reply{Delay: 2 * time.Second, Status: 503}
	for _, test := range []struct {
		name    string
		request string
		replies []testllm.Reply
		waited  time.Duration // at least
	}{
		{"whole", ask("m"), []testllm.Reply{slow}, 7 * time.Second},
		{"stream", askStream("m"), []testllm.Reply{slow}, 7 * time.Second},
		{"after a failure and a pause", ask("m"), []testllm.Reply{busy, slow}, 9 * time.Second},
		{"stream after a failure and a pause", askStream("m"), []testllm.Reply{busy, slow}, 9 * time.Second},
		{"failures alone", ask("m"), []testllm.Reply{busy}, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := testllm.Serve(t, listenPipe())
				srv.Script(test.replies...)
				g := setup{
					upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL+"/v1", overPipes)},
					aliases:   []alias{{name: "m", to: []string{"a/x"}}}, inMemory: true,
					change: func(g *gateway.Gateway) { g.Backoff.Transient, g.Backoff.Most = time.Second, time.Second },
				}.start(t)
				g.chat(t, test.request)
				r := g.record(t)
				if r.Waited < test.waited || r.Overhead() != 0 {
					t.Errorf("waited %v, which leaves %v of %v to the first token, %v in all", r.Waited, r.Overhead(), r.FirstToken, r.Duration)
				}
			})
		})
	}
}

func TestWaitingForRoomOrForAnotherCallIsNoOverhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := testllm.Serve(t, listenPipe())
		srv.Script(testllm.Reply{Delay: 5 * time.Second})
		g := setup{
			upstreams: []*providers.Upstream{load(t, "openai", "openai", srv.URL+"/v1", overPipes)}, inMemory: true, change: cached(t),
		}.start(t)
		go g.chat(t, ask("openai/m"))
		g.chat(t, ask("openai/m"))
		for range 2 {
			if r := g.record(t); r.Waited != 5*time.Second || r.Overhead() != 0 {
				t.Errorf("%s: waited %v, which leaves %v", r.Cache, r.Waited, r.Overhead())
			}
		}
		wantCalls(t, srv, 1)
	})
}

func TestOverheadOfARecord(t *testing.T) {
	for _, test := range []struct {
		record usage.Record
		want   time.Duration
	}{
		{usage.Record{Duration: 9}, 9},
		{usage.Record{Duration: 9, FirstToken: 5, Waited: 3}, 2},
		{usage.Record{Duration: 9, FirstToken: 5, Waited: 3, Queued: 1}, 1},
		{usage.Record{Duration: 9, Waited: 11}, 0},
	} {
		equal(t, "overhead", test.record.Overhead(), test.want)
	}
}

func TestRecordTellsWhichFailuresWereSentAndTheFallback(t *testing.T) {
	a, b := testllm.New(t), testllm.New(t)
	a.Script(testllm.Reply{Status: 500})
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
		aliases: []alias{
			{name: "m", to: []string{"a/x"}, fallback: []string{"spare"}},
			{name: "spare", to: []string{"b/y"}},
		},
	}.start(t)
	g.chat(t, ask("m"))
	r := g.record(t)
	equal(t, "fallback", r.Fallback, "spare")
	equal(t, "route", r.Route, "m")
	sent := 0
	for _, f := range r.Failures {
		if f.Sent {
			sent++
		}
	}
	equal(t, "attempts that failed", sent, len(a.Calls()))
	equal(t, "attempts", r.Attempts, len(a.Calls())+len(b.Calls()))
	b.Script(testllm.Reply{})
	g.chat(t, ask("spare"))
	equal(t, "fallback of what was asked for", g.record(t).Fallback, "")
}
