package llmproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/gateway"
)

// explainRequest is what POST /llm_proxy/explain takes: a request of a client.
type explainRequest struct {
	// Server is the HTTP server whose handler is asked. Default: the first that
	// claims the path.
	Server string `json:"server"`
	// Key is the id of the key that calls. Default: who calls without one, or a
	// key with all rights where that is not allowed.
	Key string `json:"key"`
	// Path is the request's path. Default: /v1/chat/completions.
	Path string `json:"path"`
	// Header has the fields of the request that matter.
	Header map[string]string `json:"header"`
	// Body is the request's body.
	Body json.RawMessage `json:"body"`
}

// maxExplained bounds what is read of a request to be explained.
const maxExplained = 32 << 20

// explain answers what would become of a request, without asking any provider.
func (*adminAPI) explain(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s is not allowed here", r.Method)}
	}
	ask := explainRequest{Path: "/v1/chat/completions"}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxExplained))
	if err == nil {
		err = decodeStrictly(body, &ask)
	}
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("reading what to explain: %w", err)}
	}
	client, err := http.NewRequestWithContext(r.Context(), http.MethodPost, ask.Path, bytes.NewReader(ask.Body))
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("the path cannot be read")}
	}
	client.Header.Set("Content-Type", "application/json")
	for name, value := range ask.Header {
		client.Header.Set(name, value)
	}
	client.RemoteAddr = "127.0.0.1:0" // for matchers, which may ask
	explanation, err := explainAt(active(), &ask, w, client)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(explanation)
}

// explainAt asks the handlers in turn.
func explainAt(app *App, ask *explainRequest, w http.ResponseWriter, client *http.Request) (*gateway.Explanation, error) {
	if app == nil {
		return nil, errors.New("no llm_proxy is in use")
	}
	for _, h := range app.list() {
		if ask.Server != "" && h.serverName() != ask.Server {
			continue
		}
		g := h.acquire()
		if g == nil {
			continue
		}
		server, _ := h.ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
		explanation, err := g.gateway.Explain(caddyhttp.PrepareRequest(client, caddy.NewReplacer(), w, server), ask.Key)
		g.release()
		if err != nil || explanation.Claimed {
			return explanation, err
		}
	}
	return nil, fmt.Errorf("no llm_proxy handler claims %s", ask.Path)
}
