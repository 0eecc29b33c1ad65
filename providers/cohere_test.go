package providers_test

import (
	"testing"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
)

func TestCohereForwardsRankingsOnly(t *testing.T) {
	p := mustLoad(t, "cohere", `{"api_key":"k","base_url":"http://h"}`).(providers.Forwarder)
	if e := p.Forward(providers.Call{}, "/rerank"); e.URL == nil || e.URL.String() != "http://h/v2/rerank" || e.Codec == nil {
		t.Errorf("rankings go to %v", e.URL)
	}
	for _, path := range []string{"/moderations", "/rerank/", "/images/generations", ""} {
		if e := p.Forward(providers.Call{}, path); e.URL != nil {
			t.Errorf("%q goes to %v", path, e.URL)
		}
	}
}

func TestFormatsOfCohereAndOllama(t *testing.T) {
	for kind, want := range map[string]providers.Endpoint{
		"cohere": {Framing: transform.FramingSSE},
		"ollama": {Framing: transform.FramingNDJSON},
	} {
		p := mustLoad(t, kind, `{"api_key":"k"}`)
		e := p.Chat(providers.Call{Model: "m", Stream: true})
		if e.Framing != want.Framing || string(e.Codec.Format()) != kind || e.Vendor != "" {
			t.Errorf("%s: %+v", kind, e)
		}
		codec, ok := p.(providers.Embedder).Embeddings(providers.Call{Model: "m"}).Codec.(transform.EmbeddingProvider)
		if !ok || codec == nil {
			t.Errorf("%s has no embeddings", kind)
		}
	}
	if accept := mustLoad(t, "ollama", `{}`).Chat(providers.Call{Stream: true}).Header.Get("Accept"); accept != "application/x-ndjson" {
		t.Errorf("asks for %q", accept)
	}
}
