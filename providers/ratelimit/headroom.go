// Package ratelimit reads what providers say about their limits: how much of
// them is left, and how long to wait. What is malformed or unknown is ignored;
// nothing is made up.
package ratelimit

import "time"

// Headroom is what a provider's answer said of the limits that it counts
// against. It is a fact of one moment and ages.
type Headroom struct {
	Requests, Tokens Budget
	// Input and Output are limits on these tokens alone.
	Input, Output Budget
	// At is when it was read; zero: nothing was said.
	At time.Time
}

// Budget is what is left of one limit.
type Budget struct {
	// Known tells that the provider said what remains.
	Known     bool
	Remaining int64
	// Limit is the whole; 0: not said.
	Limit int64
	// Reset is when the whole is there again; zero: not said.
	Reset time.Time
}

// Known tells whether anything was said.
func (h *Headroom) Known() bool { return !h.At.IsZero() }

// Renew takes in what was said later. Limits that this does not speak of stay.
func (h *Headroom) Renew(later *Headroom) {
	for _, b := range [...]struct{ known, later *Budget }{
		{&h.Requests, &later.Requests}, {&h.Tokens, &later.Tokens}, {&h.Input, &later.Input}, {&h.Output, &later.Output},
	} {
		if b.later.Known {
			*b.known = *b.later
		}
	}
	h.At = later.At
}

// Left is what is left now, as far as the provider said: the whole once the limit was reset.
func (b *Budget) Left(now time.Time) (n int64, known bool) {
	if b.Limit > 0 && !b.Reset.IsZero() && !now.Before(b.Reset) {
		return b.Limit, b.Known
	}
	return b.Remaining, b.Known
}

// Empty tells whether a call that takes so many requests and tokens, input and
// output together, would be refused, and until when. What is not said is taken
// to suffice, and so is a limit that does not say when it is reset. Of input
// and output limits only a used up one counts: how the tokens will be split is
// not known.
func (h *Headroom) Empty(now time.Time, requests, tokens int64) (until time.Time, empty bool) {
	for _, need := range [...]struct {
		budget *Budget
		amount int64
	}{
		{&h.Requests, requests}, {&h.Tokens, tokens}, {&h.Input, min(tokens, 1)}, {&h.Output, min(tokens, 1)},
	} {
		if need.budget.short(need.amount) && need.budget.Reset.After(now) {
			empty = true
			if need.budget.Reset.After(until) {
				until = need.budget.Reset
			}
		}
	}
	return until, empty
}

func (b *Budget) short(amount int64) bool {
	if b.Limit > 0 && amount > b.Limit {
		amount = 1 // it fits at no time: to wait would not help
	}
	return b.Known && b.Remaining < amount
}

// stale is how long a budget without a reset is believed: most windows are minutes.
const stale = time.Minute

// Share is the part that is left of the limit of which least is left, 0 to 1.
// It is 1 where nothing is known, and of limits that were reset since.
func (h *Headroom) Share(now time.Time) float64 {
	least := 1.0
	for _, b := range [...]*Budget{&h.Requests, &h.Tokens, &h.Input, &h.Output} {
		if b.Known && b.Limit > 0 && now.Before(b.end(h.At)) {
			least = min(least, float64(b.Remaining)/float64(b.Limit))
		}
	}
	return least
}

func (b *Budget) end(read time.Time) time.Time {
	if b.Reset.IsZero() {
		return read.Add(stale)
	}
	return b.Reset
}

// add takes in a budget over another window: the one that lets less through
// counts, of equal ones that which lasts longer.
func (b *Budget) add(other Budget) {
	if !b.Known || other.Remaining < b.Remaining || other.Remaining == b.Remaining && other.Reset.After(b.Reset) {
		*b = other
	}
}
