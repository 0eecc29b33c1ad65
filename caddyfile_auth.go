package llmproxy

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/internal/directive"
)

// readAuth reads auth [anonymous] { key …, origins … }.
func (c *Config) readAuth(d *caddyfile.Dispenser) error {
	c.Auth = new(Auth)
	for _, word := range d.RemainingArgs() {
		if word != "anonymous" || c.Auth.Anonymous {
			return d.Errf("unrecognized word %q: auth takes anonymous, once", word)
		}
		c.Auth.Anonymous = true
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch name := d.Val(); name {
		case "key":
			err = c.Auth.readKey(d)
		case "origins":
			if err = block.Once(); err == nil {
				err = c.Auth.readOrigins(d)
			}
		default:
			err = d.Errf("unrecognized subdirective %q: auth takes key and origins", name)
		}
		if err != nil {
			return err
		}
	}
	if !c.Auth.Anonymous && len(c.Auth.Keys) == 0 {
		return d.Err(errNoAuth.Error())
	}
	return nil
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

// readKey reads key <id> <secret|digest> { models … }. Errors do not quote the secret.
func (a *Auth) readKey(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("a key is written: key <id> <secret or digest>")
	}
	id := args[0]
	if a.Keys[id] != nil {
		return d.Errf("key %q is defined twice", id)
	}
	key := new(Key)
	if err := key.setSecret(args[1]); err != nil {
		return d.Errf("key %q: %v", id, err)
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "models" {
			return d.Errf("unrecognized subdirective %q: a key takes models", d.Val())
		}
		if err := block.Once(); err != nil {
			return err
		}
		if err := directive.Some(d, (*[]string)(&key.Models)); err != nil {
			return err
		}
	}
	if a.Keys == nil {
		a.Keys = make(map[string]*Key)
	}
	a.Keys[id] = key
	return nil
}
