package providers

import (
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Discover lists the provider types whose usual environment variable is set,
// sorted by name. A variable that several types read counts for one of them:
// GEMINI_API_KEY means gemini, not its OpenAI-compatible twin, and ARK_API_KEY
// means volcengine, for which it is the first choice. A type whose address has
// a variable too is found only if that is set: else the config would not load.
func Discover() []string {
	var found []string
	claimed := make(map[string]bool)
	native, compatible := discoverable()
	for _, group := range [][]candidate{native, compatible} {
		for _, firstChoice := range []bool{true, false} {
			for _, c := range group {
				names := c.environment
				if firstChoice {
					names = names[:min(1, len(names))]
				}
				if name := firstSet(names, claimed); name != "" && !slices.Contains(found, c.name) {
					claimed[name] = true
					found = append(found, c.name)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// candidate is a provider type and the variables that may hold its key.
type candidate struct {
	name        string
	environment []string
}

// addressed is a type whose address may depend on a variable.
type addressed interface{ hasAddress() bool }

func discoverable() (native, compatible []candidate) {
	for _, module := range caddy.GetModules(Namespace) {
		provider := module.New()
		p, ok := provider.(Discoverable)
		if !ok {
			continue
		}
		if a, ok := provider.(addressed); ok && !a.hasAddress() {
			continue
		}
		c := candidate{module.ID.Name(), p.Environment()}
		if _, ok := provider.(*OpenAICompatible); ok {
			compatible = append(compatible, c)
		} else {
			native = append(native, c)
		}
	}
	return native, compatible
}

func firstSet(names []string, claimed map[string]bool) string {
	for _, name := range names {
		if !claimed[name] && strings.TrimSpace(os.Getenv(name)) != "" {
			return name
		}
	}
	return ""
}
