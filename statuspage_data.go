package llmproxy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/usage/history"
)

// statusOverview is what data/overview answers: what is so now.
type statusOverview struct {
	Now time.Time `json:"now"`
	history.Live
	// Status is what the admin API says: calls in flight, providers, caches.
	Status statusReport `json:"status"`
	// Routes are the models with their targets, of each handler.
	Routes []handlerModels `json:"routes"`
}

// statusLimits is what data/limits answers.
type statusLimits struct {
	Reports []usageReport `json:"reports"`
	// Omitted counts the keys whose limits are not shown: they called nothing of late.
	Omitted int `json:"omitted"`
}

// serveData answers with JSON that is new each time.
func (p *StatusPage) serveData(w http.ResponseWriter, r *http.Request, name string) error {
	now := time.Now()
	var data any
	switch name {
	case "overview":
		overview := statusOverview{Now: now.UTC(), Live: p.history.Live(now), Status: status(), Routes: allModels(now, false)}
		data = &overview
	case "history":
		query := r.URL.Query()
		span, known := history.SpanOf(query.Get("range"))
		by, told := history.DimensionOf(query.Get("by"))
		if !known || !told {
			return caddyhttp.Error(http.StatusBadRequest, errors.New("range is 1h, 6h or 24h, by is model, key or provider"))
		}
		data = p.history.Report(span, by, now)
	case "calls":
		data = p.history.Calls()
	case "limits":
		data = p.limits(r.Context())
	default:
		return caddyhttp.Error(http.StatusNotFound, nil)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	return json.NewEncoder(w).Encode(data)
}

// mostKeys is how many keys have their limits shown though they did not call.
const mostKeys = 100

// limits tells of the limits of what was used of late, and of some that was not: there
// may be very many keys.
func (p *StatusPage) limits(ctx context.Context) statusLimits {
	shown, omitted := make(map[string]bool), 0 // sites may share keys
	reports := allUsage(ctx, func(q *limits.Quota) bool {
		if q.Scope != limits.ScopeKey || p.history.Uses(history.Key, q.ID) {
			return true
		}
		show, known := shown[q.ID]
		if !known {
			show = len(shown) < mostKeys
			shown[q.ID] = show
			if !show {
				omitted++
			}
		}
		return show
	})
	return statusLimits{reports, omitted}
}
