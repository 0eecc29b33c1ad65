package catalog

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/internal/yamljson"
)

// modelsDevKinds are our types of providers where models.dev calls them otherwise.
var modelsDevKinds = map[string]string{
	"google": "gemini", "google-vertex": "vertex", "google-vertex-anthropic": "vertex", "amazon-bedrock": "bedrock",
	"azure": "azure_openai", "azure-cognitive-services": "azure_openai", "togetherai": "together", "fireworks-ai": "fireworks",
	"moonshotai": "moonshot", "moonshotai-cn": "moonshot-cn", "zhipuai": "zhipu", "alibaba": "dashscope", "alibaba-cn": "dashscope-cn",
	"github-models": "github", "cloudflare-workers-ai": "cloudflare", "novita-ai": "novita",
}

// readModelsDev reads the api.json of models.dev: providers, and their models with
// cost, in dollars per million tokens, and limit. Of what it says of a model only
// what we know is read: the file grows.
func (f *pricesFile) readModelsDev(root jsonbytes.Value) error {
	for key, provider := range root.Members() {
		kind := string(key)
		if known := modelsDevKinds[kind]; known != "" {
			kind = known
		}
		for id, entry := range provider.Get("models").Members() {
			pointer := "/" + yamljson.Escape(string(key)) + "/models/" + yamljson.Escape(string(id))
			m, err := f.modelsDevModel(entry, pointer)
			if err != nil {
				return err
			}
			f.prices.add(kind+"/"+string(id), m) // the first of two that we take for one stays
		}
	}
	return nil
}

func (f *pricesFile) modelsDevModel(entry jsonbytes.Value, pointer string) (*Model, error) {
	m := new(Model)
	cost, limit := entry.Get("cost"), entry.Get("limit")
	for _, field := range [...]struct {
		into *int64
		name string
	}{{&m.ContextWindow, "context"}, {&m.MaxInput, "input"}, {&m.MaxOutput, "output"}} {
		if err := f.count(field.into, limit.Get(field.name), pointer+"/limit/"+field.name); err != nil {
			return nil, err
		}
	}
	var err error
	if m.Price.Rates, err = f.modelsDevRates(cost, pointer+"/cost"); err != nil {
		return nil, err
	}
	for _, tier := range cost.Get("tiers").Elements() {
		if over, ok := tier.Get("tier").Get("size").Int(); ok && over > 0 && tier.Get("tier").Get("type").Is("context") {
			rates, err := f.modelsDevRates(tier, pointer+"/cost/tiers")
			if err != nil {
				return nil, err
			}
			m.Price.Tiers = append(m.Price.Tiers, Tier{Over: over, Rates: rates})
		}
	}
	if above := cost.Get("context_over_200k"); len(m.Price.Tiers) == 0 && !above.Empty() {
		rates, err := f.modelsDevRates(above, pointer+"/cost/context_over_200k")
		if err != nil {
			return nil, err
		}
		m.Price.Tiers = []Tier{{Over: 200_000, Rates: rates}}
	}
	m.Price.sortTiers()
	return m, nil
}

func (f *pricesFile) modelsDevRates(cost jsonbytes.Value, pointer string) (r Rates, err error) {
	for _, field := range [...]struct {
		into *Rate
		name string
	}{
		{&r.Input, "input"}, {&r.Output, "output"}, {&r.CacheRead, "cache_read"}, {&r.CacheWrite, "cache_write"},
		{&r.AudioInput, "input_audio"}, {&r.AudioOutput, "output_audio"}, {&r.Reasoning, "reasoning"},
	} {
		if err := f.rate(field.into, cost.Get(field.name), perMillion, pointer+"/"+field.name); err != nil {
			return r, err
		}
	}
	return r, nil
}
