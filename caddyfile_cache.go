package llmproxy

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/providers"
)

// readCache reads cache memory|redis <url>|off { … }.
func (c *Config) readCache(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("cache takes one of memory, redis <url>, off")
	}
	cache := &Cache{Store: args[0]}
	switch {
	case cache.Store == cacheRedis && len(args) == 2:
		cache.URL = args[1]
	case cache.Store == cacheRedis:
		return d.Err("cache redis takes an address, such as redis://localhost:6379/0")
	case len(args) > 1, cache.Store != cacheMemory && cache.Store != cacheOff:
		return d.Errf("cache takes one of memory, redis <url>, off, not %q", args[len(args)-1])
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := block.Once(); err != nil {
			return err
		}
		if err := cache.readLine(d); err != nil {
			return err
		}
	}
	if err := cache.check(); err != nil {
		return d.WrapErr(err)
	}
	c.Cache = cache
	return nil
}

func (c *Cache) readLine(d *caddyfile.Dispenser) error {
	switch name := d.Val(); name {
	case "ttl":
		return directive.Duration(d, &c.TTL)
	case "max_size":
		return directive.Size(d, &c.MaxSize)
	case "max_entry":
		return directive.Size(d, &c.MaxEntry)
	case "scope":
		return readWord(d, &c.Scope, "key", "group", "shared")
	case "stale_if_error":
		return directive.Duration(d, &c.StaleIfError)
	case "secret":
		return providers.ReadSecret(d, &c.Secret)
	case "only_deterministic":
		return directive.Flag(d, &c.OnlyDeterministic)
	case "respect_upstream":
		return directive.Flag(d, &c.RespectUpstream)
	case "tool_calls":
		return directive.Flag(d, &c.ToolCalls)
	case "ignore_client":
		return directive.Flag(d, &c.IgnoreClient)
	default:
		return d.Errf("unrecognized subdirective %q: cache takes ttl, max_size, max_entry, scope, stale_if_error, secret, "+
			"only_deterministic, respect_upstream, tool_calls and ignore_client", name)
	}
}

// readCache reads cache off, and cache on { ttl <duration> }.
func (m *Model) readCache(d *caddyfile.Dispenser) error {
	var word string
	if err := readWordBefore(d, &word, cacheOn, cacheOff); err != nil {
		return err
	}
	m.Cache = &ModelCache{Off: word == cacheOff}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if m.Cache.Off || d.Val() != "ttl" {
			return d.Errf("unrecognized subdirective %q: a model's cache takes ttl if it is on, and nothing if it is off", d.Val())
		}
		if err := block.Once(); err != nil {
			return err
		}
		if err := directive.Duration(d, &m.Cache.TTL); err != nil {
			return err
		}
	}
	return nil
}

// readWordBefore reads one of two words that may have a block after it.
func readWordBefore(d *caddyfile.Dispenser, into *string, one, other string) error {
	name := d.Val()
	if !d.AllArgs(into) || *into != one && *into != other {
		return d.Errf("%s takes one of %s, %s", name, one, other)
	}
	return nil
}
