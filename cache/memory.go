// Package cache keeps small things for a short time.
package cache

import (
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"
)

// ShortLived is a bounded map whose entries expire. It is for small things that
// the gateway can do without: when it is full, new entries are not kept.
type ShortLived[V any] struct {
	entries *gocache.Cache
	most    int
	swept   atomic.Int64 // when, in Unix seconds
}

// NewShortLived makes a map of at most so many entries, each kept for ttl.
//
// Expired entries are swept when the map is full, not by a goroutine: there
// would be nobody to end it.
func NewShortLived[V any](most int, ttl time.Duration) *ShortLived[V] {
	return &ShortLived[V]{entries: gocache.New(ttl, 0), most: most}
}

// Keep stores a value, or not if the map is full.
func (s *ShortLived[V]) Keep(key string, value V) {
	if s.entries.ItemCount() >= s.most {
		if _, replaces := s.entries.Get(key); !replaces && !s.sweep() {
			return
		}
	}
	s.entries.SetDefault(key, value)
}

// sweep makes room, at most once a second: it looks at every entry.
func (s *ShortLived[V]) sweep() bool {
	now, last := time.Now().Unix(), s.swept.Load()
	if now == last || !s.swept.CompareAndSwap(last, now) {
		return false
	}
	s.entries.DeleteExpired()
	return s.entries.ItemCount() < s.most
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

// Len counts the entries, expired ones that have not been swept included.
func (s *ShortLived[V]) Len() int { return s.entries.ItemCount() }
