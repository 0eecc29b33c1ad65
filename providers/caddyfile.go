package providers

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
)

// UnmarshalCaddyfile reads the block of a provider. Syntax:
//
//	provider <name> [<type>] {
//		base_url  <url>
//		api_key   <secret>...
//		header    <name> <value>
//		models    <id or glob>...
//		transport <module> { … }
//	}
func (s *Settings) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name or the type
	block := directive.Block{Dispenser: d}
	for d.NextBlock(0) {
		name := d.Val()
		if name == "header" {
			if err := s.readHeader(d); err != nil {
				return err
			}
			continue
		}
		if err := block.Once(); err != nil {
			return err
		}
		if err := s.readOption(d, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) readOption(d *caddyfile.Dispenser, name string) error {
	switch name {
	case "base_url":
		return directive.One(d, &s.BaseURL)
	case "api_key":
		return directive.Some(d, (*[]string)(&s.APIKey))
	case "models":
		return directive.Some(d, (*[]string)(&s.Models))
	case "transport":
		return s.readTransport(d)
	}
	return d.Errf("unrecognized subdirective %q: a provider takes base_url, api_key, header, models and transport", name)
}

func (s *Settings) readHeader(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.Err("a header is written: header <name> <value>") // the usual error would quote the value
	}
	name = http.CanonicalHeaderKey(name)
	if _, ok := s.Header[name]; ok {
		return d.Errf("header %s is set twice", name)
	}
	if s.Header == nil {
		s.Header = make(map[string]string)
	}
	s.Header[name] = value
	return directive.NoBlock(d)
}

func (s *Settings) readTransport(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	name := d.Val()
	if name == "http" && d.CountRemainingArgs() > 0 {
		return d.ArgErr() // Caddy's own would pass over them
	}
	id := "http.reverse_proxy.transport." + name
	module, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	transport, ok := module.(http.RoundTripper)
	if !ok {
		return d.Errf("module %s (%T) is no transport", id, module)
	}
	s.TransportRaw = caddyconfig.JSONModuleObject(transport, "protocol", name, nil)
	return nil
}
