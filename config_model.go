package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddyllm/llmproxy/internal/quota"
	"github.com/caddyllm/llmproxy/providers"
	"github.com/caddyllm/llmproxy/routing"
)

// Model is an alias: a name that clients ask for and the targets behind it.
type Model struct {
	// The requests that the model is for: sets of Caddy's request matchers, of
	// which one must match whole. Several models of one name each have some, but
	// for the last; the first that matches is taken. A request that none of them
	// matches meets the name as if there were no such model. Default: all requests.
	Match caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// The targets, each <provider>/<model>. In a model whose name has a *, a *
	// here stands for what that one matched.
	To Targets `json:"to,omitempty"`

	// How to choose among targets: a module of llm_proxy.selection_policies, or
	// its name. Default: weighted if a target has a weight, otherwise first.
	Policy json.RawMessage `json:"policy,omitempty" caddy:"namespace=llm_proxy.selection_policies inline_key=policy"`

	// The models to try once every target is spent. The caller needs the right
	// to each of them.
	Fallback providers.Strings `json:"fallback,omitempty"`

	// What the fallback is for: error, rate_limit, timeout, context_length (the
	// request is too long for the model), content_filter (the provider declines to
	// answer it). Default: error, rate_limit, timeout.
	FallbackOn providers.Strings `json:"fallback_on,omitempty"`

	// How many attempts may follow the first, fallbacks included. Default: the
	// gateway's.
	Retries *int `json:"retries,omitempty"`

	// How long a provider may take.
	Timeout *Timeout `json:"timeout,omitempty"`

	// What becomes of a request that a target's API cannot carry whole: drop
	// leaves out what it cannot, error refuses the request, skip goes on to the
	// next target. What was left out is reported in the header X-Llm-Dropped.
	// Default: what is advisory is left out; without media, tools, schemas and
	// the like the request is refused.
	OnUnsupported string `json:"on_unsupported,omitempty"`

	// What becomes of a request that a provider may have answered already when the
	// connection broke: failover_once sends it once more, elsewhere, fail does not.
	// Default: failover_once.
	OnAmbiguous string `json:"on_ambiguous,omitempty"`

	// What becomes of an answer with nothing in it, no text, no call and no reason
	// for that, while another target remains: failover asks that one, though both
	// are paid for, pass passes the answer on. Default: failover.
	OnEmpty string `json:"on_empty,omitempty"`

	// Whether answers are kept, if the gateway has a cache: off, or for how long.
	// Default: as the gateway's cache says.
	Cache *ModelCache `json:"cache,omitempty"`

	// Members of the client's request to set, whatever it says, by their paths in
	// the client's own format: temperature, metadata.team. A value that is a
	// string may hold placeholders that are known when the config is loaded.
	// Those of the model that was asked for hold for its fallbacks too.
	Set map[string]json.RawMessage `json:"set,omitempty"`

	// Members to add where the client's request has none, or null.
	Default map[string]json.RawMessage `json:"default,omitempty"`

	// What all calls together may use that ask for the model by this name, whatever
	// target or fallback answers. Default: no limits.
	Limits *quota.Limits `json:"limits,omitempty"`
}

// Timeout bounds how long a provider may take.
type Timeout struct {
	// Until there is a connection. Default: the transport's dial_timeout of 5s alone.
	Connect caddy.Duration `json:"connect,omitempty"`

	// The silence before the first event of a stream, while another target
	// remains; the last one has the total. Default: 120s.
	FirstToken caddy.Duration `json:"first_token,omitempty"`

	// The silence within a stream. Default: 120s.
	Idle caddy.Duration `json:"idle,omitempty"`

	// Until an answer begins, all attempts together. That of the model that was
	// asked for holds for its fallbacks too. Default: 600s.
	Total caddy.Duration `json:"total,omitempty"`
}

// Target is one model of one provider.
type Target struct {
	// The target, as <provider>/<model>.
	Target string `json:"target,omitempty"`

	// How often it is chosen, relative to the others. Default: 1.
	Weight int `json:"weight,omitempty"`

	// Targets of a lower number are tried before those of a higher one. Default: 0.
	Priority int `json:"priority,omitempty"`
}

// Models are one model, or a list of several with one name.
type Models []*Model

// UnmarshalJSON reads a list, or one model alone.
func (m *Models) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return decodeStrictly(data, (*[]*Model)(m))
	}
	var one *Model
	if err := decodeStrictly(data, &one); err != nil {
		return err
	}
	*m = Models{one}
	return nil
}

// MarshalJSON writes a single model as such.
func (m Models) MarshalJSON() ([]byte, error) {
	if len(m) == 1 {
		return json.Marshal(m[0])
	}
	return json.Marshal([]*Model(m))
}

// Targets are one target or a list of them.
type Targets []Target

// UnmarshalJSON reads a list, or one target alone.
func (t *Targets) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return decodeStrictly(data, (*[]Target)(t))
	}
	var one Target
	if err := decodeStrictly(data, &one); err != nil {
		return err
	}
	*t = Targets{one}
	return nil
}

// UnmarshalJSON reads a target, which may be a string.
func (t *Target) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &t.Target)
	}
	type plain Target // without this method
	return decodeStrictly(data, (*plain)(t))
}

// What becomes of a request that may have been answered already.
const (
	ambiguousFailover = "failover_once"
	ambiguousFail     = "fail"
)

// What becomes of an answer with nothing in it.
const (
	emptyFailover = "failover"
	emptyPass     = "pass"
)

// condition is what a fallback can be for.
type condition struct {
	name string
	bit  routing.Conditions
}

var conditions = []condition{
	{"error", routing.OnError}, {"rate_limit", routing.OnRateLimit}, {"timeout", routing.OnTimeout},
	{"context_length", routing.OnContextLength}, {"content_filter", routing.OnContentFilter},
}

func conditionNames() string {
	names := make([]string, 0, len(conditions))
	for _, c := range conditions {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// parseConditions reads the words of fallback_on.
func parseConditions(words []string) (bits routing.Conditions, _ error) {
	for _, word := range words {
		i := slices.IndexFunc(conditions, func(c condition) bool { return c.name == word })
		if i < 0 || bits&conditions[i].bit != 0 {
			return 0, fmt.Errorf("fallback_on takes %s, each once, not %q", conditionNames(), word)
		}
		bits |= conditions[i].bit
	}
	return bits, nil
}

var (
	errNoFallback  = errors.New("fallback_on needs a fallback")
	errUnreachable = errors.New("the one before it takes every request: give that one a match")
)

// check says at which pointer the mistake stands.
func (m Models) check(pointer string) error {
	if len(m) == 0 {
		return &placedError{pointer, errors.New("is empty: write at least one")}
	}
	if len(m) == 1 {
		return m[0].check(pointer)
	}
	for i, model := range m {
		place := pointer + "/" + strconv.Itoa(i)
		if err := model.check(place); err != nil {
			return err
		}
		if i > 0 && len(m[i-1].Match) == 0 {
			return &placedError{place, fmt.Errorf("number %d of its list is never used: %w", i+1, errUnreachable)}
		}
	}
	return nil
}

func (m *Model) check(pointer string) error {
	if m == nil {
		return &placedError{pointer, errors.New("is null")}
	}
	if m.Match != nil && len(m.Match) == 0 {
		return &placedError{pointer + "/match", errors.New("match is empty: name matchers, or leave it out for all requests")}
	}
	for i, set := range m.Match {
		if len(set) == 0 {
			return &placedError{pointer + "/match", fmt.Errorf("set %d of match is empty: name matchers, or leave match out for all requests", i+1)}
		}
	}
	if m.Retries != nil && *m.Retries < 0 {
		return &placedError{pointer + "/retries", errors.New("retries must not be negative")}
	}
	if err := m.checkWords(pointer); err != nil {
		return err
	}
	if err := m.Timeout.check(pointer + "/timeout"); err != nil {
		return err
	}
	if err := m.Cache.check(pointer + "/cache"); err != nil {
		return err
	}
	if _, err := m.overrides(pointer); err != nil {
		return err
	}
	if err := checkLimits(pointer, m.Limits, quota.Single); err != nil {
		return err
	}
	return m.To.check(pointer)
}

// checkWords checks what is one of a few words.
func (m *Model) checkWords(pointer string) error {
	switch routing.OnUnsupported(m.OnUnsupported) {
	case "", routing.DropUnsupported, routing.RefuseUnsupported, routing.SkipUnsupported:
	default:
		return &placedError{pointer + "/on_unsupported", fmt.Errorf("on_unsupported must be drop, error or skip, not %q", m.OnUnsupported)}
	}
	switch m.OnAmbiguous {
	case "", ambiguousFailover, ambiguousFail:
	default:
		return &placedError{pointer + "/on_ambiguous", fmt.Errorf("on_ambiguous must be %s or %s, not %q", ambiguousFailover, ambiguousFail, m.OnAmbiguous)}
	}
	switch m.OnEmpty {
	case "", emptyFailover, emptyPass:
	default:
		return &placedError{pointer + "/on_empty", fmt.Errorf("on_empty must be %s or %s, not %q", emptyFailover, emptyPass, m.OnEmpty)}
	}
	if _, err := parseConditions(m.FallbackOn); err != nil {
		return &placedError{pointer + "/fallback_on", err}
	}
	if m.FallbackOn != nil && len(m.FallbackOn) == 0 {
		return &placedError{pointer + "/fallback_on", errors.New("fallback_on is empty: name conditions, or leave it out for the default")}
	}
	if m.FallbackOn != nil && len(m.Fallback) == 0 {
		return &placedError{pointer + "/fallback_on", errNoFallback}
	}
	return nil
}

func (t *Timeout) check(pointer string) error {
	if t == nil {
		return nil
	}
	for _, d := range []struct {
		name  string
		value caddy.Duration
	}{{"connect", t.Connect}, {"first_token", t.FirstToken}, {"idle", t.Idle}, {"total", t.Total}} {
		if d.value < 0 {
			return &placedError{pointer + "/" + d.name, fmt.Errorf("%s must not be negative", d.name)}
		}
	}
	return nil
}

func (t Targets) check(pointer string) error {
	if len(t) == 0 {
		return &placedError{pointer, errors.New("has no targets: write to <provider>/<model>")}
	}
	for i, target := range t {
		place := fmt.Sprintf("%s/to/%d", pointer, i)
		if err := checkTarget(target.Target); err != nil {
			return &placedError{place, err}
		}
		if target.Weight < 0 || target.Weight > maxWeight {
			return &placedError{place, fmt.Errorf("the weight of %q must be from 1 to %d", target.Target, maxWeight)}
		}
	}
	return nil
}

// maxWeight keeps the sum of weights far from where it overflows.
const maxWeight = 1_000_000

// checkTarget sees to the form of a target. Whether there is such a provider is
// known only when all places have spoken.
func checkTarget(target string) error {
	if provider, model, _ := strings.Cut(target, "/"); provider == "" || model == "" {
		return fmt.Errorf("target %q must be <provider>/<model>", target)
	}
	return nil
}
