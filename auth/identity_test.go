package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// proxied identifies callers by a header that the operator has named.
func proxied(r *http.Request) string { return r.Header.Get("X-User") }

func TestIdentities(t *testing.T) {
	keys := []Key{
		{ID: "app", Digests: []Digest{DigestOf("sk-app-secret")}},
		{ID: "jane", Rights: Rights{Models: []string{"smart"}}},
		{ID: "gone", Rights: Rights{Expires: time.Unix(1, 0)}},
	}
	for _, test := range []struct {
		name      string
		anonymous bool
		keys      []Key
		header    []string
		want      string
		err       error
	}{
		{name: "without a record", header: []string{"X-User", "joe"}, want: "joe"},
		{name: "with a record", keys: keys, header: []string{"X-User", "jane"}, want: "jane"},
		{name: "whose record has expired", keys: keys, header: []string{"X-User", "gone"}, err: ErrInvalidKey},
		{name: "beside basic credentials", keys: keys, header: []string{"X-User", "joe", "Authorization", "Basic eDp5"}, want: "joe"},
		{name: "basic credentials that nobody verified", anonymous: true, header: []string{"Authorization", "Basic eDp5"}, err: ErrInvalidKey},
		{name: "beside a good key", keys: keys, header: []string{"X-User", "joe", "X-Api-Key", "sk-app-secret"}, want: "app"},
		{name: "beside a bad key", keys: keys, header: []string{"X-User", "joe", "X-Api-Key", "wrong"}, err: ErrInvalidKey},
		{name: "beside a key where there are none", header: []string{"X-User", "joe", "X-Api-Key", "stand-in"}, want: "joe"},
		{name: "beside key and basic credentials", keys: keys, header: []string{"X-User", "joe", "X-Api-Key", "sk-app-secret", "Authorization", "Basic eDp5"}, want: "app"},
		{name: "nobody", keys: keys, err: ErrNoCredential},
		{name: "nobody, who may", anonymous: true, want: "anonymous"},
		{name: "called anonymous", header: []string{"X-User", "anonymous"}, err: ErrNoCredential},
		{name: "with control characters", header: []string{"X-User", "a\x00b"}, err: ErrInvalidKey},
		{name: "from a page", header: []string{"X-User", "joe", "Origin", "https://evil.example"}, err: ErrOrigin},
		{name: "from a listed page", header: []string{"X-User", "joe", "Origin", "https://app.example"}, want: "joe"},
		{name: "by headers that nobody named", header: []string{"X_User", "joe", "X-Llm-User", "joe", "Remote-User", "joe", "X-Forwarded-User", "joe", "X.User", "joe"}, err: ErrNoCredential},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := authenticator(t, Settings{Anonymous: test.anonymous, Keys: test.keys, Identity: proxied, Origins: []string{"https://app.example"}})
			r := httptest.NewRequest("POST", "/", nil)
			for i := 0; i < len(test.header); i += 2 {
				r.Header[test.header[i]] = append(r.Header[test.header[i]], test.header[i+1])
			}
			p, err := a.Authenticate(r)
			if !errors.Is(err, test.err) || err == nil && p.ID != test.want {
				t.Fatalf("%v, %v; want %q, %v", p, err, test.want, test.err)
			}
			if test.want == "jane" && p.MayUse("other") {
				t.Error("the record does not restrict")
			}
		})
	}
}

func TestWhatIsHandedOnIsNotCheckedTwice(t *testing.T) {
	early := authenticator(t, Settings{Keys: []Key{{ID: "early", Digests: []Digest{DigestOf("sk-of-both")}}}})
	late := authenticator(t, Settings{Keys: []Key{{ID: "late", Digests: []Digest{DigestOf("sk-of-both")}}}})
	other := authenticator(t, Settings{Keys: []Key{{ID: "other", Digests: []Digest{DigestOf("sk-of-another")}}}})

	r := httptest.NewRequest("POST", "/v1/x?a=1&key=sk-of-both&%6Bey=sk-of-both&b=%20", nil)
	for _, name := range credentialHeaders {
		r.Header.Set(name, "sk-of-both")
	}
	r.Header.Set("Authorization", "Bearer sk-of-both")
	p, err := early.Early(r)
	if err != nil {
		t.Fatal(err)
	}
	handed := early.HandOn(r, p)
	for _, name := range credentialHeaders {
		if handed.Header[name] != nil {
			t.Errorf("%s is left", name)
		}
	}
	if got := handed.URL.RequestURI(); got != "/v1/x?a=1&b=%20" {
		t.Errorf("the target is %q", got)
	}
	if again, err := early.Authenticate(handed); again != p || err != nil {
		t.Errorf("the same authenticator finds %v, %v", again, err)
	}
	if again, err := late.Authenticate(handed); err != nil || again.ID != "late" {
		t.Errorf("one of other keys finds %v, %v", again, err)
	}
	if _, err := other.Authenticate(handed); !errors.Is(err, ErrInvalidKey) {
		t.Errorf("one that does not know the key says %v", err)
	}
	handed.Header.Set("X-Api-Key", "sk-of-another")
	if _, err := other.Authenticate(handed); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("with another key, one of other keys says %v", err)
	}
}

func TestEarlyLeavesToOthersWhatIsTheirs(t *testing.T) {
	a := authenticator(t, Settings{Anonymous: true, Keys: []Key{{ID: "app", Digests: []Digest{DigestOf("sk-app-secret")}}}, Identity: proxied})
	for name, test := range map[string]struct {
		header, value string
		want          string
		err           error
	}{
		"nothing yet":   {},
		"basic":         {header: "Authorization", value: "Basic eDp5"},
		"identity":      {header: "X-User", value: "joe", want: "joe"},
		"key":           {header: "X-Api-Key", value: "sk-app-secret", want: "app"},
		"bad key":       {header: "X-Api-Key", value: "wrong", err: ErrInvalidKey},
		"from anywhere": {header: "Origin", value: "https://evil.example", err: ErrOrigin},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		if test.header != "" {
			r.Header.Set(test.header, test.value)
		}
		p, err := a.Early(r)
		if !errors.Is(err, test.err) || test.want == "" && p != nil || test.want != "" && (p == nil || p.ID != test.want) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
		if p != nil {
			a.HandOn(r, p)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header["Authorization"] = []string{"Basic eDp5", "Bearer sk-app-secret"}
	p, err := a.Early(r)
	if err != nil {
		t.Fatal(err)
	}
	if r = a.HandOn(r, p); len(r.Header["Authorization"]) != 1 || r.Header.Get("Authorization") != "Basic eDp5" {
		t.Errorf("of the authorization there is left %q", r.Header["Authorization"])
	}
}
