package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

func TestRecordOfAnAnswer(t *testing.T) {
	for _, stream := range []bool{false, true} {
		g, a, _ := guarded(t)
		a.Script(testllm.Reply{Usage: testllm.Usage{Input: 100, CacheRead: 40, Output: 50, Reasoning: 30}, Finish: "length"})
		request := string(testllm.ChatRequest("m", stream, "hi"))
		got := g.chat(t, request, "X-Api-Key", appKey)
		r := g.record(t)
		if r.Start.IsZero() || r.Waited <= 0 || r.FirstToken < r.Waited || r.Duration < r.FirstToken {
			t.Errorf("times are %v %v %v %v", r.Start, r.Waited, r.FirstToken, r.Duration)
		}
		equal(t, "request id", r.RequestID, got.header.Get("X-Request-Id"))
		want := usage.Record{
			Start: r.Start, RequestID: r.RequestID, Waited: r.Waited, FirstToken: r.FirstToken, Duration: r.Duration,
			Principal: "app", Operation: "chat", RequestedModel: "m", Route: "m", Provider: "a", Model: "x",
			UpstreamRequestID: "req_1", Stream: stream, Status: 200, Attempts: 1, Finish: "length", Ending: usage.Complete,
			Tokens:  usage.Tokens{Input: 100, CacheRead: 40, Output: 50, Reasoning: 30, Known: true},
			BytesIn: int64(len(request)), BytesOut: int64(len(got.body)),
		}
		equal(t, "record", fmt.Sprintf("%+v", *r), fmt.Sprintf("%+v", want))
	}
}

func TestRouteOfADirectAddressIsOther(t *testing.T) {
	g, _ := single(t, nil)
	g.chat(t, ask("openai/whatever-the-client-says"))
	equal(t, "route", g.record(t).Route, "other")
	g.chat(t, ask("unheard-of"))
	record := g.record(t)
	equal(t, "route", record.Route, "")
	equal(t, "attempts", record.Attempts, 0)
	equal(t, "ending", record.Ending, usage.Refused)
}

func TestUsageThatIsMissingOrNonsenseIsEstimated(t *testing.T) {
	const answer = `{"choices":[{"index":0,"message":{"role":"assistant","content":"some words of an answer"},"finish_reason":"stop"}]%s}`
	for name, said := range map[string]string{
		"none": ``, "null": `,"usage":null`, "empty": `,"usage":{}`, "nothing": `,"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`,
		"negative": `,"usage":{"prompt_tokens":-600,"completion_tokens":-1}`, "strings": `,"usage":{"prompt_tokens":"12","completion_tokens":"1"}`,
		"fractions": `,"usage":{"prompt_tokens":1.5,"completion_tokens":1e-3}`, "not an object": `,"usage":[9]`,
	} {
		t.Run(name, func(t *testing.T) {
			g, srv := single(t, nil)
			srv.Script(testllm.Reply{Body: fmt.Appendf(nil, answer, said)})
			g.chat(t, ask("openai/x"))
			chunk := `data: {"choices":[]` + said + "}\n\n"
			srv.Script(testllm.Reply{RawEvents: []string{begun, chunk, doneEvent}})
			for _, tokens := range []usage.Tokens{g.record(t).Tokens, func() usage.Tokens { g.chat(t, askStream("openai/x")); return g.record(t).Tokens }()} {
				if !tokens.Estimated || tokens.Input < 5 || tokens.Output < 2 {
					t.Errorf("tokens are %+v", tokens)
				}
			}
		})
	}
	t.Run("absurd", func(t *testing.T) {
		g, srv := single(t, nil)
		srv.Script(testllm.Reply{Body: fmt.Appendf(nil, answer, `,"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":2147483648,"prompt_tokens_details":{"cached_tokens":9223372036854775807}}`)})
		g.chat(t, ask("openai/x"))
		tokens := g.record(t).Tokens
		if tokens.Input <= 0 || tokens.Input > 1<<40 || tokens.CacheRead > tokens.Input || tokens.Total() < 0 {
			t.Errorf("tokens are %+v", tokens)
		}
	})
}

func TestWhatAProviderAcceptedIsNotFreeWhenItFailsLater(t *testing.T) {
	for _, request := range []string{ask("m"), askStream("m")} {
		g, a, b := pair(t, nil)
		a.Script(testllm.Reply{CutAfter: testllm.AtOnce})
		b.Script(testllm.Reply{Status: 503})
		equal(t, "status", g.chat(t, request).status, http.StatusBadGateway)
		record := g.record(t)
		equal(t, "ending", record.Ending, usage.Failed)
		if !record.Tokens.Estimated || record.Tokens.Input == 0 {
			t.Errorf("tokens are %+v", record.Tokens)
		}
	}
}

func TestWhatWasDeliveredCountsWhereTheProviderHadNotCountedYet(t *testing.T) {
	// Some providers begin with a count of one token of output, and correct it
	// at the end: who leaves before must not have the rest for nothing.
	early := strings.Replace(textChunk("a"), "}\n\n", `,"usage":{"prompt_tokens":30,"completion_tokens":1}}`+"\n\n", 1)
	g, srv := single(t, nil)
	srv.Script(testllm.Reply{RawEvents: []string{early + strings.Repeat(textChunk("many words"), 40)}, StallAfter: 1})
	g.after(t, early, askStream("openai/x"), srv.Release)
	tokens := g.record(t).Tokens
	equal(t, "input", tokens.Input, 30)
	if !tokens.Estimated || tokens.Output < 40 {
		t.Errorf("tokens are %+v", tokens)
	}
}

func TestParallelCallsDoNotMix(t *testing.T) {
	g, a, b := pair(t, nil)
	echo := func(c *testllm.Call) testllm.Reply {
		if c.Index%5 == 4 {
			return testllm.Reply{CutAfter: testllm.AtOnce} // so that calls change sides
		}
		_, mine, _ := strings.Cut(string(c.Body), "nonce-")
		mine, _, _ = strings.Cut(mine, `"`)
		return testllm.Reply{Chunks: strings.SplitAfter(strings.Repeat("nonce-"+mine+" ", 200), " ")}
	}
	a.On(echo)
	b.On(echo)
	const callers, each = 8, 12
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range each {
				mine := fmt.Sprintf("nonce-%d-%d-", caller, i)
				ctx, leave := context.WithCancel(t.Context())
				response, err := g.open(ctx, http.MethodPost, chatPath, string(testllm.ChatRequest("m", i%2 == 0, mine)))
				if err != nil {
					t.Error(err)
					leave()
					return
				}
				if i%3 == 2 {
					_, _ = io.ReadFull(response.Body, make([]byte, 300))
					leave()
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				leave()
				if strings.Count(string(body), "nonce-") != strings.Count(string(body), mine) {
					t.Errorf("%s got another's answer", mine)
				}
			}
		})
	}
	all.Wait()
	for range callers * each {
		<-g.arrived
	}
	equal(t, "records", len(g.settled), callers*each)
}
