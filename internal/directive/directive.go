// Package directive reads Caddyfile subdirectives strictly: what is surplus,
// repeated or unknown is an error, never ignored.
package directive

import (
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// Block keeps track of what a block has said already.
type Block struct {
	*caddyfile.Dispenser
	seen []string
}

// Once refuses a subdirective that stands twice.
func (b *Block) Once() error {
	name := b.Val()
	if slices.Contains(b.seen, name) {
		return b.Errf("%s stands twice", name)
	}
	b.seen = append(b.seen, name)
	return nil
}

// One reads exactly one argument and no block.
func One(d *caddyfile.Dispenser, into *string) error {
	if !d.AllArgs(into) {
		return d.ArgErr()
	}
	return NoBlock(d)
}

// Some reads at least one argument and no block.
func Some(d *caddyfile.Dispenser, into *[]string) error {
	if *into = d.RemainingArgs(); len(*into) == 0 {
		return d.ArgErr()
	}
	return NoBlock(d)
}

// NoBlock refuses a block where none is expected: its lines would otherwise be
// read as lines of the block around it.
func NoBlock(d *caddyfile.Dispenser) error {
	if d.NextBlock(d.Nesting()) {
		return d.Errf("%q: no block is expected here", d.Val())
	}
	return nil
}

// Flag reads an option that says all by being there.
func Flag(d *caddyfile.Dispenser, into *bool) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	*into = true
	return NoBlock(d)
}

// Count reads a whole number from 0 on.
func Count(d *caddyfile.Dispenser, into **int) error {
	name := d.Val()
	var text string
	if err := One(d, &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return d.Errf("%s must be a whole number from 0 on, not %q", name, text)
	}
	*into = &n
	return nil
}

// Number reads a whole number from 1 on.
func Number(d *caddyfile.Dispenser, into *int) error {
	name := d.Val()
	var text string
	if err := One(d, &text); err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return d.Errf("%s must be a whole number from 1 on, not %q", name, text)
	}
	*into = n
	return nil
}

// Duration reads a positive duration, such as 30s.
func Duration(d *caddyfile.Dispenser, into *caddy.Duration) error {
	name := d.Val()
	var text string
	if err := One(d, &text); err != nil {
		return err
	}
	duration, err := caddy.ParseDuration(text)
	if err != nil || duration <= 0 {
		return d.Errf("%s must be a positive duration such as 30s, not %q", name, text)
	}
	*into = caddy.Duration(duration)
	return nil
}

// maxSize is far above what anyone means.
const maxSize = 1 << 40

// Size reads a number of bytes, such as 32MiB.
func Size(d *caddyfile.Dispenser, into *int64) error {
	name := d.Val()
	var text string
	if err := One(d, &text); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > maxSize {
		return d.Errf("%s must be a size such as 32MiB, not %q", name, text)
	}
	*into = int64(n)
	return nil
}
