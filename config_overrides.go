package llmproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddyllm/llmproxy/routing"
)

// Bounds of what a model may set.
const (
	maxOverrides    = 32
	maxOverrideName = 8 // names in a path
)

var (
	overridePath = regexp.MustCompile(`^[A-Za-z0-9_$-]+(\.[A-Za-z0-9_$-]+)*$`)

	errOverridePath  = errors.New("must be the name of a member, or names with dots between them; it cannot lead into an array")
	errOverrideRoute = errors.New("cannot be set: it says where a request goes and how it is answered")
)

// overrides are what set and default say, in the order of their paths. Placeholders
// are as they were written.
func (m *Model) overrides(pointer string) ([]routing.Override, error) {
	if n := len(m.Set) + len(m.Default); n > maxOverrides {
		return nil, &placedError{pointer + "/set", fmt.Errorf("set and default name %d members, of at most %d", n, maxOverrides)}
	}
	var list []routing.Override
	for _, option := range []struct {
		name   string
		values map[string]json.RawMessage
	}{{"set", m.Set}, {"default", m.Default}} {
		for _, path := range slices.Sorted(maps.Keys(option.values)) {
			place := pointer + "/" + option.name + "/" + escapePointer(path)
			names, err := parseOverridePath(path)
			if err != nil {
				return nil, &placedError{place, fmt.Errorf("%s %s: %w", option.name, path, err)}
			}
			for _, other := range list {
				if leadsInto(names, other.Path) || leadsInto(other.Path, names) {
					return nil, &placedError{place, fmt.Errorf("%s %s: there is a value for %s already", option.name, path, strings.Join(other.Path, "."))}
				}
			}
			list = append(list, routing.Override{Path: names, Value: option.values[path], Force: option.name == "set"})
		}
	}
	slices.SortFunc(list, func(a, b routing.Override) int { return slices.Compare(a.Path, b.Path) })
	return list, nil
}

func parseOverridePath(path string) ([]string, error) {
	names := strings.Split(path, ".")
	if !overridePath.MatchString(path) || len(names) > maxOverrideName {
		return nil, errOverridePath
	}
	if strings.EqualFold(names[0], "model") || strings.EqualFold(names[0], "stream") {
		return nil, errOverrideRoute
	}
	return names, nil
}

// leadsInto tells whether a path is another, or leads into it.
func leadsInto(path, other []string) bool {
	return len(path) >= len(other) && slices.Equal(path[:len(other)], other)
}

// resolvedOverrides are overrides with the values of their placeholders, which must
// all be known now: nothing of a request gets into another member of it.
func (m *Model) resolvedOverrides() ([]routing.Override, error) {
	list, err := m.overrides("")
	if err != nil {
		return nil, err
	}
	repl := caddy.NewReplacer()
	for i := range list {
		var text string
		if json.Unmarshal(list[i].Value, &text) != nil || !strings.Contains(text, "{") {
			continue // no string, or nothing in it
		}
		if text, err = repl.ReplaceOrErr(text, true, true); err != nil {
			return nil, fmt.Errorf("resolving the value of %s: %w", strings.Join(list[i].Path, "."), err)
		}
		if list[i].Value, err = json.Marshal(text); err != nil {
			return nil, err
		}
	}
	return list, nil
}
