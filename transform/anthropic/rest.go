package anthropic

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// planRest decides on the user's id and on the members that the client's
// format does not know: what this format knows by that name and in that form
// is sent, everything else is reported.
func (e *encoder) planRest() {
	if e.r.User != "" {
		e.userID = transform.Quote(e.r.User)
	}
	for _, m := range e.r.Rest {
		if !m.Value.Empty() && !e.takeRest(m) {
			e.r.Leave(&m, e.lost)
		}
	}
}

// takeRest places a member, false if it has no place. Members that mean
// nothing different from their absence count as placed.
func (e *encoder) takeRest(m transform.Member) bool {
	kind := m.Value.Kind()
	switch m.Name {
	case "cache_control", "context_management":
		return e.forward(m, kind == jsonbytes.Object)
	case "prompt_cache_key":
		return e.cacheByItself(m.Value)
	case "container":
		return e.forward(m, kind == jsonbytes.Object || kind == jsonbytes.String)
	case "inference_geo", "speed":
		return e.forward(m, kind == jsonbytes.String)
	case "mcp_servers":
		return e.forward(m, kind == jsonbytes.Array)
	case "stop_sequences":
		return e.forward(m, kind == jsonbytes.Array && len(e.sampling.stop) == 0)
	case "output_config":
		return e.forward(m, kind == jsonbytes.Object && e.thinking.effort == "" && e.output.native == nil)
	case "thinking":
		// Sent, or reported where that was decided.
		return m.Value.Get("type").Kind() == jsonbytes.String
	case "web_search_options":
		return kind == jsonbytes.Object
	case "safety_identifier":
		return e.takeUser(m.Value)
	case "metadata":
		return m.Value.Len() == 1 && e.r.Leftover("safety_identifier").Empty() && e.takeUser(m.Value.Get("user_id"))
	case "modalities":
		return m.Value.Len() == 1 && onlyText(m.Value)
	case "store", "background":
		return string(m.Value) == "false"
	}
	return false
}

// cacheByItself asks the API to cache the prompt, as a client of OpenAI's
// formats expects that names a cache, unless something says where to cache.
// https://platform.claude.com/docs/en/build-with-claude/prompt-caching
func (e *encoder) cacheByItself(key jsonbytes.Value) bool {
	if key.Kind() != jsonbytes.String || e.cloud || e.to.Vendor != transform.VendorAnthropic ||
		!e.r.Leftover("cache_control").Empty() || len(e.cacheMarks()) > 0 {
		return false
	}
	return e.forward(transform.Member{Name: "cache_control", Value: jsonbytes.Value(`{"type":"ephemeral"}`)}, true)
}

// forward sends a member as it is, if it can be.
func (e *encoder) forward(m transform.Member, fits bool) bool {
	if fits {
		e.rest = append(e.rest, m)
	}
	return fits
}

// takeUser takes an id of the end user in place of another.
func (e *encoder) takeUser(id jsonbytes.Value) bool {
	if id.Kind() != jsonbytes.String {
		return false
	}
	e.userID = id
	return true
}

func onlyText(modalities jsonbytes.Value) bool {
	for _, modality := range modalities.Elements() {
		return modality.Is("text")
	}
	return false
}
