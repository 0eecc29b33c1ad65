package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

// The limits of these tests.
var (
	oneCall    = limits.Limit{Name: "rpm", Kind: limits.Requests, Amount: 1, Window: limits.PerMinute}
	oneAtATime = limits.Limit{Name: "concurrency", Kind: limits.Concurrency, Amount: 1}
	manyTokens = limits.Limit{Name: "tpm", Kind: limits.Tokens, Amount: 10_000, Window: limits.PerMinute}
	tenDollars = limits.Limit{Name: "budget per day", Kind: limits.Money, Amount: 10 * limits.Dollar, Window: limits.PerDay}
	aCent      = limits.Limit{Name: "budget per day", Kind: limits.Money, Amount: limits.Dollar / 100, Window: limits.PerDay}
	noMoney    = limits.Limit{Name: "budget per day", Kind: limits.Money, Amount: 1, Window: limits.PerDay}
)

func rules(all ...limits.Limit) *limits.Rules { return &limits.Rules{Limits: all} }

// limited is a gateway whose key app has limits, before one provider.
type limited struct {
	*gate
	*testllm.Server
	limiter *limits.Limiter
	quota   *limits.Quota // of the key, for looking at it
}

const quotaKey = "app-secret"

func newLimiter(t testing.TB) *limits.Limiter {
	t.Helper()
	store, err := limits.NewMemory(limits.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	limiter := limits.NewLimiter(store)
	t.Cleanup(func() {
		if open := limiter.Stats().Open; open != 0 {
			t.Errorf("%d reservations are open", open)
		}
		if err := limiter.Close(); err != nil {
			t.Error(err)
		}
	})
	return limiter
}

const quotaPrices = `
prices:
  fake/priced: { input: 1, output: 10 }
  fake/dear: { input: 1000, output: 1000 }
  other/priced: { input: 1, output: 10 }
`

func priced(t testing.TB) *catalog.Catalog {
	t.Helper()
	prices, err := catalog.ParsePrices("prices.yaml", []byte(quotaPrices))
	if err != nil {
		t.Fatal(err)
	}
	return catalog.New(prices)
}

func limit(t testing.TB, r *limits.Rules, change ...func(*setup, *gateway.Gateway)) *limited {
	t.Helper()
	l := &limited{Server: testllm.New(t), limiter: newLimiter(t)}
	l.quota = r.Quota(limits.ScopeKey, "", "app")
	s := setup{
		upstreams: []*providers.Upstream{load(t, "fake", "openai", l.Server.URL+"/v1")},
		keys: []auth.Key{
			{ID: "app", Digests: []auth.Digest{auth.DigestOf(quotaKey)}, Rights: auth.Rights{Limits: r}},
			{ID: "free", Digests: []auth.Digest{auth.DigestOf("free-secret")}},
		},
	}
	for _, c := range change {
		c(&s, nil)
	}
	prices := priced(t)
	s.catalog = prices
	s.change = func(g *gateway.Gateway) {
		g.Catalog = prices
		g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
		g.Quotas = &gateway.Quotas{Limiter: func(context.Context) *limits.Limiter { return l.limiter }}
		for _, c := range change {
			c(&s, g)
		}
	}
	l.gate = s.start(t)
	return l
}

// after is what changes a gateway once it is made, of those that limit takes.
func after(change func(*gateway.Gateway)) func(*setup, *gateway.Gateway) {
	return func(_ *setup, g *gateway.Gateway) {
		if g != nil {
			change(g)
		}
	}
}

func before(change func(*setup)) func(*setup, *gateway.Gateway) {
	return func(s *setup, g *gateway.Gateway) {
		if g == nil {
			change(s)
		}
	}
}

func (l *limited) ask(t testing.TB, body string, header ...string) answer {
	t.Helper()
	return l.gate.chat(t, body, append([]string{"Authorization", "Bearer " + quotaKey}, header...)...)
}

// used is how much of a limit of the key is used.
func (l *limited) used(t testing.TB, kind limits.Kind) int64 {
	t.Helper()
	return usedOf(t, l.limiter, l.quota, kind)
}

func usedOf(t testing.TB, limiter *limits.Limiter, q *limits.Quota, kind limits.Kind) int64 {
	t.Helper()
	states, err := limiter.Peek(t.Context(), q.AppendClaims(nil, limits.Cost{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Limit.Kind == kind {
			return s.Limit.Amount - s.Remaining
		}
	}
	t.Fatal("there is no such limit")
	return 0
}

func TestRequestsAreLimited(t *testing.T) {
	l := limit(t, rules(oneCall, manyTokens))
	first := l.ask(t, ask("fake/priced"))
	equal(t, "status", first.status, 200)
	equal(t, "limit", first.header.Get("X-Ratelimit-Limit-Requests"), "1")
	equal(t, "remaining", first.header.Get("X-Ratelimit-Remaining-Requests"), "0")
	second := l.ask(t, ask("fake/priced"))
	wantError(t, second, 429, "rate_limit_exceeded")
	if !strings.Contains(second.body, "rpm of this API key") || second.header.Get("Retry-After") == "" || second.header.Get("Retry-After-Ms") == "" {
		t.Errorf("%s %v", second.body, second.header)
	}
	wantCalls(t, l.Server, 1)
	l.record(t)
	record := l.record(t)
	equal(t, "ending", record.Ending, usage.Refused)
	if len(record.Limits) != 1 || record.Limits[0] != (usage.Limit{Scope: "key", Kind: "requests"}) {
		t.Errorf("%+v", record.Limits)
	}
	// Others have their own.
	equal(t, "status", l.chat(t, ask("fake/priced"), "Authorization", "Bearer free-secret").status, 200)
}

func TestRefusalsAreInTheClientsFormat(t *testing.T) {
	l := limit(t, rules(noMoney, limits.Limit{Name: "rpm", Kind: limits.Requests, Amount: 50, Window: limits.PerMinute}))
	message := `{"model":"fake/priced","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`
	claude := l.do(t, http.MethodPost, "/v1/messages", message, "x-api-key", quotaKey, "anthropic-version", "2023-06-01")
	if claude.status != 429 || !strings.Contains(claude.body, `"rate_limit_error"`) || !strings.Contains(claude.body, "budget") ||
		claude.header.Get("X-Should-Retry") != "false" || claude.header.Get("Anthropic-Ratelimit-Requests-Limit") != "50" {
		t.Errorf("%d %s %v", claude.status, claude.body, claude.header)
	}
	gemini := l.do(t, http.MethodPost, "/v1beta/models/fake/priced:generateContent", string(testllm.GeminiRequest("hi")), "x-goog-api-key", quotaKey)
	if gemini.status != 429 || !strings.Contains(gemini.body, "RESOURCE_EXHAUSTED") || gemini.header.Get("X-Should-Retry") != "false" {
		t.Errorf("%d %s", gemini.status, gemini.body)
	}
	wantCalls(t, l.Server, 0)
}

// What is reserved is replaced by what was used.
func TestCallsAreSettledAtWhatTheyTook(t *testing.T) {
	for name, question := range map[string]string{"whole": ask("fake/priced"), "stream": askStream("fake/priced")} {
		t.Run(name, func(t *testing.T) {
			l := limit(t, rules(manyTokens, tenDollars, oneAtATime))
			l.Script(testllm.Reply{Chunks: []string{"a"}, Usage: testllm.Usage{Input: 1000, Output: 50}})
			l.ask(t, question)
			l.record(t)
			equal(t, "tokens", l.used(t, limits.Tokens), 1050)
			equal(t, "money", l.used(t, limits.Money), int64(1_500_000)) // 1000×1 + 50×10 millionths
			equal(t, "calls under way", l.used(t, limits.Concurrency), 0)
		})
	}
}

func TestWhatNoProviderDidIsGivenBack(t *testing.T) {
	for name, test := range map[string]struct {
		reply testllm.Reply
		want  int64 // requests
	}{
		"refused":   {testllm.Reply{Status: 429}, 1},
		"bad":       {testllm.Reply{Status: 400}, 1},
		"failed":    {testllm.Reply{Status: 500}, 1},
		"forbidden": {testllm.Reply{Status: 401}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := limit(t, rules(manyTokens, tenDollars, limits.Limit{Name: "rpd", Kind: limits.Requests, Amount: 9, Window: limits.PerDay}))
			l.Script(test.reply)
			l.ask(t, ask("fake/priced"))
			l.record(t)
			equal(t, "requests", l.used(t, limits.Requests), test.want)
			equal(t, "tokens", l.used(t, limits.Tokens), 0)
			equal(t, "money", l.used(t, limits.Money), 0)
		})
	}
	t.Run("not sent", func(t *testing.T) {
		l := limit(t, rules(manyTokens, oneCall))
		l.Server.Close()
		equal(t, "status", l.ask(t, ask("fake/priced")).status, 502)
		equal(t, "requests", l.used(t, limits.Requests), 1) // attempts were made
		equal(t, "tokens", l.used(t, limits.Tokens), 0)
	})
	t.Run("may have been answered", func(t *testing.T) {
		l := limit(t, rules(manyTokens, tenDollars))
		l.Script(testllm.Reply{ResetConnection: true})
		l.ask(t, ask("fake/priced"))
		if n := l.used(t, limits.Tokens); n == 0 || n > 200 || l.used(t, limits.Money) == 0 {
			t.Errorf("%d tokens, %d of money", n, l.used(t, limits.Money))
		}
	})
}

// Every route that reaches a provider is refused once the budget is used up.
func TestNoRouteIsFreeOfTheBudget(t *testing.T) {
	chat := `{"model":"fake/priced","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`
	form := "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nfake/priced\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n"
	multipart := "multipart/form-data; boundary=b"
	for path, request := range map[string]struct{ body, contentType string }{
		"/v1/chat/completions":                              {body: chat},
		"/chat/completions":                                 {body: chat},
		"/openai/deployments/x/chat/completions":            {body: chat},
		"/v1/responses":                                     {body: `{"model":"fake/priced","input":"hi"}`},
		"/v1/responses/input_tokens":                        {body: `{"model":"fake/priced","input":"hi"}`},
		"/v1/embeddings":                                    {body: `{"model":"fake/priced","input":"hi"}`},
		"/v1/completions":                                   {body: `{"model":"fake/priced","prompt":"hi"}`},
		"/v1/moderations":                                   {body: `{"model":"fake/priced","input":"hi"}`},
		"/v1/rerank":                                        {body: `{"model":"fake/priced","query":"hi","documents":["a"]}`},
		"/v1/images/generations":                            {body: `{"model":"fake/priced","prompt":"hi"}`},
		"/v1/images/edits":                                  {form, multipart},
		"/v1/images/variations":                             {form, multipart},
		"/v1/audio/speech":                                  {body: `{"model":"fake/priced","input":"hi","voice":"a"}`},
		"/v1/audio/transcriptions":                          {form, multipart},
		"/v1/audio/translations":                            {form, multipart},
		"/v1/messages":                                      {body: chat},
		"/v1/messages/count_tokens":                         {body: chat},
		"/v1beta/models/fake/priced:generateContent":        {body: string(testllm.GeminiRequest("hi"))},
		"/v1beta/models/fake/priced:streamGenerateContent":  {body: string(testllm.GeminiRequest("hi"))},
		"/v1beta/models/fake/priced:countTokens":            {body: string(testllm.GeminiRequest("hi"))},
		"/v1beta/models/fake/priced:embedContent":           {body: `{"content":{"parts":[{"text":"hi"}]}}`},
		"/v1beta/models/fake/priced:batchEmbedContents":     {body: `{"requests":[{"model":"models/x","content":{"parts":[{"text":"hi"}]}}]}`},
		"/gemini/v1beta/models/fake/priced:generateContent": {body: string(testllm.GeminiRequest("hi"))},
		"/anthropic/v1/messages":                            {body: chat},
		"/openai/v1/embeddings":                             {body: `{"model":"fake/priced","input":"hi"}`},
		"/v1/projects/p/locations/l/publishers/google/models/fake/priced:generateContent": {body: string(testllm.GeminiRequest("hi"))},
	} {
		t.Run(path, func(t *testing.T) {
			l := limit(t, rules(noMoney))
			spend(t, l)
			contentType := request.contentType
			if contentType == "" {
				contentType = "application/json"
			}
			got := l.do(t, http.MethodPost, path, request.body, "Authorization", "Bearer "+quotaKey, "Content-Type", contentType)
			if got.status != http.StatusTooManyRequests || got.header.Get("X-Should-Retry") != "false" {
				t.Errorf("%d %s", got.status, got.body)
			}
			wantCalls(t, l.Server, 0)
		})
	}
}

// spend uses up the budget of the key.
func spend(t testing.TB, l *limited) {
	t.Helper()
	d, err := l.limiter.Reserve(t.Context(), limits.NewID(), l.quota.AppendClaims(nil, limits.Cost{Money: 1}))
	if err != nil || !d.Granted() {
		t.Fatal(err, d)
	}
	if _, err := l.limiter.Settle(t.Context(), d.Reservation, limits.Actual{Money: limits.Dollar, MoneyKnown: true}); err != nil {
		t.Fatal(err)
	}
}

func TestModelListsAreFree(t *testing.T) {
	l := limit(t, rules(oneCall))
	for range 3 {
		equal(t, "status", l.do(t, http.MethodGet, "/v1/models", "", "Authorization", "Bearer "+quotaKey).status, 200)
	}
	equal(t, "requests", l.used(t, limits.Requests), 0)
}

func TestModelsWithoutAPriceAreLeftOutUnderABudget(t *testing.T) {
	alias := before(func(s *setup) { s.aliases = []alias{{name: "m", to: []string{"fake/nobody", "fake/priced"}}} })
	t.Run("another target answers", func(t *testing.T) {
		l := limit(t, rules(tenDollars), alias)
		equal(t, "status", l.ask(t, ask("m")).status, 200)
		equal(t, "model", l.Server.Calls()[0].Model, "priced")
	})
	t.Run("none is left", func(t *testing.T) {
		l := limit(t, rules(tenDollars))
		got := l.ask(t, ask("fake/nobody"))
		wantError(t, got, 403, "model_unpriced")
		if !strings.Contains(got.body, "unpriced allow") {
			t.Error(got.body)
		}
		wantCalls(t, l.Server, 0)
	})
	t.Run("allowed", func(t *testing.T) {
		r := rules(tenDollars)
		r.Unpriced = true
		l := limit(t, r, alias)
		equal(t, "status", l.ask(t, ask("m")).status, 200)
		equal(t, "model", l.Server.Calls()[0].Model, "nobody")
		l.record(t)
		equal(t, "money", l.used(t, limits.Money), 0)
	})
	t.Run("without a budget", func(t *testing.T) {
		l := limit(t, rules(oneCall), alias)
		l.ask(t, ask("m"))
		equal(t, "model", l.Server.Calls()[0].Model, "nobody")
	})
}

// L-08
func TestL08_BudgetNearlyUsedUpAndMuchAskedFor(t *testing.T) {
	l := limit(t, rules(aCent))
	got := l.ask(t, `{"model":"fake/priced","max_tokens":64000,"messages":[{"role":"user","content":"hi"}]}`)
	wantError(t, got, 429, "insufficient_quota")
	equal(t, "x-should-retry", got.header.Get("X-Should-Retry"), "false")
	equal(t, "Retry-After", got.header.Get("Retry-After"), "") // it never fits
	wantCalls(t, l.Server, 0)
	equal(t, "status", l.ask(t, ask("fake/priced")).status, 200)
	spend(t, l)
	got = l.ask(t, ask("fake/priced"))
	wantError(t, got, 429, "insufficient_quota")
	if got.header.Get("Retry-After") == "" {
		t.Error("the day ends within 24 hours, but there is no Retry-After")
	}
}

// The dearest target decides what is reserved.
func TestMoneyIsReservedForTheDearestTarget(t *testing.T) {
	cheap := func(s *setup) { s.aliases = []alias{{name: "m", to: []string{"fake/priced", "fake/dear"}}} }
	l := limit(t, rules(aCent), before(cheap))
	wantError(t, l.ask(t, ask("m")), 429, "insufficient_quota")
	equal(t, "status", l.ask(t, ask("fake/priced")).status, 200)
}

// L-07
func TestL07_AbsurdCountsAreNotBelieved(t *testing.T) {
	const told = `{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%[1]s,"completion_tokens":%[1]s,"prompt_tokens_details":{"cached_tokens":%[1]s}}}`
	for _, count := range []string{"-600", "2147483647", "9223372036854775807", `"12"`, "1e99", "null", "99999999999999999999999", "1.5"} {
		t.Run(count, func(t *testing.T) {
			l := limit(t, rules(limits.Limit{Name: "tpm", Kind: limits.Tokens, Amount: 1 << 40, Window: limits.PerMinute}, limits.Limit{Name: "b", Kind: limits.Money, Amount: 1e15, Window: limits.PerDay}))
			l.Script(testllm.Reply{Body: fmt.Appendf(nil, told, count)})
			l.ask(t, ask("fake/priced"))
			l.record(t)
			if n := l.used(t, limits.Tokens); n < 1 || n > 2000 {
				t.Errorf("%d tokens are charged", n)
			}
			if n := l.used(t, limits.Money); n < 1 || n > limits.Dollar {
				t.Errorf("%d of money is charged", n)
			}
		})
	}
}

// L-09
func TestL09_StreamsThatAreAbortedCostWhatTheyDelivered(t *testing.T) {
	words := []string{"one ", "two ", "three ", "four ", "five "}
	for _, path := range []string{chatPath, "/v1/messages"} {
		for n := range len(words) {
			t.Run(fmt.Sprint(path, n), func(t *testing.T) {
				l := limit(t, rules(manyTokens, tenDollars))
				l.Script(testllm.Reply{Chunks: words, StallAfter: n + 1, Usage: testllm.Usage{Input: 20, Output: 5}})
				ctx, leave := context.WithCancel(t.Context())
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					if response, err := l.open(ctx, http.MethodPost, path, askStream("fake/priced"), "Authorization", "Bearer "+quotaKey); err == nil {
						_, _ = io.Copy(io.Discard, response.Body)
						_ = response.Body.Close()
					}
				}()
				l.WaitCalls(t, 1)
				time.Sleep(20 * time.Millisecond) // in which the events arrive
				leave()
				<-gone
				l.record(t)
				call := l.WaitCancelled(t, 1)[0]
				billed := int64(call.Prompt + call.Completion)
				if used := l.used(t, limits.Tokens); used < billed || used == 0 {
					t.Errorf("%d tokens are charged, the provider bills %d", used, billed)
				}
				if used, cost := l.used(t, limits.Money), int64(call.Prompt+10*call.Completion)*1000; used < cost || used == 0 {
					t.Errorf("%d is charged, the provider bills %d", used, cost)
				}
				l.Release()
			})
		}
	}
}

// L-02
func TestL02_WhatIsRefusedForConcurrencyTakesNothingElse(t *testing.T) {
	l := limit(t, rules(oneAtATime, manyTokens, tenDollars, limits.Limit{Name: "rpm", Kind: limits.Requests, Amount: 100, Window: limits.PerMinute}))
	l.Script(testllm.Reply{Hold: true})
	done := make(chan answer)
	go func() { done <- l.ask(t, ask("fake/priced")) }()
	l.WaitCalls(t, 1)
	requests, tokens, money := l.used(t, limits.Requests), l.used(t, limits.Tokens), l.used(t, limits.Money)
	for range 20 {
		wantError(t, l.ask(t, ask("fake/priced")), 429, "rate_limit_exceeded")
	}
	equal(t, "requests", l.used(t, limits.Requests), requests)
	equal(t, "tokens", l.used(t, limits.Tokens), tokens)
	equal(t, "money", l.used(t, limits.Money), money)
	l.Release()
	equal(t, "status", (<-done).status, 200)
}

// L-03
func TestL03_NoEndOfACallLeavesALeaseBehind(t *testing.T) {
	ends, workers := 10_000, 16
	if !asksForLong() {
		ends = 400
	}
	l := limit(t, rules(limits.Limit{Name: "concurrency", Kind: limits.Concurrency, Amount: 1000}),
		before(func(s *setup) {
			s.upstreams = append(s.upstreams, load(t, "other", "openai", s.upstreams[0].Base().Origin().String()))
			s.aliases = []alias{{name: "m", to: []string{"fake/priced", "other/priced"}}}
		}),
		after(func(g *gateway.Gateway) {
			g.Limits.FirstToken, g.Limits.Total, g.Limits.Idle = 20*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
			g.Backoff = gateway.Backoff{Transient: time.Millisecond, Throttled: time.Millisecond, Most: 5 * time.Millisecond}
			g.Breaker = routing.Breaker{}
			g.Quotas.Upstreams = map[*providers.Upstream]*gateway.UpstreamQuotas{}
			for _, u := range g.Routes.Upstreams() {
				g.Quotas.Upstreams[u] = &gateway.UpstreamQuotas{All: rules(limits.Limit{Name: "concurrency", Kind: limits.Concurrency, Amount: 1000}).Quota(limits.ScopeProvider, "", u.Name)}
			}
		}))
	replies := []testllm.Reply{
		{}, {Status: 502}, {Status: 429}, {Status: 400}, {ResetConnection: true}, {Delay: 100 * time.Millisecond}, {CutAfter: 1},
		{Body: []byte(`{"choices":`)}, {Chunks: []string{"a", "b"}, StallAfter: 1}, {Status: 401}, {NoTerminator: true},
	}
	var next atomic.Int64
	l.Server.On(func(*testllm.Call) testllm.Reply { return replies[next.Add(1)%int64(len(replies))] })
	drained, stop := make(chan struct{}), make(chan struct{})
	go func() { // as nobody else does
		defer close(drained)
		for {
			select {
			case <-l.began:
			case <-l.arrived:
			case <-stop:
				return
			}
		}
	}()
	defer func() { close(stop); <-drained }()
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range ends / workers {
				ctx, leave := context.WithCancel(context.Background())
				question := ask("m")
				if i%2 == 0 {
					question = askStream("m")
				}
				if i%5 == w%5 {
					time.AfterFunc(time.Duration(i%10)*time.Millisecond, leave)
				}
				response, err := l.open(ctx, http.MethodPost, chatPath, question, "Authorization", "Bearer "+quotaKey)
				if err == nil {
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
				}
				leave()
			}
		})
	}
	group.Wait()
	deadline := time.Now().Add(patience)
	for l.limiter.Stats().Open > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	equal(t, "calls under way", l.used(t, limits.Concurrency), 0)
}

func TestCallsWaitForTheirTurn(t *testing.T) {
	r := rules(oneAtATime)
	r.Wait, r.Length = patience, 10
	l := limit(t, r)
	l.Script(testllm.Reply{Hold: true}, testllm.Reply{})
	done := make(chan answer, 2)
	go func() { done <- l.ask(t, ask("fake/priced")) }()
	l.WaitCalls(t, 1)
	go func() { done <- l.ask(t, ask("fake/priced")) }()
	for deadline := time.Now().Add(patience); l.limiter.Waiting() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	wantCalls(t, l.Server, 1)
	l.Release()
	equal(t, "status", (<-done).status, 200)
	equal(t, "status", (<-done).status, 200)
	l.record(t)
	if l.record(t).Queued == 0 {
		t.Error("the record does not say that the call waited")
	}
}

func TestClientsMayLeaveTheLine(t *testing.T) {
	r := rules(oneAtATime)
	r.Wait, r.Length = time.Hour, 10
	l := limit(t, r)
	l.Script(testllm.Reply{Hold: true})
	done := make(chan answer)
	go func() { done <- l.ask(t, ask("fake/priced")) }()
	l.WaitCalls(t, 1)
	ctx, leave := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, leave)
	if response, err := l.open(ctx, http.MethodPost, chatPath, ask("fake/priced"), "Authorization", "Bearer "+quotaKey); err == nil {
		_ = response.Body.Close()
	}
	equal(t, "ending", l.record(t).Ending, usage.ClientGone)
	equal(t, "waiting", l.limiter.Waiting(), 0)
	l.Release()
	<-done
	wantCalls(t, l.Server, 1)
}

func TestWithoutItsStoreALimitRefuses(t *testing.T) {
	l := limit(t, rules(oneCall), after(func(g *gateway.Gateway) { g.Quotas.Limiter = func(context.Context) *limits.Limiter { return nil } }))
	got := l.ask(t, ask("fake/priced"))
	wantError(t, got, 503, "limiter_unavailable")
	equal(t, "Retry-After", got.header.Get("Retry-After"), "5")
	wantCalls(t, l.Server, 0)
	equal(t, "status", l.chat(t, ask("fake/priced"), "Authorization", "Bearer free-secret").status, 200)
}

// L-10
func TestL10_ALimitThatIsLoweredDuringADebt(t *testing.T) {
	l := limit(t, rules(manyTokens))
	l.Script(testllm.Reply{Usage: testllm.Usage{Input: 9000, Output: 3000}})
	l.ask(t, ask("fake/priced"))
	l.record(t)
	lower := manyTokens
	lower.Amount = 100
	next := limit(t, rules(lower), after(func(g *gateway.Gateway) {
		g.Quotas.Limiter = func(context.Context) *limits.Limiter { return l.limiter }
	}))
	got := next.ask(t, `{"model":"fake/priced","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`)
	wantError(t, got, 429, "rate_limit_exceeded")
	equal(t, "remaining", got.header.Get("X-Ratelimit-Remaining-Tokens"), "0")
	wantCalls(t, next.Server, 0)
}

func TestCallsInLineAreToldThatTheProcessStops(t *testing.T) {
	r := rules(oneAtATime)
	r.Wait, r.Length = time.Hour, 10
	var streams *gateway.Streams
	l := limit(t, r, after(func(g *gateway.Gateway) { streams = g.Streams }))
	l.Script(testllm.Reply{Hold: true})
	done := make(chan answer, 2)
	go func() { done <- l.ask(t, ask("fake/priced")) }()
	l.WaitCalls(t, 1)
	go func() { done <- l.ask(t, ask("fake/priced")) }()
	for deadline := time.Now().Add(patience); l.limiter.Waiting() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	streams.End()
	for range 2 {
		wantError(t, <-done, 503, "gateway_stopping")
	}
	l.Release()
}
