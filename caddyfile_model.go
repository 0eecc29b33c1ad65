package llmproxy

import (
	"encoding/json"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/routing"
)

// readModel reads model <name> [<target>...] { … }. Several of one name are one
// after another for different requests.
func (c *Config) readModel(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	name := args[0]
	if before := c.Models[name]; before != nil && len(before[len(before)-1].Match) == 0 {
		return d.Errf("model %q is defined twice, and %w", name, errUnreachable)
	}
	model := new(Model)
	for _, target := range args[1:] {
		if err := checkTarget(target); err != nil {
			return d.Err(err.Error())
		}
		model.To = append(model.To, Target{Target: target})
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := model.readLine(&block); err != nil {
			return err
		}
	}
	if err := model.check(""); err != nil {
		return d.Errf("model %q: %w", name, err)
	}
	if c.Models == nil {
		c.Models = make(map[string]Models)
	}
	c.Models[name] = append(c.Models[name], model)
	return nil
}

func (m *Model) readLine(b *directive.Block) error {
	name := b.Val()
	switch name {
	case "to":
		return m.readTarget(b.Dispenser)
	case "set":
		return readOverride(b.Dispenser, &m.Set)
	case "default":
		return readOverride(b.Dispenser, &m.Default)
	}
	if err := b.Once(); err != nil {
		return err
	}
	switch name {
	case "match":
		return m.readMatch(b.Dispenser)
	case "limits":
		return readLimits(b.Dispenser, &m.Limits, quota.Single)
	case "policy":
		return m.readPolicy(b.Dispenser)
	case "fallback":
		return directive.Some(b.Dispenser, (*[]string)(&m.Fallback))
	case "fallback_on":
		return m.readConditions(b.Dispenser)
	case "timeout":
		return m.readTimeout(b.Dispenser)
	case "on_unsupported":
		return readWord(b.Dispenser, &m.OnUnsupported,
			string(routing.DropUnsupported), string(routing.RefuseUnsupported), string(routing.SkipUnsupported))
	case "on_ambiguous":
		return readWord(b.Dispenser, &m.OnAmbiguous, ambiguousFailover, ambiguousFail)
	case "on_empty":
		return readWord(b.Dispenser, &m.OnEmpty, emptyFailover, emptyPass)
	case "cache":
		return m.readCache(b.Dispenser)
	case "retries":
		return directive.Count(b.Dispenser, &m.Retries)
	}
	return b.Errf("unrecognized subdirective %q: a model takes to, match, policy, fallback, fallback_on, retries, timeout, "+
		"on_unsupported, on_ambiguous, on_empty, cache, set, default and limits", name)
}

// readTarget reads to <provider>/<model> [weight <n>] [priority <n>].
func (m *Model) readTarget(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args)%2 != 1 {
		return d.ArgErr()
	}
	target := Target{Target: args[0]}
	if err := checkTarget(target.Target); err != nil {
		return d.Err(err.Error())
	}
	into := map[string]*int{"weight": &target.Weight, "priority": &target.Priority}
	for i := 1; i < len(args); i += 2 {
		number := into[args[i]]
		if number == nil || *number != 0 {
			return d.Errf("unrecognized word %q: a target takes weight and priority, each once", args[i])
		}
		n, err := strconv.Atoi(args[i+1])
		if err != nil || n < 1 || n > maxWeight {
			return d.Errf("%s must be a whole number from 1 to %d, not %q", args[i], maxWeight, args[i+1])
		}
		*number = n
	}
	m.To = append(m.To, target)
	return directive.NoBlock(d)
}

// readMatch reads the matchers of one set, on the line or in a block, as a named
// matcher of Caddy's has them.
func (m *Model) readMatch(d *caddyfile.Dispenser) error {
	set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return d.Err("match takes Caddy's request matchers, such as header X-Canary yes, on its line or in a block")
	}
	m.Match = caddyhttp.RawMatcherSets{set}
	return nil
}

// readPolicy reads policy <name>, and what else a policy takes.
func (m *Model) readPolicy(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	id := routing.PolicyNamespace + "." + name
	info, err := caddy.GetModule(id)
	if err != nil {
		return d.Errf("there is no selection policy %q", name)
	}
	policy, ok := info.New().(routing.Policy)
	if !ok {
		return d.Errf("module %s (%T) is no selection policy", id, info.New())
	}
	if unmarshaler, ok := policy.(caddyfile.Unmarshaler); ok {
		if err := unmarshaler.UnmarshalCaddyfile(d.NewFromNextSegment()); err != nil {
			return err
		}
	} else if d.NextArg() {
		return d.Errf("policy %s takes no arguments", name)
	} else if err := directive.NoBlock(d); err != nil {
		return err
	}
	m.Policy = caddyconfig.JSONModuleObject(policy, "policy", name, nil)
	return nil
}

func (m *Model) readConditions(d *caddyfile.Dispenser) error {
	if err := directive.Some(d, (*[]string)(&m.FallbackOn)); err != nil {
		return err
	}
	if _, err := parseConditions(m.FallbackOn); err != nil {
		return d.Err(err.Error())
	}
	return nil
}

// readTimeout reads timeout { … }.
func (m *Model) readTimeout(d *caddyfile.Dispenser) error {
	m.Timeout = new(Timeout)
	if d.NextArg() {
		return d.ArgErr()
	}
	block, empty := directive.Block{Dispenser: d}, true
	for nesting := d.Nesting(); d.NextBlock(nesting); empty = false {
		into := map[string]*caddy.Duration{
			"connect": &m.Timeout.Connect, "first_token": &m.Timeout.FirstToken, "idle": &m.Timeout.Idle, "total": &m.Timeout.Total,
		}[d.Val()]
		if into == nil {
			return d.Errf("unrecognized subdirective %q: timeout takes connect, first_token, idle and total", d.Val())
		}
		if err := block.Once(); err != nil {
			return err
		}
		if err := directive.Duration(d, into); err != nil {
			return err
		}
	}
	if empty {
		return d.Err("timeout takes a block with connect, first_token, idle or total")
	}
	return nil
}

// readOverride reads set|default <path> <value>. What is no JSON is a string.
func readOverride(d *caddyfile.Dispenser, into *map[string]json.RawMessage) error {
	option := d.Val()
	var path, value string
	if !d.AllArgs(&path, &value) {
		return d.Errf("a member is written: %s <path> <value>; quote a value that has spaces", option)
	}
	if _, err := parseOverridePath(path); err != nil {
		return d.Errf("%s %s: %w", option, path, err)
	}
	if (*into)[path] != nil {
		return d.Errf("%s %s stands twice", option, path)
	}
	if *into == nil {
		*into = make(map[string]json.RawMessage)
	}
	if (*into)[path] = json.RawMessage(value); !json.Valid([]byte(value)) {
		(*into)[path] = caddyconfig.JSON(value, nil)
	}
	return directive.NoBlock(d)
}
