package llmproxy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/auth"
)

// minSecret is the shortest secret that is accepted: a guessable key is none.
const minSecret = 8

// setSecret takes what a config's author wrote: a digest, a placeholder, or a
// literal secret, of which only the digest is kept.
func (k *Key) setSecret(text string) error {
	switch {
	case auth.IsDigest(text):
		k.Digest = text
		_, err := auth.ParseDigest(text)
		return err
	case isPlaceholder(text):
		k.Secret = text
	case len(text) < minSecret:
		return fmt.Errorf("the secret is shorter than %d characters", minSecret)
	default:
		k.Digest = auth.DigestOf(text).String()
	}
	return nil
}

// isPlaceholder tells {env.X} and {file./x} from text.
func isPlaceholder(text string) bool {
	return strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}")
}

// resolve makes the key that requests are compared with.
func (k *Key) resolve(repl *caddy.Replacer, id string) (auth.Key, error) {
	if k == nil || k.Digest == "" && k.Secret == "" {
		return auth.Key{}, errors.New("has neither digest nor secret")
	}
	if k.Digest != "" && k.Secret != "" {
		return auth.Key{}, errors.New("has both digest and secret: keep one")
	}
	key := auth.Key{ID: id, Models: k.Models}
	var err error
	if k.Digest != "" {
		key.Digest, err = auth.ParseDigest(k.Digest)
		return key, err
	}
	if !isPlaceholder(k.Secret) {
		return key, fmt.Errorf("the secret is literal: write digest %q instead, or a placeholder such as {env.APP_KEY}", auth.DigestOf(k.Secret))
	}
	secret, err := repl.ReplaceOrErr(k.Secret, true, true)
	if err != nil {
		return key, fmt.Errorf("resolving the secret: %w", err)
	}
	secret = strings.TrimSpace(secret)
	if len(secret) < minSecret {
		return key, fmt.Errorf("the secret that %s stands for is shorter than %d characters", k.Secret, minSecret)
	}
	key.Digest = auth.DigestOf(secret)
	return key, nil
}
