package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// loadRoutes makes routes of the models. Those of one name keep their order.
func loadRoutes(ctx caddy.Context, cfg *Config, at handlerPlace, upstreams []*providers.Upstream, logger *zap.Logger) ([]*routing.Route, error) {
	routes := make([]*routing.Route, 0, len(cfg.Models))
	for _, name := range slices.Sorted(maps.Keys(cfg.Models)) {
		models := cfg.Models[name]
		for i, model := range models {
			route, err := loadRoute(ctx, name, model, upstreams, logger)
			if err != nil {
				place := "/models/" + escapePointer(name)
				if len(models) > 1 {
					place += "/" + strconv.Itoa(i)
				}
				return nil, &placedError{place, fmt.Errorf("model %q: %w", name, err)}
			}
			subject := name
			if len(models) > 1 {
				subject += " " + strconv.Itoa(i+1)
			}
			rules, _, err := model.Limits.Rules(quota.Single)
			if err != nil {
				return nil, &placedError{"/models/" + escapePointer(name), fmt.Errorf("model %q: %w", name, err)}
			}
			route.Quota = rules.Quota(limits.ScopeModel, at.of(name, models), subject)
			routes = append(routes, route)
		}
	}
	return routes, nil
}

func loadRoute(ctx caddy.Context, name string, model *Model, upstreams []*providers.Upstream, logger *zap.Logger) (*routing.Route, error) {
	route := &routing.Route{
		Name: name, Fallback: model.Fallback, Retries: -1,
		OnUnsupported: routing.OnUnsupported(model.OnUnsupported), FailAmbiguous: model.OnAmbiguous == ambiguousFail,
		PassEmpty: model.OnEmpty == emptyPass, CacheTTL: model.Cache.ttl(),
		Timeouts: model.Timeout.routing(),
	}
	if model.Retries != nil {
		route.Retries = *model.Retries
	}
	weighted := false
	for _, to := range model.To {
		target, err := routing.ParseTarget(upstreams, to.Target)
		if err != nil {
			return nil, err
		}
		if glob.IsPattern(target.Model) && !glob.IsPattern(name) {
			return nil, fmt.Errorf("target %q has a * for which the model's name has none", to.Target)
		}
		weighted = weighted || to.Weight != 0
		target.Weight, target.Priority = max(1, to.Weight), to.Priority
		route.Targets = append(route.Targets, target)
	}
	var err error
	if route.FallbackOn, err = parseConditions(model.FallbackOn); err != nil {
		return nil, err
	}
	if route.Overrides, err = model.resolvedOverrides(); err != nil {
		return nil, err
	}
	if route.Match, err = loadMatch(ctx, name, model.Match, logger); err != nil {
		return nil, err
	}
	route.Policy, err = loadPolicy(ctx, model.Policy, weighted)
	return route, err
}

// routing is what the timeouts say, 0 where they say nothing.
func (t *Timeout) routing() routing.Timeouts {
	if t == nil {
		return routing.Timeouts{}
	}
	return routing.Timeouts{
		Connect: time.Duration(t.Connect), FirstToken: time.Duration(t.FirstToken),
		Idle: time.Duration(t.Idle), Total: time.Duration(t.Total),
	}
}

// loadMatch provisions matchers; nil without any. One that fails does not match: it
// must not open a model to requests that it is not for.
func loadMatch(ctx caddy.Context, name string, raw caddyhttp.RawMatcherSets, logger *zap.Logger) (func(*http.Request) bool, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	// Caddy empties the field that it loads, and the config may be needed again.
	holder := struct {
		MatchRaw caddyhttp.RawMatcherSets `caddy:"namespace=http.matchers"`
	}{slices.Clone(raw)}
	loaded, err := ctx.LoadModule(&holder, "MatchRaw")
	if err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	var sets caddyhttp.MatcherSets
	if err := sets.FromInterface(loaded); err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	return func(r *http.Request) bool {
		matches, err := sets.AnyMatchWithError(r)
		if err != nil {
			logger.Error("a matcher failed, so the model is not for this request", zap.String("model", name), zap.Error(err))
			return false
		}
		return matches
	}, nil
}

func loadPolicy(ctx caddy.Context, raw json.RawMessage, weighted bool) (routing.Policy, error) {
	name := "first"
	if weighted {
		name = "weighted"
	}
	config := json.RawMessage(`{}`)
	switch {
	case raw == nil:
	case raw[0] == '"':
		if err := json.Unmarshal(raw, &name); err != nil {
			return nil, err
		}
	default:
		var err error
		if name, config, err = cutInlineKey(raw, "policy", ""); err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		if name == "" {
			return nil, errors.New(`policy must be a name, or an object with a member "policy"`)
		}
	}
	if _, err := caddy.GetModule(routing.PolicyNamespace + "." + name); err != nil {
		return nil, fmt.Errorf("there is no selection policy %q", name)
	}
	module, err := ctx.LoadModuleByID(routing.PolicyNamespace+"."+name, config)
	if err != nil {
		return nil, fmt.Errorf("policy %q: %w", name, err)
	}
	policy, ok := module.(routing.Policy)
	if !ok {
		return nil, fmt.Errorf("module %T is no selection policy", module)
	}
	return policy, nil
}
