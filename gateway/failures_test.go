package gateway_test

import (
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
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
