package history

import (
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/usage"
)

// Span is a time that can be looked back, and in what steps.
type Span struct {
	Name  string
	Step  time.Duration
	Steps int
	first int // its place among the buckets of a series
}

// Spans are all there are. The last step of each is the one that goes on.
var Spans = [...]Span{
	{"1h", time.Minute, 60, 0},
	{"6h", 5 * time.Minute, 72, 60},
	{"24h", 15 * time.Minute, 96, 60 + 72},
}

const allBuckets = 60 + 72 + 96

// SpanOf finds a span by its name.
func SpanOf(name string) (Span, bool) {
	for _, s := range Spans {
		if s.Name == name {
			return s, true
		}
	}
	return Span{}, false
}

// slot numbers the steps since 1970.
func (s *Span) slot(at time.Time) int64 { return at.Unix() / int64(s.Step/time.Second) }

// bucket is one step of one series.
type bucket struct {
	slot int64
	Counts
	duration, firstToken latencies
}

func (b *bucket) merge(o *bucket) {
	b.Counts.add(&o.Counts)
	b.duration.add(&o.duration)
	b.firstToken.add(&o.firstToken)
}

// series has a ring of buckets for each span. Every call goes into all of them, so
// that none has to be made of another when somebody looks.
type series struct {
	used    time.Time
	buckets [allBuckets]bucket
}

// at is the bucket of a time, emptied if it was of another one.
func (s *series) at(span *Span, at time.Time) *bucket {
	slot := span.slot(at)
	b := &s.buckets[span.first+int(uint64(slot)%uint64(span.Steps))]
	if b.slot != slot {
		*b = bucket{slot: slot}
	}
	return b
}

func (s *series) add(at time.Time, r *usage.Record, c *Counts) {
	s.used = at
	for i := range Spans {
		b := s.at(&Spans[i], at)
		b.Counts.add(c)
		if r.Ending != usage.Complete {
			continue // how fast a refusal was says nothing of answers
		}
		b.duration.observe(r.Duration)
		if r.Stream && r.FirstToken > 0 {
			b.firstToken.observe(r.FirstToken)
		}
	}
}

func (s *series) addCounts(at time.Time, c *Counts) {
	s.used = at
	for i := range Spans {
		s.at(&Spans[i], at).Counts.add(c)
	}
}

// each calls f with the buckets of a span that are not empty, by their step.
func (s *series) each(span *Span, now time.Time, f func(step int, b *bucket)) {
	last := span.slot(now)
	for i := range span.Steps {
		slot := last - int64(span.Steps-1-i)
		b := &s.buckets[span.first+int(uint64(slot)%uint64(span.Steps))]
		if b.slot == slot {
			f(i, b)
		}
	}
}

// Dimension is what calls are told apart by.
type Dimension int

// The dimensions.
const (
	Model    Dimension = iota // as the config names it
	Key                       // the id of who called; "": nobody who is known
	Provider                  // "": none was asked
	dimensions
)

// DimensionOf finds a dimension by its name.
func DimensionOf(name string) (Dimension, bool) {
	switch name {
	case "model":
		return Model, true
	case "key":
		return Key, true
	case "provider":
		return Provider, true
	}
	return 0, false
}

// MaxSeries is how many names of a dimension are told apart. Those that come when
// there are as many go together, until one of the others has not been used for a day.
const MaxSeries = 64

// maxName bounds the bytes of a name.
const maxName = 128

// dimension is the series of one dimension.
type dimension struct {
	named map[string]*series
	other *series
}

func (d *dimension) get(name string, at time.Time) *series {
	name = clip(name)
	if s := d.named[name]; s != nil {
		return s
	}
	if len(d.named) >= MaxSeries && !d.forget(at) {
		if d.other == nil {
			d.other = new(series)
		}
		return d.other
	}
	if d.named == nil {
		d.named = make(map[string]*series)
	}
	s := new(series)
	d.named[strings.Clone(name)] = s // the name may be a part of something large
	return s
}

// forget makes room: a series of which nothing is left to show.
func (d *dimension) forget(at time.Time) bool {
	for name, s := range d.named {
		if at.Sub(s.used) > 24*time.Hour {
			delete(d.named, name)
			return true
		}
	}
	return false
}

// clip shortens a text to what is kept of it, at a whole character.
func clip(text string) string {
	if len(text) <= maxName {
		return text
	}
	return strings.ToValidUTF8(text[:maxName-len("…")], "") + "…"
}
