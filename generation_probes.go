package llmproxy

import (
	"context"
	"sync"
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
		if u.Base().WarmConnections > 0 {
			g.watched = append(g.watched, warmUp(u, logger))
		}
		if u.Base().Health != nil {
			health := g.gateway.Routes.Health(u)
			g.watched = append(g.watched, health.Watch(probeOf(u, health, logger)))
		}
	}
}

// warmUp opens a provider's connections ahead of calls. It returns how to end that.
func warmUp(u *providers.Upstream, logger *zap.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := u.Base().WarmUp(ctx); err != nil && ctx.Err() == nil {
			logger.Warn("a provider's connections could not be opened ahead of calls", zap.String("provider", u.Name), zap.Error(err))
		}
	})
	return func() {
		cancel()
		done.Wait()
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
