// Package bedrock is the provider of models on Amazon Bedrock. It is in a folder
// of its own because it brings the AWS SDK's signer and credentials.
package bedrock

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/providers"
)

func init() { caddy.RegisterModule(new(Bedrock)) }

// Bedrock is Amazon Bedrock. Its models are called by their ids, such as
// amazon.nova-pro-v1:0, by the ids of inference profiles, such as
// us.anthropic.claude-sonnet-4-6, or by ARNs. Claude is asked in Anthropic's own
// format (InvokeModel), all others in Bedrock's (Converse).
//
// The credential is an API key of Bedrock (api_key), access keys of AWS, or what
// the AWS SDK finds by itself: environment variables, shared files, SSO, web
// identity, the role of a container or machine.
type Bedrock struct {
	providers.Settings

	// The region that is called and signed for. Default: that in a base_url of
	// AWS, else the environment variables AWS_REGION and AWS_DEFAULT_REGION, else
	// that of the profile.
	Region string `json:"region,omitempty"`

	// The id of an access key. Default: the AWS SDK's chain of credentials.
	AccessKeyID string `json:"access_key_id,omitempty"`

	// The secret of the access key. Placeholders are resolved as those of api_key.
	SecretAccessKey string `json:"secret_access_key,omitempty"`

	// The session token of a temporary access key. Default: none.
	SessionToken string `json:"session_token,omitempty"`

	// The profile in AWS's shared files. Default: that of the environment
	// variable AWS_PROFILE, else default.
	Profile string `json:"profile,omitempty"`

	region  string
	profile string
	keys    credentialSource
}

// The variables of the AWS SDKs.
const (
	envBearer    = "AWS_BEARER_TOKEN_BEDROCK"
	envKeyID     = "AWS_ACCESS_KEY_ID"
	envSecret    = "AWS_SECRET_ACCESS_KEY"
	envRegion    = "AWS_REGION"
	envRegionOld = "AWS_DEFAULT_REGION"
	envEndpoint  = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
)

// CaddyModule returns the Caddy module information.
func (*Bedrock) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  providers.Namespace + ".bedrock",
		New: func() caddy.Module { return new(Bedrock) },
	}
}

// Provision resolves the settings. It reads AWS's shared files, but asks nobody:
// credentials are fetched by the first request that needs them.
func (p *Bedrock) Provision(ctx caddy.Context) error {
	if err := p.resolveKeys(); err != nil {
		return err
	}
	if err := p.resolveRegion(); err != nil {
		return err
	}
	defaults := providers.Defaults{Keyless: true}
	if p.keys == nil && p.profile == "" {
		defaults.Environment = []string{envBearer}
	}
	if p.region != "" {
		defaults.BaseURL = endpointOf(p.region)
	}
	if endpoint := env(envEndpoint); endpoint != "" {
		defaults.BaseURL = endpoint
	}
	if p.BaseURL == "" && defaults.BaseURL == "" {
		return errNoRegion
	}
	if err := p.Resolve(ctx, defaults); err != nil {
		return err
	}
	if len(p.Keys()) > 0 {
		return nil // needs no region
	}
	if p.region == "" {
		if p.region = regionOf(p.Origin().Hostname()); p.region == "" {
			return errNoRegion
		}
	}
	if p.keys == nil {
		p.keys = &chain{profile: p.profile, region: p.region}
	}
	return nil
}

var errNoRegion = errors.New("region is missing: set " + envRegion + ", or write region <region>")

// resolveKeys reads the options that name a credential.
func (p *Bedrock) resolveKeys() error {
	id, err := providers.ResolveText("access_key_id", p.AccessKeyID)
	if err != nil {
		return err
	}
	secret, err := p.ResolveSecret("secret_access_key", p.SecretAccessKey)
	if err != nil {
		return err
	}
	token, err := p.ResolveSecret("session_token", p.SessionToken)
	if err != nil {
		return err
	}
	if p.profile, err = providers.ResolveText("profile", p.Profile); err != nil {
		return err
	}
	static := p.AccessKeyID != "" || p.SecretAccessKey != "" || p.SessionToken != ""
	switch {
	case static && (id == "" || secret == ""):
		return errors.New("an access key needs both access_key_id and secret_access_key")
	case static && p.profile != "", (static || p.profile != "") && len(p.APIKey) > 0:
		return errors.New("write only one of api_key, access_key_id and profile")
	case static:
		p.keys = accessKey(id, secret, token)
	}
	return nil
}

// resolveRegion finds the region, as far as it is known without a base URL.
func (p *Bedrock) resolveRegion() (err error) {
	if p.region, err = providers.ResolveText("region", p.Region); err != nil {
		return err
	}
	if p.region == "" && p.BaseURL != "" {
		if base, err := providers.ResolveText("base_url", p.BaseURL); err == nil {
			p.region = regionIn(base)
		}
	}
	for _, name := range [...]string{envRegion, envRegionOld} {
		if p.region == "" {
			p.region = env(name)
		}
	}
	if p.region == "" {
		p.region = profileRegion(p.profile)
	}
	if p.region != "" && !isRegion(p.region) {
		return fmt.Errorf("region %.32q is not the name of a region, such as us-east-1", p.region)
	}
	return nil
}

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// Authorize sends an API key of Bedrock.
func (p *Bedrock) Authorize(header http.Header, key string) {
	header["Authorization"] = []string{"Bearer " + key}
}

// Keyless tells that there need not be an api_key.
func (*Bedrock) Keyless() bool { return true }

// Environment names the variables that hold a credential of AWS. It names none
// where the others are missing without which the provider would not load.
func (*Bedrock) Environment() []string {
	if env(envRegion) == "" && env(envRegionOld) == "" {
		return nil
	}
	names := []string{envBearer}
	if env(envSecret) != "" {
		names = append(names, envKeyID)
	}
	return names
}

// UnmarshalCaddyfile reads the block of a bedrock provider. Beside the options of
// all providers:
//
//	region            <region>
//	access_key_id     <id>
//	secret_access_key <secret>
//	session_token     <token>
//	profile           <name>
func (p *Bedrock) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	into := func(option *string) func(*caddyfile.Dispenser) error {
		return func(d *caddyfile.Dispenser) error { return directive.One(d, option) }
	}
	secret := func(option *string) func(*caddyfile.Dispenser) error {
		return func(d *caddyfile.Dispenser) error { return providers.ReadSecret(d, option) }
	}
	return p.ReadBlock(d, providers.Options{
		"region":            into(&p.Region),
		"access_key_id":     into(&p.AccessKeyID),
		"secret_access_key": secret(&p.SecretAccessKey),
		"session_token":     secret(&p.SessionToken),
		"profile":           into(&p.Profile),
	})
}

// Interface guards
var (
	_ providers.Provider     = (*Bedrock)(nil)
	_ providers.Signer       = (*Bedrock)(nil)
	_ providers.TokenCounter = (*Bedrock)(nil)
	_ providers.Embedder     = (*Bedrock)(nil)
	_ providers.Keyless      = (*Bedrock)(nil)
	_ providers.Discoverable = (*Bedrock)(nil)
	_ caddy.Provisioner      = (*Bedrock)(nil)
	_ caddyfile.Unmarshaler  = (*Bedrock)(nil)
)
