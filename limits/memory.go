package limits

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Memory counts in this process. It is made for being shared and kept over reloads:
// it holds facts only.
//
// Its time is the wall clock at its start and the monotonic clock since: a clock
// that is set changes nothing.
type Memory struct {
	now   func() int64
	ttl   int64
	most  int64
	seed  maphash.Seed
	seq   atomic.Uint64
	full  atomic.Int64 // calls refused for want of room
	count atomic.Int64 // of buckets

	cells [shards]cellShard
	calls [shards]callShard

	file *file
	stop chan struct{}
	done sync.WaitGroup
	once sync.Once
	end  error
}

const shards = 128

// cellShard holds a part of the buckets.
type cellShard struct {
	mu  sync.Mutex
	all map[Bucket]*cell
	_   [48]byte // a cache line each
}

// callShard holds a part of the open reservations. Locks are taken in the order
// callShard, cellShard, cell; of several cells in the order of their seq.
type callShard struct {
	mu   sync.Mutex
	all  map[string]*Reservation
	done Stats // of this part
	_    [24]byte
}

// MemoryOptions are for [NewMemory].
type MemoryOptions struct {
	// TTL is when a reservation that nobody settles or renews expires; default 11 minutes.
	TTL time.Duration
	// MaxBuckets bounds the buckets; default a million (some 600 MB if all are busy). A
	// call that needs one more is refused with ErrUnavailable.
	MaxBuckets int64
	// File keeps budgets and counts of an hour and longer over restarts; empty: nothing is kept.
	// It is opened at once, and must not be open in another process.
	File string

	now func() int64 // of tests: microseconds since 1970
}

// sweepGap is how often what is over is looked for.
const sweepGap = 10 * time.Second

// NewMemory makes an empty store, or one with what its file says.
func NewMemory(o MemoryOptions) (*Memory, error) {
	m := &Memory{now: o.now, most: o.MaxBuckets, seed: maphash.MakeSeed(), stop: make(chan struct{})}
	if m.now == nil {
		m.now = monotonic()
	}
	m.ttl = int64(ttlOr(o.TTL) / time.Microsecond)
	if m.most <= 0 {
		m.most = 1_000_000
	}
	for i := range shards {
		m.cells[i].all = make(map[Bucket]*cell)
		m.calls[i].all = make(map[string]*Reservation)
	}
	if o.File != "" {
		file, err := openFile(o.File, m.restore)
		if err != nil {
			return nil, err
		}
		m.file = file
		m.done.Go(func() { m.file.run(m.stop) })
	}
	m.done.Go(m.sweep)
	return m, nil
}

// monotonic is a clock that starts with the wall clock's time and that nobody can set.
func monotonic() func() int64 {
	start := time.Now()
	base := start.UnixMicro()
	return func() int64 { return base + int64(time.Since(start)/time.Microsecond) }
}

// Close implements Store.
func (m *Memory) Close() error {
	m.once.Do(func() {
		close(m.stop)
		m.done.Wait()
		if m.file != nil {
			m.end = m.file.close()
		}
	})
	return m.end
}

// Stats implements Store.
func (m *Memory) Stats() Stats {
	sum := Stats{Buckets: m.count.Load(), Unavailable: m.full.Load()}
	for i := range m.calls {
		s := &m.calls[i]
		s.mu.Lock()
		sum.Granted += s.done.Granted
		sum.Refused += s.done.Refused
		sum.Settled += s.done.Settled
		sum.Late += s.done.Late
		sum.Disbelieved += s.done.Disbelieved
		sum.Expired += s.done.Expired
		sum.Open += int64(len(s.all))
		s.mu.Unlock()
	}
	if m.file != nil {
		sum.FileErrors = m.file.failed.Load()
	}
	return sum
}

func (m *Memory) callsOf(id string) *callShard {
	return &m.calls[maphash.String(m.seed, id)%shards]
}

var errFull = errors.Join(ErrUnavailable, errors.New("more subjects than MaxBuckets"))

// find points a grant to its cell, which is made if it is new, and holds it.
func (m *Memory) find(g *grant) error {
	s := &m.cells[g.bucket[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.all[g.bucket]
	if c == nil {
		if m.count.Add(1) > m.most {
			m.count.Add(-1)
			return errFull
		}
		c = m.newCell(g)
		s.all[g.bucket] = c
	}
	c.held.Add(1)
	g.cell = c
	return nil
}

func (m *Memory) newCell(g *grant) *cell {
	c := &cell{bucket: g.bucket, seq: m.seq.Add(1)}
	c.counter.span = g.span
	c.kept = m.file != nil && lasting(g.kind, g.span)
	return c
}

// letGo ends the hold on the cells that were found.
func (r *Reservation) letGo() {
	for i := range r.grants {
		if c := r.grants[i].cell; c != nil {
			c.held.Add(-1)
			r.grants[i].cell = nil
		}
	}
}

// lock locks the cells of a reservation, always in one order.
func (r *Reservation) lock() {
	var order [maxClaims]uint8
	for i := range r.grants {
		k := i
		for ; k > 0 && r.grants[order[k-1]].cell.seq > r.grants[i].cell.seq; k-- {
			order[k] = order[k-1]
		}
		order[k] = uint8(i)
	}
	for _, i := range order[:len(r.grants)] {
		r.grants[i].cell.mu.Lock()
	}
}

func (r *Reservation) unlock() {
	for i := range r.grants {
		r.grants[i].cell.mu.Unlock()
	}
}

// sweep drops, now and then, reservations that have expired and cells that say nothing.
func (m *Memory) sweep() {
	tick := time.NewTicker(sweepGap)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			m.collect()
		}
	}
}

func (m *Memory) collect() {
	now := m.now()
	for i := range m.calls {
		s := &m.calls[i]
		s.mu.Lock()
		for _, r := range s.all {
			if now >= r.deadline {
				m.expire(s, r)
			}
		}
		s.mu.Unlock()
	}
	for i := range m.cells {
		s := &m.cells[i]
		s.mu.Lock()
		for bucket, c := range s.all {
			if c.held.Load() != 0 {
				continue
			}
			c.mu.Lock()
			idle := c.idle(now)
			if idle {
				m.touch(c) // the file forgets it too
			}
			c.mu.Unlock()
			if idle {
				delete(s.all, bucket)
				m.count.Add(-1)
			}
		}
		s.mu.Unlock()
	}
}

// expire ends a reservation that was neither settled nor renewed in time. What it has
// reserved stays charged. The caller holds the shard's lock.
func (m *Memory) expire(s *callShard, r *Reservation) {
	r.stage = expired
	delete(s.all, r.id)
	for i := range r.grants {
		if g := &r.grants[i]; g.kind == Concurrency {
			g.cell.mu.Lock()
			g.cell.leases.remove(&g.lease)
			g.cell.mu.Unlock()
		}
	}
	r.letGo()
	s.done.Expired++
}

// touch has a cell written to the file, if it is kept there. The caller holds its lock.
func (m *Memory) touch(c *cell) {
	if c.kept && !c.dirty {
		c.dirty = true
		m.file.mark(c)
	}
}

var _ Store = (*Memory)(nil)

// Peek implements Store.
func (m *Memory) Peek(_ context.Context, claims []Claim) ([]State, error) {
	now := m.now()
	states := make([]State, len(claims))
	for i := range claims {
		claim, s := &claims[i], &states[i]
		s.Limit, s.Remaining = claim.Limit, claim.Limit.Amount
		shard := &m.cells[claim.Bucket[0]%shards]
		shard.mu.Lock()
		if c := shard.all[claim.Bucket]; c != nil {
			c.mu.Lock()
			s.Remaining = max(0, claim.Limit.Amount-c.used(claim.Limit.Kind, now))
			s.Reset = c.reset(claim.Limit.Kind, now)
			c.mu.Unlock()
		}
		shard.mu.Unlock()
	}
	return states, nil
}
