package limits

import (
	"sync"
	"sync/atomic"
)

// lines are the calls that wait, one line per bucket that refuses.
type lines struct {
	count atomic.Int64 // of all that wait

	mu  sync.Mutex
	all map[Bucket]*line
	seq uint64
}

// line is what waits for one bucket. Only the waiter in front tries; when it leaves, the
// first of the next key is in front.
type line struct {
	bucket Bucket
	count  int
	front  *waiter
	files  map[string]*queued
	last   *queued // whose turn was last, in a ring
}

// queued are the waiters of one key, the oldest first.
type queued struct {
	key         string
	first, last *waiter
	prev, next  *queued
}

// waiter is a call in a line.
type waiter struct {
	key        string
	seq        uint64
	turn       chan struct{} // a word that trying may be worth it; it holds one
	line       *line
	file       *queued
	prev, next *waiter
}

// first is the first of the buckets that somebody waits for.
func (l *lines) first(claims []Claim) (Bucket, bool) {
	if l.count.Load() == 0 {
		return Bucket{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range claims {
		if l.all[claims[i].Bucket] != nil {
			return claims[i].Bucket, true
		}
	}
	return Bucket{}, false
}

// enter puts a waiter in line, unless that is full.
func (l *lines) enter(at Bucket, w *waiter, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.seq == 0 {
		l.seq++
		w.seq = l.seq
	}
	return l.put(at, w, most)
}

func (l *lines) put(at Bucket, w *waiter, most int) bool {
	n := l.all[at]
	if n == nil {
		n = &line{bucket: at, files: make(map[string]*queued)}
		l.all[at] = n
	}
	if n.count >= most {
		return false
	}
	n.count++
	l.count.Add(1)
	w.line = n
	n.queue(w)
	n.advance()
	return true
}

// leave takes a waiter out of its line, and lets the next come to the front.
func (l *lines) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take(w)
}

func (l *lines) take(w *waiter) {
	n := w.line
	if n == nil {
		return
	}
	w.line = nil
	n.count--
	l.count.Add(-1)
	n.unqueue(w)
	if n.front == w {
		n.front = nil
	}
	if n.count == 0 {
		delete(l.all, n.bucket)
		return
	}
	n.advance()
}

// move puts a waiter in another line, among those of its key by the time of its coming.
func (l *lines) move(to Bucket, w *waiter, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take(w)
	return l.put(to, w, most)
}

func (l *lines) inFront(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return w.line != nil && w.line.front == w
}

// wake tells those in front of the lines for a reservation's buckets that it has ended.
func (l *lines) wake(r *Reservation) {
	if l.count.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range r.grants {
		if n := l.all[r.grants[i].bucket]; n != nil && n.front != nil {
			n.front.signal()
		}
	}
}

func (w *waiter) signal() {
	select {
	case w.turn <- struct{}{}:
	default: // it was told already
	}
}

// advance brings the next to the front if nobody is there.
func (n *line) advance() {
	if n.front != nil || n.last == nil {
		return
	}
	n.last = n.last.next
	n.front = n.last.first
	n.front.signal()
}

func (n *line) queue(w *waiter) {
	f := n.files[w.key]
	if f == nil {
		f = &queued{key: w.key}
		n.files[w.key] = f
		if n.last == nil {
			f.prev, f.next, n.last = f, f, f
		} else { // at the end of the ring: only the key that had the last turn comes after
			f.next, f.prev = n.last, n.last.prev
			f.prev.next, f.next.prev = f, f
		}
	}
	w.file = f
	after := f.last
	for after != nil && after.seq > w.seq {
		after = after.prev
	}
	w.prev = after
	if after == nil {
		w.next, f.first = f.first, w
	} else {
		w.next, after.next = after.next, w
	}
	if w.next == nil {
		f.last = w
	} else {
		w.next.prev = w
	}
}

func (n *line) unqueue(w *waiter) {
	f := w.file
	if w.prev == nil {
		f.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		f.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.file, w.prev, w.next = nil, nil, nil
	if f.first != nil {
		return
	}
	delete(n.files, f.key)
	if f.next == f {
		n.last = nil
		return
	}
	f.prev.next, f.next.prev = f.next, f.prev
	if n.last == f {
		n.last = f.prev
	}
}
