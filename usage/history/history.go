// Package history keeps what calls were over the last 24 hours, for people who
// look at it: counts and latencies by model, key and provider, and the last calls
// themselves. It holds no text of a conversation, and takes at most [MaxMemory]
// bytes whatever is recorded.
package history

import (
	"sync"
	"time"

	"github.com/caddyllm/llmproxy/usage"
)

// MaxMemory bounds what a [History] takes, in bytes: 196 series of 96 KiB, one of all
// calls and at most 65 for each of three dimensions, and 200 calls of at most 4 KB. A series
// is made when its first call is recorded.
const MaxMemory = 20 << 20

// History is safe for use by several goroutines. It has no clock: a record says
// when its call was over, and who reads says what time it is.
type History struct {
	since   time.Time
	mu      sync.Mutex
	all     series
	by      [dimensions]dimension
	seconds [liveSeconds]second
	day     int64 // since 1970, in UTC
	today   Counts
	calls   ring
}

// liveSeconds is how far back rates go.
const liveSeconds = 60

// second is what happened in one second.
type second struct {
	slot             int64
	requests, tokens int64
}

// New is an empty history that begins at a time.
func New(since time.Time) *History { return &History{since: since} }

// Record adds a call that is over.
func (h *History) Record(r *usage.Record) {
	at := r.Start.Add(r.Duration)
	whole, answer := countsOf(r), answerOf(r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all.add(at, r, &whole)
	h.by[Model].get(r.Route, at).add(at, r, &whole)
	h.by[Key].get(r.Principal, at).add(at, r, &whole)
	// Of what a call consumed, each provider has its own part.
	h.by[Provider].get(r.Provider, at).add(at, r, &answer)
	for i := range r.Failures {
		failed := failureOf(&r.Failures[i])
		h.by[Provider].get(r.Failures[i].Provider, at).addCounts(at, &failed)
	}
	h.live(at, &whole)
	h.calls.add(r)
}

func (h *History) live(at time.Time, c *Counts) {
	slot := at.Unix()
	s := &h.seconds[uint64(slot)%liveSeconds]
	if s.slot != slot {
		*s = second{slot: slot}
	}
	s.requests += c.Requests
	s.tokens += c.Tokens()
	day := dayOf(at)
	if day > h.day {
		h.day, h.today = day, Counts{}
	}
	if day == h.day { // and not of a call that was over before midnight
		h.today.add(c)
	}
}

func dayOf(at time.Time) int64 { return at.Unix() / int64(24*time.Hour/time.Second) }
