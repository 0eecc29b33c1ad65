package bedrock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/caddyllm/llmproxy/transform"
)

// service is the name that requests are signed for.
const service = "bedrock"

// Sign sends an API key of Bedrock, or signs the request with AWS's Signature
// Version 4.
func (p *Bedrock) Sign(r *http.Request, body []byte, key string) error {
	if p.keys == nil {
		p.Authorize(r.Header, key)
		return nil
	}
	keys, err := p.keys.Retrieve(r.Context())
	if err != nil {
		// The SDK's errors quote what others answered.
		return errors.New("finding AWS credentials: " + transform.Scrub(shorten(err.Error())))
	}
	return sign(r, body, keys, p.region, time.Now())
}

// maxReason is how much of the reason for missing credentials is kept.
const maxReason = 512

func shorten(reason string) string {
	if len(reason) > maxReason {
		return strings.ToValidUTF8(reason[:maxReason], "") + "…"
	}
	return reason
}

// signer knows that the path is escaped twice in what is signed, as AWS wants it
// of all services but S3. It keeps derived keys and is safe for many goroutines.
var signer = v4.NewSigner()

// sign signs what must be signed: the host, the length and the type of the body,
// and fields of Amazon's own. Whatever stands between may change the rest.
func sign(r *http.Request, body []byte, keys aws.Credentials, region string, now time.Time) error {
	hash := sha256.Sum256(body)
	u := *r.URL // the signer rewrites the query
	signed := &http.Request{Method: r.Method, URL: &u, Host: r.Host, Header: make(http.Header), ContentLength: r.ContentLength}
	for name, values := range r.Header {
		if name == "Content-Type" || strings.HasPrefix(name, "X-Amz") {
			signed.Header[name] = values
		}
	}
	if err := signer.SignHTTP(r.Context(), keys, signed, hex.EncodeToString(hash[:]), service, region, now); err != nil {
		return errors.New("signing the request failed")
	}
	for _, name := range [...]string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		if values := signed.Header[name]; values != nil {
			r.Header[name] = values
		}
	}
	return nil
}

// credentialSource gives credentials that are good for now.
type credentialSource interface {
	Retrieve(ctx context.Context) (aws.Credentials, error)
}

// accessKey is a credential that does not change.
func accessKey(id, secret, token string) credentialSource {
	return credentials.NewStaticCredentialsProvider(id, secret, token)
}

// chain is the AWS SDK's search for credentials. It begins with the first
// request: it may ask the network.
type chain struct {
	profile, region string

	mu    sync.Mutex
	found aws.CredentialsProvider
}

// Retrieve returns credentials that are cached until shortly before they expire.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	source, err := c.source(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return source.Retrieve(ctx)
}

func (c *chain) source(ctx context.Context) (aws.CredentialsProvider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found != nil {
		return c.found, nil
	}
	options := []func(*config.LoadOptions) error{
		config.WithRegion(c.region),
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow }),
	}
	if c.profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	if loaded.Credentials == nil {
		return nil, errors.New("there are none")
	}
	c.found = loaded.Credentials // LoadDefaultConfig has wrapped them in a cache
	return c.found, nil
}

// expiryWindow is how long before their end credentials are replaced.
const expiryWindow = 2 * time.Minute

// profileRegion is the region in AWS's shared files, empty if there is none.
func profileRegion(profile string) string {
	if profile == "" {
		profile = env("AWS_PROFILE")
	}
	if profile == "" {
		profile = config.DefaultSharedConfigProfile
	}
	shared, err := config.LoadSharedConfigProfile(context.Background(), profile, func(o *config.LoadSharedConfigOptions) {
		if file := env("AWS_CONFIG_FILE"); file != "" {
			o.ConfigFiles = []string{file}
		}
		if file := env("AWS_SHARED_CREDENTIALS_FILE"); file != "" {
			o.CredentialsFiles = []string{file}
		}
	})
	if err != nil {
		return ""
	}
	return shared.Region
}
