package providers

import (
	"os"
	"slices"

	"github.com/caddyserver/caddy/v2"
)

// Discover lists the provider types whose usual environment variable is set,
// sorted by name. A variable that several types read counts for the first of
// them that is native to it: GEMINI_API_KEY means gemini, not its OpenAI-compatible twin.
func Discover() []string {
	var native, compatible []caddy.ModuleInfo
	for _, module := range caddy.GetModules(Namespace) {
		if _, ok := module.New().(*OpenAICompatible); ok {
			compatible = append(compatible, module)
		} else {
			native = append(native, module)
		}
	}
	var found []string
	claimed := make(map[string]bool)
	for _, module := range append(native, compatible...) {
		provider, ok := module.New().(Discoverable)
		if !ok {
			continue
		}
		name := firstSet(provider.Environment())
		if name == "" || claimed[name] {
			continue
		}
		claimed[name] = true
		found = append(found, module.ID.Name())
	}
	slices.Sort(found)
	return found
}

func firstSet(names []string) string {
	for _, name := range names {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}
