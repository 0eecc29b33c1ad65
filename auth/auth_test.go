package auth

import (
	"errors"
	"net/http/httptest"
	"testing"
)

const secret = "sk-test-0123456789"

func TestAuthenticate(t *testing.T) {
	keyed := []Key{{ID: "app", Digests: []Digest{DigestOf(secret)}, Rights: Rights{Models: []string{"gpt-4"}}}}
	for _, test := range []struct {
		name      string
		anonymous bool
		keys      []Key
		origins   []string
		target    string
		header    []string // name, value, …
		want      string
		err       error
	}{
		{name: "bearer", keys: keyed, header: []string{"Authorization", "Bearer " + secret}, want: "app"},
		{name: "bearer in any case", keys: keyed, header: []string{"Authorization", "bearer " + secret}, want: "app"},
		{name: "anthropic header", keys: keyed, header: []string{"X-Api-Key", secret}, want: "app"},
		{name: "azure header", keys: keyed, header: []string{"Api-Key", secret}, want: "app"},
		{name: "google header", keys: keyed, header: []string{"X-Goog-Api-Key", secret}, want: "app"},
		{name: "query", keys: keyed, target: "/?key=" + secret, want: "app"},
		{name: "the same twice", keys: keyed, header: []string{"X-Api-Key", secret, "Authorization", "Bearer " + secret}, want: "app"},
		{name: "two different ones", keys: keyed, header: []string{"X-Api-Key", secret, "Authorization", "Bearer other"}, err: ErrAmbiguous},
		{name: "two lines of one header", keys: keyed, header: []string{"X-Api-Key", secret, "X-Api-Key", "other"}, err: ErrAmbiguous},
		{name: "none", keys: keyed, err: ErrNoCredential},
		{name: "unknown", keys: keyed, header: []string{"X-Api-Key", "other"}, err: ErrInvalidKey},
		{name: "another scheme", keys: keyed, header: []string{"Authorization", "Basic " + secret}, err: ErrInvalidKey},
		{name: "the stored digest", keys: keyed, header: []string{"X-Api-Key", DigestOf(secret).String()}, err: ErrInvalidKey},
		{name: "bad key beside anonymous", anonymous: true, keys: keyed, header: []string{"X-Api-Key", "other"}, err: ErrInvalidKey},
		{name: "anonymous beside keys", anonymous: true, keys: keyed, want: "anonymous"},
		{name: "anonymous", anonymous: true, want: "anonymous"},
		{name: "anonymous with a stand-in key", anonymous: true, header: []string{"Authorization", "Bearer none"}, want: "anonymous"},
		{name: "anonymous from a page", anonymous: true, header: []string{"Origin", "https://evil.example"}, err: ErrOrigin},
		{name: "stand-in key from a page", anonymous: true, target: "/?key=x", header: []string{"Origin", "https://evil.example"}, err: ErrOrigin},
		{name: "anonymous from an opaque origin", anonymous: true, header: []string{"Origin", "null"}, err: ErrOrigin},
		{name: "anonymous from a listed page", anonymous: true, origins: []string{"https://app.example"}, header: []string{"Origin", "https://App.example"}, want: "anonymous"},
		{name: "keyed from a page", keys: keyed, header: []string{"Origin", "https://any.example", "X-Api-Key", secret}, want: "app"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := New(Settings{Anonymous: test.anonymous, Keys: test.keys, Origins: test.origins})
			if err != nil {
				t.Fatal(err)
			}
			target := test.target
			if target == "" {
				target = "/"
			}
			r := httptest.NewRequest("POST", target, nil)
			for i := 0; i < len(test.header); i += 2 {
				r.Header.Add(test.header[i], test.header[i+1])
			}
			p, err := a.Authenticate(r)
			if !errors.Is(err, test.err) {
				t.Fatalf("error is %v, want %v", err, test.err)
			}
			if err == nil && p.ID != test.want {
				t.Errorf("principal is %q, want %q", p.ID, test.want)
			}
		})
	}
}

func TestRightsAreModelGlobs(t *testing.T) {
	for _, test := range []struct {
		models []string
		model  string
		want   bool
	}{
		{nil, "anything", true},
		{[]string{}, "anything", false},
		{[]string{"gpt-4"}, "gpt-4o", false},
		{[]string{"smart", "anthropic/*"}, "anthropic/claude", true},
		{[]string{"smart", "anthropic/*"}, "smart", true},
	} {
		p := Principal{}
		if test.models != nil {
			p.models = [][]string{test.models}
		}
		if got := p.MayUse(test.model); got != test.want {
			t.Errorf("%v may use %q: %v, want %v", test.models, test.model, got, test.want)
		}
	}
}

func TestKeysMayNotShareASecret(t *testing.T) {
	if _, err := New(Settings{Keys: []Key{{ID: "a", Digests: []Digest{DigestOf("x")}}, {ID: "b", Digests: []Digest{DigestOf("x")}}}}); err == nil {
		t.Error("two keys with one secret were accepted")
	}
}

func TestParseDigest(t *testing.T) {
	good := DigestOf("x").String()
	if d, err := ParseDigest(good); err != nil || d != DigestOf("x") {
		t.Errorf("ParseDigest(%q) = %v, %v", good, d, err)
	}
	for _, bad := range []string{"", "x", "sha256:", "sha256:zz", good + "00", good[:len(good)-1] + "g"} {
		if _, err := ParseDigest(bad); err == nil {
			t.Errorf("ParseDigest(%q) accepted", bad)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for _, good := range []string{"*", "https://app.example.com", "http://localhost:3000"} {
		if _, err := ParseOrigin(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "app.example.com", "https://app.example.com/", "https://a/b", "null"} {
		if _, err := ParseOrigin(bad); err == nil {
			t.Errorf("ParseOrigin(%q) accepted", bad)
		}
	}
}

func FuzzCredential(f *testing.F) {
	f.Add("Bearer x", "y", "key=z", true)
	f.Add("Basic \x00", "", "key=%zz&key=", false)
	f.Fuzz(func(t *testing.T, authorization, key, query string, others bool) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header["Authorization"] = []string{authorization}
		r.Header["X-Api-Key"] = []string{key}
		r.URL.RawQuery = query
		c := findCredential(r, others)
		strip(r, others)
		if left := findCredential(r, others); left.secret != "" || left.ambiguous || left.foreign != c.foreign {
			t.Errorf("of %+v there is left %+v", c, left)
		}
	})
}
