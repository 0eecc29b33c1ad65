package providers

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/transform/openai"
	"github.com/caddyllm/llmproxy/transform/responses"
)

func init() { caddy.RegisterModule(new(AzureOpenAI)) }

// AzureOpenAI is the Azure OpenAI Service. Its base_url is the endpoint of a
// resource, such as https://<resource>.openai.azure.com; default: the
// environment variable AZURE_OPENAI_ENDPOINT.
type AzureOpenAI struct {
	Settings

	// The version of the API, such as 2025-04-01-preview. With it deployments
	// are addressed in the path. Default: none, which is Azure's v1 API.
	APIVersion string `json:"api_version,omitempty"`

	// The deployments of models that are not called like their deployment.
	Deployment map[string]string `json:"deployment,omitempty"`

	// Which API to ask: auto, chat or responses. Default: auto, which is the
	// client's own, and the Responses API for clients of other formats.
	API API `json:"api,omitempty"`

	EntraID

	root    string // of the API's paths, below the base URL
	version string
	dated   bool // the paths are those of deployments
	query   string
	codec   openai.Codec
	tokens  *TokenCache
	edits   map[string]*Edits // by model; "" for those called like their deployment
	renames map[string]*Edits // what they do to the model's name alone
}

// azureDated is what the versions of the API with a date do not know: OpenAI's
// later names for the user.
var azureDated = openai.Profile{
	Families: true, Remove: []string{"prompt_cache_key"}, Rename: map[string]string{"safety_identifier": "user"},
}

// azureUsage is the first version of the API whose streams report usage.
const azureUsage = "2024-09-01"

// azureResponses is the first version of the API that has Responses.
const azureResponses = "2025-03-01"

// CaddyModule returns the Caddy module information.
func (*AzureOpenAI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".azure_openai",
		New: func() caddy.Module { return new(AzureOpenAI) },
	}
}

// Provision resolves the settings.
func (p *AzureOpenAI) Provision(ctx caddy.Context) error {
	if err := p.API.validate(); err != nil {
		return err
	}
	defaults := Defaults{Environment: p.Environment(), Keyless: p.EntraID.configured()}
	if p.BaseURL == "" {
		if !p.hasAddress() {
			return errors.New("base_url is missing: set AZURE_OPENAI_ENDPOINT, or write base_url https://<resource>.openai.azure.com")
		}
		defaults.BaseURL = os.Getenv("AZURE_OPENAI_ENDPOINT")
	}
	if defaults.Keyless {
		if len(p.APIKey) > 0 {
			return errors.New("write either api_key or tenant_id, client_id and client_secret")
		}
		defaults.Environment = nil
	}
	if err := p.Resolve(ctx, defaults); err != nil {
		return err
	}
	if err := p.resolveVersion(); err != nil {
		return err
	}
	if defaults.Keyless {
		var err error
		if p.tokens, err = p.EntraID.tokens(&p.Settings); err != nil {
			return err
		}
	}
	p.plan()
	return nil
}

// resolveVersion finds where the API's paths begin. Of a base URL that ends in
// what some SDKs want there, the end is taken away.
func (p *AzureOpenAI) resolveVersion() (err error) {
	base := *p.base
	base.Path = strings.TrimSuffix(strings.TrimSuffix(base.Path, "/v1"), "/openai")
	base.RawPath = ""
	p.base = &base
	if p.version, err = ResolveText("api_version", p.APIVersion); err != nil {
		return err
	}
	p.root, p.dated = "/openai/v1", isDated(p.version)
	if p.dated {
		p.root = "/openai"
	}
	if p.version != "" {
		p.query = "api-version=" + url.QueryEscape(p.version)
	}
	return nil
}

// isDated tells a version with paths of deployments from the v1 API, which has
// versions called preview and latest.
func isDated(version string) bool { return version != "" && version[0] >= '0' && version[0] <= '9' }

// plan says how requests differ by the version of the API and by model.
func (p *AzureOpenAI) plan() {
	ask := !p.dated || p.version >= azureUsage
	if p.dated {
		profile := azureDated
		profile.UsageUnasked = !ask // and a request for it would be an error
		p.codec.Profile = &profile
	}
	p.edits = map[string]*Edits{"": {AskUsage: ask}}
	p.renames = make(map[string]*Edits)
	for model, deployment := range p.Deployment {
		set := []transform.Member{{Name: "model", Value: jsonbytes.AppendString(nil, deployment)}}
		p.edits[model] = &Edits{AskUsage: ask, Set: set}
		p.renames[model] = &Edits{Set: set}
	}
}

// endpoint is POST {base_url}/openai/v1{path}, or, with a version of the API,
// {base_url}/openai/deployments/{deployment}{path}?api-version={version}.
func (p *AzureOpenAI) endpoint(model, path string) Endpoint {
	e := Endpoint{
		Codec: p.codec, Vendor: transform.VendorOpenAI, Edits: p.edits[""], Forward: openAIForward,
	}
	deployment := model
	if mapped, ok := p.Deployment[model]; ok {
		deployment, e.Edits = mapped, p.edits[model]
	}
	if p.dated {
		path = "/deployments/" + Segment(deployment) + path
	}
	e.URL = p.address(path)
	return e
}

func (p *AzureOpenAI) address(path string) *url.URL {
	u := p.JoinEscaped(p.root + path)
	u.RawQuery = p.query
	return u
}

// Chat is the deployment's /chat/completions, or /responses, which takes the
// deployment's name as the model's.
func (p *AzureOpenAI) Chat(call Call) Endpoint {
	level := prefersResponses
	if p.dated && p.version < azureResponses {
		level = noResponses
	}
	if !p.API.useResponses(call, level) {
		return p.endpoint(call.Model, "/chat/completions")
	}
	return Endpoint{
		URL: p.address("/responses"), Codec: responses.Codec{}, Vendor: transform.VendorOpenAI,
		Edits: p.renames[call.Model], Forward: openAIForward,
	}
}

// Embeddings is the deployment's /embeddings.
func (p *AzureOpenAI) Embeddings(call Call) Endpoint { return p.endpoint(call.Model, "/embeddings") }

// Forward is POST {base_url}/openai/v1{path}, which takes the deployment's name as
// the model's, whatever version other calls have.
func (p *AzureOpenAI) Forward(call Call, path string) Endpoint {
	e := Endpoint{URL: p.Join("/openai/v1" + path), Codec: openai.Codec{}, Edits: p.renames[call.Model], Forward: openAIForward}
	if !p.dated {
		e.URL.RawQuery = p.query
	}
	return e
}

// ModelsURL is the list of what the resource could deploy.
func (p *AzureOpenAI) ModelsURL() *url.URL { return p.address("/models") }

// Authorize sends the key in Azure's own header.
func (p *AzureOpenAI) Authorize(header http.Header, key string) {
	header["Api-Key"] = []string{key}
}

// Sign sends a key, or a token of Entra ID.
func (p *AzureOpenAI) Sign(r *http.Request, _ []byte, key string) error {
	if p.tokens == nil {
		if key != "" {
			p.Authorize(r.Header, key)
		}
		return nil
	}
	return p.tokens.Bearer(r)
}

// Environment names the variable that usually holds the key.
func (*AzureOpenAI) Environment() []string { return []string{"AZURE_OPENAI_API_KEY"} }

// hasAddress tells whether a resource is known without a base_url.
func (*AzureOpenAI) hasAddress() bool {
	return strings.TrimSpace(os.Getenv("AZURE_OPENAI_ENDPOINT")) != ""
}

// UnmarshalCaddyfile reads the block of an azure_openai provider. Beside the
// options of all providers:
//
//	api_version   <version>
//	deployment    <model> <deployment>
//	api           auto|chat|responses
//	tenant_id     <id>
//	client_id     <id>
//	client_secret <secret>
func (p *AzureOpenAI) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	into := func(option *string) func(*caddyfile.Dispenser) error {
		return func(d *caddyfile.Dispenser) error { return directive.One(d, option) }
	}
	return p.ReadBlock(d, Options{
		"api":                     func(d *caddyfile.Dispenser) error { return readAPI(d, &p.API) },
		"api_version":             into(&p.APIVersion),
		"tenant_id":               into(&p.TenantID),
		"client_id":               into(&p.ClientID),
		"client_secret":           func(d *caddyfile.Dispenser) error { return ReadSecret(d, &p.ClientSecret) },
		Repeatable + "deployment": p.readDeployment,
	})
}

func (p *AzureOpenAI) readDeployment(d *caddyfile.Dispenser) error {
	var model, deployment string
	if !d.AllArgs(&model, &deployment) {
		return d.Err("a deployment is written: deployment <model> <deployment>")
	}
	if _, ok := p.Deployment[model]; ok {
		return d.Errf("the deployment of %s is set twice", model)
	}
	if p.Deployment == nil {
		p.Deployment = make(map[string]string)
	}
	p.Deployment[model] = deployment
	return directive.NoBlock(d)
}

// Interface guards
var (
	_ Provider              = (*AzureOpenAI)(nil)
	_ Embedder              = (*AzureOpenAI)(nil)
	_ Forwarder             = (*AzureOpenAI)(nil)
	_ Inventory             = (*AzureOpenAI)(nil)
	_ Signer                = (*AzureOpenAI)(nil)
	_ Discoverable          = (*AzureOpenAI)(nil)
	_ caddy.Provisioner     = (*AzureOpenAI)(nil)
	_ caddyfile.Unmarshaler = (*AzureOpenAI)(nil)
)
