package gateway

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// serveModels lists the models that the caller may use, or one of them. It
// calls no provider and is not metered.
func (c *call) serveModels(model string) {
	if err := c.authenticate(); err != nil {
		c.writeError(err)
		return
	}
	if c.op == opListModels {
		var list []byte
		for _, id := range c.g.Routes.Models() {
			if c.principal.MayUse(id) {
				list = appendModel(append(list, ','), id, c.owner(id))
			}
		}
		if list != nil {
			list = list[1:]
		}
		c.writeJSON(http.StatusOK, slices.Concat([]byte(`{"object":"list","data":[`), list, []byte("]}")))
		return
	}
	// A name that the caller may not use and one that does not exist look the same.
	if !c.principal.MayUse(model) || !validModel(model) {
		c.writeError(modelNotFound(model))
		return
	}
	if _, err := c.g.Routes.Plan(model, c.principal.MayUse); err != nil {
		c.writeError(modelNotFound(model))
		return
	}
	c.writeJSON(http.StatusOK, appendModel(nil, model, c.owner(model)))
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

// appendModel writes one entry in OpenAI's shape. The time is the epoch: the
// gateway does not know when a model was made.
func appendModel(dst []byte, id, owner string) []byte {
	dst = append(dst, `{"id":`...)
	dst = jsonbytes.AppendString(dst, id)
	dst = append(dst, `,"object":"model","created":0,"owned_by":`...)
	dst = jsonbytes.AppendString(dst, owner)
	return append(dst, '}')
}

func (c *call) writeJSON(status int, body []byte) {
	h := c.w.Header()
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.w.WriteHeader(status)
	_ = c.write(body) // nobody is left to tell
}
