package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// issuer has a key for every kind of signature.
type issuer struct {
	rsa, weak *rsa.PrivateKey
	p256      *ecdsa.PrivateKey
	p384      *ecdsa.PrivateKey
	ed        ed25519.PrivateKey
	// set is its key set: ids are rsa, bound (RS256 alone), p256, p384, ed and more
	// that must not be used.
	set []byte
}

// theIssuer is made once: RSA keys take their time.
var theIssuer = sync.OnceValue(func() *issuer {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	i := new(issuer)
	var err error
	i.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	i.weak, err = rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	i.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	i.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	_, i.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	var set jwkset.JWKSMarshal
	add := func(id string, key any, change func(*jwkset.JWKMarshal)) {
		jwk, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Marshal: jwkset.JWKMarshalOptions{Private: true}, Metadata: jwkset.JWKMetadataOptions{KID: id}})
		must(err)
		marshalled := jwk.Marshal()
		if change != nil {
			change(&marshalled)
		}
		set.Keys = append(set.Keys, marshalled)
	}
	add("rsa", i.rsa.Public(), nil)
	add("bound", i.rsa.Public(), func(m *jwkset.JWKMarshal) { m.ALG, m.USE = jwkset.AlgRS256, jwkset.UseSig })
	add("p256", i.p256.Public(), nil)
	add("p384", i.p384.Public(), nil)
	add("ed", i.ed.Public(), nil)
	add("weak", i.weak.Public(), nil)
	add("encrypts", i.rsa.Public(), func(m *jwkset.JWKMarshal) { m.USE = jwkset.UseEnc })
	add("wraps", i.rsa.Public(), func(m *jwkset.JWKMarshal) { m.KEYOPS = []jwkset.KEYOPS{jwkset.KeyOpsWrapKey} })
	add("mislabelled", i.p256.Public(), func(m *jwkset.JWKMarshal) { m.ALG = jwkset.AlgRS256 })
	add("shared", []byte("a-secret-that-both-have-0123456789"), nil)
	i.set, err = json.Marshal(set)
	must(err)
	return i
})

// good are claims that are fine.
func good() jwt.MapClaims {
	return jwt.MapClaims{"iss": "https://issuer.example", "aud": []string{"other", "llm"}, "sub": "jane", "exp": time.Now().Add(time.Hour).Unix()}
}

// sign makes a token; header members replace those that the library writes.
func sign(t testing.TB, method jwt.SigningMethod, key any, id string, claims jwt.MapClaims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = id
	for name, value := range header {
		token.Header[name] = value
		if value == nil {
			delete(token.Header, name)
		}
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tokens(t testing.TB, known bool) *Tokens {
	t.Helper()
	keys, err := GivenKeySet(theIssuer().set)
	if err != nil {
		t.Fatal(err)
	}
	tokens := &Tokens{Issuer: "https://issuer.example", Audience: []string{"llm"}, KeyClaim: "sub", Keys: keys}
	if known {
		tokens.Known = make(memory)
	}
	return tokens
}

type memory map[string]*Claims

func (m memory) Find(key string) (*Claims, bool) { claims, ok := m[key]; return claims, ok }
func (m memory) Keep(key string, claims *Claims) { m[key] = claims }

func TestTokensOfEveryAlgorithm(t *testing.T) {
	i := theIssuer()
	a := authenticator(t, Settings{Tokens: tokens(t, true)})
	for id, signer := range map[string]struct {
		key     any
		methods []jwt.SigningMethod
	}{
		"rsa":   {i.rsa, []jwt.SigningMethod{jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512, jwt.SigningMethodPS256, jwt.SigningMethodPS384, jwt.SigningMethodPS512}},
		"bound": {i.rsa, []jwt.SigningMethod{jwt.SigningMethodRS256}},
		"p256":  {i.p256, []jwt.SigningMethod{jwt.SigningMethodES256}},
		"p384":  {i.p384, []jwt.SigningMethod{jwt.SigningMethodES384}},
		"ed":    {i.ed, []jwt.SigningMethod{jwt.SigningMethodEdDSA}},
	} {
		for _, method := range signer.methods {
			token := sign(t, method, signer.key, id, good(), nil)
			for range 2 { // the second time from memory
				if p, err := a.Authenticate(withKey(token)); err != nil || p.ID != "jane" || !p.MayUseAll() {
					t.Errorf("%s %s: %v, %v", id, method.Alg(), p, err)
				}
			}
		}
	}
}

// publicPEM is what a careless verifier takes for an HMAC secret.
func publicPEM(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestTokensThatAreRefused(t *testing.T) {
	i := theIssuer()
	claims := func(changes ...any) jwt.MapClaims {
		c := good()
		for n := 0; n < len(changes); n += 2 {
			if c[changes[n].(string)] = changes[n+1]; changes[n+1] == nil {
				delete(c, changes[n].(string))
			}
		}
		return c
	}
	ed := func(c jwt.MapClaims, header map[string]any) string {
		return sign(t, jwt.SigningMethodEdDSA, i.ed, "ed", c, header)
	}
	valid := ed(good(), nil)
	parts := strings.Split(valid, ".")
	raw := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "." + parts[2]
	}
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	now := time.Now()
	for name, token := range map[string]string{
		"none":                     sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "ed", good(), nil),
		"none by another name":     raw(`{"alg":"nOnE","kid":"ed"}`),
		"no algorithm":             raw(`{"kid":"ed"}`),
		"an algorithm too many":    raw(`{"alg":"EdDSA","alg":"none","kid":"ed"}`),
		"an algorithm in capitals": raw(`{"ALG":"EdDSA","kid":"ed"}`),
		"HMAC with the shared key": sign(t, jwt.SigningMethodHS256, []byte("a-secret-that-both-have-0123456789"), "shared", good(), nil),
		"HMAC with a public key":   sign(t, jwt.SigningMethodHS256, publicPEM(t, i.rsa.Public()), "rsa", good(), nil),
		"HMAC with a public ed":    sign(t, jwt.SigningMethodHS256, []byte(i.ed.Public().(ed25519.PublicKey)), "ed", good(), nil),
		"another's key":            sign(t, jwt.SigningMethodEdDSA, stranger, "ed", good(), nil),
		"a key of another kind":    sign(t, jwt.SigningMethodEdDSA, i.ed, "rsa", good(), nil),
		"another curve":            sign(t, jwt.SigningMethodES256, i.p256, "p384", good(), nil),
		"a key bound otherwise":    sign(t, jwt.SigningMethodPS256, i.rsa, "bound", good(), nil),
		"a mislabelled key":        sign(t, jwt.SigningMethodES256, i.p256, "mislabelled", good(), nil),
		"a weak key":               sign(t, jwt.SigningMethodRS256, i.weak, "weak", good(), nil),
		"a key for encryption":     sign(t, jwt.SigningMethodRS256, i.rsa, "encrypts", good(), nil),
		"a key for wrapping":       sign(t, jwt.SigningMethodRS256, i.rsa, "wraps", good(), nil),
		"an unknown key":           ed(good(), map[string]any{"kid": "nobody"}),
		"no key id":                ed(good(), map[string]any{"kid": nil}),
		"a path for a key id":      ed(good(), map[string]any{"kid": "../../../dev/null"}),
		"a long key id":            ed(good(), map[string]any{"kid": strings.Repeat("x", 129)}),
		"a number for a key id":    ed(good(), map[string]any{"kid": 7}),
		"crit":                     ed(good(), map[string]any{"crit": []string{"exp"}}),
		"jku":                      ed(good(), map[string]any{"jku": "https://evil.example"}),
		"jwk":                      ed(good(), map[string]any{"jwk": map[string]any{}}),
		"x5u":                      ed(good(), map[string]any{"x5u": "https://evil.example"}),
		"x5c":                      ed(good(), map[string]any{"x5c": []string{"x"}}),
		"compressed":               ed(good(), map[string]any{"zip": "DEF"}),
		"nested":                   ed(good(), map[string]any{"cty": "JWT"}),
		"a token of another use":   ed(good(), map[string]any{"typ": "logout+jwt"}),
		"no issuer":                ed(claims("iss", nil), nil),
		"another issuer":           ed(claims("iss", "https://issuer.example/"), nil),
		"no audience":              ed(claims("aud", nil), nil),
		"another audience":         ed(claims("aud", "llm2"), nil),
		"no end":                   ed(claims("exp", nil), nil),
		"an end as text":           ed(claims("exp", "2099-01-01"), nil),
		"expired":                  ed(claims("exp", now.Add(-61*time.Second).Unix()), nil),
		"not yet":                  ed(claims("nbf", now.Add(90*time.Second).Unix()), nil),
		"no subject":               ed(claims("sub", nil), nil),
		"a number for a subject":   ed(claims("sub", 7), nil),
		"nobody":                   ed(claims("sub", "anonymous"), nil),
		"a subject with a break":   ed(claims("sub", "a\nb"), nil),
		"a long subject":           ed(claims("sub", strings.Repeat("x", 257)), nil),
		"too long":                 ed(claims("x", strings.Repeat("x", 9<<10)), nil),
		"four parts":               valid + ".x",
		"five parts":               valid + ".x.y",
		"two parts":                parts[0] + "." + parts[1],
		"many dots":                "ey" + strings.Repeat(".", 8000),
		"other claims":             parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"admin"}`)) + "." + parts[2],
		"no signature":             parts[0] + "." + parts[1] + ".",
		"padding":                  parts[0] + "=." + parts[1] + "." + parts[2],
	} {
		for _, a := range []*Authenticator{
			authenticator(t, Settings{Tokens: tokens(t, false)}),
			authenticator(t, Settings{Tokens: tokens(t, true), Anonymous: true, Keys: []Key{{ID: "jane", Digests: []Digest{{}}}}}),
		} {
			if p, err := a.Authenticate(withKey(token)); !errors.Is(err, ErrInvalidKey) {
				t.Errorf("%s: %v, %v", name, p, err)
			}
		}
	}
}

func TestTokensWithinTheSkewOfClocksAreGood(t *testing.T) {
	a := authenticator(t, Settings{Tokens: tokens(t, true)})
	for _, change := range []jwt.MapClaims{
		{"exp": time.Now().Add(-50 * time.Second).Unix()}, {"nbf": time.Now().Add(50 * time.Second).Unix()}, {"aud": "llm"},
	} {
		claims := good()
		for name, value := range change {
			claims[name] = value
		}
		token := sign(t, jwt.SigningMethodEdDSA, theIssuer().ed, "ed", claims, map[string]any{"typ": "at+jwt"})
		if _, err := a.Authenticate(withKey(token)); err != nil {
			t.Errorf("%v: %v", change, err)
		}
	}
}

func TestClaimsNarrowRights(t *testing.T) {
	keys := []Key{
		{ID: "jane", Rights: Rights{Models: []string{"smart", "mock/*"}, Metadata: map[string]string{"a": "b"}}},
		{ID: "gone", Rights: Rights{Disabled: true}},
		{ID: "app", Digests: []Digest{DigestOf("sk-secret")}, Group: "closed"},
	}
	groups := []Group{{ID: "staff", Rights: Rights{Models: []string{"mock/*"}}}, {ID: "closed", Rights: Rights{Disabled: true}}}
	for _, test := range []struct {
		name          string
		claims        jwt.MapClaims
		models, group string // the claims' names
		may           string
		inGroup       string
		err           error
	}{
		{name: "a key's", may: "smart mock/echo"},
		{name: "nobody's", claims: jwt.MapClaims{"sub": "joe"}, may: "smart mock/echo other"},
		{name: "a disabled key's", claims: jwt.MapClaims{"sub": "gone"}, err: ErrInvalidKey},
		{name: "a key of a disabled group", claims: jwt.MapClaims{"sub": "app"}, err: ErrInvalidKey},
		{name: "models", claims: jwt.MapClaims{"sub": "joe", "m": []any{"other", 7}}, models: "m", may: "other"},
		{name: "models as words", claims: jwt.MapClaims{"sub": "joe", "m": "other smart"}, models: "m", may: "smart other"},
		{name: "no more than the key's", claims: jwt.MapClaims{"m": "other smart"}, models: "m", may: "smart"},
		{name: "no models", models: "m"},
		{name: "models of another kind", claims: jwt.MapClaims{"m": 7}, models: "m"},
		{name: "a group", claims: jwt.MapClaims{"sub": "joe", "g": "staff"}, group: "g", may: "mock/echo", inGroup: "staff"},
		{name: "groups", claims: jwt.MapClaims{"sub": "joe", "g": []string{"unknown", "staff", "closed"}}, group: "g", may: "mock/echo", inGroup: "staff"},
		{name: "no group", claims: jwt.MapClaims{"sub": "joe"}, group: "g"},
		{name: "an unknown group", claims: jwt.MapClaims{"sub": "joe", "g": "unknown staff"}, group: "g"},
		{name: "a disabled group", claims: jwt.MapClaims{"sub": "joe", "g": "closed"}, group: "g", err: ErrInvalidKey},
		{name: "group and models", claims: jwt.MapClaims{"sub": "joe", "g": "staff", "m": "smart mock/slow mock/e*"}, group: "g", models: "m", may: "mock/echo", inGroup: "staff"},
	} {
		t.Run(test.name, func(t *testing.T) {
			verifier := tokens(t, true)
			verifier.ModelsClaim, verifier.GroupClaim = test.models, test.group
			a := authenticator(t, Settings{Tokens: verifier, Keys: keys, Groups: groups})
			claims := good()
			for name, value := range test.claims {
				claims[name] = value
			}
			p, err := a.Authenticate(withKey(sign(t, jwt.SigningMethodEdDSA, theIssuer().ed, "ed", claims, nil)))
			if !errors.Is(err, test.err) {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			var may []string
			for _, model := range []string{"smart", "mock/echo", "other"} {
				if p.MayUse(model) {
					may = append(may, model)
				}
			}
			if got := strings.Join(may, " "); got != test.may || p.Group != test.inGroup {
				t.Errorf("may use %q in %q", got, p.Group)
			}
		})
	}
}

// What is remembered is remembered under the whole token.
func TestA01TokensThatBeginAlikeAreDifferent(t *testing.T) {
	a := authenticator(t, Settings{Tokens: tokens(t, true)})
	one := sign(t, jwt.SigningMethodEdDSA, theIssuer().ed, "ed", good(), nil)
	if _, err := a.Authenticate(withKey(one)); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(one); n += 7 {
		if _, err := a.Authenticate(withKey(one[:n])); !errors.Is(err, ErrInvalidKey) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
		other := []byte(one)
		other[n] ^= 1
		if p, err := a.Authenticate(withKey(string(other))); err == nil && string(other) != one {
			t.Errorf("another byte %d: %v", n, p)
		}
	}
	claims := good()
	claims["sub"] = "joe"
	if p, err := a.Authenticate(withKey(sign(t, jwt.SigningMethodEdDSA, theIssuer().ed, "ed", claims, nil))); err != nil || p.ID != "joe" {
		t.Errorf("%v, %v", p, err)
	}
}

func TestRememberedTokensExpire(t *testing.T) {
	verifier := tokens(t, true)
	digest := DigestOf("ey.a.b")
	verifier.Known.Keep(digest.String(), &Claims{id: "jane", expires: time.Now().Add(-time.Second)})
	if claims, err := verifier.verify(context.Background(), "ey.a.b", digest); err == nil {
		t.Errorf("%v is still good", claims)
	}
}

func FuzzTokenHeader(f *testing.F) {
	for _, header := range []string{`{"alg":"ES256","kid":"a","typ":"JWT"}`, `{"alg":"none"}`, `{"alg":"ES256","crit":[]}`, `{}`, `[`, `{"alg":{"a":[]}}`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.")
	}
	f.Add("ey..")
	f.Fuzz(func(t *testing.T, token string) {
		header, err := parseTokenHeader(token)
		if err == nil && (strings.HasPrefix(header.algorithm, "HS") || header.algorithm == "" || len(header.keyID) > maxKeyID) {
			t.Errorf("%q is accepted as %+v", token, header)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add(theIssuer().set)
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","x":"AA"},7]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeySet(text)
		for i := range keys {
			if err != nil || keys[i].key == nil || len(keys[i].algorithms) == 0 {
				t.Errorf("%q gives %+v", text, keys[i])
			}
		}
	})
}
