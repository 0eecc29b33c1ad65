// Package auth says who calls and what they may use: it finds the credential
// where each SDK puts it, compares it with the configured keys or verifies it as
// a token, and yields a principal with its rights.
package auth

import (
	"net/http"
	"net/url"
	"strings"
)

const authorization = "Authorization"

// The headers in which SDKs send a key. All are removed before anything is forwarded.
var credentialHeaders = []string{authorization, "X-Api-Key", "Api-Key", "X-Goog-Api-Key"}

// credential is what a request came with.
type credential struct {
	secret string
	// ambiguous tells that there are two different ones.
	ambiguous bool
	// foreign tells that there is an Authorization of a scheme that is another's
	// to verify, such as Basic.
	foreign bool
}

// findCredential finds the one credential of a request: a bearer token, an API
// key header of any vendor, or Gemini's key query parameter. The same value in
// two places is one credential; two different ones are ambiguous. An
// Authorization of any other scheme is a bad credential, rather than none, unless
// others verify such.
func findCredential(r *http.Request, others bool) (c credential) {
	for _, name := range credentialHeaders {
		for _, value := range r.Header[name] {
			if name == authorization {
				token, ok := bearer(value)
				if !ok && others && value != "" {
					c.foreign = true
					continue
				}
				value = token
			}
			c.add(strings.TrimSpace(value))
		}
	}
	if strings.Contains(r.URL.RawQuery, "key=") {
		for _, value := range r.URL.Query()["key"] {
			c.add(value)
		}
	}
	return c
}

// Credentials are what a request proves its sender with, whether or not that is
// good: nothing of it belongs into a log.
func Credentials(r *http.Request) []string {
	secrets := []string{findCredential(r, true).secret}
	if handed := handedOn(r); handed != nil {
		secrets = append(secrets, handed.secret)
	}
	if _, password, ok := r.BasicAuth(); ok {
		_, encoded, _ := strings.Cut(r.Header.Get(authorization), " ")
		secrets = append(secrets, password, encoded)
	}
	return secrets
}

func (c *credential) add(value string) {
	switch {
	case value == "" || value == c.secret:
	case c.secret == "":
		c.secret = value
	default:
		c.ambiguous = true
	}
}

// bearer returns the token of an Authorization header, or the whole value if it
// is of another scheme.
func bearer(value string) (token string, ok bool) {
	scheme, token, ok := strings.Cut(value, " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return token, true
	}
	return value, false
}

// strip takes the credential out of a request, and leaves what is others' to verify.
func strip(r *http.Request, others bool) {
	for _, name := range credentialHeaders {
		if name == authorization && others {
			keepForeign(r.Header)
			continue
		}
		delete(r.Header, name)
	}
	if strings.Contains(r.URL.RawQuery, "key=") {
		r.URL.RawQuery = withoutKey(r.URL.RawQuery)
	}
}

func keepForeign(h http.Header) {
	var kept []string
	for _, value := range h[authorization] {
		if _, ok := bearer(value); !ok {
			kept = append(kept, value)
		}
	}
	if kept == nil {
		delete(h, authorization)
		return
	}
	h[authorization] = kept
}

// withoutKey is a query without its key parameter, and otherwise as it was.
func withoutKey(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil && plain == "key" {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}
