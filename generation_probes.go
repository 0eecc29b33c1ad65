package llmproxy

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// watch begins to probe the providers that have a health check. It is called when
// the generation comes into use, never to find out whether a config is good.
func (g *generation) watch(logger *zap.Logger) {
	if g == nil {
		return
	}
	for _, u := range g.gateway.Routes.Upstreams() {
		if u.Base().Health != nil {
			health := g.gateway.Routes.Health(u)
			g.watched = append(g.watched, health.Watch(probeOf(u, health, logger)))
		}
	}
}

// unwatch ends that, when the generation is retired: requests that it still serves
// have their targets.
func (g *generation) unwatch() {
	if g == nil {
		return
	}
	for _, stop := range g.watched {
		stop()
	}
}

func probeOf(u *providers.Upstream, health *routing.Health, logger *zap.Logger) routing.Probe {
	settings := u.Base()
	return routing.Probe{
		Every: settings.Health.Every(), Tolerance: settings.Health.Tolerance(),
		Check: func(ctx context.Context) error {
			return u.CheckHealth(ctx, settings.Key(health.UsableKey(settings.Fingerprints(), time.Now())))
		},
		Changed: func(reason error) {
			if reason != nil {
				logger.Warn("a provider is down", zap.String("provider", u.Name), zap.String("reason", reason.Error()))
				return
			}
			logger.Info("a provider is up again", zap.String("provider", u.Name))
		},
	}
}
