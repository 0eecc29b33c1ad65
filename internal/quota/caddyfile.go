package quota

import (
	"encoding/json"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddyllm/llmproxy/internal/directive"
)

// Read reads a block of limits, from where the dispenser stands at its name. Syntax:
//
//	limits {
//		requests    <n> <window>
//		rpm         <n>
//		rpd         <n>
//		tokens      <n> <window>
//		tpm         <n>
//		concurrency <n>
//		budget      <usd> <window>
//		queue       <duration> [<length>]
//		unpriced    allow|refuse
//		per_key {
//			… the same
//		}
//	}
func Read(d *caddyfile.Dispenser, at Place) (*Limits, error) {
	l := new(Limits)
	if err := l.read(d, at); err != nil {
		return nil, err
	}
	if err := l.Check(at); err != nil {
		return nil, d.Err(err.Error())
	}
	return l, nil
}

func (l *Limits) read(d *caddyfile.Dispenser, at Place) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	block := directive.Block{Dispenser: d}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := l.readLine(&block, at); err != nil {
			return err
		}
		if err := l.checkLine(); err != nil {
			return d.Err(err.Error())
		}
	}
	return nil
}

// checkLine finds what is wrong as soon as it was read, where the error has its line.
func (l *Limits) checkLine() error {
	soFar := *l
	if len(soFar.Budget) == 0 {
		soFar.Unpriced = "" // a budget may follow
	}
	_, err := soFar.rules()
	return err
}

func (l *Limits) readLine(b *directive.Block, at Place) error {
	d := b.Dispenser
	name := b.Val()
	switch name {
	case "requests":
		return readWindow(d, &l.Requests)
	case "tokens":
		return readWindow(d, &l.Tokens)
	case "budget":
		return l.readBudget(d)
	}
	if err := b.Once(); err != nil {
		return err
	}
	switch name {
	case "rpm":
		return readAmount(d, &l.RPM)
	case "rpd":
		return readAmount(d, &l.RPD)
	case "tpm":
		return readAmount(d, &l.TPM)
	case "concurrency":
		return readAmount(d, &l.Concurrency)
	case "queue":
		return l.readQueue(d)
	case "unpriced":
		return l.readUnpriced(d)
	case "per_key":
		if at == Members {
			l.PerKey = new(Limits)
			return l.PerKey.read(d, Single)
		}
	}
	more := ""
	if at == Members {
		more = ", per_key"
	}
	return b.Errf("unrecognized subdirective %q: limits takes requests, rpm, rpd, tokens, tpm, concurrency, budget, queue%s and unpriced", name, more)
}

func readAmount(d *caddyfile.Dispenser, into *int64) error {
	name := d.Val()
	var text string
	if err := directive.One(d, &text); err != nil {
		return err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return d.Errf("%s must be a whole number from 1 on, not %q", name, text)
	}
	*into = n
	return nil
}

func readWindow(d *caddyfile.Dispenser, into *Windows) error {
	name := d.Val()
	var text string
	var w Window
	if !d.AllArgs(&text, &w.Window) {
		return d.Errf("%s is written: %s <n> <window>", name, name)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return d.Errf("%s must be a whole number from 1 on, not %q", name, text)
	}
	w.Max = n
	*into = append(*into, w)
	return directive.NoBlock(d)
}

func (l *Limits) readBudget(d *caddyfile.Dispenser) error {
	var usd, window string
	if !d.AllArgs(&usd, &window) {
		return d.Err("budget is written: budget <usd> <window>")
	}
	if !json.Valid([]byte(usd)) {
		return d.Errf("budget must be an amount in dollars, such as 20 or 0.5, not %q", usd)
	}
	l.Budget = append(l.Budget, Budget{USD: json.Number(usd), Window: window})
	return directive.NoBlock(d)
}

// readQueue reads queue <duration> [<length>].
func (l *Limits) readQueue(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return d.ArgErr()
	}
	wait, err := caddy.ParseDuration(args[0])
	if err != nil || wait <= 0 {
		return d.Errf("queue takes the longest wait, a duration such as 30s, not %q", args[0])
	}
	l.Queue = &Queue{Wait: caddy.Duration(wait)}
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 || n > maxLength {
			return d.Errf("the length of queue must be a whole number from 1 to %d, not %q", maxLength, args[1])
		}
		l.Queue.Length = n
	}
	return directive.NoBlock(d)
}

func (l *Limits) readUnpriced(d *caddyfile.Dispenser) error {
	if err := directive.One(d, &l.Unpriced); err != nil {
		return err
	}
	if l.Unpriced != unpricedAllow && l.Unpriced != unpricedRefuse {
		return d.Errf("unpriced takes %s or %s, not %q", unpricedAllow, unpricedRefuse, l.Unpriced)
	}
	return nil
}
