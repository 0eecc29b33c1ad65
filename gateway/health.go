package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/routing"
)

// serveHealth answers load balancers. It takes no credential and tells no secret,
// and no more of providers than whether there is one to ask.
func (g *Gateway) serveHealth(w http.ResponseWriter, r *http.Request, op operation) {
	status, body := http.StatusOK, []byte(`{"status":"ok"}`)
	if op == opReady {
		status, body = g.ready(r)
	}
	h := w.Header()
	h["Content-Type"] = headerJSON
	h["Cache-Control"] = []string{"no-store"}
	w.WriteHeader(status)
	_, _ = w.Write(body) // nobody is left to tell
}

// readyAnswer is what GET /health/ready answers.
type readyAnswer struct {
	// Status is ok, unavailable or unknown.
	Status string `json:"status"`
	// Models says of each whether it is ready, whether a fallback is, or neither.
	Models map[string]routing.Readiness `json:"models,omitempty"`
}

// ready tells whether some model can be asked now, while the process takes calls: the
// outage of one provider must not empty a load balancer. With ?model= it is about that one alone.
func (g *Gateway) ready(r *http.Request) (status int, body []byte) {
	if g.Streams.Refusing() {
		return http.StatusServiceUnavailable, []byte(`{"status":"unavailable"}`)
	}
	answer, now := readyAnswer{Status: "ok"}, time.Now()
	status = http.StatusOK
	if query := r.URL.Query(); query.Has("model") {
		name := query.Get("model")
		readiness, err := g.Routes.ModelReady(name, now)
		switch {
		case err != nil || !validModel(name):
			status, answer.Status = http.StatusNotFound, "unknown"
		case readiness == routing.Unavailable:
			status, answer.Status = http.StatusServiceUnavailable, string(readiness)
			fallthrough
		default:
			answer.Models = map[string]routing.Readiness{name: readiness}
		}
	} else {
		var any bool
		if answer.Models, any = g.Routes.Ready(now); !any {
			status, answer.Status = http.StatusServiceUnavailable, string(routing.Unavailable)
		}
	}
	body, err := json.Marshal(answer)
	if err != nil { // of strings and a map of strings
		return http.StatusInternalServerError, []byte(`{"status":"unknown"}`)
	}
	return status, body
}

// headerExposed is what pages may read: what is ours, and what it says of limits and the cache.
var headerExposed = []string{"X-Request-Id, Request-Id, X-Upstream-Request-Id, Retry-After, Retry-After-Ms, X-Should-Retry, X-Llm-Dropped, X-Llm-Cost, X-Llm-Stream-Id, Cache-Status, Age, " +
	"X-Ratelimit-Limit-Requests, X-Ratelimit-Remaining-Requests, X-Ratelimit-Reset-Requests, X-Ratelimit-Limit-Tokens, X-Ratelimit-Remaining-Tokens, X-Ratelimit-Reset-Tokens"}

// allowOrigin lets a listed page read answers.
func (g *Gateway) allowOrigin(w http.ResponseWriter, r *http.Request) {
	origin := r.Header["Origin"]
	if len(origin) != 1 || !g.Auth.OriginListed(origin[0]) {
		return
	}
	h := w.Header()
	h["Access-Control-Allow-Origin"] = origin
	h["Access-Control-Expose-Headers"] = headerExposed
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
