package llmproxy

import (
	"net"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
)

// describe tells of every handler, and what is worth a second look.
func (r *checkReport) describe(app *App) {
	for _, h := range app.list() {
		g := h.current.Load()
		listen := h.listen()
		gateway := checkedGateway{Server: h.serverName(), Listen: listen, Callers: []string{}, Providers: []checkedProvider{}, Models: []checkedModel{}}
		for _, u := range g.gateway.Routes.Upstreams() {
			gateway.Providers = append(gateway.Providers, checkedProvider{u.Name, u.Type(), addressOf(u), len(u.Base().Keys())})
			if u.Base().HasLiteralKey() {
				r.warn("the credential of provider %s stands in the config, where the admin API and saved configs show it: write it as {env.NAME} or {file./path}", u.Name)
			}
		}
		for _, route := range g.gateway.Routes.Routes() {
			model := checkedModel{Name: route.Name, Fallback: route.Fallback}
			for i := range route.Targets {
				target := &route.Targets[i]
				entry := targetOf(target.Upstream, target.Model)
				if !glob.IsPattern(target.Model) {
					entry.modelFacts = factsOf(g.gateway.Catalog.Find(target.Upstream.Name, entry.Type, target.Model))
				}
				model.Targets = append(model.Targets, entry)
			}
			gateway.Models = append(gateway.Models, model)
		}
		who := g.own
		if who == nil {
			who = app.authority.Load()
		}
		if who != nil {
			gateway.Callers = who.config.callers()
			if who.config.Anonymous && slices.ContainsFunc(listen, func(address string) bool { return !isPrivate(address) }) {
				r.warn("whoever reaches %s may call without a key: auth anonymous lets everybody in", strings.Join(listen, " "))
			}
		}
		r.warnOfUnpriced(g)
		r.Gateways = append(r.Gateways, gateway)
	}
}

// addressOf is where a provider is asked, nothing of one within the gateway.
func addressOf(u *providers.Upstream) string {
	if _, inside := u.Provider.(*providers.Mock); inside {
		return ""
	}
	return u.Base().Origin().String()
}

// listen is where the handler's server listens.
func (h *Handler) listen() []string {
	if server, ok := h.ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		return server.Listen
	}
	return nil
}

// isPrivate tells an address that nobody but this machine reaches.
func isPrivate(listen string) bool {
	address, err := caddy.ParseNetworkAddress(listen)
	if err != nil {
		return false
	}
	if address.IsUnixNetwork() || address.IsFdNetwork() || address.Host == "localhost" {
		return true
	}
	ip := net.ParseIP(address.Host)
	return ip != nil && ip.IsLoopback()
}

// callers are the kinds of those who may call.
func (a *Auth) callers() (list []string) {
	for _, kind := range []struct {
		name string
		is   bool
	}{
		{"keys", len(a.Keys) > 0 || a.KeysFile != ""}, {"tokens of jwt", a.JWT != nil}, {"users of Caddy", a.Caddy != ""}, {"everybody", a.Anonymous},
	} {
		if kind.is {
			list = append(list, kind.name)
		}
	}
	return list
}

// warnOfUnpriced tells of models that a budget refuses because nobody knows what they cost.
func (r *checkReport) warnOfUnpriced(g *generation) {
	strict := func(q *limits.Quota) bool { return q != nil && !q.Unpriced && q.Has(limits.Money) }
	gw := g.gateway
	callers := slices.ContainsFunc(gw.Auth.Quotas(), strict) || gw.Quotas != nil && strict(gw.Quotas.Handler)
	look := func(u *providers.Upstream, model string, held bool) {
		if gw.Quotas != nil {
			if own := gw.Quotas.Upstreams[u]; own != nil {
				held = held || strict(own.All) || slices.ContainsFunc(own.Keys, strict)
			}
		}
		if !held || glob.IsPattern(model) {
			return
		}
		if _, priced := gw.Catalog.Find(u.Name, u.Type(), model).Estimate(1, 0); !priced {
			r.warn("nobody knows what %s/%s costs, so a budget refuses it: put it into prices, or write unpriced allow into the limits that have the budget", u.Name, model)
		}
	}
	for _, route := range gw.Routes.Routes() {
		for i := range route.Targets {
			look(route.Targets[i].Upstream, route.Targets[i].Model, callers || strict(route.Quota))
		}
	}
	for _, u := range gw.Routes.Upstreams() {
		for _, model := range u.Base().Models {
			look(u, model, callers)
		}
	}
}
