package llmproxy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddyllm/llmproxy/cache/answers"
	"github.com/caddyllm/llmproxy/gateway"
	"github.com/caddyllm/llmproxy/providers"
)

// cacheKey tells caches apart: what is kept in the same place is one.
type cacheKey struct {
	store, url string
	secret     [sha256.Size]byte
}

// pooledCache is what is kept, and the calls under way that others follow. It
// outlives configs.
type pooledCache struct {
	answers.Store
	flights *answers.Flights
}

// Destruct lets the pool close the store.
func (p *pooledCache) Destruct() error { return p.Close() }

// cache is the gateway's part of the cache that the config names; nil: none.
func (g *generation) cache(c *Config, logger *zap.Logger) (*gateway.Cache, error) {
	if c.Cache.off() {
		for name, models := range c.Models {
			for _, m := range models {
				if m.Cache != nil && !m.Cache.Off {
					return nil, &placedError{"/models/" + escapePointer(name), fmt.Errorf("model %q: cache on needs a cache: write cache memory beside the models", name)}
				}
			}
		}
		return nil, nil
	}
	rules := c.Cache.rules()
	pooled, err := g.pooledCache(c.Cache, logger)
	if err != nil {
		return nil, &placedError{"/cache", fmt.Errorf("cache: %w", err)}
	}
	// The keys of a site that has its own are other ones than those of the same
	// names elsewhere.
	realm := ""
	if g.own != nil {
		text, err := json.Marshal(c.Auth)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		realm = hex.EncodeToString(sum[:]) + " "
	}
	return &gateway.Cache{Store: pooled.Store, Flights: pooled.flights, Rules: rules, Realm: realm}, nil
}

func (g *generation) pooledCache(c *Cache, logger *zap.Logger) (*pooledCache, error) {
	key := cacheKey{store: cacheMemory}
	var secret string
	if c.Store == cacheRedis {
		key.store = cacheRedis
		var err error
		if key.url, err = providers.ResolveText("url", c.URL); err != nil {
			return nil, err
		}
		if secret, err = resolveCacheSecret(c.Secret); err != nil {
			return nil, err
		}
		if secret != "" {
			key.secret = sha256.Sum256([]byte(secret))
			if !strings.Contains(c.Secret, "{") {
				logger.Warn("the cache's secret stands in the config, where the admin API and saved configs show it: write it as {env.NAME} or {file./path}")
			}
		}
	}
	found, _, err := sharedState.LoadOrNew(key, func() (caddy.Destructor, error) {
		pooled := &pooledCache{flights: answers.NewFlights(answers.FlightOptions{})}
		var err error
		if key.store == cacheRedis {
			pooled.Store, err = answers.NewRedis(answers.RedisOptions{URL: key.url, Secret: []byte(secret)})
		} else {
			pooled.Store, err = answers.NewMemory(answers.MemoryOptions{MaxSize: c.MaxSize})
		}
		return pooled, err
	})
	if err != nil {
		return nil, err
	}
	g.shared = append(g.shared, key)
	pooled := found.(*pooledCache)
	if memory, ok := pooled.Store.(*answers.Memory); ok {
		most := c.MaxSize
		if most == 0 {
			most = answers.DefaultMaxSize
		}
		memory.Resize(most)
	}
	return pooled, nil
}

// resolveCacheSecret resolves a secret. Its errors do not tell it.
func resolveCacheSecret(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	secret, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err != nil {
		return "", fmt.Errorf("resolving secret: %w", err)
	}
	if secret = strings.TrimSpace(secret); secret == "" {
		return "", errors.New("secret is empty")
	}
	return secret, nil
}
