package llmproxy

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/cache"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/quota"
)

// authority is one built Auth: it says who may call. Its files are watched, and
// an edit of theirs replaces its keys under the requests that use it.
type authority struct {
	*auth.Authenticator
	config *Auth
	place  string
	keys   *keyFile // nil: there is none
	tokens *auth.KeySet
	// keysWatched and tokensWatched are what is known of the two files.
	keysWatched, tokensWatched watchedFile
	// surface is what llm_auth acts on; the zero value where sites differ.
	surface gateway.Surface
	// shared are the keys of what outlives this in the pool.
	shared []any
}

var errNoAuth = errors.New("nothing says who may call: write \"auth anonymous\" to let everybody in, or \"auth { key <id> <secret> }\" for clients with keys")

// says tells whether anybody at all may call.
func (a *Auth) says() bool {
	return a != nil && (a.Anonymous || a.Caddy != "" || len(a.Keys) > 0 || a.KeysFile != "" || a.JWT != nil)
}

// others tells whether callers are identified by other means than keys.
func (a *Auth) others() bool { return a.Caddy != "" || a.JWT != nil }

// check finds what can be wrong without reading files or resolving placeholders.
func (a *Auth) check(pointer string) error {
	if a == nil {
		return nil
	}
	if err := checkKeys(pointer, a.Keys, a.Groups, a.others()); err != nil {
		return err
	}
	if err := checkIdentity(a.Caddy); a.Caddy != "" && err != nil {
		return &placedError{pointer + "/caddy", err}
	}
	if a.JWT != nil {
		if err := a.JWT.check(); err != nil {
			return &placedError{pointer + "/jwt", fmt.Errorf("jwt: %w", err)}
		}
	}
	return nil
}

// checkIdentity sees to it that an identity is one placeholder of the request.
func checkIdentity(text string) error {
	name, ok := strings.CutPrefix(text, "{http.")
	if !ok || strings.IndexByte(name, '}') != len(name)-1 || strings.Contains(name, "{") || len(name) < 2 {
		return fmt.Errorf("caddy takes one placeholder of the request, such as {%s} or {http.request.header.X-User}", userPlaceholder)
	}
	return nil
}

// newAuthority resolves who may call. It reads files, but asks no network.
//
// place is where the keys stand: nowhere in particular if all sites share them.
func newAuthority(a *Auth, place string) (*authority, error) {
	if !a.says() {
		return nil, &placedError{"/auth", fmt.Errorf("auth: %w", errNoAuth)}
	}
	who := &authority{config: a, place: place}
	if err := who.open(); err != nil {
		who.release()
		return nil, err
	}
	return who, nil
}

func (w *authority) open() (err error) {
	a := w.config
	settings := auth.Settings{Anonymous: a.Anonymous, Keyed: a.KeysFile != "", Place: w.place, Off: w.switches()}
	for _, text := range a.Origins {
		origin, err := auth.ParseOrigin(text)
		if err != nil {
			return &placedError{"/auth/origins", err}
		}
		settings.Origins = append(settings.Origins, origin)
	}
	if a.Caddy != "" {
		settings.Identity = identityOf(strings.Trim(a.Caddy, "{}"))
	}
	if a.JWT != nil {
		if settings.Tokens, err = w.newTokens(a.JWT); err != nil {
			return &placedError{"/auth/jwt", fmt.Errorf("auth: jwt: %w", err)}
		}
	}
	if a.KeysFile != "" {
		if w.keys, err = w.readKeyFile(); err != nil {
			return fmt.Errorf("auth: keys_file: %w", err)
		}
		w.keysWatched.digest = w.keys.digest
	}
	if settings.Keys, settings.Groups, err = w.resolve(w.keys); err != nil {
		return err
	}
	if w.Authenticator, err = auth.New(settings); err != nil {
		return w.locate(w.keys, err)
	}
	return nil
}

// resolve makes the keys and groups that the config and a file say.
func (w *authority) resolve(file *keyFile) (keys []auth.Key, groups []auth.Group, err error) {
	repl := caddy.NewReplacer()
	if keys, groups, err = resolveKeys(repl, "/auth", w.config.Keys, w.config.Groups); err != nil || file == nil {
		return keys, groups, err
	}
	moreKeys, moreGroups, err := resolveKeys(repl, "", file.Keys, file.Groups)
	if err != nil {
		return nil, nil, file.locate(err)
	}
	return slices.Concat(keys, moreKeys), slices.Concat(groups, moreGroups), nil
}

func resolveKeys(repl *caddy.Replacer, pointer string, keys map[string]*Key, groups map[string]*Group) ([]auth.Key, []auth.Group, error) {
	resolvedKeys, resolvedGroups := make([]auth.Key, 0, len(keys)), make([]auth.Group, 0, len(groups))
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		rights, perKey, err := groups[id].resolve(quota.Members)
		if err != nil {
			return nil, nil, &placedError{pointer + "/groups/" + escapePointer(id), fmt.Errorf("auth: group %q: %w", id, err)}
		}
		resolvedGroups = append(resolvedGroups, auth.Group{ID: id, Rights: rights, PerKey: perKey})
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		key, err := keys[id].resolve(repl, id)
		if err != nil {
			return nil, nil, &placedError{pointer + "/keys/" + escapePointer(id), fmt.Errorf("auth: key %q: %w", id, err)}
		}
		resolvedKeys = append(resolvedKeys, key)
	}
	return resolvedKeys, resolvedGroups, nil
}

// locate finds the place of a mistake that only all keys together have: in the
// file if the key is there, else in the config.
func (w *authority) locate(file *keyFile, err error) error {
	var wrong *auth.KeyError
	if !errors.As(err, &wrong) {
		return &placedError{"/auth", fmt.Errorf("auth: %w", err)}
	}
	pointer := "/keys/" + escapePointer(wrong.ID)
	if file != nil && file.Keys[wrong.ID] != nil {
		return file.at(pointer, err)
	}
	return &placedError{"/auth" + pointer, fmt.Errorf("auth: %w", err)}
}

// identityOf reads a placeholder. What it stands for is never expanded again.
func identityOf(placeholder string) func(*http.Request) string {
	return func(r *http.Request) string {
		repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		if !ok {
			return ""
		}
		id, _ := repl.GetString(placeholder)
		return id
	}
}

// release gives up what is shared with other configs.
func (w *authority) release() {
	if w == nil {
		return
	}
	for _, key := range w.shared {
		_, _ = sharedState.Delete(key)
	}
	w.shared = nil
}

// switchesKey is of the callers that are switched off, at a place of keys.
type switchesKey struct{ place string }

func (w *authority) switches() *auth.Switches {
	key := switchesKey{w.place}
	off, _, _ := sharedState.LoadOrNew(key, func() (caddy.Destructor, error) { return new(auth.Switches), nil })
	w.shared = append(w.shared, key)
	return off.(*auth.Switches)
}

// reload looks at the files and puts into use what has changed.
func (w *authority) reload(logger *zap.Logger) {
	if w.config.KeysFile != "" {
		w.keysWatched.reload(logger, "key file", w.config.KeysFile, w.useKeys)
	}
	if w.config.JWT != nil && !w.config.JWT.fetched() {
		w.tokensWatched.reload(logger, "key set", w.config.JWT.JWKS, w.tokens.Replace)
	}
}

func (w *authority) useKeys(text []byte) error {
	file, err := parseKeyFile(w.config.KeysFile, text, w.config.others())
	if err != nil {
		return err
	}
	keys, groups, err := w.resolve(file)
	if err != nil {
		return err
	}
	if err := w.Replace(keys, groups); err != nil {
		return w.locate(file, err)
	}
	w.keys = file
	return nil
}

// What is remembered of tokens: how many, and for how long a key that its issuer
// has withdrawn still counts.
const (
	maxKnownTokens = 10_000
	knownTokenTTL  = time.Minute
)

// fetched tells an address from a file.
func (j *JWT) fetched() bool { return strings.Contains(j.JWKS, "://") }

func (j *JWT) check() error {
	switch {
	case j.JWKS == "":
		return errors.New("says no jwks: name the address or the file of the issuer's keys")
	case j.Issuer == "":
		return errors.New("says no issuer: without it, tokens of another issuer with the same keys would be good")
	case len(j.Audience) == 0 || slices.Contains(j.Audience, ""):
		return errors.New("says no audience: without it, tokens that were meant for others would be good")
	case j.fetched():
		if err := auth.ParseKeySetAddress(j.JWKS); err != nil {
			return fmt.Errorf("jwks %w", err)
		}
	}
	return nil
}

type keySetKey struct{ address string }

func (w *authority) newTokens(j *JWT) (*auth.Tokens, error) {
	tokens := &auth.Tokens{
		Issuer: j.Issuer, Audience: j.Audience, KeyClaim: j.KeyClaim, ModelsClaim: j.ModelsClaim, GroupClaim: j.GroupClaim,
		Known: cache.NewShortLived[*auth.Claims](maxKnownTokens, knownTokenTTL, nil),
	}
	if tokens.KeyClaim == "" {
		tokens.KeyClaim = "sub"
	}
	if err := w.openKeySet(j); err != nil {
		return nil, err
	}
	tokens.Keys = w.tokens
	return tokens, nil
}

func (w *authority) openKeySet(j *JWT) error {
	if j.fetched() {
		key := keySetKey{j.JWKS}
		set, _, err := sharedState.LoadOrNew(key, func() (caddy.Destructor, error) {
			return auth.FetchedKeySet(j.JWKS, func(err error) {
				address, _, _ := strings.Cut(j.JWKS, "?") // what follows may be a secret
				sampled(caddy.Log().Named(appName)).Error("fetching an issuer's keys failed, the last good ones stay in use for a day", zap.String("jwks", address), zap.Error(err))
			}), nil
		})
		if err != nil {
			return err
		}
		w.shared, w.tokens = append(w.shared, key), set.(*auth.KeySet)
		return nil
	}
	text, digest, err := w.tokensWatched.changed(j.JWKS)
	if err != nil {
		return fmt.Errorf("reading the key set: %w", err)
	}
	if w.tokens, err = auth.GivenKeySet(text); err != nil {
		return fmt.Errorf("%s: %w", j.JWKS, err)
	}
	w.tokensWatched.digest = digest
	return nil
}
