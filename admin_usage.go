package llmproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/usage"
)

// usageReport is what GET /llm_proxy/usage answers, for each handler. ?scope= and ?id=
// ask for a part of it. It holds no secret.
type usageReport struct {
	Server string `json:"server"`
	// Degraded tells that the store cannot be reached, and nothing be told.
	Degraded bool         `json:"degraded,omitempty"`
	Limits   []limitUsage `json:"limits"`
}

// limitUsage is one limit of one subject. A budget is in US dollars.
type limitUsage struct {
	// Scope is key, group, model, handler, provider or provider_key.
	Scope string `json:"scope"`
	ID    string `json:"id"`
	// Limit is how users know it: rpm, tpm, concurrency, budget per day.
	Limit     string      `json:"limit"`
	Kind      string      `json:"kind"`
	Window    string      `json:"window,omitempty"`
	Max       json.Number `json:"max"`
	Used      json.Number `json:"used"`
	Remaining json.Number `json:"remaining"`
	// ResetsAt is when nothing of it will be used, if something is.
	ResetsAt *time.Time `json:"resets_at,omitempty"`
}

func (*adminAPI) usage(w http.ResponseWriter, r *http.Request) error {
	if err := onlyMethod(r, http.MethodGet); err != nil {
		return err
	}
	query := r.URL.Query()
	wanted := func(q *limits.Quota) bool {
		return (!query.Has("scope") || query.Get("scope") == q.Scope.String()) && (!query.Has("id") || query.Get("id") == q.ID)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(allUsage(r.Context(), wanted))
}

func allUsage(ctx context.Context, wanted func(*limits.Quota) bool) []usageReport {
	report := []usageReport{}
	if app := active(); app != nil {
		for _, h := range app.list() {
			if g := h.acquire(); g != nil {
				report = append(report, g.usage(ctx, h.serverName(), wanted))
				g.release()
			}
		}
	}
	return report
}

// usage tells of all limits of a generation.
func (g *generation) usage(ctx context.Context, server string, wanted func(*limits.Quota) bool) usageReport {
	report := usageReport{Server: server, Limits: []limitUsage{}}
	if g.counted == nil {
		return report
	}
	limiter := g.counted.opened()
	if limiter == nil {
		return report
	}
	var some []limits.Claim
	var subjects []*limits.Quota
	tell := func() {
		states, err := limiter.Peek(ctx, some)
		report.Degraded = report.Degraded || err != nil
		for i := range states {
			report.Limits = append(report.Limits, usageOf(subjects[i], &states[i], time.Now()))
		}
		some, subjects = some[:0], subjects[:0]
	}
	for _, q := range g.allQuotas() {
		if !wanted(q) {
			continue
		}
		for i := range q.Limits {
			some, subjects = append(some, q.Claim(i, 0)), append(subjects, q)
		}
		if len(some) >= mostPeeked {
			tell()
		}
	}
	tell()
	return report
}

// mostPeeked is about how many limits one step looks at.
const mostPeeked = 100

// allQuotas lists the quotas that calls of the generation can meet.
func (g *generation) allQuotas() []*limits.Quota {
	gw := g.gateway
	all := gw.Auth.Quotas()
	for _, route := range gw.Routes.Routes() {
		if route.Quota != nil {
			all = append(all, route.Quota)
		}
	}
	if gw.Quotas.Handler != nil {
		all = append(all, gw.Quotas.Handler)
	}
	for _, u := range gw.Routes.Upstreams() {
		if own := gw.Quotas.Upstreams[u]; own != nil {
			all = appendUpstream(all, own)
		}
	}
	return all
}

func appendUpstream(all []*limits.Quota, own *gateway.UpstreamQuotas) []*limits.Quota {
	if own.All != nil {
		all = append(all, own.All)
	}
	for _, key := range own.Keys {
		if key != nil {
			all = append(all, key)
		}
	}
	return all
}

func usageOf(q *limits.Quota, s *limits.State, now time.Time) limitUsage {
	amount := func(n int64) json.Number {
		if s.Limit.Kind == limits.Money {
			return json.Number(usage.Money(n).String())
		}
		return json.Number(fmt.Sprint(n))
	}
	u := limitUsage{
		Scope: q.Scope.String(), ID: q.ID, Limit: s.Limit.Name, Kind: s.Limit.Kind.String(), Window: s.Limit.Window.String(),
		Max: amount(s.Limit.Amount), Used: amount(s.Limit.Amount - s.Remaining), Remaining: amount(s.Remaining),
	}
	if s.Reset > 0 {
		at := now.Add(s.Reset).UTC().Truncate(time.Second)
		u.ResetsAt = &at
	}
	return u
}

// keysPath is where keys are switched off, and on again: POST <id>/enable or disable below it.
const keysPath = "/llm_proxy/keys/"

// changeKey acts on the caller of an id, at once. It holds until it is undone or the
// process ends, whatever is reloaded.
func (*adminAPI) changeKey(w http.ResponseWriter, r *http.Request) error {
	rest := strings.TrimPrefix(r.URL.Path, keysPath)
	cut := strings.LastIndexByte(rest, '/')
	if cut < 1 || rest[cut+1:] != "enable" && rest[cut+1:] != "disable" {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("there is nothing at this path: write %s<id>/enable or disable", keysPath)}
	}
	if err := onlyMethod(r, http.MethodPost); err != nil {
		return err
	}
	id, action := rest[:cut], rest[cut+1:]
	app, places := active(), 0
	err := error(errSwitch)
	if app != nil {
		places, err = app.switchKey(id, action == "disable")
	}
	if places == 0 {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: errSwitch} // the id may be somebody's secret
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
	}
	app.logger.Info("a key was changed by the admin API", zap.String("key", id), zap.String("action", action))
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(struct {
		Key    string `json:"key"`
		Action string `json:"action"`
	}{id, action})
}
