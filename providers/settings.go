package providers

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/limits"
)

// Settings are the options of every provider.
type Settings struct {
	// The base URL, as the vendor's own SDK takes it: OpenAI's with /v1,
	// Anthropic's and Gemini's without. Default: the vendor's public API.
	BaseURL string `json:"base_url,omitempty"`

	// The API key or keys. Placeholders such as {env.OPENAI_API_KEY} and
	// {file./run/secrets/openai} are resolved once, when the config is loaded,
	// and stay placeholders wherever the config is shown. Several keys are used
	// in turn. Default: the environment variable that the vendor's own SDK reads.
	APIKey Strings `json:"api_key,omitempty"`

	// Header fields to set on every request to the provider. Values may hold
	// placeholders that are known when the config is loaded.
	Header map[string]string `json:"header,omitempty"`

	// The models that this provider serves, as ids or globs. A model name that
	// no alias claims goes to the first provider that lists it.
	Models Strings `json:"models,omitempty"`

	// The transport to the provider: any module of http.reverse_proxy.transport.
	// Default: http, with a dial timeout of 5s and up to 512 idle connections.
	//
	// The transport http speaks HTTP/1.1, with a client that is made for this and
	// takes a header of up to 1 MiB. Caddy's own client takes its place where a proxy
	// applies, where the provider speaks HTTP/2 alone, and where any option is set
	// but dial_timeout, dial_fallback_delay, max_response_header_size, compression
	// off, versions 1.1, and those of keep_alive other than off.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`

	// How many connections to open to the provider when the config comes into use, so
	// that the first calls need not wait for its name and for TLS; at most 64. It holds
	// for the default transport. Default: 0.
	WarmConnections int `json:"warm_connections,omitempty"`

	// Whether and how to ask the provider if it is well. Default: it is not asked.
	Health *Health `json:"health,omitempty"`

	// What may be asked of the provider, all of its models and keys together; per_key
	// is for each key. Default: no limits.
	Limits *quota.Limits `json:"limits,omitempty"`

	// Whether the provider is told which trace a request belongs to, in the header
	// fields that the environment variable OTEL_PROPAGATORS names (by default
	// traceparent, tracestate and baggage). It takes Caddy's handler tracing.
	// Default: it is not told.
	TraceContext bool `json:"trace_context,omitempty"`

	rules, perKey *limits.Rules

	base      *url.URL
	keys      []string
	prints    []Fingerprint
	header    http.Header
	transport http.RoundTripper
	literal   bool
	secrets   []string
}

// Base returns s.
func (s *Settings) Base() *Settings { return s }

// Origin is the base URL. It must not be changed.
func (s *Settings) Origin() *url.URL { return s.base }

// Transport sends requests to the provider.
func (s *Settings) Transport() http.RoundTripper { return s.transport }

// FixedHeader is what the operator wants on every request. It must not be changed.
func (s *Settings) FixedHeader() http.Header { return s.header }

// Keys are all credentials. They must not be changed, and never leave the process
// but in a request to the provider.
func (s *Settings) Keys() []string { return s.keys }

// HasLiteralKey tells whether a key stands in the config itself.
func (s *Settings) HasLiteralKey() bool { return s.literal }

// Fingerprint tells credentials apart without showing them.
type Fingerprint [8]byte

// Fingerprints are those of Keys, in their order. A provider without keys has one
// of zeros, for the credential that it comes by otherwise.
func (s *Settings) Fingerprints() []Fingerprint { return s.prints }

// Key is the credential of a fingerprint, empty if there is none.
func (s *Settings) Key(i int) string {
	if i < 0 || i >= len(s.keys) {
		return ""
	}
	return s.keys[i]
}

// Defaults are what a type of provider has where its settings say nothing.
type Defaults struct {
	// BaseURL is the vendor's public API; empty: base_url is required.
	BaseURL string
	// Environment names the variables that may hold the key; the first that is set wins.
	Environment []string
	// Keyless tells that the provider can do without a key.
	Keyless bool
}

// Resolve makes the settings ready for use. Providers call it when they are
// provisioned.
func (s *Settings) Resolve(ctx caddy.Context, defaults Defaults) error {
	repl := caddy.NewReplacer()
	if err := s.resolveURL(repl, defaults.BaseURL); err != nil {
		return err
	}
	if err := s.resolveKeys(repl, defaults.Environment, defaults.Keyless); err != nil {
		return err
	}
	s.prints = fingerprints(s.keys)
	if err := s.Health.check(); err != nil {
		return err
	}
	if n := s.WarmConnections; n < 0 || n > maxWarm {
		return fmt.Errorf("warm_connections must be between 0 and %d", maxWarm)
	}
	if err := s.resolveLimits(); err != nil {
		return err
	}
	if err := s.resolveHeader(repl); err != nil {
		return err
	}
	return s.loadTransport(ctx)
}

func (s *Settings) resolveURL(repl *caddy.Replacer, defaultURL string) error {
	text := s.BaseURL
	if text == "" {
		text = defaultURL
	}
	if text == "" {
		return errors.New("base_url is missing: this provider has no public default")
	}
	text, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		return fmt.Errorf("resolving base_url: %w", err)
	}
	base, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		return errors.New("base_url is not a URL") // the parser's error would quote it, and it may hold a secret
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return errors.New("base_url must start with http:// or https:// and name a host")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return errors.New("base_url must not have a user, a query or a fragment: put the credential into api_key")
	}
	s.base = base
	return nil
}

func (s *Settings) resolveKeys(repl *caddy.Replacer, environment []string, keyless bool) error {
	s.keys = nil
	for i, text := range s.APIKey {
		key, err := repl.ReplaceOrErr(text, true, true)
		if err != nil {
			return fmt.Errorf("resolving api_key %d: %w", i+1, err)
		}
		key = strings.TrimSpace(key) // files end in a newline
		if key == "" {
			return fmt.Errorf("api_key %d is empty", i+1)
		}
		if !httpguts.ValidHeaderFieldValue(key) {
			return fmt.Errorf("api_key %d has characters that a header cannot carry", i+1)
		}
		s.literal = s.literal || !strings.Contains(text, "{")
		s.keys = append(s.keys, key)
	}
	if len(s.keys) > 0 {
		return nil
	}
	for _, name := range environment {
		if key := strings.TrimSpace(os.Getenv(name)); key != "" {
			s.keys = []string{key}
			return nil
		}
	}
	if !keyless {
		hint := "write api_key {env.YOUR_VARIABLE}"
		if len(environment) > 0 {
			hint = fmt.Sprintf("set %s, or write api_key {env.YOUR_VARIABLE}", environment[0])
		}
		return fmt.Errorf("api_key is missing: %s", hint)
	}
	return nil
}

func (s *Settings) resolveLimits() (err error) {
	s.rules, s.perKey, err = s.Limits.Rules(quota.Members)
	return err
}

// Rules are what may be asked of the provider, and with each of its keys; nil: as
// much as one likes.
func (s *Settings) Rules() (all, perKey *limits.Rules) { return s.rules, s.perKey }

func fingerprints(keys []string) []Fingerprint {
	if len(keys) == 0 {
		return make([]Fingerprint, 1)
	}
	prints := make([]Fingerprint, len(keys))
	for i, key := range keys {
		sum := sha256.Sum256([]byte(key))
		prints[i] = Fingerprint(sum[:8])
	}
	return prints
}

func (s *Settings) resolveHeader(repl *caddy.Replacer) error {
	s.header = make(http.Header, len(s.Header))
	for name, text := range s.Header {
		value, err := repl.ReplaceOrErr(text, true, true)
		if err != nil {
			return fmt.Errorf("resolving header %s: %w", name, err)
		}
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("header %q is not a valid header field", name)
		}
		s.header.Set(name, value)
	}
	return nil
}

// Join adds a path below the base URL.
func (s *Settings) Join(path string) *url.URL {
	u := *s.base
	u.Path += path
	u.RawPath = ""
	return &u
}

// Strings is a list that may be written as a single string.
type Strings []string

// UnmarshalJSON reads a string or a list of strings.
func (s *Strings) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*s = Strings{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("must be a string or a list of strings") // the decoder's error may quote a secret
	}
	*s = list
	return nil
}

// MarshalJSON writes a single string as such.
func (s Strings) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return json.Marshal(s[0])
	}
	return json.Marshal([]string(s))
}
