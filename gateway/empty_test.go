package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// emptyReplies are answers without a word, each way.
var emptyReplies = map[string]testllm.Reply{
	"a":      {Chunks: []string{}, Usage: testllm.Usage{Input: 9, Output: 1}},
	"openai": {Chunks: []string{}, Finish: "stop", Usage: testllm.Usage{Input: 9, Output: 1}},
}

func TestEmptyAnswersGoToAnotherTarget(t *testing.T) {
	for _, model := range providerModels {
		for _, d := range dialects {
			for _, stream := range []bool{false, true} {
				first, second := testllm.New(t), testllm.New(t)
				g := setup{
					upstreams: []*providers.Upstream{
						load(t, "chat", "openai_compatible", first.URL+"/v1"), load(t, "claude", "anthropic", first.URL), load(t, "google", "gemini", first.URL),
						load(t, "second", "openai_compatible", second.URL+"/v1"),
					},
					aliases: []alias{{name: "m", to: []string{model, "second/x"}}},
					change: func(g *gateway.Gateway) {
						g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
					},
				}.start(t)
				first.Script(emptyReplies["a"])
				second.Script(testllm.Reply{Text: foundText})
				path, body := d.path, d.body
				if stream {
					path, body = d.streamPath, d.streamBody
				}
				got := g.do(t, http.MethodPost, forModel(path, "m"), forModel(body, "m"), d.header...)
				wantText(t, got, "second")
				r := g.record(t)
				equal(t, d.name+" to "+model+": attempts", r.Attempts, 2)
				equal(t, "ending", r.Ending, usage.Complete)
				equal(t, "output", r.Tokens.Output, int64(second.Calls()[0].Completion))
			}
		}
	}
}

func TestEmptyAnswerOfTheLastTargetIsPassedOnAsItIs(t *testing.T) {
	for _, request := range []string{ask("m"), askStream("m")} {
		g, a, b := pair(t, nil)
		a.Script(emptyReplies["a"])
		b.Script(emptyReplies["openai"])
		got := g.chat(t, request)
		equal(t, "status", got.status, http.StatusOK)
		if !strings.Contains(got.body, `"finish_reason":"stop"`) {
			t.Errorf("the empty answer reads %s", got.body)
		}
		r := g.record(t)
		equal(t, "ending", r.Ending, usage.Complete)
		equal(t, "attempts", r.Attempts, 2)
	}
}

func TestEmptyAnswersArePassedOnWhereTheyMay(t *testing.T) {
	for _, request := range []string{ask("m"), askStream("m")} {
		for name, test := range map[string]struct {
			reply    testllm.Reply
			change   func(*gateway.Gateway)
			attempts int
		}{
			"switched off":                {emptyReplies["a"], func(g *gateway.Gateway) { g.RetryEmpty = false }, 1},
			"for length":                  {testllm.Reply{Chunks: []string{}, Finish: "length"}, nil, 1},
			"a call":                      {testllm.Reply{Chunks: []string{}, Tools: []testllm.Tool{{Name: "f"}}}, nil, 1},
			"reasoning":                   {testllm.Reply{Chunks: []string{}, Thinking: "hm"}, nil, 1},
			"filtered":                    {testllm.Reply{Chunks: []string{}, Finish: "content_filter"}, nil, 1},
			"filtered, to another target": {testllm.Reply{Chunks: []string{}, Finish: "content_filter"}, func(g *gateway.Gateway) { g.RetryFiltered = true }, 2},
			"filtered after some words":   {testllm.Reply{Text: "well", Finish: "content_filter"}, func(g *gateway.Gateway) { g.RetryFiltered = true }, 1},
		} {
			t.Run(name, func(t *testing.T) {
				g, a, _ := pair(t, test.change)
				a.Script(test.reply)
				equal(t, "status", g.chat(t, request).status, http.StatusOK)
				r := g.record(t)
				equal(t, "attempts", r.Attempts, test.attempts)
				equal(t, "ending", r.Ending, usage.Complete)
			})
		}
	}
}

// It was paid for, even if no other target can be had.
func TestEmptyAnswerIsPaidForWhenTheNextTargetFails(t *testing.T) {
	g, a, b := pair(t, nil)
	a.Script(emptyReplies["a"])
	b.Script(testllm.Reply{Status: http.StatusServiceUnavailable})
	wantError(t, g.chat(t, ask("m")), http.StatusBadGateway, "upstream_empty_answer")
	if r := g.record(t); r.Ending != usage.Failed || r.Tokens.Input != 9 {
		t.Errorf("record is %+v", r)
	}
}
