package llmproxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/routing"
)

// providersPath is where providers are taken out of use, and back into it:
// POST <provider>/enable, disable or reset below it.
const providersPath = "/llm_proxy/providers/"

// providerActions are what can be done with a provider. Each may be done again.
var providerActions = map[string]func(*routing.Health){
	"enable":  func(h *routing.Health) { h.Disable(false) },
	"disable": func(h *routing.Health) { h.Disable(true) },
	"reset":   (*routing.Health).Reset,
}

// changeProvider acts on every handler's provider of a name. It holds until it is
// undone, whatever is reloaded: it is kept with what is known of the provider.
func (*adminAPI) changeProvider(w http.ResponseWriter, r *http.Request) error {
	name, action, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, providersPath), "/")
	act := providerActions[action]
	if act == nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("there is nothing at this path: write %s<name>/enable, disable or reset", providersPath)}
	}
	if err := onlyMethod(r, http.MethodPost); err != nil {
		return err
	}
	app, handlers := active(), 0
	if app != nil {
		handlers = app.eachProvider(name, act)
	}
	if handlers == 0 {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("there is no provider %q", name)}
	}
	app.logger.Info("a provider was changed by the admin API", zap.String("provider", name), zap.String("action", action))
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(struct {
		Provider string `json:"provider"`
		Action   string `json:"action"`
		Handlers int    `json:"handlers"`
	}{name, action, handlers})
}

// eachProvider acts on what is known of the providers of a name and counts the
// handlers that have one.
func (a *App) eachProvider(name string, act func(*routing.Health)) (handlers int) {
	for _, h := range a.list() {
		g := h.acquire()
		if g == nil {
			continue
		}
		for _, u := range g.gateway.Routes.Upstreams() {
			if u.Name == name {
				act(g.gateway.Routes.Health(u))
				handlers++
			}
		}
		g.release()
	}
	return handlers
}
