package limits

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// model is what the stores are to do, written as plainly as it can be.
type model struct {
	now   int64
	used  map[Bucket]map[int64]int64  // what was charged, by slot
	held  map[Bucket]map[string]int64 // until when
	spans map[Bucket]span
	open  map[string]*modelCall
}

type modelCall struct {
	deadline int64
	claims   []Claim
	charged  []int64
	slots    []int64
	ended    bool
}

func newModel(now int64) *model {
	return &model{now: now, used: map[Bucket]map[int64]int64{}, held: map[Bucket]map[string]int64{}, spans: map[Bucket]span{}, open: map[string]*modelCall{}}
}

func (m *model) sum(c *Claim, at int64) (n int64) {
	if c.Limit.Kind == Concurrency {
		for _, until := range m.held[c.Bucket] {
			if until > at {
				n++
			}
		}
		return n
	}
	for slot, charged := range m.used[c.Bucket] {
		if c.Limit.Window.span().end(slot) > at {
			n += charged
		}
	}
	return n
}

// after is the first time from which at most so much is charged.
func (m *model) after(c *Claim, most int64) int64 {
	at := m.now
	for _, slot := range slices.Sorted(maps.Keys(m.used[c.Bucket])) {
		if m.sum(c, at) <= most {
			break
		}
		at = max(at, c.Limit.Window.span().end(slot))
	}
	return at
}

func (m *model) state(c *Claim) State {
	s := State{Limit: c.Limit, Remaining: max(0, c.Limit.Amount-m.sum(c, m.now))}
	if c.Limit.Kind != Concurrency {
		s.Reset = micros(m.after(c, 0) - m.now)
	}
	return s
}

func (m *model) reserve(id string, claims []Claim) (states []State, granted bool) {
	granted = true
	call := &modelCall{deadline: m.now + int64(defaultTTL/time.Microsecond), claims: claims}
	for i := range claims {
		c := &claims[i]
		s := m.state(c)
		want, need := max(c.Cost, 0), max(c.Cost, 1)
		if c.Limit.Kind == Requests || c.Limit.Kind == Concurrency {
			want = max(want, 1)
		}
		if c.Limit.Kind == Concurrency {
			want, need = 1, 1
		}
		if c.Partial {
			need = 1
		}
		room := c.Limit.Amount - m.sum(c, m.now)
		switch {
		case need <= room:
			s.Charged = min(want, room)
		case need > c.Limit.Amount:
			s.Refused, s.Never, granted = true, true, false
		case c.Limit.Kind == Concurrency:
			s.Refused, s.RetryAfter, granted = true, time.Second, false
		default:
			s.Refused, s.RetryAfter, granted = true, micros(m.after(c, c.Limit.Amount-need)-m.now), false
		}
		states = append(states, s)
	}
	for i := range claims {
		c, s := &claims[i], &states[i]
		if !granted {
			s.Charged = 0
			continue
		}
		slot := int64(0)
		if c.Limit.Kind == Concurrency {
			if m.held[c.Bucket] == nil {
				m.held[c.Bucket] = map[string]int64{}
			}
			m.held[c.Bucket][id] = m.now + int64(LeaseTime/time.Microsecond)
		} else {
			slot = m.charge(c, s.Charged)
		}
		call.charged, call.slots = append(call.charged, s.Charged), append(call.slots, slot)
		after := m.state(c)
		s.Remaining, s.Reset = after.Remaining, after.Reset
	}
	if granted {
		m.open[id] = call
	}
	return states, granted
}

func (m *model) charge(c *Claim, n int64) (slot int64) {
	slot = c.Limit.Window.span().slot(m.now)
	if m.used[c.Bucket] == nil {
		m.used[c.Bucket], m.spans[c.Bucket] = map[int64]int64{}, c.Limit.Window.span()
	}
	if n != 0 {
		m.used[c.Bucket][slot] += n
	}
	return slot
}

// forget drops what counts no more, which nothing can ask for.
func (m *model) forget() {
	for b, parts := range m.used {
		maps.DeleteFunc(parts, func(slot, _ int64) bool { return m.spans[b].end(slot) <= m.now })
	}
}

func (m *model) finish(id string, final func(kind Kind, charged int64) int64) (late, repeated bool) {
	call := m.open[id]
	if call.ended {
		return false, true
	}
	call.ended = true
	for i := range call.claims {
		c := &call.claims[i]
		if c.Limit.Kind == Concurrency {
			delete(m.held[c.Bucket], id)
			continue
		}
		delta := final(c.Limit.Kind, call.charged[i]) - call.charged[i]
		if delta > 0 {
			m.charge(c, delta)
		} else if parts := m.used[c.Bucket]; parts[call.slots[i]] > 0 {
			parts[call.slots[i]] += max(delta, -parts[call.slots[i]])
			if parts[call.slots[i]] == 0 {
				delete(parts, call.slots[i])
			}
		}
	}
	return m.now >= call.deadline, false
}

func (m *model) renew(id string) {
	call := m.open[id]
	if call.ended || m.now >= call.deadline {
		return
	}
	call.deadline = m.now + int64(defaultTTL/time.Microsecond)
	for i := range call.claims {
		if b := call.claims[i].Bucket; call.claims[i].Limit.Kind == Concurrency {
			m.held[b][id] = m.now + int64(LeaseTime/time.Microsecond)
		}
	}
}

// trial does random things to a store and the model, and compares.
type trial struct {
	*harness
	t       *testing.T
	m       *model
	rnd     *rand.Rand
	subject string
	limits  []*Limit // as reloads change them
	steady  []*Limit
	calls   map[string]*Reservation
	ids     []string
	step    int
}

func (r *trial) run(steps int) {
	for r.step = range steps {
		if r.step%50 == 0 {
			r.m.forget()
		}
		switch op := r.rnd.IntN(100); {
		case op < 40:
			r.reserve()
		case op < 70 && len(r.ids) > 0:
			r.end()
		case op < 75 && len(r.ids) > 0:
			id := r.ids[r.rnd.IntN(len(r.ids))]
			if err := r.Renew(context.Background(), []*Reservation{r.calls[id]}); err != nil {
				r.t.Fatal(err)
			}
			r.m.renew(id)
		case op < 82:
			c := claim(fmt.Sprint(r.subject, r.rnd.IntN(2)), r.limits[r.rnd.IntN(len(r.limits))], 0)
			got, err := r.Peek(context.Background(), []Claim{c})
			if err != nil {
				r.t.Fatal(err)
			}
			r.compare(noPointers(got), noPointers([]State{r.m.state(&c)}))
		case op < 84: // a reload
			i := r.rnd.IntN(len(r.limits))
			changed := *r.limits[i]
			changed.Amount = r.steady[i].Amount * int64(r.rnd.IntN(5)) / 2
			r.limits[i] = &changed
		default:
			r.wait()
		}
	}
}

func (r *trial) compare(got, want any) {
	r.t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		r.t.Fatalf("step %d at %v:\n got  %s\n want %s", r.step, time.UnixMicro(r.m.now).UTC(), g, w)
	}
}

func (r *trial) wait() {
	spans := []time.Duration{time.Microsecond, 10 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second, 15 * time.Second, 3 * time.Minute, time.Hour}
	if r.rnd.IntN(50) == 0 {
		spans = []time.Duration{9 * time.Hour, 100 * time.Hour, 700 * time.Hour}
	}
	d := time.Duration(1 + r.rnd.Int64N(int64(spans[r.rnd.IntN(len(spans))]))).Truncate(time.Microsecond)
	r.advance(d)
	r.m.now += int64(d / time.Microsecond)
}

func (r *trial) reserve() {
	var claims []Claim
	for _, i := range r.rnd.Perm(len(r.limits))[:1+r.rnd.IntN(5)] {
		c := claim(fmt.Sprint(r.subject, r.rnd.IntN(2)), r.limits[i], int64(r.rnd.IntN(200)))
		if r.limits[i].Kind == Requests {
			c.Cost = int64(r.rnd.IntN(3))
		}
		c.Partial = r.rnd.IntN(8) == 0
		claims = append(claims, c)
	}
	id := r.subject + "/" + fmt.Sprint(r.step)
	d, err := r.Reserve(context.Background(), id, claims)
	if err != nil {
		r.t.Fatal(err)
	}
	states, ok := r.m.reserve(id, claims)
	r.compare(d.Granted(), ok)
	r.compare(noPointers(d.States), noPointers(states))
	if ok {
		r.calls[id] = d.Reservation
		r.ids = append(r.ids, id)
	}
}

// end settles or releases one of the calls, and now and then will do so again.
func (r *trial) end() {
	i := r.rnd.IntN(len(r.ids))
	id := r.ids[i]
	if r.rnd.IntN(4) == 0 {
		r.release(id)
	} else {
		r.settle(id)
	}
	if r.rnd.IntN(4) != 0 {
		r.ids = slices.Delete(r.ids, i, i+1)
		delete(r.calls, id)
		delete(r.m.open, id)
	}
}

func (r *trial) release(id string) {
	refund := Refund(r.rnd.IntN(3))
	release(r.t, r, r.calls[id], refund)
	r.m.finish(id, func(kind Kind, charged int64) int64 {
		if refund == RefundAll || refund == RefundTokens && kind != Requests {
			return 0
		}
		return charged
	})
}

func (r *trial) settle(id string) {
	actual := used(int64(r.rnd.IntN(400))-20, int64(r.rnd.IntN(500))-20)
	actual.TokensKnown, actual.MoneyKnown = r.rnd.IntN(5) != 0, r.rnd.IntN(5) != 0
	done := settle(r.t, r, r.calls[id], actual)
	late, repeated := r.m.finish(id, func(kind Kind, charged int64) int64 {
		switch {
		case kind == Tokens && actual.TokensKnown && actual.Tokens >= 0:
			return actual.Tokens
		case kind == Money && actual.MoneyKnown && actual.Money >= 0:
			return actual.Money
		}
		return charged
	})
	r.compare(done.Repeated, repeated)
	r.compare(done.Late, late)
}

func noPointers(states []State) []State {
	states = slices.Clone(states)
	for i := range states {
		states[i].Limit = nil
	}
	return states
}

var manyLimits = []*Limit{
	{Name: "rps", Kind: Requests, Amount: 5, Window: PerSecond}, {Name: "rpm", Kind: Requests, Amount: 20, Window: PerMinute},
	{Name: "tpm", Kind: Tokens, Amount: 500, Window: PerMinute}, {Name: "odd", Kind: Tokens, Amount: 900, Window: Window{Length: 7777 * time.Millisecond}},
	{Name: "conc", Kind: Concurrency, Amount: 4}, {Name: "day", Kind: Money, Amount: 3000, Window: PerDay},
	{Name: "week", Kind: Money, Amount: 9000, Window: PerWeek}, {Name: "month", Kind: Money, Amount: 20000, Window: PerMonth},
	{Name: "rolling", Kind: Money, Amount: 2000, Window: Window{Length: 5 * time.Hour}},
}

func TestStoresDoAsTheModel(t *testing.T) {
	steps := 100_000
	if !testing.Short() {
		steps = 200_000
	}
	rounds := func(t *testing.T, h *harness) {
		for seed := range uint64(10) {
			r := &trial{
				harness: h, t: t, m: newModel(h.now()), rnd: rand.New(rand.NewPCG(seed, 7)), subject: fmt.Sprint(seed),
				limits: slices.Clone(manyLimits), steady: manyLimits, calls: map[string]*Reservation{},
			}
			r.run(steps / 10)
		}
	}
	t.Run("memory", func(t *testing.T) { rounds(t, clockedMemory(t)) })
	t.Run("redis", func(t *testing.T) { rounds(t, redisHarness(t)) })
}

// clockedMemory is a memory whose clock the test sets, and that collects now and then.
func clockedMemory(t testing.TB) *harness {
	var now atomic.Int64 // the store's own goroutine reads it too
	now.Store(time.Date(2027, 12, 31, 23, 58, 0, 0, time.UTC).UnixMicro())
	turns := 0
	m, err := NewMemory(MemoryOptions{now: now.Load})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	advance := func(d time.Duration) {
		now.Add(int64(d / time.Microsecond))
		if turns++; turns%10 == 0 {
			m.collect()
		}
	}
	return &harness{Store: m, second: m, advance: advance, now: m.now}
}
