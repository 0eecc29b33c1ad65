package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/decimal"
)

var genAIKinds = map[string]string{
	"anthropic": "anthropic", "aws": "bedrock", "azure": "azure_openai", "baseten": "baseten", "cerebras": "cerebras", "cloudflare": "cloudflare",
	"cohere": "cohere", "deepseek": "deepseek", "fireworks": "fireworks", "google": "gemini", "groq": "groq", "minimax": "minimax", "mistral": "mistral",
	"moonshotai": "moonshot", "novita": "novita", "openai": "openai", "openrouter": "openrouter", "perplexity": "perplexity", "together": "together",
	"x-ai": "xai", "zai": "zai", "zhipuai": "zhipu",
}

// genAIMatch is how the package recognizes a model's names. Only whole names are
// taken over: a part of a name is in those of other models too.
type genAIMatch struct {
	Equals     string
	StartsWith string `json:"starts_with"`
	Or, And    []genAIMatch
}

func (m *genAIMatch) names(list []string) []string {
	list = append(list, m.Equals)
	if strings.ContainsAny(m.StartsWith, "0123456789") {
		list = append(list, strings.TrimRight(m.StartsWith, "-"))
	}
	for i := range m.Or {
		list = m.Or[i].names(list)
	}
	for i := range m.And {
		list = m.And[i].names(list)
	}
	return list
}

type genAIPrices struct {
	Input       genAIPrice `json:"input_mtok"`
	Output      genAIPrice `json:"output_mtok"`
	CacheRead   genAIPrice `json:"cache_read_mtok"`
	CacheWrite  genAIPrice `json:"cache_write_mtok"`
	CacheHour   genAIPrice `json:"cache_write_1h_mtok"`
	AudioInput  genAIPrice `json:"input_audio_mtok"`
	AudioOutput genAIPrice `json:"output_audio_mtok"`
	Reasoning   genAIPrice `json:"output_reasoning_mtok"`
	OutputImage genAIPrice `json:"output_image_mtok"`
}

// genAIPrice is a number, or one for each length of prompts.
type genAIPrice struct {
	Base  json.Number
	Tiers []struct {
		Start count
		Price json.Number
	}
}

func (p *genAIPrice) UnmarshalJSON(text []byte) error {
	if text[0] == '{' {
		type plain genAIPrice
		return json.Unmarshal(text, (*plain)(p))
	}
	return json.Unmarshal(text, &p.Base)
}

// count is a whole number, which may be spelled 1e6.
type count int64

func (c *count) UnmarshalJSON(text []byte) error {
	n, ok := decimal.Parse(text, 0)
	if !ok {
		return fmt.Errorf("%s is no count", text)
	}
	*c = count(n)
	return nil
}

// genAIPeriods are prices, or several that hold from a day on or at hours of the
// day. The last that holds all day counts, or a dearer one of some hours.
type genAIPeriods struct{ genAIPrices }

func (p *genAIPeriods) UnmarshalJSON(text []byte) error {
	if text[0] == '{' {
		return json.Unmarshal(text, &p.genAIPrices)
	}
	var periods []struct {
		Constraint *struct{ Type string }
		Prices     genAIPrices
	}
	if err := json.Unmarshal(text, &periods); err != nil {
		return err
	}
	for _, period := range periods {
		if period.Constraint == nil || period.Constraint.Type == "start_date" || period.Prices.Output.at(0) > p.Output.at(0) {
			p.genAIPrices = period.Prices
		}
	}
	return nil
}

// readGenAIPrices reads the table in the package's JavaScript.
func readGenAIPrices(dir string, into *source) error {
	source, err := os.ReadFile(filepath.Join(dir, "dist/index.js")) //nolint:gosec // unpacked by this program
	if err != nil {
		return err
	}
	text, err := literalAfter(string(source), " = [", "api_pattern")
	if err != nil {
		return err
	}
	var providers []struct {
		ID     string
		Models []struct {
			ID            string
			Match         genAIMatch
			ContextWindow count `json:"context_window"`
			Prices        genAIPeriods
		}
	}
	if err := json.Unmarshal(text, &providers); err != nil {
		return err
	}
	for _, provider := range providers {
		kind := genAIKinds[provider.ID]
		// Whole ids win over names that another model has too.
		for _, m := range provider.Models {
			if !sold(provider.ID, m.ID) {
				continue
			}
			into.add(kind, m.ID, &catalog.Model{ContextWindow: int64(m.ContextWindow), Price: m.Prices.price(m.ID)})
		}
		for _, m := range provider.Models {
			if !sold(provider.ID, m.ID) {
				continue
			}
			group := m.Match.names([]string{m.ID})
			into.groups = append(into.groups, names{kind, group})
			for _, name := range group {
				into.add(kind, name, &catalog.Model{ContextWindow: int64(m.ContextWindow), Price: m.Prices.price(name)})
			}
		}
	}
	return nil
}

// sold leaves out what the package lists under Google but only Vertex AI sells:
// the maker's own prices stand for those.
func sold(provider, id string) bool { return provider != "google" || !strings.Contains(id, "claude") }

func (p *genAIPrices) price(name string) catalog.Price {
	price := catalog.Price{Rates: p.rates(0)}
	for i := range p.Input.Tiers {
		over := int64(p.Input.Tiers[i].Start)
		price.Tiers = append(price.Tiers, catalog.Tier{Over: over, Rates: p.rates(over)})
	}
	if isFree(name) && !price.Known() {
		price.Input, price.Output = catalog.Free, catalog.Free
	}
	return price
}

// rates are what holds for prompts longer than over.
func (p *genAIPrices) rates(over int64) catalog.Rates {
	return catalog.Rates{
		// Images are counted among the tokens of an answer; of models that make
		// them they are nearly all.
		Input: p.Input.at(over), Output: max(p.Output.at(over), p.OutputImage.at(over)),
		CacheRead: p.CacheRead.at(over), CacheWrite: p.CacheWrite.at(over), CacheWrite1h: p.CacheHour.at(over),
		AudioInput: p.AudioInput.at(over), AudioOutput: p.AudioOutput.at(over), Reasoning: p.Reasoning.at(over),
	}
}

func (p *genAIPrice) at(over int64) catalog.Rate {
	price := p.Base
	for _, tier := range p.Tiers {
		if int64(tier.Start) <= over {
			price = tier.Price
		}
	}
	return rate(price)
}
