package gateway_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/usage"
)

// books are a gateway before three providers of three formats, and the means to
// compare what it writes down with what they bill. Time is virtual.
type books struct {
	*gate
	t       *testing.T
	dice    *rand.Rand
	servers map[string]*testllm.Server
	seen    map[string]int // calls that were checked
	said    map[string]testllm.Reply
}

// orders are the targets of the models, by name.
var orders = map[string][]string{
	"abc": {"a/m", "b/claude-opus-4-5", "c/gemini-3-pro"}, "bca": {"b/claude-opus-4-5", "c/gemini-3-pro", "a/m"},
	"cab": {"c/gemini-3-pro", "a/m", "b/claude-opus-4-5"}, "ba": {"b/claude-opus-4-5", "a/m"}, "a": {"a/m"}, "c": {"c/gemini-3-pro"},
}

func openBooks(t *testing.T, seed uint64) *books {
	b := &books{
		t: t, dice: rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // to be repeated
		servers: make(map[string]*testllm.Server), seen: make(map[string]int),
	}
	var s setup
	for name, module := range map[string]string{"a": "openai_compatible", "b": "anthropic", "c": "gemini"} {
		srv := testllm.Serve(t, listenPipe())
		srv.On(func(*testllm.Call) testllm.Reply { return b.said[name] })
		b.servers[name] = srv
		base := srv.URL
		if name == "a" {
			base += "/v1"
		}
		s.upstreams = append(s.upstreams, load(t, name, module, base, overPipes))
	}
	for name, to := range orders {
		s.aliases = append(s.aliases, alias{name: name, to: to})
	}
	s.inMemory = true
	s.change = func(g *gateway.Gateway) {
		g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
	}
	b.gate = s.start(t)
	return b
}

// reply is what a provider will say, and what will go wrong. A word is a token.
func (b *books) reply(name string) testllm.Reply {
	words := make([]string, 1+b.dice.IntN(12))
	for i := range words {
		words[i] = fmt.Sprintf("word%s%d ", name, i)
	}
	r := testllm.Reply{Chunks: words, Usage: testllm.Usage{Input: 5, Output: len(words)}, NoUsage: b.dice.IntN(4) == 0}
	cut := testllm.Cut(1 + b.dice.IntN(2))
	switch b.dice.IntN(16) {
	case 0:
		r.Status = [...]int{400, 401, 408, 429, 500, 502, 503, 504, 529}[b.dice.IntN(9)]
	case 1:
		r.ResetConnection = true
	case 2:
		r.Hold = true
	case 3:
		r.StallAfter = testllm.AtOnce
	case 4:
		r.StallAfter = 1 + b.dice.IntN(9)
	case 5:
		r.CutAfter, r.Cut = 1+b.dice.IntN(9), cut
	case 6:
		r.CutAfter, r.Cut = testllm.AtOnce, cut
	case 7:
		r.CutBytes, r.Cut = 1+b.dice.IntN(900), cut
	case 8:
		r.ErrorAfter = 1 + b.dice.IntN(6)
	case 9:
		r.ErrorAfter = testllm.AtOnce
	case 10:
		r.NoTerminator = true
	case 11:
		r.Chunks, r.Usage.Output = []string{}, 0
	case 12:
		r.WritesOf, r.ChunkDelay = 1+b.dice.IntN(40), 50*time.Millisecond
	case 13:
		r.ChunkDelay = 40 * time.Second
	case 14:
		r.Status, r.Header = 429, http.Header{"Retry-After": {"3"}}
	}
	return r
}

// call makes one call, and compares what the gateway wrote down with what the
// providers did.
func (b *books) call(n int) {
	t := b.t
	b.said = make(map[string]testllm.Reply)
	for _, name := range []string{"a", "b", "c"} {
		b.said[name] = b.reply(name)
	}
	d := dialects[b.dice.IntN(len(dialects))]
	model := [...]string{"abc", "bca", "cab", "ba", "a", "c"}[b.dice.IntN(6)]
	path, body := d.path, d.body
	if b.dice.IntN(3) > 0 {
		path, body = d.streamPath, d.streamBody
	}
	patience := time.Hour
	if b.dice.IntN(4) == 0 { // a client that leaves
		patience = time.Duration(b.dice.IntN(200))*time.Second + time.Second/2
	}
	ctx, leave := context.WithTimeout(t.Context(), patience)
	defer leave()
	text, err := b.ask(ctx, forModel(path, model), forModel(body, model), d.header)
	leave()
	synctest.Wait()
	r := b.record(t)
	<-b.began
	b.compare(fmt.Sprintf("call %d, %s of %s", n, d.name, model), r, text, err)
	for _, srv := range b.servers {
		srv.Release() // what it has said it holds on to
	}
	time.Sleep(time.Duration(b.dice.IntN(30)) * time.Second)
}

// ask returns what the client got, until the end or until it left.
func (b *books) ask(ctx context.Context, path, body string, header []string) (string, error) {
	response, err := b.open(ctx, http.MethodPost, path, body, header...)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// tell describes the replies by what is not usual of them.
func (b *books) tell() (text string) {
	for name, r := range b.said {
		text += name + ":"
		for field, value := range reflect.ValueOf(r).Fields() {
			if !value.IsZero() {
				text += fmt.Sprintf(" %s=%v", field.Name, value)
			}
		}
		text += "\n"
	}
	return text
}

var saidWord = regexp.MustCompile(`word([abc])\d+ `)

func (b *books) compare(what string, r *usage.Record, text string, err error) {
	t := b.t
	t.Helper()
	var requests, billed int
	working := "" // the provider that does, for nobody
	var prompt, completion int64
	for name, srv := range b.servers {
		calls := srv.Calls()
		for _, call := range calls[b.seen[name]:] {
			requests++
			prompt += int64(call.Prompt)
			made := int64(call.Completion)
			if cut := b.said[name].CutBytes; cut > 0 && !call.Stream { // an answer that came in part, but was made as a whole
				made = min(made, int64(cut)/4)
			}
			completion += made
			if call.Prompt > 0 {
				billed++
			}
			if !call.Finished && !call.Cancelled {
				working = name
			}
		}
		b.seen[name] = len(calls)
	}
	complain := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s\nrecord %+v\nreplies %s\nthe client got %q (%v)", what, fmt.Sprintf(format, args...), r, b.tell(), text, err)
	}
	if working != "" && r.Ending != usage.Complete {
		complain("%s works on", working)
	}
	if r.Attempts != requests {
		complain("the record says %d attempts, the providers %d requests", r.Attempts, requests)
	}
	if r.Tokens.Input < prompt || r.Tokens.Output < completion {
		complain("the providers bill %d and %d tokens, the record says %d and %d", prompt, completion, r.Tokens.Input, r.Tokens.Output)
	}
	if billed > 1 && !r.PossibleDuplicate {
		complain("%d providers bill it, and the record knows of no duplicate", billed)
	}
	said := saidWord.FindAllStringSubmatch(text, -1)
	for _, found := range said {
		if found[1] != said[0][1] {
			complain("the words are of several answers")
			break
		}
	}
	if r.Ending == usage.Complete {
		words := len(b.said[r.Provider].Chunks)
		if got := len(said); err != nil || got < words {
			complain("it is complete with %d words of %d", got, words)
		}
	}
}

func TestLedgerOfRandomFaults(t *testing.T) {
	seeds := uint64(12)
	if os.Getenv("LLMPROXY_LONG") != "" {
		seeds = 300
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := openBooks(t, seed)
				for n := range 150 {
					if b.call(n); t.Failed() {
						return
					}
				}
			})
		})
	}
}
