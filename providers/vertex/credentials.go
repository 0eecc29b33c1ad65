package vertex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync/atomic"

	"cloud.google.com/go/auth"
	googleauth "cloud.google.com/go/auth/credentials"

	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/transform"
)

// scope is what Vertex AI's tokens are good for.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// credentials are where tokens come from.
type credentials struct {
	token   string // one that is given
	tokens  *providers.TokenCache
	project string                 // of the file, if it says
	quota   atomic.Pointer[string] // the project that a user's calls are billed to
}

// resolveCredentials reads the credentials file, if there is one. Application
// default credentials are not looked for yet: that may ask a metadata server.
func (p *Vertex) resolveCredentials() (*credentials, error) {
	token, err := p.ResolveSecret("access_token", p.AccessToken)
	if err != nil || token != "" {
		return &credentials{token: token}, err
	}
	c := new(credentials)
	if p.CredentialsFile == "" {
		c.tokens = providers.NewTokenCache(c.defaultToken())
		return c, nil
	}
	found, err := p.readFile()
	if err != nil {
		return nil, err
	}
	c.project, _ = found.ProjectID(context.Background()) // of a file: nobody is asked
	c.tokens = providers.NewTokenCache(func(ctx context.Context) (providers.Token, error) {
		return c.fetch(ctx, found)
	})
	return c, nil
}

// fileTypes are the kinds of credentials that a file may hold.
var fileTypes = []googleauth.CredType{
	googleauth.ServiceAccount, googleauth.AuthorizedUser, googleauth.ExternalAccount,
	googleauth.ImpersonatedServiceAccount, googleauth.ExternalAccountAuthorizedUser,
}

// readFile reads the credentials file. Errors do not quote it.
func (p *Vertex) readFile() (*auth.Credentials, error) {
	name, err := providers.ResolveText("credentials_file", p.CredentialsFile)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading credentials_file: %w", err)
	}
	var file struct {
		Type googleauth.CredType `json:"type"`
	}
	if json.Unmarshal(data, &file) != nil || !slices.Contains(fileTypes, file.Type) {
		return nil, errors.New("credentials_file does not hold Google credentials: its type must be service_account, authorized_user, external_account, impersonated_service_account or external_account_authorized_user")
	}
	found, err := googleauth.NewCredentialsFromJSON(file.Type, data, options())
	if err != nil {
		return nil, fmt.Errorf("credentials_file of type %s is incomplete or damaged", file.Type)
	}
	return found, nil
}

// options leave the moment of a refresh to the cache.
func options() *googleauth.DetectOptions {
	return &googleauth.DetectOptions{Scopes: []string{scope}, DisableAsyncRefresh: true}
}

// defaultToken finds the application default credentials once it is asked for
// a token, and again as long as it found none.
func (c *credentials) defaultToken() func(context.Context) (providers.Token, error) {
	var found *auth.Credentials // a cache fetches one token at a time
	return func(ctx context.Context) (providers.Token, error) {
		if found == nil {
			var err error
			if found, err = googleauth.DetectDefault(options()); err != nil {
				found = nil
				return providers.Token{}, errors.New("finding application default credentials: there are none, or they cannot be read: write credentials_file, or run gcloud auth application-default login")
			}
		}
		return c.fetch(ctx, found)
	}
}

func (c *credentials) fetch(ctx context.Context, from *auth.Credentials) (providers.Token, error) {
	token, err := from.Token(ctx)
	if err != nil {
		return providers.Token{}, tokenError(err)
	}
	if quota, err := from.QuotaProjectID(ctx); err == nil && quota != "" {
		c.quota.Store(&quota)
	}
	return providers.Token{Value: token.Value, Expires: token.Expiry}, nil
}

// tokenError says why there is no token, without the body of the answer.
func tokenError(err error) error {
	var refused *auth.Error
	if errors.As(err, &refused) && refused.Response != nil {
		return fmt.Errorf("fetching a token of Google: status %d", refused.Response.StatusCode)
	}
	return errors.New("fetching a token of Google: " + transform.Scrub(err.Error()))
}

func (c *credentials) sign(r *http.Request) error {
	if c.token != "" {
		r.Header["Authorization"] = []string{"Bearer " + c.token}
		return nil
	}
	if err := c.tokens.Bearer(r); err != nil {
		return err
	}
	if quota := c.quota.Load(); quota != nil {
		r.Header["X-Goog-User-Project"] = []string{*quota}
	}
	return nil
}
