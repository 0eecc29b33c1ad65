package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func withKey(secret string) *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	return r
}

func authenticator(t testing.TB, s Settings) *Authenticator {
	t.Helper()
	a, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// refusals are keys for every reason to refuse one, by the reason, and what to
// come with.
func refusals() (keys []Key, secrets map[string]string) {
	now := time.Now()
	valid, _ := NewSecret()
	secrets = map[string]string{
		"unknown":          "sk-unknown-0123456789",
		"unknown of ours":  func() string { s, _ := NewSecret(); return s }(),
		"bad checksum":     valid[:len(valid)-1] + "-",
		"stored digest":    DigestOf(valid).String(),
		"expired":          "sk-expired",
		"not yet valid":    "sk-not-yet-valid",
		"disabled":         "sk-disabled",
		"group expired":    "sk-group-expired",
		"group disabled":   "sk-group-disabled",
		"group not yet":    "sk-group-not-yet",
		"like a token":     "eyJhbGciOiJub25lIn0.e30.",
		"digest of itself": DigestOf("sk-expired").String(),
	}
	for id, key := range map[string]Key{
		"expired":        {Rights: Rights{Expires: now.Add(-time.Second)}},
		"not yet valid":  {Rights: Rights{NotBefore: now.Add(time.Hour)}},
		"disabled":       {Rights: Rights{Disabled: true}},
		"group expired":  {Group: "old"},
		"group disabled": {Group: "off"},
		"group not yet":  {Group: "new"},
	} {
		key.ID, key.Digests = id, []Digest{DigestOf(secrets[id])}
		keys = append(keys, key)
	}
	return append(keys, Key{ID: "valid", Digests: []Digest{DigestOf(valid)}}), secrets
}

var refusedGroups = []Group{
	{ID: "old", Rights: Rights{Expires: time.Unix(1, 0)}}, {ID: "off", Rights: Rights{Disabled: true}},
	{ID: "new", Rights: Rights{NotBefore: time.Now().Add(time.Hour)}},
}

// Which reason there is shows neither in the error nor in the kind of work: the
// same steps are taken, and nothing is allocated or asked on one way only.
func TestA01EveryRefusalIsTheSame(t *testing.T) {
	keys, secrets := refusals()
	a := authenticator(t, Settings{Keys: keys, Groups: refusedGroups})
	for reason, secret := range secrets {
		r := withKey(secret)
		if p, err := a.Authenticate(r); err != ErrInvalidKey || p != nil { //nolint:errorlint // the very same
			t.Errorf("%s: %v, %v", reason, p, err)
		}
		unknown := withKey(strings.Repeat("x", len(secret)))
		allocations := testing.AllocsPerRun(100, func() { _, _ = a.Authenticate(r) })
		if want := testing.AllocsPerRun(100, func() { _, _ = a.Authenticate(unknown) }); allocations != want {
			t.Errorf("%s allocates %v times, an unknown key %v times", reason, allocations, want)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	keys, secrets := refusals()
	for i := range 10_000 {
		keys = append(keys, Key{ID: fmt.Sprint("key", i), Digests: []Digest{DigestOf(fmt.Sprint("secret-", i))}})
	}
	a := authenticator(b, Settings{Keys: keys, Groups: refusedGroups})
	secrets["valid"] = "secret-5000"
	for name, secret := range secrets {
		r := withKey(secret)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = a.Authenticate(r)
			}
		})
	}
}

func TestTwoSecretsOfAKeyAreLive(t *testing.T) {
	a := authenticator(t, Settings{Keys: []Key{{ID: "app", Digests: []Digest{DigestOf("sk-old"), DigestOf("sk-new")}}}})
	for _, secret := range []string{"sk-old", "sk-new"} {
		if p, err := a.Authenticate(withKey(secret)); err != nil || p.ID != "app" {
			t.Errorf("%s: %v, %v", secret, p, err)
		}
	}
}

func TestKeysHaveTheRightsOfTheirGroup(t *testing.T) {
	group := Group{ID: "staff", Rights: Rights{Models: []string{"smart", "mock/*"}, Metadata: map[string]string{"team": "a", "site": "b"}}}
	a := authenticator(t, Settings{Groups: []Group{group}, Keys: []Key{
		{ID: "heir", Digests: []Digest{DigestOf("heir")}, Group: "staff"},
		{ID: "both", Digests: []Digest{DigestOf("both")}, Group: "staff", Rights: Rights{Models: []string{"mock/echo", "other"}, Metadata: map[string]string{"team": "c"}}},
		{ID: "alone", Digests: []Digest{DigestOf("alone")}},
	}})
	for secret, models := range map[string]string{"heir": "smart mock/echo mock/slow", "both": "mock/echo", "alone": "smart mock/echo mock/slow other else"} {
		p, err := a.Authenticate(withKey(secret))
		if err != nil {
			t.Fatal(err)
		}
		var may []string
		for _, model := range []string{"smart", "mock/echo", "mock/slow", "other", "else"} {
			if p.MayUse(model) {
				may = append(may, model)
			}
		}
		if got := strings.Join(may, " "); got != models || p.MayUseAll() != (secret == "alone") {
			t.Errorf("%s may use %q, not %q", secret, got, models)
		}
	}
	p, _ := a.Authenticate(withKey("both"))
	if want := map[string]string{"team": "c", "site": "b"}; p.Group != "staff" || !reflect.DeepEqual(p.Metadata, want) {
		t.Errorf("the principal is %+v", p)
	}
}

func TestReplaceChangesAllOrNothing(t *testing.T) {
	a := authenticator(t, Settings{Keyed: true, Anonymous: true})
	if _, err := a.Authenticate(withKey("sk-later")); !errors.Is(err, ErrInvalidKey) {
		t.Errorf("without keys but with a place for them: %v", err)
	}
	if err := a.Replace([]Key{{ID: "app", Digests: []Digest{DigestOf("sk-later")}}}, nil); err != nil {
		t.Fatal(err)
	}
	var wrong *KeyError
	for _, keys := range [][]Key{
		{{ID: "app"}, {ID: "app"}}, {{ID: "app", Group: "none"}}, {{ID: "anonymous"}},
		{{ID: "a", Digests: []Digest{{1}}}, {ID: "b", Digests: []Digest{{1}}}},
	} {
		if err := a.Replace(keys, nil); !errors.As(err, &wrong) {
			t.Errorf("%v: %v", keys, err)
		}
	}
	if err := a.Replace(nil, []Group{{ID: "a"}, {ID: "a"}}); err == nil {
		t.Error("two groups of one name are accepted")
	}
	if p, err := a.Authenticate(withKey("sk-later")); err != nil || p.ID != "app" {
		t.Errorf("the last good keys are gone: %v", err)
	}
	if list := a.Keys(); len(list) != 1 || list[0].ID != "app" || list[0].Secrets != 1 {
		t.Errorf("the list is %+v", list)
	}
}
