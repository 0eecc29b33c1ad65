package llmproxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// handlerModels is what GET /llm_proxy/models answers, for each handler.
type handlerModels struct {
	Server string        `json:"server"`
	Models []modelStatus `json:"models"`
	// Direct are models that providers list, which clients ask for as <provider>/<model>.
	Direct []modelTarget `json:"direct,omitempty"`
}

// modelStatus is one alias or glob. Those of one name come in the order in which
// they are tried.
type modelStatus struct {
	Name string `json:"name"`
	// Match tells that it is for some requests only.
	Match    bool          `json:"match,omitempty"`
	Policy   string        `json:"policy"`
	Fallback []string      `json:"fallback,omitempty"`
	Targets  []modelTarget `json:"targets"`
}

// modelTarget is a target of a model.
type modelTarget struct {
	Target string `json:"target"`
	// Type is the provider's.
	Type     string `json:"type"`
	Weight   int    `json:"weight,omitempty"`
	Priority int    `json:"priority,omitempty"`
	// State and Until are left out where a * stands for many models.
	State string     `json:"state,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	modelFacts
}

// modelFacts are what is known of a model, by the operator's prices first. What is
// not known is left out.
type modelFacts struct {
	ContextWindow int64 `json:"context_window,omitempty"`
	MaxInput      int64 `json:"max_input,omitempty"`
	MaxOutput     int64 `json:"max_output,omitempty"`
	// Capabilities are what the model is known to be able to do.
	Capabilities []string     `json:"capabilities,omitempty"`
	Price        *modelPrices `json:"price,omitempty"`
}

// modelPrices are in US dollars per million tokens, 0 for what is free.
type modelPrices struct {
	Input  *float64 `json:"input,omitempty"`
	Output *float64 `json:"output,omitempty"`
	// CacheRead and CacheWrite are for tokens that the provider had cached, and that it keeps.
	CacheRead  *float64 `json:"cache_read,omitempty"`
	CacheWrite *float64 `json:"cache_write,omitempty"`
	// Tiers are the prices of whole calls with longer prompts.
	Tiers []priceTier `json:"tiers,omitempty"`
}

// priceTier is of calls whose prompt has more than so many tokens.
type priceTier struct {
	Over int64 `json:"over"`
	modelPrices
}

func factsOf(m *catalog.Model) (facts modelFacts) {
	if m == nil {
		return facts
	}
	facts = modelFacts{ContextWindow: m.ContextWindow, MaxInput: m.MaxInput, MaxOutput: m.MaxOutput}
	if names := m.Can.String(); names != "" {
		facts.Capabilities = strings.Split(names, ",")
	}
	if m.Price.Known() {
		price := pricesOf(&m.Price.Rates)
		for i := range m.Price.Tiers {
			price.Tiers = append(price.Tiers, priceTier{m.Price.Tiers[i].Over, pricesOf(&m.Price.Tiers[i].Rates)})
		}
		facts.Price = &price
	}
	return facts
}

func pricesOf(r *catalog.Rates) modelPrices {
	dollars := func(rate catalog.Rate) *float64 {
		if !rate.Known() {
			return nil
		}
		price := rate.Dollars()
		return &price
	}
	return modelPrices{Input: dollars(r.Input), Output: dollars(r.Output), CacheRead: dollars(r.CacheRead), CacheWrite: dollars(r.CacheWrite)}
}

// models lists the models with their targets.
func (*adminAPI) models(w http.ResponseWriter, r *http.Request) error {
	if err := onlyMethod(r, http.MethodGet); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(allModels(time.Now(), true))
}

// allModels are those of all handlers, with the ones that providers list if they are wanted.
func allModels(now time.Time, direct bool) []handlerModels {
	report := []handlerModels{}
	if app := active(); app != nil {
		for _, h := range app.list() {
			if g := h.acquire(); g != nil {
				routes, known := g.gateway.Routes, g.gateway.Catalog
				found := handlerModels{Server: h.serverName(), Models: modelsOf(routes, known, now)}
				if direct {
					found.Direct = directOf(routes, known, now)
				}
				report = append(report, found)
				g.release()
			}
		}
	}
	return report
}

func modelsOf(table *routing.Table, known *catalog.Catalog, now time.Time) []modelStatus {
	list := []modelStatus{}
	for _, route := range table.Routes() {
		status := modelStatus{Name: route.Name, Match: route.Match != nil, Fallback: route.Fallback}
		if policy, ok := route.Policy.(caddy.Module); ok {
			status.Policy = policy.CaddyModule().ID.Name()
		}
		for i := range route.Targets {
			target := &route.Targets[i]
			entry := targetOf(target.Upstream, target.Model)
			entry.Weight, entry.Priority = target.Weight, target.Priority
			if target.State != nil {
				entry.modelFacts = factsOf(known.Find(target.Upstream.Name, entry.Type, target.Model))
				found := availabilityOf(target.State.Available(target.Upstream.Base().Fingerprints(), now))
				entry.State, entry.Until = found.State, found.Until
			}
			status.Targets = append(status.Targets, entry)
		}
		list = append(list, status)
	}
	return list
}

func targetOf(u *providers.Upstream, model string) modelTarget {
	return modelTarget{Target: u.Name + "/" + model, Type: u.Type()}
}

// directOf are the models that providers list.
func directOf(table *routing.Table, known *catalog.Catalog, now time.Time) (list []modelTarget) {
	for _, u := range table.Upstreams() {
		for _, model := range routing.Listed(u) {
			entry := targetOf(u, model)
			if ready, err := table.ModelReady(entry.Target, now); err == nil {
				entry.State = string(ready)
			}
			entry.modelFacts = factsOf(known.Find(u.Name, entry.Type, model))
			list = append(list, entry)
		}
	}
	return list
}
