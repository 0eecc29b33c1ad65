package llmproxy_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// load adapts a Caddyfile and provisions what comes of it, without serving it.
func load(t *testing.T, text string) error {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatalf("the Caddyfile does not even adapt: %v", err)
	}
	return loadJSON(t, adapted)
}

func loadJSON(t *testing.T, text []byte) error {
	t.Helper()
	config := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(text, config); err != nil {
		return err
	}
	return caddy.Validate(config)
}

// block is a Caddyfile of one site with these lines in its llm_proxy block.
func block(lines string) string { return ":8080 {\n\tllm_proxy {\n" + lines + "\n\t}\n}\n" }

func TestConfigThatLoads(t *testing.T) {
	t.Setenv("APP_KEY", "app-key-for-tests")
	for name, text := range map[string]string{
		"anonymous":              block("auth anonymous"),
		"key from environment":   block("provider mock\nauth {\n key app {env.APP_KEY}\n}"),
		"literal key":            block("provider mock\nauth {\n key app very-literal-secret\n}"),
		"auth from the globals":  "{\n llm_proxy {\n  auth anonymous\n }\n}\n:8080 {\n llm_proxy\n}\n",
		"globals without a site": "{\n llm_proxy {\n  provider mock\n }\n}\n",
		"provider of globals":    "{\n llm_proxy {\n  provider mock\n }\n}\n" + block("model a mock/echo\nauth anonymous"),
		"models by matchers":     block("provider mock\nmodel a {\n match header X-A 1\n to mock/slow\n}\nmodel a {\n match `{http.request.header.X-B} == \"1\"`\n to mock/slow\n}\nmodel a mock/echo\nauth anonymous"),
		"all of a model": block("provider mock\nmodel a mock/echo {\n policy sticky user\n fallback b\n fallback_on error\n timeout {\n  idle 5s\n }\n" +
			" on_ambiguous fail\n set user {env.APP_KEY}\n default metadata.a x\n}\nmodel b mock/slow\nbreaker {\n open 1s\n}\nauth anonymous"),
		"fallback chain": block("provider mock\nmodel a mock/echo {\n fallback b\n}\nmodel b mock/slow {\n fallback mock/echo\n}\nauth anonymous"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := load(t, text); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestA15ConfigThatIsRefusedSaysWhy(t *testing.T) {
	t.Setenv("APP_KEY", "app-key-for-tests")
	t.Setenv("SHORT_KEY", "short")
	t.Setenv("OPENAI_API_KEY", "")
	const mock = "provider mock\nauth anonymous\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing says who may call": {block("provider mock"), `write "auth anonymous" to let everybody in`},
		"name in globals and site": {
			"{\n llm_proxy {\n  model a mock/echo\n }\n}\n" + block(mock+"model a mock/slow"), `model "a" is defined twice`,
		},
		"provider in globals and site": {"{\n llm_proxy {\n  provider mock\n }\n}\n" + block(mock), `provider "mock" is defined twice`},
		"target of unknown provider":   {block(mock + "model a nobody/gpt"), `model "a": target "nobody/gpt": there is no provider "nobody", only mock`},
		"star without a star":          {block(mock + "model a mock/*"), `model "a": target "mock/*" has a * for which the model's name has none`},
		"fallback to nowhere":          {block(mock + "model a mock/echo {\n fallback b\n}"), `fallback "b" is neither a model of this config nor one that a provider serves`},
		"fallback in a circle": {
			block(mock + "model a mock/echo {\n fallback b\n}\nmodel b mock/echo {\n fallback a\n}"), "fallback goes round in a circle: a -> b -> a",
		},
		"fallback in a circle by another match": {
			block(mock + "model a mock/echo {\n fallback b\n}\nmodel b {\n match header X-A 1\n to mock/echo\n fallback a\n}\nmodel b mock/echo"),
			"fallback goes round in a circle: a -> b -> a",
		},
		"fallback to itself":   {block(mock + "model a mock/echo {\n fallback a\n}"), "fallback goes round in a circle: a -> a"},
		"match with a mistake": {block(mock + "model a mock/echo {\n match `{http.request.header.X-A} ==`\n}"), `model "a": match: `},
		"set to what a request says": {
			block(mock + "model a mock/echo {\n set user {http.request.header.X-User}\n}"), `model "a": resolving the value of user: `,
		},
		"set to a variable that is not set": {block(mock + "model a mock/echo {\n set user {env.NOT_SET_HERE}\n}"), `resolving the value of user`},
		"mock with a health check":          {block("provider mock {\n health {\n  uri /\n }\n}\nauth anonymous"), "takes no base_url, api_key, transport or health"},
		"provider without a key":            {block("provider openai\nauth anonymous"), "api_key is missing: set OPENAI_API_KEY, or write api_key {env.YOUR_VARIABLE}"},
		"variable that is not set":          {block("provider openai {\n api_key {env.NOT_SET_HERE}\n}\nauth anonymous"), "{env.NOT_SET_HERE}"},
		"base_url missing":                  {block("provider a openai_compatible\nauth anonymous"), "base_url is missing: this provider has no public default"},
		"base_url with a user":              {block("provider a openai_compatible {\n base_url https://u:p@example.com\n}\nauth anonymous"), "put the credential into api_key"},
		"base_url without scheme":           {block("provider a openai_compatible {\n base_url example.com/v1\n}\nauth anonymous"), "base_url must start with http:// or https://"},
		"mock with a key":                   {block("provider mock {\n api_key {env.APP_KEY}\n}\nauth anonymous"), "the mock provider takes no base_url, api_key, transport or health"},
		"one secret for two keys": {
			block("auth {\n key a {env.APP_KEY}\n key b {env.APP_KEY}\n}"), `key "b": has the same secret as key "a"`,
		},
		"key of an unset variable":   {block("auth {\n key a {env.NOT_SET_HERE}\n}"), `key "a": resolving the secret`},
		"key that is too short":      {block("auth {\n key a {env.SHORT_KEY}\n}"), "is shorter than 8 characters"},
		"state of a wrong address":   {block(mock + "limits {\n rpm 1\n}\nstate redis http://user:app-key-for-tests@example.com"), "state: the address of Redis must be like redis://"},
		"state of an unset variable": {block(mock + "limits {\n rpm 1\n}\nstate redis {env.NOT_SET_HERE}"), "state: resolving url"},
		"file that does not exist":   {block("config nowhere.yaml\nauth anonymous"), "nowhere.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			err := load(t, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, which does not say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "app-key-for-tests") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestJSONConfigIsReadStrictly(t *testing.T) {
	const canary = "canary-secret-value"
	for name, c := range map[string]struct{ app, want string }{
		"unknown option":            {`{"colour":"red"}`, "colour"},
		"unknown provider option":   {`{"providers":{"mock":{"provider":"mock","colour":"red"}},"auth":{"anonymous":true}}`, "colour"},
		"unknown target option":     {`{"models":{"a":{"to":[{"target":"mock/echo","colour":1}]}}}`, "colour"},
		"unknown provider type":     {`{"providers":{"a":{"provider":"nobody","api_key":"` + canary + `"}},"auth":{"anonymous":true}}`, `there is no provider type "nobody"`},
		"type is the name":          {`{"providers":{"a":{"api_key":"` + canary + `"}},"auth":{"anonymous":true}}`, `there is no provider type "a"`},
		"unknown policy":            {`{"providers":{"mock":{}},"models":{"a":{"to":["mock/echo"],"policy":"stickiest"}},"auth":{"anonymous":true}}`, `there is no selection policy "stickiest"`},
		"policy without a name":     {`{"providers":{"mock":{}},"models":{"a":{"to":["mock/echo"],"policy":{}}},"auth":{"anonymous":true}}`, `policy must be a name, or an object with a member "policy"`},
		"unknown policy option":     {`{"providers":{"mock":{}},"models":{"a":{"to":["mock/echo"],"policy":{"policy":"sticky","of":"user"}}},"auth":{"anonymous":true}}`, `of`},
		"unknown matcher":           {`{"providers":{"mock":{}},"models":{"a":{"to":["mock/echo"],"match":[{"colour":{}}]}},"auth":{"anonymous":true}}`, `http.matchers.colour`},
		"breaker of a wrong type":   {`{"breaker":true}`, `breaker must be "off" or an object`},
		"unknown breaker option":    {`{"breaker":{"colour":1}}`, "colour"},
		"unknown health option":     {`{"providers":{"openai":{"api_key":"x","health":{"uri":"/a","colour":1}}},"auth":{"anonymous":true}}`, "colour"},
		"health of a bad status":    {`{"providers":{"openai":{"api_key":"x","health":{"uri":"/a","status":"fine"}}},"auth":{"anonymous":true}}`, "health's status must be a code"},
		"set of the model":          {`{"models":{"a":{"to":["mock/echo"],"set":{"model":"b"}}}}`, `set model: cannot be set`},
		"model that is unreachable": {`{"models":{"a":[{"to":["mock/echo"]},{"to":["mock/echo"]}]}}`, `model "a": number 2 of its list is never used`},
		"literal secret":            {`{"auth":{"keys":{"a":{"secret":"` + canary + `"}}}}`, `the secret is literal: write digest "sha256:`},
		"three secrets":             {`{"auth":{"keys":{"a":{"secret":["{env.A}","{env.B}"],"digest":"sha256:00"}}}}`, "has 3 secrets"},
		"neither":                   {`{"auth":{"keys":{"a":{}}}}`, "has neither digest nor secret"},
		"digest that is none":       {`{"auth":{"keys":{"a":{"digest":"` + canary + `"}}}}`, "a digest is"},
		"unknown surface":           {`{"surface":["cohere"]}`, `surface "cohere" is not one of [openai anthropic gemini health]`},
		"null model":                {`{"models":{"a":null}}`, `model "a": is null`},
		"negative retries":          {`{"retries":-1}`, "retries must not be negative"},
		"negative weight":           {`{"models":{"a":{"to":[{"target":"mock/echo","weight":-1}]}}}`, `model "a": the weight of "mock/echo" must be from 1 to 1000000`},
		"order of unknown names":    {`{"provider_order":["nobody"]}`, `provider_order names "nobody"`},
		"api_key of a wrong type":   {`{"providers":{"openai":{"api_key":{"value":"` + canary + `"}}},"auth":{"anonymous":true}}`, "must be a string or a list of strings"},
		"discovery from elsewhere":  {`{"discover":"dns"}`, "providers can be discovered from"},
	} {
		t.Run(name, func(t *testing.T) {
			err := loadJSON(t, []byte(`{"apps":{"llm_proxy":`+c.app+`,"http":{"servers":{"s":{"routes":[{"handle":[{"handler":"llm_proxy"}]}]}}}}}`))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, which does not say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestA15SecretsAreNeitherInTheAdaptedConfigNorInErrors(t *testing.T) {
	const canary = "canary-secret-value"
	for name, lines := range map[string]string{
		"key":                            "auth {\n key app " + canary + "\n}",
		"key with surplus words":         "auth {\n key app " + canary + " extra\n}",
		"key with a wrong line":          "auth {\n key app " + canary + " {\n  colour red\n }\n}",
		"key that is defined twice":      "auth {\n key app " + canary + "\n key app " + canary + "\n}",
		"key without an id":              "auth {\n key " + canary + "\n}",
		"key with a mistake below":       "auth {\n key app " + canary + "\n}\ncolour red",
		"digest with the secret in it":   "auth {\n key app sha256:" + canary + "\n}",
		"api_key with a block":           "provider openai {\n api_key " + canary + " {\n  a\n }\n}",
		"api_key twice":                  "provider openai {\n api_key " + canary + "\n api_key " + canary + "\n}",
		"api_key with a mistake below":   "provider openai {\n api_key " + canary + "\n colour red\n}",
		"header with surplus words":      "provider openai {\n header Authorization " + canary + " extra\n}",
		"header with a block":            "provider openai {\n header Authorization " + canary + " {\n  a\n }\n}",
		"header that is set a 2nd time":  "provider openai {\n header Authorization a\n header Authorization " + canary + "\n}",
		"header with the value as block": "provider openai {\n header Authorization {\n  " + canary + "\n }\n}",
	} {
		t.Run(name, func(t *testing.T) {
			adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(block(lines)), map[string]any{"filename": "Caddyfile"})
			if err == nil && name != "key" {
				t.Error("there is no error")
			}
			if strings.Contains(string(adapted), canary) || err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the secret shows: %s %v", adapted, err)
			}
		})
	}
}
