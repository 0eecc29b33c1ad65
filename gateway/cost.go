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

// headerCost is what an answer costs in US dollars: a header of what has a length, a
// trailer of what is not made yet when the header goes out.
const headerCost = "X-Llm-Cost"

// unknownLength is the length of an answer that goes out as it is made.
const unknownLength = -1

// announceCost says what a whole answer of a length costs, or that the end will say it.
func (c *call) announceCost(length int) {
	switch {
	case !c.g.CostHeader:
	case length == unknownLength:
		c.endsWithCost = true
		h := c.w.Header()
		h["Trailer"] = append(h["Trailer"], headerCost)
	default:
		// What nobody counted is guessed by what is written, once it is.
		c.record.BytesOut += int64(length)
		spent := c.bill().Plus(c.wasted)
		c.record.BytesOut -= int64(length)
		c.tellCost(&spent)
	}
}

// tellCost writes what the call costs, if that is known.
func (c *call) tellCost(spent *usage.Tokens) {
	if spent.CostKnown {
		c.w.Header()[headerCost] = []string{spent.Cost.String()}
	}
}
