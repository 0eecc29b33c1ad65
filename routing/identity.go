package routing

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/caddyllm/llmproxy/internal/glob"
)

// Identity is a hash of everything that may answer a request by the plan, whether it
// is available or not: the targets of the route in the order of the config, where
// they are, those of its fallbacks, and what their routes do to a request. It stays
// the same until the config says something else.
func (t *Table) Identity(p *Plan) [sha256.Size]byte {
	if p.Route != nil {
		return p.Route.identity
	}
	var w words
	for i := range p.Targets {
		w.target(&p.Targets[i])
	}
	for i := range p.Obstructed {
		w.target(&p.Obstructed[i].Target)
	}
	return sha256.Sum256(w)
}

// Leads lists the models that a route may lead to by its fallbacks, and theirs.
func (r *Route) Leads() []string { return r.leads }

// identify computes what [Table.Identity] gives for each route.
func (t *Table) identify() {
	for _, r := range t.routes {
		var w words
		t.describe(&w, r, &r.leads)
		r.identity = sha256.Sum256(w)
	}
}

// describe follows fallbacks, which do not go round in a circle. Which of several
// routes of one name is taken depends on the request: all of them count.
func (t *Table) describe(w *words, r *Route, leads *[]string) {
	w.add(r.Name)
	w.add(string(r.OnUnsupported))
	for i := range r.Targets {
		w.target(&r.Targets[i])
	}
	for _, name := range r.Fallback {
		w.add("fallback " + strconv.Itoa(int(r.FallbackOn)))
		w.add(name)
		if !slices.Contains(*leads, name) {
			*leads = append(*leads, name)
		}
		for _, next := range t.claiming(name) {
			t.describe(w, next, leads)
		}
		if u, model, err := t.find(name); err == nil && !glob.IsPattern(model) {
			w.target(&Target{Upstream: u, Model: model})
		}
	}
}

// words are texts of which none runs into the next.
type words []byte

func (w *words) add(s string) {
	*w = binary.AppendUvarint(*w, uint64(len(s)))
	*w = append(*w, s...)
}

func (w *words) target(t *Target) {
	w.add(t.Upstream.Name)
	w.add(t.Upstream.Type())
	w.add(t.Upstream.Base().Origin().String())
	w.add(t.Model)
}
