package limits

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store counts what is reserved and used. Its methods may be called from many
// goroutines, and none blocks for long: see the implementations.
type Store interface {
	// Reserve charges every claim, or none and says which limit refused. The id is the
	// reservation's: reserving it again while it is open changes nothing and gives the same
	// answer. It must be unguessable, never come from a client ([NewID]), and not be used
	// again for another try.
	//
	// The error is [ErrUnavailable] if a limit must not be passed without its store; other
	// errors are mistakes of the caller.
	Reserve(ctx context.Context, id string, claims []Claim) (Decision, error)

	// Settle replaces what was estimated by what was used, and ends the leases. More than the
	// estimate is charged now, even above the limit; less is given back where it was charged.
	// Settling again, or after Release, changes nothing. A reservation that has expired is
	// settled too, once, and said to be late.
	Settle(ctx context.Context, r *Reservation, actual Actual) (Settlement, error)

	// Release ends a reservation whose call was not answered, and gives back what it says.
	Release(ctx context.Context, r *Reservation, refund Refund) error

	// Renew keeps open reservations and their leases from expiring.
	Renew(ctx context.Context, open []*Reservation) error

	// Peek tells the state of limits and writes nothing. The costs of claims don't matter.
	Peek(ctx context.Context, claims []Claim) ([]State, error)

	// Stats is what has happened so far.
	Stats() Stats

	// Close ends the store's goroutines and writes what is to be kept.
	Close() error
}

// How long things last without a word from their owner.
const (
	// LeaseTime is how long a call counts as under way. [Limiter] renews leases each 20 seconds.
	LeaseTime = 60 * time.Second
	// defaultTTL is the total deadline of a call, and a minute.
	defaultTTL = 660 * time.Second
)

// ttlOr is how long a reservation lasts: never shorter than its leases.
func ttlOr(d time.Duration) time.Duration {
	if d <= 0 {
		d = defaultTTL
	}
	return max(d, LeaseTime)
}

// ErrUnavailable is returned by Reserve if a limit can't be told and must not be passed
// untold. A caller answers 503 limiter_unavailable.
var ErrUnavailable = errors.New("the store of limits can't be reached")

// ErrUsed is returned by Reserve for an id whose reservation was settled or released.
var ErrUsed = errors.New("the reservation's id was used before")

// Claim asks for a part of a limit.
type Claim struct {
	Bucket Bucket
	// Limit must not be changed after.
	Limit *Limit
	// Cost is the estimate of what will be used; of requests and calls under way at least 1.
	Cost int64
	// Partial lets the claim be granted with what is left, if something is.
	Partial bool
}

// State is what a limit says at one time.
type State struct {
	Limit *Limit
	// Remaining is what is left, never negative.
	Remaining int64
	// Charged is what was reserved, 0 if the call was refused.
	Charged int64
	// Reset is the time until nothing of it is used; 0 if it is so now, or not known.
	Reset time.Duration
	// Refused tells that this limit refuses the call.
	Refused bool
	// Never tells that it always will: the cost exceeds the whole limit.
	Never bool
	// RetryAfter is the time until this limit would not refuse; 0 with Never. For calls under
	// way it is a guess.
	RetryAfter time.Duration
}

// Decision is the answer to Reserve.
type Decision struct {
	// Reservation is to be settled or released; nil if the call was refused.
	Reservation *Reservation
	// States are those of the claims, in their order. Nobody may change them.
	States []State
	// Degraded tells that States are those of this instance alone, or made up: a caller
	// sends no rate headers.
	Degraded bool
}

// Granted tells whether the call may be made.
func (d *Decision) Granted() bool { return d.Reservation != nil }

// Refusal is the limit that refused for the longest time, nil if none did.
func (d *Decision) Refusal() *State {
	var worst *State
	if d.Granted() {
		return nil
	}
	for i := range d.States {
		s := &d.States[i]
		if s.Refused && (worst == nil || s.Never && !worst.Never || s.Never == worst.Never && s.RetryAfter > worst.RetryAfter) {
			worst = s
		}
	}
	return worst
}

// Actual is what a call used. What is not known stays as it was reserved: the zero value
// settles at the estimate.
type Actual struct {
	Tokens      int64
	TokensKnown bool
	Money       int64 // nano-dollars
	MoneyKnown  bool
}

// Refund is what Release gives back.
type Refund uint8

// The refunds.
const (
	// RefundAll is for calls that never left the gateway.
	RefundAll Refund = iota
	// RefundTokens gives back tokens and money, for calls that a provider refused.
	RefundTokens
	// RefundNone only ends the leases, for calls that may have been answered and billed.
	RefundNone
)

// Settlement is what Settle did.
type Settlement struct {
	// Late: the reservation had expired.
	Late bool
	// Disbelieved: a count was negative or absurd, and the estimate stands instead.
	Disbelieved bool
	// Repeated: the reservation was settled or released before, nothing was done.
	Repeated bool
}

// Stats counts events since the store was made.
type Stats struct {
	Granted, Refused, Unavailable int64
	Settled, Late, Disbelieved    int64
	Expired                       int64
	// Degraded counts decisions of this instance alone; Lost the ends of calls that Redis was never told.
	Degraded, Lost int64
	// FileErrors counts failed writes of the state file.
	FileErrors int64
	// Buckets and Open are what memory holds now.
	Buckets, Open int64
}

// maxID bounds ids of reservations.
const maxID = 256

// maxClaims bounds the limits that one call may meet.
const maxClaims = 48

func check(id string, claims []Claim) error {
	if id == "" || len(id) > maxID {
		return fmt.Errorf("limits: a reservation's id has 1 to %d bytes", maxID)
	}
	if len(claims) > maxClaims {
		return fmt.Errorf("limits: %d limits for one call, at most %d are possible", len(claims), maxClaims)
	}
	for i := range claims {
		if claims[i].Limit == nil {
			return errors.New("limits: a claim without a limit")
		}
		for j := range claims[:i] {
			if claims[j].Bucket == claims[i].Bucket {
				return fmt.Errorf("limits: %q and %q count in one bucket", claims[j].Limit.Name, claims[i].Limit.Name)
			}
		}
	}
	return nil
}

// cost is what the claim wants, and need the least it is content with.
func (c *Claim) cost() (want, need int64) {
	want = min(max(c.Cost, 0), c.Limit.Kind.most())
	if c.Limit.Kind == Requests || c.Limit.Kind == Concurrency {
		want = max(want, 1)
	}
	if c.Partial {
		return want, 1
	}
	return want, max(want, 1)
}
