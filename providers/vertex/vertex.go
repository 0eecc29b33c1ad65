// Package vertex is the provider module of Google Cloud's Vertex AI: Gemini,
// Claude, and the models of other publishers behind its OpenAI-like endpoint.
// It is a package of its own because it brings Google's authentication.
package vertex

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/providers"
)

func init() { caddy.RegisterModule(new(Vertex)) }

// Vertex is a project's Vertex AI at one location. Its credential is a file, a
// token, an API key, or, if none is given, Google's application default
// credentials, which are looked for by the first request.
type Vertex struct {
	providers.Settings

	// The project. Default: the environment variable GOOGLE_VERTEX_PROJECT or
	// GOOGLE_CLOUD_PROJECT, else that of the credentials file. An API key can do
	// without one (express mode) and then reaches Google's own models only.
	Project string `json:"project,omitempty"`

	// The location, such as us-central1, us, eu or global. Default: the
	// environment variable GOOGLE_VERTEX_LOCATION or GOOGLE_CLOUD_LOCATION,
	// else global.
	Location string `json:"location,omitempty"`

	// A file with Google credentials: a service account's key, a user's, or a
	// configuration of workload identity federation.
	CredentialsFile string `json:"credentials_file,omitempty"`

	// An OAuth access token, for tests and short runs. It is never renewed.
	AccessToken string `json:"access_token,omitempty"`

	root        string // of all paths that name a model's publisher
	credentials *credentials
}

// CaddyModule returns the Caddy module information.
func (*Vertex) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  providers.Namespace + ".vertex",
		New: func() caddy.Module { return new(Vertex) },
	}
}

// Provision resolves the settings. It asks nobody for a token.
func (p *Vertex) Provision(ctx caddy.Context) error {
	given := 0
	for _, is := range []bool{p.CredentialsFile != "", p.AccessToken != "", len(p.APIKey) > 0} {
		if is {
			given++
		}
	}
	if given > 1 {
		return errors.New("write only one of credentials_file, access_token and api_key")
	}
	location, err := p.option("location", p.Location, "GOOGLE_VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION")
	if err != nil {
		return err
	}
	if location == "" {
		location = "global"
	}
	if err := p.Resolve(ctx, providers.Defaults{BaseURL: host(location), Keyless: true}); err != nil {
		return err
	}
	if p.credentials, err = p.resolveCredentials(); err != nil {
		return err
	}
	return p.resolveRoot(location)
}

// resolveRoot finds what all paths begin with: project and location, or
// nothing in express mode.
func (p *Vertex) resolveRoot(location string) error {
	variables := []string{"GOOGLE_VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT"}
	if len(p.APIKey) > 0 {
		variables = nil // a key knows its project, and a variable is set for many reasons
	}
	project, err := p.option("project", p.Project, variables...)
	if err != nil {
		return err
	}
	if project == "" {
		project = p.credentials.project
	}
	p.root = "/v1"
	if strings.HasSuffix(p.Origin().Path, "/v1") {
		p.root = ""
	}
	switch {
	case project != "":
		p.root += "/projects/" + providers.Segment(project) + "/locations/" + providers.Segment(location)
	case len(p.APIKey) == 0:
		return errors.New("project is missing: set GOOGLE_CLOUD_PROJECT, or write project <id>")
	}
	return nil
}

// option is an option's value, else that of the first variable that is set.
func (p *Vertex) option(name, text string, variables ...string) (string, error) {
	if text != "" {
		return providers.ResolveText(name, text)
	}
	for _, variable := range variables {
		if value := strings.TrimSpace(os.Getenv(variable)); value != "" {
			return value, nil
		}
	}
	return "", nil
}

// host is the public address of a location, after Google's SDKs.
func host(location string) string {
	switch location {
	case "global":
		return "https://aiplatform.googleapis.com"
	case "us", "eu":
		return "https://aiplatform." + location + ".rep.googleapis.com"
	}
	return "https://" + location + "-aiplatform.googleapis.com"
}

func (p *Vertex) join(path string) *url.URL { return p.JoinEscaped(p.root + path) }

// Authorize sends an API key. Requests are signed by Sign.
func (p *Vertex) Authorize(header http.Header, key string) {
	header["X-Goog-Api-Key"] = []string{key}
}

// Sign adds an API key or a token.
func (p *Vertex) Sign(r *http.Request, _ []byte, key string) error {
	if len(p.APIKey) > 0 {
		p.Authorize(r.Header, key)
		return nil
	}
	return p.credentials.sign(r)
}

// Environment names the variable that tells that Vertex is meant: others of
// Google's are set on many machines for other reasons.
func (*Vertex) Environment() []string { return []string{"GOOGLE_VERTEX_PROJECT"} }

// UnmarshalCaddyfile reads the block of a vertex provider. Beside the options
// of all providers:
//
//	project          <id>
//	location         <name>
//	credentials_file <file>
//	access_token     <secret>
func (p *Vertex) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	into := func(option *string) func(*caddyfile.Dispenser) error {
		return func(d *caddyfile.Dispenser) error { return directive.One(d, option) }
	}
	return p.ReadBlock(d, providers.Options{
		"project":          into(&p.Project),
		"location":         into(&p.Location),
		"credentials_file": into(&p.CredentialsFile),
		"access_token":     func(d *caddyfile.Dispenser) error { return providers.ReadSecret(d, &p.AccessToken) },
	})
}

// Interface guards
var (
	_ providers.Provider     = (*Vertex)(nil)
	_ providers.Embedder     = (*Vertex)(nil)
	_ providers.TokenCounter = (*Vertex)(nil)
	_ providers.Signer       = (*Vertex)(nil)
	_ providers.Discoverable = (*Vertex)(nil)
	_ caddy.Provisioner      = (*Vertex)(nil)
	_ caddyfile.Unmarshaler  = (*Vertex)(nil)
)
