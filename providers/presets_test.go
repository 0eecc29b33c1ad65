package providers

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

func TestPresetsAreCompleteAndUnique(t *testing.T) {
	// Without these there is no call; no vendor lives without them.
	essential := []string{"model", "messages", "stream", "input"}
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
		for _, name := range p.Remove {
			if slices.Contains(essential, name) || p.Rename[name] != "" {
				t.Errorf("%s removes %s", p.Name, name)
			}
		}
		for name, to := range p.Rename {
			if slices.Contains(essential, name) || slices.Contains(essential, to) || slices.Contains(p.Remove, to) || p.Rename[to] != "" || to == "" {
				t.Errorf("%s renames %s to %q", p.Name, name, to)
			}
		}
		if slices.Contains(p.Remove, "stream_options") && !p.UsageUnasked {
			t.Errorf("%s is asked for usage in a member that is removed", p.Name)
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
		edits := module.Chat(Call{}).Edits
		if !slices.Equal(edits.Remove, p.Remove) || len(edits.Rename) != len(p.Rename) || edits.AskUsage == p.UsageUnasked {
			t.Errorf("%s: edits are %+v", p.Name, edits)
		}
		if module.Keyless() != p.Keyless || module.CaddyModule().ID.Name() != p.Name {
			t.Errorf("%s is %+v", p.Name, module.CaddyModule())
		}
	}
}
