package catalog

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/yamljson"
)

// liteLLMKinds are our types of providers where LiteLLM calls them otherwise.
var liteLLMKinds = map[string]string{
	"azure": "azure_openai", "azure_text": "azure_openai", "azure_ai": "azure_openai", "bedrock_converse": "bedrock",
	"cohere_chat": "cohere", "fireworks_ai": "fireworks", "fireworks_ai-embedding-models": "fireworks", "together_ai": "together",
	"text-completion-openai": "openai", "nvidia_nim": "nvidia", "vercel_ai_gateway": "vercel", "friendliai": "friendli", "github_models": "github",
}

func liteLLMKind(provider string) string {
	if strings.HasPrefix(provider, "vertex_ai") {
		return "vertex" // vertex_ai-anthropic_models, …
	}
	if kind := liteLLMKinds[provider]; kind != "" {
		return kind
	}
	return provider
}

// readLiteLLM reads LiteLLM's model_prices_and_context_window.json: models by a
// name that may begin with the provider, priced in dollars per token. Only what
// we know is read: the file grows.
func (f *pricesFile) readLiteLLM(root jsonbytes.Value) error {
	for key, entry := range root.Members() {
		provider, ok := entry.Get("litellm_provider").Text()
		if !ok || string(key) == "sample_spec" {
			continue
		}
		name := string(key)
		m, err := f.liteLLMModel(entry, "/"+yamljson.Escape(name))
		if err != nil {
			return err
		}
		if !m.Price.Known() && m.MaxInput == 0 && m.MaxOutput == 0 {
			continue // priced by the image, by the minute, …
		}
		kind := liteLLMKind(provider)
		if prefix, rest, cut := strings.Cut(name, "/"); cut && liteLLMKind(prefix) == kind {
			name = rest
		}
		if kind == "bedrock" && strings.Contains(name, "/") {
			continue // of one region, or of reserved capacity
		}
		f.prices.add(kind+"/"+name, m)
	}
	return nil
}

func (f *pricesFile) liteLLMModel(entry jsonbytes.Value, pointer string) (*Model, error) {
	m := new(Model)
	for key, v := range entry.Members() {
		name := string(key)
		inner := pointer + "/" + yamljson.Escape(name)
		var err error
		switch name {
		case "max_input_tokens":
			err = f.count(&m.MaxInput, v, inner)
		case "max_output_tokens":
			err = f.count(&m.MaxOutput, v, inner)
		case "tiered_pricing":
			err = f.liteLLMTiers(&m.Price, v, inner)
		default:
			base, over := name, int64(0)
			if before, after, ok := strings.Cut(name, "_above_"); ok && !strings.HasPrefix(after, "1hr") {
				base, over = before, liteLLMLength(after)
			} else if first, last, ok := strings.Cut(name, "_above_1hr_above_"); ok {
				base, over = first+"_above_1hr", liteLLMLength(last)
			}
			rates := new(Rates)
			switch {
			case over == 0:
				rates = &m.Price.Rates
			case over > 0 && rates.liteLLM(base) != nil:
				rates = m.Price.tier(over)
			}
			if rate := rates.liteLLM(base); rate != nil {
				err = f.rate(rate, v, perToken, inner)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	m.Price.Tiers = slices.DeleteFunc(m.Price.Tiers, func(t Tier) bool { return t.Rates == Rates{} })
	m.Price.sortTiers()
	return m, nil
}

// liteLLMLength reads 200k_tokens; -1 for what has more to it, such as a tier of service.
func liteLLMLength(text string) int64 {
	number, ok := strings.CutSuffix(text, "k_tokens")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || n <= 0 {
		return -1
	}
	return n * 1000
}

// tier is the one for prompts of more than so many tokens, made if there is none.
func (p *Price) tier(over int64) *Rates {
	for i := range p.Tiers {
		if p.Tiers[i].Over == over {
			return &p.Tiers[i].Rates
		}
	}
	p.Tiers = append(p.Tiers, Tier{Over: over})
	return &p.Tiers[len(p.Tiers)-1].Rates
}

// liteLLM is the rate that LiteLLM calls so, nil if it is none of ours.
func (r *Rates) liteLLM(name string) *Rate {
	switch name {
	case "input_cost_per_token":
		return &r.Input
	case "output_cost_per_token":
		return &r.Output
	case "cache_read_input_token_cost":
		return &r.CacheRead
	case "cache_creation_input_token_cost":
		return &r.CacheWrite
	case "cache_creation_input_token_cost_above_1hr":
		return &r.CacheWrite1h
	case "input_cost_per_audio_token":
		return &r.AudioInput
	case "output_cost_per_audio_token":
		return &r.AudioOutput
	case "output_cost_per_reasoning_token":
		return &r.Reasoning
	}
	return nil
}

// liteLLMTiers reads prices by ranges of the prompt's length, of which the first
// begins at 0.
func (f *pricesFile) liteLLMTiers(p *Price, list jsonbytes.Value, pointer string) error {
	for i, entry := range list.Elements() {
		rates := &p.Rates
		for _, from := range entry.Get("range").Elements() {
			if over, ok := from.Int(); ok && over > 0 {
				rates = p.tier(over)
			}
			break
		}
		for key, v := range entry.Members() {
			if rate := rates.liteLLM(string(key)); rate != nil {
				if err := f.rate(rate, v, perToken, pointer+"/"+strconv.Itoa(i)+"/"+string(key)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
