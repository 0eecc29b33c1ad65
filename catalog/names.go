package catalog

import (
	"slices"
	"strings"
)

// sources are where the models of a provider's type are looked for, in this
// order; those of a type that is not listed, under the type itself. Clouds sell
// a maker's models at the maker's price unless they say otherwise.
var sources = map[string][]string{
	"azure_openai":  {"azure_openai", "openai", "anthropic"},
	"vertex":        {"vertex", "gemini", "anthropic"},
	"gemini-compat": {"gemini"},
	"dashscope-us":  {"dashscope-us", "dashscope"},
}

// makers are the sources behind the vendor/ of routers, which pass prices on.
var makers = map[string]string{
	"anthropic": "anthropic", "openai": "openai", "google": "gemini", "mistralai": "mistral", "mistral": "mistral", "x-ai": "xai", "xai": "xai",
	"deepseek": "deepseek", "cohere": "cohere", "moonshotai": "moonshot", "z-ai": "zai", "zai": "zai", "minimax": "minimax", "perplexity": "perplexity",
}

var routers = []string{"openrouter", "vercel"}

// find looks for a model of a provider's type under the spellings that the name
// may have. It does not guess: gpt-5-pro is never taken for gpt-5.
func (t table) find(kind, model string) *Model {
	model = strings.ToLower(model)
	own := [1]string{kind}
	list := own[:]
	if listed, ok := sources[kind]; ok {
		list = listed
	}
	for _, source := range list {
		if m := t.findIn(source, kind, model); m != nil {
			return m
		}
	}
	if vendor, name, ok := strings.Cut(model, "/"); ok && slices.Contains(routers, kind) && !strings.HasSuffix(name, ":free") {
		if source := makers[vendor]; source != "" {
			return t.findIn(source, source, name)
		}
	}
	return nil
}

// findIn looks among the models of one source.
func (t table) findIn(source, kind, model string) *Model {
	models := t[source]
	if len(models) == 0 {
		return nil
	}
	var found *Model
	eachSpelling(kind, model, func(name string) bool {
		found = models[name]
		if found == nil && source == "anthropic" && strings.Contains(name, ".") {
			found = models[strings.ReplaceAll(name, ".", "-")] // claude-opus-4.5 of routers
		}
		return found == nil
	})
	return found
}

// eachSpelling yields the names under which a model may be listed, the most
// precise first: the name itself, then without what says where it is served,
// then without what says which version of it is.
func eachSpelling(kind, model string, yield func(name string) bool) {
	if !yield(model) {
		return
	}
	for _, without := range [...]func(kind, model string) string{withoutPlace, withoutVersion} {
		for shorter := without(kind, model); shorter != model; shorter = without(kind, model) {
			if model = shorter; !yield(model) {
				return
			}
		}
	}
}

// withoutPlace cuts off one thing that stands before the model's own name.
func withoutPlace(kind, model string) string {
	switch kind {
	case "bedrock":
		// arn:aws:bedrock:…:inference-profile/eu.anthropic.claude-…
		if strings.HasPrefix(model, "arn:") {
			return model[strings.LastIndexByte(model, '/')+1:]
		}
		for _, profile := range bedrockProfiles {
			if rest, ok := strings.CutPrefix(model, profile); ok {
				return rest
			}
		}
		return model
	case "gemini", "gemini-compat", "vertex":
		// models/gemini-…, publishers/google/models/gemini-…
		return model[strings.LastIndexByte(model, '/')+1:]
	case "openai", "azure_openai":
		// ft:gpt-4o-2024-08-06:organization:name:id
		if rest, ok := strings.CutPrefix(model, "ft:"); ok {
			base, _, _ := strings.Cut(rest, ":")
			return model[:len("ft:")+len(base)]
		}
		if rest, ok := strings.CutPrefix(model, "gpt-35-"); ok {
			return "gpt-3.5-" + rest // as Azure spells it
		}
	}
	if slices.Contains(routers, kind) {
		return model
	}
	_, name, ok := strings.Cut(model, "/")
	if !ok {
		return model
	}
	return name
}

// withoutVersion cuts off one ending that leaves the model the same.
func withoutVersion(kind, model string) string {
	if base, ok := strings.CutSuffix(model, "-latest"); ok {
		return base
	}
	switch kind {
	case "bedrock":
		if i := strings.LastIndexByte(model, ':'); i > 0 && i+1 < len(model) && isDigit(model[i+1]) {
			return model[:i] // :0, :200k
		}
		if i := strings.LastIndex(model, "-v"); i > 0 && allDigits(model[i+2:]) {
			return model[:i]
		}
	case "openrouter":
		// Who serves it or how fast; :free is a price of its own.
		for _, way := range [...]string{":nitro", ":floor", ":exacto", ":online"} {
			if base, ok := strings.CutSuffix(model, way); ok {
				return base
			}
		}
	case "gemini", "gemini-compat", "vertex":
		if i := len(model) - 4; i > 0 && model[i] == '-' && allDigits(model[i+1:]) {
			return model[:i] // -001
		}
	}
	if i := strings.LastIndexByte(model, '@'); i > 0 && (allDigits(model[i+1:]) || model[i+1:] == "default") {
		return model[:i]
	}
	if i := len(model) - len("-20060102"); i > 0 && model[i] == '-' && isYear(model[i+1:]) && allDigits(model[i+1:]) {
		return model[:i]
	}
	if i := len(model) - len("-2006-01-02"); i > 0 && model[i] == '-' && isYear(model[i+1:]) &&
		model[i+5] == '-' && model[i+8] == '-' && allDigits(model[i+6:i+8]) && allDigits(model[i+9:]) {
		return model[:i]
	}
	return model
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isYear(s string) bool { return s[:2] == "20" && allDigits(s[:4]) }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
