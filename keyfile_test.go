package llmproxy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/caddyllm/llmproxy/auth"
)

func TestKeyFileMistakesHaveAPlaceAndNoSecret(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "k.yaml: the file is empty",
		"keys: [a]\n":                    "k.yaml:1:1: must be a mapping, not a list",
		"keys:\n  app: {}\n":             `k.yaml:2:3: key "app": has neither digest nor secret`,
		"keys:\n  app:\n":                `k.yaml:2:3: key "app": has neither digest nor secret`,
		"keys:\n  app: {scret: x}\n":     `k.yaml:2:9: unknown member "scret"`,
		"kyes: {}\n":                     `k.yaml:1:1: unknown member "kyes"`,
		"keys:\n  a: {secret: canary}\n": `k.yaml:2:3: key "a": the secret is shorter than 8 characters`,
		"keys:\n  a: {secret: llmp_canary-canary}\n":                        "its checksum is wrong",
		"keys:\n  a: {digest: sha256:canary}\n":                             "a digest is",
		"keys:\n  a: {digest: [a, b, c]}\n":                                 "has 3 secrets",
		"keys:\n  a: {secret: canary-canary, expires: soon}\n":              `k.yaml:2:3: key "a": expires: "soon" is not a date`,
		"keys:\n  a: {secret: canary-canary, metadata: {id: x}}\n":          "take another name",
		"keys:\n  a: {secret: canary-canary, models: []}\n":                 "models is empty",
		"groups:\n  staff:\nkeys: {}\n":                                     `k.yaml:2:3: group "staff": is null`,
		"groups:\n  staff: {group: other}\n":                                `k.yaml:2:11: unknown member "group"`,
		"groups:\n  staff: {expires: 2029-01-01, not_before: 2030-01-01}\n": "expires is not after not_before",
		"keys:\n  a: {secret: canary-canary}\n  a: {}\n":                    `"a" is written twice`,
	} {
		_, err := parseKeyFile("k.yaml", []byte(text), false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, which does not say %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the secret shows: %v", err)
		}
	}
}

func TestKeyFileSecretsBecomeDigests(t *testing.T) {
	file, err := parseKeyFile("k.yaml", []byte("keys:\n  a: {secret: [canary-canary, '{env.OTHER}'], expires: 2030-01-01}\n"), false)
	if err != nil {
		t.Fatal(err)
	}
	key := file.Keys["a"]
	if len(key.Secret) != 1 || key.Secret[0] != "{env.OTHER}" || len(key.Digest) != 1 || key.Digest[0] != auth.DigestOf("canary-canary").String() {
		t.Errorf("the key is %+v", key)
	}
}

// manyKeys is a key file of so many keys.
func manyKeys(n int) []byte {
	var text strings.Builder
	text.WriteString("keys:\n")
	for i := range n {
		fmt.Fprintf(&text, "  app%d: { digest: %s, models: [smart, fast], expires: 2030-01-01 }\n", i, auth.DigestOf(fmt.Sprint("secret-", i)))
	}
	return []byte(text.String())
}

func TestThousandsOfKeysLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, manyKeys(10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 3 {
		start := time.Now()
		who, err := newAuthority(&Auth{KeysFile: path}, "")
		if err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
		if n := len(who.Keys()); n != 10_000 {
			t.Fatalf("there are %d keys", n)
		}
	}
	t.Logf("10000 keys take %v", best)
}

func BenchmarkKeyFile(b *testing.B) {
	text := manyKeys(10_000)
	for b.Loop() {
		if _, err := parseKeyFile("k.yaml", text, false); err != nil {
			b.Fatal(err)
		}
	}
}

func TestA15KeyFileIsReplacedOnlyByGoodOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("keys:\n  a: {secret: first-secret}\n")
	who, err := newAuthority(&Auth{KeysFile: path, Keys: map[string]*Key{"inline": {Digest: []string{auth.DigestOf("inline-secret").String()}}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := zapobserver.New(zap.InfoLevel)
	ids := func() (ids string) {
		who.reload(zap.New(core))
		for _, key := range who.Keys() {
			ids += key.ID + " "
		}
		return ids
	}
	for _, step := range []struct{ text, want, log string }{
		{"keys:\n  a: {secret: first-secret}\n", "a inline ", ""},
		{"keys:\n  a: {secret: first-secret}\n  b: {secret: other-secret}\n", "a b inline ", "key file reloaded"},
		{"keys:\n  b: {scret: canary-secret}\n", "a b inline ", `keys.yaml:2:7: unknown member "scret"`},
		{"keys:\n  b: {scret: canary-secret}\n", "a b inline ", ""},
		{"keys:\n  b: {secret: inline-secret}\n", "a b inline ", `keys.yaml:2:3: key "b": has the same secret as key "inline"`},
		{"keys:\n  inline: {secret: canary-secret}\n", "a b inline ", `keys.yaml:2:3: key "inline": is defined twice`},
		{"keys:\n  b: {secret: '{env.LLMPROXY_NOT_SET}'}\n", "a b inline ", "keys.yaml:2:3: auth: key \"b\": resolving the secret"},
		{"keys:\n  c: {secret: third-secret, group: none}\n", "a b inline ", `keys.yaml:2:3: key "c": there is no group "none"`},
		{"keys: {}\n", "inline ", "key file reloaded"},
	} {
		write(step.text)
		before := logs.Len()
		if got := ids(); got != step.want {
			t.Errorf("after %q the keys are %q, not %q", step.text, got, step.want)
		}
		var logged strings.Builder
		for _, entry := range logs.All()[before:] {
			fmt.Fprint(&logged, entry.Message, entry.ContextMap())
		}
		if !strings.Contains(logged.String(), step.log) || step.log == "" && logged.Len() > 0 || strings.Contains(logged.String(), "canary") {
			t.Errorf("after %q the log says %q, not %q", step.text, &logged, step.log)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := ids(); got != "inline " || logs.FilterMessageSnippet("key file refused").Len() == 0 {
		t.Errorf("without the file the keys are %q", got)
	}
}

func TestAuthorityFindsMistakesOfAllTogether(t *testing.T) {
	digest := []string{auth.DigestOf("a-good-secret").String()}
	for name, test := range map[string]struct {
		auth *Auth
		want string
	}{
		"nobody":             {nil, "nothing says who may call"},
		"nobody but origins": {&Auth{Origins: []string{"*"}}, "nothing says who may call"},
		"origin":             {&Auth{Anonymous: true, Origins: []string{"x"}}, "is not an origin"},
		"no file":            {&Auth{KeysFile: "/does/not/exist"}, "reading the key file"},
		"no key set":         {&Auth{JWT: &JWT{JWKS: "/does/not/exist"}}, "reading the key set"},
		"group":              {&Auth{Keys: map[string]*Key{"a": {Digest: digest, Group: "none"}}}, `there is no group "none"`},
		"twice":              {&Auth{Keys: map[string]*Key{"a": {Digest: digest}, "b": {Digest: digest}}}, "the same secret"},
		"literal":            {&Auth{Keys: map[string]*Key{"a": {Secret: []string{"a-good-secret"}}}}, "the secret is literal"},
	} {
		if _, err := newAuthority(test.auth, ""); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	for _, text := range []string{
		"keys:\n  a: {secret: canary-canary, group: g, models: x, expires: 2030-01-01}\ngroups: {g: {metadata: {a: b}}}\n",
		"keys: &k {a: {digest: [x]}}\n", "keys: {a: }\n", "groups: {a: {disabled: yes}}\n", "keys: {a: {secret: '{env.X}'}}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parseKeyFile("k.yaml", text, true)
		if err != nil {
			return
		}
		who := &authority{config: &Auth{}}
		if _, _, err := who.resolve(file); err != nil && !strings.Contains(err.Error(), "k.yaml") {
			t.Errorf("%q: the error %v has no place", text, err)
		}
	})
}
