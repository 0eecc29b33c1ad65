package llmproxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestA15YAMLMistakesHaveAPlaceAndAReason(t *testing.T) {
	const secret = "canary-secret-value"
	for _, c := range []struct{ text, want string }{
		// Members that nobody knows, at every level.
		{"retries: 1\ncolour: red\n", `x.yaml:2:1: unknown member "colour"`},
		{"providers:\n  mock:\n    colour: red\n", `x.yaml:3:5: unknown member "colour"`},
		{"providers:\n  a:\n    provider: openai\n    transport: {protocol: http}\n    apy: chat\n", `x.yaml:5:5: unknown member "apy"`},
		{"models:\n  a:\n    to: [mock/echo]\n    timeouts: {idle: 5s}\n", `x.yaml:4:5: unknown member "timeouts"`},
		{"models:\n  a:\n    to: [mock/echo]\n    timeout: {idel: 5s}\n", `x.yaml:4:15: unknown member "idel"`},
		{"models:\n  a:\n    - {to: [mock/echo], match: [{header: {X-A: [b]}}]}\n    - {to: [mock/echo], colour: red}\n", `x.yaml:4:25: unknown member "colour"`},
		{"breaker: {failure: 5}\n", `x.yaml:1:11: unknown member "failure"`},
		{"providers:\n  openai: {health: {uri: /a, path: /b}}\n", `x.yaml:2:30: unknown member "path"`},
		{"models:\n  a:\n    to:\n      - target: mock/echo\n        wait: 3\n", `x.yaml:5:9: unknown member "wait"`},
		{"auth:\n  anonymous: true\n  jwt: {}\n", `x.yaml:3:3: jwt: says no jwks`},
		{"auth:\n  keys:\n    app: {secret: " + secret + ", limits: {rpmm: 60}}\n", `x.yaml:3:49: unknown member "rpmm"`},
		{"stream:\n  resumes: 5m\n", `x.yaml:2:3: unknown member "resumes"`},
		{"stream:\n  resumable: -5m\n", `x.yaml:2:3: resumable must be positive`},
		{"stream:\n  commit_early: -1\n", `x.yaml:2:3: commit_early must be positive`},
		{"stream:\n  on_disconnect: hold\n", `x.yaml:2:3: on_disconnect must be cancel or drain, not "hold"`},
		{"stream:\n  drain: 5s\n", `x.yaml:2:3: drain is for on_disconnect drain`},
		{"cash: {store: memory}\n", `x.yaml:1:1: unknown member "cash"`},
		{"cache: {store: disk}\n", `x.yaml:1:9: store must be memory, redis or off, not "disk"`},
		{"log_payloads: {mode: some}\n", `x.yaml:1:16: log_payloads mode must be off, sampled or on, not "some"`},
		{"log_payloads: {mode: sampled, ratio: 2}\n", `x.yaml:1:31: log_payloads sampled takes a ratio between 0 and 1, such as 0.01`},
		{"log_payloads: {mode: on, ratio: 0.5}\n", `x.yaml:1:26: the ratio of log_payloads is for mode sampled`},
		{"cache: {size: 3}\n", `x.yaml:1:9: unknown member "size"`},
		{"limits: {rpm: many}\n", `x.yaml:1:10: must be a whole number, not text`},
		{"limits:\n  rpm: 1\n  tokens: {max: 5, window: fortnight}\n", `x.yaml:3:3: limits: the window must be`},
		{"limits:\n  budget:\n    - {usd: 5, window: day}\n    - {usd: 6, window: day}\n", `x.yaml:2:3: limits: limits "budget per day" and "budget per day" are for the same thing`},
		{"limits: {budgett: {usd: 1, window: day}}\n", `x.yaml:1:10: unknown member "budgett"`},
		{"limits: {budget: {euro: 1, window: day}}\n", `x.yaml:1:19: unknown member "euro"`},
		{"limits: {}\n", `x.yaml:1:1: limits: nothing is limited`},
		{"auth:\n  groups:\n    staff:\n      limits:\n        per_key: {rpm: -1}\n", `x.yaml:5:19: group "staff": limits: per_key: rpm must be positive`},
		{"state: {store: disk}\n", `x.yaml:1:9: state: store must be memory or redis`},
		{"state: {store: redis}\n", `x.yaml:1:1: state: redis needs its address`},
		{"state: {colour: red}\n", `x.yaml:1:9: unknown member "colour"`},
		{"Retries: 1\n", `x.yaml:1:1: unknown member "Retries"`},

		// Values of a wrong type.
		{"retries: many\n", "x.yaml:1:1: must be a whole number, not text"},
		{"models:\n  a: {to: [mock/echo], retries: [1]}\n", "x.yaml:2:24: must be a whole number, not a list"},
		{"models:\n  a: {to: {target: [mock/echo]}}\n", "x.yaml:2:12: must be text, not a list"},
		{"models: [a]\n", "x.yaml:1:1: must be a mapping, not a list"},
		{"models:\n  a: {to: [mock/echo], fallback: {b: c}}\n", "x.yaml:2:24: must be a string or a list of strings"},
		{"auth:\n  anonymous: \"yes\"\n", "x.yaml:2:3: must be true or false, not text"},
		{"auth:\n  keys:\n    app: {secret: 99887766554433}\n", "x.yaml:3:11: must be a string or a list of strings"},
		{"auth:\n  keys:\n    app: {secret: a-secret-of-eight, models: []}\n", `x.yaml:3:5: key "app": models is empty`},
		{"surface: []\n", "x.yaml:1:1: surface is empty"},
		{"auth:\n  keys:\n    app: {secret: {value: " + secret + "}}\n", "x.yaml:3:11: must be a string or a list of strings"},
		{"stream:\n  heartbeat: soon\n", `x.yaml:2:3: time: invalid duration "soon"`},
		{"retries: 1\nmax_body: -1\n", "x.yaml:2:1: max_body must be positive"},
		{"surface: [cohere]\n", `x.yaml:1:1: surface "cohere" is not one of`},
		{"media: keep\n", `x.yaml:1:1: media must be fetch or refuse`},
		{"models: {a: {to: [mock/echo], on_unsupported: ignore}}\n", `on_unsupported must be drop, error or skip, not "ignore"`},
		{"breaker: on\n", `x.yaml:1:1: breaker must be "off" or an object`},
		{"breaker: {failures: -1}\n", `x.yaml:1:11: failures must be positive`},
		{"breaker: {success_rate: 101}\n", `x.yaml:1:11: success_rate is a percentage`},
		{"breaker: {off: true, failures: 1}\n", `x.yaml:1:1: a breaker that is off takes no other options`},
		{"models: {a: {to: [mock/echo], timeout: {idle: -1s}}}\n", `x.yaml:1:41: model "a": idle must not be negative`},
		{"models: {a: {to: [mock/echo], timeout: {idle: soon}}}\n", `x.yaml:1:41: time: invalid duration "soon"`},
		{"models: {a: {to: [mock/echo], on_ambiguous: always}}\n", `x.yaml:1:31: model "a": on_ambiguous must be failover_once or fail, not "always"`},
		{"models: {a: {to: [mock/echo], fallback_on: [error]}}\n", `x.yaml:1:31: model "a": fallback_on needs a fallback`},
		{"models: {a: {to: [mock/echo], fallback: b, fallback_on: [colour]}}\n", `x.yaml:1:44: model "a": fallback_on takes error,`},
		{"models: {a: {to: [mock/echo], fallback: b, fallback_on: []}}\n", `x.yaml:1:44: model "a": fallback_on is empty`},
		{"models: {a: {to: [mock/echo], match: []}}\n", `x.yaml:1:31: model "a": match is empty`},
		{"models: {a: {to: [mock/echo], match: [{}]}}\n", `x.yaml:1:31: model "a": set 1 of match is empty`},
		{"models: {a: {to: [mock/echo], match: {header: {}}}}\n", `x.yaml:1:31: must be a list, not a mapping`},
		{"models: {a: []}\n", `x.yaml:1:10: model "a": is empty`},
		{"models:\n  a:\n    - {to: [mock/echo]}\n    - {to: [mock/slow]}\n", `x.yaml:4:7: model "a": number 2 of its list is never used: the one before it takes every request`},
		{"models:\n  a:\n    - {to: [mock/echo], match: [{header: {X-A: [b]}}]}\n    - {to: [echo]}\n", `x.yaml:4:13: model "a": target "echo" must be`},
		{"models: {a: {to: [mock/echo], set: {model: x}}}\n", `x.yaml:1:37: model "a": set model: cannot be set`},
		{"models: {a: {to: [mock/echo], set: {a: 1}, default: {a.b: 2}}}\n", `x.yaml:1:54: model "a": default a.b: there is a value for a already`},
		{"just a text\n", "x.yaml:1:1: must be a mapping, not text"},
		{"- a\n- b\n", "x.yaml:1:1: must be a mapping, not a list"},

		// Names and targets.
		{"models:\n  a: {to: [mock/echo]}\n  b: {to: [mock/echo]}\n  a: {to: [mock/slow]}\n", `x.yaml:4:3: "a" is written twice`},
		{"retries: 1\nretries: 2\n", `x.yaml:2:1: "retries" is written twice`},
		{"models:\n  a:\n    to:\n      - mock/echo\n      - echo\n", `x.yaml:5:9: model "a": target "echo" must be <provider>/<model>`},
		{"models:\n  a:\n    to:\n      - target: mock/\n", `x.yaml:4:9: model "a": target "mock/" must be <provider>/<model>`},
		{"models:\n  a: {fallback: [b]}\n", `x.yaml:2:3: model "a": has no targets`},
		{"models:\n  a: {to: [{target: mock/echo, weight: 9000000000000000000}]}\n", `x.yaml:2:12: model "a": the weight of "mock/echo" must be from 1 to 1000000`},
		{"models:\n  a: {to: [{target: mock/echo, weight: -1}]}\n", `x.yaml:2:12: model "a": the weight of "mock/echo" must be from 1 to 1000000`},
		{"models:\n  a:\n", `x.yaml:2:3: model "a": is null`},
		{"provider_order: [nobody]\n", `x.yaml:1:1: provider_order names "nobody"`},

		// Keys.
		{"auth:\n  keys:\n    app: {secret: short}\n", "x.yaml:3:5: the secret is shorter than 8 characters"},
		{"auth:\n  keys:\n    app:\n      secret: sha256:" + secret + "\n", "x.yaml:3:5: a digest is"},

		// YAML itself.
		{"", "x.yaml: the file is empty"},
		{"# only a comment\n", "x.yaml: the file is empty"},
		{"retries: 1\n---\nretries: 2\n", "x.yaml:2:1: the file has more than one document"},
		{"models: {a: [\n", "x.yaml: yaml: line"},
		{"models:\n\ta: b\n", "x.yaml: yaml: line 2"},
		{"defaults: &d {retries: 1}\n", `x.yaml:1:1: unknown member "defaults"`},
		{"models:\n  a: &a {to: [mock/echo]}\n  b:\n    <<: *a\n", "x.yaml:4:5: merge keys (<<) are not supported"},
		{"? [a, b]\n: c\n", "x.yaml:1:3: a key must be a plain word"},
		{"models: !!binary aGVsbG8=\n", "x.yaml:1:1: "},
		{"models:\n  a: *nobody\n", "unknown anchor"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := parseConfigFile("x.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, which does not say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestYAMLThatIsTooDeepIsRefused(t *testing.T) {
	_, err := parseConfigFile("x.yaml", []byte(strings.Repeat("[", 100)+strings.Repeat("]", 100)))
	if err == nil || !strings.Contains(err.Error(), "too deeply nested") {
		t.Errorf("the error is %v", err)
	}
}

func TestYAMLAliasesThatMultiplyAreRefusedSoon(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
	}
	for name, text := range map[string]string{
		"a bomb":               bomb.String(),
		"an alias in a circle": "models: &m\n  a: *m\n",
	} {
		began := time.Now()
		_, err := parseConfigFile("x.yaml", []byte(text))
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestYAMLThatIsAcceptedAdapts(t *testing.T) {
	for _, text := range []string{
		"providers: {mock: {}}\nmodels: {a: {to: [mock/echo]}}\nauth: {anonymous: true}\n",
		"models:\n  a: &a {to: [{target: mock/echo, weight: 3}], policy: weighted}\n  b: *a\n",
		"auth: {keys: {app: {secret: a-secret-of-eight}}}\nstream: {heartbeat: 10s}\n",
		"{}\n", "auth:\n", "models: ~\n", "retries: ~\nstream: {}\n",
	} {
		adapted, _, err := (yamlAdapter{}).Adapt([]byte(text), nil)
		if err != nil {
			t.Errorf("%q does not adapt: %v", text, err)
			continue
		}
		if err := caddy.StrictUnmarshalJSON(adapted, new(caddy.Config)); err != nil {
			t.Errorf("%q adapts to %s: %v", text, adapted, err)
		}
	}
}
