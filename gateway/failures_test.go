package gateway_test

import (
	"net/http"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

func TestFailedAttemptsAreBookedUnderTheTargetTheyWereMadeTo(t *testing.T) {
	g, a, b := pair(t, nil)
	// The first target accepts the call and breaks off before any content.
	a.Script(testllm.Reply{CutAfter: 1})
	b.Script(testllm.Reply{Chunks: []string{foundText}})
	wantText(t, g.chat(t, askStream("m")), foundText)
	record := g.record(t)
	equal(t, "failures", len(record.Failures), 1)
	failed := record.Failures[0]
	equal(t, "target", failed.Provider+"/"+failed.Model, "a/model-a")
	equal(t, "kind", failed.Kind, "upstream_error")
	if failed.Tokens.Input == 0 || !failed.Tokens.Estimated || failed.Cause == "" {
		t.Errorf("the failure is booked as %+v", failed)
	}
	equal(t, "cause of the call", record.Cause, "")
	equal(t, "input of the answer", record.AnswerTokens().Input, int64(testllm.DefaultUsage.Input))
	equal(t, "input in all", record.Tokens.Input, failed.Tokens.Input+int64(testllm.DefaultUsage.Input))
}

func TestRefusedAttemptsCostNothing(t *testing.T) {
	g, a, _ := pair(t, nil)
	a.Script(testllm.Reply{Status: 503})
	g.chat(t, ask("m"))
	record := g.record(t)
	equal(t, "failures", len(record.Failures), 1)
	equal(t, "tokens of the failure", record.Failures[0].Tokens.Total(), 0)
	equal(t, "input in all", record.Tokens.Input, int64(testllm.DefaultUsage.Input))
}

func TestAFallbackIsForWhatHappenedAtAnyTargetOfTheModel(t *testing.T) {
	a, b, c := testllm.New(t), testllm.New(t), testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1"), load(t, "c", "openai", c.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}, fallback: []string{"c/x"}, on: routing.OnRateLimit}},
	}.start(t)
	a.Script(testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"60"}}})
	b.Script(testllm.Reply{Status: 502})
	equal(t, "status", g.chat(t, ask("m")).status, 200)
	wantCalls(t, c, 1)
	// A request that is wrong is wrong everywhere.
	b.Script(testllm.Reply{Status: 400})
	equal(t, "status", g.chat(t, ask("m")).status, 400)
	wantCalls(t, c, 1)
}

func TestWhoWaitedInVainIsNotToldToTryAgain(t *testing.T) {
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{Status: 503, Header: http.Header{"Retry-After-Ms": {"20"}}})
	got := g.chat(t, ask("openai/x"))
	equal(t, "status", got.status, 503)
	equal(t, "attempts", g.record(t).Attempts, 3)
	equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
}
