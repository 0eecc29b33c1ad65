package providers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// EntraID is an application of Microsoft Entra ID that may use a resource, in
// place of a key. Its token is fetched by the first request that needs it.
type EntraID struct {
	// The directory of the application.
	TenantID string `json:"tenant_id,omitempty"`

	// The application's id.
	ClientID string `json:"client_id,omitempty"`

	// The application's secret. Placeholders are resolved as those of api_key.
	ClientSecret string `json:"client_secret,omitempty"`
}

// entraScope is what a token for Azure OpenAI is good for.
const entraScope = "https://cognitiveservices.azure.com/.default"

func (e *EntraID) configured() bool {
	return e.TenantID != "" || e.ClientID != "" || e.ClientSecret != ""
}

// tokens resolves the options. It asks nobody yet.
func (e *EntraID) tokens(s *Settings) (*TokenCache, error) {
	tenant, err := ResolveText("tenant_id", e.TenantID)
	if err != nil {
		return nil, err
	}
	id, err := ResolveText("client_id", e.ClientID)
	if err != nil {
		return nil, err
	}
	secret, err := s.ResolveSecret("client_secret", e.ClientSecret)
	if err != nil {
		return nil, err
	}
	if tenant == "" || id == "" || secret == "" {
		return nil, errors.New("an application needs all of tenant_id, client_id and client_secret")
	}
	config := &clientcredentials.Config{
		ClientID: id, ClientSecret: secret, Scopes: []string{entraScope},
		TokenURL:  authority() + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token",
		AuthStyle: oauth2.AuthStyleInParams,
	}
	return NewTokenCache(func(ctx context.Context) (Token, error) {
		token, err := config.Token(ctx)
		if err != nil {
			return Token{}, entraError(err)
		}
		return Token{Value: token.AccessToken, Expires: token.Expiry}, nil
	}), nil
}

// authority is who issues tokens: the clouds of some countries have their own,
// in the variable that Azure's SDKs read.
func authority() string {
	if host := strings.TrimRight(strings.TrimSpace(os.Getenv("AZURE_AUTHORITY_HOST")), "/"); host != "" {
		return host
	}
	return "https://login.microsoftonline.com"
}

// entraError says why there is no token, without the body of the answer.
func entraError(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil {
		return fmt.Errorf("fetching a token of Entra ID: status %d, %.64q", refused.Response.StatusCode, refused.ErrorCode)
	}
	return fmt.Errorf("fetching a token of Entra ID: %w", err)
}
