package answers

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// scopes keeps account of what each scope has in memory.
type scopes struct {
	mu  sync.Mutex
	all map[string]*scopeQueue
}

// scopeQueue holds the entries of one scope in the order of their coming.
type scopeQueue struct {
	list.List
	bytes int64
}

// place is where an entry stands in its scope. All but used belongs to scopes.
type place struct {
	used    atomic.Bool
	queue   *scopeQueue // nil: the entry does not count
	element *list.Element
}

// touch notes that an entry was asked for.
func (p *place) touch() {
	if !p.used.Load() {
		p.used.Store(true)
	}
}

// enter counts an entry that is to come, and tells which ones must go for it: of
// those that came first the ones that were not asked for since they were last passed
// over. It is false if there is no room for it, as others are to come too.
func (s *scopes) enter(h *held, limit int64) (victims []*held, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[h.entry.Scope]
	if q == nil {
		q = new(scopeQueue)
		s.all[h.entry.Scope] = q
	}
	for q.bytes+h.weight > limit && q.Len() > 0 {
		first := q.Front()
		victim := first.Value.(*held)
		if victim.place.used.Swap(false) {
			q.MoveToBack(first)
			continue
		}
		victims = append(victims, victim)
		s.uncount(victim)
	}
	if q.bytes+h.weight > limit {
		return victims, false
	}
	s.all[h.entry.Scope] = q // which may have been removed with its last entry
	h.place.queue = q
	q.bytes += h.weight
	return victims, true
}

// settle lets an entry stand in its scope, unless it has gone already.
func (s *scopes) settle(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := h.place.queue; q != nil {
		h.place.element = q.PushBack(h)
	}
}

// leave is an entry fewer.
func (s *scopes) leave(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uncount(h)
}

func (s *scopes) uncount(h *held) {
	q := h.place.queue
	if q == nil {
		return
	}
	h.place.queue = nil
	q.bytes -= h.weight
	if h.place.element != nil {
		q.Remove(h.place.element)
		h.place.element = nil
	}
	if q.bytes == 0 {
		delete(s.all, h.entry.Scope)
	}
}

// bytes is what a scope has.
func (s *scopes) bytes(scope string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.all[scope]; q != nil {
		return q.bytes
	}
	return 0
}
