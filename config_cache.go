package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/cache/answers"
)

// Cache keeps whole answers, for whoever asks exactly the same again.
type Cache struct {
	// Where: memory, of this process; redis, which several instances can share; or
	// off. Default: memory.
	Store string `json:"store,omitempty"`

	// The address of Redis, as redis://user:password@host:6379/0, or rediss:// for
	// TLS. It may hold placeholders, such as {env.REDIS_URL}.
	URL string `json:"url,omitempty"`

	// How long an answer is served. Default: 1h.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// The most memory, in bytes; one key, or group, fills at most a fifth of it. Redis
	// has its own maxmemory. Default: 268435456 (256 MiB).
	MaxSize int64 `json:"max_size,omitempty"`

	// The largest answer, in bytes. Default: 1048576 (1 MiB).
	MaxEntry int64 `json:"max_entry,omitempty"`

	// With whom an answer is shared: key, group (a key without one is its own), or
	// shared, which is everyone who may ask for the model. Default: key.
	Scope string `json:"scope,omitempty"`

	// Keeps only what was asked with temperature 0. Default: false.
	OnlyDeterministic bool `json:"only_deterministic,omitempty"`

	// Obeys a provider's Cache-Control: no-store and its kind, which providers say of
	// every answer. Default: false.
	RespectUpstream bool `json:"respect_upstream,omitempty"`

	// How long after its ttl an answer is still served if no target gives another.
	// Default: not at all.
	StaleIfError caddy.Duration `json:"stale_if_error,omitempty"`

	// Keeps answers that call tools, too. Default: false.
	ToolCalls bool `json:"tool_calls,omitempty"`

	// Disregards the Cache-Control of clients. Default: false.
	IgnoreClient bool `json:"ignore_client,omitempty"`

	// Seals what is in Redis, so that others who may write there cannot make answers.
	// All instances need the same. It may be a placeholder, such as {env.CACHE_SECRET}.
	Secret string `json:"secret,omitempty"`
}

// ModelCache says whether the answers of a model are kept.
type ModelCache struct {
	// Keeps none. Default: false.
	Off bool `json:"off,omitempty"`

	// How long an answer is served. Default: as the gateway's cache says.
	TTL caddy.Duration `json:"ttl,omitempty"`
}

// Where answers are kept.
const (
	cacheMemory = "memory"
	cacheRedis  = "redis"
	cacheOff    = "off"
	cacheOn     = "on"
)

// DefaultCacheTTL is how long an answer is served where a config does not say.
const DefaultCacheTTL = time.Hour

// UnmarshalJSON reads an object, or one of the words memory and off.
func (c *Cache) UnmarshalJSON(data []byte) error {
	for _, word := range []string{cacheMemory, cacheOff} {
		if string(data) == strconv.Quote(word) {
			*c = Cache{Store: word}
			return nil
		}
	}
	if len(data) == 0 || data[0] != '{' {
		return errors.New(`cache must be "memory", "off" or an object`)
	}
	type plain Cache // without this method
	return decodeStrictly(data, (*plain)(c))
}

// UnmarshalJSON reads an object, or one of the words on and off.
func (c *ModelCache) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case strconv.Quote(cacheOn):
		*c = ModelCache{}
		return nil
	case strconv.Quote(cacheOff):
		*c = ModelCache{Off: true}
		return nil
	}
	if len(data) == 0 || data[0] != '{' {
		return errors.New(`a model's cache must be "on", "off" or an object`)
	}
	type plain ModelCache // without this method
	return decodeStrictly(data, (*plain)(c))
}

func (c *Cache) off() bool { return c == nil || c.Store == cacheOff }

func (c *Cache) check() error {
	if c == nil {
		return nil
	}
	const pointer = "/cache"
	switch c.Store {
	case "", cacheMemory:
		switch {
		case c.URL != "":
			return &placedError{pointer + "/url", errors.New("url is for the store redis")}
		case c.Secret != "":
			return &placedError{pointer + "/secret", errors.New("secret is for the store redis: nobody else writes to memory")}
		}
	case cacheRedis:
		switch {
		case c.URL == "":
			return &placedError{pointer + "/url", errors.New("the store redis needs its url, such as redis://localhost:6379/0")}
		case c.MaxSize != 0:
			return &placedError{pointer + "/max_size", errors.New("max_size is for the store memory: Redis has its maxmemory")}
		}
	case cacheOff:
		if *c != (Cache{Store: cacheOff}) {
			return &placedError{pointer, errors.New("a cache that is off takes no other options")}
		}
	default:
		return &placedError{pointer + "/store", fmt.Errorf("store must be %s, %s or %s, not %q", cacheMemory, cacheRedis, cacheOff, c.Store)}
	}
	if _, err := answers.ParseScope(c.Scope); err != nil {
		return &placedError{pointer + "/scope", err}
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"ttl", int64(c.TTL)}, {"max_size", c.MaxSize}, {"max_entry", c.MaxEntry}, {"stale_if_error", int64(c.StaleIfError)}} {
		if n.value < 0 {
			return &placedError{pointer + "/" + n.name, fmt.Errorf("%s must be positive", n.name)}
		}
	}
	return nil
}

func (c *ModelCache) check(pointer string) error {
	switch {
	case c == nil:
	case c.TTL < 0:
		return &placedError{pointer + "/ttl", errors.New("ttl must be positive")}
	case c.Off && c.TTL != 0:
		return &placedError{pointer, errors.New("a cache that is off takes no ttl")}
	}
	return nil
}

// ttl is what routes have of it.
func (c *ModelCache) ttl() time.Duration {
	switch {
	case c == nil:
		return 0
	case c.Off:
		return -1
	}
	return time.Duration(c.TTL)
}

// rules are what the config says, with the defaults for what it does not.
func (c *Cache) rules() answers.Rules {
	scope, _ := answers.ParseScope(c.Scope) // which was checked
	rules := answers.Rules{
		TTL: DefaultCacheTTL, StaleIfError: time.Duration(c.StaleIfError), MaxEntry: int(c.MaxEntry), Scope: scope,
		OnlyDeterministic: c.OnlyDeterministic, ToolCalls: c.ToolCalls,
		RespectUpstream: c.RespectUpstream, IgnoreClient: c.IgnoreClient,
	}
	if c.TTL > 0 {
		rules.TTL = time.Duration(c.TTL)
	}
	return rules
}

// MarshalJSON writes a cache that is on and says nothing as the word.
func (c ModelCache) MarshalJSON() ([]byte, error) {
	if c == (ModelCache{}) {
		return json.Marshal(cacheOn)
	}
	type plain ModelCache // without this method
	return json.Marshal(plain(c))
}
