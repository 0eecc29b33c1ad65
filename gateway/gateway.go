// Package gateway is the way of one request: from the client's bytes to a
// provider's answer and the record of it. serve.go reads like the list of its
// steps. It knows HTTP but not Caddy.
package gateway

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/caddyllm/llmproxy/auth"
	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/routing"
	"github.com/caddyllm/llmproxy/usage"
)

// Gateway serves requests by one config. It does not change once it is in use,
// and serves many requests at once.
type Gateway struct {
	Surface Surface
	Auth    *auth.Authenticator
	Routes  *routing.Table
	// Memory keeps what clients cannot carry from one request to the next; nil:
	// nothing is kept.
	Memory Memory
	// Pins remember where things were made that later requests refer to; nil:
	// nothing is remembered.
	Pins Pins
	// Catalog knows what models cost; nil: nobody does.
	Catalog  *catalog.Catalog
	Observer Observer
	// Panicked is told of panics, which end one call and nothing else; nil: nobody is.
	Panicked func(*Panic)
	// Payloads are kept of calls, for a log; nil: they are not.
	Payloads *Payloads
	Limits   Limits
	// Quotas hold calls to what may be used; nil: that is as much as one likes.
	Quotas *Quotas
	// Retries is how many attempts may follow the first where the route does not say.
	Retries int
	Stream  Stream
	// CostHeader has answers tell what they cost.
	CostHeader bool
	// Backoff is how long a target is left alone within a call, Breaker when it is
	// left alone by all calls.
	Backoff Backoff
	Breaker routing.Breaker
	// Queue holds calls back while no target has room; nil: none is.
	Queue *Queue
	// Media fetches what requests name by URL where a provider takes no URLs;
	// nil: nothing is fetched.
	Media MediaFetcher
	// Cache keeps whole answers; nil: none is kept.
	Cache *Cache
	// Streams knows the calls that are under way. It outlives the gateway.
	Streams *Streams
	// Kept are the streams to which clients may come back. They outlive the
	// gateway too. nil: none is kept.
	Kept *KeptStreams
	// Propagator tells providers of the trace that a request belongs to, where they
	// are to know it; nil: none is told.
	Propagator propagation.TextMapPropagator
}

// Limits bound what one request may take.
type Limits struct {
	// Body is the largest request, in decoded bytes.
	Body int64
	// Answer is the largest JSON answer, Event the largest event of a stream, in bytes.
	Answer, Event int
	// Depth is how deep JSON may nest.
	Depth int
	// Total bounds the time until an answer commits, all attempts together.
	Total time.Duration
	// FirstToken bounds the silence before a stream's first event while another target remains.
	FirstToken time.Duration
	// Idle bounds the silence within a stream.
	Idle time.Duration
	// WriteStall is how long a write to a client may take before it is given up; 0:
	// as long as it takes.
	WriteStall time.Duration
}

// Stream is how streams are written.
type Stream struct {
	// Heartbeat is the silence after which a sign of life is sent; 0: none is.
	Heartbeat time.Duration
	// Drain is how long the provider is heard out after the client has left, so
	// that the cost is known; 0: it is cancelled at once.
	Drain time.Duration
	// Resumable is how long an answer goes on without its client, and how long it
	// is kept after its end, for a client that comes back; 0: it is not.
	Resumable time.Duration
	// CommitEarly is the silence after which a stream's header is sent although
	// there is no content yet; 0: it is not.
	CommitEarly time.Duration
}

// The defaults.
const (
	DefaultRetries    = 2
	DefaultMaxBody    = 32 << 20
	DefaultMaxAnswer  = 32 << 20
	DefaultMaxEvent   = 16 << 20
	DefaultMaxDepth   = 64
	DefaultTotal      = 600 * time.Second
	DefaultFirstToken = 120 * time.Second
	DefaultIdle       = 120 * time.Second
	DefaultHeartbeat  = 15 * time.Second
	DefaultDrain      = 60 * time.Second
	DefaultWriteStall = 30 * time.Second
)

// DefaultLimits are the limits of a config that says nothing.
func DefaultLimits() Limits {
	return Limits{
		Body: DefaultMaxBody, Answer: DefaultMaxAnswer, Event: DefaultMaxEvent, Depth: DefaultMaxDepth,
		Total: DefaultTotal, FirstToken: DefaultFirstToken, Idle: DefaultIdle, WriteStall: DefaultWriteStall,
	}
}

// Observer is told of every call that is metered. Its methods are called on the
// request's goroutine.
type Observer interface {
	// Started is called when a call begins.
	Started()
	// Settled is called once for every call that began, also after a panic.
	// The record is the observer's to keep.
	Settled(r *http.Request, record *usage.Record)
}
