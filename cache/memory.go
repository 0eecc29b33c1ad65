// Package cache keeps small things for a short time.
package cache

import (
	"container/list"
	"strings"
	"sync"
	"time"

	gocache "github.com/patrickmn/go-cache"
)

// ShortLived is a bounded map whose entries expire. It is for small things that
// the gateway can do without: when it is full, the oldest give way.
//
// A key may begin with the name of a group and a zero byte. No group may fill
// more than a part of the map, so that one that keeps much forgets its own first.
type ShortLived[V any] struct {
	entries *gocache.Cache // which knows what has expired
	most    int
	ttl     time.Duration
	weigh   func(V) int

	mu     sync.Mutex
	places map[string]*place
	groups map[string]*queue
	all    queue
}

// share is the part of the map that one group may fill: a quarter.
const share = 4

// queue holds places, the oldest first, and what they weigh together.
type queue struct {
	list.List
	weight int
}

// place is where an entry stands in the order of their coming.
type place struct {
	key, group string
	weight     int
	expires    time.Time
	// inAll and inGroup are its elements in the two queues.
	inAll, inGroup *list.Element
}

// NewShortLived makes a map whose entries together weigh at most so much, each
// kept for ttl. Without weigh every entry weighs one.
//
// Expired entries are removed as others come, not by a goroutine: there would be
// nobody to end it.
func NewShortLived[V any](most int, ttl time.Duration, weigh func(V) int) *ShortLived[V] {
	if weigh == nil {
		weigh = func(V) int { return 1 }
	}
	return &ShortLived[V]{
		entries: gocache.New(ttl, 0), most: most, ttl: ttl, weigh: weigh,
		places: make(map[string]*place), groups: make(map[string]*queue),
	}
}

// Keep stores a value, or not if it alone is too much.
func (s *ShortLived[V]) Keep(key string, value V) {
	p := &place{key: key, weight: s.weigh(value), expires: time.Now().Add(s.ttl)}
	limit := s.most
	if group, _, ok := strings.Cut(key, "\x00"); ok {
		p.group, limit = group, max(1, s.most/share)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.places[key]; old != nil {
		s.remove(old)
	}
	if p.weight > limit {
		return
	}
	group := s.groups[p.group]
	if group == nil {
		group = new(queue)
		s.groups[p.group] = group
	}
	for group.weight+p.weight > limit {
		s.remove(group.Front().Value.(*place))
	}
	for first := s.all.Front(); first != nil; first = s.all.Front() {
		oldest := first.Value.(*place)
		if s.all.weight+p.weight <= s.most && time.Now().Before(oldest.expires) {
			break
		}
		s.remove(oldest)
	}
	s.groups[p.group] = group // which may have been removed with its last entry
	p.inAll, p.inGroup = s.all.PushBack(p), group.PushBack(p)
	s.all.weight += p.weight
	group.weight += p.weight
	s.places[key] = p
	s.entries.SetDefault(key, value)
}

func (s *ShortLived[V]) remove(p *place) {
	group := s.groups[p.group]
	s.all.Remove(p.inAll)
	group.Remove(p.inGroup)
	s.all.weight -= p.weight
	if group.weight -= p.weight; group.Len() == 0 {
		delete(s.groups, p.group)
	}
	delete(s.places, p.key)
	s.entries.Delete(p.key)
}

// Find returns what was kept under key.
func (s *ShortLived[V]) Find(key string) (value V, ok bool) {
	found, ok := s.entries.Get(key)
	if !ok {
		return value, false
	}
	value, ok = found.(V)
	return value, ok
}

// Len counts the entries, expired ones that have not been removed included.
func (s *ShortLived[V]) Len() int { return s.entries.ItemCount() }
