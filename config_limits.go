package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/limits"
)

// State says where what callers use is counted, so that limits hold over reloads,
// restarts and, with Redis, over several instances.
type State struct {
	// memory counts in the process, redis in a Redis or Valkey server (6.2 or later)
	// that all instances share. Default: memory.
	Store string `json:"store,omitempty"`

	// With memory: the file that keeps budgets, and counts of an hour and longer, over
	// restarts; off keeps nothing. Only one process can have it open: give another
	// one its own. Default: llm_proxy/limits.db below Caddy's data directory.
	File string `json:"file,omitempty"`

	// With redis: the address, as redis://user:password@host:6379/0, or rediss:// for
	// TLS. Placeholders such as {env.REDIS_URL} are resolved when the config is loaded.
	URL string `json:"url,omitempty"`

	// With redis: how all keys begin. Default: llm_proxy:
	Prefix string `json:"prefix,omitempty"`

	// With redis: how many instances share it. While it cannot be reached each holds
	// callers to its part of the limits, and budgets refuse. Default: 1.
	Instances int64 `json:"instances,omitempty"`

	// With redis: how long a call may wait for it each time. A server that takes
	// longer counts as one that cannot be reached. Default: 50ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// With redis: there is a cluster behind the address. Default: false.
	Cluster bool `json:"cluster,omitempty"`
}

// The stores.
const (
	storeMemory = "memory"
	storeRedis  = "redis"
)

// fileOff is the file that keeps nothing.
const fileOff = "off"

const maxInstances = 10_000

// UnmarshalJSON reads the object, or the word memory.
func (s *State) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &s.Store)
	}
	type plain State // without this method
	return decodeStrictly(data, (*plain)(s))
}

func (s *State) check() error {
	if s == nil {
		return nil
	}
	wrong := func(member, text string) error {
		return &placedError{"/state/" + member, fmt.Errorf("state: %s", text)}
	}
	switch s.Store {
	case "", storeMemory:
		switch {
		case s.URL != "":
			return wrong("url", "url is for redis")
		case s.Prefix != "":
			return wrong("prefix", "prefix is for redis")
		case s.Instances != 0:
			return wrong("instances", "instances is for redis")
		case s.Timeout != 0:
			return wrong("timeout", "timeout is for redis")
		case s.Cluster:
			return wrong("cluster", "cluster is for redis")
		}
	case storeRedis:
		switch {
		case s.URL == "":
			return wrong("url", "redis needs its address, such as redis://localhost:6379")
		case s.File != "":
			return wrong("file", "file is for memory")
		case s.Instances < 0 || s.Instances > maxInstances:
			return wrong("instances", fmt.Sprintf("instances must be from 1 to %d", maxInstances))
		case s.Timeout < 0:
			return wrong("timeout", "timeout must be positive")
		}
	default:
		return wrong("store", fmt.Sprintf("store must be %s or %s, not %q", storeMemory, storeRedis, s.Store))
	}
	return nil
}

// redis is what the store is opened with.
func (s *State) redis() (o limits.RedisOptions, err error) {
	url, err := caddy.NewReplacer().ReplaceOrErr(s.URL, true, true)
	if err != nil {
		return o, fmt.Errorf("resolving url: %w", err)
	}
	o = limits.RedisOptions{URL: strings.TrimSpace(url), Prefix: s.Prefix, Instances: s.Instances, Cluster: s.Cluster, Patience: time.Duration(s.Timeout)}
	return o, o.Check()
}

// readState reads state memory|redis <url> { … }.
func (c *Config) readState(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || args[0] != storeMemory && args[0] != storeRedis {
		return d.Err("state is written: state memory, or state redis <url>")
	}
	s := &State{Store: args[0]}
	switch {
	case s.Store == storeMemory && len(args) > 1, len(args) > 2:
		return d.ArgErr()
	case s.Store == storeRedis && len(args) == 1:
		return d.Err("redis needs its address: state redis redis://localhost:6379")
	case len(args) == 2:
		s.URL = args[1]
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := block.Once(); err != nil {
			return err
		}
		if err := s.readLine(d); err != nil {
			return err
		}
	}
	c.State = s
	if err := s.check(); err != nil {
		return d.Err(err.Error())
	}
	return nil
}

func (s *State) readLine(d *caddyfile.Dispenser) error {
	switch name := d.Val(); {
	case s.Store == storeMemory && name == "file":
		return directive.One(d, &s.File)
	case s.Store == storeRedis && name == "prefix":
		return directive.One(d, &s.Prefix)
	case s.Store == storeRedis && name == "instances":
		var n int
		err := directive.Number(d, &n)
		s.Instances = int64(n)
		return err
	case s.Store == storeRedis && name == "timeout":
		return directive.Duration(d, &s.Timeout)
	case s.Store == storeRedis && name == "cluster":
		if d.NextArg() {
			return d.ArgErr()
		}
		s.Cluster = true
		return directive.NoBlock(d)
	default:
		takes := "file"
		if s.Store == storeRedis {
			takes = "prefix, instances, timeout and cluster"
		}
		return d.Errf("unrecognized subdirective %q: state %s takes %s", name, s.Store, takes)
	}
}

// readLimits reads limits { … }.
func readLimits(d *caddyfile.Dispenser, into **quota.Limits, at quota.Place) (err error) {
	*into, err = quota.Read(d, at)
	return err
}

// checkLimits says at which pointer the mistake stands.
func checkLimits(pointer string, l *quota.Limits, at quota.Place) error {
	if err := l.Check(at); err != nil {
		return &placedError{pointer + pointerOf(err), err}
	}
	return nil
}

// pointerOf is the rest of the pointer to a mistake in limits.
func pointerOf(err error) string {
	var inner *quota.Error
	if errors.As(err, &inner) {
		return "/limits" + inner.Pointer
	}
	return ""
}
