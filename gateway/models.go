package gateway

import (
	"net/http"
	"strconv"

	"github.com/caddyllm/llmproxy/transform"
)

// serveModels lists the models that the caller may use, or one of them, in the
// shape that the client's format has for it. It calls no provider and is not
// metered.
func (c *call) serveModels() {
	if err := c.authenticate(); err != nil {
		c.writeError(err)
		return
	}
	lister, ok := c.client.(transform.ModelClient)
	if !ok {
		c.writeError(errUnknownPath)
		return
	}
	if c.op == opListModels {
		var list []transform.Model
		for _, id := range c.g.Routes.Models() {
			if c.principal.MayUse(id) {
				list = append(list, transform.Model{ID: id, Owner: c.owner(id)})
			}
		}
		c.writeJSON(http.StatusOK, lister.AppendModels(nil, list))
		return
	}
	model := c.claim.model
	// A name that the caller may not use and one that does not exist look the same.
	if !c.principal.MayUse(model) || !validModel(model) {
		c.writeError(modelNotFound(model))
		return
	}
	if !c.g.Routes.Knows(model, c.r) {
		c.writeError(modelNotFound(model))
		return
	}
	c.writeJSON(http.StatusOK, lister.AppendModel(nil, transform.Model{ID: model, Owner: c.owner(model)}))
}

// owner is who answers for a model: the provider, or the gateway for an alias.
func (c *call) owner(model string) string {
	for _, u := range c.g.Routes.Upstreams() {
		if len(model) > len(u.Name) && model[:len(u.Name)] == u.Name && model[len(u.Name)] == '/' {
			return u.Name
		}
	}
	return "llm_proxy"
}

func (c *call) writeJSON(status int, body []byte) {
	h := c.w.Header()
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_ = c.write(body) // nobody is left to tell
}
