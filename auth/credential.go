// Package auth says who calls and what they may use: it finds the credential
// where each SDK puts it, compares it with the configured keys, and yields a
// principal with its rights.
package auth

import (
	"net/http"
	"strings"
)

// The headers in which SDKs send a key. All are removed before anything is forwarded.
var credentialHeaders = []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"}

// Credential finds the one credential of a request: a bearer token, an API key
// header of any vendor, or Gemini's key query parameter. The same value in two
// places is one credential; two different ones are ambiguous.
func Credential(r *http.Request) (secret string, ambiguous bool) {
	add := func(value string) {
		switch {
		case value == "" || value == secret:
		case secret == "":
			secret = value
		default:
			ambiguous = true
		}
	}
	for _, name := range credentialHeaders {
		for _, value := range r.Header[name] {
			if name == "Authorization" {
				value = bearer(value)
			}
			add(strings.TrimSpace(value))
		}
	}
	if strings.Contains(r.URL.RawQuery, "key=") {
		for _, value := range r.URL.Query()["key"] {
			add(value)
		}
	}
	return secret, ambiguous
}

// bearer returns the token of an Authorization header. Any other scheme is no
// credential of ours: the whole value is kept, so that it fails as a bad one
// rather than passing for none.
func bearer(value string) string {
	scheme, token, ok := strings.Cut(value, " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return token
	}
	return value
}
