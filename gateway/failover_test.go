package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// What of the first target must never be seen, and what of the second must.
const (
	lostText  = "of-the-first-target"
	foundText = "from the second target"
)

const skeletonChunk = `data: {"id":"` + lostText + `","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"

// failure is a way to fail before any content.
type failure struct {
	name  string
	reply testllm.Reply
	// duplicate: the provider may have done the work.
	duplicate bool
}

// failures come to requests for answers and for streams alike.
var failures = []failure{
	{"payment required", testllm.Reply{Status: 402}, false},
	{"key refused", testllm.Reply{Status: 401}, false},
	{"key forbidden", testllm.Reply{Status: 403}, false},
	{"key refused in a 400", testllm.Reply{Status: 400, Error: testllm.Error{Code: "invalid_api_key"}}, false},
	{"request timeout", testllm.Reply{Status: 408}, false},
	{"conflict", testllm.Reply{Status: 409}, false},
	{"rate limit", testllm.Reply{Status: 429}, false},
	{"quota", testllm.Reply{Status: 429, Error: testllm.Error{Code: "insufficient_quota"}}, false},
	{"internal error", testllm.Reply{Status: 500}, false},
	{"bad gateway", testllm.Reply{Status: 502}, true},
	{"unavailable", testllm.Reply{Status: 503}, false},
	{"gateway timeout", testllm.Reply{Status: 504}, true},
	{"overloaded", testllm.Reply{Status: 529}, false},
	{"HTML error", testllm.Reply{Status: 503, Body: []byte("<html><title>" + lostText + "</title>"), ContentType: "text/html"}, false},
	{"empty error", testllm.Reply{Status: 500, Body: []byte{}}, false},
	{"cut error", testllm.Reply{Status: 500, CutBytes: 5, Cut: testllm.Reset}, false},
	{"redirect", testllm.Reply{Status: 302, Header: http.Header{"Location": {"/elsewhere"}}}, false},
	{"no content", testllm.Reply{Status: 204}, false},
	{"reset", testllm.Reply{ResetConnection: true}, true},
	{"HTML answer", testllm.Reply{Body: []byte("<html>" + lostText), ContentType: "text/html"}, true},
	{"empty answer", testllm.Reply{Body: []byte{}}, true},
	{"error in a 200", testllm.Reply{Body: []byte(`{"error":{"message":"` + lostText + `","code":"overloaded"}}`), ContentType: "application/json"}, false},
	{"cut after the headers", testllm.Reply{CutAfter: testllm.AtOnce}, true},
	{"reset after the headers", testllm.Reply{CutAfter: testllm.AtOnce, Cut: testllm.Reset}, true},
}

var answerFailures = []failure{
	{"garbage", testllm.Reply{Body: []byte(`{"id":"` + lostText + `",`)}, true},
	{"not an object", testllm.Reply{Body: []byte(`"` + lostText + `"`)}, true},
	{"two objects", testllm.Reply{Body: []byte(`{"choices":[]}{"choices":[]}`)}, true},
	{"cut body", testllm.Reply{Text: lostText, CutBytes: 40}, true},
	{"reset body", testllm.Reply{Text: lostText, CutBytes: 40, Cut: testllm.Reset}, true},
	{"a stream that breaks off", testllm.Reply{RawEvents: []string{skeletonChunk, textChunk(lostText)}, ContentType: "text/event-stream"}, true},
	{"a stream that fails", testllm.Reply{RawEvents: []string{skeletonChunk, textChunk(lostText), `data: {"error":{"message":"` + lostText + `","code":"overloaded"}}` + "\n\n"}, ContentType: "text/event-stream"}, false},
	{"a stream of garbage", testllm.Reply{RawEvents: []string{skeletonChunk, "data: {" + lostText + "\n\n"}, ContentType: "text/event-stream"}, true},
	{"a stream that is too large", testllm.Reply{RawEvents: []string{skeletonChunk, strings.Repeat(textChunk(strings.Repeat(lostText, 1000)), 6), doneEvent}, ContentType: "text/event-stream"}, true},
	{"an empty stream", testllm.Reply{RawEvents: []string{skeletonChunk, finishChunk, doneEvent}, ContentType: "text/event-stream"}, true},
	{"nothing", testllm.Reply{Body: []byte(`{"id":"` + lostText + `","choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}]}`)}, true},
	{"too large", testllm.Reply{Text: strings.Repeat(lostText, 5000)}, true},
	{"too large, length unknown", testllm.Reply{Text: strings.Repeat(lostText, 5000), Header: http.Header{"Content-Length": nil}}, true},
	{"compressed unasked", testllm.Reply{Body: []byte("\x1f\x8b\x08\x00"), Header: http.Header{"Content-Encoding": {"gzip"}}}, true},
}

var streamFailures = []failure{
	{"JSON that is no answer", testllm.Reply{Body: []byte(`{"id":"` + lostText + `"}`), ContentType: "application/json"}, true},
	{"an answer that breaks off", testllm.Reply{Body: []byte(`{"choices":[{"index":0,"message":{"content":"` + lostText + `"}}]}`), CutBytes: 30, ContentType: "application/json"}, true},
	{"an answer that is too large", testllm.Reply{Body: []byte(`{"choices":[{"index":0,"message":{"content":"` + strings.Repeat(lostText, 5000) + `"}}]}`), ContentType: "application/json"}, true},
	{"an empty answer", testllm.Reply{Body: []byte(`{"id":"` + lostText + `","choices":[{"index":0,"message":{"content":""},"finish_reason":"stop"}]}`), ContentType: "application/json"}, true},
	{"an empty stream", testllm.Reply{RawEvents: []string{skeletonChunk, finishChunk, doneEvent}}, true},
	{"an empty stream without an end", testllm.Reply{RawEvents: []string{skeletonChunk, doneEvent}}, true},
	{"cut after the skeleton", testllm.Reply{Model: lostText, CutAfter: 1}, true},
	{"reset after the skeleton", testllm.Reply{RawEvents: []string{skeletonChunk}, Cut: testllm.Reset}, true},
	{"end after the skeleton", testllm.Reply{RawEvents: []string{skeletonChunk}}, true},
	{"end after a comment", testllm.Reply{RawEvents: []string{": " + lostText + "\n\n"}}, true},
	{"half an event", testllm.Reply{RawEvents: []string{skeletonChunk, `data: {"choices":[{"index":0,"delta":{"content":"` + lostText}}, true},
	{"error first", testllm.Reply{Text: lostText, ErrorAfter: testllm.AtOnce}, false},
	{"error after the skeleton", testllm.Reply{RawEvents: []string{skeletonChunk, `data: {"error":{"message":"` + lostText + `","type":"server_error","code":"overloaded"}}` + "\n\n"}}, false},
	{"unexplained error first", testllm.Reply{RawEvents: []string{`data: {"error":{"message":"` + lostText + `"}}` + "\n\n"}}, true},
	{"key refused first", testllm.Reply{RawEvents: []string{`data: {"error":{"message":"` + lostText + `","code":"invalid_api_key"}}` + "\n\n"}}, false},
	{"garbage event", testllm.Reply{RawEvents: []string{skeletonChunk, "data: {" + lostText + "\n\n"}}, true},
	{"event too large", testllm.Reply{RawEvents: []string{"data: {\"x\":\"" + strings.Repeat(lostText, 5000)}}, true},
}

func TestFailuresBeforeContentAreUnseen(t *testing.T) {
	small := func(g *gateway.Gateway) { g.Limits.Answer, g.Limits.Event = 40<<10, 40<<10 }
	check := func(t *testing.T, f failure, request string) {
		t.Run(f.name, func(t *testing.T) {
			g, a, b := pair(t, small)
			a.Script(f.reply)
			b.Script(testllm.Reply{Chunks: []string{foundText}})
			got := g.chat(t, request)
			wantText(t, got, foundText)
			if strings.Contains(fmt.Sprint(got), lostText) {
				t.Errorf("the client saw the first target: %+v", got)
			}
			wantCalls(t, a, 1)
			wantCalls(t, b, 1)
			record := g.record(t)
			equal(t, "attempts", record.Attempts, 2)
			equal(t, "provider", record.Provider+"/"+record.Model, "b/model-b")
			equal(t, "ending", record.Ending, usage.Complete)
			equal(t, "error", record.Error, "")
			equal(t, "possible duplicate", record.PossibleDuplicate, f.duplicate)
			// What had come of an answer that broke off is on top of the whole one.
			if output := record.Tokens.Output; output < int64(testllm.DefaultUsage.Output) || output > int64(testllm.DefaultUsage.Output) && !record.Tokens.Estimated {
				t.Errorf("output is %d, want %d", output, testllm.DefaultUsage.Output)
			}
		})
	}
	t.Run("answer", func(t *testing.T) {
		for _, f := range append(answerFailures, failures...) {
			check(t, f, ask("m"))
		}
	})
	t.Run("stream", func(t *testing.T) {
		for _, f := range append(streamFailures, failures...) {
			check(t, f, askStream("m"))
		}
	})
}

func TestRefusedConnectionFailsOver(t *testing.T) {
	for _, request := range []string{ask("m"), askStream("m")} {
		g, a, b := pair(t, nil)
		a.Close()
		b.Script(testllm.Reply{Chunks: []string{foundText}})
		wantText(t, g.chat(t, request), foundText)
		equal(t, "possible duplicate", g.record(t).PossibleDuplicate, false)
	}
}

func TestDeterministicErrorsArePassedOnAndNotRetried(t *testing.T) {
	for _, status := range []int{400, 404, 405, 413, 415, 422, 451} {
		for _, request := range []string{ask("m"), askStream("m")} {
			body := fmt.Sprintf(`{ "error":{"message":"Bad: temperature","type":"invalid_request_error","param":"temperature","code":"c%d"}, "more":1.0 }`, status)
			g, a, b := pair(t, nil)
			a.Script(testllm.Reply{Status: status, Body: []byte(body), ContentType: "application/json"})
			got := g.chat(t, request)
			equal(t, "status", got.status, status)
			equal(t, "body", got.body, body)
			wantCalls(t, a, 1)
			wantCalls(t, b, 0)
			record := g.record(t)
			equal(t, "ending", record.Ending, usage.Failed)
			equal(t, "status in the record", record.Status, status)
			equal(t, "tokens", record.Tokens, usage.Tokens{})
		}
	}
}

func TestErrorsOfTheRequestAreFinalWhateverTheirStatus(t *testing.T) {
	for _, e := range []testllm.Error{{Code: "context_length_exceeded"}, {Code: "content_policy_violation"}} {
		g, a, b := pair(t, nil)
		a.Script(testllm.Reply{Status: 500, Error: e})
		wantError(t, g.chat(t, ask("m")), 500, e.Code)
		wantCalls(t, b, 0)
	}
}

func TestOwnCredentialIsNeverTheClientsTrouble(t *testing.T) {
	for _, status := range []int{401, 403} {
		for _, request := range []string{ask("openai/x"), askStream("openai/x")} {
			g, srv := single(t, nil)
			srv.Script(testllm.Reply{Status: status, Error: testllm.Error{Message: "Incorrect API key provided: " + providerKey}})
			got := g.chat(t, request)
			wantError(t, got, 502, "upstream_auth_error")
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "false")
			if strings.Contains(fmt.Sprint(got), providerKey[:8]) {
				t.Errorf("the client got the provider's key: %+v", got)
			}
			equal(t, "error", g.record(t).Error, "upstream_auth_error")
		}
	}
}

func TestErrorsHoldNoKeyAndNoHost(t *testing.T) {
	g, srv := single(t, nil)
	for _, message := range []string{
		"key: " + providerKey, "You sent " + providerKey + " to us", "upstream http://127.0.0.1:8080/x is down", "Bearer sk-proj-another1key2of3theirs",
	} {
		for _, status := range []int{400, 429, 500, 502, 503} {
			srv.Script(testllm.Reply{Status: status, Error: testllm.Error{Message: message}})
			got := g.chat(t, ask("openai/x"))
			for _, secret := range []string{providerKey, "127.0.0.1", "sk-proj"} {
				if strings.Contains(got.body, secret) {
					t.Errorf("%d: the client got %s", status, got.body)
				}
			}
		}
	}
}

func TestModelsThatNoTargetIsLeftForFailAsTheFirstDid(t *testing.T) {
	g, a, b := pair(t, nil)
	a.Script(testllm.Reply{Status: 429, Error: testllm.Error{Message: "slow down, a"}, Header: http.Header{"Retry-After": {"7"}}})
	b.Script(testllm.Reply{Status: 500, Error: testllm.Error{Message: "broken, b"}})
	got := g.chat(t, ask("m"))
	equal(t, "status", got.status, 429)
	equal(t, "Retry-After", got.header.Get("Retry-After"), "7")
	equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), "")
	if !strings.Contains(got.body, "slow down, a") {
		t.Errorf("answer is %s", got.body)
	}
	record := g.record(t)
	equal(t, "attempts", record.Attempts, 3) // b once more: a's wait is longer than its own
	equal(t, "ending", record.Ending, usage.Failed)
	wantCalls(t, a, 1)
	wantCalls(t, b, 2)
}

// chain is a gateway whose model m is served by n providers, one after another.
func chain(t *testing.T, n int, change func(*gateway.Gateway)) (*gate, []*testllm.Server) {
	t.Helper()
	s, servers := chainOf(t, n)
	s.change = change
	return s.start(t), servers
}

func chainOf(t *testing.T, n int) (setup, []*testllm.Server) {
	t.Helper()
	s := setup{aliases: []alias{{name: "m"}}}
	var servers []*testllm.Server
	for i := range n {
		name := string(rune('a' + i))
		srv := testllm.New(t)
		servers = append(servers, srv)
		s.upstreams = append(s.upstreams, load(t, name, "openai", srv.URL+"/v1"))
		s.aliases[0].to = append(s.aliases[0].to, name+"/x")
	}
	return s, servers
}

func TestAttemptsAreBounded(t *testing.T) {
	// Beyond the targets it is the retry budget that ends it.
	for retries, want := range map[int]int{0: 1, 1: 2, 2: 3, 9: 5} {
		g, servers := chain(t, 4, func(g *gateway.Gateway) { g.Retries = retries })
		for _, srv := range servers {
			srv.Script(testllm.Reply{Status: 503})
		}
		equal(t, "status", g.chat(t, ask("m")).status, 503)
		equal(t, "attempts", g.record(t).Attempts, want)
		for i, srv := range servers[:3] {
			if calls := len(srv.Calls()); i < want && calls == 0 || i >= want && calls > 0 {
				t.Errorf("with %d retries provider %d was asked %d times", retries, i, calls)
			}
		}
	}
}

func TestOneTargetIsNotAskedTwice(t *testing.T) {
	srv := testllm.New(t)
	srv.Script(testllm.Reply{Status: 502})
	g := setup{
		upstreams: []*providers.Upstream{load(t, "a", "openai", srv.URL+"/v1")},
		aliases:   []alias{{name: "m", to: []string{"a/x", "a/x"}, fallback: []string{"a/x"}}},
	}.start(t)
	equal(t, "status", g.chat(t, ask("m")).status, 502)
	wantCalls(t, srv, 1)
}

func TestWhatMayHaveBeenAnsweredIsSentOnceMoreAtMost(t *testing.T) {
	reset, busy := testllm.Reply{ResetConnection: true}, testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"3"}}}
	for _, test := range []struct {
		name      string
		replies   []testllm.Reply
		calls     []int
		status    int
		duplicate bool
		retry     string
	}{
		{"twice", []testllm.Reply{reset, reset, {}}, []int{1, 1, 0}, 502, true, "false"},
		{"after a refusal", []testllm.Reply{busy, reset, reset}, []int{1, 1, 1}, 429, true, "false"},
		{"before a refusal", []testllm.Reply{reset, busy, {}}, []int{1, 1, 1}, 200, true, ""},
		{"last of all", []testllm.Reply{busy, busy, reset}, []int{1, 1, 1}, 429, false, "false"},
		{"never", []testllm.Reply{busy, busy, busy}, []int{1, 1, 1}, 429, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, servers := chain(t, 3, nil)
			for i, srv := range servers {
				srv.Script(test.replies[i])
			}
			got := g.chat(t, ask("m"))
			equal(t, "status", got.status, test.status)
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), test.retry)
			for i, srv := range servers {
				wantCalls(t, srv, test.calls[i])
			}
			equal(t, "possible duplicate", g.record(t).PossibleDuplicate, test.duplicate)
		})
	}
}

func TestErrorOfALoneTarget(t *testing.T) {
	for _, test := range []struct {
		name   string
		reply  testllm.Reply
		status int
		code   string
		retry  string
	}{
		{"reset", testllm.Reply{ResetConnection: true}, 502, "upstream_error", "false"},
		{"garbage", testllm.Reply{Body: []byte("{")}, 502, "upstream_protocol_error", "false"},
		{"redirect", testllm.Reply{Status: 307}, 502, "upstream_protocol_error", "false"},
		{"HTML", testllm.Reply{Status: 503, Body: []byte("<html><title>Sorry</title>")}, 503, "overloaded", "false"},
		{"overloaded", testllm.Reply{Status: 529, Body: []byte("busy")}, 503, "overloaded", "false"},
	} {
		for _, request := range []string{ask("openai/x"), askStream("openai/x")} {
			g, srv := single(t, nil)
			srv.Script(test.reply)
			got := g.chat(t, request)
			wantError(t, got, test.status, test.code)
			equal(t, "X-Should-Retry", got.header.Get("X-Should-Retry"), test.retry)
			equal(t, "content type", got.header.Get("Content-Type"), "application/json")
		}
	}
}

func TestRefusedConnectionOfALoneTarget(t *testing.T) {
	g, srv := single(t, nil)
	srv.Close()
	got := g.chat(t, ask("openai/x"))
	wantError(t, got, 502, "upstream_error")
	if strings.Contains(fmt.Sprint(got), strings.TrimPrefix(srv.URL, "http://")) {
		t.Errorf("the client got the provider's address: %+v", got)
	}
	record := g.record(t)
	equal(t, "tokens", record.Tokens, usage.Tokens{})
	if !strings.Contains(record.Cause, "refused") {
		t.Errorf("cause is %q", record.Cause)
	}
}
