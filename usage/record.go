package usage

import "time"

// Record is what is kept of one call: who asked for what, what was served, what
// it took. It holds no text of a conversation and no credential.
type Record struct {
	Start     time.Time
	RequestID string
	// Principal is the id of the key, or "anonymous"; empty if the caller was refused.
	Principal string
	// Group is the group of the key, and Metadata what the operator noted of it.
	Group    string
	Metadata map[string]string
	// Operation is chat, embeddings, models or the like; resume if the call reads
	// the stream of another one.
	Operation string
	// RequestedModel is the name that the client asked for.
	RequestedModel string
	// Route is the alias or glob that claimed the name, or "other".
	Route string
	// Provider and Model are what answered, or what was tried last.
	Provider, Model string
	// Fallback is the fallback model that this was for, as the config writes it; empty:
	// it was for the model that was asked for.
	Fallback string
	// UpstreamRequestID is the provider's name for the request.
	UpstreamRequestID string
	Stream            bool
	// Status is the HTTP status of the answer; 499 if the client left before it.
	Status int
	// Attempts counts the requests sent to providers.
	Attempts int
	// PossibleDuplicate tells that a request that was sent again may have been
	// answered, and billed, the first time too.
	PossibleDuplicate bool
	// Tokens are what the call consumed, failed attempts included.
	Tokens Tokens
	// Failures are the attempts that came to nothing.
	Failures []Failure
	// Cache is what became of the call at the cache: hit, miss, stale, collapsed or
	// bypass; empty if there is none. CacheReason is why its answer was not kept.
	Cache, CacheReason string
	// Finish is why the answer ended, in Chat Completions' words.
	Finish string
	// Ending is how the call ended: see the Ending constants.
	Ending Ending
	// Error is the machine code of the error, empty if there was none.
	Error string
	// ErrorStatus is the HTTP status of the error; the answer's may be 200, if it had
	// begun. 0: there was none, or it came after the answer's beginning.
	ErrorStatus int
	// Cause is the transport's own error, for the operator; it may name hosts.
	Cause string
	// Dropped are the request members that the provider could not be given, as JSON pointers.
	Dropped []string
	// Limits are those that stood in the way of the call or of a target.
	Limits []Limit
	// Disbelieved tells that a provider's counts were absurd, so that limits keep to
	// what was estimated.
	Disbelieved bool
	// Queued is how long the call waited for a target with room.
	Queued time.Duration
	// Waited is how long the call waited for providers until its answer began: for their
	// answers, between two attempts, and for media that a request names.
	Waited time.Duration
	// FirstToken is the time from the start to the first content of the answer; 0: there was none.
	FirstToken time.Duration
	Duration   time.Duration
	// BytesIn and BytesOut are of the bodies, towards the client.
	BytesIn, BytesOut int64
}

// Cost is what the call costs, failed attempts included; false if that is not known.
func (r *Record) Cost() (Money, bool) { return r.Tokens.Cost, r.Tokens.CostKnown }

// Overhead is how long the gateway itself took until the answer began: what it did not
// wait for a provider or for room. To read the request is part of it.
func (r *Record) Overhead() time.Duration {
	began := r.FirstToken
	if began == 0 {
		began = r.Duration
	}
	return max(0, began-r.Queued-r.Waited)
}

// Unpriced tells whether the call cost something that nobody knows. Some of what is
// answered, such as images, has no tokens either. Counting tokens is free.
func (r *Record) Unpriced() bool {
	switch {
	case r.Attempts == 0 || r.Tokens.CostKnown || r.Operation == "count_tokens":
		return false
	case r.Tokens.Total() > 0:
		return true
	}
	return r.Ending == Complete || r.Ending == Broken
}

// Cached tells that the answer is one that was made for another call.
func (r *Record) Cached() bool {
	return r.Cache == "hit" || r.Cache == "stale" || r.Cache == "collapsed"
}

// AnswerTokens are those of Tokens that went into the answer.
func (r *Record) AnswerTokens() Tokens {
	rest := r.Tokens
	for i := range r.Failures {
		rest = rest.minus(r.Failures[i].Tokens)
	}
	return rest
}

// Limit is a limit that was reached: whose it is and what it counts, in few words.
type Limit struct{ Scope, Kind string }

// Failure is an attempt that came to nothing.
type Failure struct {
	Provider, Model string
	// Kind is what went wrong, one of a few words; Error and Cause are as of [Record].
	Kind, Error, Cause string
	// Sent tells that it is one of the Attempts of the record.
	Sent bool
	// Tokens are what it consumed all the same.
	Tokens Tokens
}

// Ending is how a call ended.
type Ending string

// The endings.
const (
	// Complete: the provider ended the answer well.
	Complete Ending = "complete"
	// Refused: the gateway answered with an error of its own, no provider accepted the call.
	Refused Ending = "refused"
	// Failed: every attempt failed before anything was sent to the client.
	Failed Ending = "failed"
	// Broken: the answer broke off after some of it was sent.
	Broken Ending = "broken"
	// ClientGone: the client left before the end.
	ClientGone Ending = "client_gone"
)
