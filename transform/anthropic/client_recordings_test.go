package anthropic

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/gemini"
	"github.com/caddyllm/llmproxy/transform/openai"
)

// foreignWires are recordings of providers that Anthropic's clients reach
// through this format.
var foreignWires = map[string]transform.ProviderCodec{
	"openai-chat": openai.Codec{}, "azure-openai": openai.Codec{}, "groq": openai.Codec{}, "deepseek": openai.Codec{}, "mistral": openai.Codec{},
	"xai": openai.Codec{}, "openrouter": openai.Codec{}, "together": openai.Codec{}, "cerebras": openai.Codec{}, "perplexity": openai.Codec{},
	"zai": openai.Codec{}, "gemini-openai": openai.Codec{}, "gemini": gemini.Codec{}, "vertex-gemini": gemini.Codec{},
	"anthropic": Codec{}, "azure-anthropic": Codec{}, "vertex-anthropic": Codec{}, "bedrock-invoke-anthropic": Codec{},
}

// eachForeign runs a test over the recordings of all of them.
func eachForeign(t *testing.T, test func(t *testing.T, codec transform.ProviderCodec, r recording)) {
	folder := os.Getenv("LLMPROXY_FIXTURES")
	if folder == "" {
		t.Skip("LLMPROXY_FIXTURES does not name the folder with recorded provider traffic")
	}
	for wire, codec := range foreignWires {
		cases, err := filepath.Glob(filepath.Join(folder, wire, "*", "meta.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, meta := range cases {
			r := readRecording(t, meta)
			t.Run(r.name, func(t *testing.T) { test(t, codec, r) })
		}
	}
}

// wantHeard compares what a client hears with the deltas that were written.
func wantHeard(t *testing.T, h *heard, deltas []transform.Delta) {
	t.Helper()
	texts, thoughts, calls, arguments := "", "", 0, ""
	for i := range deltas {
		if deltas[i].Choice != 0 {
			continue
		}
		text, _ := deltas[i].Text.Text()
		switch deltas[i].Kind {
		case transform.DeltaText, transform.DeltaRefusal:
			texts += text
		case transform.DeltaReasoning:
			thoughts += text
		case transform.DeltaToolStart:
			calls++
		case transform.DeltaToolArguments:
			arguments += text
		}
	}
	for _, b := range h.blocks {
		switch b.typ {
		case "text":
			texts = texts[min(len(texts), len(b.text)):]
		case "thinking":
			thoughts = thoughts[min(len(thoughts), len(b.text)):]
		case "tool_use":
			calls--
			if !json.Valid([]byte(b.input)) && h.reason != "max_tokens" {
				t.Errorf("input %s", b.input)
			}
			if b.input != "{}" {
				arguments = arguments[min(len(arguments), len(b.input)):]
			}
		}
	}
	if texts != "" || thoughts != "" || calls != 0 || len(arguments) > 0 && arguments != "{}" && arguments != "{}{}" {
		t.Errorf("not heard: %q %q %d calls %q", texts, thoughts, calls, arguments)
	}
}

func TestRecordedStreamsAreHeard(t *testing.T) {
	eachForeign(t, func(t *testing.T, codec transform.ProviderCodec, r recording) {
		if r.events == nil || r.status != 200 {
			t.Skip("not a stream")
		}
		d, e := codec.NewStreamDecoder(), Codec{}.NewStreamEncoder(nil)
		var out []byte
		var all []transform.Delta
		failed := false
		for _, event := range r.events {
			deltas, err := d.Decode(nil, event.name, event.data)
			if err != nil {
				t.Fatal(err)
			}
			for i := range deltas {
				failed = failed || deltas[i].Kind == transform.DeltaError
				out = e.Append(out, &deltas[i])
			}
			all = append(all, deltas...)
		}
		h := listen(t, e.AppendEnd(out))
		if failed {
			if h.failure == "" {
				t.Error("the error is not heard")
			}
			return
		}
		wantHeard(t, h, all)
	})
}

func TestRecordedAnswersAreReadBack(t *testing.T) {
	eachForeign(t, func(t *testing.T, codec transform.ProviderCodec, r recording) {
		if r.body == nil || r.status != 200 || strings.Contains(r.name, "count-tokens") {
			t.Skip("not a whole answer")
		}
		a, err := codec.DecodeResponse(r.body)
		var said *transform.Error
		if errors.As(err, &said) {
			return // the provider's own error in a 200
		}
		if err != nil {
			t.Fatal(err)
		}
		body := Codec{}.AppendResponse(nil, a, nil)
		if err := jsonbytes.Check(body, 0); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		again, err := Codec{}.DecodeResponse(body)
		if err != nil {
			t.Fatal(err)
		}
		if again.Usage.Input != a.Usage.Input || again.Usage.Output != a.Usage.Output || again.Usage.CacheRead != a.Usage.CacheRead {
			t.Errorf("usage %+v, was %+v", again.Usage, a.Usage)
		}
		count := func(parts []transform.Part, kind transform.PartKind) (n int) {
			for _, p := range parts {
				if p.Kind == kind && (kind != transform.PartText || p.Text.HasText()) {
					n++
				}
			}
			return n
		}
		for _, kind := range []transform.PartKind{transform.PartText, transform.PartToolCall} {
			if was, is := count(a.Choices[0].Parts, kind), count(again.Choices[0].Parts, kind); is < was {
				t.Errorf("%d parts of kind %d, there were %d", is, kind, was)
			}
		}
		// What the client returns is what the provider gave.
		content := jsonbytes.Value(body).Get("content")
		if content.Len() == 0 {
			return
		}
		request, _ := decode(t, talk(`{"role":"user","content":"A"},{"role":"assistant","content":`+string(content)+`}`))
		var opaque []string
		for _, p := range a.Choices[0].Parts {
			if p.Opaque.Kind != transform.OpaqueNone {
				opaque = append(opaque, string(p.Opaque.Vendor)+string(p.Opaque.Data))
			}
		}
		var back []string
		for _, p := range request.Turns[1].Parts {
			if p.Opaque.Kind != transform.OpaqueNone {
				back = append(back, string(p.Opaque.Vendor)+string(p.Opaque.Data))
			}
		}
		wantList(t, "opaque pieces", back, opaque)
	})
}
