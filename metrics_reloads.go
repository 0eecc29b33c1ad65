package llmproxy

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What is counted of configs. A config that Caddy refuses does not reach us in full,
// and leaves nothing to count: caddy_config_last_reload_successful is of those.
var (
	metricReloads = counterVec("config_reloads_total",
		"Configs of Caddy that came into use, the first included, and edits of watched files, by what became of them: success or refused.", "result")
	reloadsDone    = metricReloads.WithLabelValues("success")
	reloadsRefused = metricReloads.WithLabelValues("refused")
	// lastReload is when something last came into use, in nanoseconds since 1970.
	lastReload atomic.Int64

	metricsOfReloads = []prometheus.Collector{
		metricReloads,
		gauge("config_last_reload_successful", "Whether the last edits of all watched files are in use: 0 while one is refused.", func() float64 {
			if app := active(); app != nil && app.fileRefused() {
				return 0
			}
			return 1
		}),
		gauge("config_last_reload_success_timestamp_seconds", "When a config or an edit of a watched file last came into use.", func() float64 {
			return float64(lastReload.Load()) / float64(time.Second)
		}),
	}
)

func countReload() {
	reloadsDone.Inc()
	lastReload.Store(time.Now().UnixNano())
}

// fileRefused tells whether a watched file of the config has a text that is not in use.
func (a *App) fileRefused() bool {
	refused := a.watched.refused.Load() || a.authority.Load().fileRefused()
	for _, h := range a.list() {
		refused = refused || h.watched.refused.Load()
		if g := h.acquire(); g != nil {
			refused = refused || g.own.fileRefused()
			g.release()
		}
	}
	return refused
}

func (w *authority) fileRefused() bool {
	return w != nil && (w.keysWatched.refused.Load() || w.tokensWatched.refused.Load())
}
