package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/internal/glob"
)

// Errors of [Authenticator.Authenticate].
var (
	// ErrInvalidKey: the credential is none that is known.
	ErrInvalidKey = errors.New("invalid API key")
	// ErrNoCredential: there is none, and one is needed.
	ErrNoCredential = errors.New("no API key")
	// ErrAmbiguous: there are two different ones.
	ErrAmbiguous = errors.New("ambiguous credentials")
	// ErrOrigin: a browser page calls without a credential from an origin that is not listed.
	ErrOrigin = errors.New("origin not allowed")
)

// Principal is who calls. The zero value is nobody and may use nothing.
type Principal struct {
	// ID names the key, or says "anonymous". It is safe to log.
	ID string
	// Anonymous tells that there was no credential.
	Anonymous bool
	models    []string // globs; nil: everything
}

// MayUse tells whether the principal may call the model of that name.
func (p *Principal) MayUse(model string) bool {
	return p.models == nil || glob.Any(p.models, model)
}

// MayUseAll tells whether there is no model that the principal may not call.
func (p *Principal) MayUseAll() bool { return p.models == nil }

// Key is one client key.
type Key struct {
	ID     string
	Digest Digest
	// Models are the globs of what the key may use; nil: everything.
	Models []string
}

// Digest is the SHA-256 of a secret. A stored digest is no credential.
type Digest [sha256.Size]byte

const digestPrefix = "sha256:"

// DigestOf is the digest of a secret.
func DigestOf(secret string) Digest { return sha256.Sum256([]byte(secret)) }

// ParseDigest reads "sha256:" and 64 hexadecimal digits.
func ParseDigest(s string) (d Digest, err error) {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(d)) {
		return d, fmt.Errorf("a digest is %q and %d hexadecimal digits", digestPrefix, hex.EncodedLen(len(d)))
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return d, fmt.Errorf("a digest is %q and %d hexadecimal digits: %w", digestPrefix, hex.EncodedLen(len(d)), err)
	}
	return d, nil
}

// IsDigest tells a digest from a secret.
func IsDigest(s string) bool { return strings.HasPrefix(s, digestPrefix) }

func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// Authenticator knows the keys. It does not change once made.
type Authenticator struct {
	anonymous *Principal
	origins   []string
	// keys are looked up by half of the digest and compared by all of it, so
	// that the time a look-up takes says nothing about a stored digest.
	keys map[[8]byte]entry
}

type entry struct {
	digest    Digest
	principal *Principal
}

// New makes an authenticator. Two keys may not share a secret.
func New(anonymous bool, keys []Key, origins []string) (*Authenticator, error) {
	a := &Authenticator{keys: make(map[[8]byte]entry, len(keys)), origins: origins}
	if anonymous {
		a.anonymous = &Principal{ID: "anonymous", Anonymous: true}
	}
	for _, key := range keys {
		if old, ok := a.keys[key.Digest.index()]; ok {
			return nil, fmt.Errorf("keys %q and %q have the same secret: give each its own", old.principal.ID, key.ID)
		}
		a.keys[key.Digest.index()] = entry{key.Digest, &Principal{ID: key.ID, models: key.Models}}
	}
	return a, nil
}

func (d Digest) index() [8]byte { return [8]byte(d[:8]) }

// Principal is the owner of a key, by its id. An empty id is who calls without a
// key, or where that is not allowed somebody who may use everything.
func (a *Authenticator) Principal(id string) (*Principal, bool) {
	if id == "" {
		if a.anonymous != nil {
			return a.anonymous, true
		}
		return new(Principal), true
	}
	for _, key := range a.keys {
		if key.principal.ID == id {
			return key.principal, true
		}
	}
	return nil, false
}

// Authenticate says who sent the request. A credential decides: a bad one is
// refused even where anonymous calls are allowed. Where there are no keys at
// all no credential can be bad, and the stand-in without which SDKs refuse to
// start means what none means.
func (a *Authenticator) Authenticate(r *http.Request) (*Principal, error) {
	secret, ambiguous := Credential(r)
	switch {
	case ambiguous:
		return nil, ErrAmbiguous
	case secret != "" && (len(a.keys) > 0 || a.anonymous == nil):
		return a.lookUp(secret)
	case a.anonymous == nil:
		return nil, ErrNoCredential
	case !a.originAllowed(r):
		return nil, ErrOrigin
	}
	return a.anonymous, nil
}

func (a *Authenticator) lookUp(secret string) (*Principal, error) {
	digest := DigestOf(secret)
	found, ok := a.keys[digest.index()]
	if subtle.ConstantTimeCompare(found.digest[:], digest[:]) != 1 || !ok {
		return nil, ErrInvalidKey
	}
	return found.principal, nil
}

// originAllowed keeps web pages from using an open gateway through the browser
// of somebody who can reach it.
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
