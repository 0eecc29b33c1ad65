package openai

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// fits tells whether a member is of the form that this format has for it: other
// formats may have one by the same name that means something else.
func fits(m transform.Member) bool {
	kind := m.Value.Kind()
	switch m.Name {
	case "store":
		return kind == jsonbytes.Bool || kind == jsonbytes.Null
	case "metadata", "logit_bias", "prediction", "audio", "web_search_options", "prompt_cache_options":
		return kind == jsonbytes.Object || kind == jsonbytes.Null
	case "verbosity", "prompt_cache_key", "prompt_cache_retention":
		return kind == jsonbytes.String || kind == jsonbytes.Null
	case "modalities":
		return kind == jsonbytes.Array || kind == jsonbytes.Null
	}
	return true // of which only the provider knows the form
}
