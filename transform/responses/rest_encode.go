package responses

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// knows tells whether this format has a member by that name and in that form:
// other formats have some by the same name that mean something else, such as
// Anthropic's context_management, an object.
func knows(m transform.Member) bool {
	kind := m.Value.Kind()
	switch m.Name {
	case "store":
		return kind == jsonbytes.Bool || kind == jsonbytes.Null
	case "max_tool_calls":
		return kind == jsonbytes.Number || kind == jsonbytes.Null
	case "context_management":
		return kind == jsonbytes.Array || kind == jsonbytes.Null
	case "metadata", "prompt", "prompt_cache_options":
		return kind == jsonbytes.Object || kind == jsonbytes.Null
	case "truncation", "prompt_cache_key", "prompt_cache_retention", "previous_response_id":
		return kind == jsonbytes.String || kind == jsonbytes.Null
	case "conversation":
		return kind == jsonbytes.String || kind == jsonbytes.Object || kind == jsonbytes.Null
	case "moderation":
		return true
	}
	return false
}
