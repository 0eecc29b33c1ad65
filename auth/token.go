package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddyllm/llmproxy/internal/jsonbytes"
)

// What a token may be (RFC 8725).
const (
	maxToken   = 8 << 10
	maxKeyID   = 128
	tokenDepth = 16
	// clockSkew is how far an issuer's clock may be off.
	clockSkew = 60 * time.Second
)

// signatures are the algorithms that may sign a token: asymmetric ones only, so
// that what verifies cannot sign (RFC 8725, 2.1 and 3.1).
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Tokens verifies the JSON Web Tokens of one issuer.
type Tokens struct {
	// Issuer and Audience are what a token must say; one audience of several is enough.
	Issuer   string
	Audience []string
	// KeyClaim is the claim with the caller's id; if there is a key of that id,
	// the caller has its rights.
	KeyClaim string
	// ModelsClaim and GroupClaim are the claims with the globs of models and the
	// group that narrow those rights; empty: tokens say nothing of it. Without a
	// claim that is named here a token is good for nothing.
	ModelsClaim, GroupClaim string
	Keys                    *KeySet
	// Known keeps what was verified, under the digest of the whole token; nil:
	// every token is verified each time. It may forget.
	Known interface {
		Find(key string) (*Claims, bool)
		Keep(key string, claims *Claims)
	}
}

// Claims is what a verified token says.
type Claims struct {
	id      string
	expires time.Time
	// models and groups narrow the rights; nil: they do not.
	models, groups []string
}

// looksLikeToken tells a token from a key: both come the same way. Dots are
// counted before anything is split.
func looksLikeToken(secret string) bool {
	return len(secret) <= maxToken && strings.HasPrefix(secret, "ey") && strings.Count(secret, ".") == 2
}

// verify says what a token claims, if its issuer signed it and it is for us now.
func (t *Tokens) verify(ctx context.Context, token string, digest Digest) (*Claims, error) {
	now := time.Now()
	if t.Known != nil {
		if claims, ok := t.Known.Find(digest.String()); ok && now.Before(claims.expires) {
			return claims, nil
		}
	}
	header, err := parseTokenHeader(token)
	if err != nil {
		return nil, ErrInvalidKey
	}
	key, err := t.Keys.find(ctx, header.keyID, header.algorithm)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{header.algorithm}), jwt.WithIssuer(t.Issuer), jwt.WithAudience(t.Audience...),
		jwt.WithExpirationRequired(), jwt.WithLeeway(clockSkew), jwt.WithStrictDecoding())
	said := jwt.MapClaims{}
	if _, err := parser.ParseWithClaims(token, said, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return nil, ErrInvalidKey
	}
	claims, err := t.read(said)
	if err == nil && t.Known != nil {
		t.Known.Keep(digest.String(), claims)
	}
	return claims, err
}

// read takes what we need out of the claims.
func (t *Tokens) read(said jwt.MapClaims) (*Claims, error) {
	id, _ := said[t.KeyClaim].(string)
	expires, err := said.GetExpirationTime()
	if !validID(id) || err != nil || expires == nil {
		return nil, ErrInvalidKey
	}
	claims := &Claims{id: id, expires: expires.Add(clockSkew)}
	if t.ModelsClaim != "" {
		claims.models = listClaim(said[t.ModelsClaim], true)
	}
	if t.GroupClaim != "" {
		claims.groups = listClaim(said[t.GroupClaim], false)
	}
	return claims, nil
}

// listClaim reads a list of strings or one string, whose words are the list where
// it may be spelt as OAuth's scopes are. What is neither is an empty list.
func listClaim(value any, words bool) []string {
	list := []string{}
	switch value := value.(type) {
	case string:
		if words {
			return append(list, strings.Fields(value)...)
		}
		list = append(list, value)
	case []any:
		for _, element := range value {
			if text, ok := element.(string); ok {
				list = append(list, text)
			}
		}
	}
	return list
}

// principal is who the claims speak of: the key of that id if there is one, with
// no more than its rights.
func (c *Claims) principal(ring *keyring, now time.Time) (*Principal, error) {
	p := ring.identity(c.id, now)
	if p == nil {
		return nil, ErrInvalidKey
	}
	if c.models != nil {
		p = p.restricted(c.models)
	}
	if c.groups == nil {
		return p, nil
	}
	// The first of the token's groups that is one here.
	at := slices.IndexFunc(c.groups, func(id string) bool { return ring.groups[id] != nil })
	if at < 0 {
		return p.restricted([]string{}), nil
	}
	h := holder{Principal: *p}
	h.models = slices.Clip(h.models)
	h.join(ring.groups[c.groups[at]], &ring.quotas)
	if !h.valid(now) {
		return nil, ErrInvalidKey
	}
	if h.Group == "" {
		h.Group = c.groups[at]
	}
	return &h.Principal, nil
}

// tokenHeader is what a token says of its signature.
type tokenHeader struct{ algorithm, keyID string }

var errTokenHeader = errors.New("the token's header is not one that is accepted")

// refusedParameters would have us follow, or understand, what the sender chose:
// extensions, keys and certificates of its own, compression, encryption.
var refusedParameters = []string{"crit", "jku", "jwk", "x5u", "x5c", "zip", "enc", "b64"}

// parseTokenHeader reads a header strictly: a member that stands twice, an
// algorithm that is not asymmetric, a token within the token are all refused.
func parseTokenHeader(token string) (tokenHeader, error) {
	first, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil || jsonbytes.Check(text, tokenDepth) != nil {
		return tokenHeader{}, errTokenHeader
	}
	value := jsonbytes.Parse(text)
	if value.Kind() != jsonbytes.Object || value.Unique("") != nil {
		return tokenHeader{}, errTokenHeader
	}
	var parameters map[string]json.RawMessage
	if err := json.Unmarshal(text, &parameters); err != nil {
		return tokenHeader{}, errTokenHeader
	}
	for _, name := range refusedParameters {
		if parameters[name] != nil {
			return tokenHeader{}, errTokenHeader
		}
	}
	var header tokenHeader
	var kind, content string
	for name, into := range map[string]*string{"alg": &header.algorithm, "kid": &header.keyID, "typ": &kind, "cty": &content} {
		if raw := parameters[name]; raw != nil && json.Unmarshal(raw, into) != nil {
			return tokenHeader{}, errTokenHeader
		}
	}
	if !slices.Contains(signatures, header.algorithm) || len(header.keyID) > maxKeyID || content != "" || !isAccessToken(kind) {
		return tokenHeader{}, errTokenHeader
	}
	return header, nil
}

// isAccessToken tells the types of tokens that are meant for this from those that
// were signed by the same key for another purpose (RFC 8725, 3.11; RFC 9068).
func isAccessToken(kind string) bool {
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "", "jwt", "at+jwt":
		return true
	}
	return false
}
