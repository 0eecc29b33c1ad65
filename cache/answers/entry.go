package answers

import (
	"time"

	"github.com/caddyllm/llmproxy/transform"
	"github.com/caddyllm/llmproxy/usage"
)

// Manner is how an answer is sent.
type Manner uint8

// The manners.
const (
	// Whole is one JSON body.
	Whole Manner = iota
	// Stream is server-sent events.
	Stream
	// StreamWithUsage is the same with the usage that Chat Completions' clients must
	// ask for.
	StreamWithUsage
	// Array is a stream as one JSON array, such as Gemini's clients may ask for.
	Array
	manners
)

// MannerOf is the manner that a client asks for.
func MannerOf(stream, usage, array bool) Manner {
	switch {
	case !stream:
		return Whole
	case array:
		return Array
	case usage:
		return StreamWithUsage
	}
	return Stream
}

// Entry is a whole answer as it is stored: the very bytes that the first client
// got, and what must be known of them. It is shared, and never changed.
type Entry struct {
	Key Key
	// Scope is whose answer it is.
	Scope string
	// Format and Manner are those of Body.
	Format      transform.Format
	Manner      Manner
	ContentType string
	// Route is the name that was asked for, Provider and Model are what answered.
	Route, Provider, Model string
	Finish                 transform.Finish
	// Usage is what the answer took when it was made.
	Usage usage.Tokens
	// Created is when the answer was complete.
	Created time.Time
	// TTL is how long it is fresh, Stale how long after that it is kept.
	TTL, Stale time.Duration
	// Dropped are the members of the request that the provider could not be given.
	Dropped []string
	// Body is the answer: a JSON body, or the events of a stream, without ids and
	// signs of life.
	Body []byte
}

// Age is how old the answer is. Clocks of instances that share a store may differ.
func (e *Entry) Age(now time.Time) time.Duration { return max(0, now.Sub(e.Created)) }

// kept is how long from now on the store keeps the entry.
func (e *Entry) kept(now time.Time) time.Duration {
	return e.Created.Add(e.TTL + min(e.Stale, Forever-e.TTL)).Sub(now)
}

// Convert writes an entry's body in another manner.
type Convert func(e *Entry, to Manner) ([]byte, error)

// In is the answer in the manner that a client asks for: the stored bytes if they
// are in it.
func (e *Entry) In(m Manner, convert Convert) ([]byte, error) {
	if e.Manner == m || e.Manner != Whole && m != Whole && e.Format != transform.OpenAIChat && e.Manner != Array && m != Array {
		return e.Body, nil // only Chat Completions has streams without usage
	}
	return convert(e, m)
}

// Served is what is booked for serving the entry: the tokens of the original, which
// cost nothing now.
func (e *Entry) Served() usage.Tokens {
	t := e.Usage
	t.Cost, t.CostKnown = 0, true
	return t
}

// entryCost is about what an entry takes in memory beside its body.
const (
	entryCost  = 512
	stringCost = 16
)

func (e *Entry) weight() int {
	n := len(e.Body) + entryCost + len(e.Scope) + len(e.ContentType) + len(e.Route) + len(e.Provider) + len(e.Model)
	for _, pointer := range e.Dropped {
		n += len(pointer) + stringCost
	}
	return n
}
