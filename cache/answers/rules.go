package answers

import (
	"fmt"
	"time"
)

// Scope is with whom an answer is shared.
type Scope uint8

// The scopes.
const (
	// ScopeKey is the caller's key alone.
	ScopeKey Scope = iota
	// ScopeGroup is the group of keys.
	ScopeGroup
	// ScopeShared is everyone who may ask for the model.
	ScopeShared
)

// Of is the scope's name in keys of answers. Names of different scopes differ
// whatever the keys and groups are called; a key without a group is one of its own.
// Callers without a key have an empty one, which no other has.
func (s Scope) Of(key, group string) string {
	switch {
	case s == ScopeShared:
		return sharedScope
	case s == ScopeGroup && group != "":
		return "group " + group
	}
	return "key " + key
}

// sharedScope is everyone: there is nobody to be crowded out by it.
const sharedScope = "shared"

// ParseScope reads key, group or shared.
func ParseScope(s string) (Scope, error) {
	switch s {
	case "", "key":
		return ScopeKey, nil
	case "group":
		return ScopeGroup, nil
	case "shared":
		return ScopeShared, nil
	}
	return 0, fmt.Errorf("the scope of a cache is key, group or shared, not %q", s)
}

// Rules are what an operator says of the cache, for a model or a key. The zero
// value is a cache that is off.
type Rules struct {
	// TTL is how long an answer is fresh; 0: the cache is off.
	TTL time.Duration
	// StaleIfError is how long after that it may still be served if no target answers.
	StaleIfError time.Duration
	// MaxEntry bounds the size of an answer; 0: 1 MiB.
	MaxEntry int
	Scope    Scope
	// OnlyDeterministic leaves out what was not asked with temperature 0.
	OnlyDeterministic bool
	// ToolCalls takes answers that call tools.
	ToolCalls bool
	// RespectUpstream obeys a provider's no-store and its kind.
	RespectUpstream bool
	// IgnoreClient disobeys the client's Cache-Control.
	IgnoreClient bool
}

// Off tells whether nothing is cached.
func (r *Rules) Off() bool { return r == nil || r.TTL <= 0 }

// DefaultMaxEntry is the largest answer, if the operator does not say.
const DefaultMaxEntry = 1 << 20

func (r *Rules) maxEntry() int {
	if r.MaxEntry > 0 {
		return r.MaxEntry
	}
	return DefaultMaxEntry
}

// Control reads the Cache-Control header of a request, as far as it counts.
func (r *Rules) Control(header []string) Control {
	if r.IgnoreClient || len(header) == 0 {
		return Control{}
	}
	return ParseControl(header)
}
