package gateway_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/usage"
)

// fragile is a provider that panics at one stage of a call.
type fragile struct {
	providers.Provider
	stage string
	codec fragileCodec
}

// fragileCodec panics in whole answers, or at the event of a stream that holds "panic".
type fragileCodec struct {
	openai.Codec
	calm bool
}

type fragileInspector struct{ transform.StreamInspector }

// A mistake may carry what it happened on.
const mistake = "a mistake, with words of the client"

func (p fragile) Chat(call providers.Call) providers.Endpoint {
	p.at("chat")
	e := p.Provider.Chat(call)
	e.Codec = p.codec
	return e
}

func (p fragile) Base() *providers.Settings { p.at("base"); return p.Provider.Base() }

func (p fragile) Authorize(header http.Header, key string) {
	p.at("authorize")
	p.Provider.Authorize(header, key)
}

func (p fragile) at(stage string) {
	if p.stage == stage {
		panic(mistake)
	}
}

func (c fragileCodec) InspectResponse(body []byte) (transform.Summary, error) {
	if !c.calm {
		panic(mistake)
	}
	return c.Codec.InspectResponse(body)
}

func (c fragileCodec) NewStreamInspector() transform.StreamInspector {
	return fragileInspector{c.Codec.NewStreamInspector()}
}

func (i fragileInspector) Inspect(name, data []byte) (transform.Sign, error) {
	if strings.Contains(string(data), "panic") {
		panic(mistake)
	}
	return i.StreamInspector.Inspect(name, data)
}

// fragilePolicy is a selection policy that panics.
type fragilePolicy struct{}

func (fragilePolicy) Order(routing.Call, []routing.Target) { panic(mistake) }

// panics are those that a gateway told of.
type panics struct {
	mu   sync.Mutex
	told []*gateway.Panic
}

func (p *panics) tell(of *gateway.Panic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, of)
}

func TestA11PanicIsToldToTheClientAndLeavesNothingBehind(t *testing.T) {
	srv := testllm.New(t)
	loaded := load(t, "a", "openai", srv.URL)
	sound := loaded.Provider
	upstreams := []*providers.Upstream{loaded, load(t, "b", "openai", srv.URL)}
	streams, told := new(gateway.Streams), new(panics)
	var table *routing.Table
	g := setup{
		upstreams: upstreams,
		aliases:   []alias{{name: "odd", to: []string{"b/x", "b/y"}, policy: fragilePolicy{}}},
		change: func(g *gateway.Gateway) {
			g.Streams, g.Panicked, table = streams, told.tell, g.Routes
			g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
		},
	}.start(t)
	const messages, generate = "/v1/messages", "/v1beta/models/a/x:generateContent"
	inGemini := `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	for _, test := range []struct {
		name, stage, path, request string
		reply                      testllm.Reply
		status                     int
		says                       string
		ending                     usage.Ending
		accepted                   bool
	}{
		{"in a policy", "", chatPath, ask("odd"), testllm.Reply{}, 500, `"code":"internal_error"`, usage.Refused, false},
		{"in a provider's address", "chat", chatPath, ask("a/x"), testllm.Reply{}, 500, `"code":"internal_error"`, usage.Refused, false},
		{"in a provider's address, for Anthropic", "chat", messages, ask("a/x"), testllm.Reply{}, 500, `{"type":"error","error":{"type":"api_error"`, usage.Refused, false},
		{"in a provider's address, for Gemini", "chat", generate, inGemini, testllm.Reply{}, 500, `"status":"INTERNAL"`, usage.Refused, false},
		{"in a provider's credential", "authorize", chatPath, ask("a/x"), testllm.Reply{}, 500, `"code":"internal_error"`, usage.Refused, false},
		{"in a provider's settings", "base", chatPath, ask("a/x"), testllm.Reply{}, 500, `"code":"internal_error"`, usage.Refused, false},
		{"in an answer", "", chatPath, ask("a/x"), testllm.Reply{}, 500, `"code":"internal_error"`, usage.Failed, true},
		{"before content", "", chatPath, askStream("a/x"), testllm.Reply{RawEvents: []string{textChunk("panic")}}, 500, `"code":"internal_error"`, usage.Failed, true},
		{"after content", "", chatPath, askStream("a/x"), testllm.Reply{RawEvents: []string{begun, textChunk("panic")}, ChunkDelay: 1e7}, 200, begun + `data: {"error":{`, usage.Broken, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			loaded.Provider = fragile{Provider: sound, stage: test.stage}
			srv.Script(test.reply)
			told.told = nil
			got := g.do(t, http.MethodPost, test.path, test.request)
			if got.err != nil || got.status != test.status || !strings.Contains(got.body, test.says) {
				t.Errorf("the answer is %d %q (%v), want %d with %s", got.status, got.body, got.err, test.status, test.says)
			}
			if strings.Contains(got.body, "[DONE]") || strings.Contains(got.body, mistake) {
				t.Errorf("the answer is %q", got.body)
			}
			record := g.record(t)
			equal(t, "ending", record.Ending, test.ending)
			equal(t, "error", record.Error, "internal_error")
			if test.accepted && (!record.Tokens.Estimated || record.Tokens.Input == 0) {
				t.Errorf("tokens are %+v", record.Tokens)
			}
			if len(told.told) != 1 {
				t.Fatalf("%d panics were told of", len(told.told))
			}
			p := told.told[0]
			equal(t, "request", p.Call.RequestID, record.RequestID)
			equal(t, "operation", p.Call.Operation, "chat")
			equal(t, "status of the error", record.ErrorStatus, 500)
			equal(t, "what", p.What, "string")
			if !strings.Contains(string(p.Stack), "fragile") || strings.Contains(string(p.Stack), mistake) {
				t.Errorf("the stack is %s", p.Stack)
			}
		})
	}
	loaded.Provider = fragile{Provider: sound, codec: fragileCodec{calm: true}}
	srv.Script(testllm.Reply{RawEvents: []string{begun, finishChunk, doneEvent}})
	wantText(t, g.chat(t, askStream("a/x")), begun)
	g.record(t)
	for _, upstream := range upstreams {
		for _, model := range table.Health(upstream).Snapshot(upstream.Base().Fingerprints(), time.Now()).Models {
			equal(t, "attempts under way at "+upstream.Name+"/"+model.Model, model.InFlight, 0)
		}
	}
	streams.Wait(patience) // the last call leaves after it is settled
	streams.End()          // knows of no stream any more
}

func TestA11PanicThatCutsTheConnectionGoesOn(t *testing.T) {
	srv := testllm.New(t)
	loaded := load(t, "a", "openai", srv.URL)
	loaded.Provider = aborting{loaded.Provider}
	told := new(panics)
	g := setup{upstreams: []*providers.Upstream{loaded}, change: func(g *gateway.Gateway) { g.Panicked = told.tell }}.start(t)
	if response, err := g.open(t.Context(), http.MethodPost, chatPath, ask("a/x")); err == nil {
		response.Body.Close()
		t.Errorf("the answer is %d", response.StatusCode)
	}
	equal(t, "error", g.record(t).Error, "internal_error")
	equal(t, "panics", len(told.told), 0)
}

type aborting struct{ providers.Provider }

func (aborting) Chat(providers.Call) providers.Endpoint { panic(http.ErrAbortHandler) }
