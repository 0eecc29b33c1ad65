package llmproxy

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/providers"
)

// stateKey tells stores apart. It holds no address, which may have a password.
type stateKey struct {
	store  string
	where  [sha256.Size]byte
	prefix string
	// instances, cluster and timeout are of the client that is made.
	instances int64
	cluster   bool
	timeout   time.Duration
}

// counters are where use is counted, over all configs that count there. They are made
// when a config is built, and opened when it comes into use: a config that is only looked
// at touches no file and no network.
type counters struct {
	open  func() (limits.Store, error)
	ready chan struct{} // closed once they are open

	mu      sync.Mutex
	limiter *limits.Limiter
	closed  bool
	// away is what was logged last of the store.
	away atomic.Bool
}

// openingTime is how long a call waits for counters that are not open yet, which is so
// for a moment while Caddy starts.
const openingTime = 5 * time.Second

// get is the limiter, nil if it is not there in time.
func (s *counters) get(ctx context.Context) *limits.Limiter {
	select {
	case <-s.ready:
		return s.limiter
	default:
	}
	timer := time.NewTimer(openingTime)
	defer timer.Stop()
	select {
	case <-s.ready:
		return s.limiter
	case <-ctx.Done():
	case <-timer.C:
	}
	return nil
}

// use opens the counters, unless they are.
func (s *counters) use() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limiter != nil || s.closed {
		return nil
	}
	store, err := s.open()
	if err != nil {
		return err
	}
	s.limiter = limits.NewLimiter(store)
	close(s.ready)
	return nil
}

// tellIfAway logs that the store cannot be reached, or can again.
func (s *counters) tellIfAway(logger *zap.Logger) {
	limiter := s.opened()
	if limiter == nil {
		return
	}
	away := limiter.Degraded()
	switch {
	case s.away.Swap(away) == away:
	case away:
		logger.Error("the store of limits cannot be reached, each instance keeps to its part meanwhile: check state")
	default:
		logger.Info("the store of limits can be reached again")
	}
}

// opened is the limiter, nil if nothing is open.
func (s *counters) opened() *limits.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limiter
}

// Destruct writes what is to be kept.
func (s *counters) Destruct() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.limiter == nil {
		return nil
	}
	return s.limiter.Close()
}

// eachCounters visits all that are open in the process.
func eachCounters(visit func(*limits.Limiter)) {
	sharedState.Range(func(_, value any) bool {
		if s, ok := value.(*counters); ok {
			if limiter := s.opened(); limiter != nil {
				visit(limiter)
			}
		}
		return true
	})
}

// closeCounters writes what is to be kept, when the process ends.
func closeCounters() {
	eachCounters(func(l *limits.Limiter) {
		if err := l.Close(); err != nil {
			caddy.Log().Named(appName).Error("what callers used could not be written", zap.Error(err))
		}
	})
}

// stateFile is where counts are kept that must outlast a restart, if nothing else is said.
func stateFile() string { return filepath.Join(caddy.AppDataDir(), appName, "limits.db") }

// counters are those that a config counts in.
func (g *generation) counters(s *State) (*counters, error) {
	if s == nil {
		s = new(State)
	}
	var key stateKey
	var open func() (limits.Store, error)
	if s.Store == storeRedis {
		options, err := s.redis()
		if err != nil {
			return nil, &placedError{"/state", fmt.Errorf("state: %w", err)}
		}
		key = stateKey{storeRedis, sha256.Sum256([]byte(options.URL)), options.Prefix, options.Instances, options.Cluster, options.Patience}
		open = func() (limits.Store, error) { return limits.NewRedis(options) }
	} else {
		file := s.File
		if file == "" {
			file = stateFile()
		}
		key = stateKey{store: storeMemory, where: sha256.Sum256([]byte(file))}
		open = func() (limits.Store, error) { return openMemory(file) }
	}
	found, _, err := sharedState.LoadOrNew(key, func() (caddy.Destructor, error) {
		return &counters{open: open, ready: make(chan struct{})}, nil
	})
	if err != nil {
		return nil, err
	}
	g.shared = append(g.shared, key)
	return found.(*counters), nil
}

func openMemory(file string) (limits.Store, error) {
	if file == fileOff {
		return limits.NewMemory(limits.MemoryOptions{})
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the state file: %w", err)
	}
	store, err := limits.NewMemory(limits.MemoryOptions{File: file})
	if err != nil {
		return nil, fmt.Errorf("%w: each process needs one of its own, say it with \"state memory { file … }\"", err)
	}
	return store, nil
}

// quotas makes what the config holds callers, models and providers to; nil if that is
// nothing. place is the handler's.
func (g *generation) quotas(cfg *Config, at handlerPlace, who *authority, upstreams []*providers.Upstream) (*gateway.Quotas, error) {
	own, _, err := cfg.Limits.Rules(quota.Single)
	if err != nil {
		return nil, &placedError{pointerOf(err), err}
	}
	q := new(gateway.Quotas)
	if own != nil && len(own.Limits) > 0 { // a queue alone is the gateway's
		q.Handler = own.Quota(limits.ScopeHandler, "", at.name)
	}
	for _, u := range upstreams {
		if found := upstreamQuotas(u); found != nil {
			if q.Upstreams == nil {
				q.Upstreams = make(map[*providers.Upstream]*gateway.UpstreamQuotas)
			}
			q.Upstreams[u] = found
		}
	}
	limited := q.Handler != nil || q.Upstreams != nil || who.limits()
	for _, models := range cfg.Models {
		for _, m := range models {
			limited = limited || m.Limits != nil
		}
	}
	if !limited {
		return nil, nil
	}
	if g.counted, err = g.counters(cfg.State); err != nil {
		return nil, err
	}
	q.Limiter = g.counted.get
	return q, nil
}

// limits tells whether callers may be limited, now or after an edit of the key file.
func (w *authority) limits() bool {
	if w.config.KeysFile != "" {
		return true
	}
	for _, key := range w.config.Keys {
		if key.Limits != nil {
			return true
		}
	}
	for _, group := range w.config.Groups {
		if group.Limits != nil {
			return true
		}
	}
	return false
}

// upstreamQuotas are those of a provider, under the same name as what else is known of it.
func upstreamQuotas(u *providers.Upstream) *gateway.UpstreamQuotas {
	all, perKey := u.Base().Rules()
	if all == nil && perKey == nil {
		return nil
	}
	place := u.Type() + " " + u.Base().Origin().String()
	q := &gateway.UpstreamQuotas{All: all.Quota(limits.ScopeProvider, place, u.Name)}
	if all != nil {
		q.Wait, q.Length = all.Wait, all.Length
	}
	if perKey != nil {
		for _, print := range u.Base().Fingerprints() {
			q.Keys = append(q.Keys, perKey.Quota(limits.ScopeProviderKey, place+" "+u.Name, keyName(u, print)))
		}
	}
	return q
}

// keyName names a provider's key without showing it.
func keyName(u *providers.Upstream, print providers.Fingerprint) string {
	return fmt.Sprintf("%s/%x", u.Name, print[:4])
}

// errSwitch is a caller that nobody can switch off.
var errSwitch = errors.New("there is no such key")

// switchKey switches callers of an id off or on, wherever they may call, and counts the
// places.
func (a *App) switchKey(id string, off bool) (places int, err error) {
	a.eachAuthority(func(_ string, who *auth.Authenticator) {
		if who.CanSwitch(id) {
			err = errors.Join(err, who.Switch(id, off))
			places++
		}
	})
	if places == 0 {
		return 0, errSwitch
	}
	return places, err
}

// eachAuthority visits who says who may call: for all sites, then for single ones.
func (a *App) eachAuthority(visit func(server string, who *auth.Authenticator)) {
	if who := a.authority.Load(); who != nil {
		visit("", who.Authenticator)
	}
	for _, h := range a.list() {
		if g := h.acquire(); g != nil {
			if g.own != nil {
				visit(h.serverName(), g.own.Authenticator)
			}
			g.release()
		}
	}
}
