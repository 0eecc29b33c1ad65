package auth

import (
	"testing"
	"time"

	"github.com/caddyllm/llmproxy/limits"
)

func perMinute(n int64) *limits.Rules {
	return &limits.Rules{Limits: []limits.Limit{{Name: "rpm", Kind: limits.Requests, Amount: n, Window: limits.PerMinute}}}
}

// amounts are those of a principal's limits, by whose they are.
func amounts(p *Principal) map[string]int64 {
	found := map[string]int64{}
	for _, q := range p.Quotas() {
		found[q.Scope.String()+" "+q.ID] = q.Limits[0].Amount
	}
	return found
}

func TestKeysHaveTheLimitsOfTheirGroup(t *testing.T) {
	ring, err := newKeyring("", []Key{
		{ID: "own", Group: "staff", Rights: Rights{Limits: perMinute(5)}},
		{ID: "heir", Group: "staff"},
		{ID: "alone", Rights: Rights{Limits: perMinute(7)}},
		{ID: "free"},
	}, []Group{
		{ID: "staff", Rights: Rights{Limits: perMinute(100)}, PerKey: perMinute(10)},
		{ID: "guests", Rights: Rights{Limits: perMinute(50)}, PerKey: perMinute(2)},
	})
	if err != nil {
		t.Fatal(err)
	}
	token := func(id string, groups ...string) *Principal {
		p, err := (&Claims{id: id, groups: groups}).principal(ring, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, test := range map[string]struct {
		p    *Principal
		want map[string]int64
	}{
		"limits of its own":      {ring.identity("own", time.Now()), map[string]int64{"key own": 5, "group staff": 100}},
		"none of its own":        {ring.identity("heir", time.Now()), map[string]int64{"key heir": 10, "group staff": 100}},
		"no group":               {ring.identity("alone", time.Now()), map[string]int64{"key alone": 7}},
		"none":                   {ring.identity("free", time.Now()), map[string]int64{}},
		"somebody unknown":       {ring.identity("who", time.Now()), map[string]int64{}},
		"token of a group":       {token("jane", "guests"), map[string]int64{"key jane": 2, "group guests": 50}},
		"token of a key":         {token("own", "guests"), map[string]int64{"key own": 5, "group staff": 100, "group guests": 50}},
		"token of a key's group": {token("heir", "staff"), map[string]int64{"key heir": 10, "group staff": 100}},
	} {
		t.Run(name, func(t *testing.T) {
			got := amounts(test.p)
			if len(got) != len(test.want) || len(test.p.Quotas()) != len(test.want) {
				t.Fatalf("%v, want %v", got, test.want)
			}
			for subject, n := range test.want {
				if got[subject] != n {
					t.Errorf("%v, want %v", got, test.want)
				}
			}
		})
	}
	// A token changes nothing for the key that it speaks for.
	if got := amounts(ring.identity("own", time.Now())); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestCallersAreSwitchedOffAndOn(t *testing.T) {
	off := new(Switches)
	a := authenticator(t, Settings{Off: off, Keys: []Key{{ID: "app", Digests: []Digest{DigestOf("sk-secret")}}}})
	try := func() error { _, err := a.Authenticate(withKey("sk-secret")); return err }
	if err := try(); err != nil {
		t.Fatal(err)
	}
	if err := a.Switch("app", true); err != nil || try() != ErrInvalidKey { //nolint:errorlint // the very same
		t.Errorf("%v, %v", err, try())
	}
	if !a.Keys()[0].Disabled || !a.CanSwitch("app") || a.CanSwitch("nobody") {
		t.Errorf("%+v", a.Keys())
	}
	if err := a.Switch("app", false); err != nil || try() != nil {
		t.Errorf("%v, %v", err, try())
	}
}
