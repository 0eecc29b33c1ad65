package llmproxy

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/internal/quota"
)

// readAuth reads auth [anonymous] [caddy [<placeholder>]] { key …, group …, … }.
func (c *Config) readAuth(d *caddyfile.Dispenser) error {
	c.Auth = new(Auth)
	words := d.RemainingArgs()
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "anonymous" && !c.Auth.Anonymous:
			c.Auth.Anonymous = true
		case words[i] == "caddy" && c.Auth.Caddy == "":
			var placeholder []string
			if i+1 < len(words) && isPlaceholder(words[i+1]) {
				i++
				placeholder = words[i : i+1]
			}
			if err := c.Auth.readIdentity(d, placeholder); err != nil {
				return err
			}
		default:
			return d.Errf("unrecognized word %q: auth takes anonymous, and caddy with a placeholder, each once", words[i])
		}
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := c.Auth.readLine(&block); err != nil {
			return err
		}
	}
	if !c.Auth.says() {
		return d.Err(errNoAuth.Error())
	}
	for _, key := range c.Auth.Keys {
		if !c.Auth.others() && len(key.Digest)+len(key.Secret) == 0 {
			// Its id is not quoted: it may be the secret, and the id is what is missing.
			return d.Err("a key is written: key <id> <secret or digest>; only whoever caddy or a jwt identifies needs no secret")
		}
	}
	return nil
}

func (a *Auth) readLine(b *directive.Block) error {
	switch name := b.Val(); name {
	case "key":
		return a.readKey(b.Dispenser)
	case "group":
		return a.readGroup(b.Dispenser)
	case "caddy", "keys_file", "jwt", "origins":
		if err := b.Once(); err != nil {
			return err
		}
		return a.readOption(b.Dispenser, name)
	default:
		return b.Errf("unrecognized subdirective %q: auth takes key, group, keys_file, jwt, caddy and origins", name)
	}
}

func (a *Auth) readOption(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "caddy":
		if a.Caddy != "" {
			return d.Err("caddy stands twice")
		}
		return a.readIdentity(d, d.RemainingArgs())
	case "keys_file":
		return directive.One(d, &a.KeysFile)
	case "jwt":
		return a.readJWT(d)
	}
	return a.readOrigins(d)
}

// readIdentity reads the placeholder of caddy, if it says one.
func (a *Auth) readIdentity(d *caddyfile.Dispenser, args []string) error {
	a.Caddy = "{" + userPlaceholder + "}"
	switch len(args) {
	case 0:
		return nil
	case 1:
		a.Caddy = args[0]
		if err := checkIdentity(a.Caddy); err != nil {
			return d.Err(err.Error())
		}
		return nil
	}
	return d.ArgErr()
}

func (a *Auth) readOrigins(d *caddyfile.Dispenser) error {
	if err := directive.Some(d, &a.Origins); err != nil {
		return err
	}
	for _, text := range a.Origins {
		if _, err := auth.ParseOrigin(text); err != nil {
			return d.Err(err.Error())
		}
	}
	return nil
}

// readKey reads key <id> [<secret|digest>...] { … }. Errors do not quote the secret.
func (a *Auth) readKey(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 1+maxSecrets {
		return d.Err("a key is written: key <id> <secret or digest>, with a second one while it is replaced")
	}
	id := args[0]
	if !validKeyID(id) {
		return d.Err("the id of a key is shown in logs: it must be short and no secret")
	}
	if a.Keys[id] != nil {
		return d.Errf("key %q is defined twice", id)
	}
	key := new(Key)
	for _, secret := range args[1:] {
		if err := key.setSecret(secret); err != nil {
			return d.Errf("key %q: %v", id, err)
		}
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		if d.Val() == "group" {
			if err = block.Once(); err == nil {
				err = directive.One(d, &key.Group)
			}
		} else {
			err = key.readLine(&block, quota.Single, "a key takes group, ")
		}
		if err != nil {
			return err
		}
	}
	if err := key.check(); err != nil {
		return d.Errf("key %q: %v", id, err)
	}
	if a.Keys == nil {
		a.Keys = make(map[string]*Key)
	}
	a.Keys[id] = key
	return nil
}

// readGroup reads group <id> { … }.
func (a *Auth) readGroup(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.ArgErr()
	}
	id := args[0]
	if a.Groups[id] != nil {
		return d.Errf("group %q is defined twice", id)
	}
	group := new(Group)
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := group.readLine(&block, quota.Members, "a group takes "); err != nil {
			return err
		}
	}
	if err := group.check(quota.Members); err != nil {
		return d.Errf("group %q: %v", id, err)
	}
	if a.Groups == nil {
		a.Groups = make(map[string]*Group)
	}
	a.Groups[id] = group
	return nil
}

// readLine reads what keys and groups have in common; takes begins the error of
// what neither has.
func (r *Rights) readLine(b *directive.Block, at quota.Place, takes string) error {
	name := b.Val()
	if name == "metadata" {
		return r.readMetadata(b.Dispenser)
	}
	if err := b.Once(); err != nil {
		return err
	}
	switch name {
	case "limits":
		return readLimits(b.Dispenser, &r.Limits, at)
	case "models":
		return directive.Some(b.Dispenser, (*[]string)(&r.Models))
	case "not_before":
		return readDate(b.Dispenser, &r.NotBefore)
	case "expires":
		return readDate(b.Dispenser, &r.Expires)
	case "disabled":
		if b.NextArg() {
			return b.ArgErr()
		}
		r.Disabled = true
		return directive.NoBlock(b.Dispenser)
	}
	return b.Errf("unrecognized subdirective %q: %smodels, limits, not_before, expires, metadata and disabled", name, takes)
}

func readDate(d *caddyfile.Dispenser, into *string) error {
	name := d.Val()
	if err := directive.One(d, into); err != nil {
		return err
	}
	if _, err := parseDate(*into); err != nil {
		return d.Errf("%s: %v", name, err)
	}
	return nil
}

// readMetadata reads metadata <name> <value>, of which there may be several.
func (r *Rights) readMetadata(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.ArgErr()
	}
	if err := checkMetadata(name, value); err != nil {
		return d.Err(err.Error())
	}
	if _, ok := r.Metadata[name]; ok {
		return d.Errf("metadata %s stands twice", name)
	}
	if r.Metadata == nil {
		r.Metadata = make(map[string]string)
	}
	r.Metadata[name] = value
	return directive.NoBlock(d)
}

// readJWT reads jwt { jwks …, issuer …, audience …, … }.
func (a *Auth) readJWT(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	a.JWT = new(JWT)
	words := map[string]*string{
		"jwks": &a.JWT.JWKS, "issuer": &a.JWT.Issuer, "key_claim": &a.JWT.KeyClaim,
		"models_claim": &a.JWT.ModelsClaim, "group_claim": &a.JWT.GroupClaim,
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if err := block.Once(); err != nil {
			return err
		}
		var err error
		switch into := words[name]; {
		case name == "audience":
			err = directive.Some(d, (*[]string)(&a.JWT.Audience))
		case into != nil:
			err = directive.One(d, into)
		default:
			err = d.Errf("unrecognized subdirective %q: jwt takes jwks, issuer, audience, key_claim, models_claim and group_claim", name)
		}
		if err != nil {
			return err
		}
	}
	if err := a.JWT.check(); err != nil {
		return d.Errf("jwt: %v", err)
	}
	return nil
}
