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
		return take(&e.extra.documents, m.Value, jsonbytes.Array)
	case "citation_options":
		return take(&e.extra.citations, m.Value, jsonbytes.Object)
	case "safety_mode":
		return take(&e.extra.safety, m.Value, jsonbytes.String)
	case "priority":
		return take(&e.extra.priority, m.Value, jsonbytes.Number)
	case "strict_tools":
		return take(&e.extra.strict, m.Value, jsonbytes.Bool)
	case "k":
		return e.r.Sampling.TopK.Empty() && take(&e.extra.k, m.Value, jsonbytes.Number)
	case "p":
		return e.r.Sampling.TopP.Empty() && take(&e.extra.p, m.Value, jsonbytes.Number)
	case "thinking":
		return e.takeThinking(m.Value)
	case "store", "background":
		return string(m.Value) == "false"
	}
	return false
}

func take(place *jsonbytes.Value, v jsonbytes.Value, kind jsonbytes.Kind) bool {
	if v.Kind() != kind {
		return false
	}
	*place = v
	return true
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
		if m.value != nil {
			e.key(m.name)
			e.value(m.value)
		}
	}
	if e.r.User != "" {
		e.drop("user")
	}
	if tier := e.r.ServiceTier; tier != "" && tier != "auto" && tier != "default" {
		e.drop("service_tier")
	}
}
