package llmproxy_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The key pair of RFC 8037, appendix A.
const exampleSeed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"

// exampleToken is a token of the issuer in the examples.
func exampleToken(t *testing.T, sub string, groups ...string) string {
	t.Helper()
	seed, err := base64.RawURLEncoding.DecodeString(exampleSeed)
	if err != nil {
		t.Fatal(err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": "https://issuer.example", "aud": "llm", "sub": sub, "exp": time.Now().Add(time.Hour).Unix(), "groups": groups,
	})
	token.Header["kid"] = "example"
	text, err := token.SignedString(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
