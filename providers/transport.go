package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddyllm/llmproxy/internal/http1"
)

// defaultTransport differs from Caddy's own default where an LLM gateway has
// other needs: a provider is one host that takes all the load.
const defaultTransport = `{"dial_timeout":"5s","compression":false,"keep_alive":{"max_idle_conns_per_host":512,"max_idle_conns":1024}}`

func (s *Settings) loadTransport(ctx caddy.Context) error {
	if s.transport != nil { // a provider that answers by itself
		return nil
	}
	protocol, config := "http", json.RawMessage(defaultTransport)
	if s.TransportRaw != nil {
		var err error
		if protocol, config, err = cutProtocol(s.TransportRaw); err != nil {
			return err
		}
	}
	module, err := ctx.LoadModuleByID("http.reverse_proxy.transport."+protocol, config)
	if err != nil {
		return fmt.Errorf("loading transport: %w", err)
	}
	transport, ok := module.(http.RoundTripper)
	if !ok {
		return fmt.Errorf("transport %T is no http.RoundTripper", module)
	}
	s.transport = transport
	if theirs, ok := module.(*reverseproxy.HTTPTransport); ok {
		if ours := http1Transport(config, theirs); ours != nil {
			context.AfterFunc(ctx, ours.Close) // OnCancel would be that of a copy
			s.transport = ours
		}
	}
	return nil
}

// maxWarm bounds what a config opens without being asked anything.
const maxWarm = 64

// WarmUp opens the connections that the config wants to be there.
func (s *Settings) WarmUp(ctx context.Context) error {
	ours, ok := s.transport.(*http1.Transport)
	if !ok || s.WarmConnections == 0 {
		return nil
	}
	return ours.Warm(ctx, s.base, s.WarmConnections)
}

// plainTransport is as much of Caddy's http transport as our own client has.
type plainTransport struct {
	DialTimeout   caddy.Duration `json:"dial_timeout"`
	FallbackDelay caddy.Duration `json:"dial_fallback_delay"`
	MaxHeader     int            `json:"max_response_header_size"`
	// Compression is never asked for: every request says so itself.
	Compression bool     `json:"compression"`
	Versions    []string `json:"versions"`
	KeepAlive   struct {
		Enabled        *bool          `json:"enabled"`
		ProbeInterval  caddy.Duration `json:"probe_interval"`
		MaxIdle        int            `json:"max_idle_conns"`
		MaxIdlePerHost int            `json:"max_idle_conns_per_host"`
		IdleTimeout    caddy.Duration `json:"idle_timeout"`
	} `json:"keep_alive"`
}

// http1Transport is our own client in place of Caddy's, which takes the requests
// that are not for it; nil if the config asks for what only Caddy's can do.
func http1Transport(config json.RawMessage, theirs *reverseproxy.HTTPTransport) *http1.Transport {
	var plain plainTransport
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&plain) != nil {
		return nil
	}
	keep := &plain.KeepAlive
	if plain.Compression || keep.Enabled != nil && !*keep.Enabled || len(plain.Versions) > 0 && !slices.Equal(plain.Versions, []string{"1.1"}) {
		return nil
	}
	// What Caddy's provisioning has put in for what is not set holds here too.
	return http1.New(http1.Options{
		Fallback:      theirs,
		DialTimeout:   time.Duration(theirs.DialTimeout),
		FallbackDelay: time.Duration(plain.FallbackDelay), ProbeInterval: time.Duration(theirs.KeepAlive.ProbeInterval),
		IdleTimeout:    time.Duration(theirs.KeepAlive.IdleConnTimeout),
		MaxIdlePerHost: theirs.KeepAlive.MaxIdleConnsPerHost, MaxIdle: theirs.KeepAlive.MaxIdleConns,
		MaxHeader: plain.MaxHeader,
	})
}

// cutProtocol takes the module's name out of a transport's config. Caddy's own
// loader does the same, but its error for a missing one prints the whole
// object, with a proxy's password if there is one.
func cutProtocol(raw json.RawMessage) (string, json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", nil, errors.New("transport must be an object")
	}
	protocol := "http"
	if text := members["protocol"]; text != nil {
		if err := json.Unmarshal(text, &protocol); err != nil {
			return "", nil, errors.New("transport's protocol must be a string")
		}
		delete(members, "protocol")
	}
	rest, err := json.Marshal(members)
	return protocol, rest, err
}
