package gateway_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

// late are faults after content, which cannot be hidden.
var late = []failure{
	{"cut in the middle", testllm.Reply{CutAfter: 4}, false},
	{"reset in the middle", testllm.Reply{CutAfter: 4, Cut: testllm.Reset}, false},
	{"error in the middle", testllm.Reply{ErrorAfter: 2}, false},
	{"no end", testllm.Reply{NoTerminator: true}, false},
}

// throttles ask for time, or do not say for how much.
var throttles = []failure{
	{"busy for a moment", testllm.Reply{Status: 429, Header: http.Header{"Retry-After-Ms": {"2"}}}, false},
	{"busy for long", testllm.Reply{Status: 429, Header: http.Header{"Retry-After": {"3600"}}}, false},
	{"down for a moment", testllm.Reply{Status: 503, Header: http.Header{"Retry-After-Ms": {"2"}}}, false},
}

// faulty is a provider that does at random what the tables of faults say. Each
// answer says whose it is.
type faulty struct {
	*testllm.Server
	name string

	mu sync.Mutex
	// random decides, did is what it has decided for each call; nil: it answers.
	random *rand.Rand
	did    []*failure
	faults [2][]failure // for answers and for streams
}

func (f *faulty) decide(c *testllm.Call) testllm.Reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.did) <= c.Index {
		f.did = append(f.did, nil)
	}
	mark := fmt.Sprintf("mark-%s-%d ", f.name, c.Index)
	// A token for each event is what the gateway guesses where it is not told.
	ordinary := testllm.Reply{Chunks: []string{mark, mark, mark, mark}, Usage: testllm.Usage{Input: 9, Output: 4}}
	if f.random.IntN(4) == 0 {
		return ordinary
	}
	faults := f.faults[0]
	if c.Stream {
		faults = f.faults[1]
	}
	fault := faults[f.random.IntN(len(faults))]
	f.did[c.Index] = &fault
	reply := fault.reply
	if reply.Body == nil && reply.RawEvents == nil {
		reply.Usage = ordinary.Usage
		if reply.Text == "" {
			reply.Chunks = ordinary.Chunks
		}
	}
	return reply
}

var (
	someMark = regexp.MustCompile(`mark-[a-c]-\d+`)
	someCode = regexp.MustCompile(`"error"`)
	// unread are answers of which nothing could be seen that tells how long they were.
	unread = regexp.MustCompile(`^(no content|too large|(cut|reset) after the headers)`)
)

// TestInvariantsUnderFaults makes calls at providers that fail in every way that
// there is, in any order, and checks what must hold whatever they do.
func TestInvariantsUnderFaults(t *testing.T) {
	seeds := uint64(150)
	if asksForLong() {
		seeds = 5000
	}
	faults := [2][]failure{
		slices.Concat(failures, answerFailures, throttles),
		slices.Concat(failures, streamFailures, throttles, late),
	}
	known, budget := new(shared), new(routing.RetryBudget)
	config := setup{
		aliases: []alias{{name: "m", to: []string{"a/x", "b/x", "c/x"}, policy: routing.Random{}, budget: budget}}, health: known.of,
		change: func(g *gateway.Gateway) { g.Limits.Answer, g.Limits.Event = 40<<10, 40<<10 },
	}
	var all []*faulty
	for _, name := range []string{"a", "b", "c"} {
		f := &faulty{Server: testllm.New(t), name: name, random: rand.New(rand.NewPCG(uint64(name[0]), 7)), faults: faults}
		f.On(f.decide)
		all = append(all, f)
		config.upstreams = append(config.upstreams, loadKeys(t, name, f.URL+"/v1", `["`+name+`-key-1","`+name+`-key-2"]`))
	}
	g := config.start(t)
	stats := make(map[string]int)
	for seed := range seeds {
		if seed%8 == 0 { // some calls meet open breakers and waits, others do not
			for _, h := range known.models {
				h.Reset()
			}
		}
		for range 12 { // so that the retry budget is seldom the one who decides
			budget.Called(time.Now())
		}
		checkInvariants(t, g, all, askOf(seed%2 == 1), stats)
	}
	t.Log(stats)
	for name, h := range known.models {
		equal(t, "calls on their way to "+name, h.Model("x").InFlight(), 0)
	}
	wantBudgetFree(t, budget)
}

func askOf(stream bool) string {
	if stream {
		return askStream("m")
	}
	return ask("m")
}

func checkInvariants(t *testing.T, g *gate, all []*faulty, request string, stats map[string]int) {
	t.Helper()
	before := make([]int, len(all))
	for i, f := range all {
		before[i] = len(f.Calls())
	}
	got := g.chat(t, request)
	record := g.record(t)

	requests, prompt, completion, resent := 0, 0, 0, 0
	var story []string
	for i, f := range all {
		for _, call := range f.Calls()[before[i]:] {
			requests++
			fault := f.did[call.Index]
			if fault == nil || fault.name != "no content" { // which nobody charges for
				prompt += call.Prompt
			}
			if fault == nil || !unread.MatchString(fault.name) {
				completion += call.Completion
			}
			if fault == nil {
				story = append(story, f.name+": answered")
				continue
			}
			story = append(story, f.name+": "+fault.name)
			if fault.duplicate {
				resent++
			}
		}
	}
	complain := func(what string, args ...any) {
		t.Errorf("%s\nproviders did %q, the client got %d %.300s, the record is %+v", fmt.Sprintf(what, args...), story, got.status, got.body, *record)
	}
	stats[fmt.Sprintf("%d attempts", requests)]++
	stats[string(record.Ending)]++
	if requests > 3 || requests != record.Attempts {
		complain("%d requests came to providers in %d attempts", requests, record.Attempts)
	}
	if resent > 2 { // the second of them is not sent again
		complain("%d requests may have been answered and were sent again", resent-1)
	}
	if record.PossibleDuplicate && (resent == 0 || requests < 2) {
		complain("nothing was sent again that may have been answered")
	}
	marks := make(map[string]bool)
	for _, mark := range someMark.FindAllString(got.body, -1) {
		marks[mark] = true
	}
	if len(marks) > 1 || len(marks) > 0 && strings.Contains(got.body, lostText) {
		complain("the client saw more than one attempt: %v", marks)
	}
	if got.status != http.StatusOK {
		if len(marks) > 0 || !someCode.MatchString(got.body) {
			complain("an error is mixed with an answer")
		}
		if len(record.Failures) > 0 && record.Error != record.Failures[0].Error {
			complain("the error is %s, the first was %s", record.Error, record.Failures[0].Error)
		}
	}
	if record.Tokens.Input < int64(prompt) || record.Tokens.Output < int64(completion) {
		complain("providers bill %d and %d tokens", prompt, completion)
	}
	if free := record.Tokens.Total() == 0; free && (prompt > 0 || record.Ending == usage.Complete) {
		complain("a call that was accepted is free")
	}
}
