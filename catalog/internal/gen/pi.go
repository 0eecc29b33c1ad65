package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/caddyllm/llmproxy/catalog"
)

// piKinds are our types of providers behind the package's files.
var piKinds = map[string]string{
	"amazon-bedrock": "bedrock", "anthropic": "anthropic", "azure": "azure_openai", "baseten": "baseten", "cerebras": "cerebras",
	"cloudflare-workers-ai": "cloudflare", "deepseek": "deepseek", "fireworks": "fireworks", "google": "gemini", "google-vertex": "vertex",
	"groq": "groq", "huggingface": "huggingface", "minimax": "minimax", "mistral": "mistral", "moonshotai": "moonshot", "moonshotai-cn": "moonshot-cn",
	"nvidia": "nvidia", "openai": "openai", "openrouter": "openrouter", "together": "together", "vercel-ai-gateway": "vercel", "xai": "xai", "zai": "zai",
}

type piRates struct {
	Input, Output, CacheRead, CacheWrite json.Number
}

func (p piRates) rates() catalog.Rates {
	return catalog.Rates{Input: rate(p.Input), Output: rate(p.Output), CacheRead: rate(p.CacheRead), CacheWrite: rate(p.CacheWrite)}
}

// readPi reads a JSON file per provider: models by API and id.
func readPi(dir string, into *source) error {
	for file, kind := range piKinds {
		text, err := os.ReadFile(filepath.Join(dir, "dist/providers/data", file+".json")) //nolint:gosec // unpacked by this program
		if err != nil {
			return err
		}
		var apis map[string]map[string]struct {
			ID        string
			Type      string
			Reasoning bool
			Input     []string
			Cost      struct {
				piRates
				Tiers []struct {
					InputTokensAbove int64
					piRates
				}
			}
			ContextWindow, MaxTokens int64
		}
		if err := json.Unmarshal(text, &apis); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, models := range apis {
			for _, m := range models {
				if m.Type != "chat" {
					continue
				}
				found := &catalog.Model{ContextWindow: m.ContextWindow, MaxOutput: m.MaxTokens, Can: catalog.Tools}
				if m.MaxTokens >= m.ContextWindow || m.MaxTokens == 4096 && (kind == "openrouter" || kind == "vercel") {
					found.MaxOutput = 0 // what the package writes where it does not know
				}
				if m.Reasoning {
					found.Can |= catalog.Thinking
				}
				if slices.Contains(m.Input, "image") {
					found.Can |= catalog.ImageInput
				}
				found.Price.Rates = m.Cost.rates()
				for _, tier := range m.Cost.Tiers {
					found.Price.Tiers = append(found.Price.Tiers, catalog.Tier{Over: tier.InputTokensAbove, Rates: tier.rates()})
				}
				if isFree(m.ID) && !found.Price.Known() {
					found.Price.Input, found.Price.Output = catalog.Free, catalog.Free
				}
				if n := len(found.Price.Tiers); n > 0 && found.Price.Tiers[n-1].Over >= found.ContextWindow {
					found.ContextWindow = 0 // a bound of the package's own, to stay below the tier
				}
				into.add(kind, m.ID, found)
			}
		}
	}
	return nil
}
