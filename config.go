package llmproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/providers"
)

// Config is what the global options, a site's block and a YAML file can all
// say. Names of all three live together: a name defined twice is an error.
// Options that are no names replace those of the outer place whole: a file's
// replace its block's, a site's replace the global ones.
type Config struct {
	// Names this place for the admin API: /id/<name>/ reaches it.
	ID string `json:"@id,omitempty"`

	// A YAML file with more of the same. It is watched: an edit takes effect
	// within two seconds, a bad one is refused and logged, and the last good
	// one stays.
	ConfigFile string `json:"config,omitempty"`

	// Which paths the gateway claims: openai, anthropic, gemini, health. Default:
	// all of them.
	Surface []string `json:"surface,omitempty"`

	// Where else to find providers. The only place is env: every provider whose
	// usual environment variable is set, under the name of its type. Default:
	// env if no provider is declared anywhere, otherwise nowhere.
	Discover providers.Strings `json:"discover,omitempty"`

	// The providers, by the names that models address them with.
	Providers map[string]json.RawMessage `json:"providers,omitempty" caddy:"namespace=llm_proxy.providers inline_key=provider"`

	// The order in which providers are asked whether they serve a bare model
	// name. Default: by name.
	ProviderOrder []string `json:"provider_order,omitempty"`

	// The models that clients ask for, by name or glob, and what is behind them. A
	// list of several has one for each kind of request: the first whose match
	// holds is taken.
	Models map[string]Models `json:"models,omitempty"`

	// Who may call. It must be said somewhere: open access is a choice.
	Auth *Auth `json:"auth,omitempty"`

	// What all calls together may use. They are counted for each llm_proxy block of a
	// server, in the order of the blocks.
	Limits *quota.Limits `json:"limits,omitempty"`

	// Where what is used is counted. Default: in memory, and in a file below Caddy's
	// data directory what must outlast a restart.
	State *State `json:"state,omitempty"`

	// How streams are written.
	Stream *Stream `json:"stream,omitempty"`

	// How many attempts may follow the first, fallbacks included. Default: 2.
	Retries *int `json:"retries,omitempty"`

	// When a target that keeps failing is left alone.
	Breaker *Breaker `json:"breaker,omitempty"`

	// Where whole answers are kept. Default: nowhere.
	Cache *Cache `json:"cache,omitempty"`

	// Has answers tell what they cost, in US dollars: whole ones in the header
	// X-Llm-Cost, streams in a trailer of that name. Default: false.
	CostHeader bool `json:"cost_header,omitempty"`

	// The largest request, in bytes after decoding. Default: 33554432 (32 MiB).
	MaxBody int64 `json:"max_body,omitempty"`

	// What becomes of images and files that a request names by URL when the
	// provider takes none: refuse answers with an error, fetch has the gateway
	// fetch them, over https and from public addresses only. Default: refuse.
	Media string `json:"media,omitempty"`

	// A file of prices that count before those of the catalogue: a YAML file of
	// our own shape, the api.json of models.dev, or LiteLLM's
	// model_prices_and_context_window.json. It is read when the config is loaded.
	Prices string `json:"prices,omitempty"`

	// Of which calls the request and the answer are logged, prompts and all.
	// Default: of none.
	LogPayloads *LogPayloads `json:"log_payloads,omitempty"`
}

// Auth says who may call: whoever a credential proves, then whom Caddy knows, then
// anybody. A bad credential is refused in any case.
type Auth struct {
	// Lets in calls without a credential, except from web pages whose origin is
	// not listed. Default: false.
	Anonymous bool `json:"anonymous,omitempty"`

	// A placeholder with the id of a caller whom Caddy has identified by other
	// means: {http.auth.user.id} after basic_auth, {http.request.header.X-User}
	// after a forward_auth that copies it, {http.request.tls.client.subject} with
	// client certificates. Default: Caddy identifies nobody.
	Caddy string `json:"caddy,omitempty"`

	// What keys have in common, by the names of groups.
	Groups map[string]*Group `json:"groups,omitempty"`

	// The client keys, by id. The id shows in logs; the secret does not. A key
	// without a secret is a record of the rights of whoever Caddy or a token
	// identifies by its id.
	Keys map[string]*Key `json:"keys,omitempty"`

	// A YAML file with more keys and groups: its members are keys and groups,
	// as here. It is watched: an edit takes effect within two seconds, a bad one is
	// refused and logged, and the last good one stays.
	KeysFile string `json:"keys_file,omitempty"`

	// Lets in calls with JSON Web Tokens of an issuer.
	JWT *JWT `json:"jwt,omitempty"`

	// Origins of web pages that may call without a credential of their own, such as
	// https://app.example.com, or * for any.
	Origins []string `json:"origins,omitempty"`
}

// Rights are what a key, or all keys of a group, may do.
type Rights struct {
	// The globs of the models that may be asked for. Default: all of them; for a
	// key in a group, those of the group. Where both say some, both must match.
	Models providers.Strings `json:"models,omitempty"`

	// From when on, and until when: a date such as 2030-12-31, which begins at
	// midnight UTC, or a time such as 2030-12-31T18:00:00+01:00. Default: always.
	NotBefore string `json:"not_before,omitempty"`
	Expires   string `json:"expires,omitempty"`

	// Refuses the key, or all keys of the group, for now. Default: false.
	Disabled bool `json:"disabled,omitempty"`

	// Notes for logs and placeholders: {http.auth.user.<name>}.
	Metadata map[string]string `json:"metadata,omitempty"`

	// What the key may use, or all keys of the group together; per_key of a group is
	// what each of its keys may use that has no limits of its own. Whoever Caddy or a
	// token identifies has the limits of the key of that id and of the group. Default:
	// no limits.
	Limits *quota.Limits `json:"limits,omitempty"`
}

// Group is what keys have in common.
type Group struct {
	Rights
}

// Key is one client key. It may have two secrets, digests and others together, so
// that one can replace the other without an interruption.
type Key struct {
	// The SHA-256 of a secret, as sha256:<64 hexadecimal digits>, or a list.
	Digest providers.Strings `json:"digest,omitempty"`

	// A secret, or a list, as placeholders such as {env.APP_KEY} or
	// {file./run/secrets/app}. A secret that stands in a Caddyfile or YAML file
	// becomes its digest when that is adapted; here it must not be literal.
	Secret providers.Strings `json:"secret,omitempty"`

	// The group that the key is in. Default: none.
	Group string `json:"group,omitempty"`

	Rights
}

// JWT says which JSON Web Tokens are credentials: those that an issuer has signed
// for an audience and that have not expired. The algorithms are RS256 to RS512,
// PS256 to PS512, ES256 to ES512 and EdDSA, each with a key that is made for it.
type JWT struct {
	// Where the issuer's public keys are: an https address, an http address on this
	// machine, or a file, which is watched. An address is asked when a token comes,
	// then every 15 minutes; the last good answer serves for up to 24 hours.
	JWKS string `json:"jwks,omitempty"`

	// What the claim iss must say.
	Issuer string `json:"issuer,omitempty"`

	// What the claim aud must say; of several, one is enough.
	Audience providers.Strings `json:"audience,omitempty"`

	// The claim with the caller's id. If there is a key of that id, the caller has
	// its rights. Default: sub.
	KeyClaim string `json:"key_claim,omitempty"`

	// The claim with the globs of models that the caller may ask for, as a list or
	// as words. Default: none, and the caller may ask for all of them.
	ModelsClaim string `json:"models_claim,omitempty"`

	// The claim with the caller's group, or with a list: of that the first that is
	// a group here counts. Default: none.
	GroupClaim string `json:"group_claim,omitempty"`
}

// Stream is how streams are written.
type Stream struct {
	// After so much silence a stream gets a sign of life. Default: 15s. A
	// negative one turns it off.
	Heartbeat caddy.Duration `json:"heartbeat,omitempty"`

	// What becomes of a call whose client has left before the end of the answer:
	// cancel ends the provider's work at once, and what it cost is estimated;
	// drain hears the provider out, so that it is known. Default: cancel.
	OnDisconnect string `json:"on_disconnect,omitempty"`

	// How long drain hears a provider out. At most 100 calls are drained at
	// once. Default: 60s.
	Drain caddy.Duration `json:"drain,omitempty"`

	// After so much silence from the provider a stream's status, header and first
	// sign of life are sent although no content has come yet, so that nothing on
	// the way takes the connection for dead. Default: never.
	CommitEarly caddy.Duration `json:"commit_early,omitempty"`

	// Lets clients that lost the connection come back to their stream: how long
	// the answer goes on without them, and how long it is kept after its end.
	// Default: not at all.
	Resumable caddy.Duration `json:"resumable,omitempty"`
}

// The parts of the surface.
const (
	surfaceOpenAI    = "openai"
	surfaceAnthropic = "anthropic"
	surfaceGemini    = "gemini"
	surfaceHealth    = "health"
)

var surfaces = []string{surfaceOpenAI, surfaceAnthropic, surfaceGemini, surfaceHealth}

// What becomes of images and files that a request names by URL.
const (
	mediaRefuse = "refuse"
	mediaFetch  = "fetch"
)

// What becomes of a call whose client has left.
const (
	disconnectCancel = "cancel"
	disconnectDrain  = "drain"
)

const discoverEnv = "env"

// decodeStrictly refuses members that nobody knows.
func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// check finds what can be wrong without knowing the other places.
func (c *Config) check() error {
	// An empty list would say "none" here, and "all" once the config was written out again.
	if c.Surface != nil && len(c.Surface) == 0 {
		return &placedError{"/surface", errors.New("surface is empty: name what to claim, or leave it out for all")}
	}
	if err := c.Auth.check("/auth"); err != nil {
		return err
	}
	for _, s := range c.Surface {
		if !slices.Contains(surfaces, s) {
			return &placedError{"/surface", fmt.Errorf("surface %q is not one of %v", s, surfaces)}
		}
	}
	for _, d := range c.Discover {
		if d != discoverEnv {
			return &placedError{"/discover", fmt.Errorf("providers can be discovered from %q only, not %q", discoverEnv, d)}
		}
	}
	for _, name := range c.ProviderOrder {
		if c.Providers[name] == nil {
			return &placedError{"/provider_order", fmt.Errorf("provider_order names %q, which is not among the providers", name)}
		}
	}
	if c.Media != "" && c.Media != mediaRefuse && c.Media != mediaFetch {
		return &placedError{"/media", fmt.Errorf("media must be %s or %s, not %q", mediaFetch, mediaRefuse, c.Media)}
	}
	if err := c.Stream.check(); err != nil {
		return err
	}
	if err := checkLimits("", c.Limits, quota.Single); err != nil {
		return err
	}
	if err := c.State.check(); err != nil {
		return err
	}
	if c.MaxBody < 0 {
		return &placedError{"/max_body", errors.New("max_body must be positive")}
	}
	if c.Retries != nil && *c.Retries < 0 {
		return &placedError{"/retries", errors.New("retries must not be negative")}
	}
	if err := c.Breaker.check(); err != nil {
		return err
	}
	if err := c.Cache.check(); err != nil {
		return err
	}
	if err := c.LogPayloads.check(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		if err := c.Models[name].check("/models/" + escapePointer(name)); err != nil {
			return fmt.Errorf("model %q: %w", name, err)
		}
	}
	return nil
}

func (s *Stream) check() error {
	if s == nil {
		return nil
	}
	switch s.OnDisconnect {
	case "", disconnectCancel, disconnectDrain:
	default:
		return &placedError{"/stream/on_disconnect", fmt.Errorf("on_disconnect must be %s or %s, not %q", disconnectCancel, disconnectDrain, s.OnDisconnect)}
	}
	if s.Drain != 0 && s.OnDisconnect != disconnectDrain {
		return &placedError{"/stream/drain", fmt.Errorf("drain is for on_disconnect %s", disconnectDrain)}
	}
	for _, d := range [...]struct {
		name  string
		value caddy.Duration
	}{{"drain", s.Drain}, {"commit_early", s.CommitEarly}, {"resumable", s.Resumable}} {
		if d.value < 0 {
			return &placedError{"/stream/" + d.name, fmt.Errorf("%s must be positive", d.name)}
		}
	}
	return nil
}

// merge puts inner over outer. Neither is changed.
func merge(outer, inner *Config) (*Config, error) {
	merged := *outer
	merged.Providers = maps.Clone(outer.Providers)
	merged.Models = maps.Clone(outer.Models)
	for name, raw := range inner.Providers {
		if merged.Providers[name] != nil {
			return nil, fmt.Errorf("provider %q is defined twice", name)
		}
		if merged.Providers == nil {
			merged.Providers = make(map[string]json.RawMessage)
		}
		merged.Providers[name] = raw
	}
	for name, models := range inner.Models {
		if merged.Models[name] != nil {
			return nil, fmt.Errorf("model %q is defined twice", name)
		}
		if merged.Models == nil {
			merged.Models = make(map[string]Models)
		}
		merged.Models[name] = models
	}
	merged.ProviderOrder = slices.Concat(outer.order(), inner.order())
	merged.Discover = slices.Concat(outer.Discover, inner.Discover)
	if inner.Surface != nil {
		merged.Surface = inner.Surface
	}
	if inner.Auth != nil {
		merged.Auth = inner.Auth
	}
	if inner.Stream != nil {
		merged.Stream = inner.Stream
	}
	if inner.Limits != nil {
		merged.Limits = inner.Limits
	}
	if inner.State != nil {
		merged.State = inner.State
	}
	if inner.Retries != nil {
		merged.Retries = inner.Retries
	}
	if inner.Breaker != nil {
		merged.Breaker = inner.Breaker
	}
	if inner.Cache != nil {
		merged.Cache = inner.Cache
	}
	if inner.Media != "" {
		merged.Media = inner.Media
	}
	if inner.Prices != "" {
		merged.Prices = inner.Prices
	}
	merged.CostHeader = outer.CostHeader || inner.CostHeader
	if inner.LogPayloads != nil {
		merged.LogPayloads = inner.LogPayloads
	}
	if inner.MaxBody != 0 {
		merged.MaxBody = inner.MaxBody
	}
	return &merged, nil
}

// order is the providers in the order that was written, then the others by name.
func (c *Config) order() []string {
	rest := slices.Sorted(maps.Keys(c.Providers))
	rest = slices.DeleteFunc(rest, func(name string) bool { return slices.Contains(c.ProviderOrder, name) })
	return slices.Concat(c.ProviderOrder, rest)
}
