package llmproxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/auth"
)

func init() { caddy.RegisterModule(new(adminAPI)) }

// adminAPI adds the paths below /llm_proxy to Caddy's admin API.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.llm_proxy", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes are the paths below the admin endpoint.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/llm_proxy/status", Handler: caddy.AdminHandlerFunc(a.status)},
		{Pattern: "/llm_proxy/explain", Handler: caddy.AdminHandlerFunc(a.explain)},
		{Pattern: "/llm_proxy/cache/purge", Handler: caddy.AdminHandlerFunc(a.purge)},
		{Pattern: "/llm_proxy/keys", Handler: caddy.AdminHandlerFunc(a.keys)},
		{Pattern: keysPath, Handler: caddy.AdminHandlerFunc(a.changeKey)},
		{Pattern: "/llm_proxy/usage", Handler: caddy.AdminHandlerFunc(a.usage)},
		{Pattern: "/llm_proxy/models", Handler: caddy.AdminHandlerFunc(a.models)},
		{Pattern: providersPath, Handler: caddy.AdminHandlerFunc(a.changeProvider)},
	}
}

// statusReport is what GET /llm_proxy/status answers. It holds no secret.
type statusReport struct {
	// InFlight counts the calls of the process: those that began with a config
	// that is replaced by now are among them.
	InFlight int64 `json:"in_flight"`
	// Generations counts the configs that still serve: one for each handler, and
	// those that were replaced and whose calls go on.
	Generations int64           `json:"generations"`
	Handlers    []handlerStatus `json:"handlers"`
	// Caches hold answers, of all handlers together.
	Caches []cacheStatus `json:"caches,omitempty"`
}

type handlerStatus struct {
	Server    string           `json:"server"`
	Providers []providerStatus `json:"providers"`
	Models    []string         `json:"models"`
}

// status looks the app up at each request: after a failed reload the admin
// routes belong to a config that never came into use.
func (*adminAPI) status(w http.ResponseWriter, r *http.Request) error {
	if err := onlyMethod(r, http.MethodGet); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(status())
}

func status() statusReport {
	report := statusReport{InFlight: inFlight.Load(), Generations: generations.Load(), Handlers: []handlerStatus{}, Caches: cacheStatuses()}
	if app := active(); app != nil {
		report.Handlers = app.status()
	}
	return report
}

// onlyMethod refuses every method but one.
func onlyMethod(r *http.Request, method string) error {
	if r.Method == method {
		return nil
	}
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s is not allowed here, only %s", r.Method, method)}
}

func (a *App) status() []handlerStatus {
	handlers := a.list()
	report := make([]handlerStatus, 0, len(handlers))
	for _, h := range handlers {
		g := h.acquire()
		if g == nil {
			continue
		}
		status := handlerStatus{Server: h.serverName(), Models: g.gateway.Routes.Models()}
		for _, u := range g.gateway.Routes.Upstreams() {
			status.Providers = append(status.Providers, providerStatusOf(u, g.gateway.Routes.Health(u), time.Now()))
		}
		g.release()
		report = append(report, status)
	}
	return report
}

// handlerKeys is what GET /llm_proxy/keys answers, for each set of keys. It holds no
// secret and no digest.
type handlerKeys struct {
	// Server is the HTTP server whose site has the keys; empty: all sites share them.
	Server string         `json:"server,omitempty"`
	Keys   []auth.KeyInfo `json:"keys"`
}

func (*adminAPI) keys(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s is not allowed here", r.Method)}
	}
	report := []handlerKeys{}
	if app := active(); app != nil {
		report = app.keys()
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(report)
}

func (a *App) keys() []handlerKeys {
	report := []handlerKeys{}
	a.eachAuthority(func(server string, who *auth.Authenticator) {
		report = append(report, handlerKeys{Server: server, Keys: who.Keys()})
	})
	return report
}

// serverName is the HTTP server that the handler belongs to. Its id would say
// more, but Caddy takes those out of a config before it loads it.
func (h *Handler) serverName() string {
	server, ok := h.ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return ""
	}
	return server.Name()
}

// Interface guard
var _ caddy.AdminRouter = (*adminAPI)(nil)
