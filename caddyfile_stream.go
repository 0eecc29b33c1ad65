package llmproxy

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
)

// readStream reads stream { heartbeat …, on_disconnect …, commit_early …, resumable … }.
func (c *Config) readStream(d *caddyfile.Dispenser) error {
	c.Stream = new(Stream)
	if d.NextArg() {
		return d.ArgErr()
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := block.Once(); err != nil {
			return err
		}
		if err := c.Stream.readLine(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) readLine(d *caddyfile.Dispenser) error {
	switch name := d.Val(); name {
	case "heartbeat":
		return s.readHeartbeat(d)
	case "on_disconnect":
		return s.readOnDisconnect(d)
	case "commit_early":
		return directive.Duration(d, &s.CommitEarly)
	case "resumable":
		return directive.Duration(d, &s.Resumable)
	default:
		return d.Errf("unrecognized subdirective %q: stream takes heartbeat, on_disconnect, commit_early and resumable", name)
	}
}

func (s *Stream) readHeartbeat(d *caddyfile.Dispenser) error {
	var text string
	if err := directive.One(d, &text); err != nil {
		return err
	}
	if text == "off" {
		s.Heartbeat = -1
		return nil
	}
	every, err := caddy.ParseDuration(text)
	if err != nil || every <= 0 {
		return d.Errf("heartbeat must be off or a positive duration such as 15s, not %q", text)
	}
	s.Heartbeat = caddy.Duration(every)
	return nil
}

// readOnDisconnect reads on_disconnect cancel|drain [<duration>].
func (s *Stream) readOnDisconnect(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0 || len(args) > 2 || len(args) == 2 && args[0] == disconnectCancel:
		return d.ArgErr()
	case args[0] != disconnectCancel && args[0] != disconnectDrain:
		return d.Errf("on_disconnect takes one of %s, %s, not %q", disconnectCancel, disconnectDrain, args[0])
	}
	s.OnDisconnect = args[0]
	if len(args) == 2 {
		if err := parsePositive(d, "on_disconnect drain", args[1], &s.Drain); err != nil {
			return err
		}
	}
	return directive.NoBlock(d)
}

// parsePositive reads a positive duration that is one word of several.
func parsePositive(d *caddyfile.Dispenser, name, text string, into *caddy.Duration) error {
	value, err := caddy.ParseDuration(text)
	if err != nil || value <= 0 {
		return d.Errf("%s must be a positive duration such as 30s, not %q", name, text)
	}
	*into = caddy.Duration(value)
	return nil
}
