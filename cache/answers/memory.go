package answers

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Memory keeps entries in the process, by their size: those that are asked for
// least give way (W-TinyLFU). No scope but the shared one takes more than a part of
// it; one that wants more loses entries of its own.
type Memory struct {
	cache  *otter.Cache[Key, *held]
	most   atomic.Int64
	part   float64
	bytes  atomic.Int64
	counts memoryCounts
	scopes scopes
	begun  time.Time
}

type memoryCounts struct {
	hits, misses, stored, rejected, evicted, expired, purged, altered atomic.Int64
}

// MemoryOptions are for [NewMemory].
type MemoryOptions struct {
	// MaxSize bounds what is kept, in bytes; 0: 256 MiB.
	MaxSize int64
	// Share is the part of that which one scope may fill; 0: a fifth.
	Share float64
}

// What a Memory takes, if nobody says.
const (
	DefaultMaxSize = 256 << 20
	defaultShare   = 0.2
)

// held is an entry in memory. The body is packed where that pays.
type held struct {
	entry  Entry // without a body, if that is packed
	packed []byte
	size   int // of the body
	weight int64
	place  place
}

// NewMemory makes a store. It has no goroutine.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.MaxSize == 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.Share == 0 {
		o.Share = defaultShare
	}
	if o.MaxSize < 0 || o.Share < 0 || o.Share > 1 {
		return nil, errors.New("answers: the size of a memory is positive, and the share of a scope a part of it")
	}
	m := &Memory{part: o.Share, begun: time.Now()}
	m.most.Store(o.MaxSize)
	m.scopes.all = make(map[string]*scopeQueue)
	var err error
	m.cache, err = otter.New(&otter.Options[Key, *held]{
		MaximumWeight:    uint64(o.MaxSize),
		Weigher:          func(_ Key, h *held) uint32 { return uint32(h.weight) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[Key, *held]) time.Duration { return e.Value.entry.kept(time.Now()) }),
		OnAtomicDeletion: m.deleted,
		// Entries give way where others come: there is no goroutine to end, and no
		// queue of what is to be done while memory grows.
		Executor: func(work func()) { work() },
		Clock:    clock{m.begun},
	})
	return m, err
}

// clock is the time since it was made, which does not jump. It does not tick.
type clock struct{ begun time.Time }

func (c clock) NowNano() int64                    { return int64(time.Since(c.begun)) }
func (clock) Tick(time.Duration) <-chan time.Time { return nil }

// limitOf is what a scope may fill. The shared one has no other beside it that it
// could crowd out: there the cache itself decides what gives way.
func (m *Memory) limitOf(scope string) int64 {
	if scope == sharedScope {
		return math.MaxInt64
	}
	return int64(float64(m.most.Load()) * m.part)
}

// Resize gives the store another bound.
func (m *Memory) Resize(most int64) {
	if most > 0 && m.most.Swap(most) != most {
		m.cache.SetMaximum(uint64(most))
	}
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key Key) *Entry {
	h, ok := m.cache.GetIfPresent(key)
	if !ok {
		m.counts.misses.Add(1)
		return nil
	}
	e, err := h.open()
	if err != nil || e.Key != key {
		m.counts.altered.Add(1)
		m.drop(h)
		return nil
	}
	h.place.touch()
	m.counts.hits.Add(1)
	return e
}

func hold(e *Entry) *held {
	h := &held{entry: *e, size: len(e.Body)}
	h.weight = int64(e.weight())
	if packed, ok := pack(e.Body); ok {
		h.entry.Body, h.packed = nil, packed
		h.weight += int64(len(packed) - len(e.Body))
	}
	return h
}

func (h *held) open() (*Entry, error) {
	if h.packed == nil {
		return &h.entry, nil
	}
	e := h.entry
	var err error
	e.Body, err = unpack(h.packed, h.size)
	return &e, err
}

// Put implements Store. The entry's body is the store's from then on.
func (m *Memory) Put(_ context.Context, e *Entry) bool {
	h := hold(e)
	most := m.most.Load()
	limit := m.limitOf(e.Scope)
	if h.weight > min(limit, most) || e.kept(time.Now()) <= 0 {
		m.counts.rejected.Add(1)
		return false
	}
	victims, room := m.scopes.enter(h, limit)
	for _, victim := range victims {
		m.counts.evicted.Add(1)
		m.drop(victim)
	}
	if !room {
		m.counts.rejected.Add(1)
		return false
	}
	if !m.reserve(h.weight, most+most/10) {
		m.scopes.leave(h)
		m.counts.rejected.Add(1)
		return false
	}
	m.cache.Set(e.Key, h)
	m.scopes.settle(h)
	m.counts.stored.Add(1)
	return true
}

// reserve counts an entry that is to come, if it fits. Where many come at the same
// time, those that are there may not have given way yet.
func (m *Memory) reserve(weight, most int64) bool {
	for tries := 0; ; {
		is := m.bytes.Load()
		switch {
		case is+weight <= most:
			if m.bytes.CompareAndSwap(is, is+weight) {
				return true
			}
		case tries == 2:
			return false
		default:
			tries++
			m.cache.CleanUp()
		}
	}
}

// drop removes an entry, unless another has taken its place.
func (m *Memory) drop(h *held) {
	m.cache.ComputeIfPresent(h.entry.Key, func(is *held) (*held, otter.ComputeOp) {
		if is == h {
			return nil, otter.InvalidateOp
		}
		return is, otter.CancelOp
	})
}

// deleted keeps account of an entry that is gone. It runs under a lock of the
// cache, which must not be called here.
func (m *Memory) deleted(e otter.DeletionEvent[Key, *held]) {
	m.bytes.Add(-e.Value.weight)
	m.scopes.leave(e.Value)
	switch e.Cause {
	case otter.CauseOverflow:
		m.counts.evicted.Add(1)
	case otter.CauseExpiration:
		m.counts.expired.Add(1)
	}
}

// Delete implements Store.
func (m *Memory) Delete(_ context.Context, key Key) { m.cache.Invalidate(key) }

// Purge implements Store.
func (m *Memory) Purge(ctx context.Context, f Filter) (n int, err error) {
	for _, h := range m.cache.All() {
		if err = ctx.Err(); err != nil {
			break
		}
		if f.fits(&h.entry) {
			m.drop(h)
			n++
		}
	}
	m.counts.purged.Add(int64(n))
	return n, err
}

// Stats implements Store.
func (m *Memory) Stats() Stats {
	c := &m.counts
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Stored: c.stored.Load(), Rejected: c.rejected.Load(),
		Evicted: c.evicted.Load(), Expired: c.expired.Load(), Purged: c.purged.Load(), Altered: c.altered.Load(),
		Entries: int64(m.cache.EstimatedSize()), Bytes: m.bytes.Load(), Capacity: m.most.Load(),
	}
}

// Close implements Store.
func (m *Memory) Close() error {
	m.cache.StopAllGoroutines()
	m.cache.InvalidateAll()
	return nil
}

var _ Store = (*Memory)(nil)
