package llmproxy

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/limits"
)

// maxSecrets is how many secrets of a key are live at once: an old one and a new one.
const maxSecrets = 2

// setSecret takes what a config's author wrote: a digest, a placeholder, or a
// literal secret, of which only the digest is kept.
func (k *Key) setSecret(text string) error {
	switch {
	case auth.IsDigest(text):
		if _, err := auth.ParseDigest(text); err != nil {
			return err
		}
		k.Digest = append(k.Digest, text)
	case isPlaceholder(text):
		k.Secret = append(k.Secret, text)
	default:
		if err := auth.CheckSecret(text); err != nil {
			return fmt.Errorf("the secret %w", err)
		}
		k.Digest = append(k.Digest, auth.DigestOf(text).String())
	}
	return nil
}

// digestSecrets keeps no literal secret longer than it takes to make its digest.
func (k *Key) digestSecrets() error {
	secrets := k.Secret
	k.Secret = nil
	for _, text := range secrets {
		if err := k.setSecret(text); err != nil {
			return err
		}
	}
	return nil
}

// isPlaceholder tells {env.X} and {file./x} from text.
func isPlaceholder(text string) bool {
	return strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}")
}

// resolve makes the key that requests are compared with.
func (k *Key) resolve(repl *caddy.Replacer, id string) (key auth.Key, err error) {
	key = auth.Key{ID: id, Group: k.Group}
	if key.Rights, _, err = k.Rights.resolve(quota.Single); err != nil {
		return key, err
	}
	for _, text := range k.Digest {
		digest, err := auth.ParseDigest(text)
		if err != nil {
			return key, err
		}
		key.Digests = append(key.Digests, digest)
	}
	for _, text := range k.Secret {
		digest, err := resolveSecret(repl, text)
		if err != nil {
			return key, err
		}
		key.Digests = append(key.Digests, digest)
	}
	return key, nil
}

func resolveSecret(repl *caddy.Replacer, text string) (digest auth.Digest, err error) {
	if !isPlaceholder(text) {
		return digest, fmt.Errorf("the secret is literal: write digest %q instead, or a placeholder such as {env.APP_KEY}", auth.DigestOf(text))
	}
	secret, err := repl.ReplaceOrErr(text, true, true)
	if err != nil {
		return digest, fmt.Errorf("resolving the secret: %w", err)
	}
	secret = strings.TrimSpace(secret)
	if err := auth.CheckSecret(secret); err != nil {
		return digest, fmt.Errorf("the secret that %s stands for %w", text, err)
	}
	return auth.DigestOf(secret), nil
}

// resolve also tells what each key of a group may use.
func (r *Rights) resolve(at quota.Place) (rights auth.Rights, perKey *limits.Rules, err error) {
	rights = auth.Rights{Models: r.Models, Disabled: r.Disabled, Metadata: r.Metadata}
	if rights.Limits, perKey, err = r.Limits.Rules(at); err != nil {
		return rights, nil, err
	}
	if rights.NotBefore, err = parseDate(r.NotBefore); err != nil {
		return rights, nil, fmt.Errorf("not_before: %w", err)
	}
	if rights.Expires, err = parseDate(r.Expires); err != nil {
		return rights, nil, fmt.Errorf("expires: %w", err)
	}
	return rights, perKey, nil
}

// parseDate reads a day, which begins at midnight UTC, or a time. Nothing is no date.
func parseDate(text string) (t time.Time, err error) {
	if text == "" {
		return t, nil
	}
	if t, err = time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return t, fmt.Errorf("%q is not a date such as 2030-12-31, or a time such as 2030-12-31T18:00:00Z", text)
}

// metadataName is what names of metadata are made of: they become placeholders.
var metadataName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

const maxMetadata = 1 << 10

func checkMetadata(name, value string) error {
	switch {
	case !metadataName.MatchString(name):
		return fmt.Errorf("metadata: %q is no name: letters, digits, _, . and - make one", name)
	case name == "id":
		return errors.New("metadata: id is the key's own: take another name")
	case len(value) > maxMetadata:
		return fmt.Errorf("metadata: %s is longer than %d characters", name, maxMetadata)
	}
	return nil
}

// check finds what can be wrong without resolving anything.
func (r *Rights) check(at quota.Place) error {
	if r.Models != nil && len(r.Models) == 0 {
		return errors.New("models is empty: name some, or leave it out for all")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Metadata)) {
		if err := checkMetadata(name, r.Metadata[name]); err != nil {
			return err
		}
	}
	rights, _, err := r.resolve(at)
	if err == nil && !rights.Expires.IsZero() && !rights.NotBefore.Before(rights.Expires) {
		err = errors.New("expires is not after not_before")
	}
	return err
}

// validKeyID refuses what is a secret or a digest in the place of an id.
func validKeyID(id string) bool {
	return id != "" && len(id) <= maxKeyID && !auth.IsSecret(id) && !auth.IsDigest(id)
}

const maxKeyID = 128

func (k *Key) check() error {
	if n := len(k.Digest) + len(k.Secret); n > maxSecrets {
		return fmt.Errorf("has %d secrets: %d can be live, the old one and the new one", n, maxSecrets)
	}
	for _, text := range k.Secret {
		if text == "" {
			return errors.New("the secret is empty")
		}
	}
	for _, text := range k.Digest {
		if _, err := auth.ParseDigest(text); err != nil {
			return err
		}
	}
	return k.Rights.check(quota.Single)
}

// checkKeys checks what a place says of keys and groups. Errors name the place.
// Keys without a secret need others who identify callers.
func checkKeys(pointer string, keys map[string]*Key, groups map[string]*Group, others bool) error {
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		err := errors.New("is null")
		if groups[id] != nil {
			err = groups[id].check(quota.Members)
		}
		if err != nil {
			return &placedError{pointer + "/groups/" + escapePointer(id) + pointerOf(err), fmt.Errorf("group %q: %w", id, err)}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		if !validKeyID(id) {
			return &placedError{pointer + "/keys", errors.New("the id of a key is shown in logs: it must be short and no secret")}
		}
		err := errNoSecret
		if key := keys[id]; key != nil && (others || len(key.Digest)+len(key.Secret) > 0) {
			err = key.check()
		}
		if err != nil {
			return &placedError{pointer + "/keys/" + escapePointer(id) + pointerOf(err), fmt.Errorf("key %q: %w", id, err)}
		}
	}
	return nil
}

var errNoSecret = errors.New("has neither digest nor secret")
