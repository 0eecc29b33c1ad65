package llmproxy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/cache"
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// generation is one built config. It serves until it is retired and the last
// request that uses it has ended; only then are its modules cleaned up, so that
// a reload breaks no stream.
type generation struct {
	gateway *gateway.Gateway
	// own says who may call if that is not the app's to say.
	own    *authority
	cancel context.CancelFunc
	// users counts the requests, and one for not being retired.
	users atomic.Int64
	// shared are the keys of the state that outlives the config.
	shared []any
	// counted is where use is counted; nil: nowhere.
	counted *counters
	// watched end the probes of providers.
	watched []func()
}

// generations counts those that are not over: one for each handler in use, and
// those that were replaced while calls went on.
var generations atomic.Int64

// use opens what is opened only for a config that comes into use.
func (g *generation) use() error {
	if g == nil || g.counted == nil {
		return nil
	}
	return g.counted.use()
}

// handlerPlace is where a handler stands.
type handlerPlace struct {
	// name is the handler's, the same in every config of its shape.
	name string
	// models are those that all sites share.
	models map[string]Models
}

// of is where what is counted for a model belongs: to all sites, or to the handler's own.
func (p *handlerPlace) of(name string, models Models) string {
	if shared := p.models[name]; len(shared) > 0 && shared[0] == models[0] {
		return ""
	}
	return p.name
}

// acquire takes part in a generation; false if it is over.
func (g *generation) acquire() bool {
	for {
		n := g.users.Load()
		if n == 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release ends what acquire began, or retires the generation.
func (g *generation) release() {
	if g.users.Add(-1) == 0 {
		g.close()
	}
}

func (g *generation) close() {
	generations.Add(-1)
	g.cancel()
	g.own.release()
	for _, key := range g.shared {
		_, _ = sharedState.Delete(key)
	}
	g.shared = nil
}

// sharedState is what survives reloads: facts only, no parameters of a config.
var sharedState = caddy.NewUsagePool()

// What is kept for clients that cannot carry it: long enough for a tool to run,
// and so many bytes at most.
const (
	maxRemembered = 64 << 20
	memoryTTL     = 30 * time.Minute
)

type (
	memoryKey      struct{}
	keptStreamsKey struct{}
)

// publicFetcher is one for all configs: it has no parameters.
var publicFetcher = gateway.NewPublicFetcher()

// memory is the gateway's view of the shared map.
type memory struct {
	*cache.ShortLived[*gateway.Remembered]
}

func (s memory) Find(key string) *gateway.Remembered {
	found, _ := s.ShortLived.Find(key)
	return found
}

// Destruct lets the pool hold the map; memory is all there is to it.
func (memory) Destruct() error { return nil }

// build makes a generation of a config. The global options, sites and YAML files
// all come this way. It does no network input or output.
func build(parent caddy.Context, cfg *Config, at handlerPlace, shared *authority, logger *zap.Logger, observer gateway.Observer) (_ *generation, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	ctx, cancel := caddy.NewContext(parent)
	g := &generation{cancel: cancel}
	g.users.Store(1)
	generations.Add(1)
	defer func() {
		if err != nil {
			g.release()
		}
	}()

	who := shared
	if who == nil || who.config != cfg.Auth {
		if who, err = newAuthority(cfg.Auth, at.name); err != nil {
			return nil, err
		}
		g.own = who
	}
	upstreams, err := loadProviders(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	routes, err := loadRoutes(ctx, cfg, at, upstreams, logger)
	if err != nil {
		return nil, err
	}
	table, err := routing.NewTable(upstreams, routes, g.health)
	if err != nil {
		return nil, &placedError{"/models", err}
	}
	prices, err := cfg.catalog()
	if err != nil {
		return nil, &placedError{"/prices", fmt.Errorf("prices: %w", err)}
	}
	table.Consult(prices)
	quotas, err := g.quotas(cfg, at, who, upstreams)
	if err != nil {
		return nil, err
	}
	if cfg.hasLiteralPassword() {
		logger.Warn("the password of Redis stands in the config, where the admin API and saved configs show it: write the address as {env.NAME}")
	}
	g.gateway = &gateway.Gateway{
		Surface:  cfg.surface(),
		Auth:     who.Authenticator,
		Routes:   table,
		Memory:   g.memory(),
		Pins:     g.pins(),
		Catalog:  prices,
		Observer: observer,
		Panicked: func(p *gateway.Panic) {
			metricPanics.Inc()
			logger.Error("a call panicked", zap.Inline((*loggedPanic)(p)))
		},
		Limits:  cfg.limits(),
		Quotas:  quotas,
		Queue:   cfg.queue(),
		Retries: gateway.DefaultRetries,
		Backoff: gateway.DefaultBackoff,
		Breaker: cfg.Breaker.policy(),
		Stream:  cfg.stream(),
		Streams: openStreams,
		Kept:    g.keptStreams(),

		CostHeader: cfg.CostHeader,
		Propagator: propagator(upstreams),
	}
	g.allowGarbage()
	g.gateway.Payloads = cfg.LogPayloads.payloads(logger)
	if g.gateway.Cache, err = g.cache(cfg, logger); err != nil {
		return nil, err
	}
	if cfg.Retries != nil {
		g.gateway.Retries = *cfg.Retries
	}
	if cfg.Media == mediaFetch {
		g.gateway.Media = publicFetcher
	}
	return g, nil
}

func (g *generation) memory() gateway.Memory {
	store, _, _ := sharedState.LoadOrNew(memoryKey{}, func() (caddy.Destructor, error) {
		return memory{cache.NewShortLived(maxRemembered, memoryTTL, (*gateway.Remembered).Size)}, nil
	})
	g.shared = append(g.shared, memoryKey{})
	return store.(memory)
}

// What is remembered of where things were made: as long as providers usually keep
// a conversation going, and so many things at most.
const (
	maxPins = 100_000
	pinsTTL = 24 * time.Hour
)

type pinsKey struct{}

// pins is the gateway's view of the shared map.
type pins struct{ *cache.ShortLived[gateway.Pin] }

// Destruct lets the pool hold the map; memory is all there is to it.
func (pins) Destruct() error { return nil }

func (g *generation) pins() gateway.Pins {
	store, _, _ := sharedState.LoadOrNew(pinsKey{}, func() (caddy.Destructor, error) {
		return pins{cache.NewShortLived[gateway.Pin](maxPins, pinsTTL, nil)}, nil
	})
	g.shared = append(g.shared, pinsKey{})
	return store.(pins)
}

// healthKey tells providers apart whose health is one: the same name, type and address.
type healthKey struct{ name, kind, address string }

// providerHealth lets the pool hold what is known of a provider.
type providerHealth struct{ *routing.Health }

// Destruct has nothing to do: facts are all there is to it.
func (providerHealth) Destruct() error { return nil }

// health is what is known of a provider, over all configs that have it.
func (g *generation) health(u *providers.Upstream) *routing.Health {
	key := healthKey{u.Name, u.Type(), u.Base().Origin().String()}
	health, _, _ := sharedState.LoadOrNew(key, func() (caddy.Destructor, error) {
		return providerHealth{new(routing.Health)}, nil
	})
	g.shared = append(g.shared, key)
	return health.(providerHealth).Health
}

func (g *generation) keptStreams() *gateway.KeptStreams {
	store, _, _ := sharedState.LoadOrNew(keptStreamsKey{}, func() (caddy.Destructor, error) { return gateway.NewKeptStreams(), nil })
	g.shared = append(g.shared, keptStreamsKey{})
	return store.(*gateway.KeptStreams)
}

// catalog is what models are and cost, by the operator's file first.
func (c *Config) catalog() (*catalog.Catalog, error) {
	if c.Prices == "" {
		return catalog.New(nil), nil
	}
	own, err := catalog.ReadPrices(c.Prices)
	if err != nil {
		return nil, err
	}
	return catalog.New(own), nil
}

// hasLiteralPassword tells whether an address of Redis has its password in the config itself.
func (c *Config) hasLiteralPassword() bool {
	literal := func(url string) bool { return strings.Contains(url, "@") && !strings.Contains(url, "{") }
	return c.State != nil && literal(c.State.URL) || c.Cache != nil && literal(c.Cache.URL)
}

func (c *Config) surface() gateway.Surface {
	has := func(name string) bool { return c.Surface == nil || slices.Contains(c.Surface, name) }
	return gateway.Surface{
		OpenAI: has(surfaceOpenAI), Anthropic: has(surfaceAnthropic), Gemini: has(surfaceGemini), Health: has(surfaceHealth),
	}
}

func (c *Config) limits() gateway.Limits {
	limits := gateway.DefaultLimits()
	if c.MaxBody != 0 {
		limits.Body = c.MaxBody
	}
	return limits
}

// queue is how calls wait for providers: as they do for the handler's own limits.
func (c *Config) queue() *gateway.Queue {
	if own, _, err := c.Limits.Rules(quota.Single); err == nil && own != nil && own.Wait > 0 {
		return &gateway.Queue{Wait: own.Wait, Length: int64(own.Length)}
	}
	return nil
}

func (c *Config) stream() gateway.Stream {
	stream := gateway.Stream{Heartbeat: gateway.DefaultHeartbeat}
	s := c.Stream
	if s == nil {
		return stream
	}
	if s.Heartbeat != 0 {
		stream.Heartbeat = max(0, time.Duration(s.Heartbeat))
	}
	if s.OnDisconnect == disconnectDrain {
		stream.Drain = cmp.Or(time.Duration(s.Drain), gateway.DefaultDrain)
	}
	stream.CommitEarly, stream.Resumable = time.Duration(s.CommitEarly), time.Duration(s.Resumable)
	return stream
}

// loadProviders provisions the declared providers in their order, then those
// that the environment shows.
func loadProviders(ctx caddy.Context, cfg *Config, logger *zap.Logger) ([]*providers.Upstream, error) {
	raw := maps.Clone(cfg.Providers)
	order := cfg.order()
	if len(raw) == 0 || slices.Contains(cfg.Discover, discoverEnv) {
		if raw == nil {
			raw = make(map[string]json.RawMessage)
		}
		for _, name := range providers.Discover() {
			if raw[name] == nil {
				raw[name] = json.RawMessage(`{}`)
				order = append(order, name)
			}
		}
	}
	upstreams := make([]*providers.Upstream, 0, len(order))
	for _, name := range order {
		upstream, err := loadProvider(ctx, name, raw[name])
		if err != nil {
			return nil, &placedError{"/providers/" + escapePointer(name) + pointerOf(err), fmt.Errorf("provider %q: %w", name, err)}
		}
		if upstream.Base().HasLiteralKey() {
			logger.Warn("a provider's credential stands in the config, where the admin API and saved configs show it: "+
				"write it as {env.NAME} or {file./path}", zap.String("provider", name))
		}
		upstreams = append(upstreams, upstream)
	}
	return upstreams, nil
}

func loadProvider(ctx caddy.Context, name string, raw json.RawMessage) (*providers.Upstream, error) {
	kind, rest, err := cutInlineKey(raw, "provider", name)
	if err != nil {
		return nil, err
	}
	if _, err := caddy.GetModule(providers.Namespace + "." + kind); err != nil {
		return nil, fmt.Errorf("there is no provider type %q: the types are %v", kind, providerTypes())
	}
	module, err := ctx.LoadModuleByID(providers.Namespace+"."+kind, rest)
	if err != nil {
		return nil, err
	}
	provider, ok := module.(providers.Provider)
	if !ok {
		return nil, fmt.Errorf("module %T is no provider", module)
	}
	return providers.NewUpstream(name, provider), nil
}

func providerTypes() []string {
	var names []string
	for _, module := range caddy.GetModules(providers.Namespace) {
		names = append(names, module.ID.Name())
	}
	return names
}

// cutInlineKey takes the member that names a module out of its config. Caddy's
// own loader does the same, but its error for a missing one prints the whole
// object, with any key that stands in it.
func cutInlineKey(raw json.RawMessage, inlineKey, otherwise string) (string, json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", nil, fmt.Errorf("must be an object with a member %q", inlineKey)
	}
	name := otherwise
	if text := members[inlineKey]; text != nil {
		if err := json.Unmarshal(text, &name); err != nil {
			return "", nil, fmt.Errorf("member %q must be a string", inlineKey)
		}
		delete(members, inlineKey)
	}
	rest, err := json.Marshal(members)
	return name, rest, err
}
