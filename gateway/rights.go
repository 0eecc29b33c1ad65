package gateway

import "github.com/caddyllm/llmproxy/internal/jsonbytes"

// mayName tells whether a request names further models, and the caller may use
// them: those that a router or a provider is to ask in place of the first
// (models, fallbacks), and those that a tool is to ask (tools). To a key with
// rights to all models nothing is searched.
func (c *call) mayName() bool {
	if c.principal.MayUseAll() {
		return true
	}
	for _, list := range c.routing.nested {
		for _, element := range list.Elements() {
			if !c.mayNameIn(element) {
				return false
			}
		}
	}
	return true
}

func (c *call) mayNameIn(element jsonbytes.Value) bool {
	model, ok := element.Text()
	if !ok {
		if model, ok = element.Get("model").Text(); !ok {
			return true
		}
	}
	for i := range c.plan.Targets {
		if !c.principal.MayUse(c.plan.Targets[i].Upstream.Name + "/" + model) {
			return false
		}
	}
	return true
}
