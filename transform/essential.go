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

// Spares tells whether the model can do without a tool that a provider would
// run: it has tools of the client's, and is not told to call any.
func (r *Request) Spares() bool {
	return len(r.Tools) > 0 && r.ToolChoice.Mode != ToolsRequired && r.ToolChoice.Mode != ToolsNamed
}

// Leave reports a member that an encoder has no place for.
func (r *Request) Leave(m *Member, lost *Losses) {
	if m.Essential() && !(m.Offered && r.Spares()) {
		lost.Refuse(r.At(m.Name))
	} else {
		lost.Drop(r.At(m.Name))
	}
}

// LeaveNamed does the same for the member of that name, if there is one.
func (r *Request) LeaveNamed(name string, lost *Losses) {
	for i := range r.Rest {
		if r.Rest[i].Name == name {
			r.Leave(&r.Rest[i], lost)
		}
	}
}
