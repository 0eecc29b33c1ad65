package llmproxy

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
)

func init() {
	caddy.RegisterModule(new(AuthHandler))
	httpcaddyfile.RegisterHandlerDirective("llm_auth", parseAuthDirective)
	httpcaddyfile.RegisterDirectiveOrder("llm_auth", httpcaddyfile.After, "try_files")
}

// AuthHandler authenticates calls to an LLM gateway before other handlers see them,
// by the auth of the app llm_proxy. So rate_limit and access logs know
// {http.auth.user.id}, and {http.auth.user.<name>} for the metadata of the key; the
// credential itself is gone from the request, and the gateway does not check it
// again. What the handlers in between refuse, as unauthorized, as too large or as
// too much, is answered in the format of the client. Requests that are no calls of
// the gateway's surface pass untouched, as do callers whom a later handler is to
// identify.
type AuthHandler struct {
	app  *App
	seen *observer
}

// CaddyModule returns the Caddy module information.
func (*AuthHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.llm_auth", New: func() caddy.Module { return new(AuthHandler) }}
}

func parseAuthDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(AuthHandler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads llm_auth [<matcher>], which says no more.
func (h *AuthHandler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	if d.NextArg() || d.NextBlock(0) {
		return d.Errf("unrecognized word %q: llm_auth takes nothing but a matcher; who may call is said by auth of the global llm_proxy block", d.Val())
	}
	return nil
}

// Provision sees to it that the app says who may call.
func (h *AuthHandler) Provision(ctx caddy.Context) error {
	app, err := ctx.App(appName)
	if err != nil {
		return fmt.Errorf("loading the llm_proxy app: %w", err)
	}
	h.app = app.(*App)
	if h.app.authority.Load() == nil {
		return errors.New("llm_auth serves the auth of the global llm_proxy block, which says none: write it there")
	}
	h.seen = &observer{log: ctx.Logger().Named("usage")}
	return nil
}

// ServeHTTP authenticates what is a call and hands everything on.
func (h *AuthHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	who := h.app.authority.Load()
	if who == nil { // a file that is edited took it away
		return caddyhttp.Error(http.StatusServiceUnavailable, errNoAuth)
	}
	front := gateway.Front{
		Surface: who.surface, Auth: who.Authenticator, Observer: h.seen,
		Authenticated: announce, Next: next.ServeHTTP, Status: statusOf,
	}
	return front.Serve(w, r)
}

// announce tells the handlers that follow who calls.
func announce(r *http.Request, p *auth.Principal) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		setUser(repl, p.ID, p.Metadata)
	}
}

// statusOf is the status that a handler's error asks for.
func statusOf(err error) int {
	var handlerError caddyhttp.HandlerError
	if errors.As(err, &handlerError) {
		return handlerError.StatusCode
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return 0
}

// Interface guards
var (
	_ caddy.Provisioner           = (*AuthHandler)(nil)
	_ caddyhttp.MiddlewareHandler = (*AuthHandler)(nil)
	_ caddyfile.Unmarshaler       = (*AuthHandler)(nil)
)
