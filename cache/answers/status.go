package answers

import (
	"net/http"
	"strconv"
	"time"
)

// cacheName is the cache's name in Cache-Status, RFC 9211.
const cacheName = "llm_proxy"

// Forward is why a provider was asked, in the words of RFC 9211, 2.2.
type Forward string

// The reasons to ask a provider.
const (
	// ForwardBypass: the answer to such a request is not cached.
	ForwardBypass Forward = "bypass"
	// ForwardRequest: the client wanted no stored answer.
	ForwardRequest Forward = "request"
	// ForwardMiss: there is none.
	ForwardMiss Forward = "miss"
	// ForwardStale: there is one that is too old.
	ForwardStale Forward = "stale"
)

// Status is what became of a request at the cache. It says nothing of the key.
type Status struct {
	// Hit tells that a stored answer was served; TTL is how long it is fresh still,
	// negative if it is not.
	Hit bool
	TTL time.Duration
	// Forward is why there was no hit.
	Forward Forward
	// Collapsed tells that the answer is that of a call which another one made.
	Collapsed bool
	// Stored tells that the answer was stored.
	Stored bool
	// Detail is why it was not cached, if that is known.
	Detail Reason
}

// String is the header's value.
func (s *Status) String() string {
	b := make([]byte, 0, 64)
	b = append(b, cacheName...)
	if s.Hit {
		b = append(b, "; hit; ttl="...)
		b = strconv.AppendInt(b, seconds(s.TTL), 10)
	} else {
		b = append(append(b, "; fwd="...), s.Forward...)
	}
	if s.Stored {
		b = append(b, "; stored"...)
	}
	if s.Collapsed {
		b = append(b, "; collapsed"...)
	}
	if detail := s.Detail.String(); detail != "" {
		b = append(append(b, "; detail="...), detail...)
	}
	return string(b)
}

// HitStatus is the status of a request that an entry answers.
func HitStatus(e *Entry, now time.Time) Status { return Status{Hit: true, TTL: e.TTL - e.Age(now)} }

// Word is the status in one word, for log fields and metrics.
func (s *Status) Word() string {
	switch {
	case s.Hit && s.TTL <= 0:
		return "stale"
	case s.Hit:
		return "hit"
	case s.Collapsed:
		return "collapsed"
	case s.Forward == ForwardBypass, s.Forward == ForwardRequest:
		return "bypass"
	}
	return "miss"
}

// SetHeader says in a header what became of the request, and how old the answer
// is if it comes from the cache.
func (s *Status) SetHeader(h http.Header, e *Entry, now time.Time) {
	h["Cache-Status"] = []string{s.String()}
	if s.Hit {
		h["Age"] = []string{strconv.FormatInt(seconds(e.Age(now)), 10)}
	}
}

// seconds are whole ones; what has just run out is no longer fresh.
func seconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d < 0 && d%time.Second != 0 {
		n--
	}
	return n
}
