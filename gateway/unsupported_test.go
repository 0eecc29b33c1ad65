package gateway_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/transform"
)

// asked is a request with something advisory and something essential that
// Anthropic's API cannot carry.
const asked = `{"model":"m","seed":7,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]}`

func TestOnUnsupportedDecidesWhatBecomesOfARequest(t *testing.T) {
	for _, test := range []struct {
		mode            routing.OnUnsupported
		body            string
		status          int
		dropped         string
		claude, another int // calls
	}{
		{"", asked, 400, "", 0, 0},
		{"", strings.Replace(asked, "input_audio", "text", 1), 200, "/messages/0/content/1/input_audio, /seed", 1, 0},
		{routing.DropUnsupported, asked, 200, "/messages/0/content/1, /seed", 1, 0},
		{routing.RefuseUnsupported, asked, 400, "", 0, 0},
		{routing.RefuseUnsupported, `{"model":"m","seed":7,"messages":[{"role":"user","content":"hi"}]}`, 400, "/seed", 0, 0},
		{routing.RefuseUnsupported, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, 200, "", 1, 0},
		{routing.SkipUnsupported, asked, 200, "", 0, 1},
		{routing.SkipUnsupported, `{"model":"m","seed":7,"messages":[{"role":"user","content":"hi"}]}`, 200, "/seed", 1, 0},
	} {
		t.Run(string(test.mode)+" "+test.dropped, func(t *testing.T) {
			claude, another := testllm.New(t), testllm.New(t)
			upstreams := []*providers.Upstream{load(t, "claude", "anthropic", claude.URL), load(t, "chat", "openai", another.URL+"/v1")}
			g := setup{
				upstreams: upstreams,
				change: func(g *gateway.Gateway) {
					table, err := routing.NewTable(upstreams, []*routing.Route{{
						Name: "m", Policy: routing.First{}, Retries: -1, OnUnsupported: test.mode,
						Targets: []routing.Target{{Upstream: upstreams[0], Model: "claude-opus-4-5", Weight: 1}, {Upstream: upstreams[1], Model: "gpt-4o-audio", Weight: 1}},
					}}, nil)
					if err != nil {
						t.Fatal(err)
					}
					g.Routes = table
				},
			}.start(t)
			body := strings.Replace(test.body, `"type":"text","input_audio"`, `"type":"text","text":"x","input_audio"`, 1)
			got := g.chat(t, body)
			equal(t, "status", got.status, test.status)
			equal(t, "dropped", got.header.Get("X-Llm-Dropped"), test.dropped)
			wantCalls(t, claude, test.claude)
			wantCalls(t, another, test.another)
			if got.status == 400 {
				wantError(t, got, 400, "unsupported_parameter")
			}
		})
	}
}

// library is a fetcher that knows one image.
type library struct{ asked []string }

func (l *library) Fetch(_ context.Context, url string) (string, []byte, error) {
	l.asked = append(l.asked, url)
	if url != "https://example.com/cat.png" {
		return "", nil, errors.New("no such picture")
	}
	return "image/png", []byte("a cat"), nil
}

func TestMediaIsFetchedOnlyWhereTheProviderTakesNoURL(t *testing.T) {
	const question = `{"model":"%s","messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},{"type":"image_url","image_url":{"url":"https://example.com/%p.png"}}]}]}`
	ask := func(model, picture string) string {
		return strings.Replace(forModel(question, model), "%p", picture, 1)
	}
	srv := testllm.New(t)
	upstreams := []*providers.Upstream{load(t, "claude", "anthropic", srv.URL), loadConfig(t, "local", "ollama", `{"base_url":"`+srv.URL+`"}`)}
	fetcher := new(library)
	g := setup{upstreams: upstreams, change: func(g *gateway.Gateway) { g.Media = fetcher }}.start(t)
	reply := testllm.Reply{ContentType: "application/json", Body: []byte(`{"model":"m","message":{"role":"assistant","content":"a cat"},"done":true,"done_reason":"stop"}`)}
	srv.Script(testllm.Reply{Text: "a cat"}, reply)

	wantText(t, g.chat(t, ask("claude/claude-opus-4-5", "cat")), "a cat")
	if len(fetcher.asked) > 0 || !strings.Contains(string(srv.Calls()[0].Body), "https://example.com/cat.png") {
		t.Errorf("the URL did not go along: %s", srv.Calls()[0].Body)
	}
	wantText(t, g.chat(t, ask("local/llava", "cat")), "a cat")
	if !strings.Contains(string(srv.Calls()[1].Body), base64.StdEncoding.EncodeToString([]byte("a cat"))) {
		t.Errorf("the picture did not go along: %s", srv.Calls()[1].Body)
	}
	wantError(t, g.chat(t, ask("local/llava", "dog")), 400, "media_not_fetched")
	wantCalls(t, srv, 2)

	g = setup{upstreams: upstreams}.start(t)
	wantError(t, g.chat(t, ask("local/llava", "cat")), 400, "unsupported_parameter")
	wantCalls(t, srv, 2)
}

func TestConversationMayHopBetweenVendors(t *testing.T) {
	g, srv := vendors(t, nil)
	foreign := transform.Opaque{Vendor: transform.VendorGoogle, Kind: transform.OpaqueSignature, Data: transform.Quote("R29vZ2xl")}
	history := func(model, signature string) string {
		return `{"model":"` + model + `","max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"hi"},` +
			`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":` + signature + `},{"type":"text","text":"hello"}]},{"role":"user","content":"and now?"}]}`
	}
	ask := func(body string) string {
		srv.Script(testllm.Reply{Text: "well"})
		wantText(t, g.do(t, http.MethodPost, "/v1/messages", body, "anthropic-version", "2026-10-21", "anthropic-beta", "context-1m-2025-08-07"), "well")
		calls := srv.Calls()
		return string(calls[len(calls)-1].Body)
	}
	sealed := foreign.Seal(transform.VendorAnthropic)
	// What Google signed returns to Google as it was, and never to Anthropic.
	if body := ask(history("claude/claude-opus-4-5", string(sealed))); strings.Contains(body, string(sealed)) || strings.Contains(body, "R29vZ2xl") {
		t.Errorf("Anthropic got another vendor's signature: %s", body)
	}
	// What the client wants of its own format goes along, but for the version, which is the translation's.
	header := srv.Calls()[0].Header
	equal(t, "betas", header.Get("Anthropic-Beta"), "context-1m-2025-08-07")
	equal(t, "version", header.Get("Anthropic-Version"), "2023-06-01")
	if body := ask(history("google/gemini-3-pro", string(sealed))); !strings.Contains(body, `"R29vZ2xl"`) {
		t.Errorf("Google did not get its signature back: %s", body)
	}
	// What Anthropic signed goes through byte for byte.
	own := history("claude/claude-opus-4-5", `"QW50aHJvcGlj"`)
	equal(t, "request", ask(own), strings.Replace(own, "claude/", "", 1))
}

// shelf has a picture of some size at every address.
type shelf int

func (s shelf) Fetch(ctx context.Context, _ string) (string, []byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		return "", nil, errors.New("a fetch may take for ever")
	}
	return "image/png", make([]byte, s), nil
}

func TestFetchedMediaAreBoundedTogether(t *testing.T) {
	srv := testllm.New(t)
	g := setup{
		upstreams: []*providers.Upstream{loadConfig(t, "local", "ollama", `{"base_url":"`+srv.URL+`"}`)},
		change:    func(g *gateway.Gateway) { g.Media, g.Limits.Body = shelf(6<<10), 32<<10 },
	}.start(t)
	ask := func(pictures int) answer {
		const picture = `,{"type":"image_url","image_url":{"url":"https://example.com/x"}}`
		return g.chat(t, `{"model":"local/m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}`+strings.Repeat(picture, pictures)+`]}]}`)
	}
	reply := testllm.Reply{ContentType: "application/json", Body: []byte(`{"model":"m","message":{"role":"assistant","content":"cats"},"done":true,"done_reason":"stop"}`)}
	srv.Script(reply)
	wantText(t, ask(3), "cats")
	wantError(t, ask(5), 400, "too_many_media")
	wantCalls(t, srv, 1)
}
