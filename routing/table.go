package routing

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/providers"
)

// Other is the label of model names that no config spells out, so that clients
// cannot make up label values.
const Other = "other"

// ErrUnknownModel is a name that leads nowhere.
var ErrUnknownModel = errors.New("unknown model")

// Target is one model of one provider.
type Target struct {
	Upstream *providers.Upstream
	// Model is the name that the provider has for it.
	Model string
	// Weight is how often the target is picked, relative to the others; at least 1.
	Weight int
	// Priority orders groups of targets: lower ones come first.
	Priority int
}

// Route is an alias: a model name, or a glob, and the targets behind it.
type Route struct {
	// Name is the alias; a * in it matches, and stands for the same in targets.
	Name    string
	Targets []Target
	Policy  Policy
	// Fallback are the models to try once every target is spent.
	Fallback []string
	// Retries is how many attempts may follow the first; negative: the gateway's default.
	Retries int
	// OnUnsupported is what becomes of a request that a target cannot be given whole.
	OnUnsupported OnUnsupported
}

// OnUnsupported is what becomes of a request that a target cannot be given whole.
// The zero value leaves out what is advisory and refuses without the rest.
type OnUnsupported string

// What can become of it.
const (
	// DropUnsupported leaves out whatever the target cannot be given.
	DropUnsupported OnUnsupported = "drop"
	// RefuseUnsupported refuses a request of which anything would be left out.
	RefuseUnsupported OnUnsupported = "error"
	// SkipUnsupported goes on to the next target where it would refuse.
	SkipUnsupported OnUnsupported = "skip"
)

// Plan is what may answer one request.
type Plan struct {
	// Label names the route in metrics: an alias or glob of the config, or [Other].
	Label string
	// Targets in the order in which to try them.
	Targets []Target
	// Retries and OnUnsupported are as of [Route].
	Retries       int
	OnUnsupported OnUnsupported
}

// Table knows all routes of a config. It does not change once made.
type Table struct {
	upstreams []*providers.Upstream // in config order
	byName    map[string]*providers.Upstream
	aliases   map[string]*Route
	globs     []*Route // the most specific first
}

// NewTable makes a table of providers, in the order in which bare model names
// look for one, and routes. It refuses routes without targets and fallbacks
// that lead nowhere or in a circle.
func NewTable(upstreams []*providers.Upstream, routes []*Route) (*Table, error) {
	t := &Table{
		upstreams: upstreams,
		byName:    make(map[string]*providers.Upstream, len(upstreams)),
		aliases:   make(map[string]*Route, len(routes)),
	}
	for _, u := range upstreams {
		t.byName[u.Name] = u
	}
	for _, r := range routes {
		if len(r.Targets) == 0 {
			return nil, fmt.Errorf("model %q %w", r.Name, errNoTargets)
		}
		// Groups of one priority must be adjacent for policies to order them.
		slices.SortStableFunc(r.Targets, func(a, b Target) int { return a.Priority - b.Priority })
		if glob.IsPattern(r.Name) {
			t.globs = append(t.globs, r)
		} else {
			t.aliases[r.Name] = r
		}
	}
	slices.SortStableFunc(t.globs, func(a, b *Route) int { return glob.Specificity(b.Name) - glob.Specificity(a.Name) })
	for _, r := range routes {
		if err := t.checkFallback(r, []string{r.Name}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Table) checkFallback(r *Route, path []string) error {
	for _, name := range r.Fallback {
		next, _ := t.route(name)
		if next == nil {
			if _, err := t.direct(name); err != nil {
				return fmt.Errorf("model %q: fallback %q is neither a model of this config nor one that a provider serves", r.Name, name)
			}
			continue
		}
		if slices.Contains(path, next.Name) {
			return fmt.Errorf("model %q: fallback goes round in a circle: %s", path[0], strings.Join(append(path, next.Name), " -> "))
		}
		if err := t.checkFallback(next, append(path, next.Name)); err != nil {
			return err
		}
	}
	return nil
}

// Plan lists what may answer a request for the model. mayUse is asked for each
// fallback model: one that the caller may not use is passed over, as the
// targets behind an alias are implied by the right to the alias. The error is
// [ErrUnknownModel].
func (t *Table) Plan(name string, mayUse func(model string) bool) (*Plan, error) {
	r, star := t.route(name)
	if r == nil {
		target, err := t.direct(name)
		if err != nil {
			return nil, err
		}
		return &Plan{Label: Other, Targets: []Target{target}, Retries: -1}, nil
	}
	p := &Plan{Label: r.Name, Retries: r.Retries, OnUnsupported: r.OnUnsupported}
	p.Targets = t.appendTargets(make([]Target, 0, len(r.Targets)), r, star, mayUse)
	return p, nil
}

func (t *Table) appendTargets(dst []Target, r *Route, star string, mayUse func(string) bool) []Target {
	begin := len(dst)
	for _, target := range r.Targets {
		target.Model = glob.Expand(target.Model, star)
		if !leadsAway(target.Model) {
			dst = append(dst, target)
		}
	}
	for group := dst[begin:]; len(group) > 0; {
		n := 1
		for n < len(group) && group[n].Priority == group[0].Priority {
			n++
		}
		r.Policy.Order(group[:n])
		group = group[n:]
	}
	for _, name := range r.Fallback {
		if !mayUse(name) {
			continue
		}
		if next, star := t.route(name); next != nil {
			dst = t.appendTargets(dst, next, star, mayUse)
		} else if target, err := t.direct(name); err == nil {
			dst = append(dst, target)
		}
	}
	return dst
}

// leadsAway tells names that would mean another place where they stand in a URL's
// path: what a glob matched may make one of a name that was none.
func leadsAway(model string) bool {
	for segment := range strings.SplitSeq(model, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// route finds the alias or glob that claims a name. A direct address of a
// provider comes before globs: model * must not swallow openai/gpt-6.
func (t *Table) route(name string) (*Route, string) {
	if r := t.aliases[name]; r != nil {
		return r, ""
	}
	if provider, _, ok := strings.Cut(name, "/"); ok && t.byName[provider] != nil {
		return nil, ""
	}
	for _, r := range t.globs {
		if star, ok := glob.Match(r.Name, name); ok {
			return r, star
		}
	}
	return nil, ""
}

// direct finds the provider of a name that no alias claims: the one that it is
// addressed to, else the first that lists it, else the first that serves its family.
func (t *Table) direct(name string) (Target, error) {
	if provider, model, ok := strings.Cut(name, "/"); ok && model != "" {
		if u := t.byName[provider]; u != nil {
			return Target{Upstream: u, Model: model, Weight: 1}, nil
		}
	}
	for _, u := range t.upstreams {
		if glob.Any(u.Base().Models, name) {
			return Target{Upstream: u, Model: name, Weight: 1}, nil
		}
	}
	for _, u := range t.upstreams {
		if catalog.Serves(u.Type(), name) {
			return Target{Upstream: u, Model: name, Weight: 1}, nil
		}
	}
	return Target{}, ErrUnknownModel
}

// ParseTarget finds the target that <provider>/<model> means.
func ParseTarget(upstreams []*providers.Upstream, address string) (Target, error) {
	name, model, ok := strings.Cut(address, "/")
	if !ok || model == "" {
		return Target{}, fmt.Errorf("target %q must be <provider>/<model>", address)
	}
	for _, u := range upstreams {
		if u.Name == name {
			return Target{Upstream: u, Model: model, Weight: 1}, nil
		}
	}
	known := make([]string, 0, len(upstreams))
	for _, u := range upstreams {
		known = append(known, u.Name)
	}
	return Target{}, fmt.Errorf("target %q: there is no provider %q, only %s", address, name, strings.Join(known, ", "))
}

// Models lists every name that a client can ask for without a provider before
// it, and <provider>/<model> for what providers list, in a stable order.
func (t *Table) Models() []string {
	var names []string
	for name := range t.aliases {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, u := range t.upstreams {
		listed := []string(u.Base().Models)
		if lister, ok := u.Provider.(providers.ModelLister); ok {
			listed = append(slices.Clone(listed), lister.ListModels()...)
		}
		for _, model := range listed {
			if name := u.Name + "/" + model; !glob.IsPattern(model) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Upstreams lists the providers in config order.
func (t *Table) Upstreams() []*providers.Upstream { return t.upstreams }
