package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
	"github.com/caddyllm/llmproxy/routing"
)

// Breaker says when a target that keeps failing is left alone: after so many
// failures in a row, or when too few of its latest calls went well. It is asked
// again by a single call, and used again once that goes well.
type Breaker struct {
	// Leaves no target alone. Default: false.
	Off bool `json:"off,omitempty"`

	// How many failures in a row are too many. Default: 5.
	Failures int `json:"failures,omitempty"`

	// The percentage of calls that must go well. Default: 50.
	SuccessRate int `json:"success_rate,omitempty"`

	// How many calls there must be within the window for their percentage to
	// count. Default: 10.
	Samples int `json:"samples,omitempty"`

	// How far back calls count for the percentage. Default: 30s.
	Window caddy.Duration `json:"window,omitempty"`

	// How long the target is left alone at first. It doubles each time that it
	// fails again. Default: 5s.
	Open caddy.Duration `json:"open,omitempty"`

	// How long the target is left alone at most. Default: 300s.
	MaxOpen caddy.Duration `json:"max_open,omitempty"`
}

const breakerOff = "off"

// UnmarshalJSON reads an object, or the word off.
func (b *Breaker) UnmarshalJSON(data []byte) error {
	if string(data) == strconv.Quote(breakerOff) {
		*b = Breaker{Off: true}
		return nil
	}
	if len(data) == 0 || data[0] != '{' {
		return errors.New(`breaker must be "off" or an object`)
	}
	type plain Breaker // without this method
	return decodeStrictly(data, (*plain)(b))
}

// policy is what the breaker says, with the defaults for what it does not.
func (b *Breaker) policy() routing.Breaker {
	p := routing.DefaultBreaker
	if b == nil {
		return p
	}
	p.Off = b.Off
	if b.Failures > 0 {
		p.Consecutive = b.Failures
	}
	if b.SuccessRate > 0 {
		p.Share = float64(b.SuccessRate) / 100
	}
	if b.Samples > 0 {
		p.Samples = b.Samples
	}
	for _, d := range []struct {
		set  caddy.Duration
		into *time.Duration
	}{{b.Window, &p.Window}, {b.Open, &p.Open}, {b.MaxOpen, &p.MaxOpen}} {
		if d.set > 0 {
			*d.into = time.Duration(d.set)
		}
	}
	return p
}

func (b *Breaker) check() error {
	if b == nil {
		return nil
	}
	const pointer = "/breaker"
	if b.Off && *b != (Breaker{Off: true}) {
		return &placedError{pointer, errors.New("a breaker that is off takes no other options")}
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"failures", int64(b.Failures)}, {"success_rate", int64(b.SuccessRate)}, {"samples", int64(b.Samples)},
		{"window", int64(b.Window)}, {"open", int64(b.Open)}, {"max_open", int64(b.MaxOpen)},
	} {
		if n.value < 0 {
			return &placedError{pointer + "/" + n.name, fmt.Errorf("%s must be positive", n.name)}
		}
	}
	if b.SuccessRate > 100 {
		return &placedError{pointer + "/success_rate", errors.New("success_rate is a percentage, up to 100")}
	}
	if p := b.policy(); p.MaxOpen < p.Open {
		return &placedError{pointer, fmt.Errorf("max_open (%v) must not be less than open (%v)", p.MaxOpen, p.Open)}
	}
	return nil
}

// readBreaker reads breaker off, or breaker { … }.
func (c *Config) readBreaker(d *caddyfile.Dispenser) error {
	c.Breaker = new(Breaker)
	if d.NextArg() {
		if d.Val() != breakerOff || d.NextArg() {
			return d.Err("breaker takes the word off, or a block")
		}
		c.Breaker.Off = true
		return directive.NoBlock(d)
	}
	block, empty := directive.Block{Dispenser: d}, true
	for nesting := d.Nesting(); d.NextBlock(nesting); empty = false {
		if err := block.Once(); err != nil {
			return err
		}
		if err := c.Breaker.readOption(d); err != nil {
			return err
		}
	}
	if empty {
		return d.Err("breaker takes the word off, or a block with options")
	}
	if err := c.Breaker.check(); err != nil {
		return d.Err(err.Error())
	}
	return nil
}

func (b *Breaker) readOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "failures":
		return directive.Number(d, &b.Failures)
	case "samples":
		return directive.Number(d, &b.Samples)
	case "success_rate":
		return b.readRate(d)
	case "window":
		return directive.Duration(d, &b.Window)
	case "open":
		return directive.Duration(d, &b.Open)
	case "max_open":
		return directive.Duration(d, &b.MaxOpen)
	}
	return d.Errf("unrecognized subdirective %q: breaker takes failures, success_rate, samples, window, open and max_open", d.Val())
}

// readRate reads a percentage, with or without its sign.
func (b *Breaker) readRate(d *caddyfile.Dispenser) error {
	var text string
	if err := directive.One(d, &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	if err != nil || n < 1 || n > 100 {
		return d.Errf("success_rate must be a percentage from 1 to 100, not %q", text)
	}
	b.SuccessRate = n
	return nil
}

// Interface guard
var _ json.Unmarshaler = (*Breaker)(nil)
