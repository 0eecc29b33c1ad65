package providers

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
)

func TestPresetsAreCompleteAndUnique(t *testing.T) {
	names := make(map[string]bool)
	for _, p := range presets {
		if names[p.Name] || p.Name == "" || strings.ToLower(p.Name) != p.Name || strings.ContainsAny(p.Name, "/* .") {
			t.Errorf("preset name %q is taken, or no name", p.Name)
		}
		names[p.Name] = true
		if _, err := caddy.GetModule(Namespace + "." + p.Name); err != nil {
			t.Error(err)
		}
		checkAddress(t, &p)
		for _, name := range p.Env {
			if strings.ToUpper(name) != name || strings.ContainsAny(name, "{} ") {
				t.Errorf("%s: %q is no variable", p.Name, name)
			}
		}
		if len(p.Env) == 0 && !p.Keyless {
			t.Errorf("%s: no variable holds the key", p.Name)
		}
		if p.Profile != nil {
			checkEdits(t, p.Name, p.Profile)
		}
	}
	for _, name := range []string{
		"openai_compatible", "openai", "groq", "deepseek", "mistral", "xai", "openrouter", "together", "fireworks",
		"perplexity", "cerebras", "nvidia", "vllm", "ollama-v1", "lmstudio",
	} {
		if !names[name] {
			t.Errorf("there is no preset %s", name)
		}
	}
}

func checkEdits(t *testing.T, name string, p *openai.Profile) {
	t.Helper()
	// Without these there is no call; no vendor lives without them.
	essential := []string{"model", "messages", "stream", "input"}
	for _, member := range p.Remove {
		if slices.Contains(essential, member) || p.Rename[member] != "" || slices.Contains(p.Keep, member) {
			t.Errorf("%s removes %s", name, member)
		}
	}
	for member, to := range p.Rename {
		if slices.Contains(essential, member) || slices.Contains(essential, to) || slices.Contains(p.Remove, to) || p.Rename[to] != "" || to == "" {
			t.Errorf("%s renames %s to %q", name, member, to)
		}
	}
	if slices.Contains(p.Remove, "stream_options") && !p.UsageUnasked {
		t.Errorf("%s is asked for usage in a member that is removed", name)
	}
}

// A knob that no vendor needs is one too many.
func TestEveryKnobOfAProfileIsUsed(t *testing.T) {
	used := make(map[string]bool)
	profiles := []*openai.Profile{&azureDated}
	for _, p := range presets {
		if p.Profile != nil {
			profiles = append(profiles, p.Profile)
		}
	}
	for _, p := range profiles {
		v := reflect.ValueOf(p).Elem()
		for i := range v.NumField() {
			used[v.Type().Field(i).Name] = used[v.Type().Field(i).Name] || !v.Field(i).IsZero()
		}
	}
	for name, is := range used {
		if !is {
			t.Errorf("nobody needs %s", name)
		}
	}
}

func TestRoutersPassSignaturesToTheirMakers(t *testing.T) {
	for i := range presets {
		p := &presets[i]
		want := p.Vendor
		if len(p.Vendors) > 0 {
			want = transform.VendorAnthropic
		}
		if got := p.vendorOf("anthropic/claude-x"); got != want {
			t.Errorf("%s: %q", p.Name, got)
		}
		if got := p.vendorOf("x"); got != p.Vendor {
			t.Errorf("%s: %q", p.Name, got)
		}
	}
}

func TestEmbeddingsStayInTheirFormat(t *testing.T) {
	for i := range presets {
		module := &OpenAICompatible{preset: &presets[i]}
		module.BaseURL, module.APIKey = "http://127.0.0.1", Strings{"k"}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		if err := module.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		e := module.Embeddings(Call{})
		if e.Codec.Format() != transform.OpenAIChat {
			t.Errorf("%s: embeddings are %s", presets[i].Name, e.Codec.Format())
		}
		if presets[i].Name == "mistral" {
			var lost transform.Losses
			body, err := e.Codec.(transform.EmbeddingProvider).AppendEmbeddingRequest(nil, &transform.EmbeddingRequest{Inputs: []transform.Literal{transform.Quote("a")}, Dimensions: 5}, transform.Target{Model: "m"}, &lost)
			if err != nil || string(body) != `{"model":"m","input":["a"],"output_dimension":5}` || e.Edits.Rename["dimensions"] != "output_dimension" {
				t.Errorf("%s (%v), edits %v", body, err, e.Edits)
			}
		}
	}
}

func checkAddress(t *testing.T, p *preset) {
	t.Helper()
	if p.Name == "openai_compatible" {
		return // it has no public one
	}
	text := p.BaseURL
	for strings.Contains(text, "{env.") { // resolved when the config is loaded
		before, rest, _ := strings.Cut(text, "{env.")
		_, after, _ := strings.Cut(rest, "}")
		text = before + "x" + after
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || strings.HasSuffix(text, "/") || strings.HasSuffix(text, "/chat/completions") {
		t.Errorf("%s: base URL is %q (%v)", p.Name, p.BaseURL, err)
		return
	}
	// A key travels encrypted, or not beyond the machine.
	if local := u.Hostname() == "127.0.0.1"; local != (u.Scheme == "http") || local != p.Keyless {
		t.Errorf("%s: base URL is %q, keyless %v", p.Name, p.BaseURL, p.Keyless)
	}
}

func TestPresetsTellWhatTheyEdit(t *testing.T) {
	for _, p := range presets {
		module := &OpenAICompatible{preset: &p}
		module.BaseURL, module.APIKey = "http://127.0.0.1", Strings{"k"}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		defer cancel()
		if err := module.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		edits := module.Chat(Call{Client: transform.OpenAIChat}).Edits
		var profile openai.Profile
		if p.Profile != nil {
			profile = *p.Profile
		}
		if !slices.Equal(edits.Remove, profile.Remove) || len(edits.Rename) != len(profile.Rename) || edits.AskUsage == profile.UsageUnasked {
			t.Errorf("%s: edits are %+v", p.Name, edits)
		}
		if module.Keyless() != p.Keyless || module.CaddyModule().ID.Name() != p.Name {
			t.Errorf("%s is %+v", p.Name, module.CaddyModule())
		}
	}
}
