package answers

import (
	"strings"
	"time"
)

// Control is what a client's Cache-Control asks of the cache, as in RFC 9111, 5.2.1.
// The zero value asks nothing.
type Control struct {
	// NoStore: the answer is not stored, and none that is stored is wanted.
	NoStore bool
	// NoCache: none that is stored is wanted; the new one may be stored.
	NoCache bool
	// OnlyIfCached: a provider must not be asked.
	OnlyIfCached bool

	// The rest counts if it was said.
	MaxAge, MinFresh, MaxStale, StaleIfError Seconds
}

// Seconds is a duration of a directive that may not have been said.
type Seconds struct {
	time.Duration
	Said bool
}

// Forever is the argument of a max-stale without one.
const Forever = time.Duration(1<<63 - 1)

// maxSeconds is what larger numbers count for, as RFC 9111, 1.2.2 wants it.
const maxSeconds = 1 << 31

// ParseControl reads the Cache-Control header of a request. What is said twice
// counts where it is stricter. An argument that is no number of seconds counts for
// the strictest one: a client that wants something of the age of an answer is not
// given one of any age.
func ParseControl(header []string) (c Control) {
	for _, line := range header {
		for d, rest := nextDirective(line); d.name != "" || rest != ""; d, rest = nextDirective(rest) {
			c.take(d)
		}
	}
	return c
}

func (c *Control) take(d directive) {
	switch {
	case d.is("no-store"):
		c.NoStore = true
	case d.is("no-cache"):
		c.NoCache = true
	case d.is("only-if-cached"):
		c.OnlyIfCached = true
	case d.is("max-age"):
		c.MaxAge.shorten(d.seconds(0))
	case d.is("min-fresh"):
		if n := d.seconds(Forever); !c.MinFresh.Said || n > c.MinFresh.Duration {
			c.MinFresh = Seconds{n, true}
		}
	case d.is("max-stale") && !d.hasValue:
		c.MaxStale.shorten(Forever)
	case d.is("max-stale"):
		c.MaxStale.shorten(d.seconds(0))
	case d.is("stale-if-error"):
		c.StaleIfError.shorten(d.seconds(0))
	}
}

func (s *Seconds) shorten(to time.Duration) {
	if !s.Said || to < s.Duration {
		*s = Seconds{to, true}
	}
}

// Look tells whether a stored answer is wanted at all.
func (c *Control) Look() bool { return !c.NoStore && !c.NoCache }

// Fresh tells whether an answer may be served in place of a new one.
func (c *Control) Fresh(e *Entry, now time.Time) bool {
	age := e.Age(now)
	left := e.TTL - age
	switch {
	case !c.Look(), c.MaxAge.Said && age > c.MaxAge.Duration:
		return false
	case c.MinFresh.Said && left < c.MinFresh.Duration:
		return false
	case left > 0:
		return true
	}
	return c.MaxStale.Said && -left <= c.MaxStale.Duration
}

// InNeed tells whether an answer may be served because nothing else can: it is not
// older than the operator and the client allow for that.
func (c *Control) InNeed(e *Entry, now time.Time) bool {
	late := e.Age(now) - e.TTL
	return c.Look() && late <= e.Stale && (!c.StaleIfError.Said || late <= c.StaleIfError.Duration)
}

// directive is one of a Cache-Control header.
type directive struct {
	name, value string
	hasValue    bool
}

// is compares names, which have no case.
func (d *directive) is(name string) bool {
	return len(d.name) == len(name) && strings.EqualFold(d.name, name)
}

// nextDirective cuts the first directive off a list. Both results are empty at its end.
func nextDirective(list string) (d directive, rest string) {
	list = strings.TrimLeft(list, ", \t")
	end := strings.IndexAny(list, ",=")
	if end < 0 {
		return directive{name: strings.TrimRight(list, " \t")}, ""
	}
	d.name = strings.TrimRight(list[:end], " \t")
	if list[end] == ',' {
		return d, list[end+1:]
	}
	d.hasValue = true
	value := strings.TrimLeft(list[end+1:], " \t")
	if strings.HasPrefix(value, `"`) {
		d.value, rest = quotedValue(value)
		if _, after, more := strings.Cut(rest, ","); more {
			return d, after
		}
		return d, ""
	}
	d.value, rest, _ = strings.Cut(value, ",")
	d.value = strings.TrimRight(d.value, " \t")
	return d, rest
}

// quotedValue reads a quoted string. Numbers have nothing to escape in them: what
// has is none.
func quotedValue(s string) (value, rest string) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:]
		}
	}
	return s[1:], ""
}

// seconds is the argument, or strict if it is none.
func (d *directive) seconds(strict time.Duration) time.Duration {
	if d.value == "" {
		return strict
	}
	n := int64(0)
	for _, c := range []byte(d.value) {
		if c < '0' || c > '9' {
			return strict
		}
		n = min(n*10+int64(c-'0'), maxSeconds)
	}
	return time.Duration(n) * time.Second
}
