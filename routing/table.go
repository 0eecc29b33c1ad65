package routing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyllm/llmproxy/catalog"
	"github.com/caddyllm/llmproxy/internal/glob"
	"github.com/caddyllm/llmproxy/limits"
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
	// State is how the target has fared.
	State *State
	// Known is what the catalogue says of the model; nil: nothing.
	Known *catalog.Model
	// Route is what the target was written for; nil: the client addressed it.
	Route *Route
	// hop is the place in the plan of the model that the target stands for.
	hop int
	// emptyUntil is when the provider's limits have room again; zero: they have.
	emptyUntil time.Time
}

// Fallback tells whether the target is one of a fallback model.
func (t *Target) Fallback() bool { return t.hop > 0 }

// Same tells whether two targets are one.
func (t *Target) Same(other *Target) bool {
	return t.Upstream == other.Upstream && t.Model == other.Model
}

// Route is an alias: a model name, or a glob, and the targets behind it.
type Route struct {
	// Name is the alias; a * in it matches, and stands for the same in targets.
	Name string
	// Match tells which requests the route is for; nil: all of them. Of several
	// routes of one name the first that matches is taken.
	Match   func(*http.Request) bool
	Targets []Target
	Policy  Policy
	// Fallback are the models to try once every target is spent.
	Fallback []string
	// FallbackOn is what must have happened for that; 0: [DefaultConditions].
	FallbackOn Conditions
	// Retries is how many attempts may follow the first; negative: the gateway's default.
	Retries int
	// OnUnsupported is what becomes of a request that a target cannot be given whole.
	OnUnsupported OnUnsupported
	// FailAmbiguous does not send again what may have been answered.
	FailAmbiguous bool
	// PassEmpty passes on an answer with nothing in it although another target remains.
	PassEmpty bool
	// Timeouts replace the gateway's where they are not 0.
	Timeouts Timeouts
	// Overrides are made to requests that ask for the route, in the order of their
	// paths, none of which leads into another.
	Overrides []Override
	// Quota is what all calls together may use that ask for the route; nil: as much
	// as they like.
	Quota *limits.Quota
	// CacheTTL is how long answers are kept; 0: as long as the gateway says, negative:
	// they are not.
	CacheTTL time.Duration
	// Budget bounds the retries; nil: the route gets one of its own.
	Budget *RetryBudget

	identity [sha256.Size]byte
	leads    []string
}

// Timeouts bound how long a provider may take.
type Timeouts struct {
	// Connect is for the connection alone; 0: the transport's own.
	Connect time.Duration
	// FirstToken bounds the silence before a stream's first event while another target remains.
	FirstToken time.Duration
	// Idle bounds the silence within a stream.
	Idle time.Duration
	// Total bounds the time until an answer commits, all attempts together.
	Total time.Duration
}

// Conditions are what a fallback can be for, as bits.
type Conditions uint8

// The conditions.
const (
	OnError Conditions = 1 << iota
	OnRateLimit
	OnTimeout
	OnContextLength
	OnContentFilter

	// DefaultConditions are those that have nothing to do with the request itself.
	DefaultConditions = OnError | OnRateLimit | OnTimeout
)

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

// Table knows all routes of a config. It does not change once made.
type Table struct {
	upstreams []*providers.Upstream // in config order
	byName    map[string]*providers.Upstream
	health    map[*providers.Upstream]*Health
	catalog   *catalog.Catalog
	aliases   map[string][]*Route
	globs     []*Route // the most specific first
	routes    []*Route // in config order
}

// NewTable makes a table of providers, in the order in which bare model names
// look for one, and routes. It refuses routes without targets and fallbacks
// that lead nowhere or in a circle. health is what is known of each provider;
// nil: nothing is yet.
func NewTable(upstreams []*providers.Upstream, routes []*Route, health func(*providers.Upstream) *Health) (*Table, error) {
	t := &Table{
		upstreams: upstreams,
		byName:    make(map[string]*providers.Upstream, len(upstreams)),
		health:    make(map[*providers.Upstream]*Health, len(upstreams)),
		aliases:   make(map[string][]*Route, len(routes)),
		routes:    routes,
	}
	for _, u := range upstreams {
		t.byName[u.Name] = u
		if t.health[u] = new(Health); health != nil {
			t.health[u] = health(u)
		}
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
			t.aliases[r.Name] = append(t.aliases[r.Name], r)
		}
		t.complete(r)
	}
	slices.SortStableFunc(t.globs, func(a, b *Route) int { return glob.Specificity(b.Name) - glob.Specificity(a.Name) })
	for _, r := range routes {
		if err := t.checkFallback(r, []string{r.Name}); err != nil {
			return nil, err
		}
	}
	t.identify()
	return t, nil
}

// Consult has targets known by a catalogue from now on. It is called before the
// table is in use.
func (t *Table) Consult(c *catalog.Catalog) { t.catalog = c }

// complete fills in what a route leaves out.
func (t *Table) complete(r *Route) {
	if r.FallbackOn == 0 {
		r.FallbackOn = DefaultConditions
	}
	if r.Budget == nil {
		r.Budget = new(RetryBudget)
	}
	for i := range r.Targets {
		target := &r.Targets[i]
		target.Route = r
		if !glob.IsPattern(target.Model) {
			target.State = t.health[target.Upstream].Model(target.Model)
		}
	}
}

// checkFallback follows every route of a name: which of them is taken depends on
// the request.
func (t *Table) checkFallback(r *Route, path []string) error {
	for _, name := range r.Fallback {
		next := t.claiming(name)
		if len(next) == 0 {
			if _, _, err := t.find(name); err != nil {
				return fmt.Errorf("model %q: fallback %q is neither a model of this config nor one that a provider serves", r.Name, name)
			}
		}
		for _, next := range next {
			if slices.Contains(path, next.Name) {
				return fmt.Errorf("model %q: fallback goes round in a circle: %s", path[0], strings.Join(append(path, next.Name), " -> "))
			}
			if err := t.checkFallback(next, append(path, next.Name)); err != nil {
				return err
			}
		}
	}
	return nil
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

// claiming lists the routes that may claim a name: those of one alias, else every
// glob that it matches. A direct address of a provider comes before globs: model *
// must not swallow openai/gpt-6.
func (t *Table) claiming(name string) []*Route {
	if routes := t.aliases[name]; routes != nil {
		return routes
	}
	if provider, _, ok := strings.Cut(name, "/"); ok && t.byName[provider] != nil {
		return nil
	}
	var routes []*Route
	for _, r := range t.globs {
		if _, ok := glob.Match(r.Name, name); ok {
			routes = append(routes, r)
		}
	}
	return routes
}

// route finds the route that claims a name for a request.
func (t *Table) route(name string, r *http.Request) (*Route, string) {
	for _, route := range t.claiming(name) {
		if route.Match == nil || route.Match(r) {
			star, _ := glob.Match(route.Name, name)
			return route, star
		}
	}
	return nil, ""
}

// direct is the target of a name that no alias claims.
func (t *Table) direct(name string) (Target, error) {
	u, model, err := t.find(name)
	if err != nil {
		return Target{}, err
	}
	return t.target(u, model), nil
}

// find finds the provider of a name that no alias claims: the one that it is
// addressed to, else the first that lists it, else the first that serves its family.
func (t *Table) find(name string) (*providers.Upstream, string, error) {
	if provider, model, ok := strings.Cut(name, "/"); ok && model != "" {
		if u := t.byName[provider]; u != nil {
			return u, model, nil
		}
	}
	for _, u := range t.upstreams {
		if glob.Any(u.Base().Models, name) {
			return u, name, nil
		}
	}
	for _, u := range t.upstreams {
		if catalog.Serves(u.Type(), name) {
			return u, name, nil
		}
	}
	return nil, "", ErrUnknownModel
}

func (t *Table) target(u *providers.Upstream, model string) Target {
	return Target{Upstream: u, Model: model, Weight: 1, State: t.health[u].Model(model)}
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

// Knows tells whether a name leads anywhere.
func (t *Table) Knows(name string, r *http.Request) bool {
	if route, _ := t.route(name, r); route != nil {
		return true
	}
	_, _, err := t.find(name)
	return err == nil
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
		for _, model := range Listed(u) {
			if name := u.Name + "/" + model; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Listed are the models that a provider is known to serve: those that its config
// names, and those that it lists by itself.
func Listed(u *providers.Upstream) []string {
	listed := slices.Clone([]string(u.Base().Models))
	if lister, ok := u.Provider.(providers.ModelLister); ok {
		listed = append(listed, lister.ListModels()...)
	}
	return slices.DeleteFunc(listed, glob.IsPattern)
}

// Upstreams lists the providers in config order.
func (t *Table) Upstreams() []*providers.Upstream { return t.upstreams }

// Upstream is the provider of a name, nil if there is none.
func (t *Table) Upstream(name string) *providers.Upstream { return t.byName[name] }

// Routes lists the aliases and globs in config order.
func (t *Table) Routes() []*Route { return t.routes }

// Health is what is known of a provider of the table.
func (t *Table) Health(u *providers.Upstream) *Health { return t.health[u] }
