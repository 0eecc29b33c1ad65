package limits

import (
	"context"
	"time"
)

// Reserve implements Store.
func (s *Redis) Reserve(ctx context.Context, id string, claims []Claim) (Decision, error) {
	if err := check(id, claims); err != nil {
		return Decision{}, err
	}
	r := newReservation(id, claims)
	if len(claims) == 0 {
		return Decision{Reservation: r}, nil
	}
	key, member := s.keyOf(id)
	keys, args := make([]string, 1, 1+len(claims)), make([]string, 3, 3+4*len(claims))
	keys[0] = key
	args[0], args[1], args[2] = microseconds(s.o.TTL), microseconds(LeaseTime), member
	for i := range claims {
		want, need := claims[i].cost()
		keys = append(keys, s.bucketKey(claims[i].Bucket))
		args = append(args, r.grants[i].word(), itoa(claims[i].Limit.Amount), itoa(want), itoa(need))
	}
	out, maybe, err := s.call(ctx, &s.scripts.reserve, keys, args)
	if err != nil || len(out) == 0 || out[0] >= 0 && len(out) != 1+6*len(claims) {
		r.uncertain = maybe
		return s.alone(ctx, r, claims)
	}
	if out[0] < 0 {
		return Decision{}, ErrUsed
	}
	for i := range claims {
		n, st := out[1+6*i:], &r.states[i]
		st.Remaining, st.Charged, st.Reset = n[0], n[1], micros(n[2])
		st.Refused, st.Never, st.RetryAfter = n[3] > 0, n[3] == 2, micros(n[4])
		r.grants[i].charged, r.grants[i].slot = n[1], n[5]
	}
	if out[0] == 0 {
		s.stats.refused.Add(1)
		return Decision{States: r.states}, nil
	}
	s.stats.granted.Add(1)
	return Decision{Reservation: r, States: r.states}, nil
}

// alone decides without the server.
func (s *Redis) alone(ctx context.Context, r *Reservation, claims []Claim) (Decision, error) {
	s.stats.degraded.Add(1)
	mine := make([]Claim, 0, len(claims))
	for i := range claims {
		st := &r.states[i]
		*st = State{Limit: claims[i].Limit, Remaining: claims[i].Limit.Amount}
		switch claims[i].Limit.away() {
		case AwayDeny:
			s.undo(r)
			s.stats.unavailable.Add(1)
			return Decision{}, ErrUnavailable
		case AwayLocal:
			mine = append(mine, s.scaled(&claims[i]))
		}
	}
	d, err := s.local.Reserve(ctx, r.id, mine)
	if err != nil {
		s.undo(r)
		s.stats.unavailable.Add(1)
		return Decision{}, err
	}
	k := 0
	for i := range claims {
		if claims[i].Limit.away() == AwayLocal {
			r.states[i] = d.States[k]
			r.states[i].Limit = claims[i].Limit
			k++
		}
	}
	if !d.Granted() {
		s.undo(r)
		s.stats.refused.Add(1)
		return Decision{States: r.states, Degraded: true}, nil
	}
	s.stats.granted.Add(1)
	r.local = d.Reservation
	return Decision{Reservation: r, States: r.states, Degraded: true}, nil
}

// undo has what the server may have reserved unheard taken back, later: this call has
// waited for the server already.
func (s *Redis) undo(r *Reservation) {
	if r.uncertain {
		e := s.ending(r, func(g *grant) int64 { return 0 })
		e.made = time.Now()
		s.keep(e)
	}
}

// ending is the word to the server that a reservation has ended.
func (s *Redis) ending(r *Reservation, final func(*grant) int64) *ending {
	key, member := s.keyOf(r.id)
	e := &ending{keys: make([]string, 1, 1+len(r.grants)), args: make([]string, 3, 3+4*len(r.grants))}
	e.keys[0] = key
	e.args[0], e.args[1], e.args[2] = microseconds(endTime), "0", member
	if r.uncertain {
		e.args[1] = "1"
	}
	for i := range r.grants {
		g := &r.grants[i]
		e.keys = append(e.keys, s.bucketKey(g.bucket))
		e.args = append(e.args, g.word(), itoa(g.slot), itoa(g.charged), itoa(final(g)))
	}
	return e
}

// Settle implements Store. If the server is away it is told later.
func (s *Redis) Settle(ctx context.Context, r *Reservation, actual Actual) (Settlement, error) {
	if r.ended.Swap(true) {
		return Settlement{Repeated: true}, nil
	}
	var done Settlement
	if r.local != nil {
		done, _ = s.local.Settle(ctx, r.local, actual)
	}
	if len(r.grants) > 0 && (r.local == nil || r.uncertain) {
		said := s.tell(ctx, s.ending(r, func(g *grant) int64 {
			final, disbelieved := g.settled(actual)
			done.Disbelieved = done.Disbelieved || disbelieved
			return g.unheard(r, final, disbelieved || final == g.charged)
		}))
		done.Late, done.Repeated = done.Late || said == saidLate, said == saidRepeated
	}
	s.count(done)
	return done, nil
}

// unheard is the final charge as it is told to a server whose answer was never heard: there
// the estimate is known, here it is not.
func (g *grant) unheard(r *Reservation, final int64, estimate bool) int64 {
	if r.uncertain && estimate {
		return -1
	}
	return final
}

func (s *Redis) count(done Settlement) {
	if done.Repeated {
		return
	}
	s.stats.settled.Add(1)
	if done.Late {
		s.stats.late.Add(1)
	}
	if done.Disbelieved {
		s.stats.disbelieved.Add(1)
	}
}

// Release implements Store. If the server is away it is told later.
func (s *Redis) Release(ctx context.Context, r *Reservation, refund Refund) error {
	if r.ended.Swap(true) {
		return nil
	}
	if r.local != nil {
		s.local.Release(ctx, r.local, refund)
	}
	if len(r.grants) > 0 && (r.local == nil || r.uncertain) {
		s.tell(ctx, s.ending(r, func(g *grant) int64 {
			kept := refund == RefundNone || refund == RefundTokens && g.kind == Requests
			return g.unheard(r, g.released(refund), kept)
		}))
	}
	return nil
}

// renewBatch is how many reservations one script renews.
const renewBatch = 100

// Renew implements Store.
func (s *Redis) Renew(ctx context.Context, open []*Reservation) error {
	var locals []*Reservation
	var keys, args []string
	var first error
	n := 0
	send := func() {
		if n == 0 {
			return
		}
		args[0], args[1] = microseconds(s.o.TTL), microseconds(LeaseTime)
		if _, _, err := s.call(ctx, &s.scripts.renew, keys, args); err != nil && first == nil {
			first = err
		}
		keys, args, n = nil, nil, 0
	}
	for _, r := range open {
		if r.local != nil {
			locals = append(locals, r.local)
		}
		if r.local != nil && !r.uncertain || len(r.grants) == 0 {
			continue
		}
		if n == 0 {
			args = make([]string, 2, 2+2*renewBatch)
		}
		key, member := s.keyOf(r.id)
		keys = append(keys, key)
		leases := 0
		for i := range r.grants {
			if r.grants[i].kind == Concurrency {
				keys = append(keys, s.bucketKey(r.grants[i].bucket))
				leases++
			}
		}
		args = append(args, member, itoa(int64(leases)))
		if n++; n == renewBatch {
			send()
		}
	}
	send()
	s.local.Renew(ctx, locals)
	return first
}

// Peek implements Store. Without the server it says ErrUnavailable.
func (s *Redis) Peek(ctx context.Context, claims []Claim) ([]State, error) {
	states := make([]State, len(claims))
	if len(claims) == 0 {
		return states, nil
	}
	keys, args := make([]string, 0, len(claims)), make([]string, 0, 2*len(claims))
	for i := range claims {
		g := grant{kind: claims[i].Limit.Kind}
		if g.kind != Concurrency {
			g.span = claims[i].Limit.Window.span()
		}
		keys = append(keys, s.bucketKey(claims[i].Bucket))
		args = append(args, g.word(), itoa(claims[i].Limit.Amount))
	}
	out, _, err := s.call(ctx, &s.scripts.peek, keys, args)
	if err != nil || len(out) != 2*len(claims) {
		return nil, ErrUnavailable
	}
	for i := range states {
		states[i] = State{Limit: claims[i].Limit, Remaining: out[2*i], Reset: micros(out[2*i+1])}
	}
	return states, nil
}
