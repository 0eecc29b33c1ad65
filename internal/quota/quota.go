// Package quota is what configs say of limits: one schema for JSON, YAML and the
// Caddyfile, wherever limits can be set.
package quota

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/limits"
	"github.com/caddyllm/llmproxy/usage"
)

// Limits is how much may be used. A window is second, minute or hour, or a duration,
// which slide; or day, week (from Monday) or month, which begin at midnight UTC.
type Limits struct {
	// How many calls may be made in a window.
	Requests Windows `json:"requests,omitempty"`

	// How many calls may be made in a minute, and in a day.
	RPM int64 `json:"rpm,omitempty"`
	RPD int64 `json:"rpd,omitempty"`

	// How many tokens may be used in a window, of prompts and answers together. A
	// call reserves what its prompt is estimated to take and the most that it lets be
	// answered (1024 if it sets no bound), until it is known what it took.
	Tokens Windows `json:"tokens,omitempty"`

	// How many tokens may be used in a minute.
	TPM int64 `json:"tpm,omitempty"`

	// How many calls may be under way at the same time.
	Concurrency int64 `json:"concurrency,omitempty"`

	// How much money may be spent in a window.
	Budget Budgets `json:"budget,omitempty"`

	// Lets calls wait for their turn where a limit would refuse them. Of several that
	// apply to a call the longest counts. Default: none waits.
	Queue *Queue `json:"queue,omitempty"`

	// What becomes of calls under the budget for whose model no price is known: refuse
	// leaves such models out, allow lets them pass for nothing. Default: refuse.
	Unpriced string `json:"unpriced,omitempty"`

	// What each key may use: of a provider, or of a group whose keys have no limits of
	// their own. Default: no limits.
	PerKey *Limits `json:"per_key,omitempty"`
}

// Window is an amount in a window.
type Window struct {
	// The most that may be used.
	Max int64 `json:"max,omitempty"`
	// The window: second, minute, hour, day, week, month or a duration.
	Window string `json:"window,omitempty"`
}

// Budget is money in a window.
type Budget struct {
	// The most that may be spent, in US dollars.
	USD json.Number `json:"usd,omitempty"`
	// The window: second, minute, hour, day, week, month or a duration.
	Window string `json:"window,omitempty"`
}

// Queue is how calls wait.
type Queue struct {
	// The longest wait.
	Wait caddy.Duration `json:"wait,omitempty"`
	// How many calls may wait for one limit. Default: 100.
	Length int `json:"length,omitempty"`
}

// Windows are one or a list.
type Windows []Window

// Budgets are one or a list.
type Budgets []Budget

// UnmarshalJSON reads a list, or one alone.
func (w *Windows) UnmarshalJSON(data []byte) error { return oneOrMore(data, (*[]Window)(w)) }

// UnmarshalJSON reads a list, or one alone.
func (b *Budgets) UnmarshalJSON(data []byte) error { return oneOrMore(data, (*[]Budget)(b)) }

// MarshalJSON writes one alone as such.
func (w Windows) MarshalJSON() ([]byte, error) { return oneAlone([]Window(w)) }

// MarshalJSON writes one alone as such.
func (b Budgets) MarshalJSON() ([]byte, error) { return oneAlone([]Budget(b)) }

func oneOrMore[T any](data []byte, into *[]T) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if len(data) > 0 && data[0] == '[' {
		return decoder.Decode(into)
	}
	var one T
	if err := decoder.Decode(&one); err != nil {
		return err
	}
	*into = []T{one}
	return nil
}

func oneAlone[T any](list []T) ([]byte, error) {
	if len(list) == 1 {
		return json.Marshal(list[0])
	}
	return json.Marshal(list)
}

// What becomes of calls without a price.
const (
	unpricedAllow  = "allow"
	unpricedRefuse = "refuse"
)

const (
	// maxLimits keeps the limits that one call meets within what a reservation holds.
	maxLimits = 8
	// defaultLength is how many calls wait where nothing is said.
	defaultLength = 100
	maxLength     = 100_000
)

// Error is a mistake in a member.
type Error struct {
	// Pointer is where it stands, from the limits on.
	Pointer string
	err     error
}

func (e *Error) Error() string { return "limits: " + e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

func wrong(pointer string, err error) error { return &Error{pointer, err} }

// Place says where limits stand, which decides what they may hold.
type Place uint8

// The places.
const (
	// Single has one subject.
	Single Place = iota
	// Members has keys that may have limits each: a provider, or a group.
	Members
)

// Rules is what the limits say, and what each key may use where they say that. Nil
// limits say nothing.
func (l *Limits) Rules(at Place) (own, perKey *limits.Rules, err error) {
	if l == nil {
		return nil, nil, nil
	}
	if l.PerKey != nil {
		if at != Members {
			return nil, nil, wrong("/per_key", errors.New("per_key is for a provider or a group"))
		}
		if perKey, _, err = l.PerKey.Rules(Single); err != nil {
			var inner *Error
			if errors.As(err, &inner) {
				return nil, nil, wrong("/per_key"+inner.Pointer, fmt.Errorf("per_key: %w", inner.err))
			}
			return nil, nil, err
		}
	}
	own, err = l.rules()
	if err != nil {
		return nil, nil, err
	}
	if len(own.Limits) == 0 {
		if own.Wait == 0 && perKey == nil {
			return nil, nil, wrong("", errors.New("nothing is limited: write rpm, tpm, requests, tokens, concurrency or budget"))
		}
	}
	return own, perKey, nil
}

// Check finds what is wrong.
func (l *Limits) Check(at Place) error {
	_, _, err := l.Rules(at)
	return err
}

func (l *Limits) rules() (*limits.Rules, error) {
	r := new(limits.Rules)
	// Each kind and window has a name, by which users know the limit.
	add := func(pointer string, kind limits.Kind, amount int64, window limits.Window) error {
		limit := limits.Limit{Name: nameOf(kind, window), Kind: kind, Amount: amount, Window: window}
		if amount < 1 {
			return wrong(pointer, fmt.Errorf("%s must be positive", limit.Name))
		}
		r.Limits = append(r.Limits, limit)
		if err := limits.ValidateAll(r.Limits); err != nil {
			return wrong(pointer, err)
		}
		if len(r.Limits) > maxLimits {
			return wrong(pointer, fmt.Errorf("at most %d limits can stand together", maxLimits))
		}
		return nil
	}
	for _, short := range []struct {
		pointer string
		kind    limits.Kind
		amount  int64
		window  limits.Window
	}{
		{"/rpm", limits.Requests, l.RPM, limits.PerMinute}, {"/rpd", limits.Requests, l.RPD, limits.PerDay},
		{"/tpm", limits.Tokens, l.TPM, limits.PerMinute}, {"/concurrency", limits.Concurrency, l.Concurrency, limits.Window{}},
	} {
		if short.amount == 0 {
			continue
		}
		if err := add(short.pointer, short.kind, short.amount, short.window); err != nil {
			return nil, err
		}
	}
	for _, list := range []struct {
		pointer string
		kind    limits.Kind
		windows Windows
	}{{"/requests", limits.Requests, l.Requests}, {"/tokens", limits.Tokens, l.Tokens}} {
		for _, w := range list.windows {
			window, err := parseWindow(w.Window)
			if err != nil {
				return nil, wrong(list.pointer, err)
			}
			if err := add(list.pointer, list.kind, w.Max, window); err != nil {
				return nil, err
			}
		}
	}
	for _, b := range l.Budget {
		window, err := parseWindow(b.Window)
		if err != nil {
			return nil, wrong("/budget", err)
		}
		amount, ok := usage.ParseMoney(b.USD.String())
		if !ok {
			return nil, wrong("/budget", errors.New("budget must be an amount in dollars, such as 20 or 0.5"))
		}
		if err := add("/budget", limits.Money, int64(amount), window); err != nil {
			return nil, err
		}
	}
	return r, l.options(r)
}

// options reads what is no limit itself.
func (l *Limits) options(r *limits.Rules) error {
	switch l.Unpriced {
	case "", unpricedAllow, unpricedRefuse:
	default:
		return wrong("/unpriced", fmt.Errorf("unpriced must be %s or %s, not %q", unpricedAllow, unpricedRefuse, l.Unpriced))
	}
	if l.Unpriced != "" && len(l.Budget) == 0 {
		return wrong("/unpriced", errors.New("unpriced is for a budget, and there is none"))
	}
	r.Unpriced = l.Unpriced == unpricedAllow
	if q := l.Queue; q != nil {
		if q.Wait <= 0 {
			return wrong("/queue", errors.New("queue needs the longest wait, such as 30s"))
		}
		if q.Length < 0 || q.Length > maxLength {
			return wrong("/queue", fmt.Errorf("the length of queue must be from 1 to %d", maxLength))
		}
		r.Wait, r.Length = time.Duration(q.Wait), q.Length
		if r.Length == 0 {
			r.Length = defaultLength
		}
	}
	return nil
}

var errWindow = errors.New("the window must be second, minute, hour, day, week, month or a duration from 1s to 366d")

func parseWindow(text string) (limits.Window, error) {
	if w, err := limits.ParseWindow(text); err == nil {
		return w, nil
	}
	length, err := caddy.ParseDuration(text) // which knows days
	if err != nil || length < time.Second || length > 366*24*time.Hour {
		return limits.Window{}, errWindow
	}
	return limits.Window{Length: length}, nil
}

// nameOf is how users know a limit.
func nameOf(kind limits.Kind, window limits.Window) string {
	switch {
	case kind == limits.Concurrency:
		return kind.String()
	case kind == limits.Requests && window == limits.PerMinute:
		return "rpm"
	case kind == limits.Requests && window == limits.PerDay:
		return "rpd"
	case kind == limits.Tokens && window == limits.PerMinute:
		return "tpm"
	}
	return kind.String() + " per " + window.String()
}
