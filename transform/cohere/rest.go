package cohere

import (
	"github.com/caddyllm/llmproxy/internal/jsonbytes"
	"github.com/caddyllm/llmproxy/transform"
)

// extra is what members that only this format knows ask for.
type extra struct {
	documents, citations, safety, priority jsonbytes.Value
	thinking, strict, k, p                 jsonbytes.Value
}

// planRest decides on the members that the client's format does not know:
// those that Cohere has are taken, everything else is reported.
func (e *encoder) planRest() {
	for _, m := range e.r.Rest {
		if !m.Value.Empty() && !e.takeRest(m) {
			e.r.Leave(&m, e.lost)
		}
	}
}

// takeRest places a member, false if it has no place. Members that mean
// nothing different from their absence count as placed.
func (e *encoder) takeRest(m transform.Member) bool {
	switch m.Name {
	case "documents":
		return m.Fill(&e.extra.documents, jsonbytes.Array)
	case "citation_options":
		return m.Fill(&e.extra.citations, jsonbytes.Object)
	case "safety_mode":
		return m.Fill(&e.extra.safety, jsonbytes.String)
	case "priority":
		return m.Fill(&e.extra.priority, jsonbytes.Number)
	case "strict_tools":
		return m.Fill(&e.extra.strict, jsonbytes.Bool)
	case "k":
		return e.r.Sampling.TopK.Empty() && m.Fill(&e.extra.k, jsonbytes.Number)
	case "p":
		return e.r.Sampling.TopP.Empty() && m.Fill(&e.extra.p, jsonbytes.Number)
	case "thinking":
		return e.takeThinking(m.Value)
	case "store", "background":
		return string(m.Value) == "false"
	}
	return false
}

// account writes who asks, how fast it must go, and what else stands beside
// the conversation.
func (e *encoder) account() {
	for _, m := range [...]struct {
		name  string
		value jsonbytes.Value
	}{
		{"citation_options", e.extra.citations}, {"safety_mode", e.extra.safety}, {"priority", e.extra.priority},
	} {
		e.Member(m.name, m.value)
	}
	if e.r.User != "" {
		e.drop("user")
	}
	if tier := e.r.ServiceTier; tier != "" && tier != "auto" && tier != "default" {
		e.drop("service_tier")
	}
}
