package providers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/internal/quota"
)

// UnmarshalCaddyfile reads the block of a provider. Syntax:
//
//	provider <name> [<type>] {
//		base_url  <url>
//		api_key   <secret>...
//		header    <name> <value>
//		models    <id or glob>...
//		limits    { … per_key { … } }
//		transport <module> { … }
//		warm_connections <n>
//		trace_context
//		health {
//			uri      <path>
//			interval <duration>
//			timeout  <duration>
//			status   <code>|<class>xx
//			method   <method>
//			failures <n>
//		}
//	}
func (s *Settings) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return s.ReadBlock(d, nil) }

// Options are the subdirectives that a type of provider has beside those that
// all have. Each function reads one from where the dispenser stands at its name.
type Options map[string]func(*caddyfile.Dispenser) error

// Repeatable may be the prefix of an option's name in [Options]: it may then
// stand several times.
const Repeatable = "*"

// ReadBlock reads the block of a provider with further options of its type.
func (s *Settings) ReadBlock(d *caddyfile.Dispenser, more Options) error {
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
		if read := more[Repeatable+name]; read != nil {
			if err := read(d); err != nil {
				return err
			}
			continue
		}
		if err := block.Once(); err != nil {
			return err
		}
		if err := s.readOption(d, name, more); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) readOption(d *caddyfile.Dispenser, name string, more Options) error {
	switch name {
	case "base_url":
		return directive.One(d, &s.BaseURL)
	case "api_key":
		return directive.Some(d, (*[]string)(&s.APIKey))
	case "models":
		return directive.Some(d, (*[]string)(&s.Models))
	case "transport":
		return s.readTransport(d)
	case "health":
		return s.readHealth(d)
	case "warm_connections":
		return directive.Number(d, &s.WarmConnections)
	case "trace_context":
		return directive.Flag(d, &s.TraceContext)
	case "limits":
		l, err := quota.Read(d, quota.Members)
		s.Limits = l
		return err
	}
	if read := more[name]; read != nil {
		return read(d)
	}
	names := []string{"base_url", "api_key", "header", "models"}
	for option := range more {
		names = append(names, strings.TrimPrefix(option, Repeatable))
	}
	slices.Sort(names[4:])
	return d.Errf("unrecognized subdirective %q: this provider takes %s, limits, transport, warm_connections, trace_context and health", name, strings.Join(names, ", "))
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
