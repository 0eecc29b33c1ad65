package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
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
				if billed := second.Calls()[0].Completion + 1; r.Tokens.Output < int64(billed) {
					t.Errorf("output is %d, both bill %d", r.Tokens.Output, billed)
				}
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
			reply testllm.Reply
			pass  bool
		}{
			"switched off": {emptyReplies["a"], true},
			"for length":   {testllm.Reply{Chunks: []string{}, Finish: "length"}, false},
			"a call":       {testllm.Reply{Chunks: []string{}, Tools: []testllm.Tool{{Name: "f"}}}, false},
			"reasoning":    {testllm.Reply{Chunks: []string{}, Thinking: "hm"}, false},
			"filtered":     {testllm.Reply{Chunks: []string{}, Finish: "content_filter"}, false},
		} {
			t.Run(name, func(t *testing.T) {
				a, b := testllm.New(t), testllm.New(t)
				g := setup{
					upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
					aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}, edit: func(r *routing.Route) { r.PassEmpty = test.pass }}},
				}.start(t)
				a.Script(test.reply)
				equal(t, "status", g.chat(t, request).status, http.StatusOK)
				wantCalls(t, b, 0)
				equal(t, "ending", g.record(t).Ending, usage.Complete)
			})
		}
	}
}

// A fallback for what providers filter takes over where nothing was said.
func TestFilteredAnswersGoToTheFallbackForThem(t *testing.T) {
	for _, on := range []routing.Conditions{routing.OnContentFilter, routing.OnTimeout} {
		for _, request := range []string{ask("m"), askStream("m")} {
			for _, text := range []string{"", "well"} {
				a, b := testllm.New(t), testllm.New(t)
				g := setup{
					upstreams: []*providers.Upstream{load(t, "a", "openai", a.URL+"/v1"), load(t, "b", "openai", b.URL+"/v1")},
					aliases:   []alias{{name: "m", to: []string{"a/x"}, fallback: []string{"b/y"}, on: on}},
				}.start(t)
				reply := testllm.Reply{Text: text, Finish: "content_filter"}
				if text == "" {
					reply.Chunks = []string{}
				}
				a.Script(reply)
				b.Script(testllm.Reply{Text: foundText})
				got := g.chat(t, request)
				r := g.record(t)
				equal(t, "ending", r.Ending, usage.Complete)
				if on == routing.OnContentFilter && text == "" {
					wantText(t, got, "second")
					equal(t, "provider", r.Provider, "b")
					continue
				}
				wantText(t, got, "content_filter")
				wantCalls(t, b, 0)
			}
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

func TestTranslatedAnswersThatSaySomethingAreNotEmpty(t *testing.T) {
	for _, module := range []string{"anthropic", "gemini"} {
		for _, request := range []string{ask("m"), askStream("m")} {
			a, b := testllm.New(t), testllm.New(t)
			g := setup{
				upstreams: []*providers.Upstream{load(t, "a", module, a.URL), load(t, "b", module, b.URL)},
				aliases:   []alias{{name: "m", to: []string{"a/x", "b/x"}}},
			}.start(t)
			a.Script(testllm.Reply{Chunks: []string{foundText}})
			wantText(t, g.chat(t, request), foundText)
			wantCalls(t, b, 0)
		}
	}
}
