package gateway

import (
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/usage"
)

// priced is what an attempt consumed, with its cost: what the provider says, if it
// counted the tokens itself, else what the catalogue makes of them. A service that
// bills by something else, such as images or minutes, has a cost only if its
// provider counts tokens.
func (c *call) priced(t usage.Tokens) usage.Tokens {
	if t.CostKnown && !t.Estimated || t.Estimated && c.op == opForward && c.path != completionsPath {
		return t
	}
	// What a provider said of an answer that broke off it said before the end.
	if cost, known := c.model().Cost(t); known {
		t.Cost, t.CostKnown = max(t.Cost, cost), true
	}
	return t
}

// model is what the catalogue knows of the model that was asked last.
func (c *call) model() *catalog.Model {
	if c.g.Catalog == nil {
		return nil
	}
	upstream := c.g.Routes.Upstream(c.record.Provider)
	if upstream == nil {
		return nil
	}
	return c.g.Catalog.Find(upstream.Name, upstream.Type(), c.record.Model)
}
