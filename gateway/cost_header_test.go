package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/testllm"
	"github.com/caddyllm/llmproxy/providers"
)

// costly is a gateway that says what answers cost, and a provider of one priced model.
func costly(t *testing.T, http2 bool, change func(*gateway.Gateway)) (*gate, *testllm.Server) {
	t.Helper()
	prices, err := catalog.ParsePrices("prices.yaml", []byte(costPrices))
	if err != nil {
		t.Fatal(err)
	}
	srv := testllm.New(t)
	return setup{
		upstreams: []*providers.Upstream{load(t, "fake", "openai", srv.URL+"/v1"), load(t, "claude", "anthropic", srv.URL)}, http2: http2,
		change: func(g *gateway.Gateway) {
			g.CostHeader, g.Catalog = true, catalog.New(prices)
			g.Surface = gateway.Surface{OpenAI: true, Anthropic: true, Gemini: true}
			if change != nil {
				change(g)
			}
		},
	}.start(t), srv
}

// toldCost is what an answer says that it costs: in its header, and in its trailer.
func (g *gate) toldCost(t *testing.T, path, body string) (status int, header, trailer string) {
	t.Helper()
	response, err := g.open(t.Context(), http.MethodPost, path, body)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	header = strings.Join(response.Header["X-Llm-Cost"], ",")
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, header, strings.Join(response.Trailer["X-Llm-Cost"], ",")
}

func TestAnswersTellTheirCost(t *testing.T) {
	counted := testllm.Reply{Chunks: []string{"a"}, Usage: testllm.Usage{Input: 1000, CacheRead: 400, Output: 50}}
	silent := counted
	silent.NoUsage = true
	broken := testllm.Reply{Chunks: []string{"one ", "two ", "three"}, ErrorAfter: 2, ChunkDelay: 1e7}
	for _, http2 := range []bool{false, true} {
		g, srv := costly(t, http2, nil)
		for name, test := range map[string]struct {
			path, body     string
			reply          testllm.Reply
			stream, silent bool
		}{
			"whole":               {chatPath, ask("fake/priced"), counted, false, false},
			"stream":              {chatPath, askStream("fake/priced"), counted, true, false},
			"free":                {chatPath, ask("fake/free"), counted, false, false},
			"unknown":             {chatPath, ask("fake/nobody"), counted, false, true},
			"unknown stream":      {chatPath, askStream("fake/nobody"), counted, true, true},
			"estimated":           {chatPath, ask("fake/priced"), silent, false, false},
			"estimated stream":    {chatPath, askStream("fake/priced"), silent, true, false},
			"broken stream":       {chatPath, askStream("fake/priced"), broken, true, false},
			"translated":          {"/v1/messages", `{"model":"fake/priced","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, counted, false, false},
			"translated stream":   {"/v1/messages", `{"model":"fake/priced","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, counted, true, false},
			"stream of an array":  {"/v1beta/models/fake/priced:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, counted, true, false},
			"failed":              {chatPath, ask("fake/priced"), testllm.Reply{Status: 400}, false, true},
			"failed after all":    {chatPath, ask("fake/priced"), testllm.Reply{Chunks: []string{}}, false, false},
			"embeddings":          {"/v1/embeddings", `{"model":"fake/priced","input":"hi"}`, counted, false, false},
			"unlike what is told": {chatPath, askStream("fake/priced"), testllm.Reply{Body: []byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"cost":0.25}}`)}, true, false},
		} {
			t.Run(name, func(t *testing.T) {
				srv.Script(test.reply)
				_, header, trailer := g.toldCost(t, test.path, test.body)
				want := costOf(g.record(t))
				if test.silent != (want == "") {
					t.Errorf("the record says %q", want)
				}
				wantHeader, wantTrailer := want, ""
				if test.stream {
					wantHeader, wantTrailer = "", want
				}
				if header != wantHeader || trailer != wantTrailer {
					t.Errorf("header %q, trailer %q, over HTTP/2 %v; want %q, %q", header, trailer, http2, wantHeader, wantTrailer)
				}
			})
		}
	}
}

func TestACachedAnswerCostsNothing(t *testing.T) {
	g, _ := costly(t, false, cached(t))
	for _, want := range []string{"0.000129", "0"} {
		if _, header, _ := g.toldCost(t, chatPath, ask("fake/priced")); header != want {
			t.Errorf("the answer costs %q, want %q", header, want)
		}
	}
	if _, _, trailer := g.toldCost(t, chatPath, askStream("fake/priced")); trailer != "0" {
		t.Errorf("its stream costs %q", trailer)
	}
}

func TestCostIsToldByChoiceAlone(t *testing.T) {
	g, _ := costly(t, false, func(g *gateway.Gateway) { g.CostHeader = false })
	for _, body := range []string{ask("fake/priced"), askStream("fake/priced")} {
		if _, header, trailer := g.toldCost(t, chatPath, body); header+trailer != "" {
			t.Errorf("header %q, trailer %q", header, trailer)
		}
	}
}
