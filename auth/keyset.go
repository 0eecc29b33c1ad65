package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
)

// How a key set is kept.
const (
	maxKeySet = 256 << 10
	// refreshAfter is the age at which a key set is fetched anew, by the way.
	refreshAfter = 15 * time.Minute
	// leastBetween is the least time between two fetches, whatever tokens say.
	leastBetween = 30 * time.Second
	// keptFor is how long the last good one serves while none can be fetched.
	keptFor = 24 * time.Hour
	// patience is how long a request waits for a fetch.
	patience     = 2 * time.Second
	fetchTimeout = 10 * time.Second
	leastRSA     = 2048 // bits
)

// KeySet is an issuer's public keys (RFC 7517), from a text or from an address
// that is asked when a token comes, never before.
type KeySet struct {
	address string
	client  *http.Client
	failed  func(error) // is told of fetches that failed
	// fetches ends when the key set is closed.
	fetches context.Context
	close   context.CancelFunc

	mu    sync.Mutex
	keys  []publicKey
	good  time.Time     // when keys came; zero: there are none
	tried time.Time     // when the last fetch began
	now   chan struct{} // closed at the end of the fetch that is under way; nil: none is
}

// publicKey is a key and the algorithms that it verifies (RFC 8725, 3.1).
type publicKey struct {
	id         string
	algorithms []string
	key        any
}

// ParseKeySetAddress checks where keys are to be fetched: from https, or from
// this machine.
func ParseKeySetAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("is no address of a key set: write it like https://issuer.example/.well-known/jwks.json")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	default:
		return errors.New("must be https: whoever can change the keys on the way can let in anybody")
	}
	return nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// FetchedKeySet is a key set at an address that [ParseKeySetAddress] accepts.
// It tells failed of every fetch that fails.
func FetchedKeySet(address string, failed func(error)) *KeySet {
	s := &KeySet{address: address, failed: failed, client: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		Timeout:   fetchTimeout,
		// A redirect could lead anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.fetches, s.close = context.WithCancel(context.Background())
	return s
}

// GivenKeySet is a key set that is known; only Replace changes it.
func GivenKeySet(text []byte) (*KeySet, error) {
	s := new(KeySet)
	return s, s.Replace(text)
}

// Replace takes other keys, or none if the text is no key set.
func (s *KeySet) Replace(text []byte) error {
	keys, err := parseKeySet(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.good = keys, time.Now()
	return nil
}

// Destruct ends the fetch that may be under way.
func (s *KeySet) Destruct() error {
	if s.close != nil {
		s.close()
	}
	return nil
}

// find is the key of a token: the one of its id, or the only one if it names
// none. It may wait for a fetch, a little.
func (s *KeySet) find(ctx context.Context, id, algorithm string) (any, error) {
	key, usable, fetch := s.look(id, algorithm)
	if key != nil {
		return key, nil
	}
	if fetch != nil {
		timeout := time.NewTimer(patience)
		defer timeout.Stop()
		select {
		case <-fetch:
		case <-timeout.C:
		case <-ctx.Done():
		}
		if key, usable, _ = s.look(id, algorithm); key != nil {
			return key, nil
		}
	}
	if !usable {
		return nil, ErrUnavailable
	}
	return nil, ErrInvalidKey
}

// look finds a key among those that there are, and sees to it that there will be
// newer ones if these are old or lack it.
func (s *KeySet) look(id, algorithm string) (key any, usable bool, fetch <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	usable = !s.good.IsZero() && (s.client == nil || now.Sub(s.good) < keptFor)
	if usable {
		key = choose(s.keys, id, algorithm)
	}
	if s.client == nil {
		return key, usable, nil
	}
	wanted := key == nil || now.Sub(s.good) > refreshAfter
	if wanted && s.now == nil && (s.tried.IsZero() || now.Sub(s.tried) >= leastBetween) {
		s.tried, s.now = now, make(chan struct{})
		go s.refresh()
	}
	return key, usable, s.now
}

// refresh fetches the keys. Those that there are stay if that fails.
func (s *KeySet) refresh() {
	text, err := s.fetch()
	var keys []publicKey
	if err == nil {
		keys, err = parseKeySet(text)
	}
	if err != nil && s.fetches.Err() == nil {
		s.failed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.keys, s.good = keys, time.Now()
	}
	close(s.now)
	s.now = nil
}

func (s *KeySet) fetch() ([]byte, error) {
	request, err := http.NewRequestWithContext(s.fetches, http.MethodGet, s.address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the address, whose query may be a secret
		}
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
}

// choose is the key for a token. Ids are compared and nothing else.
func choose(keys []publicKey, id, algorithm string) any {
	if id == "" && len(keys) != 1 {
		return nil
	}
	for i := range keys {
		if (id == "" || keys[i].id == id) && slices.Contains(keys[i].algorithms, algorithm) {
			return keys[i].key
		}
	}
	return nil
}

// parseKeySet reads the keys that can verify tokens. Others, which issuers have
// for other purposes, are left out.
func parseKeySet(text []byte) ([]publicKey, error) {
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("the key set is no JSON object with a list of keys")
	}
	var keys []publicKey
	for _, raw := range set.Keys {
		if key, ok := parsePublicKey(raw); ok {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that can verify tokens")
	}
	return keys, nil
}

func parsePublicKey(raw json.RawMessage) (publicKey, bool) {
	var said jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &said); err != nil {
		return publicKey{}, false
	}
	if said.USE != "" && said.USE != jwkset.UseSig || said.KEYOPS != nil && !slices.Contains(said.KEYOPS, jwkset.KeyOpsVerify) || len(said.KID) > maxKeyID {
		return publicKey{}, false
	}
	// Only the key itself is read: no certificates, no private parts.
	bare := jwkset.JWKMarshal{KTY: said.KTY, CRV: said.CRV, X: said.X, Y: said.Y, N: said.N, E: said.E}
	parsed, err := jwkset.NewJWKFromMarshal(bare, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return publicKey{}, false
	}
	key := publicKey{id: said.KID, key: parsed.Key(), algorithms: algorithmsOf(parsed.Key())}
	if algorithm := said.ALG.String(); algorithm != "" {
		if !slices.Contains(key.algorithms, algorithm) {
			return publicKey{}, false
		}
		key.algorithms = []string{algorithm}
	}
	return key, len(key.algorithms) > 0
}

// algorithmsOf are the algorithms for which a key is made.
func algorithmsOf(key any) []string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= leastRSA {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch key.Curve.Params().BitSize {
		case 256:
			return []string{"ES256"}
		case 384:
			return []string{"ES384"}
		case 521:
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
