package answers

import (
	"bytes"
	"container/list"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newMemory(t testing.TB, o MemoryOptions) *Memory {
	t.Helper()
	m, err := NewMemory(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// noise is a body that cannot be packed.
func noise(n int, seed uint64) []byte {
	b := make([]byte, 0, n+8)
	r := rand.New(rand.NewPCG(seed, 1))
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:n]
}

func numbered(i int, scope string, body []byte) *Entry {
	e := &Entry{Scope: scope, TTL: time.Hour, Created: time.Now(), Body: body, Model: "m", Provider: "p", Route: "r"}
	binary.BigEndian.PutUint64(e.Key[:], uint64(i)+1)
	return e
}

func TestMemoryKeepsWhatItIsGiven(t *testing.T) {
	m := newMemory(t, MemoryOptions{})
	for i, body := range [][]byte{[]byte("{}"), chatAnswer(1000), chatStream(1000), noise(10000, 1)} {
		e := numbered(i, "key a", body)
		e.Usage.Input, e.Usage.Known = 7, true
		if !m.Put(t.Context(), e) {
			t.Fatal("it is not kept")
		}
		got := m.Get(t.Context(), e.Key)
		if got == nil || !bytes.Equal(got.Body, body) || got.Usage != e.Usage || got.Key != e.Key || !got.Created.Equal(e.Created) {
			t.Errorf("%d: it is another one: %+v", i, got)
		}
	}
	if s := m.Stats(); s.Entries != 4 || s.Hits != 4 || s.Stored != 4 || s.Bytes > 60_000 {
		t.Errorf("%+v", s)
	}
	first := numbered(0, "", nil).Key
	m.Delete(t.Context(), first)
	if m.Get(t.Context(), first) != nil || m.Stats().Misses != 1 {
		t.Error("it is still there")
	}
}

func TestMemoryForgetsWhenTheStaleTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, MemoryOptions{})
		e := numbered(1, "key a", []byte("{}"))
		e.TTL, e.Stale = time.Minute, time.Minute
		m.Put(t.Context(), e)
		time.Sleep(119 * time.Second)
		if got := m.Get(t.Context(), e.Key); got == nil || got.Age(time.Now()) != 119*time.Second {
			t.Error("it is gone too early")
		}
		time.Sleep(2 * time.Second)
		if m.Get(t.Context(), e.Key) != nil {
			t.Error("it is still there")
		}
		if m.Put(t.Context(), e) {
			t.Error("an entry was kept that is over")
		}
		for i := range 100 {
			m.Put(t.Context(), numbered(10+i, "key a", []byte("{}")))
		}
		if s := m.Stats(); s.Expired != 1 || m.scopes.bytes("key a") != s.Bytes {
			t.Errorf("%+v", s)
		}
	})
}

// TestMemoryStaysWithinItsBound floods it with large answers from many callers.
func TestMemoryStaysWithinItsBound(t *testing.T) {
	const most = 16 << 20
	m := newMemory(t, MemoryOptions{MaxSize: most})
	var peak int64
	var mu sync.Mutex
	var all sync.WaitGroup
	bodies := make([][]byte, 8)
	for i := range bodies {
		bodies[i] = noise(300<<10+i*50<<10, uint64(i))
	}
	for caller := range 16 {
		all.Go(func() {
			for i := range 60 {
				m.Put(context.Background(), numbered(caller*1000+i, fmt.Sprintf("key %d", caller), bodies[(caller+i)%len(bodies)]))
				now := m.bytes.Load()
				mu.Lock()
				peak = max(peak, now)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	s := m.Stats()
	t.Logf("%d MiB at most of %d, %d entries at the end, %d evicted, %d rejected", peak>>20, most>>20, s.Entries, s.Evicted, s.Rejected)
	held, n := int64(0), int64(0)
	for _, h := range m.cache.All() {
		held += h.weight
		n++
	}
	if peak > most+most/10 || s.Bytes > most || held != s.Bytes || s.Bytes < most/2 {
		t.Errorf("peak %d, %d at the end, %d found, most %d", peak, s.Bytes, held, most)
	}
	total := int64(0)
	for caller := range 16 {
		total += m.scopes.bytes(fmt.Sprintf("key %d", caller))
	}
	if total != s.Bytes {
		t.Errorf("scopes have %d, all %d", total, s.Bytes)
	}
}

// TestMemoryTakesWhatItSays compares what it counts with what the process takes.
func TestMemoryTakesWhatItSays(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes memory")
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	for _, size := range []int{100, 2000, 100_000} {
		before := heap()
		m := newMemory(t, MemoryOptions{MaxSize: 32 << 20})
		for i := 0; m.Stats().Evicted == 0; i++ {
			m.Put(t.Context(), numbered(i, "shared", noise(size, uint64(i))))
		}
		took, says := heap()-before, m.Stats().Bytes
		t.Logf("bodies of %d bytes: %d entries, %d KiB by its account, %d KiB by the heap", size, m.Stats().Entries, says>>10, took>>10)
		if took > says+says/10 {
			t.Errorf("bodies of %d bytes: it takes %d, and says %d", size, took, says)
		}
		runtime.KeepAlive(m)
	}
}

func TestNoTenantCrowdsOutAnother(t *testing.T) {
	const most = 10 << 20
	m := newMemory(t, MemoryOptions{MaxSize: most})
	body := noise(100<<10, 1)
	for i := range 10 {
		m.Put(t.Context(), numbered(i, "key quiet", body))
	}
	hot := numbered(5000, "key loud", body)
	m.Put(t.Context(), hot)
	for i := range 500 {
		m.Put(t.Context(), numbered(1000+i, "key loud", body))
		m.Get(t.Context(), hot.Key)
		if got := m.scopes.bytes("key loud"); got > most/5 {
			t.Fatalf("the loud one has %d of %d", got, most)
		}
	}
	for i := range 10 {
		if m.Get(t.Context(), numbered(i, "", nil).Key) == nil {
			t.Errorf("entry %d of the quiet one is gone", i)
		}
	}
	if m.Get(t.Context(), hot.Key) == nil {
		t.Error("of its own, the one that is asked for had to go")
	}
	if m.Get(t.Context(), numbered(1499, "", nil).Key) == nil {
		t.Error("its last entry is gone")
	}
	if m.Put(t.Context(), numbered(9000, "key other", noise(3<<20, 1))) {
		t.Error("an entry was kept that is more than a share")
	}
	if !m.Put(t.Context(), numbered(9000, "shared", noise(3<<20, 1))) {
		t.Error("everyone's entry was not kept")
	}
	for i := range 500 {
		if i%2 == 0 {
			m.Delete(t.Context(), numbered(1000+i, "", nil).Key)
		}
	}
	m.Purge(t.Context(), Filter{})
	if len(m.scopes.all) != 0 || m.bytes.Load() != 0 {
		t.Errorf("%d scopes and %d bytes are left of nothing", len(m.scopes.all), m.bytes.Load())
	}
}

func TestPurgeRemovesWhatFits(t *testing.T) {
	m := newMemory(t, MemoryOptions{})
	testPurge(t, m)
}

func testPurge(t *testing.T, s Store) {
	t.Helper()
	put := func() {
		for i := range 20 {
			e := numbered(i, [2]string{"key a", "key b"}[i%2], []byte("{}"))
			e.Route, e.Provider, e.Model = fmt.Sprint("r", i%4), fmt.Sprint("p", i%5), fmt.Sprint("m", i%10)
			if !s.Put(t.Context(), e) {
				t.Fatal("it is not kept")
			}
		}
	}
	for _, test := range []struct {
		filter Filter
		want   int
	}{
		{Filter{}, 20}, {Filter{Scope: "key a"}, 10}, {Filter{Route: "r1"}, 5}, {Filter{Provider: "p3"}, 4}, {Filter{Model: "m9"}, 2},
		{Filter{Scope: "key a", Model: "m9"}, 0}, {Filter{Scope: "key b", Model: "m9"}, 2}, {Filter{Route: "none"}, 0},
	} {
		put()
		n, err := s.Purge(t.Context(), test.filter)
		if n != test.want || err != nil {
			t.Errorf("%+v: %d, %v, want %d", test.filter, n, err, test.want)
		}
		left := 0
		for i := range 20 {
			if s.Get(t.Context(), numbered(i, "", nil).Key) != nil {
				left++
			}
		}
		if left != 20-test.want {
			t.Errorf("%+v: %d are left", test.filter, left)
		}
	}
}

func TestMemoryCanBeResized(t *testing.T) {
	m := newMemory(t, MemoryOptions{MaxSize: 1 << 20})
	for i := range 100 {
		m.Put(t.Context(), numbered(i, "shared", noise(9<<10, uint64(i))))
	}
	m.Resize(1 << 18)
	if s := m.Stats(); s.Bytes > 1<<18 || s.Capacity != 1<<18 {
		t.Errorf("%+v", s)
	}
	m.Resize(0)
	if m.Stats().Capacity != 1<<18 {
		t.Error("it has no bound")
	}
}

func TestMemoryForParallelCallers(t *testing.T) {
	m := newMemory(t, MemoryOptions{MaxSize: 1 << 20})
	var all sync.WaitGroup
	for caller := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(caller), 1))
			for range 2000 {
				i := r.IntN(300)
				key := numbered(i, "", nil).Key
				switch r.IntN(10) {
				case 0:
					m.Delete(context.Background(), key)
				case 1:
					m.Purge(context.Background(), Filter{Scope: fmt.Sprintf("key %d", r.IntN(6))})
				case 2, 3, 4:
					m.Put(context.Background(), numbered(i, fmt.Sprintf("key %d", i%6), noise(100+i*30, uint64(i))))
				default:
					if e := m.Get(context.Background(), key); e != nil && (len(e.Body) != 100+i*30 || !bytes.Equal(e.Body, noise(100+i*30, uint64(i)))) {
						t.Error("it is another one")
					}
				}
			}
		})
	}
	all.Wait()
	m.Purge(context.Background(), Filter{})
	if len(m.scopes.all) != 0 || m.bytes.Load() != 0 || m.cache.EstimatedSize() != 0 {
		t.Errorf("%d scopes, %d bytes are left", len(m.scopes.all), m.bytes.Load())
	}
}

// lru is the plain cache to compare with, bounded by bytes.
type lru struct {
	list  list.List
	byKey map[Key]*list.Element
	bytes int64
	most  int64
}

func (c *lru) ask(e *Entry, weight int64) bool {
	if at := c.byKey[e.Key]; at != nil {
		c.list.MoveToFront(at)
		return true
	}
	type held struct {
		key    Key
		weight int64
	}
	for c.bytes+weight > c.most {
		last := c.list.Back()
		h := c.list.Remove(last).(held)
		delete(c.byKey, h.key)
		c.bytes -= h.weight
	}
	c.byKey[e.Key] = c.list.PushFront(held{e.Key, weight})
	c.bytes += weight
	return false
}

// TestHitRateOfAZipfTrace compares the store with a plain LRU of the same size, with
// questions of which few are asked often, and now and then a scan over many that
// are asked once.
func TestHitRateOfAZipfTrace(t *testing.T) {
	const most = 1 << 20
	for _, scan := range []bool{false, true} {
		m := newMemory(t, MemoryOptions{MaxSize: most})
		plain := lru{byKey: make(map[Key]*list.Element), most: most}
		r := rand.New(rand.NewPCG(1, 2))
		zipf := rand.NewZipf(r, 1.05, 1, 50_000)
		asked, hits, plainHits, next := 0, 0, 0, 1_000_000
		ask := func(i int) {
			e := numbered(i, "shared", nil)
			e.Body = make([]byte, 500+i*7919%1500)
			copy(e.Body, noise(900, uint64(i))) // so that it is not packed to nothing
			e.Body = e.Body[:min(len(e.Body), 900)]
			asked++
			if m.Get(t.Context(), e.Key) != nil {
				hits++
			} else {
				m.Put(t.Context(), e)
			}
			if plain.ask(e, int64(e.weight())) {
				plainHits++
			}
		}
		for i := range 60_000 {
			ask(int(zipf.Uint64()))
			if scan && i%10_000 == 0 {
				for range 5_000 {
					next++
					ask(next)
				}
			}
		}
		ours, theirs := float64(hits)/float64(asked), float64(plainHits)/float64(asked)
		t.Logf("Zipf 1.05 over 50,000 questions, scans %v: hit rate %.1f %%, of a plain LRU %.1f %%", scan, 100*ours, 100*theirs)
		if ours < theirs {
			t.Errorf("a plain LRU is better: %.3f, %.3f", theirs, ours)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	m := newMemory(b, MemoryOptions{})
	for _, test := range []struct {
		name string
		body []byte
	}{{"500 bytes", chatAnswer(40)}, {"json 9 KB", chatAnswer(1000)}, {"stream 28 KB", chatStream(100)}} {
		e := numbered(1, "key a", test.body)
		b.Run("put "+test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Put(context.Background(), e)
			}
		})
		b.Run("get "+test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if m.Get(context.Background(), e.Key) == nil {
					b.Fatal("gone")
				}
			}
		})
	}
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Get(context.Background(), Key{1})
		}
	})
}
