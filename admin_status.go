package llmproxy

import (
	"time"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/providers/ratelimit"
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
	// Headroom is what the provider said last of the limits of its keys.
	Headroom []headroomStatus `json:"headroom,omitempty"`
	// LastError is the latest error, whatever came after it.
	LastError *lastError `json:"last_error,omitempty"`
}

// headroomStatus is what is left of one of the provider's own limits.
type headroomStatus struct {
	// Key is the key's place in the config, from 0.
	Key int `json:"key"`
	// Limit is requests, tokens, input_tokens or output_tokens.
	Limit     string `json:"limit"`
	Remaining int64  `json:"remaining"`
	// Max is the whole, and ResetsAt when that is there again, if the provider said so.
	Max      int64      `json:"max,omitempty"`
	ResetsAt *time.Time `json:"resets_at,omitempty"`
	// At is when the provider said it.
	At time.Time `json:"at"`
}

// lastError is an error that a target gave: a word for it, and when.
type lastError struct {
	Class string    `json:"class"`
	At    time.Time `json:"at"`
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
		for i := range m.Headroom {
			target.Headroom = appendHeadroom(target.Headroom, &m.Headroom[i])
		}
		if m.Failed.Class != "" {
			target.LastError = &lastError{m.Failed.Class, m.Failed.At.UTC()}
		}
		status.InFlight += m.InFlight
		status.Targets = append(status.Targets, target)
	}
	return status
}

func appendHeadroom(list []headroomStatus, said *routing.KeyHeadroom) []headroomStatus {
	for _, limit := range [...]struct {
		name string
		ratelimit.Budget
	}{
		{"requests", said.Requests}, {"tokens", said.Tokens}, {"input_tokens", said.Input}, {"output_tokens", said.Output},
	} {
		if !limit.Known {
			continue
		}
		one := headroomStatus{Key: said.Index, Limit: limit.name, Remaining: limit.Remaining, Max: limit.Limit, At: said.At.UTC()}
		if !limit.Reset.IsZero() {
			at := limit.Reset.UTC()
			one.ResetsAt = &at
		}
		list = append(list, one)
	}
	return list
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
