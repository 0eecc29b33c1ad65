package limits

import (
	"crypto/rand"
	"sync/atomic"
)

// Reservation is what a call holds until it is settled or released. It is of the store
// that granted it.
type Reservation struct {
	id     string
	grants []grant
	states []State

	// Of memory, under the lock of its shard.
	stage    stage
	deadline int64

	// Of Redis.
	local     *Reservation // granted by this instance alone
	uncertain bool         // Redis may have granted it without saying so
	ended     atomic.Bool

	// Where the renewal keeps it: the part from 1, and the place there, -1 if it was forgotten.
	part     atomic.Int32
	tracked  int
	renewals int

	// Most calls meet no more limits than this.
	fewGrants [4]grant
	fewStates [4]State
}

// grant is what was charged for one claim.
type grant struct {
	bucket  Bucket
	kind    Kind
	span    span
	slot    int64 // where it was charged
	charged int64

	// Of memory.
	cell  *cell
	lease lease
}

type stage uint8

const (
	open stage = iota
	expired
	ended
)

// NewID makes an id for a reservation.
func NewID() string { return rand.Text() }

// ID is the id that it was reserved with.
func (r *Reservation) ID() string { return r.id }

// HasLease tells whether it holds a slot among calls under way, which ends unless it is renewed.
func (r *Reservation) HasLease() bool {
	for i := range r.grants {
		if r.grants[i].kind == Concurrency {
			return true
		}
	}
	return r.local != nil && r.local.HasLease()
}

func newReservation(id string, claims []Claim) *Reservation {
	r := &Reservation{id: id, tracked: -1}
	if n := len(claims); n <= len(r.fewGrants) {
		r.grants, r.states = r.fewGrants[:n:n], r.fewStates[:n:n]
	} else {
		r.grants, r.states = make([]grant, n), make([]State, n)
	}
	for i := range claims {
		limit := claims[i].Limit
		r.states[i].Limit = limit
		g := &r.grants[i]
		g.bucket, g.kind = claims[i].Bucket, limit.Kind
		if g.kind != Concurrency {
			g.span = limit.Window.span()
		}
	}
	return r
}

// settled is what a grant is to be charged in the end. A count that can't be true is not believed.
func (g *grant) settled(actual Actual) (final int64, disbelieved bool) {
	var n int64
	switch {
	case g.kind == Tokens && actual.TokensKnown:
		n = actual.Tokens
	case g.kind == Money && actual.MoneyKnown:
		n = actual.Money
	default:
		return g.charged, false
	}
	if n < 0 || n > g.kind.most() {
		return g.charged, true
	}
	return n, false
}

// released is what stays charged of a grant.
func (g *grant) released(refund Refund) int64 {
	switch {
	case refund == RefundAll, refund == RefundTokens && g.kind != Requests:
		return 0
	}
	return g.charged
}
