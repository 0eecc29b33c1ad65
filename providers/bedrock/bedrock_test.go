package bedrock

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
)

// canary is in every secret here. No error may hold it.
const canary = "sEcReT/c4nary"

// clearEnvironment unsets what the AWS SDK reads and puts files in place of the
// user's own.
func clearEnvironment(t *testing.T, config string) {
	t.Helper()
	for _, name := range []string{
		envBearer, envKeyID, envSecret, "AWS_SESSION_TOKEN", envRegion, envRegionOld, envEndpoint, "AWS_PROFILE",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, text := range map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": ""} {
		file := filepath.Join(t.TempDir(), "aws")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, file)
	}
}

func load(t *testing.T, config string) (*Bedrock, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID(providers.Namespace+".bedrock", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return module.(*Bedrock), nil
}

func mustLoad(t *testing.T, config string) *Bedrock {
	t.Helper()
	p, err := load(t, config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const someProfiles = "[default]\nregion = sa-east-1\n[profile team]\nregion = ap-south-1\n"

func TestRegionsAndEndpointsAreFound(t *testing.T) {
	for _, test := range []struct {
		name, config string
		env          map[string]string
		profiles     string
		url, region  string
	}{
		{name: "written", config: `{"region":"us-east-1"}`, url: "https://bedrock-runtime.us-east-1.amazonaws.com", region: "us-east-1"},
		{name: "China", config: `{"region":"cn-north-1"}`, url: "https://bedrock-runtime.cn-north-1.amazonaws.com.cn", region: "cn-north-1"},
		{name: "GovCloud", config: `{"region":"us-gov-west-1"}`, url: "https://bedrock-runtime.us-gov-west-1.amazonaws.com", region: "us-gov-west-1"},
		{name: "isolated", config: `{"region":"us-iso-east-1"}`, url: "https://bedrock-runtime.us-iso-east-1.c2s.ic.gov", region: "us-iso-east-1"},
		{name: "isolated too", config: `{"region":"us-isob-east-1"}`, url: "https://bedrock-runtime.us-isob-east-1.sc2s.sgov.gov", region: "us-isob-east-1"},
		{name: "placeholder", config: `{"region":"{env.MY_REGION}"}`, env: map[string]string{"MY_REGION": "eu-west-3"}, url: "https://bedrock-runtime.eu-west-3.amazonaws.com", region: "eu-west-3"},
		{name: "variable", config: `{}`, env: map[string]string{envRegion: "eu-west-1", envRegionOld: "eu-west-2"}, url: "https://bedrock-runtime.eu-west-1.amazonaws.com", region: "eu-west-1"},
		{name: "older variable", config: `{}`, env: map[string]string{envRegionOld: "eu-west-2"}, url: "https://bedrock-runtime.eu-west-2.amazonaws.com", region: "eu-west-2"},
		{name: "shared file", config: `{}`, profiles: someProfiles, url: "https://bedrock-runtime.sa-east-1.amazonaws.com", region: "sa-east-1"},
		{name: "profile", config: `{"profile":"team"}`, profiles: someProfiles, url: "https://bedrock-runtime.ap-south-1.amazonaws.com", region: "ap-south-1"},
		{name: "profile of the environment", config: `{}`, profiles: someProfiles, env: map[string]string{"AWS_PROFILE": "team"}, url: "https://bedrock-runtime.ap-south-1.amazonaws.com", region: "ap-south-1"},
		{name: "base URL of AWS", config: `{"base_url":"https://bedrock-runtime-fips.us-west-2.amazonaws.com/"}`, env: map[string]string{envRegion: "eu-west-1"}, url: "https://bedrock-runtime-fips.us-west-2.amazonaws.com", region: "us-west-2"},
		{name: "other base URL", config: `{"base_url":"http://127.0.0.1:1/bedrock","region":"us-east-1"}`, url: "http://127.0.0.1:1/bedrock", region: "us-east-1"},
		{name: "endpoint of the environment", config: `{}`, env: map[string]string{envEndpoint: "https://vpce.example", envRegion: "eu-west-1"}, url: "https://vpce.example", region: "eu-west-1"},
		{name: "an API key needs no region", config: `{"base_url":"https://vpce.example","api_key":"k"}`, url: "https://vpce.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			clearEnvironment(t, test.profiles)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			p := mustLoad(t, test.config)
			if got := p.Origin().String(); got != test.url || p.region != test.region {
				t.Errorf("got %s and region %q", got, p.region)
			}
		})
	}
}

func TestBadSettingsAreRefusedWithoutTellingSecrets(t *testing.T) {
	clearEnvironment(t, "")
	for _, test := range []struct{ name, config, err string }{
		{"no region", `{}`, "region is missing: set AWS_REGION, or write region <region>"},
		{"no region with keys", `{"access_key_id":"AKIDTEST","secret_access_key":"` + canary + `"}`, "region is missing"},
		{"no region to sign for", `{"base_url":"http://127.0.0.1:1"}`, "region is missing"},
		{"bad region", `{"region":"us-east-1.example.com/x"}`, "is not the name of a region"},
		{"no secret", `{"region":"us-east-1","access_key_id":"AKIDTEST"}`, "needs both access_key_id and secret_access_key"},
		{"no id", `{"region":"us-east-1","secret_access_key":"` + canary + `"}`, "needs both"},
		{"token alone", `{"region":"us-east-1","session_token":"` + canary + `"}`, "needs both"},
		{"two credentials", `{"region":"us-east-1","access_key_id":"AKIDTEST","secret_access_key":"` + canary + `","api_key":"` + canary + `"}`, "write only one of"},
		{"key and profile", `{"region":"us-east-1","profile":"p","api_key":"` + canary + `"}`, "write only one of"},
		{"unset placeholder", `{"region":"us-east-1","access_key_id":"a","secret_access_key":"{env.NOT_SET_ANYWHERE}"}`, "secret_access_key"},
		{"bad base URL", `{"region":"us-east-1","base_url":"ftp://` + canary + `"}`, "base_url must start with"},
	} {
		_, err := load(t, test.config)
		if err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

func TestCredentialsInTheConfigComeFirst(t *testing.T) {
	clearEnvironment(t, "")
	t.Setenv(envBearer, "of-the-environment")
	if p := mustLoad(t, `{"region":"us-east-1"}`); p.Key(0) != "of-the-environment" || p.keys != nil {
		t.Error("the bearer token of the environment is not used")
	}
	p := mustLoad(t, `{"region":"us-east-1","access_key_id":"AKIDTEST","secret_access_key":"testsecret"}`)
	if p.Key(0) != "" || p.keys == nil || !p.HasLiteralKey() || !slices.Contains(p.Secrets(), "testsecret") {
		t.Error("the access key of the config is not used")
	}
	if p := mustLoad(t, `{"region":"us-east-1","profile":"team"}`); p.Key(0) != "" || p.keys == nil {
		t.Error("the profile of the config is not used")
	}
	if p := mustLoad(t, `{"region":"us-east-1","api_key":["a","b"]}`); p.Key(0)+p.Key(1)+p.Key(2) != "ab" || p.keys != nil || !p.Keyless() {
		t.Error("the api keys of the config are not used")
	}
}

func TestCaddyfileBlock(t *testing.T) {
	clearEnvironment(t, "")
	parse := func(text string) (*Bedrock, error) {
		p := new(Bedrock)
		return p, p.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
	}
	p, err := parse(`bedrock {
		base_url http://127.0.0.1:18900/bedrock
		region us-east-1
		access_key_id AKIDTEST
		secret_access_key testsecret
		session_token tok
		profile p
	}`)
	got, _ := json.Marshal(p)
	const want = `{"base_url":"http://127.0.0.1:18900/bedrock","region":"us-east-1","access_key_id":"AKIDTEST","secret_access_key":"testsecret","session_token":"tok","profile":"p"}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	for _, bad := range []string{"bedrock {\nregion\n}", "bedrock {\nregion a b\n}", "bedrock {\nregion a-1\nregion a-1\n}", "bedrock {\nzone a\n}",
		"bedrock {\nsecret_access_key " + canary + " " + canary + "\n}", "bedrock {\nsession_token a " + canary + "\n}"} {
		if _, err := parse(bad); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestEnvironmentIsNamedOnlyIfTheProviderWouldLoad(t *testing.T) {
	clearEnvironment(t, "")
	t.Setenv(envBearer, "k")
	t.Setenv(envKeyID, "AKIDTEST")
	if names := new(Bedrock).Environment(); names != nil {
		t.Errorf("without a region: %v", names)
	}
	t.Setenv(envRegionOld, "us-east-1")
	if names := new(Bedrock).Environment(); !slices.Equal(names, []string{envBearer}) {
		t.Errorf("without a secret: %v", names)
	}
	t.Setenv(envSecret, "s")
	if names := new(Bedrock).Environment(); !slices.Equal(names, []string{envBearer, envKeyID}) {
		t.Errorf("got %v", names)
	}
	if found := providers.Discover(); !slices.Contains(found, "bedrock") {
		t.Errorf("found %v", found)
	}
	mustLoad(t, `{}`)
}

func TestEndpoints(t *testing.T) {
	clearEnvironment(t, "")
	p := mustLoad(t, `{"region":"us-east-1","base_url":"https://gate.example/a%2Fb","access_key_id":"a","secret_access_key":"b"}`)
	const arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-6"
	const hidden = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x1"
	for _, test := range []struct {
		model   string
		stream  bool
		path    string
		format  transform.Format
		framing transform.Framing
	}{
		{"amazon.nova-pro-v1:0", false, "amazon.nova-pro-v1%3A0/converse", transform.Converse, transform.FramingSSE},
		{"amazon.nova-pro-v1:0", true, "amazon.nova-pro-v1%3A0/converse-stream", transform.Converse, transform.FramingAWS},
		{"us.anthropic.claude-sonnet-4-6", false, "us.anthropic.claude-sonnet-4-6/invoke", transform.Anthropic, transform.FramingSSE},
		{"anthropic.claude-v2", true, "anthropic.claude-v2/invoke-with-response-stream", transform.Anthropic, transform.FramingAWSChunks},
		{arn, true, "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude-sonnet-4-6/invoke-with-response-stream", transform.Anthropic, transform.FramingAWSChunks},
		{hidden, false, "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fx1/converse", transform.Converse, transform.FramingSSE},
		{"../x é?", false, "..%2Fx%20%C3%A9%3F/converse", transform.Converse, transform.FramingSSE},
		{"..", false, "%2E%2E/converse", transform.Converse, transform.FramingSSE},
	} {
		e := p.Chat(providers.Call{Model: test.model, Stream: test.stream})
		if got := e.URL.String(); got != "https://gate.example/a%2Fb/model/"+test.path || e.Codec.Format() != test.format || e.Framing != test.framing {
			t.Errorf("%s: got %s, %s, framing %d", test.model, got, e.Codec.Format(), e.Framing)
		}
		if (e.Header.Get("Accept") != "") != test.stream || (e.Edits != nil) != (test.format == transform.Anthropic) || e.Vendor == "" {
			t.Errorf("%s: got %+v", test.model, e)
		}
	}
	for model, path := range map[string]string{
		"us.anthropic.claude-haiku-4-5-20251001-v1:0": "anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens", arn: "anthropic.claude-sonnet-4-6/count-tokens",
	} {
		e, ok := p.CountTokens(providers.Call{Model: model})
		if _, counts := e.Codec.(transform.CountProvider); !ok || !counts || e.URL.String() != "https://gate.example/a%2Fb/model/"+path {
			t.Errorf("count of %s: %v, %+v", model, ok, e)
		}
	}
	if _, ok := p.CountTokens(providers.Call{Model: hidden}); ok {
		t.Error("a hidden model is counted")
	}
	e := p.Embeddings(providers.Call{Model: "amazon.titan-embed-text-v2:0"})
	if _, ok := e.Codec.(transform.EmbeddingProvider); !ok || !strings.HasSuffix(e.URL.String(), "/model/amazon.titan-embed-text-v2%3A0/invoke") {
		t.Errorf("got %+v", e)
	}
}
