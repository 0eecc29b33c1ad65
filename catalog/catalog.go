package catalog

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// Catalog is what is known of models: what comes with the gateway, and above it
// what the operator says. It serves many goroutines at once.
type Catalog struct {
	own *Prices
	// found is what was asked for before. It is replaced, never changed, so that
	// who looks waits for nobody.
	found atomic.Pointer[map[question]*Model]
	grow  sync.Mutex
}

// question is a model of a provider, which has a name in the config and a type.
type question struct{ provider, kind, model string }

// What is remembered at most. Names are the clients' choice where a provider
// takes any: those beyond the bounds are looked for each time.
const (
	maxFound     = 1024
	maxFoundName = 256
)

// New makes a catalogue with the operator's prices above it, if own is not nil.
func New(own *Prices) *Catalog {
	c := &Catalog{own: own}
	c.found.Store(new(map[question]*Model))
	builtin() // now, not within a request
	return c
}

// Find returns what is known of a model, nil if that is nothing. provider is the
// name that the config has for the provider, kind its type, and model the name that
// the provider has for the model, in any spelling that the provider takes: with
// date or version, with the prefix of a region, with the maker before it. Names
// of the same family are not taken for one another.
//
// It takes no lock and allocates nothing for a model that was asked for before. The
// result must not be changed.
func (c *Catalog) Find(provider, kind, model string) *Model {
	asked := question{provider, kind, model}
	found := *c.found.Load()
	if m, ok := found[asked]; ok {
		return m
	}
	m := c.look(asked)
	if len(found) < maxFound && len(model) <= maxFoundName {
		c.remember(asked, m)
	}
	return m
}

func (c *Catalog) look(asked question) *Model {
	m := builtin().find(asked.kind, asked.model)
	if c.own == nil {
		return m
	}
	if own := c.own.find(asked); own != nil {
		return own.over(m)
	}
	return m
}

func (c *Catalog) remember(asked question, m *Model) {
	asked.model = strings.Clone(asked.model) // it may be a part of a request
	c.grow.Lock()
	defer c.grow.Unlock()
	larger := maps.Clone(*c.found.Load())
	if larger == nil {
		larger = make(map[question]*Model)
	}
	larger[asked] = m
	c.found.Store(&larger)
}
