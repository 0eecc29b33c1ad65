// Package llmproxy makes Caddy an LLM gateway: one endpoint for the models of
// many providers, behind the API that clients already speak.
//
// The app llm_proxy holds what all sites share, the handler
// http.handlers.llm_proxy serves it and may add to it. The way of a request is
// package gateway; this package is Caddy's side of it.
package llmproxy

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/gateway"
	_ "github.com/caddyllm/llmproxy/providers/bedrock" // a provider, as is the next
	_ "github.com/caddyllm/llmproxy/providers/vertex"
)

func init() {
	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Handler))
}

const appName = "llm_proxy"

// App is what all llm_proxy handlers of a config share: providers, models, keys
// and options. It may be empty or left out.
type App struct {
	Config

	ctx     caddy.Context
	logger  *zap.Logger
	file    *configFile
	watched watchedFile
	watcher *watcher
	// authority is of the Auth that all sites share, nil if there is none.
	authority atomic.Pointer[authority]

	mu       sync.Mutex
	handlers []*Handler
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: appName, New: func() caddy.Module { return new(App) }}
}

// Provision reads the YAML file, if there is one, and registers the metrics.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.logger = ctx, sampled(ctx.Logger())
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if a.ConfigFile != "" {
		var err error
		if a.file, err = readConfigFile(a.ConfigFile); err != nil {
			return err
		}
		a.watched.digest = a.file.digest
	}
	who, err := a.authorityOf(a.file)
	switch {
	case err != nil && a.file != nil && a.file.Config.Auth != nil:
		return a.file.locate(err)
	case err != nil:
		return err
	}
	a.authority.Store(who)
	return nil
}

// authorityOf is who says who may call where a site does not, with a file as part
// of the config: the one that is in use if the file has not changed it.
func (a *App) authorityOf(file *configFile) (*authority, error) {
	cfg, err := a.config(file)
	if err != nil || cfg.Auth == nil {
		return nil, err
	}
	if err := cfg.Auth.check("/auth"); err != nil {
		return nil, err
	}
	if who := a.authority.Load(); who != nil && who.config == cfg.Auth && who.surface == cfg.surface() {
		return who, nil
	}
	who, err := newAuthority(cfg.Auth, "")
	if who != nil {
		who.surface = cfg.surface()
	}
	return who, err
}

// Cleanup gives up what is shared with other configs.
func (a *App) Cleanup() error {
	a.authority.Load().release()
	return nil
}

// Validate checks what is shared on its own, so that a mistake shows even where
// no site serves it yet.
func (a *App) Validate() error {
	cfg, err := a.config(a.file)
	if err != nil {
		return err
	}
	return cfg.check()
}

// Start opens what counts, and begins to watch the providers and the YAML files.
func (a *App) Start() error {
	for _, h := range a.list() {
		if err := h.current.Load().use(); err != nil {
			return err
		}
	}
	for _, h := range a.list() {
		h.current.Load().watch(h.logger)
	}
	a.watcher = startWatcher(a.reload)
	countReload()
	return nil
}

// Stop ends the watching.
func (a *App) Stop() error {
	a.watcher.stop()
	for _, h := range a.list() {
		h.current.Load().unwatch()
	}
	return nil
}

// config is what the app contributes: its own options and its file's.
func (a *App) config(file *configFile) (*Config, error) {
	if file == nil {
		return &a.Config, nil
	}
	cfg, err := merge(&a.Config, &file.Config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.path, err)
	}
	return cfg, nil
}

// Handler is an LLM gateway at a site. It answers the paths of the APIs that it
// speaks and leaves every other request to the next handler. It says what the
// app says, and may add to it or replace options.
//
// It sets these placeholders when a call is over:
//
//	{http.llm_proxy.requested_model}  the model that the client asked for
//	{http.llm_proxy.model}            the model that answered, as the provider calls it
//	{http.llm_proxy.provider}         the provider that answered
//	{http.llm_proxy.stream}           whether the answer was a stream
//	{http.llm_proxy.attempts}         how many requests were sent to providers
//	{http.llm_proxy.tokens.input}     the tokens of the prompt, cached ones included
//	{http.llm_proxy.tokens.output}    the tokens of the answer, reasoning included
//	{http.llm_proxy.tokens.cached}    the tokens that the provider had cached
//	{http.llm_proxy.tokens.total}     input and output
//	{http.llm_proxy.ttft_ms}          milliseconds to the first content
//	{http.llm_proxy.duration_ms}      milliseconds to the end
//	{http.llm_proxy.finish_reason}    why the answer ended
//	{http.llm_proxy.error}            the code of the error, if there was one
//
// and {http.auth.user.id}, the id of the key that called, with {http.auth.user.<name>}
// for its metadata.
type Handler struct {
	Config

	ctx     caddy.Context
	logger  *zap.Logger
	app     *App
	file    *configFile
	watched watchedFile
	seen    *observer
	// place is the handler's name among those of its server.
	place   string
	current atomic.Pointer[generation]
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.llm_proxy", New: func() caddy.Module { return new(Handler) }}
}

// Provision builds the gateway.
func (h *Handler) Provision(ctx caddy.Context) error {
	logger := ctx.Logger()
	h.ctx, h.logger = ctx, sampled(logger)
	h.seen = &observer{log: logger.Named("usage")}
	app, err := ctx.App(appName)
	if err != nil {
		return fmt.Errorf("loading the llm_proxy app: %w", err)
	}
	h.app = app.(*App)
	if h.ConfigFile != "" {
		if h.file, err = readConfigFile(h.ConfigFile); err != nil {
			return err
		}
		h.watched.digest = h.file.digest
	}
	h.place = h.app.placeOf(h)
	g, err := h.build(h.app.file, h.app.authority.Load(), h.file)
	if err != nil {
		return err
	}
	h.current.Store(g)
	h.app.add(h)
	h.endStreamsAtExit()
	return nil
}

// build makes a generation of what the app, the handler and their files say. The
// app's authority serves where the handler has no auth of its own.
func (h *Handler) build(appFile *configFile, shared *authority, ownFile *configFile) (*generation, error) {
	cfg, err := h.app.config(appFile)
	if err != nil {
		return nil, err
	}
	at := handlerPlace{h.place, cfg.Models}
	if cfg, err = merge(cfg, &h.Config); err != nil {
		return nil, err
	}
	if ownFile != nil {
		if cfg, err = merge(cfg, &ownFile.Config); err != nil {
			return nil, fmt.Errorf("%s: %w", ownFile.path, err)
		}
	}
	return build(h.ctx, cfg, at, shared, h.logger, h.seen)
}

// lateness is how long after a reload a request may still come on a connection
// that was accepted before it. net/http gives up the silent ones after five seconds.
const lateness = 10 * time.Second

// Cleanup retires the gateway, once no request can come any more. Those that it
// still serves go on to their end.
func (h *Handler) Cleanup() error {
	retire := func() {
		if g := h.current.Swap(nil); g != nil {
			g.unwatch()
			g.release()
		}
	}
	if h.app == nil || h.app.watcher == nil {
		retire() // the config never came into use
		return nil
	}
	time.AfterFunc(lateness, retire)
	return nil
}

// errGone is a request to a handler whose config is gone.
var errGone = errors.New("this config is no longer in use")

// ServeHTTP answers what is the gateway's to answer.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	g := h.acquire()
	if g == nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, errGone)
	}
	claimed := func() bool {
		defer g.release()
		return g.gateway.ServeHTTP(w, r)
	}()
	if !claimed {
		return next.ServeHTTP(w, r)
	}
	return nil
}

// acquire takes the current generation. One that is retired between the look
// and the taking has a successor, unless the handler is gone.
func (h *Handler) acquire() *generation {
	for {
		g := h.current.Load()
		if g == nil || g.acquire() {
			return g
		}
	}
}

// swap puts a new generation in the place of the current one, while the app runs.
func (h *Handler) swap(g *generation) {
	g.watch(h.logger)
	if old := h.current.Swap(g); old != nil {
		old.unwatch()
		old.release()
	}
}

// placeOf names a handler by its server and its number there. Handlers are provisioned
// in the order of the config.
func (a *App) placeOf(h *Handler) string {
	n, server := 1, h.serverName()
	for _, other := range a.list() {
		if other.serverName() == server {
			n++
		}
	}
	return server + "/" + strconv.Itoa(n)
}

func (a *App) add(h *Handler) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers = append(a.handlers, h)
}

// active is the app of the config that is in use, nil if there is none.
func active() *App {
	app, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		return nil
	}
	a, _ := app.(*App)
	return a
}

// Interface guards
var (
	_ caddy.App                   = (*App)(nil)
	_ caddy.Provisioner           = (*App)(nil)
	_ caddy.Validator             = (*App)(nil)
	_ caddy.CleanerUpper          = (*App)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ gateway.Observer            = (*observer)(nil)
)
