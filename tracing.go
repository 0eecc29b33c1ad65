package llmproxy

import (
	"slices"
	"sync"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"

	"github.com/caddyllm/llmproxy/providers"
)

// tracePropagator is the one that Caddy's handler tracing makes too: it goes by
// OTEL_PROPAGATORS.
var tracePropagator = sync.OnceValue(func() propagation.TextMapPropagator { return autoprop.NewTextMapPropagator() })

// propagator tells providers of traces; nil if none is to know of them.
func propagator(upstreams []*providers.Upstream) propagation.TextMapPropagator {
	if slices.ContainsFunc(upstreams, func(u *providers.Upstream) bool { return u.Base().TraceContext }) {
		return tracePropagator()
	}
	return nil
}
