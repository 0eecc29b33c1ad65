package transform

import "github.com/caddyllm/llmproxy/internal/jsonbytes"

// Essential tells whether the client would get something else than it asked for
// if a member is left out: it holds a part of the conversation or tools that lie
// with one provider, or asks for an answer of another kind. Encoders refuse such
// members unless their format knows them, and drop all others.
func (m *Member) Essential() bool {
	switch m.Name {
	case "previous_response_id", "conversation", "prompt", "cachedContent", "cached_content", "documents",
		"mcp_servers", "container", "web_search_options", "audio":
		return !m.Value.Empty()
	case "background":
		return !m.Value.Empty() && string(m.Value) != "false"
	case "modalities":
		return !m.Value.Empty() && !onlyText(m.Value)
	}
	return false
}

// onlyText tells whether the answer may be nothing but text, which is what every
// answer is unless something else is asked for.
func onlyText(modalities jsonbytes.Value) bool {
	if modalities.Kind() != jsonbytes.Array {
		return false
	}
	for _, v := range modalities.Elements() {
		if !v.Is("text") {
			return false
		}
	}
	return true
}

// Leave reports a member that an encoder has no place for.
func (r *Request) Leave(m *Member, lost *Losses) {
	if m.Essential() {
		lost.Refuse(r.At(m.Name))
	} else {
		lost.Drop(r.At(m.Name))
	}
}
