package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/usage"
)

// told are the payloads that a gateway has logged.
type told struct {
	mu   sync.Mutex
	list []*gateway.Payload
	more chan struct{}
}

func (p *told) log(of *gateway.Payload) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, of)
	p.more <- struct{}{}
}

// next waits for one: it comes after the answer.
func (p *told) next(t *testing.T) *gateway.Payload {
	t.Helper()
	select {
	case <-p.more:
	case <-time.After(patience):
		t.Fatal("no payload was logged")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list[len(p.list)-len(p.more)-1]
}

// eavesdropped is a gateway that logs what is said, with two client keys.
func eavesdropped(t *testing.T) (*gate, *testllm.Server, *told) {
	t.Helper()
	srv, heard := testllm.New(t), &told{more: make(chan struct{}, 100)}
	keys := []auth.Key{
		{ID: "app", Digests: []auth.Digest{auth.DigestOf(appKey)}},
		{ID: "other", Digests: []auth.Digest{auth.DigestOf(otherKey)}},
	}
	return setup{
		upstreams: []*providers.Upstream{load(t, "openai", "openai", srv.URL+"/v1", `,"header":{"X-Team":"team of the operator"}`)},
		keys:      keys,
		change: func(g *gateway.Gateway) {
			g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
			g.Payloads = &gateway.Payloads{Wanted: func(string) bool { return true }, Log: heard.log}
		},
	}.start(t), srv, heard
}

const otherKey = "another-of-a-client"

func TestPayloadsAreWhatTheClientSentAndGot(t *testing.T) {
	g, _, heard := eavesdropped(t)
	for _, request := range []string{ask("openai/x"), askStream("openai/x"), ask("nobody/x")} {
		got := g.chat(t, request, "X-Api-Key", appKey)
		said := heard.next(t)
		equal(t, "request", said.Request, gateway.Text{Text: request, Size: int64(len(request))})
		equal(t, "answer", said.Answer, gateway.Text{Text: got.body, Size: int64(len(got.body))})
		equal(t, "request id", said.Record.RequestID, got.header.Get("X-Request-Id"))
		equal(t, "user", said.Record.Principal, "app")
		equal(t, "ending", said.Record.Ending, g.record(t).Ending)
	}
	// Nobody's payload is kept before it is known who calls.
	equal(t, "status", g.chat(t, ask("openai/x"), "X-Api-Key", "not-a-key").status, 401)
	g.record(t)
	g.chat(t, ask("openai/y"), "X-Api-Key", appKey)
	equal(t, "model", heard.next(t).Record.RequestedModel, "openai/y")
}

func TestPayloadsHoldNoCredential(t *testing.T) {
	g, srv, heard := eavesdropped(t)
	secrets := []string{appKey, otherKey, providerKey, "team of the operator", "sk-proj-AbC123_defGHI456", url.QueryEscape(providerKey)}
	text := "hear: " + strings.Join(secrets, ", ") + ". key=" + otherKey + " \"" + otherKey + "\"\n" + otherKey + "\t" + otherKey + "."
	body, err := json.Marshal(map[string]any{"model": "openai/x", "messages": []any{map[string]any{"role": "user", "content": text}}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	answer := `{"choices":[{"index":0,"message":{"role":"assistant","content":` + strings.ReplaceAll(string(in), "/", `\/`) + `},"finish_reason":"stop"}]}`
	srv.Script(testllm.Reply{Body: []byte(answer)})
	g.chat(t, string(body), "Authorization", "Bearer "+appKey)
	said := heard.next(t)
	for where, logged := range map[string]gateway.Text{"request": said.Request, "answer": said.Answer} {
		for _, secret := range append(secrets, strings.ReplaceAll(providerKey, "/", `\/`)) {
			if strings.Contains(logged.Text, secret) {
				t.Errorf("the %s tells %q: %s", where, secret, logged.Text)
			}
		}
		if !json.Valid([]byte(logged.Text)) || !strings.Contains(logged.Text, "hear: [redacted], [redacted]") {
			t.Errorf("the %s is %s", where, logged.Text)
		}
	}
}

func TestPayloadsAreBoundedAndWithoutMedia(t *testing.T) {
	g, srv, heard := eavesdropped(t)
	picture := strings.Repeat("iVBORw0KGgo/", 30_000)
	request := `{"model":"openai/x","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + picture + `"}},` +
		`{"type":"text","text":"` + strings.Repeat("wörter ", 20_000) + appKey + `"}]}]}`
	srv.Script(testllm.Reply{Chunks: []string{strings.Repeat("many words ", 10_000)}})
	got := g.chat(t, request, "X-Api-Key", appKey)
	said := heard.next(t)
	equal(t, "size of the request", said.Request.Size, int64(len(request)))
	equal(t, "size of the answer", said.Answer.Size, int64(len(got.body)))
	for where, logged := range map[string]gateway.Text{"request": said.Request, "answer": said.Answer} {
		if !logged.Truncated || len(logged.Text) > 64<<10 || len(logged.Text) < 50<<10 || strings.ToValidUTF8(logged.Text, "?") != logged.Text {
			t.Errorf("%d bytes of the %s are logged, truncated: %v", len(logged.Text), where, logged.Truncated)
		}
	}
	if !strings.Contains(said.Request.Text, `"data:image/png;base64,[base64, 270000 bytes]"}}`) {
		t.Errorf("the request is %.200s", said.Request.Text)
	}
	// Neither is what is no text at all.
	srv.Script(testllm.Reply{Body: []byte{0xff, 0xfb, 0x90, 0}, ContentType: "audio/mpeg"})
	g.do(t, http.MethodPost, "/v1/audio/speech", `{"model":"openai/tts","input":"hi","voice":"alloy"}`, "X-Api-Key", appKey)
	equal(t, "answer", heard.next(t).Answer.Text, "[4 bytes of audio/mpeg]")
}

// A secret that stands where the text is cut leaves no part of itself.
func TestPayloadsAreNotCutInsideASecret(t *testing.T) {
	g, _, heard := eavesdropped(t)
	for _, secret := range []string{appKey, otherKey, providerKey} {
		for back := 0; back < 40; back += 3 {
			head := `{"model":"nobody/x","messages":[{"role":"user","content":"`
			request := head + strings.Repeat("ä ", (64<<10-len(head)-back)/3) + secret + strings.Repeat(" more", 10_000) + `"}]}`
			g.chat(t, request, "X-Api-Key", appKey)
			logged := heard.next(t).Request.Text
			for n := 6; n < len(secret); n++ {
				if strings.HasSuffix(logged, secret[:n]) {
					t.Fatalf("%d characters of %q are left", n, secret)
				}
			}
			if len(logged) > 64<<10 {
				t.Errorf("%d bytes are logged", len(logged))
			}
		}
	}
}

func TestPayloadOfAClientThatLeaves(t *testing.T) {
	g, srv, heard := eavesdropped(t)
	srv.Script(testllm.Reply{RawEvents: []string{begun, textChunk("more")}, StallAfter: 1})
	ctx, leave := context.WithCancel(t.Context())
	response, err := g.open(ctx, http.MethodPost, chatPath, askStream("openai/x"), "X-Api-Key", appKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, len(begun))); err != nil {
		t.Fatal(err)
	}
	leave()
	response.Body.Close()
	said := heard.next(t)
	equal(t, "ending", said.Record.Ending, usage.ClientGone)
	equal(t, "answer", said.Answer.Text, begun)
}
