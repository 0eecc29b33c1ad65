package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyllm/llmproxy/limits"
)

// Errors of [Authenticator.Authenticate].
var (
	// ErrInvalidKey: the credential is none that is valid now.
	ErrInvalidKey = errors.New("invalid API key")
	// ErrNoCredential: there is none, and one is needed.
	ErrNoCredential = errors.New("no API key")
	// ErrAmbiguous: there are two different ones.
	ErrAmbiguous = errors.New("ambiguous credentials")
	// ErrOrigin: a browser page calls without a credential of its own from an
	// origin that is not listed.
	ErrOrigin = errors.New("origin not allowed")
	// ErrUnavailable: what tokens are verified with cannot be had.
	ErrUnavailable = errors.New("tokens cannot be verified now")

	// errForeign is a credential that others verify, and did not.
	errForeign = fmt.Errorf("%w: its scheme is another's to verify", ErrInvalidKey)
)

// Settings say who may call.
type Settings struct {
	// Anonymous lets in calls without a credential.
	Anonymous bool
	Keys      []Key
	Groups    []Group
	// Keyed tells that credentials count even while there are no keys: they come
	// from where there may be some later.
	Keyed bool
	// Tokens verifies JSON Web Tokens; nil: they are no credentials.
	Tokens *Tokens
	// Identity is who others found the caller to be, empty if nobody; nil: nobody
	// else looks. The proof may be of the kind that browsers send by themselves.
	Identity func(*http.Request) string
	// Origins are those of web pages that may call without a credential of their own.
	Origins []string
	// Place tells what is counted for these keys from what is for others of the same ids.
	Place string
	// Off are the callers that are switched off for now; nil: none can be.
	Off *Switches
}

// Authenticator says who calls. Only its keys can be replaced.
type Authenticator struct {
	anonymous *Principal
	keyed     bool
	tokens    *Tokens
	identity  func(*http.Request) string
	origins   []string
	place     string
	off       *Switches
	ring      atomic.Pointer[keyring]
}

// New makes an authenticator.
func New(s Settings) (*Authenticator, error) {
	a := &Authenticator{
		keyed: s.Keyed || s.Tokens != nil, tokens: s.Tokens, identity: s.Identity, origins: s.Origins, place: s.Place, off: s.Off,
	}
	if s.Anonymous {
		a.anonymous = &Principal{ID: anonymousID, Anonymous: true}
	}
	return a, a.Replace(s.Keys, s.Groups)
}

// Replace puts other keys and groups in the place of all that there are, or
// changes nothing if there is a mistake in them.
func (a *Authenticator) Replace(keys []Key, groups []Group) error {
	ring, err := newKeyring(a.place, keys, groups)
	if err != nil {
		return err
	}
	a.ring.Store(ring)
	return nil
}

// Principal is the owner of a key, by its id, whether or not the key is valid now. An
// empty id is who calls without a key, or where that is not allowed somebody who may
// use everything.
func (a *Authenticator) Principal(id string) (*Principal, bool) {
	if id == "" {
		if a.anonymous != nil {
			return a.anonymous, true
		}
		return new(Principal), true
	}
	h, ok := a.ring.Load().holders[id]
	if !ok {
		return nil, false
	}
	return &h.Principal, true
}

// Keys tells of all keys, by id. It tells no secret and no digest.
func (a *Authenticator) Keys() []KeyInfo { return a.ring.Load().list(a.off) }

// IsKey tells a secret of a key, valid or not, from any other text.
func (a *Authenticator) IsKey(text string) bool {
	digest := DigestOf(text)
	found, ok := a.ring.Load().secrets[digest.index()]
	return ok && found.digest == digest
}

// Quotas lists what keys and groups may use, groups first.
func (a *Authenticator) Quotas() []*limits.Quota { return a.ring.Load().listQuotas() }

// CanSwitch tells whether somebody of that id may call: a key, or anybody where others
// say who calls.
func (a *Authenticator) CanSwitch(id string) bool {
	_, known := a.ring.Load().holders[id]
	return a.off != nil && (known || (a.tokens != nil || a.identity != nil) && validID(id))
}

// Switch switches a caller off, or on again.
func (a *Authenticator) Switch(id string, off bool) error { return a.off.Set(id, off) }

// Authenticate says who sent the request: whoever the credential proves, then
// whom others found, then nobody in particular. A credential decides: a bad one
// is refused even where there is an identity or anonymous calls are allowed.
// Where there are neither keys nor tokens no credential can be bad, and the
// stand-in without which SDKs refuse to start means what none means.
func (a *Authenticator) Authenticate(r *http.Request) (*Principal, error) {
	c := findCredential(r, a.identity != nil)
	if handed := handedOn(r); handed != nil {
		if handed.by == a {
			return handed.principal, nil
		}
		c.add(handed.secret)
	}
	ring := a.ring.Load()
	counts := a.keyed || len(ring.secrets) > 0 || a.anonymous == nil && a.identity == nil
	switch {
	case c.ambiguous:
		return nil, ErrAmbiguous
	case c.secret != "" && counts:
		return a.admit(a.verify(r, ring, c.secret))
	}
	if p, err := a.admit(a.identify(r, ring)); p != nil || err != nil {
		return p, err
	}
	switch {
	case c.foreign:
		return nil, errForeign
	case a.anonymous == nil:
		return nil, ErrNoCredential
	case !a.originAllowed(r):
		return nil, ErrOrigin
	}
	return a.anonymous, nil
}

// admit refuses a caller that is switched off.
func (a *Authenticator) admit(p *Principal, err error) (*Principal, error) {
	if p != nil && a.off.Off(p.ID) {
		return nil, ErrInvalidKey
	}
	return p, err
}

// verify says whose credential it is.
func (a *Authenticator) verify(r *http.Request, ring *keyring, secret string) (*Principal, error) {
	digest := DigestOf(secret)
	if p := ring.find(secret, digest, time.Now()); p != nil {
		return p, nil
	}
	if a.tokens == nil || !looksLikeToken(secret) {
		return nil, ErrInvalidKey
	}
	claims, err := a.tokens.verify(r.Context(), secret, digest)
	if err != nil {
		return nil, err
	}
	return claims.principal(ring, time.Now())
}

// identify says whom others found, nil if nobody.
func (a *Authenticator) identify(r *http.Request, ring *keyring) (*Principal, error) {
	if a.identity == nil {
		return nil, nil
	}
	id := a.identity(r)
	switch {
	case id == "" || id == anonymousID: // which is what we call nobody ourselves
		return nil, nil
	case !validID(id):
		return nil, ErrInvalidKey
	case !a.originAllowed(r):
		return nil, ErrOrigin
	}
	p := ring.identity(id, time.Now())
	if p == nil {
		return nil, ErrInvalidKey
	}
	return p, nil
}

// originAllowed keeps web pages from using a gateway through the browser of
// somebody who can reach it, or whom it knows by what browsers send by themselves.
func (a *Authenticator) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || a.OriginListed(origin)
}

// OriginListed tells whether browsers at the origin may call without a credential.
func (a *Authenticator) OriginListed(origin string) bool {
	return slices.Contains(a.origins, "*") || slices.Contains(a.origins, strings.ToLower(origin))
}

// ParseOrigin checks an origin as a browser sends it, such as https://app.example.com.
func ParseOrigin(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is not an origin: write it like https://app.example.com", s)
	}
	return strings.ToLower(s), nil
}
