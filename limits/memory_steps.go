package limits

import (
	"context"
	"time"
)

// Reserve implements Store.
func (m *Memory) Reserve(_ context.Context, id string, claims []Claim) (Decision, error) {
	if err := check(id, claims); err != nil {
		return Decision{}, err
	}
	now := m.now()
	s := m.callsOf(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.all[id]; r != nil {
		if now < r.deadline {
			return Decision{Reservation: r, States: r.states}, nil
		}
		m.expire(s, r)
	}
	r := newReservation(id, claims)
	for i := range r.grants {
		if err := m.find(&r.grants[i]); err != nil {
			r.letGo()
			m.full.Add(1)
			return Decision{}, err
		}
	}
	if !m.charge(r, claims, now) {
		r.letGo()
		s.done.Refused++
		return Decision{States: r.states}, nil
	}
	r.deadline = now + m.ttl
	s.all[id] = r
	s.done.Granted++
	return Decision{Reservation: r, States: r.states}, nil
}

// charge charges all claims, or none.
func (m *Memory) charge(r *Reservation, claims []Claim, now int64) bool {
	r.lock()
	defer r.unlock()
	granted := true
	for i := range claims {
		c := r.grants[i].cell
		c.judge(&claims[i], now, &r.states[i])
		granted = granted && !r.states[i].Refused
	}
	for i := range claims {
		c, g, s := r.grants[i].cell, &r.grants[i], &r.states[i]
		if granted {
			c.charge(g, s, now)
			m.touch(c)
		} else {
			s.Charged = 0
		}
		s.Reset = c.reset(g.kind, now)
	}
	return granted
}

// Settle implements Store.
func (m *Memory) Settle(_ context.Context, r *Reservation, actual Actual) (Settlement, error) {
	s := m.callsOf(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	var done Settlement
	switch m.finish(s, r, func(g *grant) int64 {
		final, disbelieved := g.settled(actual)
		done.Disbelieved = done.Disbelieved || disbelieved
		return final
	}) {
	case ended:
		return Settlement{Repeated: true}, nil
	case expired:
		done.Late = true
		s.done.Late++
	}
	s.done.Settled++
	if done.Disbelieved {
		s.done.Disbelieved++
	}
	return done, nil
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, r *Reservation, refund Refund) error {
	s := m.callsOf(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	m.finish(s, r, func(g *grant) int64 { return g.released(refund) })
	return nil
}

// finish books the final charges of a reservation, once, and returns the stage that it was
// in. The caller holds the lock of its shard.
func (m *Memory) finish(s *callShard, r *Reservation, final func(*grant) int64) stage {
	now := m.now()
	if r.stage == open && now >= r.deadline {
		m.expire(s, r)
	}
	was := r.stage
	switch was {
	case ended:
		return was
	case expired:
		for i := range r.grants {
			_ = m.find(&r.grants[i]) // without room, what is left of it is not worth an error
		}
	default:
		delete(s.all, r.id)
	}
	for i := range r.grants {
		g := &r.grants[i]
		n := final(g)
		if g.cell == nil {
			continue
		}
		g.cell.mu.Lock()
		g.cell.settle(g, n, now)
		m.touch(g.cell)
		g.cell.mu.Unlock()
	}
	r.letGo()
	r.stage = ended
	return was
}

// Renew implements Store.
func (m *Memory) Renew(_ context.Context, all []*Reservation) error {
	now := m.now()
	for _, r := range all {
		m.renew(r, now)
	}
	return nil
}

func (m *Memory) renew(r *Reservation, now int64) {
	s := m.callsOf(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.stage != open || now >= r.deadline {
		return
	}
	r.deadline = now + m.ttl
	for i := range r.grants {
		g := &r.grants[i]
		if g.kind != Concurrency {
			continue
		}
		// A lease that ended meanwhile begins again: the call is under way, whatever the limit says.
		g.cell.mu.Lock()
		g.cell.leases.remove(&g.lease)
		g.cell.leases.add(&g.lease, now+int64(LeaseTime/time.Microsecond))
		g.cell.mu.Unlock()
	}
}
