package gateway

import (
	"net/http"
	"slices"
	"strings"
)

// serveHealth answers load balancers: alive is whoever can answer, ready is
// who has a provider to ask. It takes no credential and tells no secret.
func (g *Gateway) serveHealth(w http.ResponseWriter, _ *http.Request, op operation) {
	status, body := http.StatusOK, `{"status":"ok"}`
	if op == opReady && (len(g.Routes.Upstreams()) == 0 || g.Streams.Refusing()) {
		status, body = http.StatusServiceUnavailable, `{"status":"unavailable"}`
	}
	h := w.Header()
	h["Content-Type"] = headerJSON
	h["Cache-Control"] = []string{"no-store"}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // nobody is left to tell
}

// allowOrigin lets a listed page read answers.
func (g *Gateway) allowOrigin(w http.ResponseWriter, r *http.Request) {
	origin := r.Header["Origin"]
	if len(origin) != 1 || !g.Auth.OriginListed(origin[0]) {
		return
	}
	h := w.Header()
	h["Access-Control-Allow-Origin"] = origin
	h["Access-Control-Expose-Headers"] = []string{"X-Request-Id, Request-Id, X-Upstream-Request-Id, Retry-After, X-Should-Retry, X-Llm-Dropped, X-Llm-Stream-Id"}
	if vary := h["Vary"]; !slices.Contains(vary, "Origin") {
		h["Vary"] = append(vary, "Origin")
	}
}

// servePreflight answers a browser that asks before it calls. An origin that is
// not listed gets no permission.
func (g *Gateway) servePreflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Allow"] = []string{g.Surface.methods(r)}
	if h.Get("Access-Control-Allow-Origin") != "" {
		h["Access-Control-Allow-Methods"] = []string{"GET, POST"}
		h["Access-Control-Max-Age"] = []string{"86400"}
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && !strings.ContainsAny(asked, "\r\n") {
			h["Access-Control-Allow-Headers"] = []string{asked}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
