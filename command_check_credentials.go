package llmproxy

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// checkedCredential is what a provider makes of a key.
type checkedCredential struct {
	Provider string `json:"provider"`
	// Key is its place in the config, from 0, and Fingerprint the beginning of its SHA-256.
	Key         int                `json:"key"`
	Fingerprint string             `json:"fingerprint,omitempty"`
	Result      providers.Standing `json:"result"`
	By          string             `json:"by"`
	LatencyMs   float64            `json:"latency_ms,omitempty"`
	Detail      string             `json:"detail,omitempty"`
}

// mostProofs is how many providers are asked at once.
const mostProofs = 8

// prove asks each provider with each of its keys.
func (r *checkReport) prove(ctx context.Context, app *App) {
	var asking sync.WaitGroup
	room := make(chan struct{}, mostProofs)
	var found []*checkedCredential
	seen := make(map[string]bool)
	for _, h := range app.list() {
		table := h.current.Load().gateway.Routes
		for _, u := range table.Upstreams() {
			model := modelToAsk(table, u)
			for i, print := range u.Base().Fingerprints() {
				credential := &checkedCredential{Provider: u.Name, Key: i}
				if print != (providers.Fingerprint{}) {
					credential.Fingerprint = hex.EncodeToString(print[:4])
				}
				id := fmt.Sprint(u.Name, " ", u.Type(), " ", u.Base().Origin(), " ", print)
				if seen[id] {
					continue // sites share it
				}
				seen[id] = true
				found = append(found, credential)
				asking.Go(func() {
					room <- struct{}{}
					defer func() { <-room }()
					credential.prove(ctx, u, u.Base().Key(i), model)
				})
			}
		}
	}
	asking.Wait()
	for _, credential := range found {
		r.Credentials = append(r.Credentials, *credential)
		switch credential.Result {
		case providers.Accepted, providers.Unproven:
		default:
			r.OK = false
		}
	}
}

func (c *checkedCredential) prove(ctx context.Context, u *providers.Upstream, key, model string) {
	ctx, cancel := context.WithTimeout(ctx, proofPatience)
	defer cancel()
	proof := u.Prove(ctx, key, model)
	c.Result, c.By, c.LatencyMs, c.Detail = proof.Standing, proof.By, milliseconds(proof.Latency), proof.Detail
}

// otherModels are words in the names of models that hold no conversations.
var otherModels = []string{"embed", "rerank", "whisper", "tts", "image", "moderation", "audio", "transcribe", "dall-e"}

// modelToAsk is the first of a provider that the config names, for conversations; empty
// if there is none.
func modelToAsk(table *routing.Table, u *providers.Upstream) string {
	models := routing.Listed(u)
	for _, route := range table.Routes() {
		for i := range route.Targets {
			if target := &route.Targets[i]; target.Upstream == u && !glob.IsPattern(target.Model) {
				models = append(models, target.Model)
			}
		}
	}
	for _, name := range models {
		if !slices.ContainsFunc(otherModels, func(word string) bool { return strings.Contains(strings.ToLower(name), word) }) {
			return name
		}
	}
	return ""
}
