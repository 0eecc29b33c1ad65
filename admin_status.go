package llmproxy

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// availabilityStatus says whether something can be used.
type availabilityStatus struct {
	// State is ready, or what stands against it: disabled by the operator, down for
	// its health check, open or refusing by its breaker, busy or limited by its own
	// word, keyless while every key is refused.
	State string `json:"state"`
	// Until is when it may be used again, if that is known.
	Until *time.Time `json:"until,omitempty"`
}

// providerStatus is what is known of a provider.
type providerStatus struct {
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Models []string `json:"models,omitempty"`
	availabilityStatus
	InFlight int64          `json:"in_flight"`
	Keys     []keyStatus    `json:"keys,omitempty"`
	Targets  []targetStatus `json:"targets,omitempty"`
}

// keyStatus is what is known of a provider's key.
type keyStatus struct {
	// Index is its place in the config, from 0.
	Index int `json:"index"`
	// Fingerprint is the beginning of the key's SHA-256.
	Fingerprint string `json:"fingerprint,omitempty"`
	availabilityStatus
}

// targetStatus is what is known of a model of a provider.
type targetStatus struct {
	Model string `json:"model"`
	availabilityStatus
	InFlight int64 `json:"in_flight"`
	// LatencyMs estimates how long an answer takes, TTFTMs how long a stream takes
	// to its first content.
	LatencyMs float64 `json:"latency_ms,omitempty"`
	TTFTMs    float64 `json:"ttft_ms,omitempty"`
	// LimitedKeys are those that the provider wants left alone for this model.
	LimitedKeys []keyStatus `json:"limited_keys,omitempty"`
}

func providerStatusOf(u *providers.Upstream, health *routing.Health, now time.Time) providerStatus {
	snapshot := health.Snapshot(u.Base().Fingerprints(), now)
	status := providerStatus{
		Name: u.Name, Type: u.Type(), Models: u.Base().Models, availabilityStatus: availabilityOf(snapshot.Availability),
	}
	index := make(map[string]int, len(snapshot.Keys))
	for i, key := range snapshot.Keys {
		index[key.Fingerprint] = i
		status.Keys = append(status.Keys, keyStatus{i, key.Fingerprint, availabilityOf(key.Availability)})
	}
	for _, m := range snapshot.Models {
		target := targetStatus{
			Model: m.Model, availabilityStatus: availabilityOf(m.Availability), InFlight: m.InFlight,
			LatencyMs: milliseconds(m.Answer), TTFTMs: milliseconds(m.Stream),
		}
		for _, key := range m.Limited {
			target.LimitedKeys = append(target.LimitedKeys, keyStatus{index[key.Fingerprint], key.Fingerprint, availabilityOf(key.Availability)})
		}
		status.InFlight += m.InFlight
		status.Targets = append(status.Targets, target)
	}
	return status
}

// milliseconds are exact to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func availabilityOf(a routing.Availability) availabilityStatus {
	status := availabilityStatus{State: "ready"}
	if a.Obstacle != routing.Clear {
		status.State = a.Obstacle.String()
	}
	if !a.Until.IsZero() {
		until := a.Until.UTC()
		status.Until = &until
	}
	return status
}

// handlerModels is what GET /llm_proxy/models answers, for each handler.
type handlerModels struct {
	Server string        `json:"server"`
	Models []modelStatus `json:"models"`
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
	Target   string `json:"target"`
	Weight   int    `json:"weight"`
	Priority int    `json:"priority,omitempty"`
	// State is left out where a * stands for many models.
	*availabilityStatus
}

// models lists the models with their targets.
func (*adminAPI) models(w http.ResponseWriter, r *http.Request) error {
	if err := onlyMethod(r, http.MethodGet); err != nil {
		return err
	}
	report := []handlerModels{}
	if app := active(); app != nil {
		for _, h := range app.list() {
			if g := h.acquire(); g != nil {
				report = append(report, handlerModels{h.serverName(), modelsOf(g.gateway.Routes, time.Now())})
				g.release()
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(report)
}

func modelsOf(table *routing.Table, now time.Time) []modelStatus {
	list := []modelStatus{}
	for _, route := range table.Routes() {
		status := modelStatus{Name: route.Name, Match: route.Match != nil, Fallback: route.Fallback}
		if policy, ok := route.Policy.(caddy.Module); ok {
			status.Policy = policy.CaddyModule().ID.Name()
		}
		for i := range route.Targets {
			target := &route.Targets[i]
			entry := modelTarget{Target: target.Upstream.Name + "/" + target.Model, Weight: target.Weight, Priority: target.Priority}
			if target.State != nil {
				found := availabilityOf(target.State.Available(target.Upstream.Base().Fingerprints(), now))
				entry.availabilityStatus = &found
			}
			status.Targets = append(status.Targets, entry)
		}
		list = append(list, status)
	}
	return list
}
