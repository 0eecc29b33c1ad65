package llmproxy

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/usage/history"
)

const statusDirective = "llm_status"

func init() {
	caddy.RegisterModule(new(StatusPage))
	httpcaddyfile.RegisterHandlerDirective(statusDirective, parseStatusDirective)
	// Behind authentication and encode. It comes behind llm_proxy too, whose place was
	// registered before: where both stand without a matcher it must not take the calls.
	httpcaddyfile.RegisterDirectiveOrder(statusDirective, httpcaddyfile.Before, "handle")
}

// StatusPage is a page for operators that shows what the llm_proxy handlers of the
// whole config do: figures, plots of the last 24 hours, providers, limits and the last
// calls. It shows no prompt, no answer and no secret, but ids of keys, names of models
// and costs: put authentication in front of it.
//
// It answers every request that it gets, by the end of its path: one that ends in a
// slash with the page, one that could have a slash by adding it. So it may stand under
// any path, whether or not the path's beginning is cut off. It takes no options.
//
// While a config has such a page, what it shows is gathered, in 20 MB of memory at
// most, and kept over reloads. Without any nothing is.
type StatusPage struct {
	history *history.History
}

// CaddyModule returns the Caddy module information.
func (*StatusPage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.llm_status", New: func() caddy.Module { return new(StatusPage) }}
}

func parseStatusDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	page := new(StatusPage)
	return page, page.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads llm_status [<matcher>], which says no more.
func (*StatusPage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	if d.NextArg() || d.NextBlock(0) {
		return d.Errf("unrecognized word %q: llm_status takes nothing but a matcher", d.Val())
	}
	return nil
}

// gathering is where calls are kept for the pages; nil: there is no page.
var gathering atomic.Pointer[history.History]

type historyKey struct{}

// pooledHistory is the history of all pages, over all configs that have one.
type pooledHistory struct{ *history.History }

// Destruct ends the gathering, unless it has begun anew by now.
func (p pooledHistory) Destruct() error {
	gathering.CompareAndSwap(p.History, nil)
	return nil
}

// Provision begins to gather what the page shows.
func (p *StatusPage) Provision(ctx caddy.Context) error {
	if _, err := ctx.App(appName); err != nil {
		return fmt.Errorf("loading the llm_proxy app: %w", err)
	}
	return p.gather()
}

func (p *StatusPage) gather() error {
	kept, _, err := sharedState.LoadOrNew(historyKey{}, func() (caddy.Destructor, error) {
		begun := pooledHistory{history.New(time.Now())}
		gathering.Store(begun.History)
		return begun, nil
	})
	if err != nil {
		return err
	}
	p.history = kept.(pooledHistory).History
	return nil
}

// Cleanup gives up what is shared with other configs.
func (p *StatusPage) Cleanup() error {
	if p.history == nil {
		return nil
	}
	_, err := sharedState.Delete(historyKey{})
	return err
}

//go:embed statuspage
var statusFiles embed.FS

// asset is a part of the page.
type asset struct {
	name, mediaType, tag string
	text                 []byte
}

// statusAssets are by the ends of their paths. They change with the binary only.
var statusAssets = loadStatusAssets()

func loadStatusAssets() map[string]*asset {
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	assets := make(map[string]*asset)
	entries, err := fs.ReadDir(statusFiles, "statuspage")
	if err != nil {
		panic(err) // it is part of the binary
	}
	for _, entry := range entries {
		text, err := fs.ReadFile(statusFiles, "statuspage/"+entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(text)
		assets[entry.Name()] = &asset{entry.Name(), types[path.Ext(entry.Name())], `"` + hex.EncodeToString(sum[:8]) + `"`, text}
	}
	return assets
}

// ServeHTTP answers with the page, a part of it, or data.
func (p *StatusPage) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, fmt.Errorf("method %s is not allowed here", r.Method))
	}
	protect(w.Header())
	dir, name := path.Split(r.URL.Path)
	if path.Base(dir) == "data" {
		return p.serveData(w, r, name)
	}
	if part := statusAssets[name]; part != nil && name != "page.html" {
		part.serve(w, r)
		return nil
	}
	asked := askedPath(r)
	mount := asked == r.URL.Path || r.URL.Path == "/" // what was cut off is the mount, so nothing can follow
	if !mount || path.Ext(name) != "" {
		return caddyhttp.Error(http.StatusNotFound, nil)
	}
	if !strings.HasSuffix(asked, "/") {
		addSlash(w, asked)
		return nil
	}
	statusAssets["page.html"].serve(w, r)
	return nil
}

// protect lets the page do what it does, and nobody do anything with it.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// askedPath is the path that the client knows: handle_path cuts the request's.
func askedPath(r *http.Request) string {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return original.URL.Path
	}
	return r.URL.Path
}

// addSlash sends the client to where relative addresses lead below the page. The
// address is relative itself: nobody knows what other proxies cut off.
func addSlash(w http.ResponseWriter, asked string) {
	w.Header().Set("Location", "./"+url.PathEscape(path.Base(asked))+"/")
	w.WriteHeader(http.StatusPermanentRedirect)
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", a.mediaType)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Etag", a.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.text))
}

// Interface guards
var (
	_ caddy.Provisioner           = (*StatusPage)(nil)
	_ caddy.CleanerUpper          = (*StatusPage)(nil)
	_ caddyhttp.MiddlewareHandler = (*StatusPage)(nil)
	_ caddyfile.Unmarshaler       = (*StatusPage)(nil)
)
