package auth

import (
	"net/http/httptest"
	"slices"
	"testing"
)

func TestCredentialsAreAllThatARequestProvesItselfWith(t *testing.T) {
	for name, test := range map[string]struct {
		header, value, query string
		want                 []string
	}{
		"bearer":   {"Authorization", "Bearer the-key", "", []string{"the-key"}},
		"header":   {"X-Goog-Api-Key", "the-key", "", []string{"the-key"}},
		"query":    {"X", "x", "?key=the%2Bkey", []string{"the+key"}},
		"password": {"Authorization", "Basic dXNlcjpwYXNzd29yZA==", "", []string{"password", "dXNlcjpwYXNzd29yZA=="}},
	} {
		r := httptest.NewRequest("POST", "/v1/chat/completions"+test.query, nil)
		r.Header.Set(test.header, test.value)
		for _, want := range test.want {
			if got := Credentials(r); !slices.Contains(got, want) {
				t.Errorf("%s: %q is not in %q", name, want, got)
			}
		}
	}
}

func TestCredentialThatWasHandedOnIsStillKnown(t *testing.T) {
	a, err := New(Settings{Keys: []Key{{ID: "app", Digests: []Digest{DigestOf("the-secret-key")}, Rights: Rights{Disabled: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/chat/completions", nil)
	r.Header.Set("X-Api-Key", "the-secret-key")
	r = a.HandOn(r, &Principal{ID: "app"})
	if got := Credentials(r); !slices.Contains(got, "the-secret-key") {
		t.Errorf("%q", got)
	}
	if !a.IsKey("the-secret-key") || a.IsKey("the-secret-kez") || a.IsKey("") {
		t.Error("a key is not told from other texts, even while it is disabled")
	}
}
